//! Runs the simulator for long, or one seed again.
//!
//! The simulator is a test of the engine, and a few of its seeds run with the others. Here it runs as many as there is time
//! for, from a seed that is another each time unless one is named; what it finds, it finds again from the seed that is told.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use lexopt::{Arg, ValueExt};

use crate::{guests, step, step::Steps, workspace::Workspace};

pub(crate) const HELP: &str = "\
Usage: cargo xtask simulate [--seed N] [--count N] [--minutes M]

Runs random guests, events and misfortunes against the real engine, and compares what happened with what may happen. A seed
that finds something is told, with the command that runs it again.

      --seed N      the first seed; without --count or --minutes only this one, with all that it plans
      --count N     how many seeds
      --minutes M   how long (10, unless there is a seed or a count)
";

/// How long it runs where nothing says how long.
const MINUTES: u64 = 10;

struct Options {
    seed: Option<u64>,
    count: Option<u64>,
    minutes: Option<u64>,
}

pub(crate) fn run(workspace: &Workspace, arguments: lexopt::Parser) -> Result<()> {
    let options = parse(arguments)?;
    let mut steps = Steps::default();
    steps.take("install targets", || guests::install_targets(workspace))?;
    steps.take("build guests", || guests::build(workspace))?;

    let note = workspace.target.join("simulated-seed");
    let mut test = workspace.cargo("test");
    test.args([
        "--package",
        "sandbar-engine",
        "--test",
        "simulator",
        "--",
        "--nocapture",
        "--exact",
        "seeds_find_nothing",
    ]);
    test.env("SANDBAR_SIMULATE_NOTE", &note).env_remove("SANDBAR_SIMULATE_SECONDS");
    let one = options.minutes.is_none() && options.count.is_none();
    match options.seed {
        Some(seed) => test.env("SANDBAR_SIMULATE_SEED", seed.to_string()),
        None => test.env("SANDBAR_SIMULATE_SEED", new_seed().to_string()),
    };
    if let Some(count) = options.count {
        test.env("SANDBAR_SIMULATE_COUNT", count.to_string());
    }
    let minutes = options.minutes.or((one && options.seed.is_none()).then_some(MINUTES));
    if let Some(minutes) = minutes {
        test.env("SANDBAR_SIMULATE_SECONDS", (minutes * 60).to_string());
    }
    let ran = steps.take("simulate", || step::run(&mut test));
    steps.report();
    ran.with_context(|| match fs::read_to_string(&note) {
        Ok(seed) => format!("the last seed was {seed}; again: cargo xtask simulate --seed {seed}"),
        Err(_) => "no seed was run".into(),
    })
}

fn parse(mut arguments: lexopt::Parser) -> Result<Options> {
    let mut options = Options { seed: None, count: None, minutes: None };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("seed") => options.seed = Some(arguments.value()?.parse()?),
            Arg::Long("count") => options.count = Some(arguments.value()?.parse()?),
            Arg::Long("minutes") => options.minutes = Some(arguments.value()?.parse()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

/// One that was hardly ever run before.
fn new_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs() * 10_000)
}
