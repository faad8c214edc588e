//! The engine of this process: where its cache lies, and who compiles.

use crate::{console::Console, failure::Failure};
use sandbar_engine::{Allocation, Cache, Compiler, Engine, EngineConfig, Guest, LoadError};
use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The most bytes of artifacts that the cache keeps.
const CACHE_BYTES_MAX: u64 = 2 << 30;

/// Sets the engine up. Where artifacts can't be kept, says so, and goes on without.
pub(crate) fn engine(allocation: Allocation, console: &Console) -> Result<Engine, Failure> {
    let engine = keeping(allocation, cache()).or_else(|error| match error {
        LoadError::Cache { .. } => {
            console.line("warn", &format!("{error}; guests are compiled each time they are loaded"));
            keeping(allocation, None)
        }
        error => Err(error),
    });
    engine.map_err(|error| Failure::load("engine", &error))
}

/// Sets an engine up that keeps artifacts.
pub(crate) fn keeping_engine(allocation: Allocation) -> Result<Engine, Failure> {
    keeping(allocation, cache()).map_err(|error| Failure::load("engine", &error))
}

fn keeping(allocation: Allocation, cache: Option<Cache>) -> Result<Engine, LoadError> {
    let compiler = Compiler::child().map_err(|error| LoadError::Setup(error.to_string()))?;
    Engine::new(EngineConfig { allocation, cache, compiler })
}

fn cache() -> Option<Cache> {
    cache_folder().map(|folder| Cache { folder, bytes_max: CACHE_BYTES_MAX })
}

/// Reads a guest's file.
pub(crate) fn guest(path: &Path, console: &Console) -> Result<Guest, Failure> {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let guest = Guest::from_file(name, path).map_err(|error| Failure::load(&path.display().to_string(), &error))?;
    Ok(guest.with_progress(Arc::new(console.clone())))
}

/// `$XDG_CACHE_HOME/sandbar`, or `~/.cache/sandbar`; none where there is no home.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("sandbar"))
}
