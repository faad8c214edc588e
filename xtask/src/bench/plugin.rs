//! What calls of plugins cost a host program, beside the same guests on plain Wasmtime and the same plugins by Extism.

use anyhow::Result;

use super::{
    Options, Section, extism,
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
    Promise { measure: "c-small", than: Than::TimesFaster("c-small-extism", 8.0) },
    Promise { measure: "c-echo-64k", than: Than::TimesFaster("c-echo-64k-extism", 5.0) },
    Promise { measure: "c-create", than: Than::TimesFaster("c-create-extism", 5.0) },
    Promise { measure: "c-create-first", than: Than::TimesFaster("c-create-first-extism", 5.0) },
    Promise { measure: "python-small", than: Than::TimesFaster("python-small-extism", 8.0) },
    Promise { measure: "python-echo-64k", than: Than::TimesFaster("python-echo-64k-extism", 5.0) },
    Promise { measure: "python-create", than: Than::TimesFaster("python-create-extism", 5.0) },
    Promise { measure: "node-small", than: Than::TimesFaster("node-small-extism", 3.0) },
    Promise { measure: "node-echo-64k", than: Than::TimesFaster("node-echo-64k-extism", 5.0) },
    Promise { measure: "node-create", than: Than::TimesFaster("node-create-extism", 5.0) },
];

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<Section> {
    let said = measures::example(workspace, options, ("sandbar-embed", "bench_plugin"), &["--json"])?;
    let said = said + &extism::run(workspace)?;
    measures::section("plugin", &said, PROMISES)
}
