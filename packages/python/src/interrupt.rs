//! Ctrl-C during a call of the main thread.
//!
//! Python's handler of a signal only notes that it came; what the program does about it runs on the main thread, once that is
//! in Python's code again. A guest is not, and may stay away for as long as its limits allow. So a handler lies in front of
//! Python's: it calls that one, and wakes a thread which ends the calls that the main thread makes. The main thread is back
//! in Python's code then, and does what it does about the signal: raises `KeyboardInterrupt`, usually.
//!
//! Asking on a clock would cost every call something, and a thread of its own for every call ten times what it takes. This
//! costs one look at who handles the signal. A program that brings a handler of its own in C is left alone, and its guests run
//! to their limits.
#![allow(unsafe_code, reason = "signals are handled by the system's own calls")]

use crate::call::{Running, lock};
use pyo3::prelude::*;
use std::{
    cell::Cell,
    fs::File,
    io::Read,
    mem::MaybeUninit,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// Signals that came so far.
static SIGNALS: AtomicU64 = AtomicU64::new(0);
/// Python's own handler, zero where nobody knows it.
static PYTHONS: AtomicUsize = AtomicUsize::new(0);
/// Where a signal wakes the watching thread, or less than zero.
static BELL: AtomicI32 = AtomicI32::new(-1);
/// What this process watches; a process that was forked starts anew.
static WATCH: AtomicPtr<Watch> = AtomicPtr::new(ptr::null_mut());

/// The calls that the main thread makes.
#[derive(Default)]
struct Watch {
    calls: Mutex<Vec<Watched>>,
}

struct Watched {
    call: Arc<Running>,
    /// Signals before it.
    after: u64,
}

/// A call is watched while this lives.
pub(crate) struct Watching(&'static Watch);

thread_local! {
    /// Whether this is Python's main thread, where that is known.
    static IS_MAIN: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Looks who handles Ctrl-C. It is Python itself if the program handles it in Python.
pub(crate) fn begin(py: Python<'_>) -> PyResult<()> {
    let Some(action) = action().filter(|action| ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction)) else {
        return Ok(());
    };
    let handler = py.import("signal")?.call_method1("getsignal", (libc::SIGINT,))?;
    if handler.is_callable() && action.sa_flags & libc::SA_SIGINFO == 0 {
        PYTHONS.store(action.sa_sigaction, SeqCst);
    }
    Ok(())
}

/// Starts anew in a process that was forked, on the thread that is its main one.
pub(crate) fn forked() {
    IS_MAIN.set(Some(true));
    WATCH.store(ptr::null_mut(), SeqCst);
    BELL.store(-1, SeqCst);
}

/// Watches a call that this thread is about to make, if it is the main one.
///
/// # Errors
/// A signal came just before, and what is done about it raised something.
pub(crate) fn watch(py: Python<'_>, call: &Arc<Running>) -> PyResult<Option<Watching>> {
    if !is_main(py)? {
        return Ok(None);
    }
    if PYTHONS.load(SeqCst) == 0 {
        // The program may have begun to handle it meanwhile.
        begin(py)?;
    }
    let Some(watch) = installed() else { return Ok(None) };
    lock(&watch.calls).push(Watched { call: call.clone(), after: SIGNALS.load(SeqCst) });
    let watching = Watching(watch);
    py.check_signals()?;
    Ok(Some(watching))
}

/// Whether this thread is Python's main one.
pub(crate) fn is_main(py: Python<'_>) -> PyResult<bool> {
    if let Some(is) = IS_MAIN.get() {
        return Ok(is);
    }
    let threading = py.import("threading")?;
    let is = threading.call_method0("current_thread")?.is(&threading.call_method0("main_thread")?);
    IS_MAIN.set(Some(is));
    Ok(is)
}

/// Puts the handler in front of Python's, unless it is there or somebody else's is.
fn installed() -> Option<&'static Watch> {
    let pythons = PYTHONS.load(SeqCst);
    if pythons == 0 {
        return None;
    }
    let watch = match WATCH.load(SeqCst) {
        // SAFETY: it was leaked below.
        at if !at.is_null() => unsafe { &*at },
        _ => start()?,
    };
    let mut action = action()?;
    if action.sa_sigaction == pythons && action.sa_flags & libc::SA_SIGINFO == 0 {
        action.sa_sigaction = handle as *const () as usize;
        // SAFETY: the handler does only what a handler may, and stays: this library is never unloaded.
        let _ = unsafe { libc::sigaction(libc::SIGINT, &raw const action, ptr::null_mut()) };
    }
    Some(watch)
}

fn start() -> Option<&'static Watch> {
    // SAFETY: the descriptor is owned from here on.
    let bell = unsafe { OwnedFd::from_raw_fd(owned(libc::eventfd(0, libc::EFD_CLOEXEC))?) };
    let watch: &'static Watch = Box::leak(Box::default());
    let rung = bell.try_clone().ok()?;
    // It lives for as long as the process, and waits.
    thread::Builder::new().name("sandbar-ctrl-c".into()).spawn(move || watch.run(rung.into())).ok()?;
    BELL.store(bell.as_raw_fd(), SeqCst);
    std::mem::forget(bell);
    WATCH.store(ptr::from_ref(watch).cast_mut(), SeqCst);
    Some(watch)
}

fn owned(descriptor: i32) -> Option<i32> {
    (descriptor >= 0).then_some(descriptor)
}

fn action() -> Option<libc::sigaction> {
    let mut action = MaybeUninit::uninit();
    // SAFETY: it is filled where the call succeeds, and nothing is changed.
    unsafe {
        let looked = libc::sigaction(libc::SIGINT, ptr::null(), action.as_mut_ptr());
        (looked == 0).then(|| action.assume_init())
    }
}

/// Handles the signal: as Python does, and then wakes who watches.
extern "C" fn handle(signal: i32) {
    let pythons = PYTHONS.load(SeqCst);
    if pythons != 0 {
        // SAFETY: it was the handler of this signal before, of just this form.
        let pythons: extern "C" fn(i32) = unsafe { std::mem::transmute(pythons) };
        pythons(signal);
    }
    SIGNALS.fetch_add(1, SeqCst);
    let bell = BELL.load(SeqCst);
    if bell >= 0 {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: writing is what a handler may do, and `errno` is as it was.
        unsafe {
            let errno = *libc::__errno_location();
            let _ = libc::write(bell, one.as_ptr().cast(), one.len());
            *libc::__errno_location() = errno;
        }
    }
}

impl Watch {
    fn run(&self, mut rung: File) {
        let mut count = [0; 8];
        while rung.read_exact(&mut count).is_ok() {
            let signals = SIGNALS.load(SeqCst);
            for watched in lock(&self.calls).iter().filter(|watched| watched.after < signals) {
                watched.call.end();
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        lock(&self.0.calls).pop();
    }
}
