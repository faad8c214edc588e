//! The two bodies of an exchange, charged as they stream.

use super::HttpError;
use ::http_body::{Body as HttpBody, Frame, SizeHint};
use bytes::Bytes;
use sandbar_call::{Body, BodyError, Meter, Resource};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep};

/// The guest's body on its way out; charged as [`Resource::BytesOut`].
pub(super) struct Outgoing {
    body: Body,
    meter: Arc<Meter>,
}

impl Outgoing {
    pub(super) fn new(body: Body, meter: Arc<Meter>) -> Outgoing {
        Outgoing { body, meter }
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        loop {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
            // HTTP/2 would queue empty frames past its flow control.
            if let Some(Ok(frame)) = &frame
                && frame.data_ref().is_some_and(Bytes::is_empty)
            {
                continue;
            }
            return Poll::Ready(frame.map(|frame| {
                let frame = frame.map_err(|error| HttpError::RequestBody(error.to_string()))?;
                charge(&frame, &self.meter, Resource::BytesOut)?;
                Ok(frame)
            }));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The server's body on its way in; charged as [`Resource::BytesIn`], and ended when it pauses for too long while the guest
/// waits for it. Its errors are [`HttpError`]s.
pub(super) struct Incoming {
    body: hyper::body::Incoming,
    meter: Arc<Meter>,
    between_bytes: Duration,
    /// Runs while a frame is waited for.
    pause: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Incoming {
    pub(super) fn new(body: hyper::body::Incoming, meter: Arc<Meter>, between_bytes: Duration) -> Incoming {
        Incoming { body, meter, between_bytes, pause: None, waiting: false }
    }

    /// Starts the pause at the first wait for a frame, and says whether it has lasted too long.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(self.between_bytes)));
        if !self.waiting {
            let end = Instant::now().checked_add(self.between_bytes);
            if let Some(end) = end {
                pause.as_mut().reset(end);
            }
            self.waiting = true;
        }
        pause.as_mut().poll(cx)
    }
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.waiting = false;
                Poll::Ready(frame.map(|frame| {
                    let frame = frame.map_err(HttpError::of_exchange)?;
                    charge(&frame, &self.meter, Resource::BytesIn)?;
                    Ok(frame)
                }))
            }
            Poll::Pending => self.poll_pause(cx).map(|()| Some(Err(HttpError::BodyTimeout.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn charge(frame: &Frame<Bytes>, meter: &Meter, resource: Resource) -> Result<(), HttpError> {
    let bytes = frame.data_ref().map_or(0, Bytes::len);
    meter.charge(resource, bytes as u64).map_err(HttpError::BodyLimit)
}
