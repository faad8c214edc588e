//! What a server of functions has to get right, seen by real clients: the real program, curl, nghttp, and bytes on a socket.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that fails panics")]

#[path = "../support/app.rs"]
mod app;
#[path = "../support/wire.rs"]
mod wire;

mod admin;
mod cgi;
mod commands;
#[cfg(target_os = "linux")]
mod confine;
mod curl;
mod exchanges;
mod functions;
mod http2;
mod names;
mod reload;
mod routes;
mod sandboxes;
mod tls;
