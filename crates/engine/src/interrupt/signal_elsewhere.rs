//! Where guests are not interrupted by signals, their code has checks.

use super::{HostCall, Interrupt};
use std::{ffi::c_void, io, sync::Arc};

pub(crate) struct Running;

pub(crate) fn run(_: &Arc<Interrupt>) -> Running {
    Running
}

pub(crate) struct Outside;

pub(crate) fn outside() -> Outside {
    Outside
}

pub fn block_ticks() {}

pub fn tick_threads() -> usize {
    0
}

pub(crate) fn install() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn host_call(_: *mut c_void, _: *mut c_void) -> Option<HostCall> {
    None
}
