//! What may become of a call whose guest takes steps: they are walked, with what each costs at least and at most.

use super::{Ending, is_whole};
use crate::{
    canary::CANARY_BYTES,
    guest::{End, FileStep, FileWhat, Form, HEAD_BYTES, RECORD_BYTES, Step, Steps},
    plan::{Arrival, FolderGrant, Input, Tenant},
};
use sandbar_call::Resource;
use sandbar_engine::Policy;

pub(super) fn endings(tenant: &Tenant, steps: &Steps, arrival: &Arrival) -> Vec<Ending> {
    let mut walk = Walk::new(tenant, steps);
    if steps.form != Form::Typed && !walk.begin(arrival.input) {
        return walk.endings;
    }
    for step in &steps.steps {
        if !walk.takes(step) || (steps.form != Form::Typed && !walk.writes(RECORD_BYTES)) {
            return walk.endings;
        }
    }
    walk.ends(steps.end);
    walk.endings
}

/// Which folders a tenant has, and whether each may be written to.
pub(crate) fn folders(tenant: &Tenant) -> Vec<bool> {
    tenant.grants.folders.iter().map(|folder| matches!(folder, FolderGrant::Own(_))).collect()
}

/// Whether a file or folder that was opened before may have the number of a folder that is not granted.
pub(crate) fn keeps_files(tenant: &Tenant, steps: &Steps) -> bool {
    let keeps = |step: &Step| matches!(step, Step::File(FileStep { what: FileWhat::OpenMany(_), .. }));
    tenant.policy != Policy::Fresh || steps.steps.iter().any(keeps)
}

/// A timer is one handle, and what polls it another.
const TIMER_HANDLES: u64 = 2;

/// What is known of an amount.
#[derive(Clone, Copy, Default)]
struct Span {
    least: u64,
    most: u64,
}

struct Walk<'a> {
    tenant: &'a Tenant,
    steps: &'a Steps,
    endings: Vec<Ending>,
    output: Span,
    log: Span,
    bytes_in: Span,
    bytes_out: Span,
    pages: Span,
    elements: Span,
    /// Files that were opened and never closed, at most.
    kept: u64,
    /// Limits that growth may have failed at, and whether it surely did.
    refused: Vec<Resource>,
    surely_refused: bool,
}

