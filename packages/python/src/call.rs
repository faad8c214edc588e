//! One call as this side sees it, and the thread that makes it.
//!
//! A guest runs on a stack of its own, and Python must not: it bounds its recursion by the thread's stack, and from 3.14 on it
//! ends the process when it finds itself elsewhere. So a guest that calls a function of the host waits, the thread that made
//! the call takes the job where its own stack was, and the guest goes on with what came of it.

use crate::{cancel::Cancel, function::Job, log::Records};
use pyo3::{exceptions::PyValueError, prelude::*};
use sandbar_embed as embed;
use std::{
    cell::RefCell,
    collections::VecDeque,
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

/// A call that runs.
pub(crate) struct Running {
    /// Which plugin it is a call of, as [`crate::plugin::Loaded`] is identified.
    plugin: usize,
    /// What it is part of: a function of the host made it for another call.
    outer: Option<Arc<Running>>,
    /// What the program gave to this call, and the event loop that asked for it, until it ends: a held sandbox remembers its
    /// last call.
    given: Mutex<Given>,
    /// Ends it from outside.
    cancel: embed::Cancel,
    /// Calls that are part of it.
    inner: Mutex<Vec<Weak<Running>>>,
    /// When it has to have ended, on the monotonic clock; known once it called a function.
    deadline_ns: AtomicU64,
    jobs: Mutex<VecDeque<Job>>,
    /// Coroutines that it waits for.
    tasks: Mutex<Vec<Py<PyAny>>>,
    raised: Mutex<Raised>,
    /// The thread that makes it.
    thread: Arc<Unpark>,
}

/// What a call is made with, apart from its arguments.
#[derive(Default)]
pub(crate) struct Terms<'a, 'py> {
    pub(crate) timeout: Option<f64>,
    pub(crate) cancel: Option<&'a Bound<'py, Cancel>>,
    pub(crate) context: Option<Py<PyAny>>,
    /// What else ends it: the task that waits for it.
    pub(crate) task: Option<&'a Bound<'py, Cancel>>,
    pub(crate) event_loop: Option<Py<PyAny>>,
    pub(crate) within: Option<&'a Bound<'py, Within>>,
}

impl Terms<'_, '_> {
    /// How long it may take by itself.
    ///
    /// # Errors
    /// That is no time.
    pub(crate) fn time(&self) -> PyResult<Option<Duration>> {
        let Some(seconds) = self.timeout else { return Ok(None) };
        let wrong = |_| PyValueError::new_err(format!("`timeout`: expected seconds from 0, found `{seconds}`"));
        Duration::try_from_secs_f64(seconds).map(Some).map_err(wrong)
    }
}

/// What a function of the host raised in a call.
#[derive(Default)]
struct Raised {
    error: Option<PyErr>,
    /// Whether the call has ended: what is raised since is no cause of that.
    is_late: bool,
}

/// What Python gave to a call.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) context: Option<Py<PyAny>>,
    pub(crate) event_loop: Option<Py<PyAny>>,
}

thread_local! {
    /// The innermost call that this thread makes.
    static INNERMOST: RefCell<Option<Arc<Running>>> = const { RefCell::new(None) };
    static UNPARK: Arc<Unpark> = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
}

impl Running {
    /// A call that is about to be made by this thread.
    pub(crate) fn new(plugin: usize, outer: Option<Arc<Running>>, given: Given) -> Arc<Running> {
        let running = Arc::new(Running {
            plugin,
            outer,
            given: Mutex::new(given),
            cancel: embed::Cancel::new(),
            inner: Mutex::default(),
            deadline_ns: AtomicU64::new(u64::MAX),
            jobs: Mutex::default(),
            tasks: Mutex::default(),
            raised: Mutex::default(),
            thread: UNPARK.with(Arc::clone),
        });
        if let Some(outer) = &running.outer {
            let mut inner = lock(&outer.inner);
            inner.retain(|inner| inner.strong_count() > 0);
            inner.push(Arc::downgrade(&running));
            drop(inner);
            if outer.cancel.is_cancelled() {
                running.end();
            }
        }
        running
    }

    /// The call that this thread makes now, if there is one.
    pub(crate) fn innermost() -> Option<Arc<Running>> {
        INNERMOST.with_borrow(Clone::clone)
    }

