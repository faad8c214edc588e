//! The tour of the README and the examples of the manual, run as they are read.
//!
//! A block marked `console` holds lines that are typed, after `$ `, and what the terminal shows then. A line `...` stands
//! for any lines. `127.0.0.1:3000` is where the quickstart is served, which here is on a free port.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that fails panics")]

#[path = "support/shell.rs"]
mod shell;

use sandbar_testkit::{
    golden::diff,
    process::{Server, run},
};
use shell::{root, shell};
use std::{fs, path::PathBuf, time::Duration};

/// Where the docs say that the quickstart is.
const WRITTEN: &str = "127.0.0.1:3000";

/// One line that is typed, and what is expected to be shown.
#[derive(Debug, Default)]
struct Step {
    place: String,
    typed: String,
    shown: Vec<String>,
}

#[test]
fn what_the_docs_show_is_what_happens() {
    let server = Server::start(shell("exec sandbar up examples/quickstart --listen 127.0.0.1:0")).unwrap();
    let address = server.address().to_string();
    let steps: Vec<Step> = pages().iter().flat_map(steps).collect();
    assert!(steps.len() > 10, "the docs hold {} examples", steps.len());
    let mut wrong = Vec::new();
    for Step { place, typed, shown } in &steps {
        let line = format!("exec 2>&1\n{}", typed.replace(WRITTEN, &address));
        let finished = run(&mut shell(&line), b"", Duration::from_secs(60)).unwrap();
        let text = finished.stdout_text().replace(&address, WRITTEN);
        let found: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
        if !fits(shown, &found) {
            let lines = |lines: &[String]| format!("{}\n", lines.join("\n"));
            wrong.push(format!("{place}: $ {typed}\n{}", diff(&lines(shown), &lines(&found))));
        }
    }
    assert!(wrong.is_empty(), "{} of {} examples differ:\n{}", wrong.len(), steps.len(), wrong.join("\n\n"));
}

/// What stands in a block marked `sh` names files that only the reader has; the command line takes it all the same.
#[test]
fn what_the_docs_say_to_type_is_taken() {
    let mut typed = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        for line in blocks.flat_map(str::lines).filter(|line| line.starts_with("sandbar ")) {
            // What is followed is waited for.
            let line = format!("exec {}", line.replace(" --follow", ""));
            let finished = run(&mut shell(&line), b"", Duration::from_secs(60)).unwrap();
            assert_eq!(finished.code(), Some(66), "{}: {line}: {finished:?}", page.display());
            typed += 1;
        }
    }
    assert!(typed > 4, "the docs hold {typed} lines");
}

/// The README and the manual.
fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = docs.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    pages.sort();
    pages.insert(0, root().join("README.md"));
    pages
}

/// What is typed in a page.
fn steps(page: &PathBuf) -> Vec<Step> {
    let text = fs::read_to_string(page).unwrap();
    let name = page.file_name().unwrap().to_string_lossy();
    let (mut steps, mut inside, mut goes_on) = (Vec::<Step>::new(), false, false);
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(typed), _) => {
                    steps.push(Step { place: format!("{name}:{}", at + 1), typed: typed.into(), ..Step::default() });
                }
                (None, Some(step)) if goes_on => step.typed.push_str(&format!("\n{line}")),
                (None, Some(step)) => step.shown.push(line.trim_end().into()),
                (None, None) => panic!("{name}:{}: a console block starts with `$ `", at + 1),
            }
            goes_on = steps.last().is_some_and(|step| step.shown.is_empty() && step.typed.ends_with('\\'));
        }
    }
    // An empty line between two commands is for the reader.
    for step in &mut steps {
        while step.shown.last().is_some_and(String::is_empty) {
            step.shown.pop();
        }
    }
    steps
}

/// Whether lines are as expected, where `...` stands for any.
fn fits(expected: &[String], found: &[String]) -> bool {
    match (expected.split_first(), found.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "..." => (0..=found.len()).any(|at| fits(rest, &found[at..])),
        (Some((first, rest)), Some((line, after))) => first == line && fits(rest, after),
        _ => false,
    }
}

#[test]
fn dots_stand_for_any_lines() {
    let lines = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for (expected, found, fit) in [
        ("a b", "a b", true),
        ("a ...", "a", true),
        ("a ... d", "a b c d", true),
        ("... b ... d", "b d d", true),
        ("a ... d", "a b c", false),
        ("a", "a b", false),
    ] {
        assert_eq!(fits(&lines(expected), &lines(found)), fit, "{expected} {found}");
    }
}
