//! What a guest of steps says of itself, against its receipt.

use super::{Policy, Run};
use crate::{
    canary::{CANARY_BYTES, Canary},
    guest::{End, FileWhat, Form, HEAD_BYTES, PATHS, RECORD_BYTES, Step, Steps},
    model,
    plan::{Ask, Tenant},
    run::{BodyEnd, Called, Told},
};
use sandbar_call::{GrantKind, Outcome, Receipt, Resource};

/// How one step went.
struct Record<'a> {
    errno: u16,
    value: u32,
    found: &'a [u8],
}

/// Errno of WASI 0.1 for what is refused.
const PERM: u16 = 63;

pub(super) fn faults(run: &Run<'_>, called: &Called, receipt: &Receipt, steps: &Steps) -> Vec<String> {
    let tenant = &run.plan.tenants[called.tenant];
    let by_http = matches!(run.plan.arrivals[called.arrival].ask, Ask::StepsByHttp);
    let (said, whole): (&[u8], bool) = match &called.told {
        Told::Value(value) => return typed(tenant, value),
        Told::Exit(_, bytes) | Told::Output(bytes) => (bytes, true),
        Told::Answer { body, end, .. } => (body, *end == BodyEnd::Whole && ends_well(receipt)),
        Told::Left | Told::Ended(_) | Told::Held(_) => return Vec::new(),
    };
    let has_head = steps.form == Form::Command && !by_http;
    let Some(said) = said.get(if has_head { HEAD_BYTES } else { 0 }..) else {
        return vec![format!("said {} bytes, and not the head of an answer", said.len())];
    };
    let (records, rest) = read(steps, said);
    let mut faults = Vec::new();
    if whole && (records.len() != steps.steps.len() + 1 || !rest.is_empty()) {
        return vec![format!(
            "said how {} of {} steps went, and {} bytes more",
            records.len().saturating_sub(1),
            steps.steps.len(),
            rest.len()
        )];
    }
    let (granted, keeps) = (model::folders(tenant), model::keeps_files(tenant, steps));
    for (at, (record, step)) in records.iter().skip(1).zip(&steps.steps).enumerate() {
        let mut fault = |what: String| faults.push(format!("step {} ({step:?}) {what}", at + 1));
        match step {
            Step::Look if record.value > 0 && tenant.policy == Policy::Fresh => {
                fault(format!("found {} canaries, such as {:?}", record.value, Canary::all_in(record.found)));
            }
            Step::File(file) if record.errno == 0 && file.must_fail(&granted, keeps) => {
                fault(format!("had to fail: {:?} of {granted:?}", PATHS[file.path]));
            }
            Step::Random if !tenant.grants.random => fault("got secure random numbers".into()),
            Step::Env if !by_http && record.value > u32::from(tenant.grants.env) => {
                fault(format!("found {} variables", record.value));
            }
            Step::Args if record.value > tenant.grants.args + 1 => fault(format!("found {} arguments", record.value)),
            Step::Grow(_) if over(tenant, Resource::Memory, u64::from(record.value) * 65_536) => {
                fault(format!("has {} pages", record.value));
            }
            Step::GrowTable(_) if over(tenant, Resource::Tables, record.value.into()) => {
                fault(format!("has {} elements", record.value));
            }
            _ => {}
        }
    }
    if whole && ends_well(receipt) {
        let said_bytes = said.len() as u64 + if steps.form == Form::Command { HEAD_BYTES as u64 } else { 0 };
        faults.extend(amounts(tenant, receipt, steps, &records, said_bytes));
        faults.extend(denials(receipt, steps, &records));
    }
    faults
}

fn ends_well(receipt: &Receipt) -> bool {
    matches!(receipt.outcome, Outcome::Done | Outcome::Failed { .. })
}

fn over(tenant: &Tenant, resource: Resource, amount: u64) -> bool {
    tenant.limit(resource).is_some_and(|most| amount > most)
}

fn typed(tenant: &Tenant, value: &str) -> Vec<String> {
    let fault = || format!("found {value} canaries of other calls");
    (value != "0" && tenant.policy == Policy::Fresh).then(fault).into_iter().collect()
}

