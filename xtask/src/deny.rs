//! What may be in the tree, and what is known against it: `deny.toml`, held by cargo-deny.
//!
//! Licences, versions and sources are told by the lock files, so these checks always run and always decide. Advisories
//! lie in a database that is fetched, and not every machine reaches it. Passing there without a word would look like a
//! check, and failing would stop work for want of a network: so it is said, in words that can't be taken for a pass, and
//! whoever needs the answer asks for it with a flag.

use std::{process::Command, time::Duration};

use anyhow::{Result, bail, ensure};
use lexopt::Arg;
use sandbar_testkit::process;
use serde::Deserialize;

use crate::{install::Program, step, step::Steps, workspace::Workspace};

pub(crate) const HELP: &str = "\
Usage: cargo xtask deny [--require-advisories]

Checks licences, second versions and sources of what the lock files name, and the advisories that are known against
it, as deny.toml says. Installs cargo-deny when it is missing.

      --require-advisories   fail where the advisory database can't be fetched
";

const RULES: &str = "deny.toml";

const CARGO_DENY: Program = Program {
    name: "cargo-deny",
    package: "cargo-deny",
    version: "0.20.2",
    folder: "tools",
    // It runs for seconds: optimising it would take longer than it ever could save.
    arguments: &["--debug", "--config", "profile.dev.debug=0"],
};

/// How long fetching the database may take: a network that drops packets answers never.
const FETCH_TIMEOUT: Duration = Duration::from_secs(180);

/// A lock file, and what is checked in it.
struct Tree {
    manifest: &'static str,
    arguments: &'static [&'static str],
}

/// Guests and fuzz targets may use two versions of a crate, and needn't use every licence that is allowed: what they are
/// linked into is no server of anybody's.
const TREES: &[Tree] = &[
    Tree {
        manifest: "Cargo.toml",
        arguments: &["-D", "unmatched-skip", "-D", "unnecessary-skip", "licenses", "bans", "sources"],
    },
    Tree { manifest: "guests/Cargo.toml", arguments: &["-A", "license-not-encountered", "licenses", "sources"] },
    Tree { manifest: "fuzz/Cargo.toml", arguments: &["-A", "license-not-encountered", "licenses", "sources"] },
];

/// What becomes of a check that can't be made.
#[derive(Clone, Copy)]
enum Unreachable {
    Said,
    Failure,
}

pub(crate) fn run(workspace: &Workspace, mut arguments: lexopt::Parser) -> Result<()> {
    let mut unreachable = Unreachable::Said;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("require-advisories") => unreachable = Unreachable::Failure,
            other => return Err(other.unexpected().into()),
        }
    }
    let database = database(workspace)?;
    let mut steps = Steps::default();
    let program =
        steps.take("install cargo-deny", || CARGO_DENY.on_path().map_or_else(|| CARGO_DENY.install(workspace), Ok))?;
    let deny = || workspace.tool(&program);
    steps.take("licences, versions and sources", || check_trees(&deny))?;
    let said = steps.take("advisories", || check_advisories(&deny, &database, unreachable))?;
    steps.report();
    println!("licences, versions and sources: ok\n{said}");
    Ok(())
}

/// Where advisories come from.
fn database(workspace: &Workspace) -> Result<String> {
    #[derive(Deserialize)]
    struct Rules {
        advisories: Advisories,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Advisories {
        db_urls: Vec<String>,
    }
    let Advisories { db_urls } = workspace.toml::<Rules>(RULES)?.advisories;
    ensure!(!db_urls.is_empty(), "`{RULES}` names no database of advisories");
    Ok(db_urls.join(" and "))
}

fn check_trees(deny: &dyn Fn() -> Command) -> Result<()> {
    TREES.iter().try_for_each(|tree| step::run(on(tree, deny()).arg("check").args(tree.arguments)))
}

/// Fetches the database and checks every lock file against it, or says that it could not.
fn check_advisories(deny: &dyn Fn() -> Command, database: &str, unreachable: Unreachable) -> Result<String> {
    if let Err(error) = fetch(deny()) {
        let said = format!("advisories: NOT CHECKED, the database could not be fetched from {database}");
        let why = format!(
            "{error:#}\nhint: where a mirror of it is reached: git config --global url.MIRROR.insteadOf {database}"
        );
        match unreachable {
            Unreachable::Failure => bail!("{said}\n{why}"),
            Unreachable::Said => eprintln!("warning: {said}\n{why}"),
        }
        return Ok(said);
    }
    // The database was fetched this moment, and the crates by the checks before.
    for tree in TREES {
        step::run(on(tree, deny()).args(["--offline", "check", "advisories"]))?;
    }
    Ok("advisories: ok".into())
}

fn fetch(mut deny: Command) -> Result<()> {
    // A server that wants a password is one that is not reached.
    let fetched = process::run(deny.args(["fetch", "db"]).env("GIT_TERMINAL_PROMPT", "0"), b"", FETCH_TIMEOUT)?;
    ensure!(fetched.status.success(), "{}", fetched.stderr_text().trim());
    Ok(())
}

fn on(tree: &Tree, mut deny: Command) -> Command {
    deny.args(["--config", RULES, "--manifest-path", tree.manifest, "--all-features", "--locked"]);
    deny
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands for cargo-deny: fails where its arguments match.
    fn failing(pattern: &str) -> impl Fn() -> Command {
        let script = format!("case \"$*\" in {pattern}) echo 'no such host' >&2; exit 1;; esac");
        move || {
            let mut sh = Command::new("sh");
            sh.args(["-c", &script, "cargo-deny"]);
            sh
        }
    }

    #[test]
    fn advisories_are_strict_where_they_can_be_had() {
        let check = |pattern, unreachable| check_advisories(&failing(pattern), "a database", unreachable);
        assert_eq!(check("nothing", Unreachable::Said).unwrap(), "advisories: ok");
        assert!(check("*'check advisories'*", Unreachable::Said).is_err(), "an advisory is a failure");
        assert!(check("*fuzz/Cargo.toml*'check advisories'*", Unreachable::Said).is_err(), "in every lock file");
    }

    #[test]
    fn a_check_that_was_not_made_is_no_pass() {
        let check = |unreachable| check_advisories(&failing("*'fetch db'*"), "a database", unreachable);
        let said = check(Unreachable::Said).unwrap();
        assert_eq!(said, "advisories: NOT CHECKED, the database could not be fetched from a database");
        let refused = check(Unreachable::Failure).unwrap_err().to_string();
        assert!(refused.contains("NOT CHECKED") && refused.contains("no such host"), "{refused}");
    }

    #[test]
    fn the_rest_needs_no_database() {
        assert!(check_trees(&failing("*'fetch db'*")).is_ok());
        assert!(check_trees(&failing("*licenses*")).is_err());
        assert!(check_trees(&failing("*guests/Cargo.toml*")).is_err());
    }

    #[test]
    fn the_rules_name_a_database() {
        assert!(database(&Workspace::find().unwrap()).unwrap().contains("advisory-db"));
    }
}
