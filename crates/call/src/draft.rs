//! The receipt while it is being written. It settles once: when told how the call ended, or when it is dropped, which means
//! that whoever waited for the call went away.

use crate::{
    CallId, Digest, FuelMetered, GuestName, Limits, Meter, Origin, Outcome, Receipt, Resource, SandboxUse, Shape,
};
use alloc::{string::ToString, sync::Arc, vec::Vec};
use core::fmt;

/// Where settled receipts go. Called once for each call, from whatever thread ends it: it must not block.
pub trait Settle: Send + Sync {
    /// Takes the receipt of a call that ended.
    fn settle(&self, receipt: Receipt);
}

impl<F: Fn(Receipt) + Send + Sync> Settle for F {
    fn settle(&self, receipt: Receipt) {
        self(receipt);
    }
}

/// A call's receipt before the call has ended. Dropping it settles it as cancelled, or as stopped where the meter says so.
pub struct Draft {
    meter: Arc<Meter>,
    to: Arc<dyn Settle>,
    /// Reads the monotonic clock, in nanoseconds from any fixed point.
    clock: fn() -> u64,
    started_ns: u64,
    fuel: FuelMetered,
    /// `None` once settled.
    head: Option<Head>,
}

/// What a receipt says about its call from the start.
#[derive(Clone, Debug)]
pub struct Heading {
    /// The call.
    pub call: CallId,
    /// When it started, in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// The guest's name in its app.
    pub guest: GuestName,
    /// The guest's bytes.
    pub digest: Digest,
    /// How it is called.
    pub shape: Shape,
    /// Where the event came from.
    pub origin: Origin,
}

struct Head {
    heading: Heading,
    sandbox: Option<SandboxUse>,
    shared: Vec<Resource>,
}

impl Draft {
    /// Opens the receipt of a call that starts now. `clock` reads a monotonic clock in nanoseconds.
    pub fn open(heading: Heading, limits: Limits, clock: fn() -> u64, to: Arc<dyn Settle>) -> Draft {
        let head = Head { heading, sandbox: None, shared: Vec::new() };
        let meter = Arc::new(Meter::new(limits));
        Draft { meter, to, clock, started_ns: clock(), fuel: FuelMetered::No, head: Some(head) }
    }

    /// The meter of the call.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// When the call started, on the clock it was opened with.
    pub fn started_ns(&self) -> u64 {
        self.started_ns
    }

    /// The call's id.
    pub fn call(&self) -> Option<CallId> {
        self.head.as_ref().map(|head| head.heading.call)
    }

    /// Notes the sandbox that serves the call.
    pub fn served_by(&mut self, sandbox: SandboxUse) {
        if let Some(head) = &mut self.head {
            head.sandbox = Some(sandbox);
        }
    }

    /// Notes that there was no sandbox for the call after all.
    pub fn not_served(&mut self) {
        if let Some(head) = &mut self.head {
            head.sandbox = None;
        }
        self.fuel = FuelMetered::No;
    }

    /// Notes that fuel is counted exactly.
    pub fn fuel_metered(&mut self) {
        self.fuel = FuelMetered::Yes;
    }

    /// Notes that a resource was shared with other calls, so that its amount is not exact.
    pub fn shared(&mut self, resource: Resource) {
        if let Some(head) = &mut self.head {
            head.shared.push(resource);
        }
    }

    /// Ends the receipt.
    pub fn settle(mut self, outcome: Outcome) {
        self.finish(outcome);
    }

    fn finish(&mut self, outcome: Outcome) {
        let Some(Head { heading, sandbox, shared }) = self.head.take() else { return };
        let _ = self.meter.measure(Resource::Wall, (self.clock)().saturating_sub(self.started_ns));
        self.to.settle(Receipt {
            sandbox,
            shared: shared.iter().map(|resource| resource.field().to_string()).collect(),
            ..Receipt::of(heading, &self.meter, self.fuel, outcome)
        });
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let outcome = match self.meter.stopped() {
            Some(stop) => Outcome::Stopped { limit: stop.0 },
            None => Outcome::Cancelled,
        };
        self.finish(outcome);
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("call", &self.call()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Denial, GrantKind};
    use std::sync::Mutex;

    fn open(limits: Limits) -> (Draft, Arc<Mutex<Vec<Receipt>>>) {
        let receipts = Arc::new(Mutex::new(Vec::new()));
        let to = receipts.clone();
        let origin = Origin { trigger: "cli".into(), source: "run".into(), event: "1".into() };
        let heading = Heading {
            call: CallId::new(1, 2),
            at_ms: 5,
            guest: "double".into(),
            digest: Digest([7; 32]),
            shape: Shape::Function,
            origin,
        };
        let settle = Arc::new(move |receipt| to.lock().unwrap().push(receipt));
        (Draft::open(heading, limits, || 42, settle), receipts)
    }

    #[test]
    fn a_draft_settles_once_and_its_receipt_reads_back() {
        let (mut draft, receipts) = open(Limits::NONE);
        draft.meter().charge(Resource::Output, 3).unwrap();
        draft.meter().called(GrantKind::Stdio);
        draft.meter().denied(Denial::new(GrantKind::Env, "HOME", "env = [\"HOME\"]"));
        draft.served_by(SandboxUse { id: crate::SandboxId(1), call: 1 });
        draft.settle(Outcome::Failed { code: Some(1), message: "no".into() });
        let receipts = receipts.lock().unwrap();
        assert_eq!(receipts.len(), 1);
        let text = serde_json::to_string(&receipts[0]).unwrap();
        assert_eq!(serde_json::from_str::<Receipt>(&text).unwrap(), receipts[0]);
        assert!(text.contains(r#""used":{"wall_ns":0,"cpu_ns":0,"memory_bytes":0,"output_bytes":3}"#), "{text}");
        assert!(text.contains(r#""grants":{"stdio":1}"#), "{text}");
    }

    #[test]
    fn a_dropped_draft_is_cancelled_unless_the_meter_says_stopped() {
        let (draft, receipts) = open(Limits::NONE);
        drop(draft);
        assert_eq!(receipts.lock().unwrap()[0].outcome, Outcome::Cancelled);
        let (draft, receipts) = open(Limits::NONE.with(Resource::Output, 1));
        draft.meter().charge(Resource::Output, 2).unwrap_err();
        drop(draft);
        assert_eq!(receipts.lock().unwrap()[0].outcome, Outcome::Stopped { limit: Resource::Output });
    }
}