/// Reads records, with what steps wrote between them; gives also what is left.
fn read<'a>(steps: &Steps, mut said: &'a [u8]) -> (Vec<Record<'a>>, &'a [u8]) {
    let mut records = Vec::new();
    let written = std::iter::once(0).chain(steps.steps.iter().map(|step| match step {
        Step::Stdout(bytes) => *bytes as usize,
        _ => 0,
    }));
    for (number, written) in written.enumerate() {
        let Some(record) = said.get(written..written + RECORD_BYTES) else { break };
        let half = |at: usize| u16::from_le_bytes([record[at], record[at + 1]]);
        if usize::from(half(0)) != number || said[..written].iter().any(|byte| *byte != b'o') {
            break;
        }
        let value = u32::from_le_bytes(record[4..8].try_into().unwrap());
        records.push(Record { errno: half(2), value, found: &record[8..8 + CANARY_BYTES] });
        said = &said[written + RECORD_BYTES..];
    }
    (records, said)
}

/// Amounts and uses in a receipt are those that the guest's own records add up to.
fn amounts(tenant: &Tenant, receipt: &Receipt, steps: &Steps, records: &[Record<'_>], said_bytes: u64) -> Vec<String> {
    let (mut log, mut bytes_in, mut files_out, mut opened, mut random) = (0, u64::from(records[0].value), 0, 0, 0);
    let (mut pages, mut elements) = (steps.pages, super::table_elements(steps));
    for (record, step) in records.iter().skip(1).zip(&steps.steps) {
        let value = u64::from(record.value);
        match step {
            Step::Stderr(_) => log += value,
            Step::Stdin => bytes_in += value,
            Step::Random => random += 1,
            Step::Grow(_) => pages = record.value,
            Step::GrowTable(_) => {
                let calls = if matches!(steps.end, End::NullCall | End::WrongCall) { 2 } else { 0 };
                elements = value + calls;
            }
            Step::File(file) => {
                let open = record.errno & 0xff == 0;
                match file.what {
                    FileWhat::Read if open => (opened, bytes_in) = (opened + 1, bytes_in + value),
                    FileWhat::Write { .. } if open => (opened, files_out) = (opened + 1, files_out + value),
                    FileWhat::SetSize(_) if open => opened += 1,
                    FileWhat::OpenMany(_) => opened += value,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    let fresh = tenant.policy == Policy::Fresh;
    let used = |resource| receipt.used.get(resource).unwrap_or(0);
    let uses = |grant| u64::from(receipt.grants.get(grant));
    [
        ("output_bytes", used(Resource::Output), said_bytes),
        ("log_bytes", used(Resource::Log), log),
        ("in_bytes", used(Resource::BytesIn), bytes_in),
        ("out_bytes", used(Resource::BytesOut), said_bytes + log + files_out),
        (
            "memory_bytes",
            if fresh { used(Resource::Memory) } else { u64::from(pages) * 65_536 },
            u64::from(pages) * 65_536,
        ),
        ("table_elements", if fresh { used(Resource::Tables) } else { elements }, elements),
        ("dir", uses(GrantKind::Dir), opened),
        ("random", uses(GrantKind::Random), random),
    ]
    .into_iter()
    .filter(|(_, receipt, said)| receipt != said)
    .map(|(name, receipt, said)| format!("its receipt has {receipt} of {name}, it says that it used {said}"))
    .collect()
}

/// Each refusal that a guest met is in its receipt, and no other.
fn denials(receipt: &Receipt, steps: &Steps, records: &[Record<'_>]) -> Vec<String> {
    let mut refused = Vec::new();
    for (record, step) in records.iter().skip(1).zip(&steps.steps) {
        if let Step::File(file) = step
            && record.errno == PERM
            && !matches!(file.what, FileWhat::Stat | FileWhat::List)
        {
            refused.push(file);
        }
    }
    let dir = |denial: &&sandbar_call::Denial| denial.grant == GrantKind::Dir;
    let told = receipt.denials.iter().filter(dir).count();
    match (refused.is_empty(), told) {
        (true, 0) | (false, 1..) => Vec::new(),
        _ => vec![format!("was refused {refused:?}, its receipt says {:?}", receipt.denials)],
    }
}
