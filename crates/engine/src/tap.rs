//! The meter of the call that a sandbox serves now. Streams, clocks and limiters of a sandbox outlive a call when the sandbox
//! is reused; through the tap they always charge the current one.

use sandbar_call::Meter;
use std::sync::{Arc, Mutex, PoisonError};

/// Shared by everything in one sandbox that charges.
#[derive(Clone)]
pub(crate) struct Tap(Arc<Mutex<Arc<Meter>>>);

impl Tap {
    pub(crate) fn new(meter: Arc<Meter>) -> Tap {
        Tap(Arc::new(Mutex::new(meter)))
    }

    /// The current call's meter.
    pub(crate) fn meter(&self) -> Arc<Meter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many hold it.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Turns to the next call's meter.
    pub(crate) fn turn(&self, meter: Arc<Meter>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = meter;
    }
}
