//! The licences of what is in a program, as their authors ask for: their texts go along with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::tree::{Key, Node, Part, Tree};

/// How a file that holds a licence or a notice is called, in capitals.
const NAMES: &[&str] = &["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE", "PATENTS"];

const RULE: &str = "--------------------------------------------------------------------------------";

/// Writes each text once, below the packages that it is of.
pub(super) fn of(tree: &Tree) -> Result<String> {
    let (mut texts, mut silent) = (BTreeMap::<String, BTreeSet<String>>::new(), Vec::new());
    for (key, node) in theirs(tree) {
        let folder = node.package.manifest_path.parent().context("a manifest lies in a folder")?;
        let files = files(folder)?;
        if files.is_empty() {
            silent.push(line(key, node));
        }
        for file in files {
            let text = fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
            let text = String::from_utf8_lossy(&text).lines().map(|line| format!("{}\n", line.trim_end())).collect();
            texts.entry(text).or_default().insert(line(key, node));
        }
    }

    // In the order of who comes first.
    let mut sections: Vec<(String, String)> = texts.into_iter().map(|(text, of)| (joined(of), text)).collect();
    sections.sort();
    let mut out =
        format!("The program contains these packages.\n\n{}", joined(theirs(tree).map(|(key, node)| line(key, node))));
    if !silent.is_empty() {
        out += &format!("\nOf these the package holds no text; the licence is as named.\n\n{}", joined(silent));
    }
    for (of, text) in sections {
        out += &format!("\n{RULE}\n{of}{RULE}\n\n{}\n", text.trim_matches('\n'));
    }
    Ok(out)
}

/// The packages of others that are in the program.
fn theirs(tree: &Tree) -> impl Iterator<Item = (&Key, &Node)> {
    tree.nodes.iter().filter(|(_, node)| node.part == Part::Linked && node.package.source.is_some())
}

fn line(key: &Key, node: &Node) -> String {
    format!("{key}: {}\n", node.package.license.as_deref().unwrap_or("see its text"))
}

fn joined(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().collect()
}

/// Finds licences at any depth: a package that carries others' code keeps theirs beside it.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            found.extend(files(&path)?);
        } else if kind.is_file() && is_licence(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_licence(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    let is_text =
        path.extension().is_none_or(|ending| !["rs", "c", "h", "toml", "json"].iter().any(|code| ending == *code));
    is_text && NAMES.iter().any(|start| name.starts_with(start))
}
