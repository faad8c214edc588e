//! One call and its receipt.

use super::{Canary, Ending, Fuel, Guest, Run, model, report};
use crate::{
    guest::{Form, HEAD_BYTES, Steps},
    peer::Manner,
    plan::{Ask, CliAsk, HttpAsk, Plan, Tenant},
    run::{BodyEnd, Called, Told},
};
use sandbar_call::{GrantKind, Outcome, Receipt, Resource, Span};

/// Everything that is wrong with it.
pub(super) fn faults(run: &Run<'_>, called: &Called, receipt: &Receipt) -> Vec<String> {
    let tenant = &run.plan.tenants[called.tenant];
    let mut faults = Vec::new();
    let mut expect = |holds: bool, fault: &dyn Fn() -> String| {
        if !holds {
            faults.push(fault());
        }
    };
    expect(*receipt.guest == *format!("tenant-{}", called.tenant), &|| format!("its receipt names {}", receipt.guest));
    expect(receipt.digest == called.digest, &|| "its receipt is of another version".into());
    expect(*receipt.origin.event == *called.number.to_string(), &|| format!("its receipt has {:?}", receipt.origin));

    let allowed = model::endings(run.plan, called.arrival, called.version);
    let ending = Ending::of(&receipt.outcome);
    let arrival = &run.plan.arrivals[called.arrival];
    expect(ending.is_some_and(|ending| allowed.contains(&ending)), &|| {
        format!("ended {:?}, expected one of {allowed:?}; {arrival:?}, told {}", receipt.outcome, brief(&called.told))
    });
    expect(agrees(&called.told, &receipt.outcome), &|| {
        format!("was told {}, its receipt says {:?}", brief(&called.told), receipt.outcome)
    });
    if let (Told::Answer { status, .. }, Ask::Http(ask)) = (&called.told, &arrival.ask) {
        let meant = meant_status(tenant, ask);
        expect(*status == meant, &|| format!("answered {status}, expected {meant}: {ask:?}, {}", brief(&called.told)));
    }
    if ending == Some(Ending::Busy) {
        expect(run.was_busy(called), &|| "was refused as busy when there was room".into());
        expect(receipt.sandbox.is_none(), &|| "was refused as busy, with a sandbox".into());
    }
    expect(receipt.sandbox.is_some() == had_sandbox(receipt), &|| {
        format!("had {:?}, {:?}", receipt.sandbox, receipt.outcome)
    });
    let metered = tenant.fuel == Fuel::Always || tenant.limit(Resource::Fuel).is_some();
    expect(receipt.used.get(Resource::Fuel).is_some() == (metered && receipt.sandbox.is_some()), &|| {
        format!("fuel is {:?}", receipt.used.get(Resource::Fuel))
    });
    faults.extend(given(&arrival.ask, &tenant.versions[called.version], called, receipt));
    faults.extend(limits(run, tenant, receipt));
    faults.extend(leaks(run, called, receipt));
    faults.extend(uses(run.plan, tenant, called, receipt));
    if let Guest::Steps(steps) = &tenant.versions[called.version] {
        faults.extend(report::faults(run, called, receipt, steps));
    }
    faults
}

fn had_sandbox(receipt: &Receipt) -> bool {
    match receipt.outcome {
        Outcome::Refused { why: sandbar_call::Refusal::Grant { .. } } => true,
        Outcome::Refused { .. } | Outcome::Fault { .. } => false,
        Outcome::Done | Outcome::Failed { .. } | Outcome::Trapped { .. } => true,
        // It may have been waiting.
        Outcome::Stopped { .. } | Outcome::Cancelled => receipt.sandbox.is_some(),
    }
}

