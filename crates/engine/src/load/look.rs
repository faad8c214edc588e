//! What tells one version of a guest's file from another, without reading it.

use std::{fs, path::Path, time::SystemTime};

/// What a file looks like from outside: its length, and when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLook(Option<(u64, SystemTime)>);

impl FileLook {
    /// Looks at a file.
    pub fn at(path: &Path) -> FileLook {
        let look = || {
            let meta = fs::metadata(path).ok()?;
            Some((meta.len(), meta.modified().ok()?))
        };
        FileLook(look())
    }

    /// Whether there is one.
    pub fn is_there(self) -> bool {
        self.0.is_some()
    }
}
