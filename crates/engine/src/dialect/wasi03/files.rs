//! `wasi:filesystem` 0.3 with quotas, denials and counts laid over wasmtime-wasi's functions.

mod consumer;

use super::metered::metered;
use crate::{
    dialect::{
        answer,
        files::{Asked, At, Place, Room, changeable, folder_name, host_file, names_a_folder, same_volume},
    },
    state::State,
};
use consumer::FileConsumer;
use sandbar_call::Resource as Amount;
use sandbar_grants::{Access, QuotaExceeded, Volume, dir::ENTRY_BYTES};
use std::sync::Arc;
use tokio::sync::oneshot;
use wasmtime::{
    AsContextMut, Result, StoreContextMut,
    component::{Access as StoreAccess, Accessor, FutureReader, Linker, LinkerInstance, Resource, StreamReader},
};
use wasmtime_wasi::{
    TrappableError,
    filesystem::{Descriptor, WasiFilesystem, WasiFilesystemCtxView, WasiFilesystemView},
    p3::bindings::filesystem::{
        preopens::Host as _,
        types::{DescriptorFlags, DescriptorType, ErrorCode, HostDescriptorWithStore, OpenFlags, PathFlags},
    },
};

/// What a function of the interface answers, or why the guest ends.
type Answer<T> = Result<std::result::Result<T, ErrorCode>>;
type Dir = Resource<Descriptor>;
type Store = Accessor<State>;
type Inner = Accessor<State, WasiFilesystem>;

const TYPES: &str = "wasi:filesystem/types@0.3.0";
const PREOPENS: &str = "wasi:filesystem/preopens@0.3.0";

