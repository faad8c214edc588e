//! Reads from an error of Wasmtime how a call ended.

use crate::{cancel::Cancelled, functions::HostFailed, renewal::Moves};
use sandbar_call::{Denial, Meter, Outcome, Refusal, Resource, Stop};
use wasmtime::{FrameInfo, PoolConcurrencyLimitError, Trap, WasmBacktrace, component::ResourceTableError};
use wasmtime_wasi::I32Exit;

/// A guest asked for something that can only be refused by ending the call, since its interface has no error for it.
#[derive(Debug)]
pub(crate) struct Denied(pub(crate) Denial);

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is not granted", self.0.asked)
    }
}

impl std::error::Error for Denied {}

/// How a call ended that Wasmtime ended with an error; a fault has yet to get its id. `refused` is the limit that the guest's memory or tables ran into.
pub(crate) fn outcome_of(error: &wasmtime::Error, moves: &Moves, meter: &Meter, refused: Option<Resource>) -> Outcome {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return exited(exit.0);
    }
    if let Some(Denied(denial)) = error.downcast_ref() {
        return Outcome::Refused { why: Refusal::Grant { denial: denial.clone() } };
    }
    if error.is::<Cancelled>() {
        return Outcome::Cancelled;
    }
    if error.is::<HostFailed>() {
        return Outcome::Fault { id: String::new() };
    }
    if let Some(Stop(limit)) = meter.stopped().or_else(|| error.downcast_ref::<Stop>().copied()) {
        return Outcome::Stopped { limit };
    }
    if matches!(error.downcast_ref::<ResourceTableError>(), Some(ResourceTableError::Full)) {
        return Outcome::Stopped { limit: meter.stop(Resource::Handles).0 };
    }
    if error.is::<PoolConcurrencyLimitError>() {
        // A guest with many memories or tables can take more of the pool than its one slot.
        return Outcome::Refused { why: Refusal::Busy { retry_after_s: 1 } };
    }
    if let Some(Trap::OutOfFuel) = error.downcast_ref::<Trap>() {
        return Outcome::Stopped { limit: meter.stop(Resource::Fuel).0 };
    }
    let message = error.root_cause().to_string();
    for (said, limit) in [
        ("instance count too high", Resource::Instances),
        ("table count too high", Resource::Instances),
        ("memory count too high", Resource::Instances),
        ("store handle limit exceeded", Resource::Handles),
    ] {
        if message.contains(said) {
            return Outcome::Stopped { limit: meter.stop(limit).0 };
        }
    }
    if let Some(limit) = refused {
        return Outcome::Stopped { limit: meter.stop(limit).0 };
    }
    Outcome::Trapped { message: told(error, moves) }
}

/// An error with its backtrace, by the offsets in the guest's own file.
fn told(error: &wasmtime::Error, moves: &Moves) -> String {
    let mut message = format!("{error:?}");
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    let mut told = 0;
    for offset in frames.iter().filter_map(FrameInfo::module_offset).take_while(|_| !moves.is_empty()) {
        let shown = |offset: usize| format!(": {offset:#8x} - ");
        let (now, before) = (shown(offset), shown(moves.before(offset)));
        let Some(at) = message.get(told..).and_then(|rest| rest.find(&now)) else { break };
        told += at;
        message.replace_range(told..told + now.len(), &before);
        told += before.len();
    }
    message
}

/// How a call ended that ended with an exit code.
pub(crate) fn exited(code: i32) -> Outcome {
    match code {
        0 => Outcome::Done,
        code => Outcome::Failed { code: Some(code), message: format!("ended with code {code}") },
    }
}
