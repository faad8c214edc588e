//! The slow lane: threads of their own for calls that take long, so that short ones do not wait behind them.
//!
//! A worker serves one guest at a time, and a tick of the epoch is the soonest that a guest gives way. With many guests on a
//! worker, what takes a few microseconds would often wait for that long. So a call that has used up a tick goes on in the
//! slow lane, and the calls of a guest that usually takes long start there. Its threads have a lower priority than the workers:
//! the system interrupts them when a worker has something to do, within microseconds, which no scheme of yielding can.

use std::{
    future::Future,
    pin::Pin,
    sync::OnceLock,
    task::{Context, Poll},
    thread,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

/// By how much its threads are nicer than the workers.
const NICER: i32 = 10;

/// The threads, started when first needed.
#[derive(Default)]
pub(crate) struct Lane(OnceLock<Option<Runtime>>);

/// What runs in the lane. Dropped, it ends there at the next tick.
pub(crate) struct Away<T>(JoinHandle<T>);

impl Lane {
    /// Moves work into the lane; gives it back where there are no threads to be had.
    pub(crate) fn take<F>(&self, work: F) -> Result<Away<F::Output>, F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match self.0.get_or_init(start) {
            Some(runtime) => Ok(Away(runtime.spawn(work))),
            None => Err(work),
        }
    }
}

fn start() -> Option<Runtime> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let nicer = || {
        // Where the system refuses, the lane is only as fair as any other thread.
        let _ = rustix::process::nice(NICER);
    };
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("sandbar-lane")
        .on_thread_start(nicer)
        .enable_all()
        .build()
        .ok()
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Its owner may go in a task, where waiting for threads is not allowed.
        if let Some(runtime) = self.0.take().flatten() {
            runtime.shutdown_background();
        }
    }
}

impl<T> Future for Away<T> {
    /// `None` if it ended without a result.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

impl<T> Drop for Away<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
