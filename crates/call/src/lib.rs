//! The nouns of the sentence and the meter.
//!
//! > A **trigger** turns an event into a **call**. A call runs one **guest** in a **sandbox** under **grants** and
//! > **limits**. Every call ends in a **receipt**.
//!
//! This crate owns the words call, outcome, limits, meter and receipt. It must not know Wasmtime, tokio or any I/O: without
//! its `std` feature it is `no_std` with `alloc`, so that a microcontroller writes the same receipt as a server.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![allow(clippy::indexing_slicing, reason = "arrays of amounts are indexed by the enum that gives them their length")]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[cfg(feature = "std")]
mod body;
#[cfg(feature = "std")]
mod call;
mod draft;
mod grant;
mod guest;
mod id;
mod limits;
mod meter;
mod outcome;
mod receipt;
mod resource;

#[cfg(feature = "std")]
pub use {
    body::{Body, BodyError},
    call::{Arguments, Call, Context, Event, Notation, Reply, RouteMatch, Run, Running, Stdio},
};
pub use {
    draft::{Draft, Heading, Settle},
    grant::{Denial, GrantKind},
    guest::{Dialect, Digest, GuestName, Shape},
    id::{CallId, SandboxId},
    limits::Limits,
    meter::{DENIALS_MAX, Meter, Stop},
    outcome::{MESSAGE_BYTES_MAX, Outcome, OutcomeKind, Refusal},
    receipt::{Amounts, FuelMetered, Origin, RECEIPT_VERSION, Receipt, SandboxUse, Uses},
    resource::{Resource, Span, Unit},
};
