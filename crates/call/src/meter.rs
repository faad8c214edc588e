//! The one meter of a call: guest code and host code charge it through one function, and there is one reason to stop.
//!
//! It lives outside the sandbox (in an `Arc`), so that a receipt survives the drop of the store and a cancelled future.
//! Amounts are relaxed atomics: a call is charged by one task at a time, and the few that overlap (a body that streams while
//! the guest runs) only add.

use crate::{Denial, GrantKind, Limits, Resource, Span};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

/// A charge that went over its limit. The call ends with this reason, the first one that was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop(pub Resource);

impl core::fmt::Display for Stop {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the call's limit of `{}` is used up", self.0.key())
    }
}

impl core::error::Error for Stop {}

/// How many denials a receipt keeps; the rest is counted.
pub const DENIALS_MAX: usize = 32;

/// What a call has used, against its limits.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    /// Sums, and for levels the peak.
    used: [AtomicU64; Resource::COUNT],
    /// Levels now; unused for sums.
    level: [AtomicU64; Resource::COUNT],
    grant_calls: [AtomicU32; GrantKind::COUNT],
    longest_run_ns: AtomicU64,
    /// 0, or the index of the resource that stopped the call plus one.
    stop: AtomicU8,
    has_denials: AtomicBool,
    denials: spin::Mutex<Denials>,
}

#[derive(Debug, Default)]
struct Denials {
    kept: Vec<Denial>,
    dropped: u64,
}

impl Meter {
    /// Starts at zero under these limits.
    pub fn new(limits: Limits) -> Meter {
        Meter {
            limits,
            used: [const { AtomicU64::new(0) }; Resource::COUNT],
            level: [const { AtomicU64::new(0) }; Resource::COUNT],
            grant_calls: [const { AtomicU32::new(0) }; GrantKind::COUNT],
            longest_run_ns: AtomicU64::new(0),
            stop: AtomicU8::new(0),
            has_denials: AtomicBool::new(false),
            denials: spin::Mutex::new(Denials::default()),
        }
    }

    /// Notes for how much processor time the call ran without giving way, in nanoseconds.
    pub fn ran(&self, run_ns: u64) {
        self.longest_run_ns.fetch_max(run_ns, Relaxed);
    }

    /// The most processor time that the call ran for without giving way, in nanoseconds.
    pub fn longest_run_ns(&self) -> u64 {
        self.longest_run_ns.load(Relaxed)
    }

    /// Starts over for another call of the same owner: sums at zero, levels as they are, under the same limits.
    pub fn renew(&self) {
        for (&resource, used) in Resource::ALL.iter().zip(&self.used) {
            let now = match resource.span() {
                Span::Sum => 0,
                Span::Level => self.level[resource.index()].load(Relaxed),
            };
            used.store(now, Relaxed);
        }
        self.grant_calls.iter().for_each(|count| count.store(0, Relaxed));
        self.longest_run_ns.store(0, Relaxed);
        self.stop.store(0, Relaxed);
        if self.has_denials.load(Relaxed) {
            self.has_denials.store(false, Relaxed);
            *self.denials.lock() = Denials::default();
        }
    }

    /// The limits that it holds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Adds `amount` of a resource, in its unit. Over the limit the amount stays charged, up to the limit itself, and the
    /// call has to stop.
    ///
    /// # Errors
    /// The first reason to stop that this meter saw, which later charges return too.
    pub fn charge(&self, resource: Resource, amount: u64) -> Result<(), Stop> {
        let most = self.limits.most(resource);
        let at = resource.index();
        let now = match resource.span() {
            Span::Sum => add(&self.used[at], amount, most),
            Span::Level => {
                let now = add(&self.level[at], amount, most);
                self.used[at].fetch_max(now.min(most), Relaxed);
                now
            }
        };
        if now > most { Err(self.stop(resource)) } else { Ok(()) }
    }

    /// Whether `amount` more of a resource would stay within its limit. Charges nothing.
    pub fn fits(&self, resource: Resource, amount: u64) -> bool {
        let now = match resource.span() {
            Span::Sum => &self.used,
            Span::Level => &self.level,
        };
        now[resource.index()].load(Relaxed).saturating_add(amount) <= self.limits.most(resource)
    }

    /// What is left of a resource, `u64::MAX` where it is not bounded.
    pub fn left(&self, resource: Resource) -> u64 {
        match self.limits.get(resource) {
            None => u64::MAX,
            Some(most) => most.saturating_sub(self.used[resource.index()].load(Relaxed)),
        }
    }

    /// Lowers a level. Sums never go down.
    pub fn release(&self, resource: Resource, amount: u64) {
        debug_assert!(resource.span() == Span::Level);
        let level = &self.level[resource.index()];
        let _ = level.fetch_update(Relaxed, Relaxed, |now| Some(now.saturating_sub(amount)));
    }

