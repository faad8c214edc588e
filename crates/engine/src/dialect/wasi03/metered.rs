//! Streams of WASI 0.3 that charge what goes through them. wasmtime-wasi's own can't be opened up, so a stream is read into a
//! pipe of one chunk, and given on from there.

use crate::{state::State, tap::Tap};
use bytes::Bytes;
use futures::{StreamExt, channel::mpsc};
use sandbar_call::Resource as Amount;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use wasmtime::{
    AsContextMut, Result, StoreContextMut,
    component::{Destination, Source, StreamConsumer, StreamProducer, StreamReader, StreamResult},
};

/// The most bytes that wait in a pipe.
const CHUNK_BYTES_MAX: usize = 64 << 10;

/// Puts a meter behind a stream.
pub(super) fn metered(
    mut store: StoreContextMut<'_, State>,
    stream: StreamReader<u8>,
    amount: Amount,
) -> Result<StreamReader<u8>> {
    let tap = store.data().tap.clone();
    let (sender, chunks) = mpsc::channel(0);
    stream.pipe(&mut store, Meter { sender, tap, amount })?;
    StreamReader::new(&mut store, Outlet { chunks, chunk: Bytes::new() })
}

/// The end of the pipe that takes, and charges.
struct Meter {
    sender: mpsc::Sender<Bytes>,
    tap: Tap,
    amount: Amount,
}

impl<D> StreamConsumer<D> for Meter {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        match self.sender.poll_ready(cx) {
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Ready(Ok(())) => {}
        }
        let mut source = source.as_direct(store);
        let chunk = source.remaining().chunks(CHUNK_BYTES_MAX).next().unwrap_or_default();
        let (chunk, count) = (Bytes::copy_from_slice(chunk), chunk.len());
        if count > 0 {
            self.tap.meter().charge(self.amount, count as u64)?;
            if self.sender.start_send(chunk).is_err() {
                return Poll::Ready(Ok(StreamResult::Dropped));
            }
            source.mark_read(count);
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

/// The end of the pipe that gives.
struct Outlet {
    chunks: mpsc::Receiver<Bytes>,
    /// What is left of the last one.
    chunk: Bytes,
}

impl<D> StreamProducer<D> for Outlet {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, u8, Self::Buffer>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        if self.chunk.is_empty() {
            match self.chunks.poll_next_unpin(cx) {
                Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(StreamResult::Dropped)),
                Poll::Ready(Some(chunk)) => self.chunk = chunk,
            }
        }
        // Room for nothing asks whether there is something.
        if destination.remaining(store.as_context_mut()) != Some(0) {
            destination.set_buffer(std::mem::take(&mut self.chunk));
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}
