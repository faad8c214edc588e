//! Any bytes as a ledger: each line is a receipt or an error, at once and as it grows, before and after it is repaired.
//!
//! What stands before a line of `---` is the older of two files.

#![no_main]
#![allow(dead_code, reason = "the app's own modules, of which this uses a part")]

use ledger::{
    append,
    read::{Mode, RecordError, Records},
};
use libfuzzer_sys::fuzz_target;
use sandbar_call::Receipt;
use std::{
    env,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process,
    sync::LazyLock,
};

#[path = "../../crates/app/src/ledger"]
mod ledger {
    mod error;
    mod file;
    pub mod read;

    use error::LedgerError;
    use std::path::Path;

    /// Appends a line as the ledger does, which repairs the file when it opens it.
    pub fn append(path: &Path, line: &[u8]) {
        let mut file = file::ReceiptFile::open(path, &mut drop).expect("the file opens");
        file.append(line, u64::MAX, 1).and_then(|()| file.flush()).expect("the file is written");
    }
}

const BETWEEN: &[u8] = b"---\n";

/// A ledger of this process alone.
static LEDGER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = env::temp_dir().join(format!("sandbar-fuzz-{}", process::id()));
    fs::create_dir_all(&folder).expect("a folder for the ledger");
    folder.join("receipts")
});

fuzz_target!(|bytes: &[u8]| {
    let between = bytes.windows(BETWEEN.len()).position(|line| line == BETWEEN);
    let (older, newer) = between.map_or((None, bytes), |at| (Some(&bytes[..at]), &bytes[at + BETWEEN.len()..]));
    let rotated = LEDGER.with_file_name("receipts.1");
    let _ = fs::remove_file(&rotated);
    if let Some(older) = older {
        fs::write(&rotated, older).expect("the older file is written");
    }
    fs::write(&*LEDGER, newer).expect("the file is written");
    let receipts = read(&LEDGER);
    if older.is_none() {
        assert_eq!(follow(newer), whole_lines(newer));
        fs::write(&*LEDGER, newer).expect("the file is written");
    }

    let mut last = receipts.clone();
    let line = receipts.first().map(|receipt| [json(receipt), b"\n".to_vec()].concat()).unwrap_or_default();
    append(&LEDGER, &line);
    last.extend(receipts.first().cloned());
    assert_eq!(read(&LEDGER), last, "what was whole stays, and what comes is read");
    assert!(fs::read(&*LEDGER).expect("the file is there").last().is_none_or(|byte| *byte == b'\n'));
});

/// Reads to the end. Of what is no receipt it is told where it stands.
fn read(path: &Path) -> Vec<Receipt> {
    let mut records = Records::open(path, Mode::ToTheEnd).expect("the file is there");
    let receipts = records.by_ref().filter_map(check).collect();
    assert!(records.next().is_none(), "the end is the end");
    receipts
}

fn check(record: Result<Receipt, RecordError>) -> Option<Receipt> {
    match record {
        Ok(receipt) => {
            let again: Receipt = serde_json::from_slice(&json(&receipt)).expect("what is written is read");
            assert_eq!(again, receipt);
            Some(receipt)
        }
        Err(error @ RecordError::Line { line, .. }) => {
            assert!(line > 0 && error.to_string().contains(" is not a whole receipt: "));
            None
        }
        Err(error @ RecordError::File { .. }) => panic!("{error}"),
    }
}

/// The receipts of lines that have an end.
fn whole_lines(text: &[u8]) -> Vec<Receipt> {
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    fs::write(&*LEDGER, &text[..end]).expect("the file is written");
    read(&LEDGER)
}

/// The receipts of a file that grows by a few bytes at a time.
fn follow(text: &[u8]) -> Vec<Receipt> {
    let _ = fs::remove_file(&*LEDGER);
    let mut records = Records::open(&LEDGER, Mode::Follow).expect("the file may come later");
    let mut file = OpenOptions::new().create(true).append(true).open(&*LEDGER).expect("the file opens");
    let mut receipts = Vec::new();
    for piece in text.chunks(text.len() / 4 + 1) {
        file.write_all(piece).expect("the file is written");
        receipts.extend(records.by_ref().filter_map(check));
    }
    receipts
}

fn json(receipt: &Receipt) -> Vec<u8> {
    serde_json::to_vec(receipt).expect("a receipt is JSON")
}
