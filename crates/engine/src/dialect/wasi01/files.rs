//! Files of WASI 0.1 with quotas, denials and counts laid over wasmtime-wasi's functions.
//!
//! Its functions answer with an errno and write what else they answer into the guest's memory, so what happened is read from
//! there. wasmtime-wasi keeps which file a file descriptor stands for to itself. It puts each into the table of resources, which
//! gives the number that was freed last: so the number that the table gives now is the one that an opened file will have.

use super::{Names, guest::Guest, transfer};
use crate::{
    dialect::files::{Asked, Fd, Room, folder_name, host_file, same_volume},
    state::State,
};
use sandbar_call::GrantKind;
use sandbar_grants::{Access, Volume, dir::ENTRY_BYTES};
use std::sync::Arc;
use wasmtime::{
    Caller, Linker, Result,
    component::{Resource, ResourceTable, ResourceTableError},
};
use wasmtime_wasi::{
    WasiView,
    filesystem::Descriptor,
    p1::{
        types::{Fdflags, Oflags, Rights},
        wasi_snapshot_preview1::{self as wasi, WasiSnapshotPreview1},
    },
};
use wiggle::{GuestMemory, GuestPtr};

pub(super) const SUCCESS: i32 = 0;
pub(super) const DQUOT: i32 = 19;
const NOENT: i32 = 44;
const PERM: i32 = 63;
const XDEV: i32 = 75;

/// A path in the guest's memory: where, and how long.
type Path = (i32, i32);
/// What `path_open` is called with.
type PathOpen = (i32, i32, i32, i32, i32, i64, i64, i32, i32);

/// Lays them over, under one of the names of WASI 0.1, for a guest that has a folder.
pub(crate) fn link(linker: &mut Linker<State>, names: Names) -> Result<()> {
    change(linker, names)?;
    transfer::link(linker, names)?;
    linker.func_wrap_async(
        names.module,
        "path_open",
        move |mut caller: Caller<'_, State>,
              (dir, follow, path, length, how, rights, inheriting, flags, opened): PathOpen| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let mut guest = Guest::enter_outside(&export, &mut caller)?;
                let open = Opening { dir, follow, path: (path, length), how, rights, inheriting, flags, opened };
                open.open(&mut guest).await
            })
        },
    )?;
    linker.func_wrap_async(
        names.module,
        "fd_renumber",
        move |mut caller: Caller<'_, State>, (from, to): (i32, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let Guest { mut memory, state } = Guest::enter(&export, &mut caller)?;
                let errno = wasi::fd_renumber(&mut state.wasi, &mut memory, from, to).await?;
                if errno == SUCCESS && from != to {
                    state.listings.forget(from);
                    state.listings.forget(to);
                    let fds = &mut state.files.fds;
                    match fds.remove(&from.cast_unsigned()) {
                        Some(fd) => fds.insert(to.cast_unsigned(), fd),
                        None => fds.remove(&to.cast_unsigned()),
                    };
                }
                Ok(errno)
            })
        },
    )?;
    linker.func_wrap(
        names.module,
        "fd_fdstat_set_flags",
        move |mut caller: Caller<'_, State>, fd: i32, flags: i32| {
            let export = caller.get_export(names.memory);
            let Guest { mut memory, state } = Guest::enter(&export, &mut caller)?;
            let errno = wasi::fd_fdstat_set_flags(&mut state.wasi, &mut memory, fd, flags)?;
            if let (SUCCESS, Some(fd)) = (errno, state.files.fds.get_mut(&fd.cast_unsigned())) {
                fd.append = has(flags, Fdflags::APPEND.bits().into());
            }
            Ok(errno)
        },
    )?;
    Ok(())
}

