//! Writes what a guest's functions take and give as types of TypeScript, Python or Rust.
//!
//! What is read is a component's binary, WIT text, or what a core module exports; what is written is one file, whose types are
//! those of the JSON that `docs/values.md` specifies. It owns the word *type* and nothing that runs: no engine, no clap, and no
//! other crate of the workspace, so that a build script compiles it in seconds.
//!
//! A build script of a host program:
//!
//! ```no_run
//! // build.rs; the program then has `include!(concat!(env!("OUT_DIR"), "/filter.rs"));` in a module.
//! sandbar_bindings::rust("wit", "filter").unwrap();
//! ```
//!
//! A component is read here from its types, and not by `wit-parser`'s decoder: that recurses without end where two packages use
//! each other, which a valid component may do.

#![forbid(unsafe_code)]

mod build_script;
mod component;
mod draft;
mod error;
mod guest;
mod module;
mod names;
mod python;
mod rust;
mod typescript;
mod wit;
mod world;

pub use {
    build_script::{rust, rust_of_guest},
    error::Error,
    guest::{Way, guest},
    wit::{wit, wit_text},
    world::World,
};

/// A language to write for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Declarations, `.d.ts`.
    TypeScript,
    /// Stubs, `.pyi`, which are a module of Python 3.11 too.
    Python,
    /// A module that calls by `sandbar-embed`.
    Rust,
}

impl World {
    /// Writes the types in a language, as one file.
    ///
    /// # Errors
    /// A type can't be said in it.
    pub fn write(&self, language: Language) -> Result<String, Error> {
        match language {
            Language::TypeScript => Ok(typescript::write(self)),
            Language::Python => Ok(python::write(self)),
            Language::Rust => rust::write(self),
        }
    }
}
