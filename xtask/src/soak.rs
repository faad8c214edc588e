//! Runs the soak for long: a server under a mixed load, with reloads, cancels, traps and kills.
//!
//! The soak is a test of the program, and takes some seconds with the others. Here it takes as long as it is told, with a
//! seed that is another each time unless one is given.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use lexopt::{Arg, ValueExt};

use crate::{guests, step, step::Steps, workspace::Workspace};

pub(crate) const HELP: &str = "\
Usage: cargo xtask soak [--minutes M] [--seed N]

Serves an app for long, under a mixed load with guests that break and clients that leave, while it is replaced again and
again and compilers are killed. Fails where memory, descriptors, threads or sandboxes grow, or where a request is not
accounted for in receipts and metrics. Tells how it goes every half minute.

      --minutes M   how long (30)
      --seed N      what is asked and done; a new one each time without it
";

/// How long it takes where nothing says how long.
const MINUTES: u64 = 30;

struct Options {
    minutes: u64,
    seed: Option<u64>,
}

pub(crate) fn run(workspace: &Workspace, arguments: lexopt::Parser) -> Result<()> {
    let Options { minutes, seed } = parse(arguments)?;
    let seed = seed.unwrap_or_else(new_seed);
    let mut steps = Steps::default();
    steps.take("install targets", || guests::install_targets(workspace))?;
    steps.take("build guests", || guests::build(workspace))?;

    let mut test = workspace.cargo("test");
    test.args(["--package", "sandbar", "--test", "soak", "--", "--nocapture"]);
    test.env("SANDBAR_SOAK_SECONDS", (minutes * 60).to_string()).env("SANDBAR_SOAK_SEED", seed.to_string());
    let ran = steps.take("soak", || step::run(&mut test));
    steps.report();
    ran.with_context(|| format!("the seed was {seed}; again: cargo xtask soak --minutes {minutes} --seed {seed}"))
}

fn parse(mut arguments: lexopt::Parser) -> Result<Options> {
    let mut options = Options { minutes: MINUTES, seed: None };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("minutes") => options.minutes = arguments.value()?.parse()?,
            Arg::Long("seed") => options.seed = Some(arguments.value()?.parse()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

/// One that was hardly ever run before.
fn new_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs())
}
