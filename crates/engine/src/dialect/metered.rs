//! Streams of WASI 0.2 that charge what goes through them: files that are read, and TCP.

use crate::tap::Tap;
use bytes::Bytes;
use sandbar_call::Resource as Amount;
use std::mem;
use wasmtime::component::{Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::p2::pipe::{ClosedInputStream, ClosedOutputStream};
use wasmtime_wasi_io::{
    async_trait,
    poll::Pollable,
    streams::{DynInputStream, DynOutputStream, InputStream, OutputStream, StreamError, StreamResult},
};

/// Puts a meter around an input stream where it lies in the table.
pub(crate) fn meter_input(
    table: &mut ResourceTable,
    stream: &Resource<DynInputStream>,
    tap: Tap,
) -> Result<(), ResourceTableError> {
    let place = table.get_mut(stream)?;
    let inner = mem::replace(place, Box::new(ClosedInputStream));
    *place = Box::new(Metered { inner, tap });
    Ok(())
}

/// Puts a meter around an output stream where it lies in the table.
pub(crate) fn meter_output(
    table: &mut ResourceTable,
    stream: &Resource<DynOutputStream>,
    tap: Tap,
) -> Result<(), ResourceTableError> {
    let place = table.get_mut(stream)?;
    let inner = mem::replace(place, Box::new(ClosedOutputStream));
    *place = Box::new(Metered { inner, tap });
    Ok(())
}

struct Metered<S> {
    inner: S,
    tap: Tap,
}

impl<S> Metered<S> {
    fn charge(&self, amount: Amount, count: usize) -> StreamResult<()> {
        self.tap.meter().charge(amount, count as u64).map_err(|stop| StreamError::Trap(stop.into()))
    }
}

#[async_trait]
impl InputStream for Metered<DynInputStream> {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let bytes = self.inner.read(size)?;
        self.charge(Amount::BytesIn, bytes.len())?;
        Ok(bytes)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        let bytes = self.inner.blocking_read(size).await?;
        self.charge(Amount::BytesIn, bytes.len())?;
        Ok(bytes)
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

#[async_trait]
impl Pollable for Metered<DynInputStream> {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl OutputStream for Metered<DynOutputStream> {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.charge(Amount::BytesOut, bytes.len())?;
        self.inner.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.charge(Amount::BytesOut, bytes.len())?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

#[async_trait]
impl Pollable for Metered<DynOutputStream> {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}
