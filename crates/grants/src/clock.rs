//! Clocks, coarse unless granted fine.
//!
//! A fine clock is what a timing attack measures with, so a guest gets milliseconds by default. Readings are rounded down, and
//! timers end at the first step that is not before the instant they were set for: whoever waited until then reads that it is
//! then. Monotonic time starts with this process, so that it doesn't tell how long the host has been up.

use crate::Problem;
use std::{
    sync::LazyLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How fine the clocks of a guest are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resolution {
    /// A millisecond.
    #[default]
    Coarse,
    /// What the host has.
    Fine,
}

impl Resolution {
    /// Reads `coarse` or `fine`.
    pub(crate) fn parse(text: &str) -> Result<Resolution, Problem> {
        match text {
            "coarse" => Ok(Resolution::Coarse),
            "fine" => Ok(Resolution::Fine),
            _ => Err(Problem::new("a clock is `coarse` or `fine`")),
        }
    }

    /// The step of readings, in nanoseconds.
    pub const fn step_ns(self) -> u64 {
        match self {
            Resolution::Coarse => 1_000_000,
            Resolution::Fine => 1,
        }
    }
}

/// Monotonic time in nanoseconds, from a fixed point in this process.
pub fn monotonic_ns(resolution: Resolution) -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let now = u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX);
    round_down(now, resolution)
}

/// Wall time since 1970-01-01 UTC; zero where the host's clock stands before that.
pub fn wall(resolution: Resolution) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::new(now.as_secs(), u32::try_from(round_down(now.subsec_nanos().into(), resolution)).unwrap_or(0))
}

/// How long to wait until a clock that reads `fine_ns` reads at least `until_ns` at a resolution. In nanoseconds.
pub const fn wait_until_ns(fine_ns: u64, until_ns: u64, resolution: Resolution) -> u64 {
    match until_ns.checked_next_multiple_of(resolution.step_ns()) {
        Some(step) => step.saturating_sub(fine_ns),
        None => u64::MAX,
    }
}

/// How long to wait until a clock that reads `fine_ns` has moved on by a duration at a resolution. In nanoseconds.
pub const fn wait_for_ns(fine_ns: u64, duration_ns: u64, resolution: Resolution) -> u64 {
    match duration_ns {
        0 => 0,
        _ => wait_until_ns(fine_ns, round_down(fine_ns, resolution).saturating_add(duration_ns), resolution),
    }
}

const fn round_down(now_ns: u64, resolution: Resolution) -> u64 {
    now_ns - now_ns % resolution.step_ns()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarse_readings_are_whole_milliseconds() {
        assert_eq!(monotonic_ns(Resolution::Coarse) % 1_000_000, 0);
        assert_eq!(wall(Resolution::Coarse).subsec_nanos() % 1_000_000, 0);
        assert_eq!(round_down(1_999_999, Resolution::Coarse), 1_000_000);
        assert_eq!(round_down(1_999_999, Resolution::Fine), 1_999_999);
        assert!(monotonic_ns(Resolution::Coarse) <= monotonic_ns(Resolution::Fine));
    }

    #[test]
    fn a_timer_ends_once_its_clock_reads_so() {
        let (coarse, fine) = (Resolution::Coarse, Resolution::Fine);
        for (now, until, resolution, expected) in [
            (1_400_000, 2_000_000, coarse, 600_000),
            (1_400_000, 2_000_001, coarse, 1_600_000),
            (1_400_000, 1_000_000, coarse, 0),
            (1_400_000, 1_300_000, coarse, 600_000),
            (1_400_000, 0, coarse, 0),
            (1_400_000, u64::MAX, coarse, u64::MAX),
            (1_400_000, 1_400_007, fine, 7),
        ] {
            assert_eq!(wait_until_ns(now, until, resolution), expected, "{now} {until}");
        }
        for (now, duration, resolution, expected) in [
            (1_400_000, 0, coarse, 0),
            (1_400_000, 1, coarse, 600_000),
            (1_400_000, 1_000_000, coarse, 600_000),
            (1_400_000, 1_000_001, coarse, 1_600_000),
            (1_400_000, u64::MAX, coarse, u64::MAX),
            (1_400_000, 7, fine, 7),
        ] {
            assert_eq!(wait_for_ns(now, duration, resolution), expected, "{now} {duration}");
        }
    }

    #[test]
    fn a_resolution_is_one_of_two_words() {
        assert_eq!(Resolution::parse("fine"), Ok(Resolution::Fine));
        assert_eq!(Resolution::parse("coarse"), Ok(Resolution::default()));
        assert!(Resolution::parse("Fine").is_err());
    }
}
