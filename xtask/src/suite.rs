//! Brings the suite of the component model: scripts that say what components do, as the package `wasm-tools` has them.
//!
//! No package of scripts alone is published, and a checkout of their repository would need another server than the
//! registry that everything else comes from. So cargo fetches the package as it fetches any other, on behalf of a
//! package that is written for this, and says where it put it. Nothing of it is built or kept in the tree.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{step, step::Steps, workspace::Workspace};

pub(crate) const HELP: &str = "\
Usage: cargo xtask suite

Fetches the scripts of the component-model suite that the engine's tests run. Does nothing where they are there.
";

const PACKAGE: &str = "wasm-tools";

/// The one that `crates/engine/tests/components.rs` asks for: its list of what does not hold names lines.
const VERSION: &str = "1.263.0";

/// Where the scripts are in the package.
const SCRIPTS: &str = "tests/component-model/test";

/// Where they go in the folder of what is built, in a folder by the version.
const FOLDER: &str = "component-model-suite";

pub(crate) fn run(workspace: &Workspace, mut arguments: lexopt::Parser) -> Result<()> {
    if let Some(argument) = arguments.next()? {
        return Err(argument.unexpected().into());
    }
    let mut steps = Steps::default();
    steps.take("fetch the component-model suite", || fetch(workspace))?;
    steps.report();
    Ok(())
}

/// Puts the scripts where the tests look for them, once.
pub(crate) fn fetch(workspace: &Workspace) -> Result<()> {
    let folder = workspace.target.join(FOLDER);
    let scripts = folder.join(VERSION);
    if scripts.is_dir() {
        return Ok(());
    }
    let package = package(workspace, &folder.join("package"))?;
    // Appears at once or not at all.
    let part = folder.join("part");
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    copy_folder(&package.join(SCRIPTS), &part)?;
    fs::rename(&part, &scripts).with_context(|| format!("cannot write `{}`", scripts.display()))
}

/// Has cargo fetch the package, and gives its folder.
fn package(workspace: &Workspace, asking: &Path) -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: String,
        manifest_path: PathBuf,
    }
    let manifest = asking.join("Cargo.toml");
    fs::create_dir_all(asking)?;
    fs::write(&manifest, manifest_text())?;
    fs::write(asking.join("lib.rs"), "")?;

    let mut metadata = workspace.cargo("metadata");
    metadata.arg("--format-version=1").arg("--manifest-path").arg(&manifest);
    // What it depends on is fetched too: no more than this machine would build.
    metadata.args(["--filter-platform", &workspace.rustc("host")?]);
    let said = step::output(&mut metadata)?;
    let Metadata { packages } = serde_json::from_str(&said)?;
    let found = packages.into_iter().find(|package| package.name == PACKAGE && package.version == VERSION);
    let folder = found.and_then(|package| package.manifest_path.parent().map(Path::to_owned));
    folder.with_context(|| format!("cargo did not fetch {PACKAGE} {VERSION}"))
}

fn manifest_text() -> String {
    format!(
        "[package]\nname = \"{FOLDER}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\npath = \"lib.rs\"\n\n\
         [workspace]\n\n[dependencies]\n{PACKAGE} = {{ version = \"={VERSION}\", default-features = false }}\n"
    )
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("{PACKAGE} {VERSION} holds no `{}`", from.display()))?;
    fs::create_dir_all(to)?;
    for entry in entries {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}
