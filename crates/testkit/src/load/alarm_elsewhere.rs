//! Wakes the loop by the timeout of its poll, where the kernel has no timer that can be polled: a request at a fixed rate
//! may be sent a millisecond late, which its latency shows.

use std::time::{Duration, Instant};

use anyhow::Result;
use mio::{Registry, Token};

pub(super) struct Alarm;

impl Alarm {
    pub(super) fn new(_: &Registry, _: Token) -> Result<Alarm> {
        Ok(Alarm)
    }

    /// Tells how long a poll may wait.
    pub(super) fn set(&mut self, at: Instant) -> Result<Option<Duration>> {
        Ok(Some(at.saturating_duration_since(Instant::now())))
    }

    /// It never rings.
    pub(super) fn rang(&mut self) {}
}
