//! Programs from the registry that commands need, each of one version.
//!
//! They are built from source, with the lock file that their authors ship: a ready-made binary would save minutes and be
//! one more party to trust. They lie in the folder of what is built, so that nothing of the user's is touched.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{step, workspace::Workspace};

/// A program, and how it is built.
pub(crate) struct Program<'a> {
    pub(crate) name: &'a str,
    /// The package that it is of.
    pub(crate) package: &'a str,
    pub(crate) version: &'a str,
    /// Where it goes in the folder of what is built.
    pub(crate) folder: &'a str,
    /// What else `cargo install` is told.
    pub(crate) arguments: &'a [&'a str],
}

impl Program<'_> {
    /// Finds the program where it is installed, and installs it when it is missing or of another version.
    pub(crate) fn install(&self, workspace: &Workspace) -> Result<PathBuf> {
        let Program { name, package, version, folder, arguments } = self;
        let root = workspace.target.join(folder);
        let program = root.join("bin").join(name);
        if self.is(&program) {
            return Ok(program);
        }

        eprintln!("installing {name} {version}; this takes some minutes, once");
        let build = root.join("build");
        let mut install = workspace.cargo("install");
        install.args([package, "--locked", "--force"]).args(*arguments);
        install.arg("--version").arg(format!("={version}"));
        install.arg("--root").arg(&root).arg("--target-dir").arg(&build);
        step::run(&mut install)?;
        ensure!(self.is(&program), "`{}` is not {name} {version}", program.display());
        fs::remove_dir_all(&build).with_context(|| format!("cannot remove `{}`", build.display()))?;
        Ok(program)
    }

    /// Finds the program on the path, where it is of this version.
    pub(crate) fn on_path(&self) -> Option<PathBuf> {
        let program = PathBuf::from(self.name);
        self.is(&program).then_some(program)
    }

    fn is(&self, program: &Path) -> bool {
        let said = step::output(Command::new(program).arg("--version")).unwrap_or_default();
        said.split_whitespace().nth(1) == Some(self.version)
    }
}
