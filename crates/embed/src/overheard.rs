//! Keeps what the log says of a call that ends as a fault, for whoever made the call: receipts don't tell it.

use sandbar_call::CallId;
use sandbar_engine::{Log, LogLevel, LogRecord};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// How many such messages are kept: of calls that end at one time.
const KEPT_MAX: usize = 64;

/// Hands records on, and keeps those of faults.
pub(crate) struct Overheard {
    to: Arc<dyn Log>,
    kept: Mutex<VecDeque<(CallId, Arc<str>)>>,
}

impl Overheard {
    pub(crate) fn new(to: Arc<dyn Log>) -> Overheard {
        Overheard { to, kept: Mutex::default() }
    }

    /// Takes what was said of a call.
    pub(crate) fn of(&self, call: CallId) -> Option<Arc<str>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(of, _)| *of == call)?;
        kept.remove(at).map(|(_, message)| message)
    }
}

impl Log for Overheard {
    fn log(&self, record: LogRecord) {
        if record.level == LogLevel::Error {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == KEPT_MAX {
                kept.pop_front();
            }
            let message = record.message.strip_prefix("fault: ").unwrap_or(&record.message);
            kept.push_back((record.call, message.into()));
        }
        self.to.log(record);
    }
}