impl<'a> Walk<'a> {
    fn new(tenant: &'a Tenant, steps: &'a Steps) -> Walk<'a> {
        let table = if steps.has_table { 4 } else { 0 };
        let calls = if matches!(steps.end, End::NullCall | End::WrongCall) { 2 } else { 0 };
        // What an earlier call in the same sandbox has grown is still there.
        let before =
            |now: u64| Span { least: now, most: if tenant.policy == Policy::Fresh { now } else { u64::MAX / 2 } };
        Walk {
            tenant,
            steps,
            endings: Vec::new(),
            output: Span::default(),
            log: Span::default(),
            bytes_in: Span::default(),
            bytes_out: Span::default(),
            pages: before(steps.pages.into()),
            elements: before(table + calls),
            kept: 0,
            refused: Vec::new(),
            surely_refused: false,
        }
    }

    /// Reads the canary; whether it may go on.
    fn begin(&mut self, input: Input) -> bool {
        self.needs_handles(0);
        if self.steps.form == Form::Command && !self.writes(HEAD_BYTES) {
            return false;
        }
        let bytes = CANARY_BYTES as u64;
        let least = if is_whole(input) { bytes } else { 0 };
        self.bytes_in = Span { least, most: bytes };
        input != Input::Never && self.holds(Resource::BytesIn, self.bytes_in) && self.writes(RECORD_BYTES)
    }

    fn takes(&mut self, step: &Step) -> bool {
        match step {
            Step::Mark | Step::Look | Step::Compute(_) | Step::Recurse(_) | Step::Fill(_) => true,
            Step::Args | Step::Env | Step::Clock | Step::Storm(_) => true,
            Step::Grow(pages) => {
                let most = self.steps.pages_max.map_or(65_536, u64::from);
                self.pages = self.grows(Resource::Memory, self.pages, u64::from(*pages), most);
                true
            }
            Step::GrowTable(by) => {
                self.elements = self.grows(Resource::Tables, self.elements, u64::from(*by), u64::MAX);
                true
            }
            Step::Stdout(bytes) => {
                self.needs_handles(0);
                self.writes(*bytes as usize)
            }
            Step::Stderr(bytes) => {
                self.log = self.log.and(u64::from(*bytes));
                self.bytes_out = self.bytes_out.and(u64::from(*bytes));
                // It is written piece by piece, so either may come first.
                self.holds(Resource::Log, self.log) & self.holds(Resource::BytesOut, self.bytes_out)
            }
            Step::Stdin => {
                // The canary was all of it.
                self.bytes_in.most = self.bytes_in.most.max(CANARY_BYTES as u64);
                self.holds(Resource::BytesIn, self.bytes_in)
            }
            Step::Random if self.tenant.grants.random => true,
            Step::Random => {
                self.endings.push(Ending::RandomRefused);
                false
            }
            Step::Sleep(_) => {
                self.needs_handles(TIMER_HANDLES);
                true
            }
            Step::Poll(count) => {
                self.needs_handles(TIMER_HANDLES * u64::from(*count));
                true
            }
            Step::BadPointer => {
                self.traps();
                true
            }
            Step::File(step) => self.uses_file(step),
        }
    }

    fn uses_file(&mut self, step: &FileStep) -> bool {
        if step.must_fail(&folders(self.tenant), keeps_files(self.tenant, self.steps)) {
            return true;
        }
        match step.what {
            FileWhat::Read => self.bytes_in.most += 4096,
            FileWhat::Write { bytes, .. } => self.bytes_out.most += u64::from(bytes),
            FileWhat::OpenMany(count) => self.kept += u64::from(count),
            _ => {}
        }
        self.needs_handles(1);
        self.holds(Resource::BytesIn, self.bytes_in) && self.holds(Resource::BytesOut, self.bytes_out)
    }

    /// Grows a memory by so many pages, or a table by so many elements. Beyond the module's own maximum it fails, and no limit
    /// is to blame.
    fn grows(&mut self, resource: Resource, now: Span, by: u64, module_most: u64) -> Span {
        let unit = if resource == Resource::Memory { 65_536 } else { 1 };
        let limit = self.tenant.limit(resource).unwrap_or(u64::MAX);
        let is_known = now.least == now.most;
        let then = now.least + by;
        let fits = then.saturating_mul(unit) <= limit;
        if is_known && then <= module_most && fits {
            return Span { least: then, most: then };
        }
        if limit < u64::MAX && (!is_known || then <= module_most) {
            self.refused.push(resource);
            self.surely_refused |= is_known;
        }
        now
    }

    fn writes(&mut self, bytes: usize) -> bool {
        self.output = self.output.and(bytes as u64);
        self.bytes_out = self.bytes_out.and(bytes as u64);
        self.holds(Resource::Output, self.output) & self.holds(Resource::BytesOut, self.bytes_out)
    }

    /// Notes that a limit may or must be reached; whether the guest may go on.
    fn holds(&mut self, resource: Resource, used: Span) -> bool {
        let Some(limit) = self.tenant.limit(resource) else { return true };
        if used.most > limit {
            self.endings.push(Ending::Stopped(resource));
        }
        used.least <= limit
    }

    /// Notes that so many handles more are needed, beside those that a guest has from the start.
    fn needs_handles(&mut self, more: u64) {
        const STREAMS: u64 = 6;
        let most = self.tenant.grants.folders.len() as u64 + STREAMS + self.kept + more;
        if self.tenant.limit(Resource::Handles).is_some_and(|limit| most > limit) {
            self.endings.push(Ending::Stopped(Resource::Handles));
        }
    }

    /// What breaks after its growth was refused was stopped by that.
    fn traps(&mut self) {
        self.endings.extend(self.refused.iter().map(|resource| Ending::Stopped(*resource)));
        if !self.surely_refused {
            self.endings.push(Ending::Trapped);
        }
    }

    fn ends(&mut self, end: End) {
        let result = match end {
            End::Return | End::Exit(0) => Ending::Done,
            End::Exit(code) => Ending::Failed(Some(code)),
            End::Spin | End::SpinInHost => return,
            End::WaitForEver => return self.needs_handles(TIMER_HANDLES),
            End::Unreachable
            | End::DivideByZero
            | End::OutOfBounds
            | End::NullCall
            | End::WrongCall
            | End::NotANumber
            | End::Recursion
            | End::Overflow => return self.traps(),
        };
        // A typed result is output too, a digit at least.
        if self.steps.form == Form::Typed {
            self.output.least += 1;
            self.output.most += 20;
            if !self.holds(Resource::Output, self.output) {
                return;
            }
        }
        self.endings.push(result);
    }
}

impl Span {
    fn and(self, more: u64) -> Span {
        Span { least: self.least + more, most: self.most + more }
    }
}
