//! The load generator: keep-alive HTTP/1.1 connections to one target or several, on one thread.
//!
//! It shares the machine with the server that it measures, so it must cost little: one read and one write for a request,
//! no runtime, no allocation in the loop. The price is that it speaks HTTP/1.1 alone and one request at a time on each
//! connection. A generator as a separate tool was refused: a fresh machine has none.
//!
//! A target is asked as fast as it answers, or at a fixed rate. With a rate, a latency counts from the moment when its
//! request was due, sent or not: a server that stalls is charged for every request that came meanwhile.

#[cfg_attr(not(target_os = "linux"), path = "load/alarm_elsewhere.rs")]
mod alarm;
mod pace;
mod run;

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::response::{Progress, Response};

/// How many errors end a run that has more errors than answers.
const ERRORS_MAX: u64 = 1_000;

/// What a single read takes: more than any answer that is worth measuring.
const READ_BYTES: usize = 64 * 1024;

/// Whom to ask, and for how long.
#[derive(Clone, Debug)]
pub struct Plan {
    /// All of them are asked at one time.
    pub targets: Vec<Target>,
    /// How long.
    pub duration: Duration,
}

/// Where to ask, what, and how often.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server.
    pub address: SocketAddr,
    /// One whole request, head and body.
    pub request: Vec<u8>,
    /// How many connections ask at one time.
    pub connections: usize,
    /// Requests a second over all of its connections; without it, each asks again as soon as it was answered.
    pub rate: Option<f64>,
    /// What the first answer must hold.
    pub expected: Option<Vec<u8>>,
}

/// What came of one target.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Answers with status 200.
    pub requests: u64,
    /// Requests that were not answered so.
    pub errors: u64,
    /// What the first error was.
    pub first_error: Option<String>,
    /// Connections that the server closed after an answer or between two.
    pub reconnects: u64,
    /// How long it took, until the last answer.
    pub wall_ns: u64,
    /// Answers in a second.
    pub requests_per_second: f64,
    /// Half of the answers took at most this.
    pub p50_ns: u64,
    /// 99 of 100.
    pub p99_ns: u64,
    /// 999 of 1,000.
    pub p999_ns: u64,
    /// The slowest.
    pub max_ns: u64,
    /// Processor time of the load generator itself, for all targets.
    pub client_cpu_ns: u64,
}

/// Writes a request: a POST with a body, a GET without.
pub fn request(host: &str, path: &str, body: Option<&[u8]>) -> Vec<u8> {
    let head = match body {
        None => format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"),
        Some(body) => format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ),
    };
    [head.as_bytes(), body.unwrap_or_default()].concat()
}

/// Runs a plan to its end and sums up each target. A first answer that is not as expected is an error; later failures are
/// counted.
pub fn run(plan: &Plan) -> Result<Vec<Summary>> {
    for target in &plan.targets {
        ensure!(target.connections > 0, "expected at least one connection");
        check_first_answer(target)?;
    }
    let cpu = cpu_ns();
    let tallies = run::run(plan)?;
    let client_cpu_ns = cpu_ns().saturating_sub(cpu);
    Ok(tallies.into_iter().map(|(tally, wall)| tally.summary(wall, client_cpu_ns)).collect())
}

/// Asks once and compares: a server that answers wrong, fast, is not worth measuring.
fn check_first_answer(target: &Target) -> Result<()> {
    let address = target.address;
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(&target.request)?;
    let (mut response, mut body) = (Response::default(), Vec::new());
    let mut buffer = vec![0; READ_BYTES];
    while response.progress() != Progress::Done {
        let count = stream.read(&mut buffer).context("cannot read the first answer")?;
        match count {
            0 => response.close()?,
            _ => response.feed(buffer.get(..count).unwrap_or_default(), &mut |bytes| body.extend_from_slice(bytes))?,
        }
    }

    let text = String::from_utf8_lossy(&body);
    ensure!(response.status() == 200, "expected status 200, found {}: {text}", response.status());
    if let Some(expected) = &target.expected {
        let wanted = String::from_utf8_lossy(expected);
        ensure!(body == *expected, "expected the answer `{wanted}`, found `{text}`");
    }
    Ok(())
}

/// What was counted until now.
struct Tally {
    requests: u64,
    errors: u64,
    first_error: Option<String>,
    reconnects: u64,
    latency_ns: Histogram<u64>,
}

impl Tally {
    fn new() -> Result<Tally> {
        let latency_ns = Histogram::new_with_bounds(1, 60_000_000_000, 3)?;
        Ok(Tally { requests: 0, errors: 0, first_error: None, reconnects: 0, latency_ns })
    }

    fn count(&mut self, latency: Duration) {
        self.requests += 1;
        self.latency_ns.saturating_record(nanoseconds(latency).max(1));
    }

    fn error(&mut self, error: &str) -> Result<()> {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| error.to_owned());
        if self.errors > ERRORS_MAX.max(self.requests) {
            bail!("{} errors to {} answers; the first: {}", self.errors, self.requests, error);
        }
        Ok(())
    }

    /// Counts a request that was not answered in time: how long it takes is not known, but it is at least this.
    fn miss(&mut self, waited: Duration) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| "no answer in time".to_owned());
        self.latency_ns.saturating_record(nanoseconds(waited).max(1));
    }

    fn summary(self, wall: Duration, client_cpu_ns: u64) -> Summary {
        Summary {
            requests: self.requests,
            errors: self.errors,
            first_error: self.first_error,
            reconnects: self.reconnects,
            wall_ns: nanoseconds(wall),
            requests_per_second: self.requests as f64 / wall.as_secs_f64(),
            p50_ns: self.latency_ns.value_at_quantile(0.5),
            p99_ns: self.latency_ns.value_at_quantile(0.99),
            p999_ns: self.latency_ns.value_at_quantile(0.999),
            max_ns: self.latency_ns.max(),
            client_cpu_ns,
        }
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The processor time of this thread, zero where the kernel doesn't tell.
fn cpu_ns() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
