//! What a server counts of itself, in the Prometheus text exposition format (version 0.0.4).
//!
//! Each worker has counters of its own, so that counting moves no cache line between cores; they are summed when read.

use crate::http::watch::Timeout;
use http::StatusCode;
use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// The counters of one worker, or of the acceptor.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) accept_errors: AtomicU64,
    pub(crate) handshake_errors: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
    /// Requests that ended without an answer.
    pub(crate) cut: AtomicU64,
    /// By the first digit of the status, from 1.
    classes: [AtomicU64; 5],
    timeouts: [AtomicU64; 5],
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
const TIMEOUTS: [&str; 5] = ["handshake", "header", "body", "idle", "write"];

pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Relaxed);
}

impl Counters {
    pub(crate) fn answered(&self, status: StatusCode) {
        if let Some(class) = self.classes.get(usize::from(status.as_u16() / 100).wrapping_sub(1)) {
            add(class, 1);
        }
    }

    pub(crate) fn timed_out(&self, timeout: Timeout) {
        if let Some(count) = self.timeouts.get(timeout as usize) {
            add(count, 1);
        }
    }
}

/// Appends the counters of a server. `open` connections are counted elsewhere.
pub(crate) fn render(out: &mut String, open: usize, all: &[&Counters]) {
    let sum = |pick: &dyn Fn(&Counters) -> u64| all.iter().map(|counters| pick(counters)).sum::<u64>();
    let mut family = |name: &str, kind: &str, help: &str, samples: &mut dyn Iterator<Item = (String, u64)>| {
        // Writing to a `String` does not fail.
        let _ = writeln!(out, "# HELP sandbar_http_{name} {help}\n# TYPE sandbar_http_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(out, "sandbar_http_{name}{labels} {value}");
        }
    };
    let open = u64::try_from(open).unwrap_or(u64::MAX);
    family("connections_open", "gauge", "Connections open now.", &mut one(open));
    for (name, help, pick) in SUMS {
        family(name, "counter", help, &mut one(sum(&|counters| pick(counters).load(Relaxed))));
    }
    let mut by_label = |name: &str, help: &str, label: &str, values: &[&str; 5], pick: Pick5| {
        let mut samples = values.iter().enumerate().map(|(at, value)| {
            let count = sum(&|counters| pick(counters).get(at).map_or(0, |count| count.load(Relaxed)));
            (format!("{{{label}=\"{value}\"}}"), count)
        });
        family(name, "counter", help, &mut samples);
    };
    by_label("requests_total", "Requests answered, by class of status.", "class", &CLASSES, |all| &all.classes);
    by_label("timeouts_total", "Clients cut or refused by a timeout.", "bound", &TIMEOUTS, |all| &all.timeouts);
}

type Pick = fn(&Counters) -> &AtomicU64;
type Pick5 = fn(&Counters) -> &[AtomicU64; 5];

const SUMS: [(&str, &str, Pick); 7] = [
    ("connections_accepted_total", "Connections accepted.", |all| &all.accepted),
    ("connections_refused_total", "Connections turned away at the cap.", |all| &all.refused),
    ("accept_errors_total", "Times that accepting failed.", |all| &all.accept_errors),
    ("handshake_errors_total", "TLS handshakes that failed.", |all| &all.handshake_errors),
    ("received_bytes_total", "Bytes received, inside TLS where there is some.", |all| &all.received_bytes),
    ("sent_bytes_total", "Bytes sent, inside TLS where there is some.", |all| &all.sent_bytes),
    ("requests_cut_total", "Requests that ended without a whole answer.", |all| &all.cut),
];

fn one(value: u64) -> impl Iterator<Item = (String, u64)> {
    std::iter::once((String::new(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_summed_over_workers() {
        let (one, two) = (Counters::default(), Counters::default());
        one.answered(StatusCode::OK);
        two.answered(StatusCode::NO_CONTENT);
        two.answered(StatusCode::NOT_FOUND);
        two.timed_out(Timeout::Body);
        add(&one.sent_bytes, 5);
        let mut text = String::new();
        render(&mut text, 3, &[&one, &two]);
        for line in [
            "# TYPE sandbar_http_connections_open gauge",
            "sandbar_http_connections_open 3",
            "sandbar_http_sent_bytes_total 5",
            "# TYPE sandbar_http_requests_total counter",
            "sandbar_http_requests_total{class=\"2xx\"} 2",
            "sandbar_http_requests_total{class=\"4xx\"} 1",
            "sandbar_http_timeouts_total{bound=\"body\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} not in:\n{text}");
        }
    }
}
