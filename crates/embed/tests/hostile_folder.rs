//! What a host program must survive of a folder of plugins: lines of `crates/cli/tests/hostile/lines.toml`. A program of its own,
//! since others measure what their process holds.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends loudly")]

#[path = "folder/attacks.rs"]
mod attacks;
#[path = "folder/signatures.rs"]
mod signatures;
#[path = "folder/world.rs"]
mod world;
