//! Clocks at the resolution that is granted.

use super::used;
use crate::tap::Tap;
use sandbar_call::GrantKind;
use sandbar_grants::{Resolution, clock};
use std::time::Duration;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// Time of day.
pub(crate) struct Wall {
    resolution: Resolution,
    tap: Tap,
}

/// Monotonic time.
pub(crate) struct Monotonic {
    resolution: Resolution,
    tap: Tap,
}

impl Wall {
    pub(crate) fn new(resolution: Resolution, tap: Tap) -> Wall {
        Wall { resolution, tap }
    }
}

impl Monotonic {
    pub(crate) fn new(resolution: Resolution, tap: Tap) -> Monotonic {
        Monotonic { resolution, tap }
    }
}

impl HostWallClock for Wall {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(self.resolution.step_ns())
    }

    fn now(&self) -> Duration {
        used(&self.tap, GrantKind::Clock);
        clock::wall(self.resolution)
    }
}

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        self.resolution.step_ns()
    }

    fn now(&self) -> u64 {
        used(&self.tap, GrantKind::Clock);
        clock::monotonic_ns(self.resolution)
    }
}
