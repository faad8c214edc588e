//! The ledger: every receipt, written down without making a call wait.
//!
//! A call hands its receipt to a bounded queue and goes on; one thread takes them out, feeds the metrics, keeps the latest
//! in memory and appends JSON lines to a file. What does not fit the queue is dropped and counted, and so is what the disk
//! refuses: a full disk costs receipts, never calls. A ledger that must not lose any (billing) has to look at the counts,
//! which are in the metrics too.
//!
//! A batch is handed to the system when it is taken, not synced to the disk: `kill -9` loses at most what was queued, a power
//! cut what the system had not written yet.
//!
//! Waking a thread costs more than queueing a receipt, so the writer wakes by itself while calls come in, every
//! [`NAP`], and waits to be woken only after a second without one.

mod error;
mod file;
pub mod read;
pub mod schema;
mod writer;

use crate::metrics::Metrics;
use sandbar_call::{Receipt, Settle};
use std::{
    collections::VecDeque,
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
        mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};
use writer::Writer;

pub use error::LedgerError;

/// How long the writer naps between two batches while calls come in.
pub const NAP: Duration = Duration::from_millis(10);

/// The largest queue; its places are allocated at once.
pub const QUEUE_MAX: usize = 1 << 20;

/// How a ledger keeps receipts.
#[derive(Clone)]
pub struct LedgerConfig {
    /// The file to append to; `None` keeps receipts in memory only.
    pub path: Option<PathBuf>,
    /// The size at which the file is rotated.
    pub rotate_bytes: u64,
    /// How many rotated files are kept.
    pub keep: u64,
    /// How many receipts are kept in memory.
    pub latest_max: usize,
    /// How many receipts may wait to be written, from one to [`QUEUE_MAX`].
    pub queue_max: usize,
    /// How long to leave a disk alone that refused a write.
    pub retry: Duration,
    /// Is told what goes wrong, on the writer's thread; the same trouble at most once a minute.
    pub report: Report,
}

/// Is told what goes wrong.
pub type Report = Arc<dyn Fn(&LedgerError) + Send + Sync>;

/// Counts of a ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerCounts {
    /// Receipts that were taken: in memory, and in the file where there is one.
    pub taken: u64,
    /// Receipts that were dropped because the queue was full or the ledger was closed.
    pub dropped_queue: u64,
    /// Receipts that are in memory and not in the file, because the disk refused them.
    pub dropped_disk: u64,
    /// How often the file was rotated.
    pub rotations: u64,
}

/// Takes receipts. Shared by all triggers.
pub struct Ledger {
    queue: SyncSender<Message>,
    shared: Arc<Shared>,
    writer: Thread,
    /// Says when the writer has ended.
    ended: Mutex<Receiver<()>>,
}

/// What calls, readers and the writer share.
pub(crate) struct Shared {
    /// Whether the writer has to be woken.
    asleep: AtomicBool,
    closing: AtomicBool,
    taken: AtomicU64,
    dropped_queue: AtomicU64,
    dropped_disk: AtomicU64,
    rotations: AtomicU64,
    latest: Mutex<VecDeque<Arc<Receipt>>>,
    metrics: Arc<Metrics>,
}

enum Message {
    Receipt(Arc<Receipt>),
    /// Answers once everything before it is written.
    Flush(SyncSender<()>),
}

impl Default for LedgerConfig {
    /// Memory only.
    fn default() -> LedgerConfig {
        LedgerConfig {
            path: None,
            rotate_bytes: 16 << 20,
            keep: 4,
            latest_max: 1000,
            queue_max: 8192,
            retry: Duration::from_secs(1),
            report: Arc::new(|_| {}),
        }
    }
}

impl LedgerConfig {
    /// Takes what a manifest says.
    pub fn of(receipts: &crate::manifest::Receipts, report: Report) -> LedgerConfig {
        LedgerConfig {
            path: receipts.path.clone(),
            rotate_bytes: receipts.rotate_bytes,
            keep: receipts.keep,
            latest_max: usize::try_from(receipts.latest_max).unwrap_or(usize::MAX),
            queue_max: usize::try_from(receipts.queue_max).unwrap_or(usize::MAX),
            retry: Duration::from_secs(1),
            report,
        }
    }
}

