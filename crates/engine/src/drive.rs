//! Polls a call: accounts its processor time, holds its deadlines, and turns a panic of the host into a fault.

use crate::{clock, renewal::PolledBy, ticker::Ticking};
use sandbar_call::{Meter, Resource, Stop};
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// Why a call ended from outside.
#[derive(Debug)]
pub(crate) enum Halt {
    /// A limit was used up.
    Stopped(Stop),
    /// The host panicked.
    Panicked,
}

/// A call that runs. Drop it to cancel.
pub(crate) struct Drive<T> {
    call: Pin<Box<dyn Future<Output = T> + Send>>,
    meter: Arc<Meter>,
    /// When the call has to have ended, on the monotonic clock.
    deadline_ns: u64,
    /// Set once the call waits for something; one that never waits needs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    polled_by: Option<PolledBy>,
    _ticking: Ticking,
}

impl<T> Drive<T> {
    pub(crate) fn new(
        call: impl Future<Output = T> + Send + 'static,
        meter: Arc<Meter>,
        deadline_ns: u64,
        ticking: Ticking,
        polled_by: Option<PolledBy>,
    ) -> Drive<T> {
        Drive { call: Box::pin(call), meter, deadline_ns, timer: None, polled_by, _ticking: ticking }
    }

    /// Whether a call that came to its end by itself did so within its limits: one long instruction can go past a deadline.
    fn in_time(&self) -> Result<(), Halt> {
        if self.deadline_ns != u64::MAX && clock::monotonic_ns() > self.deadline_ns {
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

impl<T> Future for Drive<T> {
    type Output = Result<T, Halt>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(polled_by) = &self.polled_by {
            polled_by.note();
        }
        let outer = clock::start_accounting();
        let polled = catch_unwind(AssertUnwindSafe(|| self.call.as_mut().poll(cx)));
        let charged = self.meter.charge(Resource::Cpu, clock::account());
        clock::stop_accounting(&outer);
        match (polled, charged) {
            (Err(_), _) => Poll::Ready(Err(Halt::Panicked)),
            (_, Err(stop)) => Poll::Ready(Err(Halt::Stopped(stop))),
            (Ok(Poll::Ready(output)), Ok(())) => Poll::Ready(self.in_time().map(|()| output)),
            (Ok(Poll::Pending), Ok(())) => match self.meter.stopped() {
                Some(stop) => Poll::Ready(Err(Halt::Stopped(stop))),
                None => self.poll_deadline(cx).map(|stop| Err(Halt::Stopped(stop))),
            },
        }
    }
}
