//! What a connection or stream is doing and since when, so that one sweep a worker finds those that take too long.
//!
//! A timer for each request would cost more than the rest of the server. Here a request only stores what it is doing; a
//! sweep, once a tick, counts how long that lasts and ends what is over its bound. No clock is read on the way of a request.
//!
//! HTTP/1 has one watch a connection. HTTP/2 has one for the connection and one for each stream, since a client may stall
//! one stream (by flow control) and use others.

use crate::http::guards::Ticks;
use futures::task::AtomicWaker;
use std::{
    pin::Pin,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};
use tokio::task::AbortHandle;

/// What a connection or stream is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Shaking hands for TLS.
    Handshake,
    /// Nothing was asked yet.
    Fresh,
    /// Reading a request's head.
    Head,
    /// Between two requests.
    Idle,
    /// A call runs and has not answered.
    Call,
    /// An answer is being written.
    Answer,
}

/// What is wrong with a request's body, so that the request ends before its call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Verdict {
    /// The body is larger than allowed: 413.
    TooLarge = 1,
    /// The body did not come in time: 408.
    Late = 2,
    /// The body ended early or is not well formed: 400, which a client that left does not see.
    Broken = 3,
}

/// Which bound was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    Handshake,
    Header,
    Body,
    Idle,
    Write,
}

/// The state of one connection or stream, written by its task and swept by its worker.
#[derive(Debug)]
pub(crate) struct Watch {
    phase: AtomicU8,
    /// Ticks in this phase.
    age: AtomicU32,
    /// Ticks since a body is awaited, from one; zero where none is.
    reading: AtomicU32,
    /// Ticks since the socket takes nothing, from one; zero where it does.
    blocked: AtomicU32,
    /// Ticks since a stream's peer takes no frame, from one; zero where the guest is awaited.
    unread: AtomicU32,
    verdict: AtomicU8,
    closing: AtomicBool,
    lingers: AtomicBool,
    /// Requests that are open on an HTTP/2 connection.
    streams: AtomicU32,
    waker: AtomicWaker,
    task: OnceLock<AbortHandle>,
}

impl Watch {
    pub(crate) fn new(phase: Phase) -> Watch {
        Watch {
            phase: AtomicU8::new(phase as u8),
            age: AtomicU32::new(0),
            reading: AtomicU32::new(0),
            blocked: AtomicU32::new(0),
            unread: AtomicU32::new(0),
            verdict: AtomicU8::new(0),
            closing: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            streams: AtomicU32::new(0),
            waker: AtomicWaker::new(),
            task: OnceLock::new(),
        }
    }

    /// Notes the task to abort where a bound is passed.
    pub(crate) fn runs_in(&self, task: AbortHandle) {
        let _ = self.task.set(task);
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.age.store(0, Relaxed);
    }

    fn is(&self, phase: Phase) -> bool {
        self.phase.load(Relaxed) == phase as u8
    }

    /// A byte came: between two requests it starts the next one.
    pub(crate) fn heard(&self) {
        if self.is(Phase::Idle) && self.streams.load(Relaxed) == 0 {
            self.enter(Phase::Head);
        }
    }

    pub(crate) fn reading(&self, awaited: bool) {
        mark(&self.reading, awaited);
    }

    pub(crate) fn blocked(&self, blocked: bool) {
        mark(&self.blocked, blocked);
    }

    pub(crate) fn unread(&self, unread: bool) {
        mark(&self.unread, unread);
    }

    /// Counts a stream of an HTTP/2 connection that opened.
    pub(crate) fn stream_opened(&self) {
        self.streams.fetch_add(1, Relaxed);
        self.enter(Phase::Call);
    }

    /// Counts a stream that ended; the last one leaves the connection idle.
    pub(crate) fn stream_ended(&self) {
        if self.streams.fetch_sub(1, Relaxed) == 1 {
            self.enter(Phase::Idle);
        }
    }

    /// Ends the request early, with an answer in the place of its guest's.
    pub(crate) fn judge(&self, verdict: Verdict) {
        self.verdict.store(verdict as u8, Relaxed);
        self.waker.wake();
    }

    /// Ends the request: with an answer in the place of its guest's, or where that has begun, by cutting it.
    pub(crate) fn end(&self, verdict: Verdict) {
        match self.is(Phase::Call) {
            true => self.judge(verdict),
            false => self.abort(),
        }
    }

    /// Takes the verdict on this request.
    pub(crate) fn take_verdict(&self) -> Option<Verdict> {
        let verdict = match self.verdict.load(Relaxed) {
            0 => return None,
            code if code == Verdict::TooLarge as u8 => Verdict::TooLarge,
            code if code == Verdict::Late as u8 => Verdict::Late,
            _ => Verdict::Broken,
        };
        self.verdict.store(0, Relaxed);
        Some(verdict)
    }

    /// Whether a verdict waits to be taken.
    pub(crate) fn is_judged(&self) -> bool {
        self.verdict.load(Relaxed) != 0
    }

