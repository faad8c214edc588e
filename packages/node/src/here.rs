//! Calls that the JavaScript thread waits for: it serves them itself.
//!
//! A guest that calls a function of the host waits for it outside of its own stack, and the thread, back on its own, calls
//! JavaScript and goes on.

use crate::route::Asked;
use std::{
    future::Future,
    mem,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

/// What the thread that waits is asked for.
pub(crate) struct Here {
    thread: Thread,
    woken: AtomicBool,
    asked: Mutex<Vec<Asked>>,
}

impl Here {
    /// For calls that this thread waits for.
    pub(crate) fn new() -> Arc<Here> {
        Arc::new(Here { thread: thread::current(), woken: AtomicBool::new(false), asked: Mutex::default() })
    }

    /// Asks the thread that waits.
    pub(crate) fn ask(self: &Arc<Self>, asked: Asked) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        self.wake_by_ref();
    }

    /// Runs a future to its end on this thread, and serves what it asks for.
    pub(crate) fn drive<T>(self: &Arc<Self>, future: impl Future<Output = T>, mut serve: impl FnMut(Asked)) -> T {
        let mut future = pin!(future);
        let waker = Waker::from(self.clone());
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return value;
            }
            loop {
                let all = mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner));
                all.into_iter().for_each(&mut serve);
                if self.woken.swap(false, Acquire) {
                    break;
                }
                thread::park();
            }
        }
    }
}

impl Wake for Here {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Release) {
            self.thread.unpark();
        }
    }
}
