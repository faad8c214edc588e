//! Bounds how many sandboxes of a guest exist, and keeps those that may serve again.

use crate::{clock, renewal::Renewal, room::Room, sandbox::Sandbox};
use sandbar_call::{Outcome, Refusal};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
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
    /// What all guests share.
    room: Arc<Room>,
    waiting: AtomicU32,
    idle: Mutex<Vec<Idle>>,
    reaping: AtomicBool,
    renewal: Option<Arc<Renewal>>,
}

/// How long a renewed sandbox waits for its next call.
const RENEWED_IDLE: Duration = Duration::from_secs(1);

struct Idle {
    sandbox: Box<Sandbox>,
    since_ns: u64,
}

/// The right of one sandbox to serve calls. Idle sandboxes have none: a new one is made only when none is idle, so there are
/// never more sandboxes than slots.
pub(crate) struct Slot {
    _of_guest: OwnedSemaphorePermit,
    _of_engine: OwnedSemaphorePermit,
}

/// Every sandbox is busy.
pub(crate) struct Busy;

impl Pool {
    pub(crate) fn new(policy: Policy, limits: PoolLimits, room: Arc<Room>, renewal: Option<Arc<Renewal>>) -> Arc<Pool> {
        let pool = Arc::new(Pool {
            policy,
            limits,
            slots: Arc::new(Semaphore::new(limits.sandboxes_max as usize)),
            room,
            waiting: AtomicU32::new(0),
            idle: Mutex::default(),
            reaping: AtomicBool::new(false),
            renewal,
        });
        pool.room.enter(&pool);
        pool
    }

    /// Takes a slot, and an idle sandbox if there is one. Otherwise there is room for a new one.
    pub(crate) async fn take(&self) -> Result<(Slot, Option<Box<Sandbox>>), Busy> {
        let slot = self.slot().await?;
        let idle = self.pop();
        if idle.is_none() {
            self.room.make();
        }
        Ok((slot, idle))
    }

    /// Takes a slot, and makes room for the sandbox that is to be held in it.
    pub(crate) async fn take_new(&self) -> Result<Slot, Busy> {
        let slot = self.slot().await?;
        self.room.make();
        Ok(slot)
    }

    async fn slot(&self) -> Result<Slot, Busy> {
        let mut until = None;
        let of_guest = self.permit(&self.slots, &mut until).await?;
        let of_engine = self.permit(self.room.slots(), &mut until).await?;
        Ok(Slot { _of_guest: of_guest, _of_engine: of_engine })
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

    /// Whether a sandbox may serve another call as it is, after so many.
    pub(crate) fn keeps(&self, calls: u64) -> bool {
        match self.policy {
            Policy::Fresh => false,
            Policy::Reused { calls: most, .. } => calls < most,
            Policy::Held => true,
        }
    }

    /// Gives a sandbox back that may serve another call.
    pub(crate) fn give_back(self: &Arc<Self>, mut sandbox: Box<Sandbox>) {
        let slot = sandbox.slot.take();
        self.room.count(1, 0);
        self.idle().push(Idle { sandbox, since_ns: clock::monotonic_ns() });
        // Whoever gets it next finds the sandbox.
        drop(slot);
        self.reap_later();
    }

    /// Drops the sandbox that has been idle longest, and tells whether there was one.
    pub(crate) fn evict(&self) -> bool {
        let mut idle = self.idle();
        let evicted = (!idle.is_empty()).then(|| idle.remove(0));
        drop(idle);
        self.room.count(0, usize::from(evicted.is_some()));
        evicted.is_some()
    }

    /// How a call ends for which no sandbox was free in time.
    pub(crate) fn busy(&self) -> Outcome {
        let retry_after_s = u32::try_from(self.limits.wait.as_secs()).unwrap_or(u32::MAX).max(1);
        Outcome::Refused { why: Refusal::Busy { retry_after_s } }
    }

    /// Calls that run now, and calls that wait.
    pub(crate) fn load(&self) -> (u32, u32) {
        let free = u32::try_from(self.slots.available_permits()).unwrap_or(u32::MAX);
        (self.limits.sandboxes_max.saturating_sub(free), self.waiting.load(Relaxed))
    }

    fn pop(&self) -> Option<Box<Sandbox>> {
        let mut idle = self.idle();
        self.drop_expired(&mut idle);
        let sandbox = idle.pop()?.sandbox;
        self.room.count(0, 1);
        Some(sandbox)
    }

    /// How long a sandbox stays idle.
    fn idle_most(&self) -> Option<Duration> {
        match self.policy {
            Policy::Fresh => Some(RENEWED_IDLE),
            Policy::Reused { idle, .. } => Some(idle),
            Policy::Held => None,
        }
    }

    fn drop_expired(&self, idle: &mut Vec<Idle>) {
        let Some(most) = self.idle_most() else { return };
        let oldest = clock::monotonic_ns().saturating_sub(u64::try_from(most.as_nanos()).unwrap_or(u64::MAX));
        // The longest idle come first.
        let expired = idle.iter().take_while(|idle| idle.since_ns < oldest).count();
        idle.drain(..expired);
        self.room.count(0, expired);
    }

    /// Sees to it that idle sandboxes go in time, with a task that ends when none is left.
    fn reap_later(self: &Arc<Self>) {
        let Some(idle) = self.idle_most() else { return };
        if self.reaping.swap(true, Relaxed) {
            return;
        }
        let reaping = Reaping(Arc::downgrade(self));
        tokio::spawn(async move {
            loop {
                sleep(idle).await;
                let Some(pool) = reaping.0.upgrade() else { return };
                let mut left = pool.idle();
                pool.drop_expired(&mut left);
                if left.is_empty() {
                    pool.reaping.store(false, Relaxed);
                    if let Some(renewal) = &pool.renewal {
                        renewal.rest();
                    }
                    return;
                }
            }
        });
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that reaps a pool. Also where it ends with its runtime, the next sandbox that is given back starts another.
struct Reaping(Weak<Pool>);

impl Drop for Reaping {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.reaping.store(false, Relaxed);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.room.count(0, self.idle().len());
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
