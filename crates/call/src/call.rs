//! The unit of work: an event in, an early reply out, and a late receipt.

use crate::{Body, CallId, Origin, Outcome, Settle};
use bytes::Bytes;
use core::{any::Any, future::Future, net::SocketAddr, pin::Pin};
use std::sync::Arc;

/// One event on its way to a guest.
pub struct Call {
    /// Its name.
    pub id: CallId,
    /// Where it came from.
    pub origin: Origin,
    /// What happened.
    pub event: Event,
    /// Where its receipt goes.
    pub receipts: Arc<dyn Settle>,
}

/// What happened. The engine adapts each to the guest's shape and dialect.
pub enum Event {
    /// Run a command to its end.
    Command {
        /// `argv`, the program's name first.
        args: Vec<String>,
        /// Its standard streams.
        stdio: Stdio,
    },
    /// Call an export.
    Export {
        /// What to call it with.
        arguments: Arguments,
        /// What functions of a host program find with the call.
        context: Option<Context>,
    },
    /// Answer a request.
    Http(http::Request<Body>),
}

/// What a host program gives a call on its way to its own functions.
pub type Context = Arc<dyn Any + Send + Sync>;

/// How a request met its route. A trigger puts it into the request's extensions where a guest wants it, as CGI does.
#[derive(Clone, Debug)]
pub struct RouteMatch {
    /// The route's pattern.
    pub pattern: Arc<str>,
    /// How many bytes of the path the pattern's part before its wildcard covers: CGI's `SCRIPT_NAME`.
    pub prefix_len: usize,
    /// Captured segments by name, percent-decoded.
    pub captures: Vec<(Arc<str>, String)>,
    /// The client's address, where there is one.
    pub peer: Option<SocketAddr>,
    /// Whether the request came over TLS.
    pub tls: bool,
}

/// What an export is called with.
pub enum Arguments {
    /// Bytes on stdin; the answer is what comes on stdout.
    Stdin(Body),
    /// A JSON array.
    Json(Bytes),
    /// One text for each argument, in WAVE or JSON.
    Texts {
        /// The arguments.
        texts: Vec<String>,
        /// What the result is written in.
        result: Notation,
    },
}

/// How a typed value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// WebAssembly Value Encoding, <https://github.com/bytecodealliance/wasm-tools/tree/main/crates/wasm-wave>.
    Wave,
    /// JSON, with the mapping of `docs/values.md`.
    Json,
}

/// Where a command's standard streams lead.
#[derive(Debug)]
pub enum Stdio {
    /// To those of this process.
    Host,
    /// Stdin reads these bytes; stdout is gathered into the reply, stderr becomes log records.
    Piped(Body),
}

/// What a call comes back with, as early as it is known. The receipt follows when the call has ended.
#[derive(Debug)]
pub enum Reply {
    /// The answer of a handler. The call lasts until its body has ended or is dropped.
    Http(http::Response<Body>),
    /// What a function wrote to stdout.
    Output(Body),
    /// What a typed export returned.
    Value(String),
    /// A command ended.
    Exit {
        /// Its exit code.
        code: i32,
        /// What it wrote to a piped stdout.
        output: Bytes,
    },
    /// No answer: the call ended before one.
    Ended(Outcome),
}

/// A call that runs. Dropping it cancels the call, and its receipt says so.
pub type Running<'a> = Pin<Box<dyn Future<Output = Reply> + Send + 'a>>;

/// Runs calls. It never fails: what the guest did is in the reply and the receipt.
pub trait Run: Send + Sync {
    /// Runs one call.
    fn run(&self, call: Call) -> Running<'_>;
}
