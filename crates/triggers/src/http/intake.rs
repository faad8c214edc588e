//! A request's body on its way to a guest: bounded in bytes, watched while it is awaited, gathered where it is small, and
//! asked for where the client keeps it back.

use crate::http::{
    outcome::Refusing,
    watch::{Verdict, Watch},
    worker::Peer,
};
use bytes::{Bytes, BytesMut};
use http::{header, request::Parts};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use sandbar_call::{Body, BodyError};
use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
};

/// Takes a request's body: empty and small ones whole, others as they come.
///
/// # Errors
/// A body that is too large by its length, or that did not come whole.
pub(crate) async fn take_body(
    head: &Parts,
    body: Incoming,
    peer: &Arc<Peer>,
    most: u64,
) -> Result<(Body, Option<KeptBack>), Refusing> {
    if body.is_end_stream() {
        return Ok((Body::Empty, None));
    }
    let length = body.size_hint().exact();
    if length.is_some_and(|length| length > most) {
        return Err(Refusing::TooLarge);
    }
    let intake = Intake { body, left: most, broken: false, peer: peer.clone() };
    if head.headers.contains_key(header::EXPECT) {
        let (body, kept_back) = KeptBack::new(intake);
        return Ok((body, Some(kept_back)));
    }
    let small = length.filter(|length| *length <= peer.worker.guards.gather_bytes_max);
    let body = match small {
        Some(length) => Box::pin(gather(intake, length)).await?,
        None => Body::stream(intake),
    };
    Ok((body, None))
}

/// Reads a small body to its end. One that came in one piece is not copied.
async fn gather(intake: Intake, length: u64) -> Result<Body, Refusing> {
    let peer = intake.peer.clone();
    let verdict = |_: BodyError| Refusing::from(peer.watch.take_verdict().unwrap_or(Verdict::Broken));
    // The count starts once and not with each piece: all of it has to come in time.
    let mut intake = std::pin::pin!(Gathering(intake));
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    let mut trailers = None;
    while let Some(frame) = intake.frame().await {
        match frame.map_err(verdict)?.into_data() {
            Ok(data) if whole.is_empty() && pieces.is_empty() => whole = data,
            Ok(data) => {
                if pieces.is_empty() {
                    pieces.reserve(usize::try_from(length).unwrap_or_default());
                    pieces.extend_from_slice(&whole);
                }
                pieces.extend_from_slice(&data);
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    let whole = if pieces.is_empty() { whole } else { pieces.freeze() };
    Ok(match trailers {
        None => Body::from(whole),
        Some(trailers) => {
            let body = Full::new(whole).with_trailers(std::future::ready(Some(Ok(trailers))));
            Body::stream(body.map_err(|never| match never {}))
        }
    })
}

/// A request's body on its way to a guest: bounded in bytes, and watched while it is awaited.
struct Intake {
    body: Incoming,
    /// Bytes that may still come.
    left: u64,
    /// Whether it broke off. hyper tells so once, and then that it has ended.
    broken: bool,
    peer: Arc<Peer>,
}

/// Why a request's body ended early, for the guest.
#[derive(Debug)]
struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request's body is larger than allowed")
    }
}

impl std::error::Error for TooLarge {}

impl Intake {
    fn watch(&self) -> &Watch {
        &self.peer.watch
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.broken {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => {
                    self.watch().judge(Verdict::TooLarge);
                    return Poll::Ready(Some(Err(TooLarge.into())));
                }
            }
        }
        if let Poll::Ready(Some(Err(_))) = &polled {
            // Nobody waits for this call, or nobody can: it is cancelled. Its guest is not told, so that it can't end first.
            self.broken = true;
            self.watch().end(Verdict::Broken);
            return Poll::Pending;
        }
        polled.map_err(BodyError::from)
    }
}

impl http_body::Body for Intake {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = self.poll(cx);
        self.watch().reading(polled.is_pending());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.watch().reading(false);
    }
}

/// A body that its client keeps back until it is told to continue (RFC 9110, section 10.1.1), which reading it does. A guest
/// that answers first and reads then would wait for a client that takes the answer for a no.
pub(crate) struct KeptBack(Weak<Mutex<Early>>);

/// An intake, and what was read of it early.
struct Early {
    intake: Intake,
    frame: Option<Result<Frame<Bytes>, BodyError>>,
    asked: bool,
}

/// The guest's end of it.
struct Shared(Arc<Mutex<Early>>);

impl KeptBack {
    fn new(intake: Intake) -> (Body, KeptBack) {
        let early = Arc::new(Mutex::new(Early { intake, frame: None, asked: false }));
        let kept_back = KeptBack(Arc::downgrade(&early));
        (Body::stream(Shared(early)), kept_back)
    }

    /// Before an answer begins: asks for the body if the guest may still read it.
    pub(crate) async fn ask(self) {
        let asked = poll_fn(|cx| Poll::Ready(self.0.upgrade().map(|early| lock(&early).ask(cx)))).await;
        if asked.is_some() {
            // The connection's turn: it writes `100 Continue` before it is given the answer.
            tokio::task::yield_now().await;
        }
    }
}

impl Early {
    fn ask(&mut self, cx: &mut Context<'_>) {
        if !self.asked
            && let Poll::Ready(frame) = Pin::new(&mut self.intake).poll_frame(cx)
        {
            self.frame = frame;
        }
        self.asked = true;
    }
}

fn lock(early: &Mutex<Early>) -> MutexGuard<'_, Early> {
    early.lock().unwrap_or_else(PoisonError::into_inner)
}

impl http_body::Body for Shared {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut early = lock(&self.0);
        early.asked = true;
        match early.frame.take() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut early.intake).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        let early = lock(&self.0);
        early.frame.is_none() && early.intake.is_end_stream()
    }
}

/// An intake that is read to its end before the call: its time is not reset by a piece, and a verdict ends it.
struct Gathering(Intake);

impl http_body::Body for Gathering {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = self.0.poll(cx);
        if polled.is_pending() {
            if self.0.watch().is_judged() {
                return Poll::Ready(Some(Err("the body did not come in time".into())));
            }
            self.0.watch().reading(true);
        }
        polled
    }
}
