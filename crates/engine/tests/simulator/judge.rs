//! Compares what happened with what may happen.

#[path = "judge/call.rs"]
mod call;
#[path = "judge/report.rs"]
mod report;

use crate::{
    canary::{Canary, Nest},
    guest::{End, Guest, Step, Steps},
    model::{self, Ending},
    peer::{Host, Manner},
    plan::{Ask, FolderGrant, Plan},
    run::{Called, Happened, Told},
};
use sandbar_call::{CallId, Outcome, Receipt, Resource, SandboxId};
use sandbar_engine::{Fuel, LoadError, LogLevel, Policy};
use std::collections::{BTreeMap, HashMap};

/// How much longer than its deadline a call may take, beside what the machine was late: a tick, the poll that notices it, and
/// dropping the sandbox. Generous, since whatever else runs here comes first; what ends a call too late by mistake lets it run
/// for ever.
const WALL_SLACK_NS: u64 = 500_000_000;
/// So often the longest lateness may fall on one call.
const LAGS: u64 = 20;
/// How much more processor time receipts may show than the process used. A poll shorter than 100 µs is charged as the
/// monotonic clock has it, so a call pays for each time that it lost the processor.
const CPU_SLACK_NS: u64 = 200_000_000;
/// How much more than its quota a folder may hold where calls wrote at one time, or were cut off while they wrote: what was
/// under way when the volume was measured.
const QUOTA_SLACK_BYTES: u64 = 1 << 20;

/// Everything that is wrong with a run.
pub(crate) fn faults(plan: &Plan, happened: &Happened) -> Vec<String> {
    let mut faults = happened.faults.clone();
    let mut receipts: HashMap<u128, Vec<&Receipt>> = HashMap::new();
    for receipt in &happened.receipts {
        receipts.entry(receipt.call.0).or_default().push(receipt);
    }
    let (mut judged, mut held) = (Vec::new(), Vec::new());
    for call in &happened.calls {
        let id = CallId::new(plan.seed, call.number.into());
        if let Told::Held(results) = &call.told {
            held.push((call, results));
            continue;
        }
        match receipts.remove(&id.0).as_deref() {
            Some([receipt]) => judged.push((call, *receipt)),
            Some(several) => faults.push(format!("call {} has {} receipts", call.number, several.len())),
            None => faults.push(format!("call {} has no receipt; {:?}", call.number, call.told)),
        }
    }
    faults.extend(receipts.keys().map(|id| format!("a receipt is of the call {id}, which was not made")));
    let run = Run { plan, happened, judged: &judged };
    for (called, receipt) in &judged {
        let told = |fault: String| format!("call {} of tenant {}: {fault}", called.number, called.tenant);
        faults.extend(call::faults(&run, called, receipt).into_iter().map(told));
    }
    for (called, results) in held {
        faults.extend(run.held(called, results));
    }
    faults.extend(run.sandboxes());
    faults.extend(run.fuel());
    faults.extend(run.binding());
    faults.extend(run.log());
    faults.extend(run.network());
    faults.extend(run.quotas());
    faults.extend(run.processor());
    faults
}

/// A run with its calls and their receipts.
struct Run<'a> {
    plan: &'a Plan,
    happened: &'a Happened,
    judged: &'a [(&'a Called, &'a Receipt)],
}

