//! Reads the clocks that meters and receipts are written by.
//!
//! Processor time is a call's own: it is taken at the start and end of every poll of the call's future, on the thread that
//! polls. Between them every tick takes it too, so that a limit on it holds against a guest that never returns.
//!
//! The kernel takes as long to tell a thread's processor time as many a guest to answer, and the monotonic clock costs next
//! to nothing. So a short time is charged as the monotonic clock has it, and a long one as the thread's clock has it since
//! that was last read, at most 100 µs before. What is charged is never less than what was used. It is more only where the
//! thread lost its processor meanwhile, and then by at most 100 µs each time.

use rustix::time::{ClockId, clock_gettime};
use std::{
    cell::Cell,
    time::{SystemTime, UNIX_EPOCH},
};

/// A shorter time is charged as the monotonic clock has it.
const EXACT_NS: u64 = 100_000;

/// A moment on this thread.
#[derive(Clone, Copy)]
struct Moment {
    /// By the monotonic clock.
    at_ns: u64,
    /// By the thread's clock, which was at least this.
    cpu_ns: u64,
}

thread_local! {
    /// When the thread's clock was last read.
    static READ: Cell<Moment> = const { Cell::new(Moment { at_ns: 0, cpu_ns: 0 }) };
    /// When the call that the thread polls was last accounted for.
    static ACCOUNTED: Cell<Option<Moment>> = const { Cell::new(None) };
    /// What was accounted for since the thread began to poll that call.
    static RUN_NS: Cell<u64> = const { Cell::new(0) };
}

/// Monotonic time in nanoseconds.
pub fn monotonic_ns() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

/// Time of day in milliseconds since 1970-01-01 UTC; zero if the clock stands before it.
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Processor time that an outer call on this thread has not been charged for yet, if there is an outer call.
pub(crate) struct Outer {
    pending_ns: Option<u64>,
    run_ns: u64,
}

/// Starts to account this thread's processor time to a call: from now on, or from a moment before, on the monotonic clock.
pub(crate) fn start_accounting(from_ns: Option<u64>) -> Outer {
    let pending_ns = ACCOUNTED.get().map(|_| account());
    ACCOUNTED.set(Some(Moment::at(from_ns.unwrap_or_else(monotonic_ns))));
    Outer { pending_ns, run_ns: RUN_NS.replace(0) }
}

/// While it lives, this thread's processor time is accounted to no call. An outer call has it accounted to itself then.
pub(crate) struct ToNobody(Option<Moment>);

impl ToNobody {
    pub(crate) fn start() -> ToNobody {
        ToNobody(ACCOUNTED.replace(None))
    }
}

impl Drop for ToNobody {
    fn drop(&mut self) {
        ACCOUNTED.set(self.0);
    }
}

/// Whether this thread's processor time is accounted to a call.
pub(crate) fn accounts() -> bool {
    ACCOUNTED.get().is_some()
}

/// The processor time that was accounted for since the thread began to poll the call: how long it has not given way.
pub(crate) fn run_ns() -> u64 {
    RUN_NS.get()
}

/// When this thread's processor time was last accounted for, on the monotonic clock: just now, after [`account`].
pub(crate) fn accounted_ns() -> u64 {
    ACCOUNTED.get().map_or_else(monotonic_ns, |accounted| accounted.at_ns)
}

/// Returns the processor time since it was last accounted for.
pub(crate) fn account() -> u64 {
    let used_ns = unaccounted();
    RUN_NS.set(RUN_NS.get() + used_ns);
    used_ns
}

fn unaccounted() -> u64 {
    let Some(accounted) = ACCOUNTED.get() else { return 0 };
    let at_ns = monotonic_ns();
    let passed_ns = at_ns.saturating_sub(accounted.at_ns);
    if passed_ns < EXACT_NS {
        ACCOUNTED.set(Some(Moment { at_ns, ..accounted }));
        return passed_ns;
    }
    let now = Moment::read(at_ns);
    ACCOUNTED.set(Some(now));
    now.cpu_ns.saturating_sub(accounted.cpu_ns).min(passed_ns)
}

/// Ends what [`start_accounting`] began: an outer call on this thread goes on where it was.
pub(crate) fn stop_accounting(outer: &Outer) {
    RUN_NS.set(outer.run_ns);
    ACCOUNTED.set(outer.pending_ns.map(|pending_ns| {
        let now = Moment::at(monotonic_ns());
        let earlier = |ns: u64| ns.saturating_sub(pending_ns);
        Moment { at_ns: earlier(now.at_ns), cpu_ns: earlier(now.cpu_ns) }
    }));
}

impl Moment {
    /// Just now, by a thread's clock that was read not long ago.
    fn at(at_ns: u64) -> Moment {
        let read = READ.get();
        if at_ns.saturating_sub(read.at_ns) < EXACT_NS { Moment { at_ns, ..read } } else { Moment::read(at_ns) }
    }

    fn read(at_ns: u64) -> Moment {
        let now = Moment { at_ns, cpu_ns: nanoseconds(ClockId::ThreadCPUTime) };
        READ.set(now);
        now
    }
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    (time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{thread::sleep, time::Duration};

    const MS: u64 = 1_000_000;

    fn work(ns: u64) {
        let until = nanoseconds(ClockId::ThreadCPUTime) + ns;
        while nanoseconds(ClockId::ThreadCPUTime) < until {}
    }

    #[test]
    fn what_is_used_is_charged_and_what_is_waited_is_not() {
        for _ in 0..5 {
            let outer = start_accounting(None);
            work(5 * MS);
            sleep(Duration::from_millis(30));
            let charged = account();
            assert!((5 * MS..8 * MS).contains(&charged), "{charged}");
            work(EXACT_NS / 10);
            assert!(account() >= EXACT_NS / 10);
            assert!((charged..charged + MS).contains(&run_ns()), "{}", run_ns());
            stop_accounting(&outer);
            assert_eq!(run_ns(), 0);
            work(EXACT_NS / 2);
        }
        assert_eq!(account(), 0, "no call is polled");
    }

    #[test]
    fn a_call_in_a_call_is_charged_for_itself() {
        let none = start_accounting(None);
        work(3 * MS);
        let outer = start_accounting(None);
        work(9 * MS);
        assert!((9 * MS..11 * MS).contains(&account()));
        stop_accounting(&outer);
        work(MS);
        let charged = account();
        assert!((4 * MS..6 * MS).contains(&charged), "{charged}");
        stop_accounting(&none);
    }
}
