//! What a process and the processes it started have used, as the kernel counts it.

use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};

/// One tick of `/proc/PID/stat`: Linux gives programs hundredths of a second on every architecture.
const TICK_NS: u64 = 10_000_000;

/// Processor time of a process and everything it started, also of what has ended and was waited for.
pub(super) fn cpu_ns(process: u32) -> Result<u64> {
    let mut ticks = 0;
    for id in family(process) {
        // A child may end while we look.
        let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
        ticks += ticks_in(&stat).with_context(|| format!("cannot read the times of process {id}"))?;
    }
    Ok(ticks * TICK_NS)
}

/// The most memory a process had resident at one time, summed over it and what it started and still runs.
pub(super) fn peak_rss_bytes(process: u32) -> u64 {
    let peak = |id: &u32| bytes_in(&fs::read_to_string(format!("/proc/{id}/status")).ok()?, "VmHWM");
    family(process).iter().filter_map(peak).sum()
}

/// Has the kernel take what is resident now as the most until now.
pub(super) fn reset_peak_rss(process: u32) -> Result<()> {
    let path = format!("/proc/{process}/clear_refs");
    fs::write(&path, "5").with_context(|| format!("cannot write `{path}`"))
}

/// What a process has resident.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Rss {
    /// Its own memory.
    pub(super) anon_bytes: f64,
    /// Mapped files, which the kernel may share between processes and drop when it needs room.
    pub(super) file_bytes: f64,
}

impl Rss {
    pub(super) fn of(process: u32) -> Result<Rss> {
        let path = format!("/proc/{process}/status");
        let status = fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
        Rss::read(&status).with_context(|| format!("`{path}` does not tell what is resident"))
    }

    fn read(status: &str) -> Option<Rss> {
        let bytes = |name| Some(bytes_in(status, name)? as f64);
        Some(Rss { anon_bytes: bytes("RssAnon")?, file_bytes: bytes("RssFile")? + bytes("RssShmem")? })
    }

    pub(super) fn all_bytes(self) -> f64 {
        self.anon_bytes + self.file_bytes
    }
}

/// The cores that programs may run on.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What the numbers were measured on.
pub(super) fn machine() -> Value {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({ "cpu": model, "cores": cores(), "kernel": kernel.trim(), "os": std::env::consts::OS })
}

/// A process and everything it started that still runs.
fn family(process: u32) -> Vec<u32> {
    let (mut all, mut open) = (Vec::new(), vec![process]);
    while let Some(id) = open.pop() {
        all.push(id);
        let Ok(tasks) = fs::read_dir(format!("/proc/{id}/task")) else { continue };
        for task in tasks.flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            open.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    all
}

/// Finds a line of `/proc/PID/status` such as `VmHWM:     2048 kB`.
fn bytes_in(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// Adds up utime, stime, cutime and cstime: fields 14 to 17, of which the command's name, in parentheses, is the second.
fn ticks_in(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = after_name.split_whitespace().skip(11).take(4).collect();
    (fields.len() == 4).then_some(())?;
    fields.iter().map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b ( c)) S 1 7 7 0 -1 4194304 90 0 0 0 11 5 3 2 20 0 1 0 88 1 1";
        assert_eq!(ticks_in(stat), Some(21));
        assert_eq!(ticks_in("7 (a) S 1"), None);
    }

    #[test]
    fn what_is_resident_is_read() {
        let status = "Name:\tx\nVmHWM:\t    9 kB\nRssAnon:\t     12 kB\nRssFile:\t 3 kB\nRssShmem:\t1 kB\n";
        assert_eq!(bytes_in(status, "VmHWM"), Some(9 * 1024));
        assert_eq!(Rss::read(status), Some(Rss { anon_bytes: 12.0 * 1024.0, file_bytes: 4.0 * 1024.0 }));
        assert_eq!(Rss::read("RssAnon:\t1 kB\nRssFile:\tmuch\n"), None);
    }

    #[test]
    fn a_peak_is_forgotten() {
        let me = std::process::id();
        drop(std::hint::black_box(vec![1_u8; 64 << 20]));
        let before = peak_rss_bytes(me);
        reset_peak_rss(me).unwrap();
        assert!(peak_rss_bytes(me) + (32 << 20) < before, "{before}");
    }

    #[test]
    fn we_use_something() {
        assert!(peak_rss_bytes(std::process::id()) > 100_000);
        assert!(cpu_ns(std::process::id()).is_ok());
        assert!(Rss::of(std::process::id()).unwrap().all_bytes() > 100_000.0);
    }
}
