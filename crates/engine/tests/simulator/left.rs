//! What a process holds: its threads and its open files. After a run they are what they were before it.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// How long what ends in the background may take: a runtime's threads, a connection that is torn down.
const SOON: Duration = Duration::from_secs(10);

/// How many of each there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    threads: Vec<String>,
    files: Vec<String>,
}

impl Left {
    pub(crate) fn now() -> Left {
        let list = |folder: &str, name: &dyn Fn(fs::DirEntry) -> Option<String>| {
            let mut names: Vec<String> = fs::read_dir(folder).unwrap().flatten().filter_map(name).collect();
            names.sort();
            names
        };
        let thread = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("comm")).ok();
        let file = |entry: fs::DirEntry| {
            let target = fs::read_link(entry.path()).ok()?.display().to_string();
            // The folder that is being read is itself an open file. Of a socket or pipe the kind is enough.
            let kind = target.split(':').next().unwrap_or_default().to_owned();
            // And the map of this process's pages is opened once, when a sandbox is first renewed.
            (!target.ends_with("/fd") && !target.ends_with("/pagemap")).then_some(kind)
        };
        Left { threads: list("/proc/self/task", &thread), files: list("/proc/self/fd", &file) }
    }

    /// Waits until no more is there than was.
    ///
    /// # Errors
    /// What is there still.
    pub(crate) fn is_back(&self) -> Result<(), String> {
        let until = Instant::now() + SOON;
        loop {
            let now = Left::now();
            let more = [more_of(&self.threads, &now.threads), more_of(&self.files, &now.files)].concat();
            if more.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("these are left over: {}", more.join(", ").replace('\n', "")));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn more_of(before: &[String], now: &[String]) -> Vec<String> {
    let mut more = now.to_vec();
    for name in before {
        if let Some(at) = more.iter().position(|other| other == name) {
            more.swap_remove(at);
        }
    }
    more
}

/// Bytes of memory that are resident.
pub(crate) fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
