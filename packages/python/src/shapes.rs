//! What a plugin exports, and how it is called as an attribute.

use sandbar_embed::{self as embed, Digest, Shape};
use std::collections::HashMap;

/// What is exported, by the guest that was there when somebody last looked.
pub(crate) struct Shapes {
    of: Digest,
    shapes: HashMap<String, Shape>,
}

impl Shapes {
    /// Looks at the guest that new calls go to.
    pub(crate) fn of(plugin: &embed::Plugin) -> Shapes {
        let guest = plugin.guest();
        let candidates = guest.summary().candidates.iter();
        let shapes = candidates.filter_map(|candidate| Some((candidate.export.clone()?, candidate.shape)));
        Shapes { of: guest.digest(), shapes: shapes.collect() }
    }

    /// Whether the guest that new calls go to is still the one.
    pub(crate) fn are_of(&self, plugin: &embed::Plugin) -> bool {
        self.of == plugin.digest()
    }

    /// How an export is called, by its name or the one that it has in its interface.
    pub(crate) fn shape(&self, export: &str) -> Option<Shape> {
        let inside =
            || self.shapes.iter().find(|(name, _)| name.rsplit('#').next() == Some(export)).map(|(_, shape)| shape);
        self.shapes.get(export).or_else(inside).copied()
    }

    /// The export that an attribute means: dashes are underscores there.
    pub(crate) fn of_attribute(&self, attribute: &str) -> Option<&str> {
        let callable = |shape: &Shape| matches!(shape, Shape::Function | Shape::Typed);
        if let Some((name, _)) = self.shapes.get_key_value(attribute).filter(|(_, shape)| callable(shape)) {
            return Some(name);
        }
        let means = |(name, shape): &(&String, &Shape)| callable(shape) && attribute_of(name) == attribute;
        self.shapes.iter().find(means).map(|(name, _)| name.as_str())
    }
}

/// How an export is called as an attribute.
pub(crate) fn attribute_of(export: &str) -> String {
    export.rsplit('#').next().unwrap_or(export).replace('-', "_")
}
