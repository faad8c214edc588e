//! What may become of a call, told from its plan alone.
//!
//! A model says which endings a call may have, as few as it can: what depends on how busy the machine is, or on what else
//! happened, is allowed only where a limit is near enough or the world did something. Whether a limit was really reached is
//! read from the receipt, in `judge`.

#[path = "model/asks.rs"]
mod asks;
#[path = "model/steps.rs"]
mod steps;

pub(crate) use steps::{folders, keeps_files};

use crate::guest::Guest;
use crate::plan::{Ask, FolderGrant, Input, Patience, Plan, Tenant};
use sandbar_call::{GrantKind, Outcome, Refusal, Resource};
use sandbar_engine::Policy;
use std::fmt;

/// How a call may end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Done,
    Failed(Option<i32>),
    Stopped(Resource),
    Trapped,
    /// The event does not fit the guest.
    Misfit,
    /// Secure random numbers were not granted.
    RandomRefused,
    /// Every sandbox was busy; `judge` looks whether that is so.
    Busy,
    Cancelled,
    /// The host failed, which it may only where the world failed it.
    Fault,
}

impl Ending {
    pub(crate) fn of(outcome: &Outcome) -> Option<Ending> {
        Some(match outcome {
            Outcome::Done => Ending::Done,
            Outcome::Failed { code, .. } => Ending::Failed(*code),
            Outcome::Stopped { limit } => Ending::Stopped(*limit),
            Outcome::Trapped { .. } => Ending::Trapped,
            Outcome::Refused { why: Refusal::Event { .. } } => Ending::Misfit,
            Outcome::Refused { why: Refusal::Busy { .. } } => Ending::Busy,
            Outcome::Refused { why: Refusal::Grant { denial } } if denial.grant == GrantKind::Random => {
                Ending::RandomRefused
            }
            Outcome::Refused { why: Refusal::Grant { .. } | Refusal::Draining } => return None,
            Outcome::Cancelled => Ending::Cancelled,
            Outcome::Fault { .. } => Ending::Fault,
        })
    }
}

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Done => f.write_str("done"),
            Ending::Failed(code) => write!(f, "failed {code:?}"),
            Ending::Stopped(limit) => write!(f, "stopped {}", limit.key()),
            Ending::Trapped => f.write_str("trapped"),
            Ending::Misfit => f.write_str("refused event"),
            Ending::RandomRefused => f.write_str("refused random"),
            Ending::Busy => f.write_str("refused busy"),
            Ending::Cancelled => f.write_str("cancelled"),
            Ending::Fault => f.write_str("fault"),
        }
    }
}

/// Every ending that a call of a plan may have.
pub(crate) fn endings(plan: &Plan, arrival: usize, version: usize) -> Vec<Ending> {
    let arrival = &plan.arrivals[arrival];
    let tenant = &plan.tenants[arrival.tenant];
    let mut endings = match (&arrival.ask, &tenant.versions[version]) {
        (Ask::Misfit, _) => vec![Ending::Misfit],
        (Ask::Steps | Ask::StepsByHttp, Guest::Steps(steps)) => steps::endings(tenant, steps, arrival),
        (Ask::Http(ask), _) => asks::http(tenant, ask, arrival.input),
        (Ask::Cli(ask), _) => asks::cli(tenant, ask, arrival.input),
        (Ask::Hold(_), Guest::Steps(steps)) => {
            // What it returns is given as it is, and is no output.
            let limits = tenant.limits.iter().copied().filter(|(resource, _)| *resource != Resource::Output).collect();
            steps::endings(&Tenant { policy: Policy::Held, limits, ..tenant.clone() }, steps, arrival)
        }
        (Ask::Steps | Ask::StepsByHttp | Ask::Hold(_), Guest::Built(_)) => vec![],
    };
    match arrival.patience {
        _ if matches!(arrival.ask, Ask::Hold(_)) => {}
        Patience::Stays | Patience::Slow(_) => {}
        Patience::Unpolled => return vec![Ending::Cancelled],
        Patience::Leaves(_) | Patience::TakesFrames(_) => endings.push(Ending::Cancelled),
    }
    if plan.engine_ends() {
        endings.push(Ending::Cancelled);
    }
    if matches!(arrival.ask, Ask::Misfit) {
        return endings;
    }
    endings.push(Ending::Busy);
    if plan.folder_goes(arrival.tenant) && owns(tenant) {
        endings.push(Ending::Fault);
    }
    endings.extend(near(tenant).into_iter().map(Ending::Stopped));
    endings
}

/// The limits that a call of this tenant may reach whatever it does.
fn near(tenant: &Tenant) -> Vec<Resource> {
    /// Starting, waiting for the machine, and all that a guest does which ends by itself, with much room.
    const FAR_CPU_NS: u64 = 20_000_000_000;
    const FAR_FUEL: u64 = 1 << 49;
    let below = |resource, far| tenant.limit(resource).is_some_and(|most| most < far);
    let mut near = Vec::new();
    near.extend(tenant.is_hurried().then_some(Resource::Wall));
    near.extend(below(Resource::Cpu, FAR_CPU_NS).then_some(Resource::Cpu));
    near.extend(below(Resource::Fuel, FAR_FUEL).then_some(Resource::Fuel));
    near
}

/// Whether a tenant has a folder of its own.
fn owns(tenant: &Tenant) -> bool {
    tenant.grants.folders.iter().any(|folder| matches!(folder, FolderGrant::Own(_)))
}

/// Whether input comes whole.
fn is_whole(input: Input) -> bool {
    matches!(input, Input::Whole | Input::InPieces(_))
}
