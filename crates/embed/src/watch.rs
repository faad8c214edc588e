//! Replaces a plugin when its file changes.

use crate::{Error, Plugin};
use sandbar_engine::FileLook;
use std::{
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often a file is looked at. That works on every file system, also on those that tell nobody of changes.
const LOOK: Duration = Duration::from_millis(250);

/// Watches a plugin's file, until it is dropped.
pub struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Plugin {
    /// Replaces the plugin whenever this file changes, and tells how that went: the file, once it has been the same for a
    /// quarter of a second, is loaded as [`Plugin::replace`] does.
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn watch(
        &self,
        path: impl AsRef<Path>,
        told: impl Fn(Result<(), Error>) + Send + 'static,
    ) -> Result<Watch, Error> {
        let (stop, stopped) = channel();
        let (path, plugin): (PathBuf, _) = (path.as_ref().to_path_buf(), self.clone());
        let mut seen = FileLook::at(&path);
        let mut before = seen;
        let thread = thread::Builder::new().name("sandbar-watch".into()).spawn(move || {
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let now = FileLook::at(&path);
                let settled = now == before;
                before = now;
                if settled && now != seen && now.is_there() {
                    seen = now;
                    told(plugin.replace(path.as_path()));
                }
            }
        });
        Ok(Watch { stop: Some(stop), thread: Some(thread.map_err(Error::Setup)?) })
    }
}

impl Drop for Watch {
    /// Waits for a replacement that is under way.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
    }
}
