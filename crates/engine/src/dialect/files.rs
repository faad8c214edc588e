//! Folders beyond what wasmtime-wasi enforces: quotas, denials and counts, the same for each dialect.
//!
//! wasmtime-wasi opens and walks paths and never leaves a folder. It has no hook for bytes or refusals, so the functions of a
//! dialect that write, make or open are laid over its own, for guests that have a folder at all. Which folder a descriptor
//! belongs to is known from where it was opened. What has a quota never moves or links to another volume: that is refused as
//! a move to another device, which programs answer by copying.

mod denied;
mod output;
mod room;

use crate::state::State;
use rustix::fs::{Mode, OFlags, openat};
use sandbar_call::{GrantKind, Resource as Amount};
use sandbar_grants::{Admitted, Folder, Volume};
use std::{collections::HashMap, fs, sync::Arc};
use wasmtime::component::{Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::filesystem::{Descriptor, OpenMode, WasiFilesystemView};

pub(crate) use {
    denied::Asked,
    output::FileOutput,
    room::{At, Room, growth, is_quota, write_some},
};

/// Where a descriptor was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Which granted folder.
    folder: usize,
    /// Whether it lies below the folder, or is the folder itself.
    below: bool,
}

/// Where each descriptor of a sandbox was opened. A closed one may still be listed: its number means another one only after
/// that was opened, and so was listed anew.
#[derive(Default)]
pub(crate) struct Files {
    /// By number in the table of resources, WASI 0.2 and 0.3.
    descriptors: HashMap<u32, Place>,
    /// By file descriptor, WASI 0.1.
    pub(super) fds: HashMap<u32, Fd>,
}

/// A file descriptor of WASI 0.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fd {
    pub(super) place: Place,
    /// Its number in the table of resources; none for a granted folder.
    pub(super) descriptor: Option<u32>,
    /// Whether writes go to the end.
    pub(super) append: bool,
}

/// How granted folders are opened once more: wasmtime-wasi opens them only to look below them, and the times of what is opened
/// so can't be set.
const READABLE: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The first file descriptor that WASI 0.1 gives to a granted folder.
const FIRST_FOLDER: u32 = 3;

impl Files {
    /// Lists the granted folders, in their order.
    pub(crate) fn new(grants: &Admitted) -> Files {
        let folders = (FIRST_FOLDER..).zip(0..grants.folders.len());
        let fds = folders.map(|(fd, folder)| {
            let place = Place { folder, below: false };
            (fd, Fd { place, descriptor: None, append: false })
        });
        Files { descriptors: HashMap::new(), fds: fds.collect() }
    }

    /// Where a descriptor was opened.
    pub(crate) fn place(&self, descriptor: &Resource<Descriptor>) -> Option<Place> {
        self.descriptors.get(&descriptor.rep()).copied()
    }

    /// Where a file descriptor of WASI 0.1 was opened.
    pub(super) fn fd(&self, fd: i32) -> Option<Fd> {
        self.fds.get(&fd.cast_unsigned()).copied()
    }
}

impl Place {
    /// The place of what is opened from here.
    pub(crate) fn inside(self) -> Place {
        Place { below: true, ..self }
    }

    /// The granted folder.
    pub(crate) fn folder(self, grants: &Admitted) -> Option<&Folder> {
        grants.folders.get(self.folder)
    }
}

impl State {
    /// What bounds the bytes of a place.
    pub(super) fn volume(&self, place: Option<Place>) -> Option<Arc<Volume>> {
        place?.folder(&self.grants)?.volume.clone()
    }

    /// Lists granted folders that were given out as descriptors, in their order.
    pub(super) fn gave_folders(&mut self, given: &[(Resource<Descriptor>, String)]) -> wasmtime::Result<()> {
        for (folder, (descriptor, _)) in given.iter().enumerate() {
            self.files.descriptors.insert(descriptor.rep(), Place { folder, below: false });
            self.handle(descriptor.rep())?;
            if let Descriptor::Dir(given) = self.filesystem().table.get_mut(descriptor)?
                && let Ok(opened) = openat(&given.dir, ".", READABLE, Mode::empty())
            {
                given.dir = Arc::new(fs::File::from(opened));
            }
        }
        Ok(())
    }

    /// Lists and counts a descriptor that was opened.
    pub(super) fn opened(&mut self, from: Option<Place>, descriptor: &Resource<Descriptor>) -> wasmtime::Result<()> {
        match from {
            Some(from) => self.files.descriptors.insert(descriptor.rep(), from.inside()),
            None => self.files.descriptors.remove(&descriptor.rep()),
        };
        self.tap.meter().called(GrantKind::Dir);
        self.handle(descriptor.rep())
    }

    /// Counts handles by the number of a new one: the table takes the lowest that was ever free, so its numbers reach as far as
    /// its peak.
    pub(super) fn handle(&self, number: u32) -> wasmtime::Result<()> {
        Ok(self.tap.meter().measure(Amount::Handles, u64::from(number) + 1)?)
    }

    /// Charges bytes of a file that came in.
    pub(super) fn read_bytes(&self, count: u64) -> wasmtime::Result<()> {
        Ok(self.tap.meter().charge(Amount::BytesIn, count)?)
    }

    /// Charges bytes of a file that went out.
    pub(super) fn wrote_bytes(&self, count: u64) -> wasmtime::Result<()> {
        Ok(self.tap.meter().charge(Amount::BytesOut, count)?)
    }
}

/// The host's file behind a descriptor, where it is one.
pub(super) fn host_file(
    table: &ResourceTable,
    descriptor: &Resource<Descriptor>,
) -> Result<Option<Arc<fs::File>>, ResourceTableError> {
    Ok(match table.get(descriptor)? {
        Descriptor::File(file) => Some(file.file.clone()),
        Descriptor::Dir(_) => None,
    })
}

/// Says of a folder, which was opened to be changed, that it was
/// (<https://github.com/bytecodealliance/wasmtime/issues/11667>).
pub(super) fn changeable(table: &mut ResourceTable, opened: &Resource<Descriptor>) -> Result<(), ResourceTableError> {
    if let Descriptor::Dir(folder) = table.get_mut(opened)? {
        folder.open_mode |= OpenMode::WRITE;
    }
    Ok(())
}

/// The name of a folder that is written with slashes after it. wasmtime-wasi takes `folder/` for `folder/.`, which no host
/// removes (<https://github.com/bytecodealliance/wasmtime/issues/11524>).
pub(super) fn folder_name(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => path,
        name => name,
    }
}

/// Whether a path can only be that of a folder. wasmtime-wasi drops what says so at its end, and finds files.
pub(super) fn names_a_folder(path: &str) -> bool {
    path.ends_with('/') || path.ends_with("/.")
}

/// Whether two places are counted by the same volume, or neither is.
pub(super) fn same_volume(one: Option<&Arc<Volume>>, other: Option<&Arc<Volume>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}
