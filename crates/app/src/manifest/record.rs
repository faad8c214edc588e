//! The first stage: what was said, and where. It knows which keys there are and how their values are written, and nothing
//! of what they mean together; [`super::resolve`] does.

use super::{
    Spanned,
    error::{Problem, Problems, Source},
    limits,
    setting::{Absent, FromValue, Setting, Table},
    tables::{Admin, GUEST, HTTP, Pool, ROOT, Receipts, Server},
    value::{Form, Misread, Value, one_of, shown},
};
use sandbar_call::{GrantKind, Resource};
use sandbar_grants::nearest;
use sandbar_grants::{GrantOption, OPTIONS, suggestion};
use std::{collections::BTreeMap, ops::Range};
use toml::de::{DeString, DeTable, DeValue};

type Key<'i> = toml::Spanned<DeString<'i>>;
type Item<'i> = toml::Spanned<DeValue<'i>>;

/// Everything that a manifest says.
#[derive(Default)]
pub(crate) struct Recorded {
    pub(crate) root: Said,
    pub(crate) server: Said,
    pub(crate) admin: Said,
    pub(crate) receipts: Said,
    pub(crate) pool: Said,
    pub(crate) limits: Said,
    pub(crate) guests: Vec<SaidGuest>,
    pub(crate) routes: Vec<Said>,
}

/// What one table says.
#[derive(Default)]
pub(crate) struct Said {
    /// Where the table is.
    pub(crate) at: Range<usize>,
    values: BTreeMap<&'static str, Spanned<Value>>,
    /// Keys whose value could not be read: said, so that they are not missing.
    misread: Vec<&'static str>,
}

/// What the tables of one guest say.
#[derive(Default)]
pub(crate) struct SaidGuest {
    pub(crate) name: Spanned<String>,
    pub(crate) guest: Said,
    pub(crate) grants: Vec<(GrantKind, Spanned<String>)>,
    pub(crate) limits: Said,
}

impl Said {
    /// What was said for a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Spanned<Value>> {
        self.values.get(key)
    }

    /// Whether a key is there, readable or not.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key) || self.misread.contains(&key)
    }

    /// The text said for a key, and where.
    pub(crate) fn text(&self, key: &str) -> Option<Spanned<String>> {
        let Spanned { value: Value::Text(text), at } = self.get(key)? else { return None };
        Some(Spanned { value: text.clone(), at: at.clone() })
    }

    /// What holds for a key: what was said, else its default. `T` fits the key's form, which tests see to.
    pub(crate) fn resolve<T: FromValue>(&self, table: &Table, key: &str) -> T {
        let setting = table.setting(key).expect("the key is in the registry");
        let value = match (self.get(key), setting.absent) {
            (Some(said), _) => Some(said.value.clone()),
            (None, Absent::Default(text)) => setting.form.read_text(text).ok(),
            (None, Absent::Required | Absent::Otherwise(_)) => None,
        };
        let value = match value {
            Some(value) => T::from_value(&value),
            None => T::absent(),
        };
        value.expect("a test resolves every key of the registry, said and not said")
    }

    /// Makes a table that says one thing.
    #[cfg(test)]
    pub(crate) fn of(key: &'static str, value: Value) -> Said {
        Said { values: BTreeMap::from([(key, Spanned { value, at: 0..0 })]), ..Said::default() }
    }
}

/// Records a parsed manifest.
pub(crate) fn record(document: &DeTable<'_>, source: &Source, problems: &mut Problems) -> Recorded {
    let mut recorder = Recorder { source, problems };
    let mut recorded = Recorded::default();
    for (key, item) in document {
        match key.get_ref().as_ref() {
            "server" => recorded.server = recorder.section(&Server::TABLE, key, item),
            "admin" => recorded.admin = recorder.section(&Admin::TABLE, key, item),
            "receipts" => recorded.receipts = recorder.section(&Receipts::TABLE, key, item),
            "pool" => recorded.pool = recorder.section(&Pool::TABLE, key, item),
            "limits" => recorded.limits = recorder.limits("[limits]", key, item),
            "guests" => recorded.guests = recorder.guests(key, item),
            "http" => recorded.routes = recorder.routes(key, item),
            _ => recorder.value(&mut recorded.root, &TOP, key, item),
        }
    }
    recorded
}

/// What may stand in one table.
struct Keys<'a> {
    /// The table's header, empty at the top.
    header: &'a str,
    settings: &'a [Setting],
    /// Names of tables inside it.
    tables: &'a [&'a str],
}

const TOP: Keys<'static> = Keys {
    header: ROOT.header,
    settings: ROOT.settings,
    tables: &["server", "admin", "receipts", "pool", "limits", "guests", "http"],
};

struct Recorder<'a> {
    source: &'a Source,
    problems: &'a mut Problems,
}

