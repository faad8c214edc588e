//! Runs untrusted plugins inside a host program: the trigger whose events are calls of a function.
//!
//! ```no_run
//! use sandbar_embed::Host;
//!
//! let host = Host::new()?;
//! let filter = host.plugin("filter.wasm").load()?;
//! let users: serde_json::Value = filter.call("transform_data", &serde_json::json!({"users": []}))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Host`] shares one engine, one cache of compiled plugins and one pool of sandboxes among its plugins. A [`Plugin`] is a
//! guest with grants, limits and functions of the host. Every call of it ends in a receipt. It must not know triggers, apps
//! or their manifest, and nothing here listens or prints.

#![deny(unsafe_code)]

mod block;
mod calling;
pub mod dynamic;
mod error;
mod extism;
pub mod folder;
mod forked;
mod functions;
mod holder;
mod host;
mod options;
mod others;
mod overheard;
mod plugin;
mod replace;
pub mod signing;
mod source;
mod state;
mod terms;
mod typed;
mod version;
mod watch;

pub use {
    calling::{Calling, Input},
    error::{CallError, Error},
    extism::ExtismManifest,
    folder::PluginFolder,
    functions::{AsyncHostFunction, CoreArgument, CoreArguments, CoreResult, HostFunction},
    host::{Host, HostBuilder},
    plugin::Plugin,
    replace::Probation,
    source::Source,
    state::State,
    terms::{PluginBuilder, Policy, Rebuild},
    typed::TypedFunction,
    watch::Watch,
};
pub use {
    sandbar_call::{
        Amounts, CallId, Context, Denial, Digest, GrantKind, Limits, Outcome, OutcomeKind, Receipt, Refusal, Resource,
        Shape,
    },
    sandbar_engine::{
        Answer, COMPILER_ARGUMENT, Cache, Cancel, Compiler, ExtismBounds, Function, Functions, Guest, HostCall,
        HostError, InMemory, Interruption, LoadError, Log, LogLevel, LogRecord, Number, NumberType, Signature,
        compiler_main, inspect,
    },
    sandbar_grants::{GrantError, Grants},
};

/// The manual's pages, whose snippets run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embed.md")]
#[doc = include_str!("../../../docs/extism.md")]
#[doc = include_str!("../../../docs/plugin-folders.md")]
struct Manual;
