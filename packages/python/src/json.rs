//! Python's objects as JSON and back, without a text that Python's own `json` would make of them in between: a small call takes
//! less time than that would.

mod read;
mod write;

pub(crate) use {
    read::read,
    write::{arguments, named, value},
};

/// How deep values may lie in each other, either way.
const DEPTH_MAX: usize = 128;
