//! What a call did and used. A public format, specified in `docs/receipts.md`, with a schema in `docs/receipt.schema.json`.

use crate::{CallId, Denial, Digest, GrantKind, GuestName, Heading, Meter, Outcome, Resource, SandboxId, Shape};
use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The version of the format. A reader accepts what it knows and refuses a higher one.
pub const RECEIPT_VERSION: u32 = 1;

/// Where an event came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The kind of trigger: `cli`, `http`, …
    pub trigger: Arc<str>,
    /// Which one of that kind: the route, the command.
    pub source: Arc<str>,
    /// The event's own id: a request id, a message id.
    pub event: Arc<str>,
}

/// Which sandbox served a call, and which call in it this was, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxUse {
    /// The sandbox.
    pub id: SandboxId,
    /// Its how-manieth call.
    pub call: u64,
}

/// What a call did and used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`RECEIPT_VERSION`].
    pub version: u32,
    /// The call.
    pub call: CallId,
    /// When it started, in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// The guest's name in its app.
    pub guest: GuestName,
    /// The guest's bytes.
    pub digest: Digest,
    /// How it was called.
    pub shape: Shape,
    /// Where the event came from.
    #[serde(flatten)]
    pub origin: Origin,
    /// The sandbox, or `None` where the call ended before it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxUse>,
    /// How it ended.
    pub outcome: Outcome,
    /// Amounts by [`Resource::field`].
    pub used: Amounts,
    /// The fields of `used` that other calls in the same sandbox shared, so that they are not exact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<String>,
    /// Uses of grants by [`GrantKind::key`].
    #[serde(default, skip_serializing_if = "Uses::is_empty")]
    pub grants: Uses,
    /// What was asked for and refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denials: Vec<Denial>,
    /// Denials that were not kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub denials_dropped: u64,
}

impl Receipt {
    /// Writes what a call came to by what its meter says. It names no sandbox, and nothing that was shared.
    pub fn of(heading: Heading, meter: &Meter, fuel: FuelMetered, outcome: Outcome) -> Receipt {
        let Heading { call, at_ms, guest, digest, shape, origin } = heading;
        let (denials, denials_dropped) = meter.denials();
        Receipt {
            version: RECEIPT_VERSION,
            call,
            at_ms,
            guest,
            digest,
            shape,
            origin,
            sandbox: None,
            outcome: outcome.bounded(),
            used: Amounts::of(meter, fuel),
            shared: Vec::new(),
            grants: Uses::of(meter),
            denials,
            denials_dropped,
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Amounts by resource, written as a map that leaves out zeroes other than times and memory. An array and not a map in
/// memory: a receipt is made for every call, read for few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amounts([u64; Resource::COUNT]);

/// How often each grant was used, written as a map that leaves out zeroes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses([u32; GrantKind::COUNT]);

impl Amounts {
    /// Marks fuel that was not counted.
    const NOT_METERED: u64 = u64::MAX;

    /// Reads what a meter counted.
    pub(crate) fn of(meter: &Meter, fuel: FuelMetered) -> Amounts {
        let mut amounts = [0; Resource::COUNT];
        for (amount, resource) in amounts.iter_mut().zip(Resource::ALL) {
            *amount = meter.used(*resource);
        }
        if fuel == FuelMetered::No {
            amounts[Resource::Fuel.index()] = Self::NOT_METERED;
        }
        Amounts(amounts)
    }

    /// What was used, or `None` for fuel that was not metered.
    pub fn get(&self, resource: Resource) -> Option<u64> {
        match (resource, self.0[resource.index()]) {
            (Resource::Fuel, Self::NOT_METERED) => None,
            (_, amount) => Some(amount),
        }
    }

    fn shown(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Resource::ALL.iter().filter_map(|&resource| {
            let amount = self.get(resource)?;
            let always = matches!(resource, Resource::Wall | Resource::Cpu | Resource::Memory | Resource::Fuel);
            (always || amount > 0).then_some((resource.field(), amount))
        })
    }
}

impl Uses {
    /// Reads what a meter counted.
    pub(crate) fn of(meter: &Meter) -> Uses {
        let mut uses = [0; GrantKind::COUNT];
        for (count, grant) in uses.iter_mut().zip(GrantKind::ALL) {
            *count = meter.calls(*grant);
        }
        Uses(uses)
    }

    /// How often a grant was used.
    pub fn get(&self, grant: GrantKind) -> u32 {
        self.0[grant.index()]
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|&count| count == 0)
    }
}

impl Serialize for Amounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.shown())
    }
}

impl<'de> Deserialize<'de> for Amounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut amounts = [0; Resource::COUNT];
        amounts[Resource::Fuel.index()] = Self::NOT_METERED;
        for (field, amount) in BTreeMap::<String, u64>::deserialize(deserializer)? {
            let resource = Resource::ALL.iter().find(|resource| resource.field() == field);
            amounts[resource.ok_or_else(|| D::Error::custom(format_args!("unknown amount `{field}`")))?.index()] =
                amount;
        }
        Ok(Amounts(amounts))
    }
}

impl Serialize for Uses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let used = GrantKind::ALL.iter().map(|&grant| (grant.key(), self.get(grant)));
        serializer.collect_map(used.filter(|(_, count)| *count > 0))
    }
}

impl<'de> Deserialize<'de> for Uses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut uses = Uses::default();
        for (key, count) in BTreeMap::<String, u32>::deserialize(deserializer)? {
            let grant = GrantKind::ALL.iter().find(|grant| grant.key() == key);
            uses.0[grant.ok_or_else(|| D::Error::custom(format_args!("unknown grant `{key}`")))?.index()] = count;
        }
        Ok(uses)
    }
}

/// Whether a call counted exact fuel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FuelMetered {
    /// Its receipt tells how much.
    Yes,
    /// Its receipt leaves it out.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mark of fuel that was not counted stood for any amount that was not counted, and so was left out when it was written.
    #[test]
    fn only_fuel_is_ever_not_metered() {
        let text = r#"{"wall_ns":18446744073709551615,"cpu_ns":1,"memory_bytes":0}"#;
        let amounts: Amounts = serde_json::from_str(text).unwrap();
        assert_eq!((amounts.get(Resource::Wall), amounts.get(Resource::Fuel)), (Some(u64::MAX), None));
        assert_eq!(serde_json::to_string(&amounts).unwrap(), text);
    }
}