/// The status that a guest answers with where it answers.
fn meant_status(tenant: &Tenant, ask: &HttpAsk) -> u16 {
    match *ask {
        HttpAsk::Status(code) => code,
        // It may get to say so before it is stopped.
        HttpAsk::Fetch(..) if tenant.limit(Resource::Connections) == Some(0) => 502,
        HttpAsk::Fetch(host, manner) => match (tenant.grants.http.contains(&(host, manner)), manner) {
            (true, Manner::Redirects) if host.leads_there() => 302,
            (true, Manner::CutsOff) if host.leads_there() => 200,
            (true, manner) if host.leads_there() && manner.body_bytes().is_some() => 200,
            _ => 502,
        },
        HttpAsk::Echo(_)
        | HttpAsk::Headers
        | HttpAsk::Env
        | HttpAsk::Stream { .. }
        | HttpAsk::Big(_)
        | HttpAsk::Sleep(_)
        | HttpAsk::Spin
        | HttpAsk::Panic
        | HttpAsk::Nothing
        | HttpAsk::Twice => 200,
    }
}

/// What was told, short enough to be read.
fn brief(told: &Told) -> String {
    let mut text = format!("{told:?}");
    if text.len() > 400 {
        text.truncate((0..=400).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
        text += "…";
    }
    text
}

/// Whether whoever made a call was told how it ended.
fn agrees(told: &Told, outcome: &Outcome) -> bool {
    match told {
        // Whatever came of it, nobody waited.
        Told::Left | Told::Held(_) => true,
        Told::Ended(told) => told == outcome,
        Told::Exit(0, _) | Told::Value(_) | Told::Output(_) => *outcome == Outcome::Done,
        Told::Exit(code, _) => matches!(outcome, Outcome::Failed { code: Some(receipt), .. } if receipt == code),
        // After the last byte a guest goes on by itself, and may be stopped or break.
        Told::Answer { end: BodyEnd::Whole, .. } => !matches!(outcome, Outcome::Refused { .. }),
        Told::Answer { end: BodyEnd::Broken, .. } => *outcome != Outcome::Done,
        Told::Answer { end: BodyEnd::Left, .. } => true,
    }
}

/// What was given is what the receipt counts as output: exactly, where all of it was taken.
fn given(ask: &Ask, guest: &Guest, called: &Called, receipt: &Receipt) -> Option<String> {
    let is_cgi = matches!((ask, guest), (Ask::StepsByHttp, Guest::Steps(Steps { form: Form::Command, .. })));
    let head = if is_cgi { HEAD_BYTES } else { 0 };
    let output = receipt.used.get(Resource::Output).unwrap_or(0);
    let (bytes, exact) = match &called.told {
        Told::Exit(_, bytes) | Told::Output(bytes) => (bytes.len(), true),
        Told::Answer { body, end, .. } => {
            (head + body.len(), *end == BodyEnd::Whole && receipt.outcome == Outcome::Done)
        }
        // Stdout counts too, and nobody reads it.
        Told::Value(value) => (value.len(), false),
        Told::Left | Told::Ended(_) | Told::Held(_) => return None,
    };
    let is_wrong = output < bytes as u64 || exact && output != bytes as u64;
    is_wrong.then(|| format!("was given {bytes} bytes, its receipt counts {output}"))
}

/// What was used is within the limits, and a limit that stopped a call was reached.
fn limits(run: &Run<'_>, tenant: &Tenant, receipt: &Receipt) -> Vec<String> {
    let mut faults = Vec::new();
    for (resource, most) in &tenant.limits {
        let used = receipt.used.get(*resource).unwrap_or(0);
        let slack = if *resource == Resource::Wall { run.wall_slack_ns() } else { 0 };
        if used > most.saturating_add(slack) {
            faults.push(format!("used {used} of {}, its limit is {most}", resource.field()));
        }
    }
    if let Outcome::Stopped { limit } = receipt.outcome {
        let used = receipt.used.get(limit).unwrap_or(0);
        let reached = match (tenant.limit(limit), limit) {
            (None, _) => false,
            // A loop is stopped where its next round would be one too many.
            (Some(_), Resource::Fuel) => true,
            (Some(most), _) if limit.span() == Span::Sum => used >= most,
            // What would have gone over a level is not counted.
            (Some(_), _) => true,
        };
        if !reached {
            faults.push(format!("was stopped by {} at {used}, its limit is {:?}", limit.field(), tenant.limit(limit)));
        }
    }
    let of = |resource| receipt.used.get(resource).unwrap_or(0);
    if of(Resource::Cpu) > of(Resource::Wall) {
        faults.push(format!("used more processor time than time: {:?}", receipt.used));
    }
    faults
}

/// No canary of anybody else is in what a call was told, or in its receipt.
fn leaks(run: &Run<'_>, called: &Called, receipt: &Receipt) -> Vec<String> {
    let told: &[u8] = match &called.told {
        Told::Exit(_, bytes) | Told::Output(bytes) | Told::Answer { body: bytes, .. } => bytes,
        Told::Value(text) => text.as_bytes(),
        Told::Left | Told::Ended(_) | Told::Held(_) => &[],
    };
    let receipt_text = serde_json::to_string(receipt).unwrap();
    [told, receipt_text.as_bytes()]
        .into_iter()
        .flat_map(Canary::all_in)
        .filter(|canary| !run.owns(called, receipt, *canary))
        .map(|canary| format!("has {canary:?}, which is not its own"))
        .collect()
}

/// What a receipt says of grants is what was granted and asked for.
fn uses(plan: &Plan, tenant: &Tenant, called: &Called, receipt: &Receipt) -> Vec<String> {
    let mut faults = Vec::new();
    let ask = &plan.arrivals[called.arrival].ask;
    let granted = &tenant.grants;
    let mut most = |grant: GrantKind, most: u32| {
        let used = receipt.grants.get(grant);
        if used > most {
            faults.push(format!("used {} {used} times, at most {most} were granted: {ask:?}", grant.key()));
        }
    };
    let fetch = match ask {
        Ask::Http(HttpAsk::Fetch(host, manner)) => Some(granted.http.contains(&(*host, *manner))),
        _ => None,
    };
    let tcp = match ask {
        Ask::Cli(CliAsk::Tcp(manner)) => Some(granted.tcp.contains(manner)),
        _ => None,
    };
    most(GrantKind::Http, u32::from(fetch == Some(true)));
    most(GrantKind::Udp, 0);
    most(GrantKind::Tcp, if tcp == Some(true) { 2 } else { 0 });
    most(GrantKind::Random, if granted.random { u32::MAX } else { 0 });
    most(GrantKind::Dir, if granted.folders.is_empty() { 0 } else { u32::MAX });
    if !matches!(ask, Ask::Cli(CliAsk::Lookup(_))) {
        most(GrantKind::Lookup, 0);
    }
    let connections = receipt.used.get(Resource::Connections).unwrap_or(0);
    if connections > u64::from(fetch == Some(true) || tcp == Some(true)) {
        faults.push(format!("opened {connections} connections: {ask:?}"));
    }
    let denied = |grant| receipt.denials.iter().any(|denial| denial.grant == grant);
    let ended = matches!(receipt.outcome, Outcome::Done | Outcome::Failed { .. });
    if ended && fetch == Some(false) && !denied(GrantKind::Http) {
        faults.push(format!("was refused a request, and its receipt does not say so: {ask:?}"));
    }
    if ended && tcp == Some(false) && !denied(GrantKind::Tcp) {
        faults.push(format!("was refused a connection, and its receipt does not say so: {ask:?}"));
    }
    for denial in &receipt.denials {
        let is_meant = match denial.grant {
            GrantKind::Http => {
                matches!(ask, Ask::Http(HttpAsk::Fetch(host, _)) if fetch == Some(false) || !host.leads_there())
            }
            GrantKind::Tcp => tcp == Some(false),
            GrantKind::Lookup => matches!(ask, Ask::Cli(CliAsk::Lookup(host)) if !granted.lookup.contains(host)),
            GrantKind::Functions | GrantKind::State | GrantKind::Plugins => false,
            GrantKind::Random => !granted.random,
            GrantKind::Dir => true,
            GrantKind::Args | GrantKind::Env | GrantKind::Stdio | GrantKind::Clock | GrantKind::Udp => false,
        };
        if !is_meant {
            faults.push(format!("was refused something that it did not ask for or was granted: {denial:?}, {ask:?}"));
        }
    }
    faults
}
