//! The watchdog: one thread that is not tokio's, which interrupts guests while calls run.
//!
//! It interrupts the threads that run guests by a signal (`interrupt.rs`), and moves the epoch of every engine on, which the
//! code of those guests looks at that are not interrupted so. A runtime's own timer would not do: a guest that never yields
//! freezes it.

use crate::interrupt;
use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, Thread},
    time::Duration,
};
use wasmtime::EngineWeak;

/// How often guests are interrupted. Deadlines are checked this often, and by a signal at most once more often.
pub const TICK: Duration = Duration::from_millis(1);
/// Ticks without a call until the thread sleeps.
const IDLE_TICKS: u32 = 200;

/// The watchdog's handle. The thread ends when the last handle is dropped.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

struct Shared {
    engines: Mutex<Vec<EngineWeak>>,
    running: AtomicUsize,
    asleep: AtomicBool,
}

/// Keeps the epoch moving while it lives.
pub(crate) struct Ticking(Arc<Shared>);

/// The same for a call that ends before the ticker does.
pub(crate) struct TickingHere<'a>(&'a Shared);

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start() -> std::io::Result<Ticker> {
        let shared =
            Arc::new(Shared { engines: Mutex::default(), running: AtomicUsize::new(0), asleep: AtomicBool::new(true) });
        let weak = Arc::downgrade(&shared);
        let thread = thread::Builder::new().name("sandbar-ticker".into()).spawn(move || tick(&weak))?;
        Ok(Ticker { shared, thread: thread.thread().clone() })
    }

    /// Moves this engine's epoch too.
    pub(crate) fn add(&self, engine: EngineWeak) {
        self.shared.engines().push(engine);
    }

    /// How many calls run.
    pub(crate) fn running(&self) -> usize {
        self.shared.running.load(SeqCst)
    }

    /// Notes that a call runs.
    pub(crate) fn enter(&self) -> Ticking {
        self.wake();
        Ticking(self.shared.clone())
    }

    /// Notes that a call runs here.
    pub(crate) fn enter_here(&self) -> TickingHere<'_> {
        self.wake();
        TickingHere(&self.shared)
    }

    fn wake(&self) {
        self.shared.running.fetch_add(1, SeqCst);
        if self.shared.asleep.load(SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.thread.unpark();
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

impl Drop for TickingHere<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

impl Shared {
    fn engines(&self) -> std::sync::MutexGuard<'_, Vec<EngineWeak>> {
        self.engines.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn tick(shared: &Weak<Shared>) {
    let mut idle = IDLE_TICKS;
    loop {
        if idle >= IDLE_TICKS {
            if sleep_until_called(shared).is_none() {
                return;
            }
            idle = 0;
        }
        thread::sleep(TICK);
        let Some(shared) = shared.upgrade() else { return };
        interrupt::tick_threads();
        shared.engines().retain(|engine| engine.upgrade().map(|engine| engine.increment_epoch()).is_some());
        idle = if shared.running.load(SeqCst) == 0 { idle + 1 } else { 0 };
    }
}

/// `None` where the last handle is gone.
fn sleep_until_called(shared: &Weak<Shared>) -> Option<()> {
    // `enter` raises `running` before it looks at `asleep`, and this looks the other way round: one of the two sees the
    // other, so no call starts while the thread goes to sleep for good.
    let awake = shared.upgrade()?;
    awake.asleep.store(true, SeqCst);
    let nothing_runs = awake.running.load(SeqCst) == 0;
    drop(awake);
    if nothing_runs {
        thread::park();
    }
    shared.upgrade()?.asleep.store(false, SeqCst);
    Some(())
}
