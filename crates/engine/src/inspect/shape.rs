//! Finds how a guest can be called, and picks one way.
//!
//! | what it exports | candidate |
//! |---|---|
//! | a component: `wasi:http/incoming-handler@0.2.N`, `wasi:http/handler@0.3.N` | `http` |
//! | a component: `wasi:cli/run@0.2.N` or `@0.3.N` | `command` |
//! | a module: `_start` without parameters and results | `command` |
//! | a WASI module, or a plugin of Extism: a function without parameters that gives nothing or an `i32` | `function` |
//! | any other function: over numbers in a module, not a resource's own in a component | `typed` |
//!
//! A *WASI module* imports WASI 0.1 or exports `_start` or `_initialize`. Only there may a function without parameters
//! talk over stdin and stdout; in a plain module it can give nothing but its number, so it is `typed`. Functions that a
//! toolchain exports for itself (`malloc`, `cabi_realloc`, `__wasm_call_ctors` …) are no candidates.
//!
//! **Choosing.** `http`, `command` and `function` are *entries*: a guest with one of them is called by it, whatever
//! typed functions lie beside it, and a guest with two is an error that lists them, since guessing wrong would run the
//! wrong code. A guest without one is `typed` beyond doubt: with several exports only the export is open, which each
//! call names. A manifest that names a shape or an export narrows the candidates first. A function may be named
//! `typed`, and a typed export that looks like a function `function`: the other reading, which is never found by
//! itself.

use super::{CANDIDATES_MAX, Kind, NAME_BYTES_MAX, imports, scan::Scan, types};
use sandbar_call::{Dialect, Shape};
use serde::Serialize;
use std::fmt;
use wasmparser::{ComponentExternalKind, ValType, types::TypesRef};

/// The most candidates that an error lists.
const SHOWN_MAX: usize = 10;

/// One way to call a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// How it is called.
    pub shape: Shape,
    /// The other reading of the same export, taken only where it is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub or: Option<Shape>,
    /// The export: a function, `interface#function`, or the interface of a handler or a command. None where a guest has
    /// several typed exports and each call names its own.
    pub export: Option<String>,
    /// What was found, in a few words.
    pub why: &'static str,
}

/// Why no way to call a guest can be picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// It exports nothing that can be called.
    Nothing,
    /// It exports nothing of the shape or the name that was asked for.
    Missing {
        /// The shape asked for.
        shape: Option<Shape>,
        /// The export asked for.
        export: Option<String>,
        /// What there is.
        candidates: Vec<Candidate>,
    },
    /// There are several, and only the user knows which one is meant.
    Ambiguous {
        /// What there is.
        candidates: Vec<Candidate>,
    },
}

/// Picks the one way to call a guest, of those that have the wanted shape and export.
///
/// # Errors
/// There is none, or there are several.
pub fn choose(candidates: &[Candidate], shape: Option<Shape>, export: Option<&str>) -> Result<Candidate, ShapeError> {
    let fitting: Vec<_> = candidates.iter().filter_map(|candidate| candidate.read_as(shape, export)).collect();
    let is_entry = |candidate: &&Candidate| candidate.shape != Shape::Typed;
    let entries: Vec<_> = fitting.iter().filter(is_entry).collect();
    match (entries.as_slice(), fitting.as_slice()) {
        ([entry], _) => Ok((*entry).clone()),
        ([], [typed]) => Ok(typed.clone()),
        ([], []) if candidates.is_empty() => Err(ShapeError::Nothing),
        ([], []) => {
            Err(ShapeError::Missing { shape, export: export.map(str::to_owned), candidates: candidates.to_vec() })
        }
        ([], [first, ..]) => {
            Ok(Candidate { export: None, or: None, why: "several exports, each called by its name", ..*first })
        }
        (several, _) => Err(ShapeError::Ambiguous { candidates: several.iter().copied().cloned().collect() }),
    }
}

impl Candidate {
    /// Itself, where it has the wanted shape and export, in the reading that was asked for.
    fn read_as(&self, shape: Option<Shape>, export: Option<&str>) -> Option<Candidate> {
        if export.is_some() && self.export.as_deref() != export {
            return None;
        }
        match shape {
            None => Some(self.clone()),
            Some(shape) if shape == self.shape => Some(self.clone()),
            Some(shape) if Some(shape) == self.or => {
                Some(Candidate { shape, or: Some(self.shape), why: "asked for", ..self.clone() })
            }
            Some(_) => None,
        }
    }

    /// The line that picks it among these.
    fn line(&self, among: &[Candidate]) -> String {
        let alone = among.iter().filter(|other| other.shape == self.shape).count() == 1;
        match &self.export {
            Some(export) if !alone => format!("export = \"{export}\""),
            _ => format!("shape = \"{}\"", self.shape.key()),
        }
    }
}

impl ShapeError {
    /// What to type in the manifest, where anything would help.
    pub fn hint(&self) -> Option<String> {
        match self {
            ShapeError::Nothing => None,
            ShapeError::Missing { candidates, .. } | ShapeError::Ambiguous { candidates } => {
                let lines: Vec<_> =
                    candidates.iter().take(SHOWN_MAX).map(|it| format!("`{}`", it.line(candidates))).collect();
                Some(format!("say which one is meant: {}", lines.join(" or ")))
            }
        }
    }

