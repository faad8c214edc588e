//! What a plugin asks for, and whether that was approved: `[grants]`, `[limits]` and `sandboxes_max`, in the same form in a
//! manifest and in the file of approvals.

use super::table::{self, Told, unknown, within};
use sandbar_call::{GrantKind, Limits, Resource, Unit};
use sandbar_grants::{Grants, OPTIONS, Value as Form, suggestion};
use std::fmt;
use toml::{Table, Value};

/// The key of functions of the host, beside the kinds of grants.
pub(super) const FUNCTIONS: &str = "functions";

/// One thing that a plugin asks for, and that somebody has to approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A grant, in the form of its kind.
    Grant(GrantKind, String),
    /// A function of the host: `MODULE#NAME`.
    Function(String),
    /// More of something than plugins of the folder may use otherwise, in its unit; `u64::MAX` is all of it.
    Limit(Resource, u64),
    /// More sandboxes at one time.
    Sandboxes(u32),
}

/// All that is asked for, or approved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asks(pub(crate) Vec<Ask>);

impl Ask {
    /// The line that asks for it, and that would approve it, without its table: `http = ["https://api.example.com"]`.
    pub fn line(&self) -> String {
        match self {
            Ask::Grant(kind, entry) => {
                suggestion(*kind, entry).map_or_else(|| kind.key().to_owned(), |suggestion| suggestion.line)
            }
            Ask::Function(name) => format!("{FUNCTIONS} = [{}]", Value::String(name.clone())),
            Ask::Limit(resource, most) => format!("{} = {}", resource.key(), amount(resource.unit(), *most)),
            Ask::Sandboxes(most) => format!("sandboxes_max = {most}"),
        }
    }

    /// The table that the line stands in: `grants`, `limits`, or none.
    pub fn table(&self) -> Option<&'static str> {
        match self {
            Ask::Grant(..) | Ask::Function(_) => Some("grants"),
            Ask::Limit(..) => Some("limits"),
            Ask::Sandboxes(_) => None,
        }
    }

    /// What it means, in a sentence for whoever is to approve it.
    pub fn help(&self) -> &'static str {
        match self {
            Ask::Grant(kind, _) => OPTIONS.iter().find(|option| option.kind == *kind).map_or("", |option| option.help),
            Ask::Function(_) => "lets it call a function of the host, as `MODULE#NAME`",
            Ask::Limit(resource, _) => resource.doc().trim(),
            Ask::Sandboxes(_) => "sandboxes at one time",
        }
    }

    /// Whether approving `other` approves this: the same entry, the same or a higher word or bound.
    fn is_within(&self, other: &Ask) -> bool {
        match (self, other) {
            (Ask::Grant(kind, entry), Ask::Grant(other, approved)) if kind == other => match form(*kind) {
                Some(Form::Word(words)) => {
                    let rank = |word: &str| words.iter().position(|known| *known == word);
                    entry == approved || rank(entry) < rank(approved)
                }
                _ => entry == approved,
            },
            (Ask::Function(name), Ask::Function(approved)) => name == approved,
            (Ask::Limit(resource, most), Ask::Limit(other, approved)) => resource == other && most <= approved,
            (Ask::Sandboxes(most), Ask::Sandboxes(approved)) => most <= approved,
            _ => false,
        }
    }

    /// Whether it asks for nothing beyond what every plugin of the folder has.
    fn is_usual(&self, bounds: &Limits, sandboxes_max: u32) -> bool {
        match self {
            Ask::Grant(kind, entry) => match form(*kind) {
                Some(Form::Word(words)) => words.first() == Some(&entry.as_str()),
                Some(Form::Switch) => entry == "false",
                _ => false,
            },
            Ask::Function(_) => false,
            Ask::Limit(resource, most) => *most <= bounds.most(*resource),
            Ask::Sandboxes(most) => *most <= sandboxes_max,
        }
    }
}

impl fmt::Display for Ask {
    /// Shows its line, with its table before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table() {
            Some(table) => write!(f, "{table}.{}", self.line()),
            None => f.write_str(&self.line()),
        }
    }
}

