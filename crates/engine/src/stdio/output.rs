//! Stdout: a bounded pipe from the guest to whoever answers the event.

use super::PIPE_BYTES;
use crate::tap::Tap;
use bytes::{Bytes, BytesMut};
use sandbar_call::{GrantKind, Resource};
use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi_io::{
    async_trait,
    poll::Pollable,
    streams::{OutputStream, StreamError, StreamResult},
};

/// What the guest wrote, until it is read.
#[derive(Clone, Default)]
pub(crate) struct Pipe(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    read: Read,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// When a pipe is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Read {
    /// Never: the answer is another one. What is written is charged and dropped.
    #[default]
    Never,
    /// While the guest runs, which waits where the pipe is full.
    Meanwhile,
    /// When the guest has ended. The output limit bounds what it holds.
    AtTheEnd,
}

impl Pipe {
    /// Empties the pipe for the next call. Who reads may be there before: a call that starts in the slow lane comes to its
    /// guest only after its answer was asked for.
    pub(crate) fn turn(&self, read: Read) {
        let mut queue = self.queue();
        let reader = queue.reader.take().filter(|_| read != Read::Never);
        *queue = Queue { read, reader, ..Queue::default() };
    }

    /// The next chunk, or `None` when nothing is there now.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let mut queue = self.queue();
        let Some(chunk) = queue.chunks.pop_front() else {
            queue.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        queue.bytes -= chunk.len();
        if let Some(writer) = queue.writer.take() {
            writer.wake();
        }
        Poll::Ready(chunk)
    }

    /// Wakes whoever reads: there may be no more.
    pub(crate) fn wake(&self) {
        if let Some(reader) = self.queue().reader.take() {
            reader.wake();
        }
    }

    /// Takes everything that is there as one piece.
    pub(crate) fn take_all(&self) -> Bytes {
        let mut queue = self.queue();
        queue.bytes = 0;
        let chunks = std::mem::take(&mut queue.chunks);
        if chunks.len() == 1 {
            return chunks.into_iter().next().unwrap_or_default();
        }
        let mut whole = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
        chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
        whole.freeze()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self) -> usize {
        self.queue().room()
    }

    fn push(&self, bytes: Bytes) {
        let mut queue = self.queue();
        if queue.read == Read::Never {
            return;
        }
        queue.bytes += bytes.len();
        queue.chunks.push_back(bytes);
        if let Some(reader) = queue.reader.take() {
            reader.wake();
        }
    }

    /// Looks and leaves its waker under one lock: the reader may be on another thread, and empty the pipe between the two.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<usize> {
        let mut queue = self.queue();
        match queue.room() {
            0 => {
                queue.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            room => Poll::Ready(room),
        }
    }
}

impl Queue {
    fn room(&self) -> usize {
        match self.read {
            Read::Meanwhile => PIPE_BYTES.saturating_sub(self.bytes),
            Read::Never | Read::AtTheEnd => PIPE_BYTES,
        }
    }
}

/// Stdout of a sandbox: charges what is written and hands it to the pipe.
#[derive(Clone)]
pub(crate) struct Output {
    pipe: Pipe,
    tap: Tap,
}

impl Output {
    pub(crate) fn new(pipe: Pipe, tap: Tap) -> Output {
        Output { pipe, tap }
    }

    fn put(&self, bytes: Bytes) -> StreamResult<()> {
        let meter = self.tap.meter();
        meter.called(GrantKind::Stdio);
        if bytes.is_empty() {
            return Ok(());
        }
        let count = bytes.len() as u64;
        let charged = meter.charge(Resource::Output, count).and_then(|()| meter.charge(Resource::BytesOut, count));
        charged.map_err(|stop| StreamError::Trap(stop.into()))?;
        self.pipe.push(bytes);
        Ok(())
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(self.pipe.room())
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.pipe.poll_room(cx).map(drop)).await;
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let room = ready!(self.pipe.poll_room(cx));
        let bytes = bytes.get(..room).unwrap_or(bytes);
        self.put(Bytes::copy_from_slice(bytes)).map_err(io::Error::other)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
