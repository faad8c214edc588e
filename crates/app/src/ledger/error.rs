//! What goes wrong with a ledger, and how that is told.

use std::{error::Error, fmt, io, path::PathBuf};

/// What goes wrong with a ledger.
#[derive(Debug)]
pub enum LedgerError {
    /// The file can't be opened, written or rotated. Receipts are dropped until it can.
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The queue was full, so receipts were dropped.
    QueueFull {
        /// How many so far.
        dropped: u64,
    },
    /// The last line of the file was torn and was cut off; a crash can do that.
    Torn {
        /// The file.
        path: PathBuf,
        /// How many bytes were cut.
        cut_bytes: u64,
    },
    /// The writer's thread could not be started.
    Thread(io::Error),
    /// The ledger did not come to an end in time; receipts may be lost.
    Slow,
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LedgerError::File { doing, path, .. } => write!(f, "can't {doing} the receipts file `{}`", path.display()),
            LedgerError::QueueFull { dropped } => {
                write!(f, "receipts come faster than they are written; {dropped} were dropped so far")
            }
            LedgerError::Torn { path, cut_bytes } => {
                write!(f, "the last line of `{}` was torn; {cut_bytes} bytes were cut off", path.display())
            }
            LedgerError::Thread(_) => f.write_str("can't start the ledger's thread"),
            LedgerError::Slow => f.write_str("the ledger did not write everything in time"),
        }
    }
}

impl Error for LedgerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            LedgerError::File { error, .. } | LedgerError::Thread(error) => Some(error),
            LedgerError::QueueFull { .. } | LedgerError::Torn { .. } | LedgerError::Slow => None,
        }
    }
}
