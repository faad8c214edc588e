//! How much a call or sandbox may consume.

use crate::Resource;

/// One bound for each [`Resource`]. A resource without a bound is still metered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    most: [u64; Resource::COUNT],
}

impl Limits {
    /// Bounds nothing.
    pub const NONE: Limits = Limits { most: [u64::MAX; Resource::COUNT] };

    /// Returns these limits with `resource` bounded by `most`, in the resource's unit.
    #[must_use]
    pub const fn with(mut self, resource: Resource, most: u64) -> Limits {
        self.most[resource.index()] = most;
        self
    }

    /// The bound of a resource, or `None` where there is none.
    pub const fn get(&self, resource: Resource) -> Option<u64> {
        match self.most[resource.index()] {
            u64::MAX => None,
            most => Some(most),
        }
    }

    /// The bound of a resource, `u64::MAX` where there is none.
    pub const fn most(&self, resource: Resource) -> u64 {
        self.most[resource.index()]
    }
}

impl Default for Limits {
    /// Bounds nothing.
    fn default() -> Self {
        Limits::NONE
    }
}
