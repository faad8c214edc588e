//! When requests are due.

use std::time::{Duration, Instant};

use super::run::Span;

/// The pace of one target.
pub(super) enum Pace {
    /// Whenever a connection is idle.
    AsAnswered {
        /// From then on, nothing is due.
        end: Instant,
    },
    /// At a fixed rate, whatever became of earlier requests.
    Fixed(Schedule),
}

/// Request `n` is due `n / rate` seconds after the start: counted from there, and not from the one before it, so that
/// nothing adds up.
pub(super) struct Schedule {
    span: Span,
    rate: f64,
    taken: u64,
}

impl Pace {
    pub(super) fn new(rate: Option<f64>, span: Span) -> Pace {
        match rate {
            None => Pace::AsAnswered { end: span.end },
            Some(rate) => Pace::Fixed(Schedule { span, rate, taken: 0 }),
        }
    }

    /// The moment of the next request, where it does not depend on answers.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Pace::AsAnswered { .. } => None,
            Pace::Fixed(schedule) => schedule.due(),
        }
    }

    /// Takes a request that is due now, or has been, and tells since when.
    pub(super) fn take(&mut self, now: Instant) -> Option<Instant> {
        match self {
            Pace::AsAnswered { end } => (now < *end).then_some(now),
            Pace::Fixed(schedule) => {
                let due = schedule.due().filter(|due| *due <= now)?;
                schedule.taken += 1;
                Some(due)
            }
        }
    }
}

impl Schedule {
    fn due(&self) -> Option<Instant> {
        let after = Duration::try_from_secs_f64(self.taken as f64 / self.rate).ok()?;
        self.span.start.checked_add(after).filter(|due| *due < self.span.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(rate: Option<f64>) -> (Pace, Instant) {
        let start = Instant::now();
        (Pace::new(rate, Span { start, end: start + SECOND }), start)
    }

    /// How many requests can be taken at a moment.
    fn taken(pace: &mut Pace, now: Instant) -> usize {
        std::iter::from_fn(|| pace.take(now)).count()
    }

    #[test]
    fn a_fixed_rate_is_kept_to_the_end() {
        let (mut pace, start) = pace(Some(300.0));
        assert_eq!((taken(&mut pace, start), taken(&mut pace, start)), (1, 0));
        assert_eq!(pace.due(), Some(start + SECOND.div_f64(300.0)));
        assert_eq!(taken(&mut pace, start + SECOND / 2), 150);
        assert_eq!(taken(&mut pace, start + 9 * SECOND), 149, "nothing is due after the end");
        assert_eq!(pace.due(), None);
    }

    #[test]
    fn what_came_while_nobody_looked_is_due_since_then() {
        let (mut pace, start) = pace(Some(10.0));
        let late = start + SECOND.mul_f64(0.35);
        let waited: Vec<u128> =
            std::iter::from_fn(|| pace.take(late)).map(|due| (late - due).as_millis().div_ceil(10) * 10).collect();
        assert_eq!(waited, [350, 250, 150, 50]);
    }

    #[test]
    fn as_answered_there_is_always_one_until_the_end() {
        let (mut pace, start) = pace(None);
        assert_eq!((pace.take(start), pace.take(start), pace.due()), (Some(start), Some(start), None));
        assert_eq!(pace.take(start + SECOND), None);
    }

    #[test]
    fn a_rate_too_low_for_a_clock_asks_once() {
        let (mut pace, start) = pace(Some(f64::MIN_POSITIVE));
        assert_eq!(taken(&mut pace, start + 9 * SECOND), 1);
    }
}
