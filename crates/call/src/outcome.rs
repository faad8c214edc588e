//! How a call ended: a closed list. Each trigger owns the one table that maps it to its protocol.

use crate::{Denial, Resource};
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// The most bytes of a message in a receipt or a log record. A guest can make one of any length.
pub const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// The guest answered, or ended with `code` zero.
    Done,
    /// The guest said no.
    Failed {
        /// Its exit code or return value, where it gave one.
        code: Option<i32>,
        /// What it said, for the log and the receipt, never for a client.
        message: String,
    },
    /// A limit was used up.
    Stopped {
        /// Which one.
        limit: Resource,
    },
    /// The guest broke: unreachable, out of bounds, a bad argument to a host function.
    Trapped {
        /// The trap and its backtrace.
        message: String,
    },
    /// The call was not let in.
    Refused {
        /// Why.
        why: Refusal,
    },
    /// Whoever asked went away, or the host is ending.
    Cancelled,
    /// The host failed. Its cause is in the log under `id`.
    Fault {
        /// Names the log record.
        id: String,
    },
}

/// Why a call was not let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum Refusal {
    /// The guest needs something that is not granted.
    Grant {
        /// What, and the line that would allow it.
        denial: Denial,
    },
    /// Every sandbox was busy and the wait for one was over.
    Busy {
        /// A good moment to try again, in seconds from now.
        retry_after_s: u32,
    },
    /// The event does not fit the guest: wrong arguments, no such export.
    Event {
        /// What was expected and what came.
        message: String,
    },
    /// The app is ending.
    Draining,
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Refusal::Grant { denial } if denial.allow.is_empty() => write!(f, "{} is not granted", denial.asked),
            Refusal::Grant { denial } => write!(f, "{} is not granted; hint: write `{}`", denial.asked, denial.allow),
            Refusal::Busy { retry_after_s } => write!(f, "every sandbox is busy; hint: try again in {retry_after_s} s"),
            Refusal::Event { message } => f.write_str(message),
            Refusal::Draining => f.write_str("the app is ending"),
        }
    }
}

/// The name of an outcome, without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum OutcomeKind {
    /// See [`Outcome::Done`].
    Done,
    /// See [`Outcome::Failed`].
    Failed,
    /// See [`Outcome::Stopped`].
    Stopped,
    /// See [`Outcome::Trapped`].
    Trapped,
    /// See [`Outcome::Refused`].
    Refused,
    /// See [`Outcome::Cancelled`].
    Cancelled,
    /// See [`Outcome::Fault`].
    Fault,
}

impl OutcomeKind {
    /// Every kind, in the order of the list.
    pub const ALL: &'static [OutcomeKind] = &[
        OutcomeKind::Done,
        OutcomeKind::Failed,
        OutcomeKind::Stopped,
        OutcomeKind::Trapped,
        OutcomeKind::Refused,
        OutcomeKind::Cancelled,
        OutcomeKind::Fault,
    ];

    /// Its name in receipts, metrics and filters.
    pub const fn key(self) -> &'static str {
        match self {
            OutcomeKind::Done => "done",
            OutcomeKind::Failed => "failed",
            OutcomeKind::Stopped => "stopped",
            OutcomeKind::Trapped => "trapped",
            OutcomeKind::Refused => "refused",
            OutcomeKind::Cancelled => "cancelled",
            OutcomeKind::Fault => "fault",
        }
    }
}

impl Outcome {
    /// Cuts a message that is longer than [`MESSAGE_BYTES_MAX`].
    #[must_use]
    pub fn bounded(mut self) -> Outcome {
        match &mut self {
            Outcome::Failed { message, .. }
            | Outcome::Trapped { message }
            | Outcome::Refused { why: Refusal::Event { message } } => {
                if message.len() > MESSAGE_BYTES_MAX {
                    message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
                    message.push('…');
                }
            }
            Outcome::Refused { why: Refusal::Grant { .. } | Refusal::Busy { .. } | Refusal::Draining }
            | Outcome::Done
            | Outcome::Stopped { .. }
            | Outcome::Cancelled
            | Outcome::Fault { .. } => {}
        }
        self
    }

    /// The name of this outcome.
    pub const fn kind(&self) -> OutcomeKind {
        match self {
            Outcome::Done => OutcomeKind::Done,
            Outcome::Failed { .. } => OutcomeKind::Failed,
            Outcome::Stopped { .. } => OutcomeKind::Stopped,
            Outcome::Trapped { .. } => OutcomeKind::Trapped,
            Outcome::Refused { .. } => OutcomeKind::Refused,
            Outcome::Cancelled => OutcomeKind::Cancelled,
            Outcome::Fault { .. } => OutcomeKind::Fault,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    /// A guest chose how long its message was, and with a long one its receipt was a line that no reader takes.
    #[test]
    fn a_message_is_bounded() {
        let failed = |message: &str| Outcome::Failed { code: None, message: message.to_owned() };
        let long = "é".repeat(MESSAGE_BYTES_MAX);
        for (message, bytes) in [("short", 5), (long.as_str(), MESSAGE_BYTES_MAX + '…'.len_utf8())] {
            let Outcome::Failed { message, .. } = failed(message).bounded() else { unreachable!() };
            assert_eq!(message.len(), bytes);
        }
    }
}
