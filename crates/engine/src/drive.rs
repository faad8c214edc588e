//! Polls a call: accounts its processor time, holds its deadlines, and turns a panic of the host into a fault.

use crate::{
    cancel::Cancel,
    clock,
    interrupt::{self, Interrupt},
    lane::{Away, Lane},
    nesting,
    renewal::PolledBy,
    ticker::Ticking,
};
use sandbar_call::{Meter, Resource, Stop};
use std::{
    cell::Cell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// Processor time without giving way after which a call is long: it gives way at every tick, and goes on in the slow lane. A
/// shorter one would take calls that stream for long, when the system interrupts them.
pub(crate) const LONG_RUN_NS: u64 = 1_000_000;
/// Where a guest usually runs longer than this, its calls start there.
pub(crate) const LONG_USUAL_NS: u64 = 500_000;
/// After giving way by itself so often, between two ticks that it used up, a call goes back to where it came from.
const WAITS: u32 = 16;

/// Why a call ended from outside.
#[derive(Debug)]
pub(crate) enum Halt {
    /// A limit was used up.
    Stopped(Stop),
    /// The host panicked.
    Panicked,
    /// The host is ending.
    Ended,
    /// Whoever called ended it.
    Cancelled,
}

/// A call that runs, on the thread that polls it or in the slow lane. Drop it to cancel.
pub(crate) enum Drive<T> {
    /// With the lane that it may move to.
    Here(Option<Driven<T>>, Option<Arc<Lane>>),
    /// With the lane that it is in.
    Away(Away<Left<T>>, Arc<Lane>),
}

/// How a call left the slow lane.
pub(crate) enum Left<T> {
    Ended(Result<T, Halt>),
    /// It waits more than it runs by now.
    ForWorker(Driven<T>),
}

/// A call in the slow lane.
struct InLane<T> {
    driven: Option<Driven<T>>,
    /// How often it gave way by itself since a tick was over.
    waits: u32,
}

/// Where a call starts.
pub(crate) enum Start {
    /// On the thread that polls it, where it stays.
    Here,
    /// On the thread that polls it, until it has used up a tick.
    HereFirst(Arc<Lane>),
    /// In the slow lane.
    Away(Arc<Lane>),
}

/// Who wants to know which thread polls a call.
pub(crate) struct Polls {
    /// Where its sandbox notes them.
    pub(crate) noted: Option<PolledBy>,
    /// What interrupts its guest, unless that looks at the epoch.
    pub(crate) interrupt: Option<Arc<Interrupt>>,
}

/// A call as one thread drives it.
pub(crate) struct Driven<T> {
    call: Pin<Box<dyn Future<Output = T> + Send>>,
    meter: Arc<Meter>,
    /// When the call has to have ended, on the monotonic clock.
    deadline_ns: u64,
    /// Set once the call waits for something; one that never waits needs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    /// What ends it from outside, where dropping it is not the way.
    cancel: Option<Cancel>,
    polls: Polls,
    /// When the call began, where nobody else measures its wall time.
    started_ns: Option<u64>,
    /// When it was begun to be polled, where that is just now.
    polled_ns: Option<u64>,
    _ticking: Ticking,
}

thread_local! {
    /// Whether the guest that was polled last gave way because a tick was over.
    static TICKED: Cell<bool> = const { Cell::new(false) };
}

/// Notes that the guest gives way because a tick is over.
pub(crate) fn ticked() {
    TICKED.set(true);
}

impl<T: Send + 'static> Drive<T> {
    pub(crate) fn start(driven: Driven<T>, start: Start) -> Drive<T> {
        match start {
            Start::Here => Drive::Here(Some(driven), None),
            Start::HereFirst(lane) => Drive::Here(Some(driven), Some(lane)),
            Start::Away(lane) => Drive::in_lane(driven, lane),
        }
    }

    /// Whether it runs on another thread.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self, Drive::Away(..))
    }

    fn in_lane(driven: Driven<T>, lane: Arc<Lane>) -> Drive<T> {
        match lane.take(InLane { driven: Some(driven), waits: 0 }) {
            Ok(away) => Drive::Away(away, lane),
            Err(InLane { driven, .. }) => Drive::Here(driven, None),
        }
    }
}

