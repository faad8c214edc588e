//! Which seeds run, and what is said of one that finds something.

use crate::{judge, left, left::Left, plan::Plan, run, shrink::shrink};
use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    process, thread,
    time::{Duration, Instant},
};

/// The seeds of an ordinary test run: a few seconds.
const FEW: u64 = 16;
/// How long one may take before it is taken to hang.
const HANGS: Duration = Duration::from_secs(300);
/// How much resident memory may come with hundreds of runs that keep nothing: what the allocator holds on to.
const RESIDENT_SLACK_BYTES: u64 = 256 << 20;
/// Runs until memory is as it will stay.
const WARM: u64 = 30;

/// Runs the seeds that the environment names, or a few: `SANDBAR_SIMULATE_SEED` the first, `SANDBAR_SIMULATE_COUNT` how many,
/// `SANDBAR_SIMULATE_SECONDS` how long.
pub(crate) fn run() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("SANDBAR_SIMULATE_SEED");
    let seconds = number("SANDBAR_SIMULATE_SECONDS");
    let count = number("SANDBAR_SIMULATE_COUNT").unwrap_or(match (first, seconds) {
        (_, Some(_)) => u64::MAX,
        (Some(_), None) => 1,
        (None, None) => FEW,
    });
    let (first, started) = (first.unwrap_or(1), Instant::now());
    let in_time = || seconds.is_none_or(|seconds| started.elapsed() < Duration::from_secs(seconds));
    let (mut failed, mut ran, mut calls, mut warm_bytes) = (Vec::new(), 0, 0, 0);
    for seed in (first..).take(usize::try_from(count).unwrap_or(usize::MAX)).take_while(|_| in_time()) {
        let plan = Plan::of_seed(seed);
        if count == 1 {
            println!("{plan}");
        }
        calls += one(&plan, ran > 0).unwrap_or_else(|faults| {
            tell(seed, &faults);
            failed.push((seed, plan));
            0
        });
        ran += 1;
        if ran == WARM {
            warm_bytes = left::resident_bytes();
        }
    }
    let resident = left::resident_bytes();
    println!(
        "{ran} seeds from {first}, {calls} calls, {} s, {} MiB resident",
        started.elapsed().as_secs(),
        resident >> 20
    );
    assert!(warm_bytes == 0 || resident < warm_bytes + RESIDENT_SLACK_BYTES, "{warm_bytes} bytes became {resident}");
    if let ([(seed, plan)], 1) = (failed.as_slice(), count) {
        let small = shrink(plan.clone(), |plan| one(plan, true).is_err());
        println!("seed {seed} finds something with no more than:\n{small}");
    }
    let failed: Vec<u64> = failed.into_iter().map(|(seed, _)| seed).collect();
    assert!(failed.is_empty(), "these seeds found something: {failed:?}");
}

/// Runs a plan, and gives how many calls it made, or what is wrong.
fn one(plan: &Plan, is_warm: bool) -> Result<usize, Vec<String>> {
    let seed = plan.seed;
    let note = env::var("SANDBAR_SIMULATE_NOTE");
    if let Ok(path) = &note {
        // Whoever started this reads it should the process die.
        let _ = fs::write(path, seed.to_string());
    }
    let before = Left::now();
    let (done, watched) = std::sync::mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = watched.recv_timeout(HANGS) {
            eprintln!("seed {seed} hangs; again: cargo xtask simulate --seed {seed}");
            process::abort();
        }
    });
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let happened = run::run(plan);
        (happened.calls.len(), judge::faults(plan, &happened))
    }));
    drop(done);
    let _ = watch.join();
    let (calls, mut faults) = judged.unwrap_or_else(|_| (0, vec!["it panicked".into()]));
    // The first run starts what a process has once.
    if is_warm {
        faults.extend(before.is_back().err());
    }
    if faults.is_empty() { Ok(calls) } else { Err(faults) }
}

fn tell(seed: u64, faults: &[String]) {
    println!("seed {seed} found {}:", faults.len());
    for fault in faults {
        println!("  {fault}");
    }
    println!("  again: cargo xtask simulate --seed {seed}");
}
