//! Standard streams of WASI 0.1 by a short way.
//!
//! A function reads its event from stdin and writes its answer to stdout, and mostly calls the host for nothing else.
//! wasmtime-wasi has descriptors, streams and a table of resources for that, which are made in each sandbox when the first of
//! them is used. Here the streams are used as they are, as long as their descriptors mean them.

use super::{Names, files::SUCCESS, guest::Guest};
use crate::{state::State, stdio::Output};
use bytes::Bytes;
use std::{future::poll_fn, ops::Range};
use wasmtime::{Caller, Linker, Memory, Result};
use wasmtime_wasi::p1::wasi_snapshot_preview1 as wasi;
use wasmtime_wasi_io::streams::{OutputStream as _, StreamError, StreamResult};

const STDIN: i32 = 0;
const STDOUT: i32 = 1;
const STDERR: i32 = 2;
const IO: i32 = 29;
const FAULT: i32 = 21;
/// How long a list of buffers may be: the most that wasmtime-wasi reads of one, eight bytes each.
const BUFFERS_MAX: u32 = 16 << 20;

/// What `fd_read` and `fd_write` are called with: a descriptor, a list of buffers, its length, and where the count goes.
type Transfer = (i32, i32, i32, i32);

/// Lays it over, for a guest without folders.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    let names = Names::OWN;
    linker.func_wrap_async(names.module, "fd_read", move |mut caller: Caller<'_, State>, transfer: Transfer| {
        Box::new(async move {
            match caller.data().plain_memory(transfer.0 == STDIN) {
                Some(memory) => read(memory, &mut caller, transfer).await,
                None => {
                    let export = caller.get_export(names.memory);
                    let Guest { mut memory, state } = Guest::enter(&export, &mut caller)?;
                    let (fd, buffers, count, told) = transfer;
                    wasi::fd_read(&mut state.wasi, &mut memory, fd, buffers, count, told).await
                }
            }
        })
    })?;
    linker.func_wrap_async(names.module, "fd_write", move |mut caller: Caller<'_, State>, transfer: Transfer| {
        Box::new(async move {
            match caller.data().plain_memory(matches!(transfer.0, STDOUT | STDERR)) {
                Some(memory) => write(memory, &mut caller, transfer).await,
                None => {
                    let export = caller.get_export(names.memory);
                    let Guest { mut memory, state } = Guest::enter(&export, &mut caller)?;
                    let (fd, buffers, count, told) = transfer;
                    wasi::fd_write(&mut state.wasi, &mut memory, fd, buffers, count, told).await
                }
            }
        })
    })?;
    Ok(())
}

/// Notes what moves their descriptors, under one of the names of WASI 0.1, for a guest without folders.
pub(crate) fn watch(linker: &mut Linker<State>, names: Names) -> Result<()> {
    linker.func_wrap_async(names.module, "fd_close", move |mut caller: Caller<'_, State>, (fd,): (i32,)| {
        Box::new(async move {
            let export = caller.get_export(names.memory);
            let Guest { mut memory, state } = Guest::enter(&export, &mut caller)?;
            state.streams_moved = true;
            wasi::fd_close(&mut state.wasi, &mut memory, fd).await
        })
    })?;
    linker.func_wrap_async(
        names.module,
        "fd_renumber",
        move |mut caller: Caller<'_, State>, (from, to): (i32, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let Guest { mut memory, state } = Guest::enter(&export, &mut caller)?;
                state.streams_moved = true;
                wasi::fd_renumber(&mut state.wasi, &mut memory, from, to).await
            })
        },
    )?;
    Ok(())
}

/// Reads what is there, up to the length of the first buffer that is not empty; waits until there is something.
async fn read(memory: Memory, caller: &mut Caller<'_, State>, (_, buffers, count, told): Transfer) -> Result<i32> {
    let (bytes, state) = memory.data_and_store_mut(caller);
    state.serves();
    let (Some(buffer), Some(told)) = (first_buffer(bytes, buffers, count), number(bytes, told)) else {
        return Ok(FAULT);
    };
    let read = match buffer.len() {
        0 => Ok(None),
        length => {
            poll_fn(|cx| state.stdin.poll_fill(cx)).await;
            state.stdin.take(length)
        }
    };
    let read = match read {
        Ok(read) => read.unwrap_or_default(),
        Err(error) => return failed(error),
    };
    if let Some(target) = bytes.get_mut(buffer.start..buffer.start + read.len()) {
        target.copy_from_slice(&read);
    }
    tell(bytes, told, read.len())
}

/// Writes the first buffer that is not empty, as far as there is room; waits until there is some.
async fn write(memory: Memory, caller: &mut Caller<'_, State>, (fd, buffers, count, told): Transfer) -> Result<i32> {
    let (bytes, state) = memory.data_and_store_mut(caller);
    state.serves();
    let (Some(buffer), Some(told)) = (first_buffer(bytes, buffers, count), number(bytes, told)) else {
        return Ok(FAULT);
    };
    let written = bytes.get(buffer).unwrap_or_default();
    let length = match written.len() {
        length if fd == STDERR => length,
        length => length.min(poll_fn(|cx| state.stdout.poll_room(cx)).await),
    };
    let written = Bytes::copy_from_slice(written.get(..length).unwrap_or_default());
    let put: StreamResult<()> = if fd == STDERR {
        state.stderr.write(written)
    } else {
        Output::new(state.stdout.clone(), state.tap.clone()).write(written)
    };
    match put {
        Ok(()) => tell(bytes, told, length),
        Err(error) => failed(error),
    }
}

fn failed(error: StreamError) -> Result<i32> {
    match error {
        StreamError::LastOperationFailed(_) => Ok(IO),
        StreamError::Closed => Ok(SUCCESS),
        StreamError::Trap(error) => Err(error),
    }
}

fn tell(bytes: &mut [u8], at: Range<usize>, count: usize) -> Result<i32> {
    if let Some(told) = bytes.get_mut(at) {
        told.copy_from_slice(&u32::try_from(count)?.to_le_bytes());
    }
    Ok(SUCCESS)
}

/// Where the first buffer is that is not empty, of a list of pairs of address and length; an empty one where all are. None
/// where the list or the buffer is not within the memory.
fn first_buffer(bytes: &[u8], list: i32, count: i32) -> Option<Range<usize>> {
    if count.cast_unsigned() > BUFFERS_MAX {
        return None;
    }
    let list = usize::try_from(list.cast_unsigned()).ok()?;
    let list = bytes.get(list..list.checked_add(usize::try_from(count).ok()?.checked_mul(8)?)?)?;
    for pair in list.as_chunks::<8>().0 {
        let (at, length) = pair.split_at(4);
        let part = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize);
        let (at, length) = (part(at)?, part(length)?);
        if length > 0 {
            let buffer = at..at.checked_add(length)?;
            return bytes.get(buffer.clone()).map(|_| buffer);
        }
    }
    Some(0..0)
}

/// Where a number of four bytes is, if it is within the memory.
fn number(bytes: &[u8], at: i32) -> Option<Range<usize>> {
    let at = usize::try_from(at.cast_unsigned()).ok()?;
    let number = at..at.checked_add(4)?;
    bytes.get(number.clone()).map(|_| number)
}
