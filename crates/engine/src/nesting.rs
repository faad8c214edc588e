//! Calls that lie in each other on one thread: a guest calls a function of its host, which calls another guest.
//!
//! The inner call ends no later than the outer one has to; and since ticks go to the inner one, the outer one is looked at when
//! it goes on.

use crate::clock;
use std::cell::Cell;

/// How many calls without a fiber may lie in each other: each may take 512 KiB of the thread's own stack, and 2 MiB is what a
/// thread has at least.
const DIRECT_MAX: u32 = 2;

/// When a call has to have ended.
#[derive(Clone, Copy)]
pub(crate) enum Deadline {
    /// On the monotonic clock.
    At(u64),
    /// In so many nanoseconds from when somebody asks.
    In(u64),
}

#[derive(Clone, Copy)]
struct Nest {
    /// When the innermost call has to have ended.
    deadline: Deadline,
    /// How many calls there are, and how many of them are without a fiber.
    calls: u32,
    direct: u32,
}

thread_local! {
    static NEST: Cell<Nest> = const { Cell::new(Nest { deadline: Deadline::At(u64::MAX), calls: 0, direct: 0 }) };
    /// Whether a call ended in another one, since somebody last asked.
    static INNER_ENDED: Cell<bool> = const { Cell::new(false) };
}

impl Deadline {
    fn or_before(self, other_ns: u64) -> Deadline {
        Deadline::At(match self {
            Deadline::At(deadline_ns) => deadline_ns.min(other_ns),
            Deadline::In(within_ns) => clock::monotonic_ns().saturating_add(within_ns).min(other_ns),
        })
    }
}

/// A call runs on this thread while this lives.
pub(crate) struct Nested(Nest);

/// When a call that begins here has to have ended at the latest.
pub(crate) fn deadline_ns() -> u64 {
    let nest = NEST.get();
    match nest.deadline {
        Deadline::At(deadline_ns) => deadline_ns,
        Deadline::In(within_ns) => {
            let deadline_ns = clock::monotonic_ns().saturating_add(within_ns);
            NEST.set(Nest { deadline: Deadline::At(deadline_ns), ..nest });
            deadline_ns
        }
    }
}

/// Whether one more call without a fiber may begin here.
pub(crate) fn has_stack() -> bool {
    NEST.get().direct < DIRECT_MAX
}

/// Notes that a call runs here.
pub(crate) fn enter(deadline_ns: u64) -> Nested {
    let before = NEST.get();
    NEST.set(Nest { deadline: Deadline::At(deadline_ns), calls: before.calls + 1, ..before });
    Nested(before)
}

/// Notes that a call without a fiber runs here.
pub(crate) fn enter_directly(deadline: Deadline) -> Nested {
    let before = NEST.get();
    let deadline = if before.calls == 0 { deadline } else { deadline.or_before(deadline_ns()) };
    NEST.set(Nest { deadline, calls: before.calls + 1, direct: before.direct + 1 });
    Nested(before)
}

/// Whether a call ended in the one that runs here, since this was last asked.
pub(crate) fn inner_ended() -> bool {
    INNER_ENDED.replace(false)
}

impl Drop for Nested {
    fn drop(&mut self) {
        NEST.set(self.0);
        if self.0.calls > 0 {
            INNER_ENDED.set(true);
        }
    }
}
