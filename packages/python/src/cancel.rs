//! What ends calls from outside.

use crate::call::{Running, lock};
use pyo3::prelude::*;
use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicBool, Ordering::SeqCst},
};

/// Ends every call that it was given to, and every later one.
#[pyclass(frozen, module = "sandbar")]
#[derive(Default)]
pub(crate) struct Cancel {
    is_cancelled: AtomicBool,
    calls: Mutex<Vec<Weak<Running>>>,
}

#[pymethods]
impl Cancel {
    #[new]
    fn new() -> Cancel {
        Cancel::default()
    }

    /// Ends the calls, from any thread: where a guest runs within a few milliseconds, where it waits at once.
    fn cancel(&self, py: Python<'_>) {
        self.is_cancelled.store(true, SeqCst);
        py.detach(|| {
            let calls: Vec<_> = lock(&self.calls).iter().filter_map(Weak::upgrade).collect();
            calls.iter().for_each(|call| call.end());
        });
    }

    /// Whether it was cancelled.
    #[getter]
    fn cancelled(&self) -> bool {
        self.is_cancelled.load(SeqCst)
    }

    fn __repr__(&self) -> &'static str {
        if self.cancelled() { "<Cancel, cancelled>" } else { "<Cancel>" }
    }
}

impl Cancel {
    /// Gives it a call, which it ends at once where it was cancelled before.
    pub(crate) fn given_to(&self, call: &Arc<Running>) {
        let mut calls = lock(&self.calls);
        calls.retain(|call| call.strong_count() > 0);
        calls.push(Arc::downgrade(call));
        drop(calls);
        if self.cancelled() {
            call.end();
        }
    }
}
