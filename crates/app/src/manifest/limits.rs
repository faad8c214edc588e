//! `[limits]` and `[guests.NAME.limits]`: one key for each resource, made from the list of resources.
//!
//! A guest's own limit comes first, then the app's, then the default. The defaults are bounds that an honest request stays
//! far below; `"none"` lifts one.

use super::{
    Spanned,
    record::Said,
    value::{Form, Value},
};
use sandbar_call::{Limits, Resource};

/// The bounds of a served call where the manifest says nothing.
pub const DEFAULT_LIMITS: &[(Resource, &str)] = &[
    (Resource::Wall, "30s"),
    (Resource::Cpu, "10s"),
    (Resource::Memory, "128MiB"),
    (Resource::Tables, "100000"),
    (Resource::Instances, "100"),
    (Resource::Handles, "1000"),
    (Resource::Output, "64MiB"),
    (Resource::Log, "1MiB"),
    (Resource::BytesIn, "256MiB"),
    (Resource::BytesOut, "256MiB"),
    (Resource::Connections, "32"),
];

/// The form of a resource's bound.
pub fn form(resource: Resource) -> Form {
    Form::Limit(resource.unit())
}

/// The default bound of a resource, as text.
pub fn default_text(resource: Resource) -> Option<&'static str> {
    DEFAULT_LIMITS.iter().find(|(other, _)| *other == resource).map(|(_, text)| *text)
}

/// The default bounds.
pub fn defaults() -> Limits {
    DEFAULT_LIMITS.iter().fold(Limits::NONE, |limits, &(resource, text)| {
        limits.with(resource, super::value::limit(resource, text).expect("a test reads every default"))
    })
}

/// Overlays what a table says.
pub(crate) fn resolve(below: &Limits, said: &Said) -> Limits {
    Resource::ALL.iter().fold(below.clone(), |limits, &resource| match said.get(resource.key()) {
        Some(&Spanned { value: Value::Number(most), .. }) => limits.with(resource, most),
        _ => limits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_read() {
        assert_eq!(defaults().get(Resource::Wall), Some(30_000_000_000));
        assert_eq!(defaults().get(Resource::Fuel), None);
    }
}
