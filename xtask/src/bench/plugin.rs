//! What calls of plugins cost a host program, beside the same guests on plain Wasmtime.

use anyhow::Result;

use super::{
    Options, Section,
    measures::{self, Promise, Than},
};
use crate::workspace::Workspace;

const PROMISES: &[Promise] = &[
    Promise { measure: "typed-held", than: Than::AtMostAbove("typed-wasmtime", 60.0) },
    Promise { measure: "json-held", than: Than::AtMostAbove("json-guest", 3_000.0) },
    Promise { measure: "json-fresh", than: Than::AtMostAbove("json-guest", 15_000.0) },
    // Two cores: eight threads can be twice as fast as one at most.
    Promise { measure: "pooled-8-threads", than: Than::TimesFaster("pooled-1-thread", 1.6) },
    Promise { measure: "held-bytes", than: Than::AtMost(204_800.0) },
];

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<Section> {
    let said = measures::example(workspace, options, ("sandbar-embed", "bench_plugin"), &["--json"])?;
    measures::section("plugin", &said, PROMISES)
}
