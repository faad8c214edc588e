//! The process's own standard streams, metered, for a command that a person runs.

use crate::tap::Tap;
use bytes::Bytes;
use sandbar_call::{GrantKind, Resource};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wasmtime_wasi::{
    WasiCtxBuilder,
    cli::{IsTerminal, StdinStream, StdoutStream},
};
use wasmtime_wasi_io::{
    async_trait,
    poll::Pollable,
    streams::{InputStream, OutputStream, StreamError, StreamResult},
};

/// Leads a sandbox's streams to those of this process.
pub(crate) fn host_stdio(wasi: &mut WasiCtxBuilder, tap: &Tap) {
    wasi.stdin(Metered { inner: tokio::io::stdin(), tap: tap.clone(), charge: Resource::BytesIn })
        .stdout(Metered { inner: tokio::io::stdout(), tap: tap.clone(), charge: Resource::Output })
        .stderr(Metered { inner: tokio::io::stderr(), tap: tap.clone(), charge: Resource::Log });
}

/// A stream that charges what goes through it.
struct Metered<S> {
    inner: S,
    tap: Tap,
    charge: Resource,
}

impl<S> Metered<S> {
    fn around<T>(&self, inner: T) -> Metered<T> {
        Metered { inner, tap: self.tap.clone(), charge: self.charge }
    }

    fn charge(&self, count: usize) -> StreamResult<()> {
        let meter = self.tap.meter();
        meter.called(GrantKind::Stdio);
        let mut charged = meter.charge(self.charge, count as u64);
        if self.charge != Resource::BytesIn {
            charged = charged.and_then(|()| meter.charge(Resource::BytesOut, count as u64));
        }
        charged.map_err(|stop| StreamError::Trap(stop.into()))
    }
}

impl<S: IsTerminal> IsTerminal for Metered<S> {
    fn is_terminal(&self) -> bool {
        self.inner.is_terminal()
    }
}

impl<S: StdinStream> StdinStream for Metered<S> {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(self.around(Pin::from(self.inner.async_stream())))
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.around(self.inner.p2_stream()))
    }
}

impl<S: StdoutStream> StdoutStream for Metered<S> {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.around(Pin::from(self.inner.async_stream())))
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.around(self.inner.p2_stream()))
    }
}

impl InputStream for Metered<Box<dyn InputStream>> {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let bytes = self.inner.read(size)?;
        self.charge(bytes.len())?;
        Ok(bytes)
    }
}

#[async_trait]
impl Pollable for Metered<Box<dyn InputStream>> {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

impl OutputStream for Metered<Box<dyn OutputStream>> {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.charge(bytes.len())?;
        // Wasmtime's stream would keep an empty write as one more item of its queue.
        if bytes.is_empty() { Ok(()) } else { self.inner.write(bytes) }
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }
}

#[async_trait]
impl Pollable for Metered<Box<dyn OutputStream>> {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

impl AsyncRead for Metered<Pin<Box<dyn AsyncRead + Send + Sync>>> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.inner.as_mut().poll_read(cx, buffer))?;
        Poll::Ready(self.charge(buffer.filled().len() - before).map_err(io::Error::other))
    }
}

impl AsyncWrite for Metered<Pin<Box<dyn AsyncWrite + Send + Sync>>> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(self.inner.as_mut().poll_write(cx, bytes))?;
        Poll::Ready(self.charge(count).map(|()| count).map_err(io::Error::other))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_shutdown(cx)
    }
}
