//! A shell in the root of the repository, with `sandbar` on its path and nothing else of whoever runs the tests.

#![allow(dead_code, reason = "each test program uses a part of it")]

use sandbar_testkit::process::{Finished, program, run};
use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

/// Bounds one command: long enough for a busy machine.
const TIME: Duration = Duration::from_secs(60);

/// The folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A shell that runs a line.
pub(crate) fn shell(line: &str) -> Command {
    let mut shell = Command::new("sh");
    let path = std::env::var("PATH").unwrap_or_default();
    shell.args(["-c", line]).current_dir(root()).env_clear();
    shell.env("PATH", format!("{}:{path}", bin().display()));
    shell.env("COLUMNS", "100").env("LC_ALL", "C").env("XDG_CACHE_HOME", folder().join("cache"));
    shell
}

/// Runs a line to its end.
pub(crate) fn finish(line: &str) -> Finished {
    run(&mut shell(line), b"", TIME).unwrap()
}

/// Shows a session: each line after `$ `, what it wrote to stdout, to stderr after `! `, and its exit code unless that is 0.
/// The folder of the repository and ids of calls, which differ, are written `ROOT` and `<id>`.
pub(crate) fn session(lines: &[&str]) -> String {
    let mut shown = String::new();
    for line in lines {
        let finished = finish(line);
        shown.push_str(&format!("$ {line}\n"));
        shown.push_str(&ended(finished.stdout_text()));
        for said in finished.stderr_text().lines() {
            shown.push_str(format!("! {said}").trim_end());
            shown.push('\n');
        }
        if finished.code() != Some(0) {
            shown.push_str(&format!("({})\n", finished.status));
        }
        shown.push('\n');
    }
    shown.pop();
    without_ids(&shown.replace(root().to_str().unwrap(), "ROOT"))
}

/// A text whose last line ends.
fn ended(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Writes `<id>` for ids of calls: 32 hexadecimal digits that are no part of a digest.
fn without_ids(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let mut shown = String::new();
    for part in text.split_inclusive(|c| !is_word(c)) {
        let (word, rest) = part.split_at(part.trim_end_matches(|c| !is_word(c)).len());
        let is_id = word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        shown.push_str(if is_id { "<id>" } else { word });
        shown.push_str(rest);
    }
    shown
}

/// A folder that holds `sandbar` alone.
fn bin() -> &'static Path {
    static BIN: OnceLock<PathBuf> = OnceLock::new();
    BIN.get_or_init(|| {
        let bin = folder().join(format!("bin-{}", env!("CARGO_CRATE_NAME")));
        fs::create_dir_all(&bin).unwrap();
        let link = bin.join("sandbar");
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
            _ => symlink(program("sandbar").unwrap(), link).unwrap(),
        }
        bin
    })
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}