impl Asks {
    /// Takes what asks for something out of a table.
    pub(crate) fn take(table: &mut Table) -> Told<Asks> {
        let mut asks = Asks::default();
        if let Some(value) = table.remove("grants") {
            asks.read_grants(&value).map_err(|problem| within("grants", &problem))?;
        }
        if let Some(value) = table.remove("limits") {
            asks.read_limits(&value).map_err(|problem| within("limits", &problem))?;
        }
        if let Some(value) = table.remove("sandboxes_max") {
            let most = value.as_integer().and_then(|most| u32::try_from(most).ok()).filter(|&most| most > 0);
            let told = || format!("`sandboxes_max`: expected a whole number from 1, found `{value}`");
            asks.0.push(Ask::Sandboxes(most.ok_or_else(told)?));
        }
        Ok(asks)
    }

    /// Those that go beyond what every plugin has.
    pub(crate) fn unusual(&self, bounds: &Limits, sandboxes_max: u32) -> Vec<Ask> {
        self.0.iter().filter(|ask| !ask.is_usual(bounds, sandboxes_max)).cloned().collect()
    }

    /// Whether one thing that is asked for is among these.
    pub(crate) fn approve(&self, ask: &Ask) -> bool {
        self.0.iter().any(|approved| ask.is_within(approved))
    }

    fn read_grants(&mut self, value: &Value) -> Told<()> {
        // Reads each entry as it will be read when it is granted.
        let mut grants = Grants::default();
        for (key, value) in table::table(value)? {
            if key == FUNCTIONS {
                let names = table::texts(value).map_err(|problem| within(key, &problem))?;
                for name in names {
                    let is_name = name.split_once('#').is_some_and(|(_, name)| !name.is_empty());
                    if !is_name || name.chars().any(char::is_control) {
                        return Err(format!("`{FUNCTIONS}`: expected `MODULE#NAME`, found `{}`", name.escape_debug()));
                    }
                    self.0.push(Ask::Function(name));
                }
                continue;
            }
            let Some(option) = OPTIONS.iter().find(|option| option.kind.key() == key) else {
                let keys = OPTIONS.iter().map(|option| option.kind.key()).chain([FUNCTIONS]);
                return Err(unknown("grant", key, keys));
            };
            let entries = match option.value {
                Form::List => table::texts(value),
                Form::Word(_) => table::text(value).map(|word| vec![word.to_owned()]),
                Form::Switch => table::switch(value).map(|on| vec![on.to_string()]),
            };
            for entry in entries.map_err(|problem| within(key, &problem))? {
                grants.add(option.kind, &entry).map_err(|error| format!("{error}; {}", error.hint()))?;
                self.0.push(Ask::Grant(option.kind, entry));
            }
        }
        Ok(())
    }

    fn read_limits(&mut self, value: &Value) -> Told<()> {
        for (key, value) in table::table(value)? {
            let Some(resource) = Resource::from_key(key) else {
                return Err(unknown("limit", key, Resource::ALL.iter().map(|resource| resource.key())));
            };
            let unit = resource.unit();
            let most = match value {
                Value::Integer(number) if unit != Unit::Nanoseconds => u64::try_from(*number).ok(),
                Value::String(text) => unit.read_bound(text),
                _ => None,
            };
            let form = match unit {
                Unit::Nanoseconds => "a duration of more than zero such as \"500ms\" or \"2s\"",
                Unit::Bytes => "a number of bytes, or a size such as \"64MiB\"",
                Unit::Count => "a whole number",
            };
            let told = || within(key, &format!("expected {form}, or \"none\", found `{value}`"));
            self.0.push(Ask::Limit(resource, most.ok_or_else(told)?));
        }
        Ok(())
    }
}

fn form(kind: GrantKind) -> Option<Form> {
    OPTIONS.iter().find(|option| option.kind == kind).map(|option| option.value)
}

/// An amount as a person writes it, in the largest unit that it is a whole number of.
fn amount(unit: Unit, most: u64) -> String {
    const TIMES: &[(u64, &str)] = &[
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    const SIZES: &[(u64, &str)] = &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let units = match unit {
        _ if most == u64::MAX => return "\"none\"".into(),
        Unit::Nanoseconds => TIMES,
        Unit::Bytes => SIZES,
        Unit::Count => &[],
    };
    match units.iter().find(|(size, _)| most > 0 && most.is_multiple_of(*size)) {
        Some((size, name)) => format!("\"{}{name}\"", most / size),
        None => most.to_string(),
    }
}
