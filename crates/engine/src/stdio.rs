//! The standard streams of a sandbox: what an event brings on stdin, and where stdout and stderr lead.
//!
//! They belong to the shape, not to a grant, because they touch only the event. All are metered. Empty writes are dropped
//! before anything is queued, since Wasmtime's own streams keep every one of them.

mod input;
mod log;
mod output;

pub(crate) use input::Input;
pub(crate) use log::LogStream;
pub use log::escape;
pub(crate) use log::is_unsafe;
pub use log::{Log, LogLevel, LogRecord};
pub(crate) use output::{Output, Pipe, Read};

/// Bytes that a guest may have written to a stream and nobody has read yet, before it has to wait.
pub(crate) const PIPE_BYTES: usize = 256 << 10;
