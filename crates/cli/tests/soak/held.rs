//! What a process holds: descriptors, threads, mapped artifacts and resident memory; and what its cache does.

use crate::app::SOON;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How often is looked whether something has gone.
const LOOK: Duration = Duration::from_millis(50);

/// What a process holds.
pub(crate) struct Held {
    pub(crate) resident_bytes: u64,
    /// How many of each kind: descriptors by what they lead to, threads by name, mapped artifacts by file.
    things: BTreeMap<String, usize>,
}

impl Held {
    pub(crate) fn of(id: u32) -> Held {
        let process = PathBuf::from(format!("/proc/{id}"));
        let descriptors = entries(&process.join("fd")).into_iter().filter_map(|entry| fs::read_link(entry).ok());
        // A socket or a pipe is followed by its inode.
        let descriptors = descriptors.map(|to| {
            let to = to.to_string_lossy();
            format!("descriptor of {}", to.split(":[").next().unwrap_or_default())
        });
        let threads = entries(&process.join("task")).into_iter();
        let threads = threads.filter_map(|entry| fs::read_to_string(entry.join("comm")).ok());
        let threads = threads.map(|name| format!("thread {}", name.trim()));
        let mut things = BTreeMap::new();
        descriptors.chain(threads).for_each(|thing| *things.entry(thing).or_default() += 1);
        let maps = fs::read_to_string(process.join("maps")).unwrap();
        let artifacts =
            maps.lines().filter(|line| line.contains(".cwasm")).filter_map(|line| line.find('/').map(|at| &line[at..]));
        // One is mapped in several parts.
        things.extend(artifacts.map(|file| (format!("artifact {file}"), 1)));
        Held { resident_bytes: resident_bytes(&process), things }
    }

    /// Waits until no more is held than before, memory aside. Gives what is held then, and what of it is more after a while.
    pub(crate) fn until_as(id: u32, before: &Held) -> (Held, Vec<String>) {
        let start = Instant::now();
        loop {
            let held = Held::of(id);
            let more = held.more_than(before);
            if more.is_empty() || start.elapsed() > SOON {
                return (held, more);
            }
            thread::sleep(LOOK);
        }
    }

    fn more_than(&self, before: &Held) -> Vec<String> {
        let was = |thing: &str| before.things.get(thing).copied().unwrap_or_default();
        let more = self.things.iter().filter(|(thing, count)| **count > was(thing));
        more.map(|(thing, count)| format!("{thing}: {} and then {count}", was(thing))).collect()
    }

    fn count(&self, kind: &str) -> usize {
        self.things.iter().filter(|(thing, _)| thing.starts_with(kind)).map(|(_, count)| count).sum()
    }

    /// For people.
    pub(crate) fn shown(&self) -> String {
        let [descriptors, threads, artifacts] = ["descriptor", "thread", "artifact"].map(|kind| self.count(kind));
        let resident = self.resident_bytes >> 20;
        format!("{resident} MiB resident, {descriptors} descriptors, {threads} threads, {artifacts} artifacts mapped")
    }
}

fn resident_bytes(process: &Path) -> u64 {
    let status = fs::read_to_string(process.join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// What a folder holds; one that goes meanwhile holds nothing.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
