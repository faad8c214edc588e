//! The sources of one commit, in a folder of their own.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::{step, workspace::Workspace};

/// A clone of the commit that is checked out, and a place to build it in.
pub(super) struct Source {
    pub(super) workspace: Workspace,
    pub(super) commit: String,
    /// When it was committed, in seconds of Unix time.
    pub(super) seconds: u64,
    /// The same as RFC 3339 has it, in UTC.
    pub(super) time: String,
}

impl Source {
    /// Clones into a folder, of which nothing is kept: a C compiler's output isn't made anew for another commit's date.
    /// What was not committed is left out, and said.
    pub(super) fn clone_head(from: &Workspace, folder: &Path) -> Result<Source> {
        if !git(from, &["status", "--porcelain"])?.is_empty() {
            eprintln!("warning: what is not committed is not in the release");
        }
        let commit = git(from, &["rev-parse", "HEAD"])?;
        let workspace = Workspace { root: folder.join("source"), target: folder.join("target") };
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("cannot remove `{}`", folder.display()))?;
        }
        fs::create_dir_all(folder)?;
        let mut clone = from.tool("git");
        clone.args(["clone", "--quiet", "--no-checkout", "--config", "core.autocrlf=false"]);
        step::run(clone.arg(&from.root).arg(&workspace.root))?;
        git(&workspace, &["checkout", "--quiet", "--detach", &commit])?;

        let time = ["log", "-1", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%ct %cd"];
        let told = step::output(workspace.tool("git").env("TZ", "UTC").args(time))?;
        let (seconds, time) = told.trim().split_once(' ').context("git tells no time of the commit")?;
        let (seconds, time) = (seconds.parse()?, time.to_owned());
        Ok(Source { workspace, commit, seconds, time })
    }
}

fn git(workspace: &Workspace, arguments: &[&str]) -> Result<String> {
    Ok(step::output(workspace.tool("git").args(arguments))?.trim().to_owned())
}
