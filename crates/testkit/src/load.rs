//! The load generator: a closed loop of keep-alive HTTP/1.1 connections on one thread.
//!
//! It shares the machine with the server that it measures, so it must cost little: one read and one write for a request,
//! no runtime, no allocation in the loop. The price is that it speaks HTTP/1.1 alone and one request at a time on each
//! connection. A generator as a separate tool was refused: a fresh machine has none.

pub mod response;

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Registry, Token};
use response::{Progress, Response};
use serde::Serialize;

/// How many errors end a run that has more errors than answers.
const ERRORS_MAX: u64 = 1_000;

/// What a single read takes: more than any answer that is worth measuring.
const READ_BYTES: usize = 64 * 1024;

/// What to send, where, and for how long.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub address: SocketAddr,
    /// One whole request, head and body.
    pub request: Vec<u8>,
    /// How many connections ask at one time.
    pub connections: usize,
    /// How long.
    pub duration: Duration,
    /// What the first answer must hold.
    pub expected: Option<Vec<u8>>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Answers with status 200.
    pub requests: u64,
    /// Requests that were not answered so.
    pub errors: u64,
    /// What the first error was.
    pub first_error: Option<String>,
    /// Connections that the server closed after an answer.
    pub reconnects: u64,
    /// How long it took.
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
    /// Processor time of the load generator itself.
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

/// Runs a plan to its end. A first answer that is not as expected is an error; later failures are counted.
pub fn run(plan: &Plan) -> Result<Summary> {
    ensure!(plan.connections > 0, "expected at least one connection");
    check_first_answer(plan)?;

    let mut poll = Poll::new()?;
    let mut load = Load { plan, tally: Tally::new()?, buffer: vec![0; READ_BYTES] };
    let mut connections = Vec::with_capacity(plan.connections);
    for token in (0..plan.connections).map(Token) {
        connections.push(Connection::open(plan.address, poll.registry(), token)?);
    }

    let mut events = Events::with_capacity(plan.connections);
    let (start, cpu) = (Instant::now(), cpu_ns());
    for connection in &mut connections {
        load.begin(connection, poll.registry())?;
    }
    while let Some(left) = plan.duration.checked_sub(start.elapsed()) {
        match poll.poll(&mut events, Some(left)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if let Some(connection) = connections.get_mut(event.token().0) {
                load.advance(connection, poll.registry())?;
            }
        }
    }
    Ok(load.tally.summary(start.elapsed(), cpu_ns().saturating_sub(cpu)))
}

/// Asks once and compares: a server that answers wrong, fast, is not worth measuring.
fn check_first_answer(plan: &Plan) -> Result<()> {
    let mut stream = TcpStream::connect(plan.address).with_context(|| format!("cannot connect to {}", plan.address))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(&plan.request)?;
    let mut response = Response::with_body();
    let mut buffer = vec![0; READ_BYTES];
    while response.progress() != Progress::Done {
        let count = stream.read(&mut buffer).context("cannot read the first answer")?;
        match count {
            0 => response.close()?,
            _ => response.feed(buffer.get(..count).unwrap_or_default())?,
        }
    }

    let body = response.body();
    let text = String::from_utf8_lossy(body);
    ensure!(response.status() == 200, "expected status 200, found {}: {text}", response.status());
    if let Some(expected) = &plan.expected {
        let wanted = String::from_utf8_lossy(expected);
        ensure!(body == expected, "expected the answer `{wanted}`, found `{text}`");
    }
    Ok(())
}

/// The run: what its connections share.
struct Load<'a> {
    plan: &'a Plan,
    tally: Tally,
    buffer: Vec<u8>,
}

/// One connection with at most one request in flight.
struct Connection {
    stream: mio::net::TcpStream,
    token: Token,
    asked: Instant,
    unsent: usize,
    response: Response,
}

impl Connection {
    fn open(address: SocketAddr, registry: &Registry, token: Token) -> Result<Connection> {
        // Connecting is not what is measured, so it may block.
        let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        registry.register(&mut stream, token, Interest::READABLE)?;
        Ok(Connection { stream, token, asked: Instant::now(), unsent: 0, response: Response::default() })
    }
}

impl Load<'_> {
    /// Sends the next request.
    fn begin(&mut self, connection: &mut Connection, registry: &Registry) -> Result<()> {
        connection.response = Response::default();
        connection.unsent = self.plan.request.len();
        connection.asked = Instant::now();
        self.send(connection, registry)
    }

    fn send(&mut self, connection: &mut Connection, registry: &Registry) -> Result<()> {
        while connection.unsent > 0 {
            let rest = self.plan.request.len() - connection.unsent;
            match connection.stream.write(self.plan.request.get(rest..).unwrap_or_default()) {
                Ok(count) => connection.unsent -= count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let both = Interest::READABLE | Interest::WRITABLE;
                    return Ok(registry.reregister(&mut connection.stream, connection.token, both)?);
                }
                Err(error) => return self.fail(connection, registry, &error.to_string()),
            }
        }
        Ok(())
    }

    /// Goes on where the connection became ready: the rest of a request, then what there is of the answer.
    fn advance(&mut self, connection: &mut Connection, registry: &Registry) -> Result<()> {
        if connection.unsent > 0 {
            self.send(connection, registry)?;
        }
        loop {
            let count = match connection.stream.read(&mut self.buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return self.fail(connection, registry, &error.to_string()),
            };
            let fed = match count {
                0 => connection.response.close(),
                _ => connection.response.feed(self.buffer.get(..count).unwrap_or_default()),
            };
            match fed {
                Err(error) => return self.fail(connection, registry, &error.to_string()),
                Ok(()) if connection.response.progress() == Progress::Done => {
                    return self.settle(connection, registry);
                }
                // A read that leaves room in the buffer has drained the socket: the next bytes bring an event.
                Ok(()) if count < self.buffer.len() => return Ok(()),
                Ok(()) => {}
            }
        }
    }

    /// Counts an answer and asks again.
    fn settle(&mut self, connection: &mut Connection, registry: &Registry) -> Result<()> {
        let status = connection.response.status();
        if status == 200 {
            self.tally.count(connection.asked.elapsed());
        } else {
            self.tally.error(&format!("status {status}"))?;
        }
        if !connection.response.keeps_alive() {
            self.tally.reconnects += 1;
            self.reopen(connection, registry)?;
        }
        self.begin(connection, registry)
    }

    fn fail(&mut self, connection: &mut Connection, registry: &Registry, error: &str) -> Result<()> {
        self.tally.error(error)?;
        self.reopen(connection, registry)?;
        self.begin(connection, registry)
    }

    fn reopen(&mut self, connection: &mut Connection, registry: &Registry) -> Result<()> {
        *connection = Connection::open(self.plan.address, registry, connection.token)?;
        Ok(())
    }
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

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The processor time of this thread, zero where the kernel doesn't tell.
fn cpu_ns() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