    /// Makes it the one that this thread makes, until what this gives is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> Entered {
        Entered(INNERMOST.replace(Some(self.clone())))
    }

    /// Whether it is, or is part of, a call of this plugin.
    pub(crate) fn is_of(&self, plugin: usize) -> bool {
        self.plugin == plugin || self.outer.as_ref().is_some_and(|outer| outer.is_of(plugin))
    }

    /// Ends it, and what is part of it, from any thread.
    pub(crate) fn end(&self) {
        self.cancel.cancel();
        let inner: Vec<_> = lock(&self.inner).iter().filter_map(Weak::upgrade).collect();
        inner.iter().for_each(|inner| inner.end());
    }

    pub(crate) fn cancel(&self) -> &embed::Cancel {
        &self.cancel
    }

    /// Notes when it has to have ended.
    pub(crate) fn has_until(&self, deadline_ns: u64) {
        self.deadline_ns.fetch_min(deadline_ns, Relaxed);
    }

    /// How long a call that is part of this one may take.
    pub(crate) fn left(&self) -> Option<Duration> {
        let deadline_ns = self.deadline_ns.load(Relaxed);
        (deadline_ns != u64::MAX).then(|| Duration::from_nanos(deadline_ns.saturating_sub(monotonic_ns())))
    }

    /// Lets its thread do something of Python's.
    pub(crate) fn post(&self, job: Job) {
        lock(&self.jobs).push_back(job);
        self.thread.wake_by_ref();
    }

    /// Keeps a coroutine's future, to be cancelled with the call.
    pub(crate) fn waits_for(&self, task: Py<PyAny>) {
        lock(&self.tasks).push(task);
    }

    /// Keeps what a function raised: the first, from which the rest follows.
    pub(crate) fn raise(&self, error: PyErr) {
        let mut raised = lock(&self.raised);
        if !raised.is_late {
            raised.error.get_or_insert(error);
        }
    }

    /// What the program gave to this call, while it runs.
    pub(crate) fn context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.given).context.as_ref().map(|context| context.clone_ref(py))
    }

    /// The event loop that asked for it, while it runs.
    pub(crate) fn event_loop(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.given).event_loop.as_ref().map(|event_loop| event_loop.clone_ref(py))
    }

    /// Lets go of what Python gave to it, and takes what a function raised.
    pub(crate) fn ended(&self) -> Option<PyErr> {
        let given = std::mem::take(&mut *lock(&self.given));
        drop(given);
        lock(&self.raised).error.take()
    }

    /// Runs a future of this call to its end on this thread, which is not attached to Python, and does its jobs.
    pub(crate) fn drive<T>(self: &Arc<Self>, records: &Records, future: impl Future<Output = T>) -> T {
        let _entered = self.enter();
        let waker = Waker::from(self.thread.clone());
        let (mut future, mut cx) = (pin!(future), Context::from_waker(&waker));
        loop {
            let polled = future.as_mut().poll(&mut cx);
            records.tell();
            if let Poll::Ready(value) = polled {
                // Whoever waits further out may have been meant, too.
                self.thread.wake_by_ref();
                lock(&self.raised).is_late = true;
                self.end_tasks();
                return value;
            }
            loop {
                let Some(job) = lock(&self.jobs).pop_front() else { break };
                job.run(Some(self));
            }
            while !self.thread.woken.swap(false, Acquire) {
                thread::park();
            }
        }
    }

    /// Cancels coroutines that the call ended before.
    fn end_tasks(&self) {
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        if !tasks.is_empty() {
            Python::try_attach(|py| {
                for task in tasks {
                    let _ = task.call_method0(py, "cancel");
                }
            });
        }
    }
}

/// The innermost call of a thread; dropped, it is the one before again.
pub(crate) struct Entered(Option<Arc<Running>>);

impl Drop for Entered {
    fn drop(&mut self) {
        INNERMOST.set(self.0.take());
    }
}

/// Wakes a thread that waits. One thread has one, however deep calls lie in each other there: a wake-up too many does no harm.
struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Release) {
            self.thread.unpark();
        }
    }
}

/// What a call is part of, as it is handed from one thread or task of Python to another.
#[pyclass(frozen, module = "sandbar._sandbar")]
pub(crate) struct Within(pub(crate) Arc<Running>);

fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec)
        .unwrap_or(0)
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
