//! HTTP/1.1 and HTTP/2 as a trigger: a request becomes a call, its reply the answer.
//!
//! A request goes: `acceptor` → `connection` (TLS, protocol) → `answer`, which asks `request` to admit it, `route` who takes
//! it, `intake` for its body, runs the call, and has `response` write the reply down, or `outcome` a page where there is none. Beside it `watch`
//! looks for clients that take too long, and `drain` ends it all.

mod acceptor;
mod answer;
mod connection;
mod drain;
mod files;
mod forwarded;
mod guards;
mod home;
mod intake;
mod metrics;
mod names;
mod outcome;
mod pattern;
mod request;
mod response;
mod route;
mod server;
mod socket;
mod tls;
mod watch;
mod worker;

pub use {
    drain::{Drained, Handle},
    files::{Files, FilesError},
    forwarded::{ForwardedForm, Forwarding, Incoming},
    guards::Guards,
    outcome::status_of,
    pattern::{Pattern, PatternError, PatternProblem},
    route::{Binding, Home, Route, Routes, RoutesError, Target},
    server::{BindError, Server, ServerConfig},
    tls::{Tls, TlsError},
};
pub(crate) use {home::escaped, pattern::decode, request::host_name};
