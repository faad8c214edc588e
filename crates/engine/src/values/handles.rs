//! Handles of a guest's resources, which whoever holds its sandbox has instead of them.

use std::collections::BTreeMap;
use wasmtime::component::ResourceAny;

/// How many there may be at one time.
const HANDLES_MAX: usize = 10_000;

/// Resources of one sandbox by their handles: numbers that are not used twice.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    resources: BTreeMap<u32, ResourceAny>,
    last: u32,
}

impl Handles {
    /// Keeps a resource, and gives its handle; none where there are too many.
    pub(super) fn put(&mut self, resource: ResourceAny) -> Option<u32> {
        if self.resources.len() >= HANDLES_MAX {
            return None;
        }
        self.last = self.last.checked_add(1)?;
        self.resources.insert(self.last, resource);
        Some(self.last)
    }

    pub(super) fn get(&self, handle: u32) -> Option<ResourceAny> {
        self.resources.get(&handle).copied()
    }

    /// Gives a resource away: its handle is no more.
    pub(crate) fn take(&mut self, handle: u32) -> Option<ResourceAny> {
        self.resources.remove(&handle)
    }
}
