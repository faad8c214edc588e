//! Looks at a folder again whenever something in it changes.

use super::{FolderError, PluginFolder};
use crate::Error;
use sandbar_engine::FileLook;
use std::{
    path::PathBuf,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often the folder is looked at. That works on every file system, also on those that tell nobody of changes.
const LOOK: Duration = Duration::from_millis(250);
/// How much longer than a look takes the next one is away, where the folder is large.
const REST: u32 = 10;

/// Watches a folder, until it is dropped.
pub struct FolderWatch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PluginFolder {
    /// Refreshes the folder whenever a plugin, a signature or the file of approvals changes, comes or goes, and has been the
    /// same for a quarter of a second; then tells how that went.
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn watch(
        &self,
        told: impl Fn(&PluginFolder, Result<(), FolderError>) + Send + 'static,
    ) -> Result<FolderWatch, Error> {
        let (stop, stopped) = channel();
        let folder = self.clone();
        let mut seen = folder.look();
        let mut before = seen.clone();
        let mut wait = LOOK;
        let thread = thread::Builder::new().name("sandbar-watch".into()).spawn(move || {
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                let start = Instant::now();
                let now = folder.look();
                wait = LOOK.max(start.elapsed() * REST);
                let settled = now == before;
                before.clone_from(&now);
                if settled && now != seen {
                    let refreshed = folder.refresh();
                    // What is looked at goes by what the plugins are.
                    seen = folder.look();
                    before.clone_from(&seen);
                    told(&folder, refreshed);
                }
            }
        });
        Ok(FolderWatch { stop: Some(stop), thread: Some(thread.map_err(Error::Setup)?) })
    }

    /// What the files of the folder look like.
    fn look(&self) -> Vec<(PathBuf, FileLook)> {
        self.files().into_iter().map(|path| (path.clone(), FileLook::at(&path))).collect()
    }
}

impl Drop for FolderWatch {
    /// Waits for a refresh that is under way.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
    }
}
