//! Why grants could not be read or admitted.

use crate::option::option;
use sandbar_call::GrantKind;
use std::{fmt, io, path::PathBuf};

/// A grant that can't be read or admitted. `Display` says what is wrong; [`GrantError::hint`] what to type.
#[derive(Debug)]
pub enum GrantError {
    /// An entry is not written in the form of its kind.
    Form {
        /// The kind that it was said under.
        grant: GrantKind,
        /// The entry; for an environment variable only its name, since a value may be a secret.
        entry: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// Nothing of this kind can be granted by an entry.
    NotAnOption {
        /// The kind.
        grant: GrantKind,
    },
    /// Two folders have the same path in the guest.
    SameGuestPath {
        /// The path.
        guest: String,
    },
    /// A variable to pass through is not in the host's environment.
    EnvMissing {
        /// Its name.
        name: String,
    },
    /// A folder can't be opened.
    Folder {
        /// Its path on the host.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A path to be granted as a folder is something else.
    NotAFolder {
        /// Its path on the host.
        path: PathBuf,
    },
    /// Two entries give one folder different quotas.
    QuotaDiffers {
        /// Its path on the host.
        path: PathBuf,
        /// The quota that was seen first.
        first_bytes: u64,
        /// The other one.
        other_bytes: u64,
    },
}

impl GrantError {
    /// What to type instead.
    pub fn hint(&self) -> String {
        match self {
            GrantError::Form { grant, .. } => match option(*grant) {
                Some(option) => format!("write `{}`, such as `{}`", option.form, option.example),
                None => String::new(),
            },
            GrantError::NotAnOption { .. } => "the call's own event carries it; leave the entry out".into(),
            GrantError::SameGuestPath { guest } => {
                format!("give each folder a path of its own after `HOST::`, not `{guest}` twice")
            }
            GrantError::EnvMissing { name } => format!("set it before starting, or write its value: `{name}=VALUE`"),
            GrantError::Folder { path, .. } => {
                format!("create it with `mkdir -p {}`, or name another folder", path.display())
            }
            GrantError::NotAFolder { path } => match path.parent() {
                Some(parent) => format!("grant the folder that holds it: `{}`", parent.display()),
                None => "name a folder".into(),
            },
            GrantError::QuotaDiffers { first_bytes, .. } => format!("write `quota={first_bytes}` in both entries"),
        }
    }
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GrantError::Form { grant, entry, problem } => {
                write!(f, "`{}` is not a `{}` grant: {problem}", entry.escape_debug(), grant.key())
            }
            GrantError::NotAnOption { grant } => write!(f, "`{}` is not an option of grants", grant.key()),
            GrantError::SameGuestPath { guest } => write!(f, "two folders are granted at `{}`", guest.escape_debug()),
            GrantError::EnvMissing { name } => {
                write!(f, "the environment variable `{}` is granted but not set", name.escape_debug())
            }
            GrantError::Folder { path, .. } => write!(f, "can't open the folder `{}`", path.display()),
            GrantError::NotAFolder { path } => write!(f, "`{}` is not a folder", path.display()),
            GrantError::QuotaDiffers { path, first_bytes, other_bytes } => {
                write!(f, "the folder `{}` has two quotas, {first_bytes} and {other_bytes} bytes", path.display())
            }
        }
    }
}

impl std::error::Error for GrantError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            GrantError::Folder { error, .. } => Some(error),
            GrantError::Form { .. }
            | GrantError::NotAnOption { .. }
            | GrantError::SameGuestPath { .. }
            | GrantError::EnvMissing { .. }
            | GrantError::NotAFolder { .. }
            | GrantError::QuotaDiffers { .. } => None,
        }
    }
}

/// What is wrong with a part of an entry, a name or an address: lower case, no full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(String);

impl Problem {
    pub(crate) fn new(text: impl Into<String>) -> Problem {
        Problem(text.into())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}
