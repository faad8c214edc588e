//! Folders of WASI 0.1 as they were when a guest began to read them.
//!
//! A guest reads a folder in pieces and says where it goes on. wasmtime-wasi lists the folder anew for each piece, so that what
//! is added or removed between them makes others come twice or never, and a long folder takes the square of its length.

use super::{Names, files::SUCCESS, guest::Guest};
use crate::state::State;
use std::collections::HashMap;
use wasmtime::{Caller, Linker, Result};
use wasmtime_wasi::p1::wasi_snapshot_preview1 as wasi;
use wiggle::{GuestMemory, GuestPtr};

/// How much of listings a sandbox keeps, in bytes. A folder that has more is listed anew for each piece.
const KEPT_MAX: usize = 16 << 20;
/// How much is asked for at first, in bytes.
const FIRST: usize = 64 << 10;
/// The size of an entry without its name, and where its fields are, in bytes.
const ENTRY: usize = 24;
const NAME_LENGTH: usize = 16;
/// Where a listing is written, and how long it is, in the memory that it is asked for with.
const TOLD: u32 = 0;
const LIST: u32 = 8;

/// The folders that a sandbox is reading.
#[derive(Default)]
pub(crate) struct Listings {
    by_fd: HashMap<i32, Listing>,
    kept: usize,
}

/// The entries of a folder, sorted by name, as the guest gets them.
struct Listing {
    bytes: Vec<u8>,
    /// Where each entry begins: an entry's cookie is the number of those before it.
    starts: Vec<usize>,
}

/// Lays it over, under one of the names of WASI 0.1, for a guest that has a folder.
pub(crate) fn link(linker: &mut Linker<State>, names: Names) -> Result<()> {
    linker.func_wrap_async(
        names.module,
        "fd_readdir",
        move |mut caller: Caller<'_, State>, (fd, at, length, cookie, told): (i32, i32, i32, i64, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let mut guest = Guest::enter(&export, &mut caller)?;
                let fresh = cookie == 0 || !guest.state.listings.by_fd.contains_key(&fd);
                if fresh {
                    guest.state.leaves();
                    guest.state.listings.forget(fd);
                    match Listing::read(guest.state, fd).await? {
                        Ok(Some(listing)) => guest.state.listings.keep(fd, listing),
                        Ok(None) => {
                            let Guest { memory, state } = &mut guest;
                            return wasi::fd_readdir(&mut state.wasi, memory, fd, at, length, cookie, told).await;
                        }
                        Err(errno) => return Ok(errno),
                    }
                }
                let Guest { mut memory, state } = guest;
                let listing = state.listings.by_fd.get(&fd);
                let rest = listing.map_or(&[][..], |listing| listing.from(cookie));
                let length = rest.len().min(usize::try_from(length.cast_unsigned())?);
                let piece = GuestPtr::<[u8]>::new((at.cast_unsigned(), u32::try_from(length)?));
                memory.copy_from_slice(rest.get(..length).unwrap_or_default(), piece)?;
                memory.write(GuestPtr::<u32>::new(told.cast_unsigned()), u32::try_from(length)?)?;
                Ok(SUCCESS)
            })
        },
    )?;
    linker.func_wrap_async(names.module, "fd_close", move |mut caller: Caller<'_, State>, (fd,): (i32,)| {
        Box::new(async move {
            let export = caller.get_export(names.memory);
            let Guest { mut memory, state } = Guest::enter(&export, &mut caller)?;
            state.listings.forget(fd);
            wasi::fd_close(&mut state.wasi, &mut memory, fd).await
        })
    })?;
    Ok(())
}

impl Listings {
    fn keep(&mut self, fd: i32, listing: Listing) {
        if self.kept + listing.bytes.len() > KEPT_MAX {
            *self = Listings::default();
        }
        self.kept += listing.bytes.len();
        self.by_fd.insert(fd, listing);
    }

    /// Forgets what was read of a descriptor that is closed, or means another folder now.
    pub(super) fn forget(&mut self, fd: i32) {
        let bytes = self.by_fd.remove(&fd).map_or(0, |listing| listing.bytes.len());
        self.kept -= bytes;
    }
}

impl Listing {
    /// Lists a folder, or says why not by an errno. None for one that has too many entries.
    async fn read(state: &mut State, fd: i32) -> Result<std::result::Result<Option<Listing>, i32>> {
        let mut room = FIRST;
        while room <= KEPT_MAX {
            let mut bytes = vec![0; room];
            let mut memory = GuestMemory::Unshared(&mut bytes);
            let (list, length) = (LIST.cast_signed(), i32::try_from(room)? - LIST.cast_signed());
            let errno = wasi::fd_readdir(&mut state.wasi, &mut memory, fd, list, length, 0, TOLD.cast_signed()).await?;
            if errno != SUCCESS {
                return Ok(Err(errno));
            }
            let told = memory.read(GuestPtr::<u32>::new(TOLD))?;
            if told < length.cast_unsigned() {
                let end = (LIST + told) as usize;
                return Ok(Ok(Some(Listing::sorted(bytes.get(LIST as usize..end).unwrap_or_default()))));
            }
            room *= 4;
        }
        Ok(Ok(None))
    }

    /// Puts entries in the order of their names, after `.` and `..`, which come first.
    fn sorted(list: &[u8]) -> Listing {
        let mut entries = Vec::new();
        let mut rest = list;
        while let Some((entry, after)) = split(rest) {
            entries.push(entry);
            rest = after;
        }
        if let Some(named) = entries.get_mut(2..) {
            named.sort_unstable_by_key(|entry| entry.get(ENTRY..));
        }
        let (mut bytes, mut starts) = (Vec::with_capacity(list.len()), Vec::with_capacity(entries.len()));
        for (entry, next) in entries.into_iter().zip(1u64..) {
            starts.push(bytes.len());
            bytes.extend_from_slice(&next.to_le_bytes());
            bytes.extend_from_slice(entry.get(size_of::<u64>()..).unwrap_or_default());
        }
        Listing { bytes, starts }
    }

    /// What comes from a cookie on.
    fn from(&self, cookie: i64) -> &[u8] {
        let start = usize::try_from(cookie).ok().and_then(|cookie| self.starts.get(cookie));
        start.and_then(|&start| self.bytes.get(start..)).unwrap_or_default()
    }
}

/// The first entry of a list, and what follows it.
fn split(list: &[u8]) -> Option<(&[u8], &[u8])> {
    let length: [u8; 4] = list.get(NAME_LENGTH..NAME_LENGTH + 4)?.try_into().ok()?;
    list.split_at_checked(ENTRY + usize::try_from(u32::from_le_bytes(length)).ok()?)
}
