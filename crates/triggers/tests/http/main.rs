//! The HTTP trigger end to end: real sockets, a made-up guest.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "these are tests")]

mod abuse;
mod answers;
mod drain;
mod guest;
mod http2;
mod requests;
mod secure;
