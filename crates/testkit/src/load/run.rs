//! The loop of a run: which connection asks when, and what came of it.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use mio::{Events, Interest, Poll, Registry, Token};

use super::{Plan, READ_BYTES, Tally, Target, alarm::Alarm, pace::Pace};
use crate::response::{Progress, Response};

/// How long after the end an answer may come. What is still missing then is an error.
const LATE_MAX: Duration = Duration::from_secs(2);

/// What the alarm's events carry; those of a connection carry its place among all of them.
const ALARM: Token = Token(usize::MAX - 1);

/// Asks until the plan's time is over and what was asked is answered. Gives each target's tally, and its time until the last
/// answer.
pub(super) fn run(plan: &Plan) -> Result<Vec<(Tally, Duration)>> {
    let mut poll = Poll::new()?;
    let mut alarm = Alarm::new(poll.registry(), ALARM)?;
    let mut connections = connect(plan, poll.registry())?;
    let mut events = Events::with_capacity(connections.len() + 1);
    let start = Instant::now();
    let end = start + plan.duration;
    let give_up = end + LATE_MAX;
    let span = Span { start, end };
    let mut loads = loads(plan, &connections, span)?;
    loop {
        let now = Instant::now();
        for load in &mut loads {
            load.begin_due(now, &mut connections, poll.registry())?;
        }
        if now >= give_up || now >= end && loads.iter().all(Load::is_settled) {
            break;
        }
        let limit = if now < end { end } else { give_up };
        let wake = loads.iter().filter_map(Load::due).fold(limit, Instant::min);
        match poll.poll(&mut events, alarm.set(wake)?) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == ALARM {
                alarm.rang();
            } else if let Some(connection) = connections.get_mut(event.token().0)
                && let Some(load) = loads.get_mut(connection.load)
            {
                load.advance(connection, poll.registry())?;
            }
        }
    }
    miss(&mut loads, &connections);
    Ok(loads.into_iter().map(|load| (load.tally, load.answered - start)).collect())
}

/// Counts what was due and has no answer.
fn miss(loads: &mut [Load<'_>], connections: &[Connection]) {
    let now = Instant::now();
    for connection in connections {
        if let (Some(asked), Some(load)) = (connection.asked, loads.get_mut(connection.load)) {
            load.tally.miss(now - asked);
        }
    }
    for load in loads {
        while let Some(due) = load.pace.take(now) {
            load.tally.miss(now - due);
        }
    }
}

/// When a run begins, and when it ends.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: Instant,
    pub(super) end: Instant,
}

/// Opens the connections of all targets.
fn connect(plan: &Plan, registry: &Registry) -> Result<Vec<Connection>> {
    let mut connections = Vec::new();
    for (load, target) in plan.targets.iter().enumerate() {
        for _ in 0..target.connections {
            let stream = open(target.address, registry, Token(connections.len()))?;
            let token = Token(connections.len());
            connections.push(Connection { stream, token, load, asked: None, unsent: 0, response: Response::default() });
        }
    }
    Ok(connections)
}

fn open(address: SocketAddr, registry: &Registry, token: Token) -> Result<mio::net::TcpStream> {
    // Connecting is not what is measured, so it may block.
    let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut stream = mio::net::TcpStream::from_std(stream);
    registry.register(&mut stream, token, Interest::READABLE)?;
    Ok(stream)
}

fn loads<'a>(plan: &'a Plan, connections: &[Connection], span: Span) -> Result<Vec<Load<'a>>> {
    let load = |(index, target): (usize, &'a Target)| {
        let own = connections.iter().filter(|connection| connection.load == index);
        let idle = own.map(|connection| connection.token).collect();
        let pace = Pace::new(target.rate, span);
        Ok(Load { target, pace, idle, tally: Tally::new()?, answered: span.end, buffer: vec![0; READ_BYTES] })
    };
    plan.targets.iter().enumerate().map(load).collect()
}

/// One target: what its connections share.
struct Load<'a> {
    target: &'a Target,
    pace: Pace,
    /// Connections without a request in flight, the one that waits longest first: a server that spreads connections over
    /// its threads gets the requests spread too.
    idle: VecDeque<Token>,
    tally: Tally,
    /// The moment of the last answer, not before the end.
    answered: Instant,
    buffer: Vec<u8>,
}

