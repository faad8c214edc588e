//! An ordinary check, and an ordinary test: what the compiler doesn't hold of the design.
//!
//! Every rule says why it is there, since a rule that can't be argued with gets worked around. What may break a rule is
//! data in `xtask/tidy.toml`, reviewed like code.

mod files;
mod layers;
mod lexer;
mod source;

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, bail};
use lexopt::Arg;
use serde::Deserialize;

use crate::workspace::Workspace;

pub(crate) const HELP: &str = "\
Usage: cargo xtask tidy [--update]

Checks the layers of the workspace, the lengths and names of files, unsafe code and generated files.

      --update   lower the counts in xtask/tidy.toml for files that became shorter
";

const EXCEPTIONS: &str = "xtask/tidy.toml";

/// What may break a rule, path by path.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Exceptions {
    /// Rust files of more than 400 lines, with their count.
    #[serde(default)]
    long_files: BTreeMap<String, LongFile>,
    /// The modules that may hold `unsafe`, with the reason.
    #[serde(default)]
    unsafe_modules: BTreeMap<String, String>,
    /// Files of more than 512 KiB, with the reason.
    #[serde(default)]
    large_files: BTreeMap<String, String>,
    /// Files that a program writes, with the test that compares them.
    #[serde(default)]
    generated_files: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum LongFile {
    Lines(usize),
    Reasoned { lines: usize, why: String },
}

impl LongFile {
    fn lines(&self) -> usize {
        match self {
            LongFile::Lines(lines) | LongFile::Reasoned { lines, .. } => *lines,
        }
    }

    fn why(&self) -> &str {
        match self {
            LongFile::Lines(_) => "",
            LongFile::Reasoned { why, .. } => why,
        }
    }
}

/// A file of the tree, and its text when it is one.
struct File {
    path: String,
    bytes: u64,
    text: Option<String>,
}

pub(crate) fn run(workspace: &Workspace, mut arguments: lexopt::Parser) -> Result<()> {
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("update") => lower_counts(workspace)?,
            other => return Err(other.unexpected().into()),
        }
    }
    let faults = check(workspace)?;
    if faults.is_empty() {
        return Ok(());
    }
    for fault in &faults {
        eprintln!("{fault}");
    }
    bail!("{} things are not tidy", faults.len());
}

/// Applies every rule and lists what breaks one.
fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let exceptions: Exceptions = workspace.toml(EXCEPTIONS)?;
    let files = files::list(workspace)?;
    let mut faults = layers::check(workspace)?;
    faults.extend(files::check(&files, &exceptions));
    faults.extend(source::check(&files, &exceptions));
    Ok(faults)
}

/// Writes the present length of each listed file that became shorter; one that is short now leaves the list.
fn lower_counts(workspace: &Workspace) -> Result<()> {
    let exceptions: Exceptions = workspace.toml(EXCEPTIONS)?;
    let path = workspace.path(EXCEPTIONS);
    let mut text = fs::read_to_string(&path)?;
    for (file, long) in &exceptions.long_files {
        let lines = fs::read_to_string(workspace.path(file)).map_or(0, |text| text.lines().count());
        if lines < long.lines() {
            let is_entry = |line: &str| line.starts_with(&format!("\"{file}\""));
            let lowered = |line: &str| match (is_entry(line), lines > files::LINES_LONG) {
                (false, _) => Some(line.to_owned()),
                (true, true) => Some(line.replacen(&long.lines().to_string(), &lines.to_string(), 1)),
                (true, false) => None,
            };
            text = text.lines().filter_map(lowered).map(|line| line + "\n").collect();
        }
    }
    fs::write(&path, text).with_context(|| format!("cannot write `{EXCEPTIONS}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let faults = check(&Workspace::find().unwrap()).unwrap();
        assert!(faults.is_empty(), "not tidy (cargo xtask tidy):\n{}", faults.join("\n"));
    }
}
