//! The suite of the component model, run as Sandbar would run it: every component is read by the same scan, and
//! compiled and run with the same settings of Wasmtime that the scan picks for a guest.
//!
//! `components-known.txt` lists the directives that don't hold, each with its reason. It may only shrink: a listed
//! directive that holds is an error too. The scripts are not in the tree: `cargo xtask suite` brings them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test ends loudly")]

#[path = "components/script.rs"]
mod script;
#[path = "spec/suite.rs"]
mod suite;
#[path = "components/values.rs"]
mod values;

use sandbar_engine::{Allocation, Tuning};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};
use suite::{Known, Outcome, Script};

/// Where the scripts are in the folder of what is built. The version is the one of `xtask/src/suite.rs`.
const SUITE: &str = "component-model-suite/1.263.0";

/// What fewer assertions than this would mean: that the suite was not found, or not read.
const ASSERTIONS_MIN: usize = 1_500;

/// Sandboxes that exist at one time in one engine: one for each thread that runs scripts.
const SLOTS: u32 = 32;

/// How long a call may run: some ticks, so that a machine that stops for a while stops no call.
const TICK: Duration = Duration::from_secs(1);
pub(crate) const CALL_TICKS: u64 = 60;

#[test]
fn the_component_model_suite_passes() {
    let scripts = scripts();
    let engines = Engines::new();
    let outcome = engines.ticking(|| suite::run_all(&scripts, |text, fuel| script::run(&engines, fuel, text)));
    let known = Known { file: "components-known.txt", text: include_str!("components-known.txt") };
    outcome.check("component-model suite", &known, ASSERTIONS_MIN);
}

/// The files of the suite.
fn scripts() -> Vec<Script<'static>> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the folder lies in the one of what is built");
    let suite = target.join(SUITE);
    assert!(suite.is_dir(), "the component-model suite is not in `{}`\nhint: cargo xtask suite", suite.display());
    let mut paths = Vec::new();
    list(&suite, &mut paths);
    let script = |path: PathBuf| Script {
        name: path.strip_prefix(&suite).unwrap().to_str().unwrap().to_owned(),
        text: fs::read_to_string(&path).unwrap().into(),
    };
    paths.into_iter().map(script).collect()
}

fn list(folder: &Path, scripts: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, scripts);
        } else if path.extension().is_some_and(|extension| extension == "wast") {
            scripts.push(path);
        }
    }
}

/// One engine for each tuning that the suite needs.
pub(crate) struct Engines(Vec<(Tuning, wasmtime::Engine)>);

impl Engines {
    fn new() -> Engines {
        let mut engines = Vec::new();
        for (fuel, allocation) in [(false, Allocation::OnDemand), (true, Allocation::Pooled { slots: SLOTS })] {
            for (concurrency, gc) in [(false, false), (false, true), (true, false), (true, true)] {
                let tuning = Tuning { fuel, concurrency, gc, epochs: concurrency || gc };
                engines.push((tuning, tuning.wasmtime(allocation).unwrap()));
            }
        }
        Engines(engines)
    }

    pub(crate) fn of(&self, tuning: Tuning) -> &wasmtime::Engine {
        self.0.iter().find(|(known, _)| *known == tuning).map(|(_, engine)| engine).unwrap()
    }

    /// Runs something while the engines' time goes on.
    fn ticking(&self, run: impl FnOnce() -> Outcome) -> Outcome {
        let (running, ended) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                // Ends when the other end is dropped, which a panic does too.
                while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    self.0.iter().for_each(|(_, engine)| engine.increment_epoch());
                }
            });
            let outcome = run();
            drop(running);
            outcome
        })
    }
}
