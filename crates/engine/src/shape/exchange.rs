//! An answer that streams while its guest runs: one task from the client's socket to the guest, with no hand-over.
//!
//! The guest is polled by whoever polls the answer. What it has written by the time it can't go on is gathered first, so that
//! a short answer is known whole and goes as one frame, with its receipt settled. A longer one becomes a body that drives the
//! guest: a slow client slows the guest, and a client that goes away drops it. A guest that goes on after the last byte of its
//! answer finishes on a task of its own, within its limits.

use crate::{
    drive::Drive,
    entry::{Ended, Guest, Work},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Response, header::CONTENT_LENGTH};
use http_body::{Body as HttpBody, Frame, SizeHint};
use sandbar_call::{Body, BodyError, Outcome, Reply, Resource};
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// How many bytes of an answer are gathered before it is sent as it comes.
const GATHERED_BYTES: usize = 64 << 10;

/// Frames that a guest writes.
pub(super) type Frames = Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>;

/// Takes the head of the answer once the guest has given it. An error is what the guest answered instead.
pub(super) type Head = Box<dyn FnMut(&mut Context<'_>) -> Option<Result<Response<Frames>, String>> + Send>;

/// A guest at work on an answer. Its fields are dropped in order: the guest before the receipt, so that it knows the fuel.
pub(super) struct Exchange {
    guest: Option<Guest<()>>,
    head: Head,
    frames: Option<Frames>,
    gathered: VecDeque<Bytes>,
    gathered_bytes: usize,
    trailers: Option<HeaderMap>,
    /// How the guest ended.
    outcome: Option<Outcome>,
    /// Whether all of the answer was read from the guest.
    complete: bool,
    /// Whether the answer broke off, so that a client must not take it for whole.
    broken: bool,
    /// Bytes of a declared length that are still to come.
    declared: Option<u64>,
    charged: Charged,
    /// `None` once settled.
    work: Option<Work>,
}

impl Exchange {
    pub(super) fn new(work: Work, guest: Guest<()>, head: Head, charged: Charged) -> Exchange {
        Exchange {
            guest: Some(guest),
            head,
            frames: None,
            gathered: VecDeque::new(),
            gathered_bytes: 0,
            trailers: None,
            outcome: None,
            complete: false,
            broken: false,
            declared: None,
            charged,
            work: Some(work),
        }
    }

    /// Runs the guest until its answer is known: whole, or as far as it goes without waiting.
    pub(super) async fn answer(mut self, method: &Method) -> Reply {
        let mut response = None;
        let whole = std::future::poll_fn(|cx| self.poll_answer(cx, &mut response, method)).await;
        let Some(response) = response else {
            let outcome = self.outcome.take().unwrap_or(Outcome::Done);
            let unanswered = Outcome::Failed { code: None, message: "the guest ended without an answer".into() };
            return self.end(if outcome == Outcome::Done { unanswered } else { outcome });
        };
        let response: Response<()> = match response {
            Ok(response) => response,
            // How the guest ended says more than that it gave no answer.
            Err(message) => match self.outcome.take_if(|outcome| *outcome != Outcome::Done) {
                Some(outcome) => return self.end(outcome),
                None => return self.end(Outcome::Failed { code: None, message }),
            },
        };
        if let Some(outcome) = self.outcome.take_if(|outcome| self.broken || !answers(outcome)) {
            return self.end(outcome);
        }
        match self.outcome.take_if(|_| whole == Whole::Yes && self.trailers.is_none()) {
            Some(outcome) => {
                let body = self.take_gathered();
                self.settle(outcome);
                Reply::Http(response.map(|()| body))
            }
            None => Reply::Http(response.map(|()| Body::stream(self))),
        }
    }

    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        response: &mut Option<Result<Response<()>, String>>,
        method: &Method,
    ) -> Poll<Whole> {
        loop {
            self.poll_guest(cx);
            if response.is_none() {
                *response = (self.head)(cx).map(|head| head.map(|head| self.take_head(head)));
            }
            if matches!(response, Some(Err(_))) {
                // On another thread it says how it ended only after it has ended.
                return if self.ends_elsewhere() { Poll::Pending } else { Poll::Ready(Whole::No) };
            }
            let progress = self.gather(cx, method);
            if self.outcome.is_some() && (self.complete || response.is_none()) {
                return Poll::Ready(Whole::Yes);
            }
            if self.complete && self.ends_elsewhere() {
                return Poll::Pending;
            }
            let streams = response.is_some() && *method != Method::HEAD;
            if streams && self.gathered_bytes >= GATHERED_BYTES {
                return Poll::Ready(Whole::No);
            }
            if !progress {
                return if streams { Poll::Ready(Whole::No) } else { Poll::Pending };
            }
        }
    }

    fn take_head(&mut self, head: Response<Frames>) -> Response<()> {
        let (parts, frames) = head.into_parts();
        self.frames = Some(frames);
        let length = parts.headers.get(CONTENT_LENGTH);
        self.declared = length.and_then(|length| length.to_str().ok()).and_then(|length| length.parse().ok());
        Response::from_parts(parts, ())
    }

    fn poll_guest(&mut self, cx: &mut Context<'_>) {
        let (Some(guest), Some(work)) = (&mut self.guest, &self.work) else { return };
        if let Poll::Ready(driven) = Pin::new(guest).poll(cx) {
            self.guest = None;
            self.outcome = Some(work.ended(driven).outcome);
        }
    }

    /// Takes what is there, and tells whether there was something.
    fn gather(&mut self, cx: &mut Context<'_>, method: &Method) -> bool {
        let mut progress = false;
        while self.gathered_bytes < GATHERED_BYTES && !self.complete {
            match self.poll_frames(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => self.complete = true,
                Poll::Ready(Some(Err(outcome))) => {
                    self.guest = None;
                    self.outcome = Some(outcome);
                    self.complete = true;
                    self.broken = true;
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if *method != Method::HEAD => {
                        self.gathered_bytes += data.len();
                        self.gathered.push_back(data);
                    }
                    Ok(_) => {}
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
            }
            progress = true;
        }
        progress
    }

    /// The next frame of the guest, charged. Empty ones are dropped.
    fn poll_frames(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Outcome>>> {
        let (Some(frames), Some(work)) = (&mut self.frames, &self.work) else { return Poll::Pending };
        loop {
            let frame = match ready!(frames.as_mut().poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    // A guest that is stopped drops its body, which is seen first where it runs on another thread.
                    let broke = || format!("the body of the answer broke off: {error}");
                    return Poll::Ready(Some(Err(match work.meter().stopped() {
                        Some(stop) => Outcome::Stopped { limit: stop.0 },
                        None => Outcome::Failed { code: None, message: broke() },
                    })));
                }
            };
            let Some(data) = frame.data_ref() else { return Poll::Ready(Some(Ok(frame))) };
            let count = data.len() as u64;
            if count == 0 {
                continue;
            }
            self.declared = self.declared.map(|declared| declared.saturating_sub(count));
            if self.charged == Charged::WhenWritten {
                return Poll::Ready(Some(Ok(frame)));
            }
            let meter = work.meter();
            let charged = meter.charge(Resource::Output, count).and_then(|()| meter.charge(Resource::BytesOut, count));
            return Poll::Ready(Some(charged.map(|()| frame).map_err(|stop| Outcome::Stopped { limit: stop.0 })));
        }
    }

    fn take_gathered(&mut self) -> Body {
        let mut gathered = std::mem::take(&mut self.gathered);
        if gathered.len() <= 1 {
            return gathered.pop_front().unwrap_or_default().into();
        }
        let mut whole = BytesMut::with_capacity(self.gathered_bytes);
        gathered.iter().for_each(|chunk| whole.extend_from_slice(chunk));
        whole.freeze().into()
    }

    fn end(mut self, outcome: Outcome) -> Reply {
        self.guest = None;
        match self.work.take() {
            Some(work) => work.end(outcome),
            None => Reply::Ended(outcome),
        }
    }

    fn settle(&mut self, outcome: Outcome) {
        if let Some(work) = self.work.take() {
            work.settle(outcome);
        }
    }

    /// Ends a body that was read to its end. A guest that still runs goes on by itself.
    fn finish(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            return self.settle(outcome);
        }
        let (Some(guest), Some(work)) = (self.guest.take(), self.work.take()) else { return };
        let lane = work.lane();
        // It ends with the guest, whose limits still hold, or with its runtime.
        let rest = async move {
            let Ended { outcome, .. } = work.ended(guest.await);
            work.settle(outcome);
        };
        let rest = match lane {
            Some(lane) => lane.finish(rest).err(),
            None => Some(rest),
        };
        if let (Some(rest), Ok(runtime)) = (rest, tokio::runtime::Handle::try_current()) {
            runtime.spawn(rest);
        }
    }

    /// Whether the guest's end has to be waited for: on another thread it may trap yet, and what it has written is no answer
    /// then.
    fn ends_elsewhere(&self) -> bool {
        self.guest.as_ref().is_some_and(Drive::is_away)
    }
}

