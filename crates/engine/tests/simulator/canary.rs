//! Texts that say whose they are: found with somebody else, something has leaked.

use std::fmt;

/// Where a canary was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Nest {
    /// The memory, globals and requests of one call, and whatever that call says.
    Call,
    /// What a tenant keeps: files and environment.
    Tenant,
}

/// Sixteen characters, so that a guest can compare them as two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Canary {
    pub(crate) nest: Nest,
    pub(crate) tenant: u8,
    /// The call that put it there; none put it where a tenant was given it.
    pub(crate) call: u32,
}

/// The tenant of what is granted to nobody.
pub(crate) const NOBODY: u8 = 0xff;

/// How many bytes a canary has.
pub(crate) const CANARY_BYTES: usize = 16;

/// What the canaries of calls begin with, as a guest compares it: `sbx!` as a little-endian number.
pub(crate) const CALL_MAGIC: u32 = u32::from_le_bytes(*b"sbx!");
/// And those of tenants.
pub(crate) const TENANT_MAGIC: u32 = u32::from_le_bytes(*b"sbf!");

impl Canary {
    pub(crate) fn of_call(tenant: u8, call: u32) -> Canary {
        Canary { nest: Nest::Call, tenant, call }
    }

    pub(crate) fn of_tenant(tenant: u8) -> Canary {
        Canary { nest: Nest::Tenant, tenant, call: 0 }
    }

    /// The two numbers that its bytes are.
    pub(crate) fn numbers(self) -> [i64; 2] {
        let text = self.to_string();
        let number = |at: usize| i64::from_le_bytes(text.as_bytes()[at..at + 8].try_into().unwrap());
        [number(0), number(8)]
    }

    fn parse(text: &[u8]) -> Option<Canary> {
        let nest = match text.get(..4)? {
            b"sbx!" => Nest::Call,
            b"sbf!" => Nest::Tenant,
            _ => return None,
        };
        let hex = |range| u32::from_str_radix(std::str::from_utf8(text.get(range)?).ok()?, 16).ok();
        Some(Canary { nest, tenant: u8::try_from(hex(4..6)?).ok()?, call: hex(8..16)? })
    }

    /// Every different canary in some bytes.
    pub(crate) fn all_in(bytes: &[u8]) -> Vec<Canary> {
        let mut found: Vec<Canary> = bytes.windows(CANARY_BYTES).filter_map(Canary::parse).collect();
        found.sort();
        found.dedup();
        found
    }
}

impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nest = if self.nest == Nest::Call { 'x' } else { 'f' };
        write!(f, "sb{nest}!{:02x}--{:08x}", self.tenant, self.call)
    }
}

#[test]
fn a_canary_reads_back_from_the_middle_of_something() {
    for canary in [Canary::of_call(3, 77), Canary::of_tenant(NOBODY)] {
        assert_eq!(canary.to_string().len(), CANARY_BYTES);
        assert_eq!(Canary::all_in(format!("..{canary}{canary}!").as_bytes()), [canary]);
    }
}
