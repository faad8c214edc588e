//! Appends to a guest what puts it back to its beginning, before it is compiled.
//!
//! Globals and the numbers of handles can only be set from inside. So a module gets one more function, which gives each of its
//! mutable globals the value of its own initializer again; and a component one more module, which calls those functions,
//! puts the component's table of handles back in order, and tells where its memory lies. All is appended: no index and no
//! name of the guest changes, and how far its code moved is noted.
//!
//! A guest that could keep something elsewhere is left as it is, and gets a new instance for each call: one that changes
//! tables, drops segments, runs code while it is instantiated, defines resources, or has more than one memory.

mod component;
mod module;
mod reset;
mod section;

#[cfg(test)]
mod tests;

use super::Moves;
pub(crate) use section::{End, entries};

/// Sets the mutable globals of a module.
pub(super) const RESTORE: &str = "sandbar-restore";
/// Sets all that can be set from inside of a component.
pub(super) const RESET: &str = "sandbar-reset";
/// The memory.
pub(super) const MEMORY: &str = "sandbar-memory";

/// Gives a guest with what it needs to be renewed, or nothing where it can't be.
pub(crate) fn append(component: bool, guest: &[u8]) -> Option<(Vec<u8>, Moves)> {
    if component {
        return component::append(guest);
    }
    module::append(guest).filter(|module| !module.imports_memory).map(|module| (module.bytes, module.moves))
}
