//! The versions of a plugin: the one that new calls go to, and the one before while the new one is on probation.

use crate::{CallError, version::Version};
use sandbar_call::Outcome;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

/// How a new version is watched after it replaced another: within its first `calls` calls, `failures` of them that don't end
/// well bring the old one back. A call that the guest itself fails counts as one that ended well, since only the host knows
/// whether it should have. By default no version is on probation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probation {
    /// Calls that are watched.
    pub calls: u32,
    /// How many of them may not end well before the old version comes back; none is as one.
    pub failures: u32,
}

/// The versions of a plugin.
pub(crate) struct Versions {
    current: RwLock<Arc<Version>>,
    /// Counts replacements, so that who keeps something of a version sees that it is another now.
    generation: AtomicU64,
    before: Mutex<Option<Arc<Version>>>,
}

impl Versions {
    pub(crate) fn new(version: Version) -> Versions {
        let current = RwLock::new(Arc::new(version));
        Versions { current, generation: AtomicU64::new(0), before: Mutex::new(None) }
    }

    /// The version that new calls go to.
    pub(crate) fn current(&self) -> Arc<Version> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was another.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Acquire)
    }

    /// Lets new calls go to another version.
    pub(crate) fn replace(&self, version: Arc<Version>, probation: Probation) {
        version.calls.store(0, Relaxed);
        version.failures.store(0, Relaxed);
        let mut before = self.before();
        let old = self.install(version);
        *before = (probation.calls > 0).then_some(old);
    }

    /// Goes back to the version before, if there is one.
    pub(crate) fn roll_back(&self) -> bool {
        let mut before = self.before();
        let Some(version) = before.take() else { return false };
        self.install(version);
        true
    }

    /// Notes how a call of a version ended, which may end its probation.
    pub(crate) fn note(&self, version: &Arc<Version>, error: Option<&CallError>, probation: Probation) {
        if probation.calls == 0 || version.calls.load(Relaxed) > probation.calls {
            return;
        }
        let calls = version.calls.fetch_add(1, Relaxed) + 1;
        let failures = match error.map(|error| &error.outcome) {
            Some(
                Outcome::Trapped { .. } | Outcome::Stopped { .. } | Outcome::Refused { .. } | Outcome::Fault { .. },
            ) => version.failures.fetch_add(1, Relaxed) + 1,
            None | Some(Outcome::Done | Outcome::Failed { .. } | Outcome::Cancelled) => version.failures.load(Relaxed),
        };
        let mut before = self.before();
        // A version that was replaced meanwhile is no longer on probation.
        if !Arc::ptr_eq(&self.current(), version) {
            return;
        }
        if failures >= probation.failures.max(1) {
            if let Some(old) = before.take() {
                self.install(old);
            }
        } else if calls >= probation.calls {
            *before = None;
        }
    }

    fn install(&self, version: Arc<Version>) -> Arc<Version> {
        let old = std::mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), version);
        self.generation.fetch_add(1, Release);
        old
    }

    fn before(&self) -> MutexGuard<'_, Option<Arc<Version>>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
