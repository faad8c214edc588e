//! Runs the tests that show what a host survives, and prints them as a table, line by line.
//!
//! The lines and the tests of each stand in a file beside the tests. A test that no line names, or a line that names a test
//! that is not there, is an error: the table says neither less nor more than what runs.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, bail, ensure};
use lexopt::Arg;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{guests, step, step::Steps, table, workspace::Workspace};

pub(crate) const HELP: &str = "\
Usage: cargo xtask hostile [--json]

Runs hostile guests and hostile clients against the real program, and prints what it survived. Fails where a test does.

      --json   the table as JSON, on stdout
";

const LINES: &str = "crates/cli/tests/hostile/lines.toml";

#[derive(Deserialize)]
struct Lines {
    line: Vec<Line>,
}

/// One thing to survive. Zero is for what holds of all of them.
#[derive(Deserialize, Serialize)]
struct Line {
    number: u32,
    what: String,
    #[serde(default)]
    tests: Vec<String>,
    /// What no test shows yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<String>,
}

pub(crate) fn run(workspace: &Workspace, mut arguments: lexopt::Parser) -> Result<()> {
    let mut json = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("json") => json = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let text = fs::read_to_string(workspace.path(LINES)).with_context(|| format!("cannot read {LINES}"))?;
    let lines: Lines = toml::from_str(&text).with_context(|| format!("{LINES} is wrong"))?;

    let mut steps = Steps::default();
    steps.take("install targets", || guests::install_targets(workspace))?;
    steps.take("build guests", || guests::build(workspace))?;
    let tests = || {
        let mut cargo = workspace.cargo("test");
        cargo.args(["--package", "sandbar", "--package", "sandbar-embed", "--test", "hostile*"]);
        cargo
    };
    steps.take("build tests", || step::run(tests().arg("--no-run")))?;
    let said = steps.take("run tests", || {
        let mut cargo = tests();
        let ran = cargo.output().with_context(|| format!("cannot start `{}`", step::shown(&cargo)))?;
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    })?;
    let passed = passed(&said);
    check(&lines.line, &passed)?;

    let rows = lines.line.iter().map(|line| row(line, &passed)).collect();
    eprint!("\n{}", table::render(&["what a host must survive", "tests", "result"], rows));
    for (line, open) in lines.line.iter().filter_map(|line| Some((line, line.open.as_ref()?))) {
        eprintln!("open in {}: {open}", line.number);
    }
    if json {
        let lines = lines.line.iter().map(|line| json!({ "line": line, "result": result(line, &passed) }));
        println!("{}", Value::from_iter(lines));
    }
    let failed: Vec<&str> = passed.iter().filter(|(_, passed)| !**passed).map(|(test, _)| test.as_str()).collect();
    ensure!(failed.is_empty(), "these failed: {}\n{said}", failed.join(", "));
    Ok(())
}

/// The tests that ran, and whether each passed.
fn passed(said: &str) -> BTreeMap<String, bool> {
    let ran = said.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "));
    ran.map(|(test, how)| (test.to_owned(), how == "ok")).collect()
}

fn check(lines: &[Line], ran: &BTreeMap<String, bool>) -> Result<()> {
    let named = || lines.iter().flat_map(|line| &line.tests);
    if let Some(gone) = named().find(|test| !ran.contains_key(*test)) {
        bail!("{LINES} names the test `{gone}`, which did not run");
    }
    if let Some(left_out) = ran.keys().find(|test| !named().any(|named| named == *test)) {
        bail!("no line of {LINES} names the test `{left_out}`");
    }
    let idle = lines.iter().find(|line| line.tests.is_empty() && line.open.is_none());
    idle.map_or(Ok(()), |line| bail!("line {} of {LINES} has neither tests nor what is open", line.number))
}

fn result(line: &Line, passed: &BTreeMap<String, bool>) -> &'static str {
    match line.tests.iter().all(|test| passed.get(test) == Some(&true)) {
        _ if line.tests.is_empty() => "-",
        true => "survived",
        false => "FAILED",
    }
}

fn row(line: &Line, passed: &BTreeMap<String, bool>) -> Vec<String> {
    let number = if line.number == 0 { "  ".into() } else { format!("{:>2}", line.number) };
    vec![format!("{number}  {}", line.what), line.tests.len().to_string(), result(line, passed).to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_ran() {
        let ran = passed("running 2 tests\ntest time::a ... ok\ntest time::b ... FAILED\n\ntest result: FAILED.");
        assert_eq!(ran, [("time::a".into(), true), ("time::b".into(), false)].into());
        let line = |tests: &[&str], open: Option<&str>| Line {
            number: 1,
            what: "a loop".into(),
            tests: tests.iter().map(|test| (*test).to_owned()).collect(),
            open: open.map(str::to_owned),
        };
        assert!(check(&[line(&["time::a", "time::b"], None)], &ran).is_ok());
        for lines in [
            vec![line(&["time::a"], None)],
            vec![line(&["time::a", "time::b", "time::c"], None)],
            vec![line(&["time::a", "time::b"], None), line(&[], None)],
        ] {
            assert!(check(&lines, &ran).is_err());
        }
        assert_eq!(result(&line(&["time::a"], None), &ran), "survived");
        assert_eq!(result(&line(&["time::a", "time::b"], None), &ran), "FAILED");
        assert_eq!(result(&line(&[], Some("no queues")), &ran), "-");
    }
}