/// Whether the guest's own answer stands: also a guest that says no may have said it in its answer.
fn answers(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done | Outcome::Failed { .. })
}

/// Where the bytes of an answer are charged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Charged {
    /// Here, as they are read.
    WhenRead,
    /// By the stream that the guest writes to.
    WhenWritten,
}

/// Whether an answer is known whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

impl HttpBody for Exchange {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        // The guest goes first, so that it is a frame ahead, and a short rest of it ends before its last frame is sent.
        this.poll_guest(cx);
        if let Some(outcome) = this.outcome.take_if(|outcome| !answers(outcome)) {
            this.frames = None;
            this.settle(outcome);
            return Poll::Ready(Some(Err("the guest did not end well".into())));
        }
        if let Some(data) = this.gathered.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if !this.complete {
            match ready!(this.poll_frames(cx)) {
                Some(Ok(frame)) => {
                    this.poll_guest(cx);
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(outcome)) => {
                    this.guest = None;
                    this.settle(outcome);
                    return Poll::Ready(Some(Err("the answer broke off".into())));
                }
                None => this.complete = true,
            }
        }
        // A trap drops the guest's end of the body, which looks like its end.
        this.poll_guest(cx);
        if let Some(outcome) = this.outcome.take_if(|outcome| !answers(outcome)) {
            this.settle(outcome);
            return Poll::Ready(Some(Err("the guest did not end well".into())));
        }
        if this.ends_elsewhere() {
            return Poll::Pending;
        }
        if let Some(trailers) = this.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        this.finish();
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Drop for Exchange {
    /// A body of declared length is dropped when its last byte is sent, without being asked for its end.
    fn drop(&mut self) {
        if self.gathered.is_empty() && (self.complete || self.declared == Some(0)) {
            self.finish();
        }
        self.guest = None;
    }
}
