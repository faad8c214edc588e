//! Help pages, and `docs/cli.md`, which is made of them.

use crate::shell::{finish, session};
use sandbar_testkit::golden;

const COMMANDS: &[&str] =
    &["up", "run", "call", "inspect", "types", "compile", "plugins", "receipts", "schema", "completions"];

/// The commands of `sandbar plugins`, with pages of their own.
const PLUGINS: &[&str] = &["list", "approve", "enable", "disable", "sign", "verify", "keygen"];

/// Commands whose pages end with the flags of grants and limits.
const GRANTED: &[&str] = &["up", "run", "call"];

const HEAD: &str = "\
<!-- Generated from `sandbar --help` by crates/cli/tests/cli.rs; `UPDATE_GOLDEN=1 cargo test -p sandbar --test cli`
writes it anew. -->

# Command line

Exit codes are listed in [outcomes.md](outcomes.md).
";

/// A help page, without blanks at the ends of its lines.
fn page(line: &str) -> String {
    let finished = finish(line);
    assert_eq!((finished.code(), finished.stderr_text().as_str()), (Some(0), ""), "{line}");
    finished.stdout_text().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn every_help_page_is_as_it_was_reviewed() {
    golden::check("tests/golden/help/sandbar.txt", &page("sandbar --help"));
    for command in COMMANDS {
        let long = page(&format!("sandbar {command} --help"));
        golden::check(format!("tests/golden/help/{command}.txt"), &long);
        assert!(long.lines().all(|line| line.chars().count() <= 100), "{command} keeps to the width of the terminal");
    }
    for command in PLUGINS {
        let long = page(&format!("sandbar plugins {command} --help"));
        golden::check(format!("tests/golden/help/plugins-{command}.txt"), &long);
    }
}

#[test]
fn every_command_has_a_page_here() {
    let help = page("sandbar --help");
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A name stands after two blanks, what goes on from the line before after more.
    let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    let names: Vec<_> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, COMMANDS);
}

#[test]
fn the_command_line_in_the_docs_is_current() {
    let mut text = HEAD.to_owned();
    let mut section =
        |title: &str, page: &str| text.push_str(&format!("\n## {title}\n\n```text\n{}\n```\n", page.trim_end()));
    section("`sandbar`", &page("sandbar --help"));
    let mut shared = None;
    for command in COMMANDS {
        let page = page(&format!("sandbar {command} --help"));
        let title = format!("`sandbar {command}`");
        if GRANTED.contains(command) {
            let (own, flags) = page.split_once("\nGrants:\n").unwrap();
            section(&title, &format!("{own}\nGrants and limits: see below"));
            assert_eq!(*shared.get_or_insert(flags.to_owned()), flags, "`{command}` has the same grants and limits");
        } else {
            assert!(!page.contains("\nGrants:\n"), "{command}");
            section(&title, &page);
        }
        for below in PLUGINS.iter().filter(|_| *command == "plugins") {
            section(&format!("`sandbar plugins {below}`"), &self::page(&format!("sandbar plugins {below} --help")));
        }
    }
    section("Grants and limits", &format!("Grants:\n{}", shared.unwrap()));
    golden::check("../../docs/cli.md", &text);
}

#[test]
fn what_is_typed_wrong_is_told_with_what_is_near() {
    let shown = session(&[
        "sandbar",
        "sandbar --version",
        "sandbar upp",
        "sandbar up --listn 127.0.0.1:0",
        "sandbar up --listen localhost",
        "sandbar call guests/wat/add.wat",
        "sandbar receipts --outcome fine",
        "sandbar receipts --since yesterday",
        "sandbar schema guest",
        "sandbar completions ksh",
    ]);
    golden::check("tests/golden/usage.txt", &shown);
}

#[test]
fn completions_and_schemas_are_printed() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = page(&format!("sandbar completions {shell}"));
        assert!(script.contains("sandbar") && script.contains("--allow-http"), "{shell}");
    }
    for (line, file) in [
        ("sandbar schema", "manifest.schema.json"),
        ("sandbar schema manifest", "manifest.schema.json"),
        ("sandbar schema receipt", "receipt.schema.json"),
    ] {
        let kept = std::fs::read_to_string(crate::shell::root().join("docs").join(file)).unwrap();
        let [printed, kept] = [page(line), kept].map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap());
        assert!(printed == kept, "`{line}` and `docs/{file}` differ");
    }
}