/// One connection with at most one request in flight.
struct Connection {
    stream: mio::net::TcpStream,
    token: Token,
    /// Its place among the loads.
    load: usize,
    /// When the request in flight was due.
    asked: Option<Instant>,
    unsent: usize,
    response: Response,
}

impl Load<'_> {
    /// When an idle connection has a request to send.
    fn due(&self) -> Option<Instant> {
        if self.idle.is_empty() { None } else { self.pace.due() }
    }

    /// Whether nothing is in flight.
    fn is_settled(&self) -> bool {
        self.idle.len() == self.target.connections
    }

    /// Has idle connections send what is due.
    fn begin_due(&mut self, now: Instant, connections: &mut [Connection], registry: &Registry) -> Result<()> {
        while let Some(connection) = self.idle.front().and_then(|token| connections.get_mut(token.0))
            && let Some(due) = self.pace.take(now)
        {
            self.idle.pop_front();
            self.begin(connection, due, registry)?;
        }
        Ok(())
    }

    /// Sends the next request.
    fn begin(&mut self, connection: &mut Connection, due: Instant, registry: &Registry) -> Result<()> {
        connection.response = Response::default();
        connection.unsent = self.target.request.len();
        connection.asked = Some(due);
        self.send(connection, registry)
    }

    fn send(&mut self, connection: &mut Connection, registry: &Registry) -> Result<()> {
        while connection.unsent > 0 {
            let rest = self.target.request.len() - connection.unsent;
            match connection.stream.write(self.target.request.get(rest..).unwrap_or_default()) {
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

    /// Goes on where the connection became ready.
    fn advance(&mut self, connection: &mut Connection, registry: &Registry) -> Result<()> {
        if connection.unsent > 0 {
            self.send(connection, registry)?;
        }
        match connection.asked {
            Some(asked) => self.read(connection, asked, registry),
            None => self.look(connection, registry),
        }
    }

    /// Reads what there is of an answer.
    fn read(&mut self, connection: &mut Connection, asked: Instant, registry: &Registry) -> Result<()> {
        loop {
            let count = match connection.stream.read(&mut self.buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return self.fail(connection, registry, &error.to_string()),
            };
            let fed = match count {
                0 => connection.response.close(),
                _ => connection.response.feed(self.buffer.get(..count).unwrap_or_default(), &mut |_| {}),
            };
            match fed {
                Err(error) => return self.fail(connection, registry, &error.to_string()),
                Ok(()) if connection.response.progress() == Progress::Done => {
                    return self.settle(connection, asked, registry);
                }
                // A read that leaves room in the buffer has drained the socket: the next bytes bring an event.
                Ok(()) if count < self.buffer.len() => return Ok(()),
                Ok(()) => {}
            }
        }
    }

    /// Replaces an idle connection that the server closed.
    fn look(&mut self, connection: &mut Connection, registry: &Registry) -> Result<()> {
        match connection.stream.read(&mut self.buffer) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(()),
            Ok(1..) => self.tally.error("an answer without a request")?,
            Ok(0) | Err(_) => self.tally.reconnects += 1,
        }
        connection.stream = open(self.target.address, registry, connection.token)?;
        Ok(())
    }

    /// Counts an answer and asks again.
    fn settle(&mut self, connection: &mut Connection, asked: Instant, registry: &Registry) -> Result<()> {
        let now = Instant::now();
        self.answered = self.answered.max(now);
        let status = connection.response.status();
        if status == 200 {
            self.tally.count(now - asked);
        } else {
            self.tally.error(&format!("status {status}"))?;
        }
        if !connection.response.keeps_alive() {
            self.tally.reconnects += 1;
            connection.stream = open(self.target.address, registry, connection.token)?;
        }
        self.go_on(connection, now, registry)
    }

    fn fail(&mut self, connection: &mut Connection, registry: &Registry, error: &str) -> Result<()> {
        self.tally.error(error)?;
        connection.stream = open(self.target.address, registry, connection.token)?;
        self.go_on(connection, Instant::now(), registry)
    }

    /// Sends what is due, or waits for it.
    fn go_on(&mut self, connection: &mut Connection, now: Instant, registry: &Registry) -> Result<()> {
        if let Some(due) = self.pace.take(now) {
            return self.begin(connection, due, registry);
        }
        connection.asked = None;
        connection.unsent = 0;
        self.idle.push_back(connection.token);
        // The end of the connection may have come with the answer, and then brings no event of its own.
        self.look(connection, registry)
    }
}
