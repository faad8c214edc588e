//! Reading and writing files of WASI 0.1, with quotas, denials and counts laid over wasmtime-wasi's functions.

use super::{
    Names,
    files::{DQUOT, SUCCESS},
    guest::Guest,
};
use crate::{
    dialect::files::{At, Fd, Room, growth, host_file},
    state::State,
};
use sandbar_grants::{Access, Volume};
use std::{fs::File, sync::Arc};
use wasmtime::{
    Caller, Linker, Result,
    component::{Resource, ResourceTable},
};
use wasmtime_wasi::{
    WasiView,
    p1::wasi_snapshot_preview1::{self as wasi, WasiSnapshotPreview1},
};
use wiggle::{GuestMemory, GuestPtr};

/// Lays them over, under one of the names of WASI 0.1, for a guest that has a folder.
pub(super) fn link(linker: &mut Linker<State>, names: Names) -> Result<()> {
    linker.func_wrap_async(
        names.module,
        "fd_filestat_set_size",
        move |mut caller: Caller<'_, State>, (fd, size): (i32, i64)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let mut guest = Guest::enter_outside(&export, &mut caller)?;
                let writing = Writing::of(&mut guest, fd)?;
                let grows = writing.as_ref().map_or(0, |writing| size.cast_unsigned().saturating_sub(writing.size));
                let Ok(room) = Room::take(writing.map(|writing| writing.volume), grows).await else { return Ok(DQUOT) };
                let Guest { memory, state } = &mut guest;
                let errno = wasi::fd_filestat_set_size(&mut state.wasi, memory, fd, size).await?;
                if errno == SUCCESS {
                    room.keep_all();
                }
                guest.tell(errno, &[(fd, "truncate", (0, 0), Access::ReadWrite)])
            })
        },
    )?;
    linker.func_wrap_async(
        names.module,
        "fd_write",
        move |mut caller: Caller<'_, State>, (fd, vectors, count, written): (i32, i32, i32, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let mut guest = Guest::enter_for(fd, &export, &mut caller)?;
                let charge = Charge::take(&mut guest, fd, None, (vectors, count)).await?;
                let Some(charge) = charge else { return Ok(DQUOT) };
                let Guest { memory, state } = &mut guest;
                let errno = wasi::fd_write(&mut state.wasi, memory, fd, vectors, count, written).await?;
                charge.settle(&guest, fd, errno, written)
            })
        },
    )?;
    linker.func_wrap_async(
        names.module,
        "fd_pwrite",
        move |mut caller: Caller<'_, State>, (fd, vectors, count, offset, written): (i32, i32, i32, i64, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let mut guest = Guest::enter_outside(&export, &mut caller)?;
                let charge = Charge::take(&mut guest, fd, Some(offset.cast_unsigned()), (vectors, count)).await?;
                let Some(charge) = charge else { return Ok(DQUOT) };
                let Guest { memory, state } = &mut guest;
                let errno = wasi::fd_pwrite(&mut state.wasi, memory, fd, vectors, count, offset, written).await?;
                charge.settle(&guest, fd, errno, written)
            })
        },
    )?;
    linker.func_wrap_async(
        names.module,
        "fd_read",
        move |mut caller: Caller<'_, State>, (fd, vectors, count, read): (i32, i32, i32, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let mut guest = Guest::enter_for(fd, &export, &mut caller)?;
                let Guest { memory, state } = &mut guest;
                let errno = wasi::fd_read(&mut state.wasi, memory, fd, vectors, count, read).await?;
                charge_read(&guest, fd, errno, read)
            })
        },
    )?;
    linker.func_wrap_async(
        names.module,
        "fd_pread",
        move |mut caller: Caller<'_, State>, (fd, vectors, count, offset, read): (i32, i32, i32, i64, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let mut guest = Guest::enter_outside(&export, &mut caller)?;
                let Guest { memory, state } = &mut guest;
                let errno = wasi::fd_pread(&mut state.wasi, memory, fd, vectors, count, offset, read).await?;
                charge_read(&guest, fd, errno, read)
            })
        },
    )?;
    Ok(())
}

/// A file within a volume that is about to be written.
struct Writing {
    volume: Arc<Volume>,
    size: u64,
    append: bool,
}

impl Writing {
    /// None where no volume bounds it, or it is no file.
    fn of(guest: &mut Guest<'_>, fd: i32) -> Result<Option<Writing>> {
        let Some(Fd { descriptor: Some(number), append, .. }) = guest.state.files.fd(fd) else { return Ok(None) };
        let Some(volume) = guest.volume(fd) else { return Ok(None) };
        let size =
            file(guest.state.wasi.ctx().table, number).map_or(Ok(0), |file| file.metadata().map(|data| data.len()))?;
        Ok(Some(Writing { volume, size, append }))
    }
}

/// The host's file at a number of the table, unless it was closed.
fn file(table: &ResourceTable, number: u32) -> Option<Arc<File>> {
    host_file(table, &Resource::new_borrow(number)).ok().flatten()
}

/// Room for a write.
struct Charge {
    room: Room,
    at: At,
    size: u64,
}

impl Charge {
    /// Takes room for what one call writes, which is its first buffer that is not empty. None where there is not enough.
    async fn take(guest: &mut Guest<'_>, fd: i32, offset: Option<u64>, vectors: (i32, i32)) -> Result<Option<Charge>> {
        let Some(Writing { volume, size, append }) = Writing::of(guest, fd)? else {
            let room = Room::take(None, 0).await;
            return Ok(room.ok().map(|room| Charge { room, at: At::End, size: 0 }));
        };
        let position = match offset {
            Some(offset) => Some(offset),
            None => guest.state.wasi.fd_tell(&mut guest.memory, fd.cast_unsigned().into()).ok(),
        };
        let at = position.filter(|_| !append).map_or(At::End, At::Offset);
        let length = first_length(&guest.memory, vectors);
        let room = Room::take(Some(volume), growth(size, at, length.into())).await;
        Ok(room.ok().map(|room| Charge { room, at, size }))
    }

    /// Keeps what was written, and counts it.
    fn settle(self, guest: &Guest<'_>, fd: i32, errno: i32, written: i32) -> Result<i32> {
        if errno == SUCCESS && guest.state.files.fd(fd).is_some() {
            let count = guest.number(written)?.into();
            self.room.keep(growth(self.size, self.at, count));
            guest.state.wrote_bytes(count)?;
        }
        Ok(errno)
    }
}

fn charge_read(guest: &Guest<'_>, fd: i32, errno: i32, read: i32) -> Result<i32> {
    if errno == SUCCESS && guest.state.files.fd(fd).is_some() {
        guest.state.read_bytes(guest.number(read)?.into())?;
    }
    Ok(errno)
}

/// How long a list of buffers may be: the most that wasmtime-wasi reads of one, eight bytes each.
const BUFFERS_MAX: u32 = 16 << 20;

/// How long the first buffer is that is not empty, of a list of pairs of address and length. What can't be read ends the guest
/// where it is read again.
fn first_length(memory: &GuestMemory<'_>, (at, count): (i32, i32)) -> u32 {
    let lengths = (0..count.cast_unsigned().min(BUFFERS_MAX)).map_while(|index| {
        let pair = at.cast_unsigned().checked_add(index * 8 + 4)?;
        memory.read(GuestPtr::<u32>::new(pair)).ok()
    });
    lengths.into_iter().find(|length| *length > 0).unwrap_or(0)
}
