//! Notices that the files of an app changed, by looking at them: that works on every file system, also on those that tell
//! nobody, and an app has few files.

use crate::manifest::{MANIFEST_FILE, Manifest};
use sandbar_engine::FileLook;
use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// How often it looks.
pub const LOOK: Duration = Duration::from_millis(250);

/// The files of an app as they were last seen.
pub struct Watch {
    manifest: PathBuf,
    seen: Vec<(PathBuf, FileLook)>,
}

impl Watch {
    /// Watches the manifest at `path`, or in that folder, and the guests that it names.
    pub fn new(path: &Path, manifest: &Manifest) -> Watch {
        let path = if path.is_dir() { path.join(MANIFEST_FILE) } else { path.to_path_buf() };
        let mut watch = Watch { manifest: path, seen: Vec::new() };
        watch.follow(manifest);
        watch
    }

    /// Watches the files of a new version.
    pub fn follow(&mut self, manifest: &Manifest) {
        let guests = manifest.guests.iter().map(|guest| guest.path.clone());
        let paths = std::iter::once(self.manifest.clone()).chain(guests);
        self.seen = paths.map(|path| (path.clone(), FileLook::at(&path))).collect();
    }

    /// Whether a file is not as it was seen last. A file that is still being written is given time: it counts as changed once
    /// two looks find the same.
    pub fn has_changed(&mut self) -> bool {
        let now: Vec<_> = self.seen.iter().map(|(path, _)| (path.clone(), FileLook::at(path))).collect();
        if now == self.seen {
            return false;
        }
        thread::sleep(LOOK);
        let settled = now.iter().all(|(path, seen)| FileLook::at(path) == *seen);
        if settled {
            self.seen = now;
        }
        settled
    }
}
