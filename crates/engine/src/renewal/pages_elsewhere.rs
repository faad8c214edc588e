//! Where the kernel does not tell which pages were written, sandboxes are not renewed but made new.

use crate::state::State;
use std::{io, sync::Arc};
use wasmtime::Store;

pub(super) struct Image;

impl Image {
    pub(super) fn of(_: &[u8]) -> Option<Image> {
        None
    }
}

pub(super) struct Memory;

impl Memory {
    pub(super) fn new(_: &[u8], _: Arc<Image>) -> Memory {
        Memory
    }

    pub(super) fn begin(&mut self) {}

    pub(super) fn restore(&mut self, _: bool, _: &mut Store<State>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub(super) fn available() -> bool {
    false
}
