//! Says what a guest is before anything of it runs: its digest, its shape, what it needs, imports and exports.
//!
//! [`summary`] is what every load pays for: one pass over the sections, without validation (about 20 µs for 100 KB),
//! the digest (60 µs), and the types only where the shape can't be told from names: of a module (40 µs), and of a
//! component that exports interfaces of its own (some 500 µs). [`inspect`] adds the lists that people read. Neither
//! reads the instructions of a function: that is the compiler's work, done in a child process.
//!
//! The bytes are hostile. Every list, name and text is bounded by a constant below, nesting is measured without
//! recursion before anything recursive reads it, and what is malformed is a [`Malformed`] with its offset. For the same
//! reason the WIT is printed here and not by `wit-component`: its decoder recurses without end where two packages use
//! each other, which a valid component may do, and asserts what only its own encoder keeps.
//!
//! A module that gets by here may still be invalid: only Wasmtime decides that, when it compiles.

mod imports;
mod malformed;
mod scan;
mod shape;
mod text;
mod types;
mod wit;

#[cfg(test)]
mod tests;

pub(crate) use imports::{EXTISM_MODULE, is_wasi01};
pub use {
    imports::Import,
    malformed::Malformed,
    scan::{Needs, Producer, Section},
    shape::{Candidate, ShapeError, choose},
    text::binary,
};

use sandbar_call::{Dialect, Digest};
use scan::Scan;
use serde::Serialize;
use sha2::Digest as _;
use wasmparser::types::{Types, TypesRef};

/// The most bytes that a guest may have in binary form.
pub const GUEST_BYTES_MAX: u64 = 128 << 20;
/// The most bytes that a guest may have as text, which takes many times its size to read.
pub const TEXT_BYTES_MAX: u64 = 16 << 20;
/// The most imports, exports, sections and producers that a report lists, each. The rest is counted.
pub const LISTED_MAX: usize = 1_000;
/// The most candidates of each shape. A guest with more exports can't be called by the others' names.
pub const CANDIDATES_MAX: usize = 10_000;
/// The most bytes of a name in a report. A longer one is cut, and is never a candidate.
pub const NAME_BYTES_MAX: usize = 512;
/// The most bytes of one type in a report. A longer one is cut.
pub const TYPE_BYTES_MAX: usize = 4 << 10;
/// The most bytes of a component's WIT. A longer one is cut, and says so in its last line.
pub const WIT_BYTES_MAX: usize = 1 << 20;
/// How deep components, and types of components, may lie in each other. The same as Wasmtime's own limit for types.
pub const NESTING_MAX: usize = 100;

/// What loading a guest has to know of it.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The SHA-256 of the bytes that are executed: of the binary form for a guest that was given as text, so that a
    /// guest has one name however it was written.
    pub digest: Digest,
    /// The size of those bytes.
    pub bytes: u64,
    /// A core module or a component.
    pub kind: Kind,
    /// The newest encoding that its imports and exports speak.
    pub dialect: Dialect,
    /// The ways it can be called, the most obvious first.
    pub candidates: Vec<Candidate>,
    /// What the engine has to switch on for it.
    pub needs: Needs,
    /// The bytes that its memories have from the start, each memory of each module counted once. A component that
    /// instantiates a module several times takes more.
    pub memory_min_bytes: u64,
    /// The bytes that its memories may grow to; `None` where one has no maximum.
    pub memory_max_bytes: Option<u64>,
    /// The elements that its tables have from the start, counted like memory.
    pub table_min: u64,
    /// The memories that it defines.
    pub memories: u32,
    /// The tables that it defines.
    pub tables: u32,
    /// The core instances that it makes; 1 for a module.
    pub core_instances: u32,
    /// Whether it exports a name that Sandbar appends to guests.
    #[serde(skip)]
    pub(crate) reserved: bool,
}

