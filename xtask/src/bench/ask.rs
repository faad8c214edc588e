//! Asks a server over one connection, a question at a time, and tells how long the first byte of each answer took.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use sandbar_testkit::{
    process::{Server, free_address},
    response::{Progress, Response},
};

/// How long an answer may take. A server that starts accepts connections before it can answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// How long to wait until a server that does not listen yet is tried again.
const CONNECT_PAUSE: Duration = Duration::from_micros(200);

/// A path to get, and what its answer has to be.
pub(super) struct Question<'a> {
    pub(super) path: &'a str,
    pub(super) expected: &'a str,
}

/// A server, and how long it took from its start to the first byte of its first answer.
pub(super) struct Started {
    pub(super) server: Server,
    pub(super) client: Client,
    pub(super) took: Duration,
}

/// Starts a server on a free port and asks it as soon as it listens.
pub(super) fn start(command: impl FnOnce(SocketAddr) -> Command, question: &Question<'_>) -> Result<Started> {
    let address = free_address()?;
    let command = command(address);
    let start = Instant::now();
    let mut server = Server::spawn(command, address)?;
    let mut client = loop {
        match Client::connect(address) {
            Ok(client) => break client,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                server.ensure_runs()?;
                thread::sleep(CONNECT_PAUSE);
            }
            Err(error) => return Err(error).with_context(|| format!("cannot connect to {address}")),
        }
        ensure!(start.elapsed() < ANSWER_TIMEOUT, "nobody listens on {address} after {ANSWER_TIMEOUT:?}");
    };
    let first_byte = client.first_byte(question).with_context(|| format!("the server said:\n{}", server.stderr()))?;
    Ok(Started { server, client, took: first_byte - start })
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) first_byte: Instant,
}

/// A connection that stays open.
pub(super) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> std::io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Client { stream, buffer: vec![0; 16 * 1024] })
    }

    /// Asks, and gives the time from the request to the first byte of the answer.
    pub(super) fn ask(&mut self, question: &Question<'_>) -> Result<Duration> {
        let start = Instant::now();
        Ok(self.first_byte(question)? - start)
    }

    fn first_byte(&mut self, question: &Question<'_>) -> Result<Instant> {
        let Question { path, expected } = question;
        let Answer { status, body, first_byte } = self.answer(path)?;
        ensure!(status == 200, "`{path}` was answered with status {status}: {body}");
        ensure!(body == *expected, "`{path}` was answered with `{body}`, expected `{expected}`");
        Ok(first_byte)
    }

    /// Asks and takes any answer.
    pub(super) fn answer(&mut self, path: &str) -> Result<Answer> {
        self.stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").as_bytes())?;
        let (mut response, mut found, mut first) = (Response::default(), Vec::new(), None);
        while response.progress() != Progress::Done {
            let count = self.stream.read(&mut self.buffer).context("cannot read the answer")?;
            first.get_or_insert_with(Instant::now);
            let bytes = self.buffer.get(..count).unwrap_or_default();
            match count {
                0 => response.close()?,
                _ => response.feed(bytes, &mut |bytes| found.extend_from_slice(bytes))?,
            }
        }
        let body = String::from_utf8_lossy(&found).into_owned();
        Ok(Answer { status: response.status(), body, first_byte: first.context("the answer had no byte")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_is_not_waited_for() {
        let question = Question { path: "/", expected: "" };
        let command = |_| {
            let mut command = Command::new("sh");
            command.args(["-c", "echo no port >&2; exit 1"]);
            command
        };
        let error = start(command, &question).err().unwrap();
        assert!(format!("{error:#}").contains("no port"), "{error:#}");
    }
}
