//! Rules for files as such: their length, their name, their size, and whether they are current.

use std::{fs, path::Path};

use anyhow::Result;

use super::{EXCEPTIONS, Exceptions, File, LongFile};
use crate::{step, workspace::Workspace};

/// A Rust file above this is listed, and may only become shorter.
pub(super) const LINES_LONG: usize = 400;

/// A Rust file above this holds a second noun, or says why it doesn't.
const LINES_VERY_LONG: usize = 800;

/// A repository is cloned whole, for ever.
const BYTES_LARGE: u64 = 512 * 1024;

/// Names that say nothing, so that anything fits in.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc"];

/// Lists the files that are tracked or would be.
pub(super) fn list(workspace: &Workspace) -> Result<Vec<File>> {
    let mut git = workspace.tool("git");
    let paths = step::output(git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
    let mut files = Vec::new();
    for path in paths.split_terminator('\0') {
        // A file that was removed and not yet committed is still listed.
        let Ok(content) = fs::read(workspace.path(path)) else { continue };
        let bytes = u64::try_from(content.len())?;
        files.push(File { path: path.to_owned(), bytes, text: String::from_utf8(content).ok() });
    }
    Ok(files)
}

pub(super) fn check(files: &[File], exceptions: &Exceptions) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        faults.extend(long_fault(file, exceptions));
        faults.extend(name_fault(file));
        faults.extend(large_fault(file, exceptions));
    }
    faults.extend(generated_faults(files, exceptions));
    faults.extend(stale_faults(files, exceptions));
    faults
}

fn long_fault(file: &File, exceptions: &Exceptions) -> Option<String> {
    let path = &file.path;
    let lines = file.text.as_ref().filter(|_| path.ends_with(".rs"))?.lines().count();
    let listed = exceptions.long_files.get(path);
    match listed.map(LongFile::lines) {
        None if lines > LINES_LONG => Some(format!(
            "`{path}` has {lines} lines, more than {LINES_LONG}: look for its second noun\n\
             hint: or list it in {EXCEPTIONS}: \"{path}\" = {lines}"
        )),
        Some(count) if lines > count => Some(format!(
            "`{path}` grew from {count} to {lines} lines: a long file may only become shorter, so split off what is new"
        )),
        Some(count) if lines < count => {
            Some(format!("`{path}` has {lines} lines, no longer {count}: keep it so\nhint: cargo xtask tidy --update"))
        }
        Some(_) if lines > LINES_VERY_LONG && listed.is_some_and(|long| long.why().is_empty()) => Some(format!(
            "`{path}` has {lines} lines, more than {LINES_VERY_LONG}, and {EXCEPTIONS} doesn't say why\n\
             hint: \"{path}\" = {{ lines = {lines}, why = \"…\" }}"
        )),
        _ => None,
    }
}

fn name_fault(file: &File) -> Option<String> {
    let path = Path::new(&file.path);
    let stem = path.file_stem()?.to_str()?;
    if !file.path.ends_with(".rs") {
        return None;
    }
    if stem == "mod" {
        return Some(format!(
            "`{}`: a module is `x.rs` with `x/y.rs`, so that a file's name says what it is",
            file.path
        ));
    }
    let mut names = path.iter().filter_map(|part| part.to_str()).filter(|part| !part.ends_with(".rs")).chain([stem]);
    let empty = names.find(|name| EMPTY_NAMES.contains(name))?;
    Some(format!("`{}`: `{empty}` names no thing: a module is called after what it owns", file.path))
}

fn large_fault(file: &File, exceptions: &Exceptions) -> Option<String> {
    let (path, bytes) = (&file.path, file.bytes);
    let excused = exceptions.large_files.contains_key(path);
    (bytes > BYTES_LARGE && !excused).then(|| {
        format!("`{path}` has {} KiB, more than {}: every clone carries it for ever", bytes / 1024, BYTES_LARGE / 1024)
    })
}

/// A generated file is there, and a test compares it with what its program writes now.
fn generated_faults(files: &[File], exceptions: &Exceptions) -> Vec<String> {
    let mut faults = Vec::new();
    for (generated, test) in &exceptions.generated_files {
        if !files.iter().any(|file| file.path == *generated) {
            faults.push(format!("the generated file `{generated}` is not there"));
        }
        let name = Path::new(generated).file_name().and_then(|name| name.to_str()).unwrap_or(generated);
        let compares = |file: &&File| file.path == *test && file.text.as_ref().is_some_and(|text| text.contains(name));
        if files.iter().find(compares).is_none() {
            faults.push(format!("`{test}` does not compare the generated file `{generated}`"));
        }
    }
    faults
}

/// An exception without its case hides the next one.
fn stale_faults(files: &[File], exceptions: &Exceptions) -> Vec<String> {
    let is_there = |path: &str| files.iter().any(|file| file.path == path);
    let is_large = |path: &str| files.iter().any(|file| file.path == path && file.bytes > BYTES_LARGE);
    let long = exceptions.long_files.keys().filter(|path| !is_there(path));
    let large = exceptions.large_files.keys().filter(|path| !is_large(path));
    long.chain(large).map(|path| format!("{EXCEPTIONS} lists `{path}` for nothing: remove its line")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, lines: usize) -> File {
        File { path: path.into(), bytes: 0, text: Some("x\n".repeat(lines)) }
    }

    fn listed(entry: LongFile) -> Exceptions {
        Exceptions { long_files: [("a.rs".to_owned(), entry)].into(), ..Exceptions::default() }
    }

    #[test]
    fn a_long_file_may_only_become_shorter() {
        let fault = |lines, exceptions: &Exceptions| long_fault(&file("a.rs", lines), exceptions).unwrap_or_default();
        let (none, some) = (Exceptions::default(), listed(LongFile::Lines(500)));
        assert_eq!(fault(400, &none), "");
        assert!(fault(401, &none).contains("more than 400"));
        assert_eq!(fault(500, &some), "");
        assert!(fault(501, &some).contains("grew from 500"));
        assert!(fault(499, &some).contains("no longer 500"));
        assert!(fault(900, &listed(LongFile::Lines(900))).contains("doesn't say why"));
        assert_eq!(fault(900, &listed(LongFile::Reasoned { lines: 900, why: "a table".into() })), "");
        assert!(long_fault(&file("a.md", 1000), &none).is_none());
    }

    #[test]
    fn names_say_what_is_inside() {
        let is_fault = |path| name_fault(&file(path, 1)).is_some();
        assert!(is_fault("crates/a/src/kv/mod.rs") && is_fault("src/utils.rs") && is_fault("tests/common/x.rs"));
        assert!(!is_fault("src/kv.rs") && !is_fault("src/module.rs") && !is_fault("docs/common.md"));
    }
}