    fn candidates(&self) -> &[Candidate] {
        match self {
            ShapeError::Nothing => &[],
            ShapeError::Missing { candidates, .. } | ShapeError::Ambiguous { candidates } => candidates,
        }
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShapeError::Nothing => f.write_str(
                "the guest exports nothing to call: expected `_start`, a function, or a component's handler or command",
            )?,
            ShapeError::Missing { shape, export, .. } => {
                let shape = shape.map(|shape| format!(" of shape `{}`", shape.key())).unwrap_or_default();
                let export = export.as_ref().map(|export| format!(" `{}`", super::shown(export))).unwrap_or_default();
                write!(f, "the guest has no export{export}{shape} to call, found")?;
            }
            ShapeError::Ambiguous { .. } => f.write_str("the guest can be called in several ways, found")?,
        }
        let candidates = self.candidates();
        for (index, candidate) in candidates.iter().take(SHOWN_MAX).enumerate() {
            let separator = if index == 0 { " " } else { ", " };
            let export = candidate.export.as_deref().unwrap_or_default();
            write!(f, "{separator}{} `{export}`", candidate.shape.key())?;
        }
        match candidates.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl std::error::Error for ShapeError {}

/// Finds the ways to call a guest: `http`, `command`, `function`, `typed`, in that order, and as exported within each.
pub(super) fn candidates(scan: &Scan<'_>, types: Option<&TypesRef<'_>>) -> Vec<Candidate> {
    let mut found = match scan.kind {
        Kind::Core => of_module(scan, types),
        Kind::Component => of_component(scan, types),
    };
    found.sort_by_key(|candidate| rank(candidate.shape));
    found
}

/// The shape of an interface that is an entry by its name.
pub(super) fn entry(name: &str) -> Option<Shape> {
    let wasi = imports::wasi(name)?;
    match (wasi.interface, wasi.dialect) {
        ("http/incoming-handler", Dialect::Wasi02) | ("http/handler", Dialect::Wasi03) => Some(Shape::Http),
        ("cli/run", _) => Some(Shape::Command),
        _ => None,
    }
}

fn rank(shape: Shape) -> u8 {
    match shape {
        Shape::Http => 0,
        Shape::Command => 1,
        Shape::Function => 2,
        Shape::Typed => 3,
    }
}

fn of_module(scan: &Scan<'_>, types: Option<&TypesRef<'_>>) -> Vec<Candidate> {
    let mut found = Found::default();
    for (name, function) in types.into_iter().flat_map(types::core_functions) {
        let (params, results) = (function.params(), function.results());
        if name == "_start" && params.is_empty() && results.is_empty() {
            found.add(Shape::Command, None, name, "the entry of a WASI program");
            continue;
        }
        let is_number = |ty: &ValType| matches!(ty, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64);
        if is_toolchain(name) || !params.iter().chain(results).all(is_number) {
            continue;
        }
        match (params.is_empty() && matches!(results, [] | [ValType::I32]), scan.module_dialect != Dialect::Core) {
            (true, true) => {
                found.add(
                    Shape::Function,
                    Some(Shape::Typed),
                    name,
                    "no parameters, in a module that talks over stdio",
                );
            }
            (true, false) => {
                found.add(Shape::Typed, Some(Shape::Function), name, "a function, in a module that imports no stdio");
            }
            (false, _) => found.add(Shape::Typed, None, name, "a function over numbers"),
        }
    }
    found.candidates
}

fn of_component(scan: &Scan<'_>, types: Option<&TypesRef<'_>>) -> Vec<Candidate> {
    let mut found = Found::default();
    for (name, kind) in &scan.exports {
        match (entry(name), kind) {
            (Some(shape), ComponentExternalKind::Instance) => {
                let why = if shape == Shape::Http { "a `wasi:http` handler" } else { "a WASI command" };
                found.add(shape, None, name, why);
            }
            (_, ComponentExternalKind::Func) => found.add(Shape::Typed, None, name, "a function"),
            _ => {}
        }
    }
    for (interface, function) in types.into_iter().flat_map(|types| types::interface_functions(scan, types)) {
        if entry(interface).is_none() && !function.starts_with('[') {
            found.add(Shape::Typed, None, &format!("{interface}#{function}"), "a function of an exported interface");
        }
    }
    found.candidates
}

/// Candidates, bounded for each shape.
#[derive(Default)]
struct Found {
    candidates: Vec<Candidate>,
    count: [usize; 4],
}

impl Found {
    /// Adds one, unless there are enough or its name can't be typed.
    fn add(&mut self, shape: Shape, or: Option<Shape>, export: &str, why: &'static str) {
        let Some(count) = self.count.get_mut(usize::from(rank(shape))) else { return };
        if *count < CANDIDATES_MAX && export.len() <= NAME_BYTES_MAX && !export.chars().any(char::is_control) {
            *count += 1;
            self.candidates.push(Candidate { shape, or, export: Some(export.to_owned()), why });
        }
    }
}

/// Whether a function is one that toolchains export for themselves: allocators, constructors, stack and task switching.
fn is_toolchain(name: &str) -> bool {
    const STARTS: &[&str] = &["__", "_emscripten_", "asyncify_", "cabi_", "canonical_abi_", "emscripten_"];
    const NAMES: &[&str] = &[
        "_initialize",
        "_start",
        "alloc",
        "alloca",
        "allocate",
        "calloc",
        "dealloc",
        "deallocate",
        "free",
        "fflush",
        "go_scheduler",
        "malloc",
        "realloc",
        "setThrew",
        "stackAlloc",
        "stackRestore",
        "stackSave",
    ];
    NAMES.contains(&name) || STARTS.iter().any(|start| name.starts_with(start))
}
