//! What becomes of the list of threads in a process that is forked: the fork has one of them.
//!
//! Another thread may hold the list's lock just then, and would hold it in the fork for ever. So who forks takes the lock before,
//! and both processes give it back after. Where somebody forks behind the C library's back, nobody is asked.

#![allow(unsafe_code, reason = "handlers that the C library calls; see `watch`")]

use super::{Thread, this_thread, threads};
use std::{
    cell::RefCell,
    io, ptr,
    sync::{Arc, MutexGuard, OnceLock, atomic::Ordering::SeqCst},
};

thread_local! {
    /// The lock, while this thread forks.
    static HELD: RefCell<Option<MutexGuard<'static, Vec<Arc<Thread>>>>> = const { RefCell::new(None) };
}

/// Has forks asked about, from now on.
///
/// # Errors
/// The C library has no memory for the handlers.
pub(super) fn watch() -> io::Result<()> {
    static WATCHED: OnceLock<i32> = OnceLock::new();
    // SAFETY: the handlers may run at any time and on any thread, and are there as long as this library is, with which the C
    // library forgets them.
    match WATCHED.get_or_init(|| unsafe { libc::pthread_atfork(Some(before), Some(after), Some(in_fork)) }) {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(*error)),
    }
}

extern "C" fn before() {
    let _ = HELD.try_with(|held| *held.borrow_mut() = Some(threads()));
}

extern "C" fn after() {
    let _ = HELD.try_with(|held| held.borrow_mut().take());
}

extern "C" fn in_fork() {
    let this = this_thread().map_or(ptr::null(), ptr::from_ref);
    let _ = HELD.try_with(|held| {
        let mut held = held.borrow_mut();
        if let Some(threads) = held.as_mut() {
            // What was sent before went to the other process.
            threads.retain(|thread| Arc::as_ptr(thread) == this);
            threads.iter().for_each(|thread| thread.signalled.store(false, SeqCst));
        }
        held.take();
    });
}