impl<T: Send + 'static> Future for Drive<T> {
    type Output = Result<T, Halt>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut *self {
                Drive::Here(driven, lane) => {
                    let Some(here) = driven else { return Poll::Pending };
                    TICKED.set(false);
                    let polled = Pin::new(here).poll(cx);
                    if polled.is_ready() || !TICKED.get() {
                        return polled;
                    }
                    let moved = lane.take().and_then(|lane| Some((lane, driven.take()?)));
                    let Some((lane, driven)) = moved else { return polled };
                    *self = Drive::in_lane(driven, lane);
                }
                Drive::Away(away, lane) => match ready!(Pin::new(away).poll(cx)) {
                    Ok(Left::Ended(Err(Halt::Panicked))) | Err(Halt::Panicked) if lane.ends() => {
                        return Poll::Ready(Err(Halt::Ended));
                    }
                    Ok(Left::Ended(ended)) => return Poll::Ready(ended),
                    Ok(Left::ForWorker(driven)) => *self = Drive::Here(Some(driven), Some(lane.clone())),
                    Err(halt) => return Poll::Ready(Err(halt)),
                },
            }
        }
    }
}

impl<T> Future for InLane<T> {
    type Output = Left<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Left<T>> {
        let Some(driven) = &mut self.driven else { return Poll::Pending };
        TICKED.set(false);
        if let Poll::Ready(ended) = Pin::new(driven).poll(cx) {
            return Poll::Ready(Left::Ended(ended));
        }
        self.waits = if TICKED.get() { 0 } else { self.waits + 1 };
        let waits_enough = self.waits >= WAITS;
        match self.driven.take_if(|_| waits_enough) {
            Some(driven) => Poll::Ready(Left::ForWorker(driven)),
            None => Poll::Pending,
        }
    }
}

impl<T> Driven<T> {
    pub(crate) fn new(
        call: impl Future<Output = T> + Send + 'static,
        meter: Arc<Meter>,
        deadline_ns: u64,
        ticking: Ticking,
        polls: Polls,
    ) -> Driven<T> {
        // A call in a call ends with it.
        let deadline_ns = deadline_ns.min(nesting::deadline_ns());
        Driven {
            call: Box::pin(call),
            meter,
            deadline_ns,
            timer: None,
            cancel: None,
            polls,
            started_ns: None,
            polled_ns: None,
            _ticking: ticking,
        }
    }

    /// Lets it be ended from outside.
    pub(crate) fn cancelled_by(self, cancel: Option<Cancel>) -> Driven<T> {
        Driven { cancel, ..self }
    }

    /// Measures its wall time, from just now on.
    pub(crate) fn since(self, now_ns: u64) -> Driven<T> {
        Driven { started_ns: Some(now_ns), polled_ns: Some(now_ns), ..self }
    }

    /// Whether a call that came to its end by itself did so within its limits: one long instruction can go past a deadline.
    fn in_time(&self, now_ns: u64) -> Result<(), Halt> {
        if now_ns > self.deadline_ns {
            return Err(Halt::Stopped(self.meter.stop(Resource::Wall)));
        }
        self.meter.stopped().map_or(Ok(()), |stop| Err(Halt::Stopped(stop)))
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Stop> {
        if self.deadline_ns == u64::MAX {
            return Poll::Pending;
        }
        let left = self.deadline_ns.saturating_sub(clock::monotonic_ns());
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(Duration::from_nanos(left))));
        timer.as_mut().poll(cx).map(|()| self.meter.stop(Resource::Wall))
    }
}

impl<T> Future for Driven<T> {
    type Output = Result<T, Halt>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(polled_by) = &self.polls.noted {
            polled_by.note();
        }
        let nested = nesting::enter(self.deadline_ns);
        let outer = clock::start_accounting(self.polled_ns.take());
        let running = self.polls.interrupt.as_ref().map(interrupt::run);
        let polled = catch_unwind(AssertUnwindSafe(|| self.call.as_mut().poll(cx)));
        drop(running);
        let charged = self.meter.charge(Resource::Cpu, clock::account());
        let now_ns = clock::accounted_ns();
        self.meter.ran(clock::run_ns());
        clock::stop_accounting(&outer);
        drop(nested);
        let ended = match (polled, charged) {
            (Err(_), _) => Poll::Ready(Err(Halt::Panicked)),
            (_, Err(stop)) => Poll::Ready(Err(Halt::Stopped(stop))),
            (Ok(Poll::Ready(output)), Ok(())) => Poll::Ready(self.in_time(now_ns).map(|()| output)),
            (Ok(Poll::Pending), Ok(())) => match self.meter.stopped() {
                Some(stop) => Poll::Ready(Err(Halt::Stopped(stop))),
                None if self.cancel.as_ref().is_some_and(|cancel| cancel.poll(cx)) => Poll::Ready(Err(Halt::Cancelled)),
                None => self.poll_deadline(cx).map(|stop| Err(Halt::Stopped(stop))),
            },
        };
        if let (Some(started_ns), true) = (self.started_ns, ended.is_ready()) {
            let _ = self.meter.measure(Resource::Wall, now_ns.saturating_sub(started_ns));
        }
        ended
    }
}
