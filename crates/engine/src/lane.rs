//! The slow lane: threads of their own for calls that take long, so that short ones do not wait behind them.
//!
//! A worker serves one guest at a time, and a tick is the soonest that a guest gives way. With many guests on a
//! worker, what takes a few microseconds would often wait for that long. So a call that has used up a tick goes on in the
//! slow lane, and the calls of a guest that usually takes long start there. Its threads have a lower priority than the workers:
//! the system interrupts them when a worker has something to do, within microseconds, which no scheme of yielding can.

use crate::drive::Halt;
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

/// By how much its threads are nicer than the workers.
const NICER: i32 = 10;
/// How long its end may take.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// The threads, started when first needed.
#[derive(Default)]
pub(crate) struct Lane {
    threads: Mutex<Threads>,
    ends: AtomicBool,
}

#[derive(Default)]
enum Threads {
    #[default]
    NotStarted,
    Running(Runtime),
    /// Also where none can be started.
    Ended,
}

/// What runs in the lane. Dropped, it ends there at the next tick.
pub(crate) struct Away<T>(Option<JoinHandle<T>>);

impl Lane {
    /// Moves work into the lane; gives it back where there are no threads to be had.
    pub(crate) fn take<F>(&self, work: F) -> Result<Away<F::Output>, F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut threads = self.threads();
        if let Threads::NotStarted = *threads {
            *threads = start().map_or(Threads::Ended, Threads::Running);
        }
        match &*threads {
            Threads::Running(runtime) => Ok(Away(Some(runtime.spawn(work)))),
            Threads::NotStarted | Threads::Ended => Err(work),
        }
    }

    /// Lets work run to its end in the lane; gives it back as above.
    pub(crate) fn finish<F>(&self, work: F) -> Result<(), F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.take(work).map(|mut away| drop(away.0.take()))
    }

    /// Ends all that runs there. Blocks, a few ticks long.
    pub(crate) fn end(&self) {
        self.ends.store(true, Relaxed);
        if let Threads::Running(runtime) = std::mem::replace(&mut *self.threads(), Threads::Ended) {
            runtime.shutdown_timeout(END_TIMEOUT);
        }
    }

    /// Whether it ends or has ended. What then asks its threads for something may panic.
    pub(crate) fn ends(&self) -> bool {
        self.ends.load(Relaxed)
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
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
        if let Threads::Running(runtime) = std::mem::take(&mut *self.threads()) {
            runtime.shutdown_background();
        }
    }
}

impl<T> Future for Away<T> {
    type Output = Result<T, Halt>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Halt>> {
        match &mut self.0 {
            Some(task) => {
                Pin::new(task).poll(cx).map_err(|why| if why.is_panic() { Halt::Panicked } else { Halt::Ended })
            }
            None => Poll::Ready(Err(Halt::Ended)),
        }
    }
}

impl<T> Drop for Away<T> {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
