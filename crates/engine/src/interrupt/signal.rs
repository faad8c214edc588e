//! Linux on x86-64: a signal to a thread, and where it takes effect.
//!
//! **In the guest's code.** The handler has the thread call the host there (`frame.rs`).
//!
//! **In the host, called by the guest.** A guest may have the host do all that takes long, by `memory.fill` for one, and would
//! hardly ever be found in its own code. So the host is made to return to a stub, which does the same as above and goes
//! on where the guest made its call. Wasmtime notes the frame of the last exit from the guest and the address that it returns
//! to, for its backtraces. Where the stack still has that address, it is replaced by the address of a stub of its own, and kept
//! until that is returned to. All ways from the guest to the host note the exit first, so in the host it is the one that goes
//! on, or it is over and nobody returns to what is replaced. On the way, where it may not be noted yet, nothing is done.
//!
//! **In a function of the host program** no signal comes, which would interrupt what that has the system do. It is made up for
//! when the function returns.
//!
//! **Elsewhere** it does nothing, and comes again a tick later.

#![allow(unsafe_code, reason = "a signal and its handler; see above")]

mod forked;
mod frame;

use super::Interrupt;
use frame::{call_host_now, call_host_on_return, moves_frame};
use std::{
    cell::Cell,
    env,
    ffi::{c_int, c_void},
    io,
    mem::MaybeUninit,
    ptr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
            compiler_fence,
        },
    },
    thread,
};

pub(super) use frame::host_call;

/// What is sent: a standard signal, since those are sent however many are waiting, and one that nothing else uses.
const SIGNALS: [c_int; 2] = [libc::SIGSTKFLT, libc::SIGPWR];

/// A thread that runs guests.
struct Thread {
    id: libc::pthread_t,
    /// Which call it polls, by number; zero for none.
    polls: AtomicU64,
    /// What it polled at the last tick.
    polled: AtomicU64,
    /// Whether a signal is on its way.
    signalled: AtomicBool,
    /// Whether it is in a function of the host program.
    outside: AtomicBool,
    /// Whether a tick was over meanwhile.
    missed: AtomicBool,
}

/// How often a thread that leaves for the host program lets others run, until a signal that is on its way has come. One that was
/// just sent is there at the first; a program may keep it from ever coming.
const WAITS_MAX: u32 = 10_000;

/// Takes a thread from the list when it ends.
struct Registered {
    thread: Arc<Thread>,
    polls: Cell<u64>,
}

static THREADS: Mutex<Vec<Arc<Thread>>> = Mutex::new(Vec::new());
static SIGNAL: OnceLock<c_int> = OnceLock::new();
/// Whether threads keep the signal blocked.
static BLOCKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The sandbox that this thread polls. The handler reads it: it takes no memory and is never torn down.
    static RUNS: Cell<*const Interrupt> = const { Cell::new(ptr::null()) };
    /// This thread, for the handler, while it is in the list.
    static THREAD: Cell<*const Thread> = const { Cell::new(ptr::null()) };
    static REGISTERED: Registered = Registered::new();
}

/// While it lives, its thread can be interrupted where it is in code of the guest.
pub(crate) struct Running {
    before: *const Interrupt,
    polled_before: u64,
    /// Where a function of the host program calls a guest.
    was_outside: bool,
}

/// While it lives, its thread gets no signal.
pub(crate) struct Outside {
    /// Whether it got none before either: a function of the host program logs something, say.
    was_outside: bool,
}

/// Notes that this thread goes into a function of the host program.
pub(crate) fn outside() -> Outside {
    Outside { was_outside: this_thread().is_none_or(Thread::go_outside) }
}

impl Drop for Outside {
    fn drop(&mut self) {
        if !self.was_outside
            && let Some(thread) = this_thread()
        {
            thread.come_back();
        }
    }
}

/// Notes that this thread polls a call of the sandbox.
pub(crate) fn run(interrupt: &Arc<Interrupt>) -> Running {
    let was_outside = this_thread().is_some_and(|thread| thread.outside.load(Relaxed));
    if was_outside && let Some(thread) = this_thread() {
        thread.come_back();
    }
    let before = RUNS.replace(Arc::as_ptr(interrupt));
    // A call in a call has its tick: otherwise one that makes short ones all the time would never have two in a row.
    let polls = if before.is_null() { Registered::polls_another } else { Registered::polls };
    let polled_before = REGISTERED.try_with(polls).unwrap_or_default();
    compiler_fence(SeqCst);
    Running { before, polled_before, was_outside }
}

impl Drop for Running {
    fn drop(&mut self) {
        compiler_fence(SeqCst);
        RUNS.set(self.before);
        let _ = REGISTERED.try_with(|registered| registered.thread.polls.store(self.polled_before, Relaxed));
        if self.was_outside
            && let Some(thread) = this_thread()
        {
            thread.go_outside();
        }
    }
}

impl Thread {
    /// From here on no signal comes. Whoever sends one says so before it looks where the thread is, and this is the other way
    /// round: one of the two sees the other. Tells whether the thread was outside before.
    fn go_outside(&self) -> bool {
        let was_outside = self.outside.swap(true, SeqCst);
        let mut waits = 0;
        while self.signalled.load(SeqCst) && waits < WAITS_MAX {
            thread::yield_now();
            waits += 1;
        }
        was_outside
    }

    /// From here on signals come again. Makes up for a tick that was over meanwhile.
    fn come_back(&self) {
        self.outside.store(false, SeqCst);
        if self.missed.load(Relaxed) && self.missed.swap(false, Relaxed) && !self.signalled.swap(true, SeqCst) {
            self.send();
        }
    }

