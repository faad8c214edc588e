//! The engine of this process: where its cache lies, and who compiles.

use crate::{console::Console, failure::Failure};
use sandbar_engine::{Allocation, Cache, Compiler, Engine, EngineConfig, Guest, LoadError};
use std::{path::Path, sync::Arc};

/// Sets the engine up. Where artifacts can't be kept, says so, and goes on without.
pub(crate) fn engine(allocation: Allocation, console: &Console) -> Result<Engine, Failure> {
    let engine = keeping(allocation, Cache::of_user()).or_else(|error| match error {
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
    keeping(allocation, Cache::of_user()).map_err(|error| Failure::load("engine", &error))
}

fn keeping(allocation: Allocation, cache: Option<Cache>) -> Result<Engine, LoadError> {
    let compiler = Compiler::child().map_err(|error| LoadError::Setup(error.to_string()))?;
    Engine::new(EngineConfig { allocation, cache, compiler, ..EngineConfig::default() })
}

/// Reads a guest's file.
pub(crate) fn guest(path: &Path, console: &Console) -> Result<Guest, Failure> {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let guest = Guest::from_file(name, path).map_err(|error| Failure::load(&path.display().to_string(), &error))?;
    Ok(guest.with_progress(Arc::new(console.clone())))
}
