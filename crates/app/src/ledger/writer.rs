//! The writer's thread: takes receipts out of the queue, in batches.

use super::{LedgerConfig, LedgerError, Message, NAP, Shared, file::ReceiptFile};
use sandbar_call::Receipt;
use std::{
    mem,
    sync::{
        Arc,
        atomic::{Ordering, fence},
        mpsc::{Receiver, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

/// Receipts between two looks at the clock, the file and the locks.
const BATCH_MAX: usize = 1024;
/// How long without a receipt until the writer waits to be woken.
const IDLE: Duration = Duration::from_secs(1);
/// How long the same trouble is not reported again.
const QUIET: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    config: LedgerConfig,
    queue: Receiver<Message>,
    shared: Arc<Shared>,
    disk: Disk,
    line: Vec<u8>,
    dropped_queue_seen: u64,
    disk_reported: Option<Instant>,
    queue_reported: Option<Instant>,
}

/// Where the file stands.
enum Disk {
    /// There is none, by choice.
    None,
    Open(ReceiptFile),
    /// The disk refused; it is tried again at this time.
    Refused(Instant),
}

/// What lay in the queue.
#[derive(Default)]
struct Batch {
    receipts: Vec<Arc<Receipt>>,
    flushes: Vec<SyncSender<()>>,
}

impl Writer {
    pub(super) fn open(
        config: LedgerConfig,
        queue: Receiver<Message>,
        shared: Arc<Shared>,
    ) -> Result<Writer, LedgerError> {
        let disk = match &config.path {
            None => Disk::None,
            Some(path) => Disk::Open(ReceiptFile::open(path, &mut |error| (config.report)(&error))?),
        };
        Ok(Writer {
            config,
            queue,
            shared,
            disk,
            line: Vec::new(),
            dropped_queue_seen: 0,
            disk_reported: None,
            queue_reported: None,
        })
    }

    /// Runs until the ledger is closed and the queue is empty.
    pub(super) fn run(mut self) {
        let mut busy_at = Instant::now();
        loop {
            let batch = self.batch();
            let full = batch.receipts.len() == BATCH_MAX;
            if batch.receipts.is_empty() && batch.flushes.is_empty() {
                if self.shared.closing.load(Ordering::SeqCst) {
                    break;
                }
            } else {
                busy_at = Instant::now();
                self.take(batch);
            }
            self.report_dropped();
            match full {
                true => {}
                false if busy_at.elapsed() < IDLE => thread::park_timeout(NAP),
                false => self.sleep(),
            }
        }
    }

    fn batch(&self) -> Batch {
        let mut batch = Batch::default();
        for message in self.queue.try_iter() {
            match message {
                Message::Receipt(receipt) => batch.receipts.push(receipt),
                Message::Flush(answer) => batch.flushes.push(answer),
            }
            if batch.receipts.len() == BATCH_MAX || !batch.flushes.is_empty() {
                break;
            }
        }
        batch
    }

    /// Takes one batch: metrics, file, memory, then whoever waits for it.
    fn take(&mut self, mut batch: Batch) {
        self.shared.metrics.record(&batch.receipts);
        self.write(&batch.receipts);
        self.shared.taken.fetch_add(batch.receipts.len() as u64, Ordering::Relaxed);
        self.remember(mem::take(&mut batch.receipts));
        for answer in batch.flushes {
            let _ = answer.try_send(());
        }
    }

    fn remember(&self, receipts: Vec<Arc<Receipt>>) {
        let mut latest = self.shared.latest();
        latest.extend(receipts);
        let over = latest.len().saturating_sub(self.config.latest_max);
        let old: Vec<_> = latest.drain(..over).collect();
        drop(latest);
        drop(old);
    }

    fn write(&mut self, receipts: &[Arc<Receipt>]) {
        self.reopen();
        let Disk::Open(file) = &mut self.disk else {
            return self.refused(receipts.len());
        };
        let mut result = Ok(());
        for receipt in receipts {
            self.line.clear();
            let written = serde_json::to_writer(&mut self.line, receipt.as_ref());
            written.expect("a receipt has string keys and a vector takes any bytes");
            self.line.push(b'\n');
            result = file.append(&self.line, self.config.rotate_bytes, self.config.keep);
            if result.is_err() {
                break;
            }
        }
        let result = result.and_then(|()| file.flush());
        self.shared.rotations.fetch_add(mem::take(&mut file.rotations), Ordering::Relaxed);
        let written = mem::take(&mut file.written);
        if let Err(error) = result {
            self.disk = Disk::Refused(Instant::now() + self.config.retry);
            self.report_disk(error);
        }
        self.refused(receipts.len().saturating_sub(written));
    }

    /// Counts receipts that are not in the file although there should be one.
    fn refused(&self, receipts: usize) {
        if self.config.path.is_some() {
            self.shared.dropped_disk.fetch_add(receipts as u64, Ordering::Relaxed);
        }
    }

    /// Tries the disk again when it is time, and follows a file that was moved away.
    fn reopen(&mut self) {
        let due = match &mut self.disk {
            Disk::None => false,
            Disk::Open(file) => file.moved_away(),
            Disk::Refused(until) => Instant::now() >= *until,
        };
        let Some(path) = self.config.path.as_ref().filter(|_| due) else { return };
        self.disk = match ReceiptFile::open(path, &mut |error| (self.config.report)(&error)) {
            Ok(file) => Disk::Open(file),
            Err(error) => {
                self.report_disk(error);
                Disk::Refused(Instant::now() + self.config.retry)
            }
        };
    }

    fn report_disk(&mut self, error: LedgerError) {
        if self.disk_reported.is_none_or(|at| at.elapsed() >= QUIET) {
            self.disk_reported = Some(Instant::now());
            (self.config.report)(&error);
        }
    }

    fn report_dropped(&mut self) {
        let dropped = self.shared.dropped_queue.load(Ordering::Relaxed);
        if dropped > self.dropped_queue_seen && self.queue_reported.is_none_or(|at| at.elapsed() >= QUIET) {
            self.dropped_queue_seen = dropped;
            self.queue_reported = Some(Instant::now());
            (self.config.report)(&LedgerError::QueueFull { dropped });
        }
    }

    /// Sleeps until a receipt, a flush or the end. It ends: whoever queues something after `asleep` was set wakes it, and
    /// what was queued before is seen here.
    fn sleep(&mut self) {
        self.shared.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let batch = self.batch();
        match batch.receipts.is_empty() && batch.flushes.is_empty() {
            true if self.shared.closing.load(Ordering::SeqCst) => {}
            true => thread::park(),
            false => self.take(batch),
        }
        self.shared.asleep.store(false, Ordering::Relaxed);
    }
}
