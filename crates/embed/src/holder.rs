//! The one sandbox of a plugin that is held: who calls takes it, and whoever comes meanwhile waits.

use sandbar_call::{Outcome, Refusal};
use sandbar_engine::Held;
use std::{
    cell::RefCell,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// Holds a sandbox.
pub(crate) struct Holder {
    slot: Mutex<Slot>,
    /// Tells one that waits that the sandbox is back.
    back: Notify,
}

struct Slot {
    /// Whether somebody has it.
    is_taken: bool,
    /// `None` where it is taken, or the last call ended it.
    held: Option<Box<Held>>,
    /// How many wait for it.
    waiting: usize,
}

/// The sandbox, taken; dropped, it is back. Without one it is gone, and whoever has taken it may make another.
pub(crate) struct Taken<'a> {
    holder: &'a Holder,
    pub(crate) held: Option<Box<Held>>,
}

thread_local! {
    /// Holders whose sandbox runs on this thread, the innermost last.
    static RUNNING: RefCell<Vec<*const Holder>> = const { RefCell::new(Vec::new()) };
}

impl Holder {
    pub(crate) fn new(held: Held) -> Holder {
        let slot = Slot { is_taken: false, held: Some(Box::new(held)), waiting: 0 };
        Holder { slot: Mutex::new(slot), back: Notify::new() }
    }

    /// Takes the sandbox if it is there.
    pub(crate) fn try_take(&self) -> Option<Taken<'_>> {
        let mut slot = self.slot();
        if slot.is_taken {
            return None;
        }
        slot.is_taken = true;
        Some(Taken { holder: self, held: slot.held.take() })
    }

    /// Takes the sandbox, and waits so long for it.
    pub(crate) async fn take(&self, wait: Duration) -> Result<Taken<'_>, Outcome> {
        if let Some(taken) = self.try_take() {
            return Ok(taken);
        }
        if self.runs_here() {
            return Err(Outcome::Refused {
                why: Refusal::Event { message: "the plugin is in a call that this call is part of".into() },
            });
        }
        let taking = async {
            let _waiting = Waiting::join(self);
            loop {
                // It may have come back before this one was counted.
                if let Some(taken) = self.try_take() {
                    return taken;
                }
                self.back.notified().await;
            }
        };
        let busy = |_| Outcome::Refused { why: Refusal::Busy { retry_after_s: 1 } };
        tokio::time::timeout(wait, taking).await.map_err(busy)
    }

    /// Whether its guest waits further out on this thread for what happens here.
    fn runs_here(&self) -> bool {
        RUNNING.with_borrow(|running| running.contains(&std::ptr::from_ref(self)))
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Taken<'a> {
    /// Notes that the guest runs on this thread, until what this gives is dropped.
    pub(crate) fn running(holder: &Holder) -> Running {
        RUNNING.with_borrow_mut(|running| running.push(holder));
        Running
    }

    /// Whose sandbox it is.
    pub(crate) fn holder(&self) -> &'a Holder {
        self.holder
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let held = self.held.take().filter(|held| held.is_fit());
        let mut slot = self.holder.slot();
        (slot.is_taken, slot.held) = (false, held);
        let somebody_waits = slot.waiting > 0;
        drop(slot);
        if somebody_waits {
            self.holder.back.notify_one();
        }
    }
}

/// Counts one that waits.
struct Waiting<'a>(&'a Holder);

impl<'a> Waiting<'a> {
    fn join(holder: &'a Holder) -> Waiting<'a> {
        holder.slot().waiting += 1;
        Waiting(holder)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.slot().waiting -= 1;
    }
}

/// A guest runs on this thread.
pub(crate) struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(Vec::pop);
    }
}
