//! The file of receipts, followed from one rotated file into the next.

use serde_json::Value;
use std::{
    fs::File,
    io::Read,
    iter::once,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// How many rotated files there are at most.
const KEEP: usize = 4;

/// Receipts, in the order in which they were written.
pub(crate) struct Receipts {
    path: PathBuf,
    /// The file that was read last. It stays the same one when it is renamed.
    file: Option<File>,
    /// What comes before the end of a line.
    torn: String,
}

impl Receipts {
    pub(crate) fn follow(folder: &Path) -> Receipts {
        Receipts { path: folder.join("receipts.jsonl"), file: None, torn: String::new() }
    }

    /// Those that were written since the last time.
    pub(crate) fn read(&mut self) -> Vec<Value> {
        for mut file in self.newer() {
            if let Some(last) = &mut self.file {
                last.read_to_string(&mut self.torn).unwrap();
            }
            file.read_to_string(&mut self.torn).unwrap();
            self.file = Some(file);
        }
        if let Some(file) = &mut self.file {
            file.read_to_string(&mut self.torn).unwrap();
        }
        let whole = self.torn.rfind('\n').map_or(0, |end| end + 1);
        let lines: String = self.torn.drain(..whole).collect();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Files that were begun since the last time, the oldest first.
    fn newer(&self) -> Vec<File> {
        let inode = |file: &File| file.metadata().unwrap().ino();
        let rotated = (1..=KEEP).map(|n| format!("{}.{n}", self.path.display()).into());
        let mut newer: Vec<File> = Vec::new();
        // From the newest on: one that is renamed meanwhile is seen twice, and none is missed.
        for file in once(self.path.clone()).chain(rotated).filter_map(|path| File::open(path).ok()) {
            if self.file.as_ref().is_some_and(|last| inode(last) == inode(&file)) {
                newer.reverse();
                return newer;
            }
            if newer.last().is_none_or(|last| inode(last) != inode(&file)) {
                newer.push(file);
            }
        }
        assert!(self.file.is_none(), "the file that was read last is rotated away");
        newer.reverse();
        newer
    }
}
