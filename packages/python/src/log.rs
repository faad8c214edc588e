//! What guests say, told to Python where Python can run.

use crate::call::lock;
use pyo3::prelude::*;
use sandbar_embed::{LogLevel, LogRecord};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
};

/// Records that wait to be told; beyond it the oldest go, since a plugin may be allowed to say more than anybody hears.
const RECORDS_MAX: usize = 16_384;

/// Records of one plugin, from the guest's stack to the thread that called it.
pub(crate) struct Records {
    /// Whom they are told to; none once it was collected.
    to: Option<Arc<Told>>,
    waiting: Mutex<VecDeque<LogRecord>>,
    are_there: AtomicBool,
}

/// A callable of Python that Python's collector may take away.
pub(crate) struct Told(Mutex<Option<Py<PyAny>>>);

impl Told {
    pub(crate) fn new(callable: Py<PyAny>) -> Arc<Told> {
        Arc::new(Told(Mutex::new(Some(callable))))
    }

    /// The callable, while it is there.
    pub(crate) fn get(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.0).as_ref().map(|callable| callable.clone_ref(py))
    }

    /// Shows it to Python's collector.
    pub(crate) fn visit(&self, mut visit: impl FnMut(&Py<PyAny>)) {
        if let Ok(callable) = self.0.try_lock()
            && let Some(callable) = callable.as_ref()
        {
            visit(callable);
        }
    }

    /// Lets it go.
    pub(crate) fn clear(&self) {
        let callable = lock(&self.0).take();
        drop(callable);
    }
}

impl Records {
    pub(crate) fn new(to: Option<Arc<Told>>) -> Records {
        Records { to, waiting: Mutex::default(), are_there: AtomicBool::new(false) }
    }

    /// Takes a record: on the guest's stack, with locks of the engine held.
    pub(crate) fn take(&self, record: LogRecord) {
        if self.to.is_some() {
            let mut waiting = lock(&self.waiting);
            if waiting.len() == RECORDS_MAX {
                waiting.pop_front();
            }
            waiting.push_back(record);
            self.are_there.store(true, Release);
        }
    }

    /// Tells what waits, on a thread that is not attached to Python and holds nothing.
    pub(crate) fn tell(&self) {
        let Some(to) = self.to.as_ref().filter(|_| self.are_there.swap(false, Acquire)) else { return };
        Python::try_attach(|py| {
            let Some(callable) = to.get(py) else { return };
            loop {
                let Some(record) = lock(&self.waiting).pop_front() else { return };
                let told = (level(record.level), record.guest.to_string(), record.call.to_string(), record.message);
                if let Err(error) = callable.call1(py, told) {
                    error.write_unraisable(py, Some(callable.bind(py)));
                }
            }
        });
    }
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}
