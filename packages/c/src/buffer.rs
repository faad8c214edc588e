//! Memory of the caller's that a result is written to, and that grows where it is too small.

use crate::{
    error::Error,
    status::{Status, always},
};
use std::ptr::{copy_nonoverlapping, null_mut};

/// What memory of the library's is at least, in bytes.
const CAPACITY_BYTES_MIN: usize = 256;

/// Memory of the caller's for a result. Begin with all zeroes, or with `data` and `capacity` of memory of your own, and use the
/// same buffer for many calls. A result that does not fit goes to memory of the library's, which is there until
/// `sandbar_buffer_free`. Behind a result there is a zero byte, so that a text can be printed.
#[repr(C)]
#[derive(Debug)]
pub struct Buffer {
    /// The result, in your memory or in the library's.
    pub data: *mut u8,
    /// How long the result is, in bytes.
    pub length: usize,
    /// How much there is room for, in bytes.
    pub capacity: usize,
    /// The library's memory, where it was needed. Leave it as it is.
    pub owned: *mut u8,
}

impl Buffer {
    const EMPTY: Buffer = Buffer { data: null_mut(), length: 0, capacity: 0, owned: null_mut() };

    fn free(&mut self) {
        // SAFETY: it is null, or what `grow` had of `malloc` and nobody freed: the header asks to leave it as it is.
        unsafe { libc::free(self.owned.cast()) };
        *self = Buffer::EMPTY;
    }

    /// Has room for so many bytes, whatever becomes of those in it.
    fn grow(&mut self, capacity: usize) -> Result<(), Error> {
        let capacity = capacity.max(CAPACITY_BYTES_MIN).max(self.capacity.saturating_mul(2));
        self.free();
        // SAFETY: any size may be asked for.
        let owned: *mut u8 = unsafe { libc::malloc(capacity) }.cast();
        if owned.is_null() {
            return Err(Error::new(Status::System, &format!("there is no memory for {capacity} bytes of a result")));
        }
        *self = Buffer { data: owned, length: 0, capacity, owned };
        Ok(())
    }

    fn fill(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.data.is_null() || self.capacity <= bytes.len() {
            self.grow(bytes.len() + 1)?;
        }
        // SAFETY: there is room for the bytes and a zero behind them, as was just seen to, and they lie elsewhere.
        unsafe {
            copy_nonoverlapping(bytes.as_ptr(), self.data, bytes.len());
            self.data.add(bytes.len()).write(0);
        }
        self.length = bytes.len();
        Ok(())
    }
}

/// Writes a result where the caller wants it.
pub(crate) fn fill(buffer: *mut Buffer, bytes: &[u8]) -> Result<(), Error> {
    // SAFETY: it is null, or by the header a buffer that is for this function alone; only here is it looked at.
    unsafe { buffer.as_mut() }.map_or(Ok(()), |buffer| buffer.fill(bytes))
}

/// Empties a buffer, and frees what memory of the library's is in it; null is none. It can be used again.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_buffer_free_v1(buffer: Option<&mut Buffer>) {
    always(|| buffer.map_or((), Buffer::free));
}
