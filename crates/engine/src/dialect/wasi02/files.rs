//! `wasi:filesystem` 0.2 with quotas, denials and counts laid over wasmtime-wasi's functions.

use crate::{
    dialect::{
        answer,
        files::{
            Asked, At, FileOutput, Place, Room, changeable, folder_name, growth, host_file, is_quota, names_a_folder,
            same_volume,
        },
        metered::{meter_input, meter_output},
    },
    state::State,
};
use sandbar_grants::{Access, QuotaExceeded, dir::ENTRY_BYTES};
use std::io;
use wasmtime::{
    Result, StoreContextMut,
    component::{Linker, LinkerInstance, Resource},
};
use wasmtime_wasi::{
    TrappableError,
    filesystem::{Descriptor, WasiFilesystem, WasiFilesystemCtxView, WasiFilesystemView},
    p2::bindings::filesystem::{
        preopens::Host as _,
        types::{self, DescriptorFlags, DescriptorType, ErrorCode, Host as _, HostDescriptor, OpenFlags, PathFlags},
    },
};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// What a function of the interface answers, or why the guest ends.
type Answer<T> = Result<std::result::Result<T, ErrorCode>>;
type Dir = Resource<Descriptor>;
type Store<'a> = StoreContextMut<'a, State>;

const TYPES: &str = "wasi:filesystem/types@0.2.12";
const PREOPENS: &str = "wasi:filesystem/preopens@0.2.12";

impl State {
    /// Files of the host, for a call that goes to one.
    fn host_files(&mut self) -> WasiFilesystemCtxView<'_> {
        self.leaves();
        self.filesystem()
    }
}

/// Lays them over, for a guest that has a folder.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    types::add_to_linker::<State, WasiFilesystem>(linker, State::host_files)?;
    linker.instance(PREOPENS)?.func_wrap("get-directories", |mut store: Store<'_>, (): ()| {
        let given = store.data_mut().filesystem().get_directories()?;
        store.data_mut().gave_folders(&given)?;
        Ok((given,))
    })?;
    let mut types = linker.instance(TYPES)?;
    open(&mut types)?;
    change(&mut types)?;
    transfer(&mut types)
}

/// Opening.
fn open(types: &mut LinkerInstance<'_, State>) -> Result<()> {
    types.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store: Store<'_>,
         (dir, follow, path, how, flags): (Dir, PathFlags, String, OpenFlags, DescriptorFlags)| {
            Box::new(async move {
                let ask = Opening { dir, follow, path, how, flags };
                let asked = ask.asked(store.data());
                let opened = ask.open(&mut store).await?;
                if let Ok(descriptor) = &opened {
                    let from = store.data().files.place(&ask.dir);
                    if ask.flags.contains(DescriptorFlags::MUTATE_DIRECTORY) {
                        changeable(store.data_mut().host_files().table, descriptor)?;
                    }
                    store.data_mut().opened(from, descriptor)?;
                }
                Ok((tell(&store, &asked, opened),))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.stat-at",
        |mut store: Store<'_>, (dir, follow, path): (Dir, PathFlags, String)| {
            Box::new(async move {
                let folder = names_a_folder(&path);
                let stat = answer(store.data_mut().host_files().stat_at(dir, follow, path).await)?;
                Ok((stat.and_then(|stat| match stat.type_ {
                    DescriptorType::Directory => Ok(stat),
                    _ if folder => Err(ErrorCode::NotDirectory),
                    _ => Ok(stat),
                }),))
            })
        },
    )
}

/// What `open-at` is asked for.
struct Opening {
    dir: Dir,
    follow: PathFlags,
    path: String,
    how: OpenFlags,
    flags: DescriptorFlags,
}

impl Opening {
    fn asked(&self, state: &State) -> Asked {
        let makes = self.how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE);
        let writes = makes || self.flags.contains(DescriptorFlags::WRITE);
        let (verb, wants) = if writes { ("write", Access::ReadWrite) } else { ("read", Access::ReadOnly) };
        Asked::new(state.files.place(&self.dir), verb, &self.path, wants)
    }

    /// Opens, and takes room for what this makes. What is there already costs nothing, so it is tried first.
    async fn open(&self, store: &mut Store<'_>) -> Answer<Resource<Descriptor>> {
        let volume = store.data().volume(store.data().files.place(&self.dir));
        if volume.is_none() || !self.how.contains(OpenFlags::CREATE) {
            return self.plain(store, self.how, self.flags).await;
        }
        if !self.how.contains(OpenFlags::EXCLUSIVE) {
            let there = self.there(store).await?;
            if !matches!(there, Err(ErrorCode::NoEntry)) {
                return Ok(there);
            }
        }
        let Ok(room) = Room::take(volume, ENTRY_BYTES).await else { return Ok(Err(ErrorCode::Quota)) };
        let made = self.plain(store, self.how, self.flags).await?;
        if made.is_ok() {
            room.keep_all();
        }
        Ok(made)
    }

    /// Opens what is there, for what `create` opens it for.
    async fn there(&self, store: &mut Store<'_>) -> Answer<Resource<Descriptor>> {
        let mut flags = self.flags;
        if !flags.contains(DescriptorFlags::WRITE) {
            flags |= DescriptorFlags::WRITE | DescriptorFlags::READ;
        }
        self.plain(store, self.how & !OpenFlags::CREATE, flags).await
    }

    async fn plain(
        &self,
        store: &mut Store<'_>,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> Answer<Resource<Descriptor>> {
        let mut files = store.data_mut().host_files();
        answer(files.open_at(same(&self.dir), self.follow, self.path.clone(), how, flags).await)
    }
}

