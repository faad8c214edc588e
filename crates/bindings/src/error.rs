//! Why bindings can't be written.

use std::{fmt, io, path::PathBuf};

/// Why bindings can't be written.
#[derive(Debug)]
pub enum Error {
    /// A file can't be read or written.
    File(PathBuf, io::Error),
    /// The bytes are no WebAssembly, or ill-formed.
    Malformed(String),
    /// The WIT has an error, in the words of its parser, with the place.
    Wit(String),
    /// There is no world of that name, or several and none was named.
    World {
        /// What was asked for.
        asked: Option<String>,
        /// What there is.
        worlds: Vec<String>,
    },
    /// A bound of this crate is exceeded: what there may be at most.
    TooLarge(String),
    /// A type can't be said in the language: where it is, and what the language has instead.
    Unsaid(String),
    /// It is not a build script that runs, which is told where to write.
    NoBuildScript,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::File(path, error) => write!(f, "`{}`: {error}", path.display()),
            Error::Malformed(message) => write!(f, "expected a component or a module: {message}"),
            Error::Wit(message) => write!(f, "the WIT can't be read: {message}"),
            Error::World { asked: Some(asked), worlds } => {
                write!(f, "no world `{}`, found {}", asked.escape_debug(), listed(worlds))
            }
            Error::World { asked: None, worlds } => write!(f, "expected one world, found {}", listed(worlds)),
            Error::TooLarge(most) => write!(f, "the guest's types are too many: expected at most {most}"),
            Error::Unsaid(message) => f.write_str(message),
            Error::NoBuildScript => f.write_str("`OUT_DIR` is not set: expected to run in a build script"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::File(_, error) => Some(error),
            _ => None,
        }
    }
}

/// How many worlds an error lists.
const SHOWN_MAX: usize = 10;

fn listed(worlds: &[String]) -> String {
    if worlds.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<_> = worlds.iter().take(SHOWN_MAX).map(|world| format!("`{world}`")).collect();
    match worlds.len().saturating_sub(SHOWN_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
