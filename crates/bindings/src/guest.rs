//! A guest's binary: a component or a core module.

use crate::{Error, World, component, module};
use wasmparser::Parser;

/// How an export is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// With arguments.
    Typed,
    /// With bytes on stdin, which it answers with bytes on stdout.
    Stdio,
}

/// Reads the types of a guest from its binary. The world is called `name`, since the binary does not say; `way` says how an
/// export is called, `acme:texts/measure@1.0.0#length` or `length`, and none for what is not called by a host.
///
/// # Errors
/// The bytes are ill-formed, or there are more types than anybody can use.
pub fn guest(binary: &[u8], name: &str, way: impl Fn(&str) -> Option<Way>) -> Result<World, Error> {
    if Parser::is_component(binary) {
        component::read(binary, name, &way)
    } else if Parser::is_core_wasm(binary) {
        module::read(binary, name, &way)
    } else {
        Err(Error::Malformed("found neither".to_owned()))
    }
}