/// Lays them over, for a guest that has a folder.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.instance(PREOPENS)?.func_wrap("get-directories", |mut store: StoreContextMut<'_, State>, (): ()| {
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
    types.func_wrap_concurrent(
        "[method]descriptor.open-at",
        |store: &Store, (dir, follow, path, how, flags): (Dir, PathFlags, String, OpenFlags, DescriptorFlags)| {
            Box::pin(async move {
                let place = place(store, &dir);
                let makes = how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE);
                let writes = makes || flags.contains(DescriptorFlags::WRITE);
                let (verb, wants) = if writes { ("write", Access::ReadWrite) } else { ("read", Access::ReadOnly) };
                let asked = Asked::new(place, verb, &path, wants);
                let opened = Opening { dir, follow, path, how, flags }.open(store, volume(store, place)).await?;
                if let Ok(descriptor) = &opened {
                    store.with(|mut store| {
                        if flags.contains(DescriptorFlags::MUTATE_DIRECTORY) {
                            changeable(store.data_mut().filesystem().table, descriptor)?;
                        }
                        store.data_mut().opened(place, descriptor)
                    })?;
                }
                Ok((tell(store, &asked, opened),))
            })
        },
    )?;
    types.func_wrap_concurrent(
        "[method]descriptor.stat-at",
        |store: &Store, (dir, follow, path): (Dir, PathFlags, String)| {
            Box::pin(async move {
                let folder = names_a_folder(&path);
                let stat = answer(WasiFilesystem::stat_at(&inner(store), dir, follow, path).await)?;
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
    /// Opens, and takes room for what this makes. What is there already costs nothing, so it is tried first.
    async fn open(&self, store: &Store, volume: Option<Arc<Volume>>) -> Answer<Resource<Descriptor>> {
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
    async fn there(&self, store: &Store) -> Answer<Resource<Descriptor>> {
        let mut flags = self.flags;
        if !flags.contains(DescriptorFlags::WRITE) {
            flags |= DescriptorFlags::WRITE | DescriptorFlags::READ;
        }
        self.plain(store, self.how & !OpenFlags::CREATE, flags).await
    }

    async fn plain(&self, store: &Store, how: OpenFlags, flags: DescriptorFlags) -> Answer<Resource<Descriptor>> {
        let inner = inner(store);
        let dir = Resource::new_borrow(self.dir.rep());
        answer(WasiFilesystem::open_at(&inner, dir, self.follow, self.path.clone(), how, flags).await)
    }
}

/// Making, moving and removing.
fn change(types: &mut LinkerInstance<'_, State>) -> Result<()> {
    types.func_wrap_concurrent(
        "[method]descriptor.create-directory-at",
        |store: &Store, (dir, path): (Dir, String)| {
            Box::pin(async move {
                let (place, asked) = change_asked(store, &dir, "create", &path);
                let room = Room::take(volume(store, place), ENTRY_BYTES).await;
                let made = entry(room, WasiFilesystem::create_directory_at(&inner(store), dir, path)).await?;
                Ok((tell(store, &asked, made),))
            })
        },
    )?;
    types.func_wrap_concurrent(
        "[method]descriptor.symlink-at",
        |store: &Store, (dir, to, path): (Dir, String, String)| {
            Box::pin(async move {
                let (place, asked) = change_asked(store, &dir, "create", &path);
                let target = Asked::new(place, "link to", &to, Access::ReadOnly);
                let room = Room::take(volume(store, place), ENTRY_BYTES).await;
                let made = entry(room, WasiFilesystem::symlink_at(&inner(store), dir, to, path)).await?;
                Ok((tell_both(store, &asked, &target, made),))
            })
        },
    )?;
    types.func_wrap_concurrent(
        "[method]descriptor.link-at",
        |store: &Store, (dir, follow, path, new_dir, new_path): (Dir, PathFlags, String, Dir, String)| {
            Box::pin(async move {
                let (old_place, from) = change_asked(store, &dir, "link", &path);
                let (place, to) = change_asked(store, &new_dir, "create", &new_path);
                let volume_to = volume(store, place);
                if !same_volume(volume(store, old_place).as_ref(), volume_to.as_ref()) {
                    return Ok((Err(ErrorCode::CrossDevice),));
                }
                let room = Room::take(volume_to, ENTRY_BYTES).await;
                let inner = inner(store);
                let made = entry(room, WasiFilesystem::link_at(&inner, dir, follow, path, new_dir, new_path)).await?;
                Ok((tell_both(store, &from, &to, made),))
            })
        },
    )?;
    types.func_wrap_concurrent(
        "[method]descriptor.rename-at",
        |store: &Store, (dir, path, new_dir, new_path): (Dir, String, Dir, String)| {
            Box::pin(async move {
                let (old_place, from) = change_asked(store, &dir, "rename", &path);
                let (place, to) = change_asked(store, &new_dir, "create", &new_path);
                if !same_volume(volume(store, old_place).as_ref(), volume(store, place).as_ref()) {
                    return Ok((Err(ErrorCode::CrossDevice),));
                }
                let moved = answer(WasiFilesystem::rename_at(&inner(store), dir, path, new_dir, new_path).await)?;
                Ok((tell_both(store, &from, &to, moved),))
            })
        },
    )?;
    types.func_wrap_concurrent("[method]descriptor.unlink-file-at", |store: &Store, (dir, path): (Dir, String)| {
        Box::pin(async move {
            let (_, asked) = change_asked(store, &dir, "remove", &path);
            let removed = answer(WasiFilesystem::unlink_file_at(&inner(store), dir, path).await)?;
            Ok((tell(store, &asked, removed),))
        })
    })?;
    types.func_wrap_concurrent("[method]descriptor.remove-directory-at", |store: &Store, (dir, path): (Dir, String)| {
        Box::pin(async move {
            let (_, asked) = change_asked(store, &dir, "remove", &path);
            let name = folder_name(&path).to_owned();
            let removed = answer(WasiFilesystem::remove_directory_at(&inner(store), dir, name).await)?;
            Ok((tell(store, &asked, removed),))
        })
    })
}

fn change_asked(store: &Store, dir: &Dir, verb: &'static str, path: &str) -> (Option<Place>, Asked) {
    let place = place(store, dir);
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
    types.func_wrap_concurrent("[method]descriptor.set-size", |store: &Store, (file, size): (Dir, u64)| {
        Box::pin(async move { Ok((set_size(store, file, size).await?,)) })
    })?;
    types.func_wrap(
        "[method]descriptor.read-via-stream",
        |mut store: StoreContextMut<'_, State>, (file, offset): (Dir, u64)| {
            let access = StoreAccess::<_, WasiFilesystem>::new(store.as_context_mut(), filesystem);
            let (data, ended) = WasiFilesystem::read_via_stream(access, file, offset)?;
            Ok(((metered(store, data, Amount::BytesIn)?, ended),))
        },
    )?;
    types.func_wrap(
        "[method]descriptor.write-via-stream",
        |store: StoreContextMut<'_, State>, (file, data, offset): (Dir, StreamReader<u8>, u64)| {
            Ok((consume(store, &file, data, At::Offset(offset))?,))
        },
    )?;
    types.func_wrap(
        "[method]descriptor.append-via-stream",
        |store: StoreContextMut<'_, State>, (file, data): (Dir, StreamReader<u8>)| {
            Ok((consume(store, &file, data, At::End)?,))
        },
    )
}

async fn set_size(store: &Store, file: Dir, size: u64) -> Answer<()> {
    let (place, asked) = change_asked(store, &file, "truncate", "");
    let host = store.with(|mut store| host_file(store.data_mut().filesystem().table, &file))?;
    let grows = match (volume(store, place), host) {
        (Some(volume), Some(host)) => Some((volume, size.saturating_sub(host.metadata()?.len()))),
        (None, _) | (_, None) => None,
    };
    let (volume, growth) = grows.map_or((None, 0), |(volume, growth)| (Some(volume), growth));
    let Ok(room) = Room::take(volume, growth).await else { return Ok(Err(ErrorCode::Quota)) };
    let changed = answer(WasiFilesystem::set_size(&inner(store), file, size).await)?;
    if changed.is_ok() {
        room.keep_all();
    }
    Ok(tell(store, &asked, changed))
}

type Written = FutureReader<std::result::Result<(), ErrorCode>>;

/// Writes what comes on a stream into a file.
fn consume(mut store: StoreContextMut<'_, State>, file: &Dir, mut data: StreamReader<u8>, at: At) -> Result<Written> {
    let (told, written) = oneshot::channel();
    match writable(store.data_mut(), file)? {
        Ok(host) => {
            let state = store.data();
            let volume = state.volume(state.files.place(file));
            let consumer = FileConsumer::new(host, at, volume, state.tap.clone(), told);
            data.pipe(&mut store, consumer)?;
        }
        Err(code) => {
            data.close(&mut store)?;
            let _ = told.send(Err(code));
        }
    }
    FutureReader::new(&mut store, written)
}

/// The host's file behind a descriptor, if it may be written.
fn writable(state: &mut State, file: &Dir) -> Answer<Arc<std::fs::File>> {
    Ok(match state.filesystem().table.get(file)? {
        Descriptor::File(file) if file.perms.write_not_permitted() => Err(ErrorCode::NotPermitted),
        Descriptor::File(file) => Ok(file.file.clone()),
        Descriptor::Dir(_) => Err(ErrorCode::BadDescriptor),
    })
}

fn inner(store: &Store) -> Inner {
    store.with_getter::<WasiFilesystem>(filesystem)
}

fn filesystem(state: &mut State) -> WasiFilesystemCtxView<'_> {
    state.filesystem()
}

fn place(store: &Store, descriptor: &Dir) -> Option<Place> {
    store.with(|mut store| store.data_mut().files.place(descriptor))
}

fn volume(store: &Store, place: Option<Place>) -> Option<Arc<Volume>> {
    store.with(|mut store| store.data_mut().volume(place))
}

/// Records what was refused.
fn tell<T>(
    store: &Store,
    asked: &Asked,
    result: std::result::Result<T, ErrorCode>,
) -> std::result::Result<T, ErrorCode> {
    if matches!(result, Err(ErrorCode::NotPermitted)) {
        store.with(|mut store| asked.refused(store.data_mut()));
    }
    result
}

/// Records what was refused of something that has two ends.
fn tell_both<T>(
    store: &Store,
    from: &Asked,
    to: &Asked,
    result: std::result::Result<T, ErrorCode>,
) -> std::result::Result<T, ErrorCode> {
    let from_explains = store.with(|mut store| {
        let state = store.data_mut();
        from.explains(state) || !to.explains(state)
    });
    tell(store, if from_explains { from } else { to }, result)
}
