//! Reading a ledger's files, for `sandbar receipts`: from the oldest rotated file to the newest line, and on as it grows.
//!
//! [`Records`] is an iterator that does not end for good: after `None`, a later `next` looks for what came since, through
//! rotations. So following is the same loop with a pause in it, and the pause is the caller's.

use super::file::{identity, rotated};
use sandbar_call::{OutcomeKind, RECEIPT_VERSION, Receipt};
use std::{
    error::Error,
    fmt,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// How long a line may be; a longer one is reported and skipped.
pub const LINE_BYTES_MAX: u64 = 1 << 20;

/// What a reader wants of a last line that has no line break yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Reads to the end: such a line is taken if it is whole, else reported.
    ToTheEnd,
    /// Follows a ledger that is being written: such a line is waited for.
    Follow,
}

/// Which receipts are wanted. The default wants all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this guest.
    pub guest: Option<String>,
    /// With one of these outcomes, where there is one.
    pub outcomes: Vec<OutcomeKind>,
    /// Of this kind of trigger.
    pub trigger: Option<String>,
    /// Of calls that started at this time or later, in milliseconds since 1970-01-01 UTC.
    pub since_ms: Option<u64>,
}

/// A line that is not a receipt, or a file that can't be read.
#[derive(Debug)]
pub enum RecordError {
    /// A line that is torn, or not of this format.
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// A file that can't be read.
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// The receipts of a ledger's files, oldest first.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    mode: Mode,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    reader: BufReader<File>,
    /// Bytes read so far.
    offset: u64,
    line: u64,
    /// A line without its line break, so far.
    partial: Vec<u8>,
    /// Whether the line is too long, so that its rest is skipped.
    skipping: bool,
}

impl Filter {
    /// Whether a receipt is wanted.
    pub fn wants(&self, receipt: &Receipt) -> bool {
        self.guest.as_deref().is_none_or(|guest| guest == &*receipt.guest)
            && (self.outcomes.is_empty() || self.outcomes.contains(&receipt.outcome.kind()))
            && self.trigger.as_deref().is_none_or(|trigger| trigger == &*receipt.origin.trigger)
            && self.since_ms.is_none_or(|since_ms| receipt.at_ms >= since_ms)
    }
}

impl Records {
    /// Starts at the oldest file of the ledger at `path`.
    ///
    /// # Errors
    /// There is no file, or it can't be opened. One that is followed may come later.
    pub fn open(path: &Path, mode: Mode) -> Result<Records, RecordError> {
        let mut records = Records { path: path.to_path_buf(), mode, open: None };
        match records.oldest() {
            Ok(open) => records.open = Some(open),
            Err(RecordError::File { error, .. }) if mode == Mode::Follow && error.kind() == io::ErrorKind::NotFound => {
            }
            Err(error) => return Err(error),
        }
        Ok(records)
    }

    fn oldest(&self) -> Result<Open, RecordError> {
        let mut path = self.path.clone();
        for n in 1.. {
            let older = rotated(&self.path, n);
            if !older.exists() {
                break;
            }
            path = older;
        }
        Open::new(path)
    }

    /// Opens the file that is newer than the open one, if there is one by now.
    fn newer(&self) -> Option<Result<Open, RecordError>> {
        let Some(open) = &self.open else { return self.path.exists().then(|| self.oldest()) };
        let ours = open.reader.get_ref().metadata().ok().map(|metadata| identity(&metadata));
        let is_ours = |path: &Path| fs::metadata(path).ok().map(|metadata| identity(&metadata)) == ours;
        if is_ours(&self.path) || !self.path.exists() {
            return None;
        }
        // The next newer one has the number below ours. If ours is gone, so may others be: go on with the oldest.
        let mut older = (1..).map(|n| rotated(&self.path, n)).take_while(|path| path.exists());
        Some(match older.position(|path| is_ours(&path)) {
            Some(0) => Open::new(self.path.clone()),
            Some(place) => Open::new(rotated(&self.path, place as u64)),
            None => self.oldest(),
        })
    }
}

