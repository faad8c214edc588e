//! What a host must survive: each test serves or runs a hostile guest, or is a hostile client, with the real program.
//!
//! A test is data and one check, and the receipt is what is checked: how the call ended, beside the status that its client
//! got. Time is never measured, but for bounds so wide that only something endless passes them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that fails panics")]

#[path = "../support/app.rs"]
mod app;
#[path = "../support/wire.rs"]
mod wire;

mod artifacts;
mod bomb;
mod cases;
mod clients;
mod files;
mod fuel;
mod http2;
mod isolation;
mod malformed;
mod memory;
mod network;
mod operations;
mod output;
mod pool;
mod stores;
mod time;
