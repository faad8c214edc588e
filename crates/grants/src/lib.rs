//! The outside world, in plain Rust.
//!
//! This crate owns the word **grant**: one thing outside itself that a guest may touch, and how much of it. Nothing is
//! granted by default. Each kind of grant has one file, with the same three steps: *check* what is asked against what was
//! granted, *charge* the meter of the call, *do* it. An entry has the same text form in a manifest and on the command line;
//! [`OPTIONS`] lists the forms.
//!
//! It must know neither Wasmtime nor the manifest: the engine binds these grants to the imports of a dialect, and the app
//! says where their texts came from.

#![forbid(unsafe_code)]

pub mod address;
pub mod clock;
pub mod dir;
mod env;
mod error;
mod grants;
pub mod host;
pub mod http;
pub mod lookup;
mod network;
mod option;
mod tcp;
mod udp;

pub use {
    clock::Resolution,
    dir::{Access, Folder, QuotaExceeded, Volume, Volumes},
    error::{GrantError, Problem},
    grants::{Admitted, Grants},
    http::{Exchange, HttpClient, HttpError, HttpGrant, Timeouts, Tls},
    lookup::{LookupError, LookupGrant, Resolver, SystemResolver},
    network::{Network, SocketUse},
    option::{GrantOption, OPTIONS, Suggestion, Value, denial, nearest, suggestion},
    tcp::TcpGrant,
    udp::UdpGrant,
};
