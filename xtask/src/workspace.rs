//! Where things are, and how the tools that work on them are called.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::step;

/// What only this tree holds.
const MANIFEST: &str = "xtask/Cargo.toml";

/// The source tree.
pub(crate) struct Workspace {
    /// Its folder.
    pub(crate) root: PathBuf,
    /// The folder of what is built from it.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the tree: cargo tells where this package is, and without cargo it is the one that lies around.
    pub(crate) fn find() -> Result<Workspace> {
        let root = match env::var_os("CARGO_MANIFEST_DIR") {
            Some(package) => Path::new(&package).parent().map(Path::to_owned),
            None => env::current_dir()?.ancestors().find(|folder| folder.join(MANIFEST).is_file()).map(Path::to_owned),
        };
        let root = root.with_context(|| format!("no folder here holds `{MANIFEST}`"))?;
        let target = target_folder(&root)?;
        Ok(Workspace { root, target })
    }

    /// A path in the tree.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Calls cargo in the tree.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = self.tool(cargo());
        command.arg(subcommand);
        command
    }

    /// Calls another tool in the tree.
    pub(crate) fn tool(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        // It may call cargo: what that told this program of its own package would have build scripts that look at it run again.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command
    }

    /// What rustc says of itself: `host`, `release`, `commit-hash`.
    pub(crate) fn rustc(&self, what: &str) -> Result<String> {
        let said = step::output(self.tool("rustc").arg("-vV"))?;
        let line = said.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(": "));
        line.map(str::to_owned).with_context(|| format!("rustc does not say its {what}"))
    }

    /// Where a program of the release profile lies once it is built.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// Reads a TOML file of the tree.
    pub(crate) fn toml<T: for<'de> Deserialize<'de>>(&self, relative: &str) -> Result<T> {
        let path = self.path(relative);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{relative}`"))?;
        toml::from_str(&text).with_context(|| format!("cannot understand `{relative}`"))
    }
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn target_folder(root: &Path) -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let mut command = Command::new(cargo());
    let output = command.args(["metadata", "--no-deps", "--format-version=1"]).current_dir(root).output()?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice::<Metadata>(&output.stdout)?.target_directory)
}
