//! The README's second command: installs and fetches what the tests need, builds the guests and runs every test, also those of
//! the packages for other languages, each installed into a clean place first.
//!
//! Nothing is skipped for a missing tool: a test that did not run is worse than one that failed.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{guests, step, step::Steps, suite, workspace::Workspace};

pub(crate) const HELP: &str = "\
Usage: cargo xtask test [-- ARGUMENTS OF cargo test]

Installs missing rustup targets and Debian packages, fetches the component-model suite, builds the guests, and
builds and runs all tests. Ends with a line `N passed, N failed`.
";

/// A program that tests run, and where it comes from.
struct Tool {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { program: "curl", package: "curl", why: "a real HTTP/1.1 client" },
    Tool { program: "nghttp", package: "nghttp2-client", why: "a real HTTP/2 client" },
    Tool { program: "cc", package: "gcc", why: "programs in C" },
    Tool { program: "pkg-config", package: "pkg-config", why: "how programs in C find the library" },
    Tool { program: "valgrind", package: "valgrind", why: "what programs in C leak" },
    Tool { program: "node", package: "nodejs", why: "the package for Node.js" },
    Tool { program: "npm", package: "npm", why: "installing that package" },
    Tool { program: "python3", package: "python3-venv", why: "the package for Python" },
];

/// Tests that cargo does not run: of packages for other languages. Each builds its package, installs it into a clean place, runs
/// its tests there, and ends with a line `N passed, N failed`.
const PACKAGES: &[(&str, &str, &str)] = &[
    ("test the package for Node.js", "node", "packages/node/scripts/test.mjs"),
    ("test the package for Python", "python3", "packages/python/test.py"),
];

pub(crate) fn run(workspace: &Workspace, mut arguments: lexopt::Parser) -> Result<()> {
    let more: Vec<String> = arguments.raw_args()?.map(|word| word.to_string_lossy().into_owned()).collect();
    let mut steps = Steps::default();
    steps.take("install tools", || install_tools(workspace))?;
    steps.take("install targets", || guests::install_targets(workspace))?;
    steps.take("fetch the component-model suite", || suite::fetch(workspace))?;
    steps.take("build guests", || guests::build(workspace))?;
    steps.take("build tests", || step::run(cargo_test(workspace, &more).arg("--no-run")))?;
    // The programs of packages whose tests don't build them, such as the load generator.
    steps.take("build programs", || step::run(workspace.cargo("build").args(["--workspace", "--bins"])))?;
    let mut tally = steps.take("run tests", || run_tests(&mut cargo_test(workspace, &more)))?;
    // Arguments name tests of cargo's.
    if more.is_empty() {
        for (step, program, script) in PACKAGES {
            let package = steps.take(step, || run_tests(workspace.tool(program).arg(script)))?;
            tally.join(package);
        }
    }
    steps.report();
    tally.settle()
}

fn cargo_test(workspace: &Workspace, more: &[String]) -> Command {
    let mut command = workspace.cargo("test");
    command.args(["--workspace", "--no-fail-fast"]);
    command.args(more.iter().skip_while(|word| *word == "--"));
    command
}

fn install_tools(workspace: &Workspace) -> Result<()> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !is_on_path(tool.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: BTreeSet<&str> = missing.iter().map(|tool| tool.package).collect();
    let needs = missing.iter().map(|tool| format!("`{}` ({})", tool.program, tool.why)).collect::<Vec<_>>().join(", ");
    let hint = format!("hint: install the packages {}", packages.iter().copied().collect::<Vec<_>>().join(" "));
    ensure!(is_on_path("apt-get"), "the tests need {needs}, and there is no apt-get to install it\n{hint}");
    ensure!(is_root(), "the tests need {needs}, and only root may install it\n{hint}");

    let install = || {
        let mut apt = workspace.tool("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        step::run(apt.args(["install", "-y", "--no-install-recommends"]).args(&packages))
    };
    // Package lists may be old, or not be there.
    install().or_else(|_| {
        step::run(workspace.tool("apt-get").arg("update").stdout(Stdio::null())).and_then(|()| install())
    })?;
    for tool in missing {
        ensure!(is_on_path(tool.program), "`{}` did not bring `{}`", tool.package, tool.program);
    }
    Ok(())
}

fn is_on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    ids.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}

/// What the test programs said of themselves.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
    ended_well: bool,
}

/// Runs the tests, showing their output as it comes and adding up their closing lines.
fn run_tests(command: &mut Command) -> Result<Tally> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{}`", step::shown(command)))?;
    let mut tally = Tally::default();
    if let Some(pipe) = child.stdout.take() {
        let mut out = std::io::stdout().lock();
        for line in BufReader::new(pipe).split(b'\n') {
            let line = line?;
            out.write_all(&line)?;
            out.write_all(b"\n")?;
            tally.add(&String::from_utf8_lossy(&line));
        }
    }
    tally.ended_well = child.wait()?.success();
    Ok(tally)
}

impl Tally {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …` or `3 passed, 0 failed`; other lines add nothing.
    fn add(&mut self, line: &str) {
        let of_cargo = line.strip_prefix("test result: ").and_then(|rest| Some(rest.split_once(". ")?.1));
        let of_package = || line.ends_with(" failed").then_some(line).filter(|line| line.contains(" passed, "));
        for count in of_cargo.or_else(of_package).unwrap_or_default().replace(", ", "; ").split("; ") {
            let Some((number, what)) = count.split_once(' ') else { continue };
            let number: u64 = number.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    fn join(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        // One that ran nothing did not end well, whatever it says.
        self.ended_well &= other.ended_well && other.passed > 0;
    }

    fn settle(self) -> Result<()> {
        let Tally { passed, failed, skipped, ended_well } = self;
        // A closing line that others read: it stands alone.
        match skipped {
            0 => println!("{passed} passed, {failed} failed"),
            _ => println!("{passed} passed, {failed} failed, {skipped} skipped"),
        }
        match (ended_well, failed, passed) {
            (true, 0, 1..) => Ok(()),
            (true, 0, 0) => bail!("no test ran"),
            (_, 0, _) => bail!("a test program crashed: it failed, though no test did"),
            _ => bail!("{failed} tests failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_added_up() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 5 filtered out; finished in 0.01s",
            "5 passed, 1 failed",
            "all 3 passed, or 2 failed, who knows",
        ] {
            tally.add(line);
        }
        assert_eq!(tally, Tally { passed: 9, failed: 3, skipped: 1, ended_well: false });
        assert!(tally.settle().is_err());
        assert!(Tally { ended_well: true, ..Tally::default() }.settle().is_err(), "no test is no success");
    }
}
