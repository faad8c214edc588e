//! The room that all guests' sandboxes share: those that serve a call, and those that wait for one.

use crate::pool::Pool;
use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::sync::Semaphore;

/// Bounds the sandboxes of all guests together. A call holds one of the slots. Idle sandboxes hold none, and make way where
/// a new one would be more than there is room for.
pub(crate) struct Room {
    slots: Arc<Semaphore>,
    slots_max: usize,
    idle: AtomicUsize,
    pools: Mutex<Vec<Weak<Pool>>>,
}

impl Room {
    pub(crate) fn new(slots_max: usize) -> Room {
        let slots = Arc::new(Semaphore::new(slots_max));
        Room { slots, slots_max, idle: AtomicUsize::new(0), pools: Mutex::default() }
    }

    /// The rights to run a call.
    pub(crate) fn slots(&self) -> &Arc<Semaphore> {
        &self.slots
    }

    /// Takes in a guest's pool.
    pub(crate) fn enter(&self, pool: &Arc<Pool>) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// Counts idle sandboxes that came and that went.
    pub(crate) fn count(&self, came: usize, went: usize) {
        self.idle.fetch_add(came, Relaxed);
        self.idle.fetch_sub(went, Relaxed);
    }

    /// Makes room for the new sandbox of a call that has its slot.
    pub(crate) fn make(&self) {
        while self.is_full() && self.evict() {}
    }

    fn is_full(&self) -> bool {
        let serving = self.slots_max - self.slots.available_permits().min(self.slots_max);
        serving + self.idle.load(Relaxed) > self.slots_max
    }

    /// Drops an idle sandbox of some guest, another guest's each time.
    fn evict(&self) -> bool {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let found = pools.iter().position(|pool| pool.upgrade().is_some_and(|pool| pool.evict()));
        if let Some(found) = found {
            pools.rotate_left(found + 1);
        }
        found.is_some()
    }
}
