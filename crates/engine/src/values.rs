//! Typed values: how text becomes arguments of an export, and how its results become text.
//!
//! Two notations, JSON and WAVE, meet one type system. Each notation only says what its syntax holds ([`read::Form`]);
//! one walk over the type decides, so that both accept the same values and fail with the same words. The alternative,
//! wasm-wave's own conversion, knows neither maps nor handles (its writer panics on them) and names no path in its
//! errors. For users it follows that `{"a": [1, 300]}` and `{a: [1, 300]}` both answer "`a[1]` in argument …: expected
//! `u8`".
//!
//! The mapping is specified in `docs/values.md`. What a text may cost is bounded below, since it comes from whoever may
//! send a request.

mod base64;
mod component;
mod core;
mod error;
mod example;
mod handles;
mod json;
mod read;
mod space;
mod text;
mod wave;
mod wit;

pub(crate) use {
    self::core::{CoreArgument, CoreSignature},
    component::ComponentSignature,
    error::{ValueError, ValueErrorKind},
    handles::Handles,
    space::{ArgumentSpace, PlaceError},
};

pub use self::core::InMemory;

/// The longest text of all JSON arguments of one call, in bytes.
pub(crate) const JSON_BYTES_MAX: usize = 16 << 20;

/// The longest text of all command-line arguments of one call, in bytes. Linux allows 2 MiB for all of `argv`.
pub(crate) const WAVE_BYTES_MAX: usize = 1 << 20;

/// The most single values in the arguments of one call: every number, string, list, record … counts, and so does every
/// byte of a `list<u8>`. Each costs about 100 bytes while it is read, so this bounds a call at about 100 MiB.
pub(crate) const VALUES_MAX: usize = 1 << 20;

/// The deepest nesting of a text; the same as that of wasm-wave, and that of types in a component.
pub(crate) const DEPTH_MAX: usize = 100;

/// The most names of cases, fields and flags that reading the arguments of one call may compare, since a guest chooses
/// how many names a type has and the caller how often it occurs.
const NAMES_MAX: usize = 16 << 20;

pub(crate) use sandbar_call::Notation;

/// What an export is called with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given<'a> {
    /// A JSON array of arguments, or an object by parameter name. Nothing at all stands for `[]`.
    Json(&'a [u8]),
    /// One text for each argument, as on a command line.
    Wave(&'a [String]),
}