impl Run<'_> {
    fn wall_slack_ns(&self) -> u64 {
        WALL_SLACK_NS + LAGS * self.happened.lag_ns
    }

    fn sandbox(&self, call: u32) -> Option<SandboxId> {
        let found = self.judged.iter().find(|(called, _)| called.number == call);
        found.and_then(|(_, receipt)| receipt.sandbox).map(|sandbox| sandbox.id)
    }

    /// Whether something that a call said or had may hold a canary.
    fn owns(&self, called: &Called, receipt: &Receipt, canary: Canary) -> bool {
        usize::from(canary.tenant) == called.tenant
            && match canary.nest {
                Nest::Tenant => true,
                Nest::Call => {
                    canary.call == called.number || {
                        let sandbox = receipt.sandbox.map(|sandbox| sandbox.id);
                        sandbox.is_some() && self.sandbox(canary.call) == sandbox
                    }
                }
            }
    }

    /// Calls in a held sandbox end as any others, and find nothing of anybody else's.
    fn held(&self, called: &Called, results: &[Result<i64, Outcome>]) -> Vec<String> {
        let allowed = model::endings(self.plan, called.arrival, called.version);
        let wrong = |result: &&Result<i64, Outcome>| match result {
            Ok(found) => *found != 0 || !allowed.contains(&Ending::Done),
            Err(outcome) => match Ending::of(outcome) {
                Some(Ending::Busy) => !self.was_busy(called),
                ending => !ending.is_some_and(|ending| allowed.contains(&ending)),
            },
        };
        let told = |result: &Result<i64, Outcome>| {
            let Called { number, tenant, .. } = called;
            format!("held call {number} of tenant {tenant}: {result:?}, expected no canaries and one of {allowed:?}")
        };
        results.iter().filter(wrong).map(told).collect()
    }

    /// Whether so many calls were under way at one time as may be. Sandboxes that are held count.
    fn was_busy(&self, called: &Called) -> bool {
        /// A call that was cancelled holds its place until its next tick.
        const GIVES_WAY_NS: u64 = 500_000_000;
        let grace_ns = GIVES_WAY_NS + LAGS * self.happened.lag_ns;
        let others = self.happened.calls.iter().filter(|other| {
            other.number != called.number
                && other.from_ns <= called.to_ns
                && other.to_ns.saturating_add(grace_ns) >= called.from_ns
        });
        let (mut of_tenant, mut all) = (0, 0);
        for other in others {
            all += 1;
            of_tenant += u32::from(other.tenant == called.tenant);
        }
        let pool = self.plan.tenants[called.tenant].pool;
        of_tenant >= pool.sandboxes_max || self.plan.slots.is_some_and(|slots| all >= slots)
    }

    /// A sandbox serves one tenant and one version of its guest, each call in its turn, and not more than its policy says.
    fn sandboxes(&self) -> Vec<String> {
        let mut served: BTreeMap<SandboxId, Vec<(&Called, u64)>> = BTreeMap::new();
        for (called, receipt) in self.judged {
            if let Some(sandbox) = receipt.sandbox {
                served.entry(sandbox.id).or_default().push((called, sandbox.call));
            }
        }
        let mut faults = Vec::new();
        for (id, calls) in &mut served {
            calls.sort_by_key(|(_, turn)| *turn);
            let first = calls[0].0;
            if calls.iter().any(|(call, _)| (call.tenant, call.digest) != (first.tenant, first.digest)) {
                faults.push(format!("{id:?} served more than one guest: {calls:?}"));
            }
            let most = match self.plan.tenants[first.tenant].policy {
                Policy::Fresh => 1,
                Policy::Reused { calls, .. } => calls,
                Policy::Held => u64::MAX,
            };
            let turns: Vec<u64> = calls.iter().map(|(_, turn)| *turn).collect();
            if turns != (1..=turns.len() as u64).collect::<Vec<_>>() || turns.len() as u64 > most {
                faults.push(format!("{id:?} served the turns {turns:?}, at most {most}"));
            }
        }
        faults
    }

    /// Calls that did the same in fresh sandboxes used the same fuel.
    fn fuel(&self) -> Vec<String> {
        let mut used: BTreeMap<(usize, usize, String), (u32, u64)> = BTreeMap::new();
        let mut faults = Vec::new();
        for (called, receipt) in self.judged {
            let tenant = &self.plan.tenants[called.tenant];
            let Guest::Steps(steps) = &tenant.versions[called.version] else { continue };
            let Some(fuel) = receipt.used.get(Resource::Fuel) else { continue };
            let alike = |told: &Told| match told {
                Told::Value(value) => Some(value.clone()),
                _ => None,
            };
            let Some(alike) = alike(&called.told).filter(|_| tenant.policy == Policy::Fresh && is_pure(steps)) else {
                continue;
            };
            let (before, other) = *used.entry((called.tenant, called.version, alike)).or_insert((called.number, fuel));
            if other != fuel {
                faults
                    .push(format!("calls {before} and {} did the same with {other} and {fuel} of fuel", called.number));
            }
        }
        faults
    }

    /// A guest is refused where it starts with more than its limits, and nowhere else.
    fn binding(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (at, error) in &self.happened.unbound {
            let tenant = &self.plan.tenants[*at];
            let is_meant = match (&tenant.versions[0], error) {
                (Guest::Built(_), LoadError::TooLarge { .. }) => true,
                (Guest::Steps(steps), LoadError::TooLarge { limit, .. }) => match *limit {
                    "memory" => {
                        tenant.limit(Resource::Memory).is_some_and(|most| most < u64::from(steps.pages) * 65_536)
                    }
                    "tables" => tenant.limit(Resource::Tables).is_some_and(|most| most < table_elements(steps)),
                    _ => false,
                },
                _ => false,
            };
            if !is_meant {
                faults.push(format!("tenant {at} could not be bound: {error}"));
            }
        }
        faults
    }

    /// A log record belongs to a call of its guest, holds nobody else's canary, and can't drive a terminal.
    fn log(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for record in &self.happened.log {
            let of = self.judged.iter().find(|(_, receipt)| receipt.call == record.call);
            let Some((called, receipt)) = of else {
                // A sandbox that can't be held has no call.
                let holds = self.plan.arrivals.iter().any(|arrival| matches!(arrival.ask, Ask::Hold(_)));
                if holds && record.call == CallId(0) && record.level == LogLevel::Error {
                    continue;
                }
                faults.push(format!("a log record is of no call: {record:?}"));
                continue;
            };
            let strange =
                Canary::all_in(record.message.as_bytes()).into_iter().find(|it| !self.owns(called, receipt, *it));
            if strange.is_some()
                || *record.guest != *receipt.guest
                || record.message.chars().any(|c| c.is_control() && c != '\t')
            {
                // A backtrace has lines of its own, which `escape` writes as text.
                faults.push(format!("a log record of call {} is wrong: {record:?}", called.number));
            }
        }
        faults
    }

    /// Servers and names were reached by those only whose tenant is granted them.
    fn network(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let tenants = &self.plan.tenants;
        for seen in &self.happened.seen {
            let calls: Vec<_> = Canary::all_in(seen.line.as_bytes())
                .into_iter()
                .filter_map(|canary| self.judged.iter().find(|(called, _)| called.number == canary.call))
                .collect();
            let is_fetch =
                |ask: &Ask| matches!(ask, Ask::Http(crate::plan::HttpAsk::Fetch(_, manner)) if *manner == seen.manner);
            let granted = match calls.as_slice() {
                [(called, _)] => {
                    is_fetch(&self.plan.arrivals[called.arrival].ask)
                        && tenants[called.tenant]
                            .grants
                            .http
                            .iter()
                            .any(|(host, manner)| *manner == seen.manner && host.leads_there())
                }
                // A socket, or a connection that was cut off before it said anything.
                _ => tenants.iter().any(|tenant| {
                    tenant.grants.tcp.contains(&seen.manner)
                        || tenant.grants.http.iter().any(|(host, manner)| *manner == seen.manner && host.leads_there())
                }),
            };
            if !granted || seen.manner == Manner::Forbidden {
                faults.push(format!("{:?} was reached without a grant: `{}`", seen.manner, seen.line));
            }
        }
        for name in &self.happened.asked {
            let granted = |host: &Host| {
                tenants.iter().any(|tenant| {
                    tenant.grants.lookup.contains(host) || tenant.grants.http.iter().any(|(granted, _)| granted == host)
                })
            };
            if !Host::ALL.iter().any(|host| host.text() == name && granted(host)) {
                faults.push(format!("the name `{name}` was looked up without a grant"));
            }
        }
        faults
    }

    /// A folder holds no more than its quota.
    fn quotas(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (at, tenant) in self.plan.tenants.iter().enumerate() {
            let quota = tenant.grants.folders.iter().find_map(|folder| match folder {
                FolderGrant::Own(quota) => *quota,
                FolderGrant::Shared => None,
            });
            let Some(quota) = quota.filter(|_| !self.plan.folder_suffers(at)) else { continue };
            let ended_well = |receipt: &Receipt| {
                matches!(
                    receipt.outcome,
                    Outcome::Done | Outcome::Failed { .. } | Outcome::Refused { .. } | Outcome::Trapped { .. }
                )
            };
            let calm = tenant.pool.sandboxes_max == 1
                && self.judged.iter().filter(|(called, _)| called.tenant == at).all(|(_, receipt)| ended_well(receipt));
            let most = if calm { quota } else { quota + QUOTA_SLACK_BYTES };
            let found = self.happened.own_bytes[at];
            if found > most {
                faults
                    .push(format!("the folder of tenant {at} holds {found} bytes, its quota is {quota}, calm: {calm}"));
            }
        }
        faults
    }

    /// Receipts charge no more processor time than there was.
    fn processor(&self) -> Vec<String> {
        let charged: u64 = self.judged.iter().filter_map(|(_, receipt)| receipt.used.get(Resource::Cpu)).sum();
        let most = self.happened.cpu_ns + CPU_SLACK_NS;
        let fault =
            || format!("receipts charge {charged} ns of processor time, the process used {}", self.happened.cpu_ns);
        (charged > most).then(fault).into_iter().collect()
    }
}

/// Whether what a guest does depends on nothing outside.
fn is_pure(steps: &Steps) -> bool {
    steps.steps.iter().all(|step| {
        matches!(
            step,
            Step::Mark
                | Step::Look
                | Step::Compute(_)
                | Step::Recurse(_)
                | Step::Grow(_)
                | Step::GrowTable(_)
                | Step::Fill(_)
        )
    })
}

/// The elements of the tables that a module begins with.
fn table_elements(steps: &Steps) -> u64 {
    let calls = if matches!(steps.end, End::NullCall | End::WrongCall) { 2 } else { 0 };
    calls + if steps.has_table { 4 } else { 0 }
}
