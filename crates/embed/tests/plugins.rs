//! Plugins from the host's side, and what a hostile one can't do.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends loudly")]

#[path = "plugins/calls.rs"]
mod calls;
#[path = "plugins/ends.rs"]
mod ends;
#[path = "plugins/extism.rs"]
mod extism;
#[path = "plugins/functions.rs"]
mod functions;
#[path = "plugins/grants.rs"]
mod grants;
#[path = "plugins/linked.rs"]
mod linked;
#[path = "plugins/options.rs"]
mod options;
#[path = "plugins/replace.rs"]
mod replace;
#[path = "plugins/values.rs"]
mod values;
#[path = "plugins/world.rs"]
mod world;
