//! Tells a process from the one that it was forked from: a fork has none of its threads.
//!
//! Asking the system who one is takes as long as a small call of a plugin. So forks are counted instead, by a handler that the C
//! library calls in each child. It is not called where somebody forks behind the library's back, by a system call of their own.

#![allow(unsafe_code, reason = "a handler that the C library calls; see `watch`")]

use std::{
    io,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// How often this process was forked, counted from the one that first asked.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// A process, as long as it has not been forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u64);

impl Process {
    /// This one.
    ///
    /// # Errors
    /// The C library has no memory for the handler.
    pub(crate) fn this() -> io::Result<Process> {
        static WATCHED: OnceLock<i32> = OnceLock::new();
        match WATCHED.get_or_init(watch) {
            0 => Ok(Process(FORKS.load(Relaxed))),
            error => Err(io::Error::from_raw_os_error(*error)),
        }
    }

    /// Whether it is this one.
    pub(crate) fn is_this(self) -> bool {
        FORKS.load(Relaxed) == self.0
    }
}

extern "C" fn forked() {
    FORKS.fetch_add(1, Relaxed);
}

fn watch() -> i32 {
    // SAFETY: the handler does no more than count, which may be done at any time and on any thread; and it is there as long as
    // this library is, with which the C library forgets it.
    unsafe { libc::pthread_atfork(None, None, Some(forked)) }
}
