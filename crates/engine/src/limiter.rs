//! Bounds what a sandbox allocates: memory, tables, instances.

use crate::tap::Tap;
use sandbar_call::{Meter, Resource};
use wasmtime::{ResourceLimiter, Result};

/// The limiter of one sandbox. Growth over a limit fails as the guest sees it (`memory.grow` gives -1); a guest that then
/// breaks was stopped by that limit, which `refused` remembers.
pub(crate) struct Limiter {
    tap: Tap,
    /// Bytes of linear memory now.
    pub(crate) memory_bytes: u64,
    /// Table elements now.
    pub(crate) table_elements: u64,
    /// The limit that growth last failed at in this call.
    pub(crate) refused: Option<Resource>,
    instances_max: usize,
}

impl Limiter {
    pub(crate) fn new(tap: Tap, meter: &Meter) -> Limiter {
        // And the one that is appended, and the one that interrupts.
        let instances = meter.limits().most(Resource::Instances).saturating_add(2);
        let instances_max = usize::try_from(instances).unwrap_or(usize::MAX);
        Limiter { tap, memory_bytes: 0, table_elements: 0, refused: None, instances_max }
    }

    /// Takes what a sandbox has over from the limiter that it had.
    pub(crate) fn continuing(self, before: &Limiter) -> Limiter {
        Limiter { memory_bytes: before.memory_bytes, table_elements: before.table_elements, ..self }
    }

    /// Starts a call in a sandbox that may have memory already.
    pub(crate) fn begin(&mut self, meter: &Meter) {
        let _ = meter.charge(Resource::Memory, self.memory_bytes);
        let _ = meter.charge(Resource::Tables, self.table_elements);
    }

    fn grow(&mut self, resource: Resource, by: u64) -> bool {
        let meter = self.tap.meter();
        if !meter.fits(resource, by) {
            self.refused = Some(resource);
            return false;
        }
        meter.charge(resource, by).is_ok()
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let by = desired.saturating_sub(current) as u64;
        let granted = maximum.is_none_or(|maximum| desired <= maximum) && self.grow(Resource::Memory, by);
        if granted {
            self.memory_bytes += by;
        }
        Ok(granted)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let by = desired.saturating_sub(current) as u64;
        let granted = maximum.is_none_or(|maximum| desired <= maximum) && self.grow(Resource::Tables, by);
        if granted {
            self.table_elements += by;
        }
        Ok(granted)
    }

    fn instances(&self) -> usize {
        self.instances_max
    }

    fn tables(&self) -> usize {
        self.instances_max
    }

    fn memories(&self) -> usize {
        self.instances_max
    }
}
