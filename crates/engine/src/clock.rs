//! Reads the clocks that meters and receipts are written by.
//!
//! Processor time is a call's own: it is read at the start and end of every poll of the call's future, on the thread that
//! polls. Between them the epoch tick reads it too, so that a limit on it holds against a guest that never returns.

use rustix::time::{ClockId, clock_gettime};
use std::{
    cell::Cell,
    time::{SystemTime, UNIX_EPOCH},
};

thread_local! {
    /// The thread's processor time when the call that it polls was last accounted for.
    static ACCOUNTED_NS: Cell<Option<u64>> = const { Cell::new(None) };
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

/// Processor time of this thread in nanoseconds.
pub(crate) fn thread_cpu_ns() -> u64 {
    nanoseconds(ClockId::ThreadCPUTime)
}

/// Processor time that an outer call on this thread has not been charged for yet, if there is an outer call.
pub(crate) struct Outer(Option<u64>);

/// Starts to account this thread's processor time to a call.
pub(crate) fn start_accounting() -> Outer {
    let now = thread_cpu_ns();
    let outer = ACCOUNTED_NS.replace(Some(now));
    Outer(outer.map(|accounted| now.saturating_sub(accounted)))
}

/// Returns the processor time since it was last accounted for.
pub(crate) fn account() -> u64 {
    let now = thread_cpu_ns();
    ACCOUNTED_NS.replace(Some(now)).map_or(0, |accounted| now.saturating_sub(accounted))
}

/// Ends what [`start_accounting`] began: an outer call on this thread goes on where it was.
pub(crate) fn stop_accounting(outer: &Outer) {
    ACCOUNTED_NS.set(outer.0.map(|pending| thread_cpu_ns().saturating_sub(pending)));
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    (time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64)
}
