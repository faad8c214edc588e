//! Where the kernel does not tell which pages were written, sandboxes are not renewed but made new.

use crate::state::State;
use std::io;
use wasmtime::Store;

pub(super) struct Image;

impl Image {
    pub(super) fn of(_: &[u8]) -> Option<Image> {
        None
    }
}

#[derive(Clone, Copy)]
pub(super) struct Place;

impl Place {
    pub(super) fn of(_: &[u8]) -> Place {
        Place
    }
}

pub(super) fn restore(_: Place, _: &Image, _: &mut Store<State>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn available() -> bool {
    false
}
