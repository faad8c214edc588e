//! What a sandbox and a call cost inside one process, measured by an example of the engine, which alone knows Wasmtime.

use anyhow::Result;

use super::{
    Options, Section,
    measures::{self, Promise, Than},
};
use crate::workspace::Workspace;

const PROMISES: &[Promise] = &[
    Promise { measure: "fresh-double", than: Than::AtMost(5_000.0) },
    Promise { measure: "fresh-hello", than: Than::AtMost(10_000.0) },
    Promise { measure: "typed-call", than: Than::AtMostAbove("typed-call-wasmtime", 100.0) },
];

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<Section> {
    measures::section("inproc", &example(workspace, options, &["--json"])?, PROMISES)
}

/// Runs the example, and gives what it said.
pub(super) fn example(workspace: &Workspace, options: &Options, arguments: &[&str]) -> Result<String> {
    measures::example(workspace, options, ("sandbar-engine", "bench_inproc"), arguments)
}
