//! Stderr becomes log records: one for each line, escaped, so that no guest can forge a record or drive a terminal.

use crate::{interrupt, tap::Tap};
use bytes::Bytes;
use sandbar_call::{CallId, GrantKind, GuestName, Resource, Stop};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi_io::{
    async_trait,
    poll::Pollable,
    streams::{OutputStream, StreamError, StreamResult},
};

/// The longest line of a log record, in bytes; a longer one is split.
const LINE_BYTES_MAX: usize = 8 << 10;

/// Where log records go. Called on the thread that runs the guest: it must not block.
pub trait Log: Send + Sync {
    /// Takes a record.
    fn log(&self, record: LogRecord);
}

/// How much a record matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// The finest that a guest says itself.
    Trace,
    /// What helps its author.
    Debug,
    /// What the guest wrote to stderr, and hints.
    Info,
    /// A call that did not end well.
    Warn,
    /// A failure of the host.
    Error,
}

/// One line about a call.
#[derive(Clone, Debug)]
pub struct LogRecord {
    /// How much it matters.
    pub level: LogLevel,
    /// The guest.
    pub guest: GuestName,
    /// The call.
    pub call: CallId,
    /// What was said, without control characters.
    pub message: String,
}

/// Stderr of a sandbox.
#[derive(Clone)]
pub(crate) struct LogStream(Arc<Shared>);

struct Shared {
    to: Arc<dyn Log>,
    guest: GuestName,
    tap: Tap,
    line: Mutex<Line>,
}

struct Line {
    call: CallId,
    bytes: Vec<u8>,
}

impl LogStream {
    pub(crate) fn new(to: Arc<dyn Log>, guest: GuestName, tap: Tap, call: CallId) -> LogStream {
        LogStream(Arc::new(Shared { to, guest, tap, line: Mutex::new(Line { call, bytes: Vec::new() }) }))
    }

    /// Turns to the next call.
    pub(crate) fn turn(&self, next: CallId) {
        self.line().call = next;
    }

    /// Writes a last line that has no end.
    pub(crate) fn end_line(&self) {
        let mut line = self.line();
        if !line.bytes.is_empty() {
            self.record(&line);
            line.bytes.clear();
        }
    }

    /// The guest whose log this is.
    pub(crate) fn guest(&self) -> &GuestName {
        &self.0.guest
    }

    /// Logs a line that the guest says otherwise than by stderr.
    pub(crate) fn say(&self, level: LogLevel, message: &str) -> Result<(), Stop> {
        self.charge(message.len())?;
        self.report(level, message);
        Ok(())
    }

    /// Logs a line about the current call.
    pub(crate) fn report(&self, level: LogLevel, message: &str) {
        let call = self.line().call;
        self.tell(level, call, message);
    }

    fn charge(&self, bytes: usize) -> Result<(), Stop> {
        let meter = self.0.tap.meter();
        meter.called(GrantKind::Stdio);
        let count = bytes as u64;
        meter.charge(Resource::Log, count).and_then(|()| meter.charge(Resource::BytesOut, count))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, bytes: &[u8]) -> StreamResult<()> {
        self.charge(bytes.len()).map_err(|stop| StreamError::Trap(stop.into()))?;
        let mut line = self.line();
        for &byte in bytes {
            if byte != b'\n' {
                line.bytes.push(byte);
            }
            if byte == b'\n' || line.bytes.len() == LINE_BYTES_MAX {
                self.record(&line);
                line.bytes.clear();
            }
        }
        Ok(())
    }

    fn record(&self, line: &Line) {
        self.tell(LogLevel::Info, line.call, &String::from_utf8_lossy(&line.bytes));
    }

    fn tell(&self, level: LogLevel, call: CallId, message: &str) {
        let (guest, message) = (self.0.guest.clone(), escape(message));
        // A host program's own, it may be.
        let _outside = interrupt::outside();
        self.0.to.log(LogRecord { level, guest, call, message });
    }
}

/// Writes control characters, and those that break lines or turn the direction of text, as escapes.
pub fn escape(text: &str) -> String {
    if !text.chars().any(|c| is_unsafe(c) && c != '\t') {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) && c != '\t' { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    escaped
}

/// Whether a character can drive a terminal or forge a line.
pub(crate) fn is_unsafe(c: char) -> bool {
    let turns = matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(super::PIPE_BYTES)
    }
}

#[async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for LogStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.put(bytes).map_err(io::Error::other)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn a_message_cannot_drive_a_terminal() {
        assert_eq!(escape("plain\ttext"), "plain\ttext");
        assert_eq!(escape("\u{1b}[31mred\0\r\u{202e}"), "\\u{1b}[31mred\\u{0}\\r\\u{202e}");
    }
}
