//! Event sources.
//!
//! > A **trigger** turns an event into a **call**. A call runs one **guest** in a **sandbox** under **grants** and
//! > **limits**. Every call ends in a **receipt**.
//!
//! This crate owns the word trigger: one file for each event source, with its routing and the one table that maps outcomes
//! to its protocol. It must not know Wasmtime, the engine or the manifest: a call goes to whatever implements
//! [`sandbar_call::Run`], and what the app decided arrives as plain values.

#![forbid(unsafe_code)]

pub mod admin;
pub mod http;
mod notice;

pub use notice::{Notice, Notices};
