//! Stdin: a body that the guest reads as it likes.

use crate::tap::Tap;
use bytes::Bytes;
use http_body::Body as _;
use sandbar_call::{Body, GrantKind, Resource};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, ReadBuf};
use wasmtime_wasi::cli::{IsTerminal, StdinStream};
use wasmtime_wasi_io::{
    async_trait,
    poll::Pollable,
    streams::{InputStream, StreamError, StreamResult},
};

/// Stdin of a sandbox. Clones share one position, as WASI asks.
#[derive(Clone)]
pub(crate) struct Input {
    source: Arc<Mutex<Source>>,
    tap: Tap,
}

#[derive(Default)]
struct Source {
    body: Body,
    /// Bytes taken from the body that the guest has not read.
    ahead: Bytes,
    failed: Option<io::Error>,
}

impl Input {
    /// An empty stdin.
    pub(crate) fn new(tap: Tap) -> Input {
        Input { source: Arc::default(), tap }
    }

    /// Turns to the body of the next event.
    pub(crate) fn turn(&self, body: Body) {
        *self.source() = Source { body, ..Source::default() };
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up to `most` bytes that are there; `None` at the end.
    pub(crate) fn take(&self, most: usize) -> StreamResult<Option<Bytes>> {
        let mut source = self.source();
        if let Some(error) = source.failed.take() {
            return Err(StreamError::LastOperationFailed(error.into()));
        }
        if let Body::Whole(bytes) = &mut source.body {
            source.ahead = std::mem::take(bytes);
            source.body = Body::Empty;
        }
        if source.ahead.is_empty() {
            return Ok(if source.body.is_end_stream() { None } else { Some(Bytes::new()) });
        }
        let count = most.min(source.ahead.len());
        let bytes = source.ahead.split_to(count);
        let meter = self.tap.meter();
        meter.called(GrantKind::Stdio);
        meter.charge(Resource::BytesIn, count as u64).map_err(|stop| StreamError::Trap(stop.into()))?;
        Ok(Some(bytes))
    }

    /// Waits until there are bytes, the end or an error.
    pub(crate) fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut source = self.source();
        while source.ahead.is_empty() && source.failed.is_none() {
            let frame = ready!(Pin::new(&mut source.body).poll_frame(cx));
            match frame {
                None => {
                    source.body = Body::Empty;
                    break;
                }
                Some(Ok(frame)) => source.ahead = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => source.failed = Some(io::Error::other(error)),
            }
        }
        Poll::Ready(())
    }
}

impl IsTerminal for Input {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Input {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.take(size)?.ok_or(StreamError::Closed)
    }
}

#[async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.poll_fill(cx)).await;
    }
}

impl AsyncRead for Input {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_fill(cx));
        let bytes = self.take(buffer.remaining()).map_err(io::Error::other)?;
        buffer.put_slice(&bytes.unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}
