//! Memory of JavaScript's, for small inputs and answers: one piece for each of its threads. To find out where an array lies, or to
//! make one, takes a good part of a small call.

#![allow(unsafe_code, reason = "writing to memory that JavaScript keeps; see `put`")]

use bytes::Bytes;
use napi::bindgen_prelude::Uint8ArraySlice;
use napi_derive::napi;
use std::{cell::Cell, ptr, slice};

thread_local! {
    /// Where the piece of this thread lies, and how long it is.
    static SCRATCH: Cell<(*mut u8, usize)> = const { Cell::new((ptr::null_mut(), 0)) };
}

/// Lends this thread's piece, which has to stay where it is for as long as the thread calls plugins: JavaScript keeps it, and gives
/// it to nobody.
#[napi]
pub fn lend_scratch(mut bytes: Uint8ArraySlice<'_>) {
    // SAFETY: only asks where it is.
    let bytes = unsafe { bytes.as_mut() };
    SCRATCH.set((bytes.as_mut_ptr(), bytes.len()));
}

/// Copies the input that JavaScript has put there, of this length, as far as there is one.
pub(crate) fn take(length: u32) -> Bytes {
    let (place, room) = SCRATCH.get();
    let length = room.min(length as usize);
    if length == 0 {
        return Bytes::new();
    }
    // SAFETY: as in `put`.
    Bytes::copy_from_slice(unsafe { slice::from_raw_parts(place, length) })
}

/// Copies an answer there, and gives its length; nothing where there is no room.
pub(crate) fn put(answer: &[u8]) -> Option<u32> {
    let (place, room) = SCRATCH.get();
    let length = u32::try_from(answer.len()).ok().filter(|_| answer.len() <= room)?;
    // SAFETY: JavaScript has lent so many bytes there for good, none of its code runs meanwhile, and no Rust has a reference.
    unsafe { ptr::copy_nonoverlapping(answer.as_ptr(), place, answer.len()) };
    Some(length)
}
