//! A stream of WASI 0.2 into a file: metered, and within its volume.
//!
//! wasmtime-wasi's own stream is private and knows no quota. Like that one, it has one write under way at a time, which goes on
//! to its end also where the guest does not wait for it.

use super::{At, room::write_all};
use crate::tap::Tap;
use bytes::Bytes;
use sandbar_call::Resource;
use sandbar_grants::Volume;
use std::{fs::File, io, mem, sync::Arc};
use tokio::task::JoinHandle;
use wasmtime_wasi_io::{
    async_trait,
    poll::Pollable,
    streams::{OutputStream, StreamError, StreamResult},
};

/// The most bytes of one write.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// A stream into a file.
pub(crate) struct FileOutput {
    file: Arc<File>,
    at: At,
    volume: Arc<Volume>,
    tap: Tap,
    writing: Writing,
}

/// What a stream does now.
enum Writing {
    Idle,
    /// A write is under way, so many bytes. Whoever drops the stream waits for it.
    Busy(JoinHandle<io::Result<()>>, u64),
    Failed(io::Error),
    Closed,
}

impl FileOutput {
    pub(crate) fn new(file: Arc<File>, at: At, volume: Arc<Volume>, tap: Tap) -> FileOutput {
        FileOutput { file, at, volume, tap, writing: Writing::Idle }
    }

    fn begin(&mut self, bytes: Bytes) -> StreamResult<()> {
        let count = bytes.len() as u64;
        let charged = self.tap.meter().charge(Resource::BytesOut, count);
        charged.map_err(|stop| StreamError::Trap(stop.into()))?;
        let task = tokio::spawn(write_all(self.file.clone(), self.at, bytes, Some(self.volume.clone())));
        self.writing = Writing::Busy(task, count);
        Ok(())
    }

    /// Tells a failure once; afterwards the stream is closed.
    fn fail(&mut self) -> StreamResult<()> {
        match mem::replace(&mut self.writing, Writing::Closed) {
            Writing::Closed => Err(StreamError::Closed),
            Writing::Failed(error) => Err(StreamError::LastOperationFailed(error.into())),
            going_on @ (Writing::Idle | Writing::Busy(..)) => {
                self.writing = going_on;
                Ok(())
            }
        }
    }
}

#[async_trait]
impl OutputStream for FileOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        match self.writing {
            Writing::Idle if bytes.is_empty() => Ok(()),
            Writing::Idle => self.begin(bytes),
            Writing::Closed => Err(StreamError::Closed),
            Writing::Busy(..) | Writing::Failed(_) => {
                Err(StreamError::trap("write not permitted: check_write not called first"))
            }
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.fail()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.fail()?;
        Ok(if matches!(self.writing, Writing::Idle) { WRITE_BYTES_MAX } else { 0 })
    }

    async fn cancel(&mut self) {
        self.ready().await;
        self.writing = Writing::Closed;
    }
}

#[async_trait]
impl Pollable for FileOutput {
    async fn ready(&mut self) {
        let Writing::Busy(task, count) = &mut self.writing else { return };
        let written = task.await.unwrap_or_else(|broken| Err(io::Error::other(broken)));
        let count = *count;
        self.writing = match written {
            Ok(()) => Writing::Idle,
            Err(error) => Writing::Failed(error),
        };
        if let At::Offset(offset) = &mut self.at {
            *offset = offset.saturating_add(count);
        }
    }
}
