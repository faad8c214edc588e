//! What it takes to run an empty command that was compiled before: time on the wall, and memory.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::json;
use wait4::Wait4;

use super::{Bound, Figure, Options, Section, median, median_ratio, peers::Peers};
use crate::{step, table::Table, workspace::Workspace};

const GUEST: &str = "guests/wat/empty-command.wat";
const RUNS_A_ROUND: usize = 20;
const RUNS_MIN: usize = 50;

/// One run of one program.
#[derive(Clone, Copy, Serialize)]
struct Run {
    wall_us: f64,
    max_rss_bytes: f64,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<Section> {
    let peers = Peers::find(workspace, options)?;
    let guest = workspace.path(GUEST);
    let compiled = peers.home.join("empty-command.cwasm");
    step::run(Command::new(&peers.wasmtime).arg("compile").arg(&guest).arg("-o").arg(&compiled))?;
    let sandbar = || {
        let mut command = peers.sandbar();
        command.arg("run").arg(&guest);
        command
    };
    let wasmtime = || {
        let mut command = Command::new(&peers.wasmtime);
        command.args(["run", "--allow-precompiled"]).arg(&compiled);
        command
    };

    // The first run fills the cache, and the page cache.
    measure(sandbar())?;
    measure(wasmtime())?;
    let runs = RUNS_MIN.max(options.rounds * RUNS_A_ROUND);
    let (mut ours, mut theirs) = (Vec::with_capacity(runs), Vec::with_capacity(runs));
    for _ in 0..runs {
        ours.push(measure(sandbar())?);
        theirs.push(measure(wasmtime())?);
    }

    let contestants = [("sandbar run", &ours), ("wasmtime run", &theirs)];
    let rows = contestants.map(|(name, runs)| row(name, runs));
    let tables =
        vec![Table::new(format!("An empty command, {runs} runs each"), &["", "median", "peak RSS"], rows.into())];
    let results = contestants.map(|(name, runs)| json!({ "name": name, "median": medians(runs), "runs": runs.len() }));
    let figures = vec![
        ratio("run: wall, sandbar / wasmtime", &ours, &theirs, |run| run.wall_us),
        ratio("run: peak RSS, sandbar / wasmtime", &ours, &theirs, |run| run.max_rss_bytes),
    ];
    Ok(Section { name: "cli", results: json!(results), tables, plots: Vec::new(), figures })
}

/// Runs a command to its end. Its peak counts from its `exec` on, unless this program, which forks it, has more.
fn measure(mut command: Command) -> Result<Run> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start `{}`", step::shown(&command)))?;
    let ended = child.wait4()?;
    let wall_us = start.elapsed().as_secs_f64() * 1e6;
    ensure!(ended.status.success(), "`{}` failed ({})", step::shown(&command), ended.status);
    Ok(Run { wall_us, max_rss_bytes: ended.rusage.maxrss as f64 })
}

fn medians(runs: &[Run]) -> Run {
    Run {
        wall_us: median(runs.iter().map(|run| run.wall_us)),
        max_rss_bytes: median(runs.iter().map(|run| run.max_rss_bytes)),
    }
}

fn row(name: &str, runs: &[Run]) -> Vec<String> {
    let Run { wall_us, max_rss_bytes } = medians(runs);
    vec![name.to_owned(), format!("{:.2} ms", wall_us / 1_000.0), format!("{:.1} MiB", max_rss_bytes / 1_048_576.0)]
}

fn ratio(name: &str, ours: &[Run], theirs: &[Run], of: fn(&Run) -> f64) -> Figure {
    Figure::new(name, median_ratio(ours, theirs, of), "", Bound::AtMost(1.0))
}
