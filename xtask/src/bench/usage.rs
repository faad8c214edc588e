//! What a process and the processes it started have used, as the kernel counts it.

use std::fs;

use anyhow::{Context, Result};
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
    let peak = |id: &u32| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let kib: u64 =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    };
    family(process).iter().filter_map(peak).sum()
}

/// What the numbers were measured on.
pub(super) fn machine() -> Value {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    json!({ "cpu": model, "cores": cores, "kernel": kernel.trim(), "os": std::env::consts::OS })
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
    fn we_use_something() {
        assert!(peak_rss_bytes(std::process::id()) > 100_000);
        assert!(cpu_ns(std::process::id()).is_ok());
    }
}
