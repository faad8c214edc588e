//! What a host program must survive of its plugins, and of its own functions: lines of `crates/cli/tests/hostile/lines.toml`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends loudly")]

#[path = "hostile/host.rs"]
mod host;
