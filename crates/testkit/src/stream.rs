//! A streaming client: sends a long body while it reads the answer, and compares every byte of it.
//!
//! It shares the machine with the server that it measures, so a byte must cost little: what is sent is never copied or
//! made anew, and what comes back is compared where it was read. Two threads with blocking sockets, since a client that
//! sends without reading, or the reverse, would wait for ever on a server that streams.

use std::{
    io::{ErrorKind, IoSlice, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use crate::{
    load::nanoseconds,
    response::{Progress, Response},
    url::Url,
};

/// What one write sends and one read takes.
const PIECE_BYTES: usize = 64 * 1024;

/// How long the server may send or take nothing.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What to send, and where.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A path that echoes.
    pub url: Url,
    /// The body's length.
    pub bytes: u64,
    /// How the length is told.
    pub framing: Framing,
}

/// How a server learns where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By its length, in advance.
    Length,
    /// By chunks.
    Chunked,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Bytes that went, and came back as they were.
    pub bytes: u64,
    /// From the request's first byte to the answer's last.
    pub wall_ns: u64,
    /// From the request's first byte to the first of the answer's body.
    pub first_byte_ns: u64,
    /// Bytes a second.
    pub bytes_per_second: f64,
}

/// Sends a body and reads it back. A byte that differs, a missing one and one too many are errors.
pub fn run(plan: &Plan) -> Result<Summary> {
    let address = plan.url.address;
    let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    let pattern = Pattern::new();
    let start = Instant::now();
    let (sent, read) = thread::scope(|scope| {
        let sender = scope.spawn(|| send(plan, &stream, &pattern));
        let read = read(plan, &stream, &pattern);
        if read.is_err() {
            // The sender must not go on to send to nobody; it fails at its next write.
            let _ = stream.shutdown(Shutdown::Both);
        }
        (sender.join(), read)
    });
    // What was read tells more than how sending broke off because of it.
    let first = read?;
    match sent {
        Ok(sent) => sent?,
        Err(_) => bail!("the sender panicked"),
    }
    let wall = start.elapsed();
    Ok(Summary {
        bytes: plan.bytes,
        wall_ns: nanoseconds(wall),
        first_byte_ns: nanoseconds(first - start),
        bytes_per_second: plan.bytes as f64 / wall.as_secs_f64(),
    })
}

fn send(plan: &Plan, mut stream: &TcpStream, pattern: &Pattern) -> Result<()> {
    let Plan { url: Url { host, path, .. }, bytes, framing } = plan;
    let framing_header = match framing {
        Framing::Length => format!("content-length: {bytes}"),
        Framing::Chunked => "transfer-encoding: chunked".to_owned(),
    };
    let head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\n{framing_header}\r\n\r\n");
    stream.write_all(head.as_bytes()).context("cannot send the request")?;
    let mut sent = 0;
    while sent < *bytes {
        let piece = pattern.piece(sent, bytes - sent);
        match framing {
            Framing::Length => stream.write_all(piece),
            Framing::Chunked => write_chunk(stream, piece),
        }
        .with_context(|| format!("cannot send on after {sent} bytes"))?;
        sent += piece.len() as u64;
    }
    if *framing == Framing::Chunked {
        stream.write_all(b"0\r\n\r\n").context("cannot send the end")?;
    }
    Ok(())
}

