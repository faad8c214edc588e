//! Writes a stream of WASI 0.3 into a file: metered, and within its volume.
//!
//! wasmtime-wasi's own consumer is private and knows no quota. Like that one, it has one write under way at a time, and what it
//! has not written stays with the guest.

use crate::{
    dialect::files::{At, is_quota, write_some},
    tap::Tap,
};
use bytes::Bytes;
use sandbar_call::Resource;
use sandbar_grants::Volume;
use std::{
    fs::File,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{sync::oneshot, task::JoinHandle};
use wasmtime::{
    StoreContextMut,
    component::{Source, StreamConsumer, StreamResult},
};
use wasmtime_wasi::p3::bindings::filesystem::types::ErrorCode;

/// The most bytes of one write.
const WRITE_BYTES_MAX: usize = 64 * 1024;

type Told = oneshot::Sender<Result<(), ErrorCode>>;

/// A stream's way into a file.
pub(super) struct FileConsumer {
    file: Arc<File>,
    at: At,
    volume: Option<Arc<Volume>>,
    tap: Tap,
    told: Option<Told>,
    /// The write that is under way. It goes on to its end also where nobody waits for it.
    task: Option<JoinHandle<io::Result<usize>>>,
}

impl FileConsumer {
    pub(super) fn new(file: Arc<File>, at: At, volume: Option<Arc<Volume>>, tap: Tap, told: Told) -> FileConsumer {
        FileConsumer { file, at, volume, tap, told: Some(told), task: None }
    }

    fn begin(&self, bytes: Bytes) -> JoinHandle<io::Result<usize>> {
        let (file, at, volume) = (self.file.clone(), self.at, self.volume.clone());
        tokio::spawn(async move { write_some(&file, at, bytes, volume.as_ref()).await })
    }

    /// Tells the guest how it ended, once.
    fn end(&mut self, how: Result<(), ErrorCode>) {
        if let Some(told) = self.told.take() {
            // Nobody listens where the guest has dropped its future.
            let _ = told.send(how);
        }
    }
}

impl<D> StreamConsumer<D> for FileConsumer {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let mut task = match self.task.take() {
            Some(task) => task,
            None if source.remaining().is_empty() => return Poll::Ready(Ok(StreamResult::Completed)),
            None => {
                let chunk = source.remaining().chunks(WRITE_BYTES_MAX).next().unwrap_or_default();
                let bytes = Bytes::copy_from_slice(chunk);
                self.begin(bytes)
            }
        };
        if finish {
            task.abort();
        }
        let Poll::Ready(written) = Pin::new(&mut task).poll(cx) else {
            self.task = Some(task);
            return Poll::Pending;
        };
        let written = match written {
            Ok(written) => written,
            Err(broken) if broken.is_cancelled() => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Err(broken) => Err(io::Error::other(broken)),
        };
        match written {
            Ok(count) => {
                source.mark_read(count);
                if let At::Offset(offset) = &mut self.at {
                    *offset = offset.saturating_add(count as u64);
                }
                self.tap.meter().charge(Resource::BytesOut, count as u64)?;
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Err(error) => {
                self.end(Err(if is_quota(&error) { ErrorCode::Quota } else { ErrorCode::from(error) }));
                Poll::Ready(Ok(StreamResult::Dropped))
            }
        }
    }
}

impl Drop for FileConsumer {
    fn drop(&mut self) {
        self.end(Ok(()));
    }
}