    /// Sets a sum that is measured as a whole by one at a time, such as wall time, and checks its limit.
    ///
    /// # Errors
    /// As [`Meter::charge`].
    pub fn measure(&self, resource: Resource, amount: u64) -> Result<(), Stop> {
        let (most, used) = (self.limits.most(resource), &self.used[resource.index()]);
        if amount > used.load(Relaxed) {
            used.store(amount, Relaxed);
        }
        if amount > most { Err(self.stop(resource)) } else { Ok(()) }
    }

    /// Records that the call has to stop because of a resource, and returns the reason that came first.
    pub fn stop(&self, resource: Resource) -> Stop {
        let _ = self.stop.compare_exchange(0, resource as u8 + 1, Relaxed, Relaxed);
        self.stopped().unwrap_or(Stop(resource))
    }

    /// Why the call has to stop, if it has to.
    pub fn stopped(&self) -> Option<Stop> {
        match self.stop.load(Relaxed) {
            0 => None,
            code => Resource::ALL.get(usize::from(code) - 1).copied().map(Stop),
        }
    }

    /// What was used of a resource: the sum, or the peak of a level.
    pub fn used(&self, resource: Resource) -> u64 {
        self.used[resource.index()].load(Relaxed)
    }

    /// Counts one use of a grant.
    pub fn called(&self, grant: GrantKind) {
        self.grant_calls[grant.index()].fetch_add(1, Relaxed);
    }

    /// How often a grant was used.
    pub fn calls(&self, grant: GrantKind) -> u32 {
        self.grant_calls[grant.index()].load(Relaxed)
    }

    /// Records something that was asked for and not granted. The same denial is kept once.
    pub fn denied(&self, denial: Denial) {
        self.has_denials.store(true, Relaxed);
        let mut denials = self.denials.lock();
        if denials.kept.contains(&denial) {
            return;
        }
        if denials.kept.len() == DENIALS_MAX {
            denials.dropped += 1;
        } else {
            denials.kept.push(denial);
        }
    }

    /// The denials so far, and how many more were not kept.
    pub fn denials(&self) -> (Vec<Denial>, u64) {
        if !self.has_denials.load(Relaxed) {
            return (Vec::new(), 0);
        }
        let denials = self.denials.lock();
        (denials.kept.clone(), denials.dropped)
    }
}

/// Adds to a counter and returns what the sum would be; a sum over the limit is kept at the limit, so that a receipt never
/// claims more than was let through.
fn add(counter: &AtomicU64, amount: u64, most: u64) -> u64 {
    let now = counter.fetch_add(amount, Relaxed).saturating_add(amount);
    if now > most {
        counter.fetch_min(most, Relaxed);
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_sum_stops_at_its_limit_and_keeps_the_first_reason() {
        let meter = Meter::new(Limits::NONE.with(Resource::Output, 10).with(Resource::Log, 5));
        assert_eq!(meter.charge(Resource::Output, 10), Ok(()));
        assert_eq!(meter.left(Resource::Output), 0);
        assert_eq!(meter.charge(Resource::Output, 1), Err(Stop(Resource::Output)));
        assert_eq!(meter.charge(Resource::Log, 6), Err(Stop(Resource::Output)), "one reason to stop");
        assert_eq!(meter.used(Resource::Output), 10);
        assert_eq!(meter.used(Resource::Log), 5);
        assert_eq!(Stop(Resource::Output).to_string(), "the call's limit of `output` is used up");
    }

    #[test]
    fn a_level_rises_and_falls_and_shows_its_peak() {
        let meter = Meter::new(Limits::NONE.with(Resource::Memory, 100));
        assert_eq!(meter.charge(Resource::Memory, 80), Ok(()));
        meter.release(Resource::Memory, 50);
        assert!(meter.fits(Resource::Memory, 70) && !meter.fits(Resource::Memory, 71));
        assert_eq!(meter.charge(Resource::Memory, 60), Ok(()));
        assert_eq!(meter.used(Resource::Memory), 90);
        assert_eq!(meter.stopped(), None);
    }

    #[test]
    fn denials_are_kept_once_and_bounded() {
        let meter = Meter::new(Limits::NONE);
        for at in 0..100u32 {
            let denial = Denial::new(GrantKind::Env, at.to_string(), String::new());
            meter.denied(denial.clone());
            meter.denied(denial);
        }
        let (kept, dropped) = meter.denials();
        assert_eq!(kept.len(), DENIALS_MAX);
        assert_eq!(dropped, 2 * (100 - DENIALS_MAX as u64));
    }
    use alloc::string::String;
}