fn write_chunk(mut stream: &TcpStream, piece: &[u8]) -> std::io::Result<()> {
    let size = format!("{:x}\r\n", piece.len());
    let mut parts = [size.as_bytes(), piece, b"\r\n"].map(IoSlice::new);
    let mut left = &mut parts[..];
    while !left.is_empty() {
        match stream.write_vectored(left) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => IoSlice::advance_slices(&mut left, count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads the answer, and tells when its body began.
fn read(plan: &Plan, mut stream: &TcpStream, pattern: &Pattern) -> Result<Instant> {
    let mut response = Response::default();
    let mut buffer = vec![0; PIECE_BYTES];
    let (mut found, mut first, mut differs) = (0, None, None);
    while response.progress() != Progress::Done {
        let count = match stream.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read on after {found} bytes")),
        };
        let mut check = |bytes: &[u8]| {
            first.get_or_insert_with(Instant::now);
            differs = differs.or_else(|| pattern.differs(found, bytes));
            found += bytes.len() as u64;
        };
        match count {
            0 => response.close().with_context(|| format!("after {found} bytes"))?,
            _ => response.feed(buffer.get(..count).unwrap_or_default(), &mut check)?,
        }
        if let Some(offset) = differs {
            bail!("byte {offset} came back as another");
        }
        let status = response.status();
        ensure!(matches!(status, 0 | 100..=200), "expected status 200, found {status}");
    }
    ensure!(found == plan.bytes, "{} bytes went, {found} came back", plan.bytes);
    Ok(first.unwrap_or_else(Instant::now))
}

/// What every body looks like: noise that repeats itself after a prime number of bytes, so that no piece of a round size
/// can be lost, doubled or swapped with another unseen.
struct Pattern {
    /// The noise twice, so that a piece from any place lies in one slice.
    bytes: Vec<u8>,
}

impl Pattern {
    const PERIOD: usize = 65_521;

    fn new() -> Pattern {
        // A xorshift generator; any seed but zero does.
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        let noise = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        });
        let once: Vec<u8> = noise.take(Pattern::PERIOD).collect();
        Pattern { bytes: once.repeat(2) }
    }

    /// The next bytes from a place on: as many as there are, and no more than a piece.
    fn piece(&self, offset: u64, most: u64) -> &[u8] {
        let start = (offset % Pattern::PERIOD as u64) as usize;
        let length = usize::try_from(most).unwrap_or(usize::MAX).min(PIECE_BYTES).min(Pattern::PERIOD);
        self.bytes.get(start..start + length).unwrap_or_default()
    }

    /// Where bytes from a place on are not the pattern's, if anywhere.
    fn differs(&self, offset: u64, mut bytes: &[u8]) -> Option<u64> {
        let mut at = offset;
        while !bytes.is_empty() {
            let expected = self.piece(at, bytes.len() as u64);
            let (found, rest) = bytes.split_at(expected.len());
            if found != expected {
                let same = found.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
                return Some(at + same as u64);
            }
            at += found.len() as u64;
            bytes = rest;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead, BufReader},
        net::{SocketAddr, TcpListener},
    };

    #[test]
    fn the_pattern_goes_on_over_its_period() {
        let pattern = Pattern::new();
        let mut all = Vec::new();
        while all.len() < 300_000 {
            all.extend_from_slice(pattern.piece(all.len() as u64, 50_000));
        }
        assert_eq!(all[..Pattern::PERIOD], all[Pattern::PERIOD..2 * Pattern::PERIOD]);
        assert_eq!(pattern.differs(0, &all), None);
        assert_eq!(pattern.differs(777, &all[777..]), None);
        assert!(pattern.piece(5, 3).len() == 3 && pattern.piece(65_520, 1 << 40).len() == Pattern::PERIOD);
    }

    #[test]
    fn what_is_changed_lost_or_swapped_is_found() {
        let pattern = Pattern::new();
        let mut all: Vec<u8> = (0..3).flat_map(|_| pattern.piece(0, u64::MAX).to_vec()).collect();
        assert_eq!(pattern.differs(10, &all[11..]), Some(10), "one was lost");
        assert!(pattern.differs(0, &all[4096..]).is_some_and(|at| at < 16), "a page was lost");
        let (one, other) = all.split_at_mut(65_536);
        one[..4096].swap_with_slice(&mut other[..4096]);
        assert!(pattern.differs(0, &all).is_some_and(|at| at < 16), "two pieces were swapped");
        let mut all = pattern.piece(0, 60_000).to_vec();
        all[59_999] ^= 1;
        assert_eq!(pattern.differs(0, &all), Some(59_999));
    }

    /// Serves one connection: reads a body of a known length, and answers with what `echo` makes of each piece.
    fn serve(echo: fn(&mut Vec<u8>)) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Ends with its connection.
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut left = 0;
            for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
                if let Some(length) = line.strip_prefix("content-length: ") {
                    left = length.parse().unwrap();
                }
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            while left > 0 {
                let mut piece = vec![0; 40_000.min(left)];
                if reader.read_exact(&mut piece).is_err() {
                    return;
                }
                left -= piece.len();
                echo(&mut piece);
                if write_chunk(&stream, &piece).is_err() {
                    return;
                }
            }
            let _ = stream.write_all(b"0\r\n\r\n");
        });
        address
    }

    fn plan(address: SocketAddr) -> Plan {
        let url = Url { address, host: "test".into(), path: "/".into() };
        Plan { url, bytes: 3_000_000, framing: Framing::Length }
    }

    #[test]
    fn a_body_comes_back() {
        let summary = run(&plan(serve(|_| {}))).unwrap();
        assert_eq!(summary.bytes, 3_000_000);
        assert!(summary.first_byte_ns <= summary.wall_ns && summary.bytes_per_second > 0.0, "{summary:?}");
    }

    #[test]
    fn a_body_that_came_back_otherwise_is_an_error() {
        let error = |echo| run(&plan(serve(echo))).unwrap_err().to_string();
        assert_eq!(error(|piece| piece[17] ^= 4), "byte 17 came back as another");
        assert_eq!(error(|piece| piece.truncate(30_000)), "byte 30000 came back as another");
    }
}