impl Recorder<'_> {
    fn section(&mut self, table: &Table, key: &Key<'_>, item: &Item<'_>) -> Said {
        self.table(table.header, table.settings, key.span(), item)
    }

    fn limits(&mut self, header: &str, key: &Key<'_>, item: &Item<'_>) -> Said {
        let setting = |&resource: &Resource| Setting {
            key: resource.key(),
            form: limits::form(resource),
            absent: Absent::Otherwise(""),
            doc: resource.doc(),
            example: limits::form(resource).example(),
        };
        let settings: Vec<Setting> = Resource::ALL.iter().map(setting).collect();
        self.table(header, &settings, key.span(), item)
    }

    fn table(&mut self, header: &str, settings: &[Setting], at: Range<usize>, item: &Item<'_>) -> Said {
        let mut said = Said { at: at.clone(), ..Said::default() };
        if let Some(entries) = self.entries(header, at, item) {
            for (key, item) in entries {
                self.value(&mut said, &Keys { header, settings, tables: &[] }, key, item);
            }
        }
        said
    }

    fn guests(&mut self, key: &Key<'_>, item: &Item<'_>) -> Vec<SaidGuest> {
        let Some(guests) = self.entries("[guests.NAME]", key.span(), item) else { return Vec::new() };
        guests.iter().map(|(key, item)| self.guest(key, item)).collect()
    }

    fn guest(&mut self, key: &Key<'_>, item: &Item<'_>) -> SaidGuest {
        let name = Spanned { value: key.get_ref().to_string(), at: key.span() };
        self.check_name(&name);
        let header = format!("[guests.{}]", name.value);
        let mut said = SaidGuest { name, guest: Said { at: key.span(), ..Said::default() }, ..SaidGuest::default() };
        let keys = Keys { header: &header, settings: GUEST.settings, tables: &["grants", "limits"] };
        let Some(entries) = self.entries(&header, key.span(), item) else { return said };
        for (key, item) in entries {
            let below = |table: &str| format!("[guests.{}.{table}]", said.name.value);
            match key.get_ref().as_ref() {
                "limits" => said.limits = self.limits(&below("limits"), key, item),
                "grants" => said.grants = self.grants(&below("grants"), key, item),
                _ => self.value(&mut said.guest, &keys, key, item),
            }
        }
        said
    }

    fn check_name(&mut self, name: &Spanned<String>) {
        const CHARS_MAX: usize = 64;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.value.is_empty() || name.value.len() > CHARS_MAX || !name.value.bytes().all(fits) {
            let label = format!("expected 1 to {CHARS_MAX} letters, digits, `-` and `_`");
            let problem = Problem::error(format!("{} can't name a guest", shown(&name.value)), name.at.clone(), label);
            self.problems.push(problem.hint("[guests.my-guest]"));
        }
    }

    fn grants(&mut self, header: &str, key: &Key<'_>, item: &Item<'_>) -> Vec<(GrantKind, Spanned<String>)> {
        let mut grants = Vec::new();
        for (key, item) in self.entries(header, key.span(), item).into_iter().flatten() {
            match OPTIONS.iter().find(|option| option.kind.key() == key.get_ref().as_ref()) {
                Some(option) => grants.extend(self.grant(option, item)),
                None => {
                    let settings: Vec<Setting> = OPTIONS.iter().map(grant_setting).collect();
                    self.unknown(&Keys { header, settings: &settings, tables: &[] }, key, item);
                }
            }
        }
        grants
    }

    fn grant(&mut self, option: &GrantOption, item: &Item<'_>) -> Vec<(GrantKind, Spanned<String>)> {
        let line = || suggestion(option.kind, option.example).map_or(String::new(), |suggestion| suggestion.line);
        let entries = match self.read(&grant_setting(option), line, item) {
            Some(Value::Texts(entries)) => entries,
            Some(Value::Text(word)) => vec![Spanned { value: word, at: item.span() }],
            Some(Value::Switch(true)) => vec![Spanned { value: "true".into(), at: item.span() }],
            _ => Vec::new(),
        };
        entries.into_iter().map(|entry| (option.kind, entry)).collect()
    }

    fn routes(&mut self, key: &Key<'_>, item: &Item<'_>) -> Vec<Said> {
        let DeValue::Array(routes) = item.get_ref() else {
            let problem = Problem::error("routes are a list", key.span(), "expected `[[http]]` for each route");
            self.problems.push(problem.hint("[[http]]"));
            return Vec::new();
        };
        routes.iter().map(|item| self.table(HTTP.header, HTTP.settings, item.span(), item)).collect()
    }

    /// Records one key of a table.
    fn value(&mut self, said: &mut Said, keys: &Keys<'_>, key: &Key<'_>, item: &Item<'_>) {
        let Some(setting) = keys.settings.iter().find(|setting| setting.key == key.get_ref().as_ref()) else {
            return self.unknown(keys, key, item);
        };
        match self.read(setting, || format!("{} = {}", setting.key, setting.example), item) {
            Some(value) => drop(said.values.insert(setting.key, Spanned { value, at: item.span() })),
            None => said.misread.push(setting.key),
        }
    }

    /// Reads a value, or reports it and shows the line to type.
    fn read(&mut self, setting: &Setting, line: impl FnOnce() -> String, item: &Item<'_>) -> Option<Value> {
        let problem = match setting.form.read(item) {
            Ok(value) => return Some(value),
            Err(Misread::Part(problem)) if problem.hint.is_some() => problem,
            Err(Misread::Part(problem)) => problem.hint(line()),
            Err(Misread::Whole(error)) => {
                let message = format!("wrong value for `{}`", setting.key);
                let entry = self.source.shown.get(item.span()).filter(|_| item.get_ref().is_str());
                let hint = match (setting.form, entry) {
                    (Form::Texts, Some(entry)) => format!("{} = [{entry}]", setting.key),
                    _ => line(),
                };
                Problem::error(message, item.span(), error.to_string()).hint(hint)
            }
        };
        self.problems.push(problem);
        None
    }

    fn entries<'i, 'd>(&mut self, header: &str, at: Range<usize>, item: &'i Item<'d>) -> Option<&'i DeTable<'d>> {
        match item.get_ref() {
            DeValue::Table(entries) => Some(entries),
            _ => {
                let name = header.trim_matches(['[', ']']).trim_end_matches(".NAME");
                let message = format!("`{name}` is a table");
                self.problems.push(Problem::error(message, at, "expected keys below a header").hint(header));
                None
            }
        }
    }

    fn unknown(&mut self, keys: &Keys<'_>, key: &Key<'_>, item: &Item<'_>) {
        let name = key.get_ref().as_ref();
        let known: Vec<&str> = keys.settings.iter().map(|setting| setting.key).chain(keys.tables.to_vec()).collect();
        let table = if keys.header.is_empty() { "the manifest".into() } else { format!("`{}`", keys.header) };
        let message = format!("unknown key {} in {table}", shown(name));
        let problem = |label: String| Problem::error(message, key.span(), label);
        let problem = if let Some(near) = nearest(name, known.iter().copied()) {
            problem(format!("did you mean `{near}`?")).hint(self.corrected(near, keys, item))
        } else if let Some(home) = home_of(name, keys.header) {
            problem(format!("`{name}` belongs in `{home}`")).hint(format!("put the line below `{home}`"))
        } else {
            problem(format!("expected {}", one_of(&known)))
        };
        self.problems.push(problem);
    }

    /// The line that was meant: the right key with the value that is there, where that is short.
    fn corrected(&self, key: &str, keys: &Keys<'_>, item: &Item<'_>) -> String {
        const CHARS_MAX: usize = 60;
        let Some(setting) = keys.settings.iter().find(|setting| setting.key == key) else {
            return match (key, keys.header.trim_end_matches(']')) {
                ("http", "") => HTTP.header.into(),
                ("guests", "") => GUEST.header.into(),
                (_, "") => format!("[{key}]"),
                (_, table) => format!("{table}.{key}]"),
            };
        };
        let raw = self.source.shown.get(item.span()).filter(|raw| raw.len() <= CHARS_MAX && !raw.contains('\n'));
        let value = match setting.form.read(item) {
            Ok(_) => raw.unwrap_or(setting.example),
            Err(_) => setting.example,
        };
        format!("{key} = {value}")
    }
}