impl Iterator for Records {
    type Item = Result<Receipt, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.open.as_mut().and_then(Open::next) {
                return Some(item);
            }
            match (self.newer(), self.mode) {
                (None, Mode::Follow) => return None,
                (None, Mode::ToTheEnd) => return self.open.as_mut().and_then(Open::rest),
                (Some(Err(error)), _) => return Some(Err(error)),
                (Some(Ok(newer)), _) => {
                    // A line may have come between the end of the file and its rotation.
                    if let Some(item) = self.open.as_mut().and_then(|open| open.next().or_else(|| open.rest())) {
                        return Some(item);
                    }
                    self.open = Some(newer);
                }
            }
        }
    }
}

impl Open {
    fn new(path: PathBuf) -> Result<Open, RecordError> {
        match File::open(&path) {
            Ok(file) => {
                let reader = BufReader::with_capacity(64 << 10, file);
                Ok(Open { path, reader, offset: 0, line: 0, partial: Vec::new(), skipping: false })
            }
            Err(error) => Err(RecordError::File { path, error }),
        }
    }

    /// Reads the next whole line.
    fn next(&mut self) -> Option<Result<Receipt, RecordError>> {
        loop {
            if let Err(error) = self.read_on() {
                return Some(Err(RecordError::File { path: self.path.clone(), error }));
            }
            let ended = self.partial.last() == Some(&b'\n');
            if !ended && (self.partial.len() as u64) < LINE_BYTES_MAX {
                return None;
            }
            let line = std::mem::take(&mut self.partial);
            match (std::mem::replace(&mut self.skipping, !ended), ended) {
                (true, _) => {}
                (false, true) => return Some(self.parse(&line)),
                (false, false) => {
                    self.line += 1;
                    return Some(Err(self.wrong(format!("the line is longer than {LINE_BYTES_MAX} bytes"))));
                }
            }
        }
    }

    /// Reads up to the next line break, the bound of a line, or the end of the file.
    fn read_on(&mut self) -> io::Result<()> {
        if !self.partial.is_empty() {
            let end = self.reader.get_ref().metadata()?.len();
            if end < self.offset {
                // The ledger cut a torn line off: forget what was read of it.
                self.offset = self.reader.seek(SeekFrom::Start(end))?;
                self.partial.clear();
            }
        }
        let room = LINE_BYTES_MAX.saturating_sub(self.partial.len() as u64);
        self.offset += Read::by_ref(&mut self.reader).take(room).read_until(b'\n', &mut self.partial)? as u64;
        Ok(())
    }

    /// Takes what is left without a line break, where nothing more will come.
    fn rest(&mut self) -> Option<Result<Receipt, RecordError>> {
        let line = std::mem::take(&mut self.partial);
        (!line.is_empty() && !self.skipping).then(|| self.parse(&line))
    }

    fn parse(&mut self, line: &[u8]) -> Result<Receipt, RecordError> {
        self.line += 1;
        let receipt: Receipt = serde_json::from_slice(line).map_err(|error| self.wrong(error.to_string()))?;
        match receipt.version > RECEIPT_VERSION {
            true => {
                Err(self.wrong(format!("its version is {}, this sandbar reads {RECEIPT_VERSION}", receipt.version)))
            }
            false => Ok(receipt),
        }
    }

    fn wrong(&self, message: String) -> RecordError {
        RecordError::Line { path: self.path.clone(), line: self.line, message }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Line { path, line, message } => {
                write!(f, "{}:{line} is not a whole receipt: {message}", path.display())
            }
            RecordError::File { path, .. } => write!(f, "can't read the receipts file `{}`", path.display()),
        }
    }
}

impl Error for RecordError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            RecordError::Line { .. } => None,
            RecordError::File { error, .. } => Some(error),
        }
    }
}
