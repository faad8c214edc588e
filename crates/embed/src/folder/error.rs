//! What is wrong with a folder, or with one plugin in it.

use crate::{Error, signing::SectionError};
use sandbar_call::Digest;
use std::{fmt, io, path::PathBuf};

/// What is wrong with a folder of plugins, its approvals, or one plugin in it.
#[derive(Debug)]
pub enum FolderError {
    /// A file or folder can't be read or written.
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Something is no regular file, but a folder, a pipe or a device.
    NotAFile {
        /// What it is found at.
        path: PathBuf,
    },
    /// A file has more bytes than it may.
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that it may have, in bytes.
        bytes_max: u64,
    },
    /// The folder holds more entries than it may.
    TooMany {
        /// The folder.
        path: PathBuf,
        /// The most that it may hold.
        entries_max: usize,
    },
    /// A path leads out of the folder, by `..`, by its root or by a symbolic link.
    Outside {
        /// The path.
        path: PathBuf,
    },
    /// A plugin is not named as one may be.
    Name {
        /// The name.
        name: String,
    },
    /// Two things in the folder are called the same.
    Twice {
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A manifest or the file of approvals can't be understood.
    Form {
        /// The file.
        path: PathBuf,
        /// What was expected, and what was found.
        problem: String,
    },
    /// The guest is not the one that the manifest names.
    Digest {
        /// The digest in the manifest.
        expected: Digest,
        /// The guest's own.
        found: Digest,
    },
    /// The guest's sections can't be told apart.
    Guest(SectionError),
    /// Plugins require each other: each one the next, and the last the first.
    Cycle(Vec<String>),
    /// There is no plugin of this name.
    Unknown {
        /// The name.
        name: String,
        /// One that is nearly called so.
        near: Option<String>,
    },
    /// A plugin asks for a function that the host does not have.
    Function {
        /// What it asks for.
        function: String,
        /// One that is nearly called so.
        near: Option<String>,
    },
    /// A plugin may write to a folder that holds plugins or their approvals.
    Writable {
        /// The folder that it is granted.
        path: PathBuf,
    },
    /// The guest was another when it was read again to be loaded.
    Changed,
    /// Everybody may write to the file of approvals.
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The plugin can't be loaded.
    Load(Error),
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let near =
            |near: &Option<String>| near.as_ref().map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        match self {
            FolderError::File { path, error } => write!(f, "`{}`: {error}", path.display()),
            FolderError::NotAFile { path } => write!(f, "`{}` is no regular file", path.display()),
            FolderError::TooLarge { path, bytes_max } => {
                write!(f, "`{}` has more than the {bytes_max} bytes that it may have", path.display())
            }
            FolderError::TooMany { path, entries_max } => {
                write!(f, "`{}` holds more than the {entries_max} entries that it may hold", path.display())
            }
            FolderError::Outside { path } => write!(f, "`{}` leads out of the folder of plugins", path.display()),
            FolderError::Name { name } => write!(
                f,
                "`{}` is no name of a plugin: up to {} letters, digits, `-` and `_`",
                name.escape_debug(),
                super::NAME_CHARS_MAX
            ),
            FolderError::Twice { first, second } => {
                write!(f, "`{}` and `{}` are one plugin by their names; remove one", first.display(), second.display())
            }
            FolderError::Form { path, problem } => write!(f, "`{}`: {problem}", path.display()),
            FolderError::Digest { expected, found } => {
                write!(f, "the guest is not the one that the manifest names: expected `{expected}`, found `{found}`")
            }
            FolderError::Guest(error) => error.fmt(f),
            FolderError::Cycle(names) => write!(f, "plugins require each other in a circle: {}", names.join(" > ")),
            FolderError::Unknown { name, near: nearest } => {
                write!(f, "there is no plugin `{}`{}", name.escape_debug(), near(nearest))
            }
            FolderError::Function { function, near: nearest } => {
                write!(f, "the host has no function `{}`{}", function.escape_debug(), near(nearest))
            }
            FolderError::Writable { path } => write!(
                f,
                "it would write to `{}`, where plugins or their approvals lie; grant it another folder, or this one with `:ro`",
                path.display()
            ),
            FolderError::Changed => f.write_str("the guest changed while it was loaded"),
            FolderError::Open { path } => write!(
                f,
                "everybody may write to `{}`, which says what plugins may do; type `chmod go-w {}`",
                path.display(),
                path.display()
            ),
            FolderError::Load(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FolderError {}

impl From<Error> for FolderError {
    fn from(error: Error) -> FolderError {
        FolderError::Load(error)
    }
}