    /// Asks the connection to end when its requests have.
    pub(crate) fn close(&self) {
        self.closing.store(true, Relaxed);
        self.waker.wake();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Relaxed)
    }

    /// Notes that the last answer did not wait for its request's body.
    pub(crate) fn linger(&self) {
        self.lingers.store(true, Relaxed);
    }

    pub(crate) fn lingers(&self) -> bool {
        self.lingers.load(Relaxed)
    }

    /// Whether nothing was asked yet and little time has passed, so that a request may be on its way.
    pub(crate) fn is_fresh(&self) -> bool {
        self.age.load(Relaxed) == 0 && (self.is(Phase::Fresh) || self.is(Phase::Handshake))
    }

    pub(crate) fn abort(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    /// Counts one tick and ends what is over its bound; says which bound that was.
    pub(crate) fn sweep(&self, ticks: &Ticks) -> Option<Timeout> {
        let age = self.age.fetch_add(1, Relaxed) + 1;
        if over(&self.blocked, ticks.write) || over(&self.unread, ticks.write) {
            self.abort();
            return Some(Timeout::Write);
        }
        if over(&self.reading, ticks.body) {
            self.end(Verdict::Late);
            return Some(Timeout::Body);
        }
        if self.is(Phase::Handshake) && age > ticks.handshake {
            self.abort();
            return Some(Timeout::Handshake);
        }
        if (self.is(Phase::Fresh) || self.is(Phase::Head)) && age > ticks.header {
            self.abort();
            return Some(Timeout::Header);
        }
        if self.is(Phase::Idle) && self.streams.load(Relaxed) == 0 && age > ticks.idle {
            // Twice the bound: it was asked to close and its peer won't let it.
            if age > ticks.idle.saturating_mul(2) {
                self.abort()
            } else {
                self.close()
            }
            return (age == ticks.idle + 1).then_some(Timeout::Idle);
        }
        None
    }
}

fn mark(count: &AtomicU32, on: bool) {
    match (count.load(Relaxed), on) {
        (0, true) => count.store(1, Relaxed),
        (0, false) | (1.., true) => {}
        (1.., false) => count.store(0, Relaxed),
    }
}

fn over(count: &AtomicU32, most: u32) -> bool {
    match count.load(Relaxed) {
        0 => false,
        // The sweep that passes the bound starts the count anew, so that it is told once.
        ticks if ticks > most => {
            count.store(1, Relaxed);
            true
        }
        ticks => {
            count.store(ticks + 1, Relaxed);
            false
        }
    }
}

/// Notes the waker of the task it is polled in, once: the waker of a spawned task stays the same.
#[derive(Debug, Default)]
pub(crate) struct Woken(bool);

impl Woken {
    pub(crate) fn by(&mut self, watch: &Watch, waker: &Waker) {
        if !self.0 {
            watch.waker.register(waker);
            self.0 = true;
        }
    }
}

/// A future whose watch can wake it.
pub(crate) async fn watched<F: Future>(watch: &Watch, future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut woken = Woken::default();
    std::future::poll_fn(|cx: &mut Context<'_>| -> Poll<F::Output> {
        woken.by(watch, cx.waker());
        Pin::as_mut(&mut future).poll(cx)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKS: Ticks = Ticks { header: 2, body: 3, idle: 4, write: 5, handshake: 1 };

    /// Sweeps until a bound is passed and says after how many sweeps.
    fn sweeps(watch: &Watch) -> Option<(u32, Timeout)> {
        (1..20).find_map(|sweep| watch.sweep(&TICKS).map(|timeout| (sweep, timeout)))
    }

    #[test]
    fn each_phase_has_its_bound() {
        for (phase, expected) in [
            (Phase::Handshake, Some((2, Timeout::Handshake))),
            (Phase::Fresh, Some((3, Timeout::Header))),
            (Phase::Head, Some((3, Timeout::Header))),
            (Phase::Idle, Some((5, Timeout::Idle))),
            (Phase::Call, None),
            (Phase::Answer, None),
        ] {
            assert_eq!(sweeps(&Watch::new(phase)), expected, "{phase:?}");
        }
    }

    #[test]
    fn a_body_that_does_not_come_ends_its_request() {
        let watch = Watch::new(Phase::Call);
        watch.reading(true);
        assert_eq!(sweeps(&watch), Some((4, Timeout::Body)));
        assert_eq!(watch.take_verdict(), Some(Verdict::Late));
        assert_eq!(watch.take_verdict(), None);
        watch.reading(false);
        assert_eq!(sweeps(&watch), None);
    }

    #[test]
    fn progress_starts_the_count_anew() {
        let watch = Watch::new(Phase::Answer);
        for _ in 0..10 {
            watch.blocked(true);
            assert_eq!(watch.sweep(&TICKS), None);
            watch.blocked(false);
        }
        watch.unread(true);
        assert_eq!(sweeps(&watch), Some((6, Timeout::Write)));
    }

    #[test]
    fn a_byte_between_requests_starts_a_head_and_an_open_stream_does_not() {
        let watch = Watch::new(Phase::Idle);
        watch.stream_opened();
        watch.heard();
        assert!(watch.is(Phase::Call));
        watch.stream_ended();
        watch.heard();
        assert!(watch.is(Phase::Head));
    }
}
