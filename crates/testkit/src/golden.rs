//! Golden files: a text that a test produced is compared with the file that is checked in.
//!
//! ```no_run
//! sandbar_testkit::golden::check("tests/golden/help.txt", "Usage: …\n");
//! ```
//!
//! `UPDATE_GOLDEN=1 cargo test …` writes the files anew; the review then reads their diff. The alternative, expected texts
//! inside the tests, was refused: messages are read and reviewed by people who don't read the tests.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// The lines of either text that the exact comparison takes on; above it everything that differs is shown as replaced.
const DIFF_LINES_MAX: usize = 2_000;

/// Compares `actual` with the golden file at `path`, relative to the folder of the package under test.
///
/// # Panics
///
/// With a line diff when they differ, or when there is no such file.
#[track_caller]
pub fn check(path: impl AsRef<Path>, actual: &str) {
    let path = in_package(path.as_ref());
    if env::var_os("UPDATE_GOLDEN").is_some_and(|value| value != "0") {
        update(&path, actual);
    } else if let Err(message) = compare(&path, actual) {
        fail(&message);
    }
}

/// Shows how `expected` becomes `actual`: equal lines after two blanks, lost lines after `- `, new lines after `+ `.
pub fn diff(expected: &str, actual: &str) -> String {
    let (old, new) = (lines(expected), lines(actual));
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let ends = old.iter().skip(start).rev().zip(new.iter().skip(start).rev());
    let end = ends.take_while(|(a, b)| a == b).count();

    let middle = |all: &[&str]| -> Vec<String> {
        all.iter().take(all.len() - end).skip(start).map(|line| line.to_string()).collect()
    };
    let mut shown: Vec<String> = old.iter().take(start).map(|line| format!("  {line}")).collect();
    shown.extend(changes(&middle(&old), &middle(&new)));
    shown.extend(old.iter().skip(old.len() - end).map(|line| format!("  {line}")));
    shown.join("\n")
}

fn in_package(path: &Path) -> PathBuf {
    match env::var_os("CARGO_MANIFEST_DIR") {
        Some(package) => Path::new(&package).join(path),
        None => path.to_owned(),
    }
}

#[track_caller]
fn update(path: &Path, actual: &str) {
    let folder = path.parent().unwrap_or(Path::new("."));
    if let Err(error) = fs::create_dir_all(folder).and_then(|()| fs::write(path, actual)) {
        fail(&format!("cannot write the golden file `{}`: {error}", path.display()));
    }
}

fn compare(path: &Path, actual: &str) -> Result<(), String> {
    let shown = path.display();
    let hint = "hint: UPDATE_GOLDEN=1 cargo test … writes it; read the diff before you commit it";
    match fs::read_to_string(path) {
        Ok(expected) if expected == actual => Ok(()),
        Ok(expected) => Err(format!(
            "`{shown}` differs (- golden, + actual{}):\n{}\n{hint}",
            if expected.ends_with('\n') == actual.ends_with('\n') { "" } else { "; the newline at the end differs" },
            diff(&expected, actual),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("there is no golden file `{shown}`; it would hold:\n{actual}\n{hint}"))
        }
        Err(error) => Err(format!("cannot read the golden file `{shown}`: {error}")),
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a check that fails ends its test")]
fn fail(message: &str) -> ! {
    panic!("{message}");
}

/// Splits at newlines only: a carriage return is part of a line and so part of the comparison.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop_if(|last| last.is_empty());
    lines
}

/// Lists the changes from `old` to `new` along a longest common subsequence.
fn changes(old: &[String], new: &[String]) -> Vec<String> {
    let lost = |line: &String| format!("- {line}");
    let gained = |line: &String| format!("+ {line}");
    if old.len().max(new.len()) > DIFF_LINES_MAX {
        return old.iter().map(lost).chain(new.iter().map(gained)).collect();
    }

    let lengths = common_lengths(old, new);
    let length = |i: usize, j: usize| lengths.get(i * (new.len() + 1) + j).copied().unwrap_or(0);
    let (mut i, mut j, mut shown) = (0, 0, Vec::new());
    loop {
        match (old.get(i), new.get(j)) {
            (None, None) => return shown,
            (Some(a), Some(b)) if a == b => {
                shown.push(format!("  {a}"));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), b) if b.is_none() || length(i + 1, j) >= length(i, j + 1) => {
                shown.push(lost(a));
                i += 1;
            }
            (_, Some(b)) => {
                shown.push(gained(b));
                j += 1;
            }
            (Some(_), None) => return shown,
        }
    }
}

/// The table of lengths: row `i`, column `j` is how many lines `old[i..]` and `new[j..]` have in common.
fn common_lengths(old: &[String], new: &[String]) -> Vec<u32> {
    let width = new.len() + 1;
    let mut lengths = vec![0_u32; (old.len() + 1) * width];
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            let at = |i: usize, j: usize| lengths.get(i * width + j).copied().unwrap_or(0);
            let best = if a == b { at(i + 1, j + 1) + 1 } else { at(i + 1, j).max(at(i, j + 1)) };
            if let Some(cell) = lengths.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diff_keeps_what_is_common() {
        let shown = diff("a\nb\nc\nd\ne\n", "a\nc\nx\nd\ne\n");
        assert_eq!(shown, "  a\n- b\n  c\n+ x\n  d\n  e");
        assert_eq!(diff("", "a\n"), "+ a");
        assert_eq!(diff("a\na\n", "a\n"), "  a\n- a");
        assert_eq!(diff("x\ny\n", "y\nx\n"), "- x\n  y\n+ x");
    }

    #[test]
    fn a_missing_or_different_file_is_told() {
        let missing = compare(Path::new("tests/golden/none.txt"), "new\n").unwrap_err();
        assert!(missing.contains("there is no golden file") && missing.contains("new"), "{missing}");
        let different = compare(Path::new("Cargo.toml"), "").unwrap_err();
        assert!(different.contains("- [package]"), "{different}");
    }
}
