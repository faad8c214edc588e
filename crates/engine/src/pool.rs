//! Bounds how many sandboxes of a guest exist, and keeps those that may serve again.

use crate::{clock, sandbox::Sandbox};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout_at},
};

/// How long a sandbox lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// For one call.
    Fresh,
    /// For some calls, one after the other.
    Reused {
        /// At most this many.
        calls: u64,
        /// And at most this long without one.
        idle: Duration,
    },
    /// Until it breaks.
    Held,
}

/// How many sandboxes a guest may have, and how long a call waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Sandboxes that exist at one time.
    pub sandboxes_max: u32,
    /// Calls that wait for one at one time.
    pub waiting_max: u32,
    /// How long one waits.
    pub wait: Duration,
}

impl Default for PoolLimits {
    /// 256 sandboxes; 1,024 calls wait a second.
    fn default() -> Self {
        PoolLimits { sandboxes_max: 256, waiting_max: 1024, wait: Duration::from_secs(1) }
    }
}

/// The sandboxes of one guest.
pub(crate) struct Pool {
    policy: Policy,
    limits: PoolLimits,
    slots: Arc<Semaphore>,
    /// Slots over all guests.
    engine: Arc<Semaphore>,
    waiting: AtomicU32,
    idle: Mutex<Vec<Idle>>,
    reaping: AtomicBool,
}

struct Idle {
    sandbox: Sandbox,
    since_ns: u64,
}

/// The right to run one call. Calls hold slots and idle sandboxes do not: a new sandbox is made only when none is idle, so
/// there are never more sandboxes than slots.
pub(crate) struct Slot {
    _of_guest: OwnedSemaphorePermit,
    _of_engine: OwnedSemaphorePermit,
}

/// Every sandbox is busy.
pub(crate) struct Busy;

impl Pool {
    pub(crate) fn new(policy: Policy, limits: PoolLimits, engine: Arc<Semaphore>) -> Arc<Pool> {
        let slots = Arc::new(Semaphore::new(limits.sandboxes_max as usize));
        let idle = Mutex::default();
        Arc::new(Pool {
            policy,
            limits,
            slots,
            engine,
            waiting: AtomicU32::new(0),
            idle,
            reaping: AtomicBool::new(false),
        })
    }

    /// Takes the right to run a call, and an idle sandbox if there is one.
    pub(crate) async fn take(&self) -> Result<(Slot, Option<Sandbox>), Busy> {
        let mut until = None;
        let of_guest = self.permit(&self.slots, &mut until).await?;
        let of_engine = self.permit(&self.engine, &mut until).await?;
        Ok((Slot { _of_guest: of_guest, _of_engine: of_engine }, self.pop()))
    }

    /// Takes a permit, and waits for it until a time that the first wait of a call sets.
    async fn permit(&self, slots: &Arc<Semaphore>, until: &mut Option<Instant>) -> Result<OwnedSemaphorePermit, Busy> {
        if let Ok(slot) = slots.clone().try_acquire_owned() {
            return Ok(slot);
        }
        let _waiting = Waiting::join(&self.waiting, self.limits.waiting_max).ok_or(Busy)?;
        let until = *until.get_or_insert_with(|| Instant::now() + self.limits.wait);
        let slot = timeout_at(until, slots.clone().acquire_owned()).await;
        slot.map_err(|_| Busy)?.map_err(|_| Busy)
    }

    /// Gives a sandbox back after a call that ended well. The call's slot has to be dropped after this.
    pub(crate) fn give_back(self: &Arc<Self>, sandbox: Sandbox) {
        let keep = match self.policy {
            Policy::Fresh => false,
            Policy::Reused { calls, .. } => sandbox.calls() < calls,
            Policy::Held => true,
        };
        if keep {
            self.idle().push(Idle { sandbox, since_ns: clock::monotonic_ns() });
            self.reap_later();
        }
    }

    /// How long a caller had better wait before it tries again, in seconds.
    pub(crate) fn retry_after_s(&self) -> u32 {
        u32::try_from(self.limits.wait.as_secs()).unwrap_or(u32::MAX).max(1)
    }

    /// Calls that run now, and calls that wait.
    pub(crate) fn load(&self) -> (u32, u32) {
        let free = u32::try_from(self.slots.available_permits()).unwrap_or(u32::MAX);
        (self.limits.sandboxes_max.saturating_sub(free), self.waiting.load(Relaxed))
    }

    fn pop(&self) -> Option<Sandbox> {
        if self.policy == Policy::Fresh {
            return None;
        }
        let mut idle = self.idle();
        self.drop_expired(&mut idle);
        idle.pop().map(|idle| idle.sandbox)
    }

    fn drop_expired(&self, idle: &mut Vec<Idle>) {
        if let Policy::Reused { idle: most, .. } = self.policy {
            let oldest = clock::monotonic_ns().saturating_sub(u64::try_from(most.as_nanos()).unwrap_or(u64::MAX));
            idle.retain(|idle| idle.since_ns >= oldest);
        }
    }

    /// Sees to it that idle sandboxes go in time, with a task that ends when none is left.
    fn reap_later(self: &Arc<Self>) {
        let Policy::Reused { idle, .. } = self.policy else { return };
        if self.reaping.swap(true, Relaxed) {
            return;
        }
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                sleep(idle).await;
                let Some(pool) = pool.upgrade() else { return };
                let mut left = pool.idle();
                pool.drop_expired(&mut left);
                if left.is_empty() {
                    pool.reaping.store(false, Relaxed);
                    return;
                }
            }
        });
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a call that waits.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn join(waiting: &'a AtomicU32, most: u32) -> Option<Waiting<'a>> {
        let joined = waiting.fetch_update(Relaxed, Relaxed, |now| (now < most).then_some(now + 1)).is_ok();
        joined.then(|| Waiting(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
