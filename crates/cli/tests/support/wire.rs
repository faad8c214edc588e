//! A client that writes bytes as they are, for requests that no proper client would send.

#![allow(dead_code, reason = "each test program uses a part of it")]

use crate::app::TIME;
use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
};

/// A connection.
pub(crate) struct Client(TcpStream);

/// An answer, as it came. `status` is 0 where none came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The lines of its head, names in lower case.
    pub(crate) head: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Lines after the last chunk.
    pub(crate) trailers: Vec<(String, String)>,
    /// Whether the body came to its proper end.
    pub(crate) whole: bool,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect_timeout(&address, TIME).unwrap();
        stream.set_read_timeout(Some(TIME)).unwrap();
        stream.set_write_timeout(Some(TIME)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client(stream)
    }

    /// Writes; a server that has heard enough may have closed.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Reads until this text has come.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let mut read = Vec::new();
        while !String::from_utf8_lossy(&read).contains(text) {
            let mut byte = [0];
            match self.0.read(&mut byte) {
                Ok(1) => read.push(byte[0]),
                other => panic!("`{text}` did not come ({other:?}), but:\n{}", String::from_utf8_lossy(&read)),
            }
        }
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Reads until the server closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut read = Vec::new();
        match self.0.read_to_end(&mut read) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("the server neither answers nor closes; it said:\n{}", String::from_utf8_lossy(&read))
            }
            // Closed while bytes of ours lay unread: what came before counts.
            Ok(_) | Err(_) => read,
        }
    }

    /// Reads the one answer of a connection that closes after it.
    pub(crate) fn answer(&mut self) -> Answer {
        read_answer(&self.rest())
    }

    /// Reads one answer of a connection that goes on: one that tells its length, or comes in chunks without trailers.
    pub(crate) fn next_answer(&mut self) -> Answer {
        let mut read = Vec::new();
        let mut part = vec![0; 1 << 16];
        loop {
            let answer = read_answer(&read);
            if answer.status != 0 && answer.whole {
                return answer;
            }
            match self.0.read(&mut part) {
                Ok(0) => return answer,
                Ok(bytes) => read.extend_from_slice(&part[..bytes]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return answer,
                Err(error) => panic!("no answer comes ({error}); the server said:\n{}", String::from_utf8_lossy(&read)),
            }
        }
    }

    /// Says that nothing more will come.
    pub(crate) fn finish(&self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Takes an answer apart, after those that are only interim.
pub(crate) fn read_answer(bytes: &[u8]) -> Answer {
    let mut rest = bytes;
    loop {
        let Some((head, after)) = split(rest, b"\r\n\r\n") else {
            return Answer { status: 0, head: Vec::new(), body: Vec::new(), trailers: Vec::new(), whole: false };
        };
        let head = String::from_utf8_lossy(head);
        let (line, fields) = head.split_once("\r\n").unwrap_or((&head, ""));
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        if (100..200).contains(&status) {
            rest = after;
            continue;
        }
        let mut answer =
            Answer { status, head: fields_of(fields), body: after.to_vec(), trailers: Vec::new(), whole: true };
        if answer.header("transfer-encoding") == Some("chunked") {
            read_chunks(&mut answer, after);
        } else if let Some(length) = answer.header("content-length").and_then(|length| length.parse::<usize>().ok()) {
            answer.whole = after.len() == length;
        }
        return answer;
    }
}

fn read_chunks(answer: &mut Answer, mut rest: &[u8]) {
    answer.body.clear();
    answer.whole = false;
    while let Some((size, after)) = split(rest, b"\r\n") {
        let size = usize::from_str_radix(String::from_utf8_lossy(size).trim(), 16).unwrap();
        if size == 0 {
            answer.whole = after.ends_with(b"\r\n");
            answer.trailers = fields_of(&String::from_utf8_lossy(after));
            return;
        }
        answer.body.extend_from_slice(&after[..size.min(after.len())]);
        rest = after.get(size + 2..).unwrap_or_default();
    }
}

fn fields_of(text: &str) -> Vec<(String, String)> {
    let fields = text.split("\r\n").filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect()
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let found = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..found], &bytes[found + at.len()..]))
}
