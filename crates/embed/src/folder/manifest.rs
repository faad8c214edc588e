//! A plugin's manifest: what it is, what it requires, what it asks for.

use super::{
    FolderError,
    asks::{Ask, Asks},
    is_name,
    table::{self, Told, within},
};
use sandbar_call::Digest;
use semver::{Version, VersionReq};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, path::Path};
use toml::Table;

/// How long a description may be, in characters.
const DESCRIPTION_CHARS_MAX: usize = 500;
/// How many others a plugin may require.
const REQUIRES_MAX: usize = 100;

/// What a manifest says. A plugin without one has the default.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) version: Version,
    pub(crate) description: String,
    pub(crate) guest: Option<String>,
    pub(crate) digest: Option<Digest>,
    pub(crate) requires: BTreeMap<String, VersionReq>,
    pub(crate) asks: Asks,
    /// What else a plugin is loaded with, as `PluginBuilder::options` takes it.
    pub(crate) options: Map<String, Value>,
}

/// Every key. Those from `config` on are handed over as options, once what they ask for was judged.
const KEYS: &[&str] = &[
    "name",
    "version",
    "guest",
    "digest",
    "description",
    "requires",
    "grants",
    "limits",
    "sandboxes_max",
    "config",
    "sandbox",
    "fuel_metered",
    "rebuild",
];
const OPTIONS: &[&str] = &["config", "sandbox", "fuel_metered", "rebuild"];

impl Default for Manifest {
    fn default() -> Manifest {
        Manifest {
            version: Version::new(0, 0, 0),
            description: String::new(),
            guest: None,
            digest: None,
            requires: BTreeMap::new(),
            asks: Asks::default(),
            options: Map::new(),
        }
    }
}

impl Manifest {
    /// Reads the manifest of the plugin of this name.
    pub(crate) fn read(name: &str, path: &Path, bytes: &[u8]) -> Result<Manifest, FolderError> {
        let form = |problem| FolderError::Form { path: path.to_owned(), problem };
        table::parse(bytes).and_then(|table| Manifest::take(name, table)).map_err(form)
    }

    fn take(name: &str, mut table: Table) -> Told<Manifest> {
        table::nothing_left(&table, KEYS)?;
        table::take(&mut table, "name", |said| match said == name {
            true => Ok(()),
            false => {
                Err(format!("expected `{name}`, as the plugin is named by its file, found `{}`", said.escape_debug()))
            }
        })?;
        let version = table::take(&mut table, "version", version)?;
        let guest = table::take(&mut table, "guest", |text| Ok(text.to_owned()))?;
        let digest = table::take(&mut table, "digest", |text| text.parse().map_err(str::to_owned))?;
        let description = table::take(&mut table, "description", |text| {
            let is_short = text.chars().count() <= DESCRIPTION_CHARS_MAX;
            let told = || format!("expected up to {DESCRIPTION_CHARS_MAX} characters on one line");
            (is_short && !text.chars().any(char::is_control)).then(|| text.to_owned()).ok_or_else(told)
        })?;
        let requires = table.remove("requires");
        let requires = requires.as_ref().map_or_else(|| Ok(BTreeMap::new()), requirements);
        let requires = requires.map_err(|problem| within("requires", &problem))?;
        let asks = Asks::take(&mut table)?;
        let mut options = table::json(&table);
        if let Some(Ask::Sandboxes(most)) = asks.0.iter().find(|ask| matches!(ask, Ask::Sandboxes(_))) {
            options.insert("sandboxes_max".into(), (*most).into());
        }
        debug_assert!(table.keys().all(|key| OPTIONS.contains(&key.as_str())));
        let version = version.unwrap_or(Version::new(0, 0, 0));
        let description = description.unwrap_or_default();
        Ok(Manifest { version, description, guest, digest, requires, asks, options })
    }
}

fn version(text: &str) -> Told<Version> {
    Version::parse(text)
        .map_err(|error| format!("expected a version such as `1.2.0`, found `{}`: {error}", text.escape_debug()))
}

fn requirements(value: &toml::Value) -> Told<BTreeMap<String, VersionReq>> {
    let table = table::table(value)?;
    if table.len() > REQUIRES_MAX {
        return Err(format!("expected up to {REQUIRES_MAX} plugins, found {}", table.len()));
    }
    let range = |(name, value): (&String, &toml::Value)| {
        if !is_name(name) {
            return Err(format!("`{}` is no name of a plugin", name.escape_debug()));
        }
        let read = |text: &str| {
            VersionReq::parse(text)
                .map_err(|error| format!("expected a range such as `^1.2`, found `{}`: {error}", text.escape_debug()))
        };
        table::text(value).and_then(read).map(|range| (name.clone(), range)).map_err(|problem| within(name, &problem))
    };
    table.iter().map(range).collect()
}
