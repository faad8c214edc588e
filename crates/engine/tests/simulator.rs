//! A seeded simulator: random guests, grants, limits, events and misfortunes against the real engine.
//!
//! A seed makes a plan (`plan`): tenants with guests that compute, grow, flood, trap, spin, leave canaries and look for those of
//! others, touch files, hosts and names that they may or may not touch; events that come in bursts, are cancelled, read slowly
//! or not at all; folders that vanish, servers that trickle, fall silent or break HTTP, names that fail; versions that are
//! replaced, an engine that ends. `run` lets it happen, with folders, loopback servers and a name server of its own as the world.
//! `model` says how each call may end, and `judge` compares: one receipt for each call, with what it may say; use within the
//! limits, and a slack that is stated there; nothing touched without a grant; no canary with anybody else; and afterwards no
//! sandbox, slot, thread or open file more than before.
//!
//! Clocks are the machine's. Deadlines are held by a thread, epochs and the processor's clock, and it is these that have to be
//! right; a fake clock would test the fake.
//!
//! A few seeds run as a test. `cargo xtask simulate` runs as many as there is time for, or one that failed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test ends loudly")]

#[path = "simulator/canary.rs"]
mod canary;
#[path = "simulator/event.rs"]
mod event;
#[path = "simulator/guest.rs"]
mod guest;
#[path = "simulator/judge.rs"]
mod judge;
#[path = "simulator/left.rs"]
mod left;
#[path = "simulator/model.rs"]
mod model;
#[path = "simulator/peer.rs"]
mod peer;
#[path = "simulator/plan.rs"]
mod plan;
#[path = "simulator/run.rs"]
mod run;
#[path = "simulator/seeds.rs"]
mod seeds;
#[path = "simulator/shrink.rs"]
mod shrink;
#[path = "simulator/world.rs"]
mod world;

#[test]
fn seeds_find_nothing() {
    seeds::run();
}