impl Guest<'_> {
    pub(super) fn volume(&self, fd: i32) -> Option<Arc<Volume>> {
        self.state.volume(self.state.files.fd(fd).map(|fd| fd.place))
    }

    /// Records what was refused with `PERM`: a folder that is read-only, or a path that leads out of one.
    pub(super) fn tell(&self, errno: i32, asks: &[(i32, &'static str, Path, Access)]) -> Result<i32> {
        if errno == PERM {
            let asked = |&(fd, verb, (at, length), wants): &(i32, &'static str, Path, Access)| {
                let place = self.state.files.fd(fd).map(|fd| fd.place);
                let path = self.memory.as_cow_str(GuestPtr::new((at.cast_unsigned(), length.cast_unsigned())));
                Asked::new(place, verb, &path.unwrap_or_default(), wants)
            };
            let asked: Vec<Asked> = asks.iter().map(asked).collect();
            let explains = asked.iter().find(|asked| asked.explains(self.state));
            if let Some(asked) = explains.or(asked.first()) {
                asked.refused(self.state);
            }
        }
        Ok(errno)
    }
}

/// What `path_open` is asked for.
#[derive(Clone, Copy)]
struct Opening {
    dir: i32,
    follow: i32,
    path: Path,
    how: i32,
    rights: i64,
    inheriting: i64,
    flags: i32,
    opened: i32,
}

impl Opening {
    async fn open(self, guest: &mut Guest<'_>) -> Result<i32> {
        // The standard streams and the folders get their numbers first, which happens at the first use of any.
        let _ = guest.state.wasi.fd_prestat_get(&mut guest.memory, 0u32.into());
        let number = next_number(guest.state.wasi.ctx().table)?;
        let errno = self.charged(guest).await?;
        if errno == SUCCESS {
            let fd = guest.number(self.opened)?;
            if let Some(from) = guest.state.files.fd(self.dir) {
                let descriptor = Resource::<Descriptor>::new_borrow(number);
                // Fails, and so ends the guest, should an opened file ever have another number.
                let file = host_file(guest.state.wasi.ctx().table, &descriptor)?;
                let append = has(self.flags, Fdflags::APPEND.bits().into());
                let descriptor = file.map(|_| number);
                guest.state.files.fds.insert(fd, Fd { place: from.place.inside(), descriptor, append });
            }
            guest.state.tap.meter().called(GrantKind::Dir);
            guest.state.handle(number)?;
        }
        let makes = has(self.how, (Oflags::CREAT | Oflags::TRUNC).bits().into());
        let writes = makes || self.rights & Rights::FD_WRITE.bits().cast_signed() != 0;
        let (verb, wants) = if writes { ("write", Access::ReadWrite) } else { ("read", Access::ReadOnly) };
        guest.tell(errno, &[(self.dir, verb, self.path, wants)])
    }

    /// Opens, and takes room for what this makes. What is there already costs nothing, so it is tried first.
    async fn charged(self, guest: &mut Guest<'_>) -> Result<i32> {
        let creates = Oflags::CREAT.bits().into();
        let volume = guest.volume(self.dir);
        if volume.is_none() || !has(self.how, creates) {
            return self.plain(guest).await;
        }
        if !has(self.how, Oflags::EXCL.bits().into()) {
            // As `CREAT` opens it: for writing, and for reading too unless only writing is asked for.
            let (reads, writes) = (Rights::FD_READ.bits().cast_signed(), Rights::FD_WRITE.bits().cast_signed());
            let adds = if self.rights & writes == 0 { reads | writes } else { 0 };
            let there = Opening { how: self.how & !creates, rights: self.rights | adds, ..self };
            let errno = there.plain(guest).await?;
            if errno != NOENT {
                return Ok(errno);
            }
        }
        entry(volume, self.plain(guest)).await
    }

    async fn plain(self, guest: &mut Guest<'_>) -> Result<i32> {
        let Opening { dir, follow, path: (at, length), how, rights, inheriting, flags, opened } = self;
        let wasi = &mut guest.state.wasi;
        wasi::path_open(wasi, &mut guest.memory, dir, follow, at, length, how, rights, inheriting, flags, opened).await
    }
}

/// Making, moving and removing.
fn change(linker: &mut Linker<State>, names: Names) -> Result<()> {
    linker.func_wrap_async(
        names.module,
        "path_create_directory",
        move |mut caller: Caller<'_, State>, (dir, at, length): (i32, i32, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let mut guest = Guest::enter_outside(&export, &mut caller)?;
                let (volume, Guest { memory, state }) = (guest.volume(dir), &mut guest);
                let errno =
                    entry(volume, wasi::path_create_directory(&mut state.wasi, memory, dir, at, length)).await?;
                guest.tell(errno, &[(dir, "create", (at, length), Access::ReadWrite)])
            })
        },
    )?;
    linker.func_wrap_async(
        names.module,
        "path_symlink",
        move |mut caller: Caller<'_, State>, (to, to_length, dir, at, length): (i32, i32, i32, i32, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let mut guest = Guest::enter_outside(&export, &mut caller)?;
                let (volume, Guest { memory, state }) = (guest.volume(dir), &mut guest);
                let make = wasi::path_symlink(&mut state.wasi, memory, to, to_length, dir, at, length);
                let errno = entry(volume, make).await?;
                let asks = [
                    (dir, "create", (at, length), Access::ReadWrite),
                    (dir, "link to", (to, to_length), Access::ReadOnly),
                ];
                guest.tell(errno, &asks)
            })
        },
    )?;
    linker.func_wrap_async(
        names.module,
        "path_link",
        move |mut caller: Caller<'_, State>,
              (dir, follow, at, length, new_dir, new_at, new_length): (i32, i32, i32, i32, i32, i32, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let mut guest = Guest::enter_outside(&export, &mut caller)?;
                let volume = guest.volume(new_dir);
                if !same_volume(guest.volume(dir).as_ref(), volume.as_ref()) {
                    return Ok(XDEV);
                }
                let Guest { memory, state } = &mut guest;
                let wasi = &mut state.wasi;
                let make = wasi::path_link(wasi, memory, dir, follow, at, length, new_dir, new_at, new_length);
                let errno = entry(volume, make).await?;
                let asks = [
                    (dir, "link", (at, length), Access::ReadWrite),
                    (new_dir, "create", (new_at, new_length), Access::ReadWrite),
                ];
                guest.tell(errno, &asks)
            })
        },
    )?;
    linker.func_wrap_async(
        names.module,
        "path_rename",
        move |mut caller: Caller<'_, State>,
              (dir, at, length, new_dir, new_at, new_length): (i32, i32, i32, i32, i32, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let mut guest = Guest::enter_outside(&export, &mut caller)?;
                if !same_volume(guest.volume(dir).as_ref(), guest.volume(new_dir).as_ref()) {
                    return Ok(XDEV);
                }
                let Guest { memory, state } = &mut guest;
                let wasi = &mut state.wasi;
                let errno = wasi::path_rename(wasi, memory, dir, at, length, new_dir, new_at, new_length).await?;
                let asks = [
                    (dir, "rename", (at, length), Access::ReadWrite),
                    (new_dir, "create", (new_at, new_length), Access::ReadWrite),
                ];
                guest.tell(errno, &asks)
            })
        },
    )?;
    linker.func_wrap_async(
        names.module,
        "path_unlink_file",
        move |mut caller: Caller<'_, State>, (dir, at, length): (i32, i32, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let mut guest = Guest::enter_outside(&export, &mut caller)?;
                let Guest { memory, state } = &mut guest;
                let errno = wasi::path_unlink_file(&mut state.wasi, memory, dir, at, length).await?;
                guest.tell(errno, &[(dir, "remove", (at, length), Access::ReadWrite)])
            })
        },
    )?;
    linker.func_wrap_async(
        names.module,
        "path_remove_directory",
        move |mut caller: Caller<'_, State>, (dir, at, length): (i32, i32, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let mut guest = Guest::enter_outside(&export, &mut caller)?;
                let Guest { memory, state } = &mut guest;
                let named = without_slashes(memory, (at, length));
                let errno = wasi::path_remove_directory(&mut state.wasi, memory, dir, at, named).await?;
                guest.tell(errno, &[(dir, "remove", (at, length), Access::ReadWrite)])
            })
        },
    )?;
    Ok(())
}

/// How long a path is without the slashes at its end, which say that it is a folder: what is removed as one is one anyway.
fn without_slashes(memory: &GuestMemory<'_>, (at, length): Path) -> i32 {
    let path = memory.as_cow_str(GuestPtr::new((at.cast_unsigned(), length.cast_unsigned())));
    path.map_or(length, |path| i32::try_from(folder_name(&path).len()).unwrap_or(length))
}

/// Makes an entry, with room taken for it.
async fn entry(volume: Option<Arc<Volume>>, make: impl Future<Output = Result<i32>>) -> Result<i32> {
    let Ok(room) = Room::take(volume, ENTRY_BYTES).await else { return Ok(DQUOT) };
    let errno = make.await?;
    if errno == SUCCESS {
        room.keep_all();
    }
    Ok(errno)
}

/// The number that the table gives next.
fn next_number(table: &mut ResourceTable) -> std::result::Result<u32, ResourceTableError> {
    let probe = table.push(())?;
    let number = probe.rep();
    table.delete(probe)?;
    Ok(number)
}

fn has(flags: i32, flag: i32) -> bool {
    flags & flag != 0
}