/// All that can be told about a guest without running it. Its JSON form is what `sandbar inspect --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// What loading it has to know.
    #[serde(flatten)]
    pub summary: Summary,
    /// What it imports, as the grants that it needs; at most [`LISTED_MAX`].
    pub imports: Vec<Import>,
    /// How many imports there are.
    pub imports_total: u64,
    /// What it exports, with types; at most [`LISTED_MAX`].
    pub exports: Vec<Export>,
    /// How many exports there are, functions of exported interfaces counted one by one.
    pub exports_total: u64,
    /// A component's world as WIT.
    pub wit: Option<String>,
    /// The bytes of its sections by name, the largest first; headers are left out, nested modules are summed in.
    pub sections: Vec<Section>,
    /// The tools that made it, as it says itself.
    pub producers: Vec<Producer>,
    /// Whether it holds DWARF, or a link to it.
    pub debug_info: bool,
    /// Whether it names its functions.
    pub names: bool,
}

/// The two kinds of WebAssembly binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A core module: numbers and memory.
    Core,
    /// A component: typed values, interfaces.
    Component,
}

/// One thing that a guest exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Export {
    /// Its name; `interface#function` for a function of an exported interface.
    pub name: String,
    /// Its type: `(i32, i32) -> i32` in a module, WIT in a component.
    #[serde(rename = "type")]
    pub ty: String,
}

/// Tells what a guest is and how it is called: the part that every load needs.
///
/// Takes the binary form, as [`binary`] gives it. The time is a pass over the section headers and one SHA-256.
///
/// # Errors
/// The bytes are too many, no WebAssembly, cut off, nested too deep, or ill-formed where they were looked at.
pub fn summary(bytes: &[u8]) -> Result<Summary, Malformed> {
    summary_of(digest(bytes), bytes)
}

/// The same for bytes whose digest is known.
pub(crate) fn summary_of(digest: Digest, bytes: &[u8]) -> Result<Summary, Malformed> {
    let scan = Scan::read(bytes)?;
    let types = if scan.needs_types() { Some(types::read(bytes)?) } else { None };
    Ok(summarize((digest, bytes), &scan, types.as_ref().map(Types::as_ref)))
}

/// The digest of the bytes that are executed.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest(sha2::Sha256::digest(bytes).into())
}

/// Tells all about a guest that can be told without running it.
///
/// Takes the binary form, as [`binary`] gives it. Milliseconds for a usual guest; bounded for any.
///
/// # Errors
/// As [`summary`], and where its types don't fit together.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, Malformed> {
    let scan = Scan::read(bytes)?;
    let types = types::read(bytes)?;
    let types = types.as_ref();
    let (imports, imports_total) = imports::list(&scan, &types);
    let (exports, exports_total) = types::exports(&scan, &types);
    Ok(Inspection {
        summary: summarize((digest(bytes), bytes), &scan, Some(types)),
        imports,
        imports_total,
        exports,
        exports_total,
        wit: (scan.kind == Kind::Component).then(|| wit::print(&scan, types)),
        sections: scan.sections(),
        debug_info: scan.debug_info,
        names: scan.names,
        producers: scan.producers,
    })
}

fn summarize((digest, bytes): (Digest, &[u8]), scan: &Scan<'_>, types: Option<TypesRef<'_>>) -> Summary {
    Summary {
        digest,
        bytes: bytes.len() as u64,
        kind: scan.kind,
        dialect: scan.dialect(),
        candidates: shape::candidates(scan, types.as_ref()),
        needs: scan.needs,
        memory_min_bytes: scan.memory_min_bytes,
        memory_max_bytes: scan.memory_max_bytes,
        table_min: scan.table_min,
        memories: scan.memories,
        tables: scan.tables,
        core_instances: scan.core_instances,
        reserved: scan.reserved,
    }
}

/// A name as a report shows it: control characters escaped, cut at [`NAME_BYTES_MAX`].
fn shown(name: &str) -> String {
    let mut shown = String::with_capacity(name.len().min(NAME_BYTES_MAX));
    for c in name.chars() {
        if shown.len() >= NAME_BYTES_MAX {
            shown.push('…');
            break;
        }
        if crate::stdio::is_unsafe(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}
