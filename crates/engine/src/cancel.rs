//! Ends one call from outside of it, from any thread.
//!
//! A call that is a future is cancelled by dropping it. A call that has its caller's thread can't be, so it looks here: at each
//! tick where the guest runs, and woken from here where it waits.

use futures::task::AtomicWaker;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Waker},
};

/// Ends the call that it was given to, and every later one. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cancelled: AtomicBool,
    waker: AtomicWaker,
}

impl Cancel {
    /// One that no call was given yet.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Ends the call: within two ticks where the guest runs, at once where it waits.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Relaxed);
        self.0.waker.wake();
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Relaxed)
    }

    /// Whether it was cancelled; otherwise wakes this task once it is.
    pub fn poll(&self, cx: &mut Context<'_>) -> bool {
        self.register(cx.waker());
        self.is_cancelled()
    }

    fn register(&self, waker: &Waker) {
        self.0.waker.register(waker);
    }
}

/// What ends a guest whose call was cancelled while it ran.
#[derive(Debug)]
pub(crate) struct Cancelled;

impl std::fmt::Display for Cancelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the call was cancelled")
    }
}

impl std::error::Error for Cancelled {}
