//! What a receipt says of a call: exact amounts, where limits stop, how calls end, and which sandbox served them.
//!
//! Guests are a few lines of text, so that every unit of fuel and every byte can be counted by hand.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test ends loudly")]

#[path = "meters/amounts.rs"]
mod amounts;
#[path = "meters/endings.rs"]
mod endings;
#[path = "meters/interrupt.rs"]
mod interrupt;
#[path = "meters/lane.rs"]
mod lane;
#[path = "meters/limits.rs"]
mod limits;
#[path = "meters/pool.rs"]
mod pool;
#[path = "meters/renewal.rs"]
mod renewal;
#[path = "meters/world.rs"]
mod world;
