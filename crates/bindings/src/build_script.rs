//! What a build script calls: Rust types into `OUT_DIR`.

use crate::{Error, Language, Way, World, guest, wit};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Writes Rust types of a world of WIT, a file or a folder, to `OUT_DIR/WORLD.rs`, and has cargo run the script again when the
/// WIT changes. Gives the path of what it wrote.
///
/// # Errors
/// The WIT can't be read, has no such world, or a type can't be said in Rust; or it is not a build script that runs.
pub fn rust(path: impl AsRef<Path>, world: &str) -> Result<PathBuf, Error> {
    let path = path.as_ref();
    println!("cargo::rerun-if-changed={}", path.display());
    let file = world.rsplit('/').next().and_then(|world| world.split('@').next()).unwrap_or(world);
    written(&wit(path, Some(world))?, file)
}

/// As [`rust`], from the binary of a component or a core module, to `OUT_DIR/NAME.rs`.
///
/// # Errors
/// The guest can't be read, or a type can't be said in Rust; or it is not a build script that runs.
pub fn rust_of_guest(path: impl AsRef<Path>, name: &str) -> Result<PathBuf, Error> {
    let path = path.as_ref();
    println!("cargo::rerun-if-changed={}", path.display());
    let binary = fs::read(path).map_err(|error| Error::File(path.to_path_buf(), error))?;
    // What WASI calls is no host's to call.
    let way = |export: &str| (!export.starts_with(['_']) && !export.starts_with("wasi:")).then_some(Way::Typed);
    written(&guest(&binary, name, way)?, name)
}

fn written(world: &World, name: &str) -> Result<PathBuf, Error> {
    let folder = env::var_os("OUT_DIR").map(PathBuf::from).ok_or(Error::NoBuildScript)?;
    let path = folder.join(format!("{name}.rs"));
    let text = world.write(Language::Rust)?;
    fs::write(&path, text).map_err(|error| Error::File(path.clone(), error))?;
    Ok(path)
}
