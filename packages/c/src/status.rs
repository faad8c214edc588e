//! How a function of the library ended, and that it ends at all: no panic gets out of one.

use crate::{error::Error, pointer};
use sandbar_embed::OutcomeKind;
use std::{
    any::Any,
    ffi::{CStr, c_char},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// How a function ended. Below 10 it is how a call of a plugin ended, or its start code; from 10 on there was no call.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It did what it was asked for.
    Done = 0,
    /// The guest itself said that it failed, and can be called again as it is.
    Failed = 1,
    /// A limit was used up, such as the call's time.
    Stopped = 2,
    /// The guest broke: unreachable, out of bounds.
    Trapped = 3,
    /// The call was not let in: no such export, arguments that don't fit, something not granted, all sandboxes busy.
    Refused = 4,
    /// The call was cancelled.
    Cancelled = 5,
    /// The host failed, most often a function that it gave to the plugin. The message says how.
    Fault = 6,
    /// An argument is null, no UTF-8 or not in its form.
    Argument = 10,
    /// The plugin can't be read or compiled, or imports what nobody gives it.
    Load = 11,
    /// The plugin did not pass its self-test.
    SelfTest = 12,
    /// The system has no more threads or memory.
    System = 13,
    /// The library itself is wrong: please tell its makers.
    Bug = 14,
}

/// Names every status.
const NAMES: &[(Status, &CStr)] = &[
    (Status::Done, c"done"),
    (Status::Failed, c"failed"),
    (Status::Stopped, c"stopped"),
    (Status::Trapped, c"trapped"),
    (Status::Refused, c"refused"),
    (Status::Cancelled, c"cancelled"),
    (Status::Fault, c"fault"),
    (Status::Argument, c"argument"),
    (Status::Load, c"load"),
    (Status::SelfTest, c"self-test"),
    (Status::System, c"system"),
    (Status::Bug, c"bug"),
];

impl From<OutcomeKind> for Status {
    fn from(kind: OutcomeKind) -> Status {
        match kind {
            OutcomeKind::Done => Status::Done,
            OutcomeKind::Failed => Status::Failed,
            OutcomeKind::Stopped => Status::Stopped,
            OutcomeKind::Trapped => Status::Trapped,
            OutcomeKind::Refused => Status::Refused,
            OutcomeKind::Cancelled => Status::Cancelled,
            OutcomeKind::Fault => Status::Fault,
        }
    }
}

/// Names a status as receipts do: `done`, `stopped`, `load`. The text is there for ever.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_status_name_v1(status: i32) -> *const c_char {
    let found = NAMES.iter().find(|(known, _)| *known as i32 == status);
    found.map_or(c"unknown", |(_, name)| name).as_ptr()
}

/// Runs what a function does, and hands over why it could not.
pub(crate) fn ends(error: *mut *mut Error, body: impl FnOnce() -> Result<(), Error>) -> Status {
    let ended = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(Error::bug(said(&*panic))));
    let problem = ended.err();
    let status = problem.as_ref().map_or(Status::Done, |problem| problem.status);
    pointer::give(error, problem);
    status
}

/// Runs what gives nothing and can't fail.
pub(crate) fn always(body: impl FnOnce()) {
    // Whoever frees something could do nothing about a panic, which was printed.
    let _ = catch_unwind(AssertUnwindSafe(body));
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it did not say why")
}