/// A grant's entry in the registry of grants, as a key of a table.
pub(crate) fn grant_setting(option: &GrantOption) -> Setting {
    use sandbar_grants::Value as Of;
    let (form, example) = match option.value {
        Of::List => (Form::Texts, "[\"…\"]"),
        Of::Word(words) => (Form::Choice(words), "\"…\""),
        Of::Switch => (Form::Switch, "true"),
    };
    Setting { key: option.kind.key(), form, absent: Absent::Otherwise("not granted"), doc: option.help, example }
}

/// The header of the table that a key belongs to, seen from the table where it was said.
fn home_of(key: &str, said_in: &str) -> Option<String> {
    let guest = said_in.strip_prefix("[guests.").and_then(|rest| rest.split(['.', ']']).next());
    let of_guest = |table: &str| format!("[guests.{}{table}]", guest.unwrap_or("NAME"));
    let tables = [Server::TABLE, Admin::TABLE, Receipts::TABLE, Pool::TABLE, GUEST, HTTP];
    if OPTIONS.iter().any(|option| option.kind.key() == key) {
        Some(of_guest(".grants"))
    } else if Resource::from_key(key).is_some() {
        Some(guest.map_or("[limits]".into(), |_| of_guest(".limits")))
    } else {
        let table = tables.iter().find(|table| table.setting(key).is_some())?;
        Some(if table.header == GUEST.header { of_guest("") } else { table.header.into() })
    }
}