    /// Sends the signal, which was said to be on its way.
    fn send(&self) {
        // SAFETY: a thread is in the list until it takes itself from it, for which it needs the lock that who sends to another
        // holds.
        let sent = SIGNAL.get().map(|&signal| unsafe { libc::pthread_kill(self.id, signal) });
        if sent != Some(0) {
            self.signalled.store(false, Relaxed);
        }
    }
}

/// This thread, where it has run guests.
fn this_thread<'a>() -> Option<&'a Thread> {
    // SAFETY: it is null, or this thread, which is in the list, and takes itself from there when it ends.
    unsafe { THREAD.get().as_ref() }
}

impl Registered {
    fn new() -> Registered {
        // Makes the stack that handlers run on: on a guest's own, one could run into what is in use.
        wasmtime::Engine::tls_eager_initialize();
        // Whoever started this thread may have blocked all signals.
        if !BLOCKED.load(Relaxed) {
            mask(libc::SIG_UNBLOCK);
        }
        // SAFETY: it only tells who calls.
        let id = unsafe { libc::pthread_self() };
        let thread = Arc::new(Thread {
            id,
            polls: AtomicU64::new(0),
            polled: AtomicU64::new(0),
            signalled: AtomicBool::new(false),
            outside: AtomicBool::new(false),
            missed: AtomicBool::new(false),
        });
        THREAD.set(Arc::as_ptr(&thread));
        threads().push(thread.clone());
        Registered { thread, polls: Cell::new(0) }
    }

    fn polls(&self) -> u64 {
        self.thread.polls.load(Relaxed)
    }

    /// Returns the one before.
    fn polls_another(&self) -> u64 {
        let next = self.polls.get() + 1;
        self.polls.set(next);
        let before = self.thread.polls.load(Relaxed);
        self.thread.polls.store(next, Relaxed);
        before
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        threads().retain(|thread| !Arc::ptr_eq(thread, &self.thread));
        THREAD.set(ptr::null());
    }
}

fn threads() -> MutexGuard<'static, Vec<Arc<Thread>>> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Interrupts the threads that have polled the same call since this was last called, and tells how many they are.
pub fn tick_threads() -> usize {
    if SIGNAL.get().is_none() {
        return 0;
    }
    let poll_on = |thread: &&Arc<Thread>| {
        let polls = thread.polls.load(Relaxed);
        thread.polled.swap(polls, Relaxed) == polls && polls != 0 && !thread.signalled.swap(true, SeqCst)
    };
    let interrupt = |thread: &Arc<Thread>| {
        if thread.outside.load(SeqCst) {
            thread.missed.store(true, Relaxed);
            thread.signalled.store(false, SeqCst);
        } else {
            thread.send();
        }
    };
    threads().iter().filter(poll_on).map(interrupt).count()
}

/// Interrupts no guest on this thread, nor on those that it starts, once the first guest is bound.
pub fn block_ticks() {
    BLOCKED.store(true, Relaxed);
    mask(libc::SIG_BLOCK);
}

/// Blocks the signal on this thread, or unblocks it.
fn mask(how: c_int) {
    let Some(&signal) = SIGNAL.get() else { return };
    let mut signals = MaybeUninit::uninit();
    // SAFETY: the first call makes an empty set of it, which the others add to and read.
    unsafe {
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigaddset(signals.as_mut_ptr(), signal);
        libc::pthread_sigmask(how, signals.as_ptr(), ptr::null_mut());
    }
}

/// Has the handler called for a signal that nothing else in this process has a handler for.
pub(crate) fn install() -> io::Result<()> {
    if is_checked() {
        return Err(io::Error::other("expected no memcheck of Valgrind's"));
    }
    forked::watch()?;
    let _one_at_a_time = threads();
    if SIGNAL.get().is_some() {
        return Ok(());
    }
    let signal = SIGNALS.into_iter().find(|&signal| is_free(signal));
    let signal = signal.ok_or_else(|| io::Error::other("expected SIGSTKFLT or SIGPWR without a handler"))?;
    // SAFETY: the fields that are not set are zero, which is what they mean nothing by.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = on_signal as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the handler has the signature that `SA_SIGINFO` asks for, and calls nothing that a handler may not.
    if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let _ = SIGNAL.set(signal);
    Ok(())
}

/// Whether Valgrind looks at each access to memory: it takes what is written below a stack pointer for a mistake, and there is
/// where a guest's registers go.
fn is_checked() -> bool {
    env::var_os("LD_PRELOAD").is_some_and(|loaded| loaded.to_string_lossy().contains("vgpreload_memcheck"))
}

fn is_free(signal: c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: it writes the action that is in force, and sets none.
    unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_DFL
    }
}

/// What interrupts the sandbox that this thread polls: for its handler, and for what returns to the guest.
fn running<'a>() -> Option<&'a Interrupt> {
    // SAFETY: it is null, or of the sandbox that this thread polls, which the poll holds; and nothing else runs on the thread
    // meanwhile.
    unsafe { RUNS.get().as_ref() }
}

extern "C" fn on_signal(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    if let Some(thread) = this_thread() {
        thread.signalled.store(false, SeqCst);
    }
    let Some(interrupt) = running() else { return };
    let Some(call) = interrupt.call() else { return };
    // SAFETY: with `SA_SIGINFO` it is what the kernel saved of this thread, and what it will restore.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let [address, stack_pointer] = [libc::REG_RIP, libc::REG_RSP]
        .map(|register| context.uc_mcontext.gregs.get(register as usize).map_or(0, |value| *value as usize));
    if interrupt.code.has(address) {
        if !moves_frame(interrupt, address) {
            call_host_now(call, context);
        }
    } else if !interrupt.code.is_near(address) {
        call_host_on_return(interrupt, call, stack_pointer);
    }
}