impl Ledger {
    /// Opens the file, where there is one, and starts the writer.
    ///
    /// # Errors
    /// The file can't be opened, or the thread can't be started.
    pub fn open(config: LedgerConfig, metrics: Arc<Metrics>) -> Result<Arc<Ledger>, LedgerError> {
        let (queue, receipts) = sync_channel(config.queue_max.clamp(1, QUEUE_MAX));
        let (end, ended) = channel();
        let shared = Arc::new(Shared::new(metrics));
        let writer = Writer::open(config, receipts, shared.clone())?;
        let thread = thread::Builder::new().name("sandbar-ledger".into()).spawn(move || {
            writer.run();
            let _ = end.send(());
        });
        let writer = thread.map_err(LedgerError::Thread)?.thread().clone();
        Ok(Arc::new(Ledger { queue, shared, writer, ended: Mutex::new(ended) }))
    }

    /// The latest receipts, the newest first.
    pub fn latest(&self, most: usize) -> Vec<Arc<Receipt>> {
        self.shared.latest().iter().rev().take(most).cloned().collect()
    }

    /// The counts so far.
    pub fn counts(&self) -> LedgerCounts {
        self.shared.counts()
    }

    /// Waits until every receipt settled before is taken and written. Blocks: for tests and the end of an app.
    ///
    /// # Errors
    /// It takes longer than `within`, or the ledger is closed.
    pub fn flush(&self, within: Duration) -> Result<(), LedgerError> {
        let until = Instant::now() + within;
        let (answer, answered) = sync_channel(1);
        let mut message = Message::Flush(answer);
        loop {
            message = match self.queue.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Full(message)) if Instant::now() < until => message,
                Err(_) => return Err(LedgerError::Slow),
            };
            thread::sleep(Duration::from_millis(1));
        }
        self.writer.unpark();
        answered.recv_timeout(until.saturating_duration_since(Instant::now())).map_err(|_| LedgerError::Slow)
    }

    /// Takes what is queued, writes it and ends the writer. Receipts that settle later are dropped and counted.
    ///
    /// # Errors
    /// It takes longer than `within`; the writer then goes on alone. A second close finds it ended, or waits again.
    pub fn close(&self, within: Duration) -> Result<(), LedgerError> {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.writer.unpark();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        match ended.recv_timeout(within) {
            Ok(()) => Ok(()),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => Ok(()),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Err(LedgerError::Slow),
        }
    }
}

impl Settle for Ledger {
    fn settle(&self, receipt: Receipt) {
        if self.queue.try_send(Message::Receipt(Arc::new(receipt))).is_err() {
            self.shared.dropped_queue.fetch_add(1, Ordering::Relaxed);
        }
        // The writer says that it sleeps, fences, and looks into the queue once more; here it is the other way round. So one
        // of the two sees the other, and no receipt is left lying.
        fence(Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::Relaxed) && self.shared.asleep.swap(false, Ordering::Relaxed) {
            self.writer.unpark();
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.writer.unpark();
    }
}

impl Shared {
    fn new(metrics: Arc<Metrics>) -> Shared {
        Shared {
            asleep: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            taken: AtomicU64::new(0),
            dropped_queue: AtomicU64::new(0),
            dropped_disk: AtomicU64::new(0),
            rotations: AtomicU64::new(0),
            latest: Mutex::new(VecDeque::new()),
            metrics,
        }
    }

    fn latest(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Receipt>>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self) -> LedgerCounts {
        LedgerCounts {
            taken: self.taken.load(Ordering::Relaxed),
            dropped_queue: self.dropped_queue.load(Ordering::Relaxed),
            dropped_disk: self.dropped_disk.load(Ordering::Relaxed),
            rotations: self.rotations.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for LedgerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerConfig").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
