//! Folders of plugins: what becomes of each plugin, what an update may change, and what a hostile folder can't do.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends loudly")]

#[path = "folder/approvals.rs"]
mod approvals;
#[path = "folder/refresh.rs"]
mod refresh;
#[path = "folder/states.rs"]
mod states;
#[path = "folder/world.rs"]
mod world;
