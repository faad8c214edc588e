//! A server for long: a mixed load, with guests that break and clients that leave, while the app is replaced again and again
//! and compilers are killed. Nothing grows, and every request is accounted for.
//!
//! It goes in cycles. In each, clients ask and an operator acts; then all is quiet, and what was asked is held against the
//! receipts, the receipts against the metrics, and what the process holds against what it held after the first cycle. Memory
//! takes some time to settle, so it is compared between the second and the last quarter of all cycles.
//!
//! With the other tests it takes some seconds; `cargo xtask soak` lets it run for as long as `SANDBAR_SOAK_SECONDS` says.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that fails panics")]

#[path = "soak/account.rs"]
mod account;
#[path = "support/app.rs"]
mod app;
#[path = "soak/ask.rs"]
mod ask;
#[path = "soak/client.rs"]
mod client;
#[path = "soak/cycle.rs"]
mod cycle;
#[path = "soak/held.rs"]
mod held;
#[path = "soak/operator.rs"]
mod operator;
#[path = "soak/receipts.rs"]
mod receipts;
#[path = "soak/version.rs"]
mod version;
#[path = "support/wire.rs"]
mod wire;

use cycle::Soak;
use std::{
    env,
    time::{Duration, Instant},
};

/// How long it takes where nothing says how long, and the fewest cycles.
const SECONDS: u64 = 10;
const CYCLES_MIN: usize = 3;

/// How often somebody who watches is told how it goes.
const TOLD: Duration = Duration::from_secs(30);

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|number| number.parse().unwrap())
}

#[test]
fn nothing_grows_and_every_request_is_accounted_for() {
    let seconds = number("SANDBAR_SOAK_SECONDS").unwrap_or(SECONDS);
    let seed = number("SANDBAR_SOAK_SEED").unwrap_or(1);
    eprintln!("{seconds} s with the seed {seed}");
    let mut soak = Soak::start(seed, Duration::from_secs(seconds));
    let (start, mut told) = (Instant::now(), Instant::now());
    while start.elapsed() < Duration::from_secs(seconds) || soak.cycles() < CYCLES_MIN {
        soak.cycle();
        if told.elapsed() >= TOLD {
            told = Instant::now();
            eprintln!("{:>5} s: {}", start.elapsed().as_secs(), soak.shown());
        }
    }
    eprintln!("{:>5} s: {}", start.elapsed().as_secs(), soak.shown());
    soak.end();
}
