//! The threads that guests run on when JavaScript does not wait for them.
//!
//! Not libuv's own: four of them serve files and names, and a guest may compute for as long as its limits allow. There are as
//! many as there is work, up to a bound; one that has had nothing to do for a while ends. A call that waits, for its sandbox or
//! for a function of the host, has no thread.

use futures::FutureExt;
use std::{
    collections::VecDeque,
    future::Future,
    io,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicU8, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

/// Threads at one time, unless the host program says otherwise.
const THREADS_MAX: usize = 64;
/// How long a thread stays that has nothing to do. The last one stays for good.
const IDLE: Duration = Duration::from_secs(10);

/// The pool of the process.
static POOL: Pool = Pool {
    queue: Mutex::new(Queue { jobs: VecDeque::new(), threads: 0, idle: 0 }),
    work: Condvar::new(),
    threads_max: AtomicUsize::new(THREADS_MAX),
};

struct Pool {
    queue: Mutex<Queue>,
    work: Condvar,
    threads_max: AtomicUsize,
}

struct Queue {
    jobs: VecDeque<Arc<Job>>,
    threads: usize,
    idle: usize,
}

/// A future on its way to its end.
struct Job {
    turn: AtomicU8,
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

/// It waits for something.
const WAITS: u8 = 0;
/// It is in the queue.
const QUEUED: u8 = 1;
/// A thread polls it.
const POLLED: u8 = 2;
/// A thread polls it, and it has to be polled again.
const AGAIN: u8 = 3;

/// Lets so many threads be there at one time.
pub(crate) fn bound(threads_max: usize) {
    POOL.threads_max.store(threads_max.max(1), Relaxed);
}

/// Runs a future to its end. It may block its thread.
///
/// # Errors
/// There is no thread, and there can be none.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    POOL.push(Job::new(future))
}

/// Runs a future that gives way: on this thread until it waits or gives way for the first time, and in the pool from then on.
pub(crate) fn start(future: impl Future<Output = ()> + Send + 'static) {
    Job::new(future).poll();
}

impl Pool {
    fn push(&'static self, job: Arc<Job>) -> io::Result<()> {
        let mut queue = self.queue();
        queue.jobs.push_back(job);
        if queue.idle >= queue.jobs.len() {
            self.work.notify_one();
            return Ok(());
        }
        if queue.threads >= self.threads_max.load(Relaxed) {
            return Ok(());
        }
        queue.threads += 1;
        drop(queue);
        let Err(error) = thread::Builder::new().name("sandbar-guest".into()).spawn(|| self.run()) else {
            return Ok(());
        };
        let mut queue = self.queue();
        queue.threads -= 1;
        if queue.threads > 0 {
            return Ok(());
        }
        let left = std::mem::take(&mut queue.jobs);
        drop(queue);
        drop(left);
        Err(error)
    }

    /// Polls what there is, until there has been nothing for a while.
    fn run(&self) {
        let mut queue = self.queue();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                drop(queue);
                job.poll();
                queue = self.queue();
                continue;
            }
            queue.idle += 1;
            let (waited, time) = self.work.wait_timeout(queue, IDLE).unwrap_or_else(PoisonError::into_inner);
            queue = waited;
            queue.idle -= 1;
            if time.timed_out() && queue.jobs.is_empty() && queue.threads > 1 {
                queue.threads -= 1;
                return;
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    fn new(future: impl Future<Output = ()> + Send + 'static) -> Arc<Job> {
        let future = AssertUnwindSafe(future).catch_unwind().map(drop);
        Arc::new(Job { turn: AtomicU8::new(QUEUED), future: Mutex::new(Some(Box::pin(future))) })
    }

    fn poll(self: Arc<Self>) {
        let waker = Waker::from(self.clone());
        let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
        self.turn.store(POLLED, Relaxed);
        let Some(polled) = future.as_mut().map(|future| future.as_mut().poll(&mut Context::from_waker(&waker))) else {
            return;
        };
        if polled == Poll::Ready(()) {
            *future = None;
            return;
        }
        drop(future);
        if self.turn.compare_exchange(POLLED, WAITS, AcqRel, Acquire).is_err() {
            // Woken meanwhile. Others come first: a guest that gives way does it for them.
            self.turn.store(QUEUED, Relaxed);
            let _ = POOL.push(self.clone());
        }
    }
}

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        loop {
            let turn = self.turn.load(Acquire);
            let next = match turn {
                WAITS => QUEUED,
                POLLED => AGAIN,
                _ => return,
            };
            if self.turn.compare_exchange(turn, next, AcqRel, Acquire).is_ok() {
                if next == QUEUED {
                    // Without a thread it is dropped, which its call hears of.
                    let _ = POOL.push(self);
                }
                return;
            }
        }
    }
}
