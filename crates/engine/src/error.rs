//! What may go wrong before a call: loading, compiling and binding a guest. What a guest does is an outcome, not an error.

use crate::inspect::{Malformed, ShapeError};
use sandbar_grants::GrantError;
use std::{io, path::PathBuf, time::Duration};

/// Why a guest can't be loaded or bound.
#[derive(Debug)]
pub enum LoadError {
    /// A file can't be read.
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The bytes are no WebAssembly that this engine runs.
    Malformed(Malformed),
    /// The guest's bytes are not those that the manifest names.
    Digest {
        /// The digest asked for.
        expected: String,
        /// The digest of the bytes.
        found: String,
    },
    /// It can't be told how the guest is to be called.
    Shape(ShapeError),
    /// The guest has no such export.
    Export(String),
    /// The guest has several exports, and none was named.
    Unnamed(Vec<String>),
    /// Compiling failed.
    Compile(CompileError),
    /// The guest imports something that nobody provides.
    Import {
        /// The import, `module.name`.
        import: String,
        /// What was expected of it, or why it does not fit.
        message: String,
    },
    /// The guest starts with more than its limits allow.
    TooLarge {
        /// What: `memory`, `tables`.
        limit: &'static str,
        /// The guest's minimum.
        needs: u64,
        /// The limit.
        most: u64,
    },
    /// A grant can't be given.
    Grant(GrantError),
    /// Artifacts can't be kept here.
    Cache {
        /// The folder that was meant for them.
        folder: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Wasmtime can't be set up here.
    Setup(String),
}

/// Why a guest can't be compiled.
#[derive(Debug)]
pub enum CompileError {
    /// It is not valid.
    Invalid(String),
    /// It took longer than the limit.
    Time(Duration),
    /// It took more memory than the limit, or the compiler broke.
    Died(String),
    /// The compiler could not be started or spoken to.
    Process(io::Error),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LoadError::Read { path, error } => write!(f, "can't read `{}`: {error}", path.display()),
            LoadError::Malformed(error) => write!(f, "{error}"),
            LoadError::Digest { expected, found } => {
                write!(f, "expected a guest with digest `{expected}`, found `{found}`")
            }
            LoadError::Shape(error) => write!(f, "{error}"),
            LoadError::Export(name) => write!(f, "the guest does not export `{name}`"),
            LoadError::Unnamed(exports) => {
                write!(f, "the guest has several exports, and none is named: `{}`", exports.join("`, `"))
            }
            LoadError::Compile(error) => write!(f, "{error}"),
            LoadError::Import { import, message } => {
                write!(f, "can't provide the import `{}`: {message}", crate::stdio::escape(import))
            }
            LoadError::TooLarge { limit, needs, most } => {
                write!(f, "the guest starts with {needs} of `{limit}`, its limit is {most}")
            }
            LoadError::Grant(error) => write!(f, "{error}"),
            LoadError::Cache { folder, error } => write!(f, "can't keep artifacts in `{}`: {error}", folder.display()),
            LoadError::Setup(message) => write!(f, "can't set up the engine: {message}"),
        }
    }
}

impl std::fmt::Display for CompileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CompileError::Invalid(message) => write!(f, "the guest is not valid: {message}"),
            CompileError::Time(limit) => write!(f, "compiling took longer than {} s", limit.as_secs()),
            CompileError::Died(message) => write!(f, "the compiler ended early: {message}"),
            CompileError::Process(error) => write!(f, "can't run the compiler: {error}"),
        }
    }
}

impl std::error::Error for LoadError {}
impl std::error::Error for CompileError {}

impl LoadError {
    /// What to type or change, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            LoadError::TooLarge { limit, needs, .. } => {
                Some(format!("`{limit} = {needs}` in the guest's limits would let it in"))
            }
            LoadError::Digest { found, .. } => Some(format!("if the change is meant, write `digest = \"{found}\"`")),
            LoadError::Shape(error) => error.hint(),
            LoadError::Unnamed(exports) => exports.first().map(|export| format!("name one: `export = \"{export}\"`")),
            LoadError::Compile(CompileError::Time(_)) => {
                Some("raise the time for compiling with `SANDBAR_COMPILE_SECONDS`".into())
            }
            LoadError::Cache { .. } => Some("set `XDG_CACHE_HOME` to a folder that can be written".into()),
            _ => None,
        }
    }
}

impl From<Malformed> for LoadError {
    fn from(error: Malformed) -> Self {
        LoadError::Malformed(error)
    }
}

impl From<ShapeError> for LoadError {
    fn from(error: ShapeError) -> Self {
        LoadError::Shape(error)
    }
}

impl From<CompileError> for LoadError {
    fn from(error: CompileError) -> Self {
        LoadError::Compile(error)
    }
}

impl From<GrantError> for LoadError {
    fn from(error: GrantError) -> Self {
        LoadError::Grant(error)
    }
}
