//! The file of approvals: what somebody who may decide it lets the plugins of a folder do.
//!
//! It is a file for people first: TOML, one table for each plugin, with a comment on each line that says what it means. It is
//! never in the manifest, since a plugin must not approve itself, and a folder's plugins can't be granted the folder it lies in.

mod write;

use super::{
    FolderError,
    asks::{Ask, Asks},
    is_name, read_file,
    table::{self, Told, within},
};
use crate::signing::KeyId;
use sandbar_call::Digest;
use semver::{Version, VersionReq};
use std::{
    collections::BTreeMap,
    fmt, fs,
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// The name of the file, where the host names no other.
pub const APPROVALS_FILE: &str = "plugins.approved.toml";
/// How large the file may be.
pub const APPROVALS_BYTES_MAX: u64 = 4 << 20;

/// What an approval holds for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The plugin as it is: this guest with this manifest.
    Digest(Digest),
    /// Any version that this key signed, within the range.
    Key {
        /// What names the key.
        key: KeyId,
        /// The versions; an older one than was approved should not be among them.
        versions: VersionReq,
    },
}

/// Why what is approved does not hold for what lies in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// The approval is for a plugin of this digest.
    Digest(Digest),
    /// The approval is for what this key signed.
    Key(KeyId),
    /// The approval is for these versions.
    Versions(VersionReq),
}

/// What is approved for one plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Approval {
    pub(crate) enabled: bool,
    pub(crate) scope: Option<Scope>,
    pub(crate) asks: Asks,
}

/// The file of approvals.
#[derive(Clone, Debug)]
pub(crate) struct Approvals {
    path: PathBuf,
    text: String,
    plugins: BTreeMap<String, Approval>,
}

impl Default for Approval {
    fn default() -> Approval {
        Approval { enabled: true, scope: None, asks: Asks::default() }
    }
}

impl Approvals {
    /// Reads the file; where there is none, nothing is approved.
    pub(crate) fn read(path: &Path) -> Result<Approvals, FolderError> {
        let bytes = match read_file(path, APPROVALS_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(FolderError::File { error, .. }) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        if fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o002 != 0) {
            return Err(FolderError::Open { path: path.to_owned() });
        }
        let form = |problem| FolderError::Form { path: path.to_owned(), problem };
        let plugins = table::parse(&bytes).and_then(plugins).map_err(form)?;
        let text = String::from_utf8(bytes).map_err(|_| form("it is no text in UTF-8".into()))?;
        Ok(Approvals { path: path.to_owned(), text, plugins })
    }

    /// What is approved for a plugin.
    pub(crate) fn of(&self, name: &str) -> Option<&Approval> {
        self.plugins.get(name)
    }
}

impl Approval {
    /// Why it does not hold for a plugin, if so.
    pub(crate) fn lapse(&self, digest: Digest, version: &Version, signers: &[KeyId]) -> Option<Lapse> {
        match self.scope.as_ref()? {
            Scope::Digest(approved) => (*approved != digest).then_some(Lapse::Digest(*approved)),
            Scope::Key { key, .. } if !signers.contains(key) => Some(Lapse::Key(*key)),
            Scope::Key { versions, .. } => (!versions.matches(version)).then(|| Lapse::Versions(versions.clone())),
        }
    }

    /// Whether it approves something, where it holds.
    pub(crate) fn approves(&self, ask: &Ask) -> bool {
        self.scope.is_some() && self.asks.approve(ask)
    }
}

impl fmt::Display for Lapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lapse::Digest(digest) => write!(f, "the approval is for another version, `{digest}`"),
            Lapse::Key(key) => write!(f, "the approval is for what the key `{key}` signed"),
            Lapse::Versions(versions) => write!(f, "the approval is for the versions `{versions}`"),
        }
    }
}

fn plugins(table: Table) -> Told<BTreeMap<String, Approval>> {
    let read = |(name, value): (String, Value)| {
        let Value::Table(table) = value else {
            return Err(format!("`{}`: expected the table of a plugin, found `{value}`", name.escape_debug()));
        };
        if !is_name(&name) {
            return Err(format!("`{}` is no name of a plugin", name.escape_debug()));
        }
        let approval = approval(table).map_err(|problem| within(&name, &problem))?;
        Ok((name, approval))
    };
    table.into_iter().map(read).collect()
}

fn approval(mut table: Table) -> Told<Approval> {
    table::nothing_left(&table, &["enabled", "digest", "key", "versions", "grants", "limits", "sandboxes_max"])?;
    let enabled = table.remove("enabled").as_ref().map_or(Ok(true), table::switch);
    let enabled = enabled.map_err(|problem| within("enabled", &problem))?;
    let digest = table::take(&mut table, "digest", |text| text.parse().map_err(str::to_owned))?;
    let key = table::take(&mut table, "key", |text| text.parse().map_err(str::to_owned))?;
    let versions = table::take(&mut table, "versions", |text| {
        VersionReq::parse(text).map_err(|error| format!("expected a range such as `>=1.2.0`: {error}"))
    })?;
    let asks = Asks::take(&mut table)?;
    let scope = match (digest, key, versions) {
        (Some(_), Some(_), _) => return Err("expected `digest` or `key`, found both".into()),
        (Some(digest), None, None) => Some(Scope::Digest(digest)),
        (None, Some(key), versions) => Some(Scope::Key { key, versions: versions.unwrap_or(VersionReq::STAR) }),
        (_, None, Some(_)) => return Err("`versions` goes with `key`".into()),
        (None, None, None) if !asks.0.is_empty() => {
            return Err("expected `digest` or `key`, which say what this is approved for".into());
        }
        (None, None, None) => None,
    };
    Ok(Approval { enabled, scope, asks })
}