/// Making, moving and removing.
fn change(types: &mut LinkerInstance<'_, State>) -> Result<()> {
    types.func_wrap_async(
        "[method]descriptor.create-directory-at",
        |mut store: Store<'_>, (dir, path): (Dir, String)| {
            Box::new(async move {
                let (place, asked) = change_asked(&store, &dir, "create", &path);
                let room = Room::take(store.data().volume(place), ENTRY_BYTES).await;
                let made = entry(room, store.data_mut().host_files().create_directory_at(dir, path)).await?;
                Ok((tell(&store, &asked, made),))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.symlink-at",
        |mut store: Store<'_>, (dir, to, path): (Dir, String, String)| {
            Box::new(async move {
                let (place, asked) = change_asked(&store, &dir, "create", &path);
                let room = Room::take(store.data().volume(place), ENTRY_BYTES).await;
                let made = entry(room, store.data_mut().host_files().symlink_at(dir, to, path)).await?;
                Ok((tell(&store, &asked, made),))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.link-at",
        |mut store: Store<'_>, (dir, follow, path, new_dir, new_path): (Dir, PathFlags, String, Dir, String)| {
            Box::new(async move {
                let (_, from) = change_asked(&store, &dir, "link", &path);
                let (place, to) = change_asked(&store, &new_dir, "create", &new_path);
                let volume = store.data().volume(place);
                if !same_volume(store.data().volume(store.data().files.place(&dir)).as_ref(), volume.as_ref()) {
                    return Ok((Err(ErrorCode::CrossDevice),));
                }
                let room = Room::take(volume, ENTRY_BYTES).await;
                let mut files = store.data_mut().host_files();
                let made = entry(room, files.link_at(dir, follow, path, new_dir, new_path)).await?;
                Ok((tell_both(&store, &from, &to, made),))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.rename-at",
        |mut store: Store<'_>, (dir, path, new_dir, new_path): (Dir, String, Dir, String)| {
            Box::new(async move {
                let (_, from) = change_asked(&store, &dir, "rename", &path);
                let (place, to) = change_asked(&store, &new_dir, "create", &new_path);
                let volume = store.data().volume(place);
                if !same_volume(store.data().volume(store.data().files.place(&dir)).as_ref(), volume.as_ref()) {
                    return Ok((Err(ErrorCode::CrossDevice),));
                }
                let moved = store.data_mut().host_files().rename_at(dir, path, new_dir, new_path).await;
                let moved = answer(moved)?;
                Ok((tell_both(&store, &from, &to, moved),))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.unlink-file-at",
        |mut store: Store<'_>, (dir, path): (Dir, String)| {
            Box::new(async move {
                let (_, asked) = change_asked(&store, &dir, "remove", &path);
                let removed = answer(store.data_mut().host_files().unlink_file_at(dir, path).await)?;
                Ok((tell(&store, &asked, removed),))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.remove-directory-at",
        |mut store: Store<'_>, (dir, path): (Dir, String)| {
            Box::new(async move {
                let (_, asked) = change_asked(&store, &dir, "remove", &path);
                let name = folder_name(&path).to_owned();
                let removed = answer(store.data_mut().host_files().remove_directory_at(dir, name).await)?;
                Ok((tell(&store, &asked, removed),))
            })
        },
    )
}

fn change_asked(store: &Store<'_>, dir: &Dir, verb: &'static str, path: &str) -> (Option<Place>, Asked) {
    let place = store.data().files.place(dir);
    (place, Asked::new(place, verb, path, Access::ReadWrite))
}

/// Makes an entry that room was taken for.
async fn entry(
    room: std::result::Result<Room, QuotaExceeded>,
    make: impl Future<Output = std::result::Result<(), TrappableError<ErrorCode>>>,
) -> Answer<()> {
    let Ok(room) = room else { return Ok(Err(ErrorCode::Quota)) };
    let made = answer(make.await)?;
    if made.is_ok() {
        room.keep_all();
    }
    Ok(made)
}

/// Reading and writing.
fn transfer(types: &mut LinkerInstance<'_, State>) -> Result<()> {
    types.func_wrap_async("[method]descriptor.set-size", |mut store: Store<'_>, (file, size): (Dir, u64)| {
        Box::new(async move { Ok((set_size(&mut store, file, size).await?,)) })
    })?;
    types.func_wrap_async(
        "[method]descriptor.write",
        |mut store: Store<'_>, (file, bytes, offset): (Dir, Vec<u8>, u64)| {
            Box::new(async move { Ok((write(&mut store, file, bytes, offset).await?,)) })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.read",
        |mut store: Store<'_>, (file, length, offset): (Dir, u64, u64)| {
            Box::new(async move {
                let read = answer(store.data_mut().host_files().read(file, length, offset).await)?;
                if let Ok((bytes, _)) = &read {
                    store.data().read_bytes(bytes.len() as u64)?;
                }
                Ok((read,))
            })
        },
    )?;
    types.func_wrap("[method]descriptor.read-via-stream", |mut store: Store<'_>, (file, offset): (Dir, u64)| {
        let tap = store.data().tap.clone();
        let mut files = store.data_mut().host_files();
        let opened: std::result::Result<Resource<DynInputStream>, ErrorCode> =
            answer(files.read_via_stream(file, offset))?;
        if let Ok(stream) = &opened {
            meter_input(files.table, stream, tap)?;
        }
        Ok((opened,))
    })?;
    types.func_wrap("[method]descriptor.write-via-stream", |mut store: Store<'_>, (file, offset): (Dir, u64)| {
        Ok((output(&mut store, &file, At::Offset(offset))?,))
    })?;
    types.func_wrap("[method]descriptor.append-via-stream", |mut store: Store<'_>, (file,): (Dir,)| {
        Ok((output(&mut store, &file, At::End)?,))
    })?;
    types.func_wrap("filesystem-error-code", |mut store: Store<'_>, (error,): (Resource<wasmtime::Error>,)| {
        let mut files = store.data_mut().host_files();
        let quota = files.table.get(&error)?.downcast_ref::<io::Error>().is_some_and(is_quota);
        Ok((if quota { Some(ErrorCode::Quota) } else { files.filesystem_error_code(error)? },))
    })
}

async fn set_size(store: &mut Store<'_>, file: Dir, size: u64) -> Answer<()> {
    let (place, asked) = change_asked(store, &file, "truncate", "");
    let volume = store.data().volume(place);
    let before = if volume.is_some() { file_size(store, &file)?.unwrap_or(size) } else { size };
    let Ok(room) = Room::take(volume, size.saturating_sub(before)).await else {
        return Ok(Err(ErrorCode::Quota));
    };
    let changed = answer(store.data_mut().host_files().set_size(file, size).await)?;
    if changed.is_ok() {
        room.keep_all();
    }
    Ok(tell(store, &asked, changed))
}

async fn write(store: &mut Store<'_>, file: Dir, bytes: Vec<u8>, offset: u64) -> Answer<u64> {
    let volume = store.data().volume(store.data().files.place(&file));
    let before = if volume.is_some() { file_size(store, &file)?.unwrap_or(0) } else { 0 };
    let grows = |length| growth(before, At::Offset(offset), length);
    let Ok(room) = Room::take(volume, grows(bytes.len() as u64)).await else { return Ok(Err(ErrorCode::Quota)) };
    let written = answer(store.data_mut().host_files().write(file, bytes, offset).await)?;
    if let Ok(count) = written {
        room.keep(grows(count));
        store.data().wrote_bytes(count)?;
    }
    Ok(written)
}

/// Opens a stream into a file. wasmtime-wasi opens it, so that what it checks is checked; within a volume it is replaced.
fn output(store: &mut Store<'_>, file: &Dir, at: At) -> Answer<Resource<DynOutputStream>> {
    let volume = store.data().volume(store.data().files.place(file));
    let tap = store.data().tap.clone();
    let mut files = store.data_mut().host_files();
    let opened = answer(match at {
        At::Offset(offset) => files.write_via_stream(same(file), offset),
        At::End => files.append_via_stream(same(file)),
    })?;
    let Ok(stream) = &opened else { return Ok(opened) };
    match (volume, host_file(files.table, file)?) {
        (Some(volume), Some(file)) => *files.table.get_mut(stream)? = Box::new(FileOutput::new(file, at, volume, tap)),
        (None, _) | (_, None) => meter_output(files.table, stream, tap)?,
    }
    Ok(opened)
}

/// How long a file is; none for a folder.
fn file_size(store: &mut Store<'_>, file: &Dir) -> Result<Option<u64>> {
    let host = host_file(store.data_mut().host_files().table, file)?;
    Ok(host.map(|file| file.metadata()).transpose()?.map(|metadata| metadata.len()))
}

/// The same descriptor once more.
fn same(descriptor: &Resource<Descriptor>) -> Resource<Descriptor> {
    Resource::new_borrow(descriptor.rep())
}

/// Records what was refused.
fn tell<T>(
    store: &Store<'_>,
    asked: &Asked,
    result: std::result::Result<T, ErrorCode>,
) -> std::result::Result<T, ErrorCode> {
    if matches!(result, Err(ErrorCode::NotPermitted)) {
        asked.refused(store.data());
    }
    result
}

/// Records what was refused of something that has two ends.
fn tell_both<T>(
    store: &Store<'_>,
    from: &Asked,
    to: &Asked,
    result: std::result::Result<T, ErrorCode>,
) -> std::result::Result<T, ErrorCode> {
    let from = if from.explains(store.data()) || !to.explains(store.data()) { from } else { to };
    tell(store, from, result)
}
