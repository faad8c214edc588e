//! Instructions of one call, counted by callgrind: the same on a quiet machine and on a noisy one.
//!
//! They are counted in the profile that tests are built in, since CI builds no other, and may not rise: `instructions.toml`
//! holds what was last found, and a count that is over it by more than the slack, or under it by as much, has to be looked at.

use std::{collections::BTreeMap, env, fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::{Bound, Figure, Options, Section};
use crate::{guests, step, table::Table, workspace::Workspace};

const COUNTS: &str = "xtask/instructions.toml";
/// So many calls are counted, above those that only warm up.
const CALLS: u64 = 200;
const WARM_UP: u64 = 100;

/// What was found before.
#[derive(Deserialize, Serialize)]
struct Ratchet {
    /// How far a count may be from what is written, as a part of it.
    slack: f64,
    counts: BTreeMap<String, u64>,
}

pub(super) fn run(workspace: &Workspace, _: &Options) -> Result<Section> {
    install_valgrind()?;
    guests::install_targets(workspace)?;
    guests::build(workspace)?;
    step::run(workspace.cargo("build").args(["--package", "sandbar-engine", "--example", "bench_inproc"]))?;
    let program = workspace.target.join("debug/examples/bench_inproc");
    let ratchet: Ratchet = workspace.toml(COUNTS)?;
    let folder = workspace.target.join("bench");
    fs::create_dir_all(&folder)?;

    let mut found = BTreeMap::new();
    for name in ratchet.counts.keys() {
        let of = |calls: u64| instructions(&program, &folder.join("callgrind"), name, calls);
        found.insert(name.clone(), of(WARM_UP + CALLS)?.saturating_sub(of(WARM_UP)?) / CALLS);
    }
    let rows =
        found.iter().map(|(name, count)| vec![name.clone(), count.to_string(), written(&ratchet, name).to_string()]);
    let tables = vec![Table::new("Instructions of one call", &["", "found", "written"], rows.collect())];
    let figures = found.iter().flat_map(|(name, count)| figures(&ratchet, name, *count)).collect();
    let results = serde_json::to_value(&found)?;
    Ok(Section { name: "instructions", results, tables, plots: Vec::new(), figures })
}

fn written(ratchet: &Ratchet, name: &str) -> u64 {
    ratchet.counts.get(name).copied().unwrap_or(0)
}

/// A count that rose is a regression; one that fell is to be written down, so that it can't rise again.
fn figures(ratchet: &Ratchet, name: &str, count: u64) -> [Figure; 2] {
    let of_written = count as f64 / written(ratchet, name) as f64;
    [
        Figure::new(
            format!("{name}: of the instructions in {COUNTS}"),
            of_written,
            "",
            Bound::AtMost(1.0 + ratchet.slack),
        ),
        Figure::new(
            format!("{name}: the same, to be lowered there"),
            of_written,
            "",
            Bound::AtLeast(1.0 - ratchet.slack),
        ),
    ]
}

fn instructions(program: &Path, file: &Path, name: &str, calls: u64) -> Result<u64> {
    let _ = fs::remove_file(file);
    step::output(Command::new(program).arg("callgrind").arg(file).args([name, &calls.to_string()]))?;
    let counted = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    summary(&counted).with_context(|| format!("`{}` has no summary", file.display()))
}

fn summary(counted: &str) -> Option<u64> {
    counted.lines().find_map(|line| line.strip_prefix("summary: "))?.trim().parse().ok()
}

/// Valgrind from the system's packages, where this user may install them.
fn install_valgrind() -> Result<()> {
    if step::output(Command::new("valgrind").arg("--version")).is_ok() {
        return Ok(());
    }
    let apt = |arguments: &[&str]| {
        step::run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    if env::var_os("CI").is_none() && apt(&["--version"]).is_err() {
        bail!("expected `valgrind`; install it with the system's packages");
    }
    apt(&["update"])
        .and_then(|()| apt(&["install", "--yes", "--no-install-recommends", "valgrind"]))
        .context("expected `valgrind`, and it can't be installed here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_may_neither_rise_nor_fall_unseen() {
        assert_eq!(summary("desc: x\nsummary: 512420084\n"), Some(512_420_084));
        let ratchet = Ratchet { slack: 0.1, counts: [("a".to_owned(), 1000)].into() };
        let holds = |count| figures(&ratchet, "a", count).map(|figure| figure.holds);
        assert_eq!((holds(1000), holds(1101), holds(899)), ([true, true], [false, true], [true, false]));
    }
}
