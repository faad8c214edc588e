//! Reads one HTTP/1.1 response from pieces of any size. Its body goes to whoever asks for it, and is not kept.

use anyhow::{Context, Result, bail, ensure};

/// The longest head that is accepted.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How far a response has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// In the status line and headers.
    #[default]
    Head,
    /// This many body bytes are missing.
    Sized(u64),
    /// In the line that gives a chunk's size; the size until now, and whether its digits have ended.
    ChunkSize(u64, Digits),
    /// This many bytes of a chunk and its line end are missing.
    Chunk(u64),
    /// In the trailers; how many bytes the current line has.
    Trailers(usize),
    /// The body ends with the connection.
    UntilClose,
    /// All of it is there.
    Done,
}

/// Whether a chunk's size still grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digits {
    /// No digit yet.
    Missing,
    /// At least one digit.
    Some,
    /// A chunk extension or the line's end has begun.
    Ended,
}

/// One response.
#[derive(Debug, Default)]
pub struct Response {
    progress: Progress,
    status: u16,
    closes: bool,
    head: Vec<u8>,
}

/// Takes the bytes of a body, in order.
pub type Sink<'a> = &'a mut dyn FnMut(&[u8]);

impl Response {
    /// How far it has come.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Its status; zero before the head is there.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the connection may be used again.
    pub fn keeps_alive(&self) -> bool {
        !self.closes
    }

    /// Takes the next bytes of the connection. Bytes after the end are an error: nobody asked for them.
    pub fn feed(&mut self, mut bytes: &[u8], body: Sink<'_>) -> Result<()> {
        while !bytes.is_empty() {
            bytes = match self.progress {
                Progress::Head => self.feed_head(bytes)?,
                Progress::Sized(left) => {
                    let (taken, rest) = split(bytes, left);
                    body(taken);
                    self.progress = match left - length(taken) {
                        0 => Progress::Done,
                        left => Progress::Sized(left),
                    };
                    rest
                }
                Progress::ChunkSize(size, digits) => self.feed_chunk_size(size, digits, bytes)?,
                Progress::Chunk(left) => self.feed_chunk(left, bytes, body),
                Progress::Trailers(line) => self.feed_trailers(line, bytes),
                Progress::UntilClose => {
                    body(bytes);
                    &[]
                }
                Progress::Done => bail!("{} bytes after the end of the answer", bytes.len()),
            };
        }
        Ok(())
    }

    /// Takes the end of the connection.
    pub fn close(&mut self) -> Result<()> {
        ensure!(self.progress == Progress::UntilClose, "the connection ended within an answer");
        self.progress = Progress::Done;
        Ok(())
    }

    fn feed_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8]> {
        if self.head.is_empty()
            && let Some(end) = head_end(bytes)
        {
            let (head, rest) = bytes.split_at(end);
            self.read_head(head)?;
            return Ok(rest);
        }

        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        ensure!(self.head.len() <= HEAD_BYTES_MAX, "the head is longer than {HEAD_BYTES_MAX} bytes");
        let Some(end) = head_end(&self.head) else { return Ok(&[]) };
        let mut head = std::mem::take(&mut self.head);
        head.truncate(end);
        self.read_head(&head)?;
        Ok(bytes.get(end - before..).unwrap_or_default())
    }

    fn read_head(&mut self, head: &[u8]) -> Result<()> {
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        let status_line = lines.next().unwrap_or_default();
        self.status = status(status_line).context("the answer is not HTTP/1")?;
        self.closes = status_line.starts_with(b"HTTP/1.0");

        let (mut length, mut chunked) = (None, false);
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            if name.eq_ignore_ascii_case(b"content-length") {
                length = Some(number(value).context("the content-length is no number")?);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                chunked = value.eq_ignore_ascii_case(b"chunked");
            } else if name.eq_ignore_ascii_case(b"connection") {
                self.closes = value.eq_ignore_ascii_case(b"close");
            }
        }

        self.progress = match (self.status, chunked, length) {
            (100..=199, ..) => Progress::Head,
            (204 | 304, ..) | (_, false, Some(0)) => Progress::Done,
            (_, true, None) => Progress::ChunkSize(0, Digits::Missing),
            (_, true, Some(_)) => bail!("the answer has both a content-length and chunks"),
            (_, false, Some(length)) => Progress::Sized(length),
            (_, false, None) => {
                self.closes = true;
                Progress::UntilClose
            }
        };
        Ok(())
    }

    fn feed_chunk_size<'a>(&mut self, size: u64, digits: Digits, bytes: &'a [u8]) -> Result<&'a [u8]> {
        let Some((byte, rest)) = bytes.split_first() else { return Ok(bytes) };
        let digit = char::from(*byte).to_digit(16).map(u64::from);
        self.progress = match (byte, digit, digits) {
            (b'\n', _, Digits::Some | Digits::Ended) if size == 0 => Progress::Trailers(0),
            // Two more for the line end after the chunk.
            (b'\n', _, Digits::Some | Digits::Ended) => Progress::Chunk(size + 2),
            (_, Some(digit), Digits::Missing | Digits::Some) => {
                let size = size.checked_mul(16).and_then(|size| size.checked_add(digit));
                Progress::ChunkSize(size.context("a chunk is too large")?, Digits::Some)
            }
            (_, _, Digits::Missing) => bail!("a chunk has no size"),
            (_, _, Digits::Some | Digits::Ended) => Progress::ChunkSize(size, Digits::Ended),
        };
        Ok(rest)
    }

    fn feed_chunk<'a>(&mut self, left: u64, bytes: &'a [u8], body: Sink<'_>) -> &'a [u8] {
        let (taken, rest) = split(bytes, left);
        let (chunk, _line_end) = split(taken, left.saturating_sub(2));
        body(chunk);
        self.progress = match left - length(taken) {
            0 => Progress::ChunkSize(0, Digits::Missing),
            left => Progress::Chunk(left),
        };
        rest
    }

    fn feed_trailers<'a>(&mut self, line: usize, bytes: &'a [u8]) -> &'a [u8] {
        let Some((byte, rest)) = bytes.split_first() else { return bytes };
        self.progress = match (byte, line) {
            (b'\n', 0) => Progress::Done,
            (b'\n', _) => Progress::Trailers(0),
            (b'\r', 0) => Progress::Trailers(0),
            (_, line) => Progress::Trailers(line + 1),
        };
        rest
    }
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|start| start + 4)
}

/// Reads `HTTP/1.x NNN …`.
fn status(line: &[u8]) -> Option<u16> {
    let version = line.get(..9)?;
    let digits = line.get(9..12)?;
    (version.starts_with(b"HTTP/1.") && version.ends_with(b" ")).then_some(())?;
    u16::try_from(number(digits)?).ok()
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn split(bytes: &[u8], at: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len()))
}

fn length(bytes: &[u8]) -> u64 {
    // A length in memory is at most 64 bits everywhere.
    bytes.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds an answer whole, and again byte by byte: both must read the same.
    fn read(answer: &str) -> Result<(u16, String, Progress), String> {
        let whole = read_in_pieces(answer, answer.len().max(1));
        let bytes = read_in_pieces(answer, 1);
        assert_eq!(whole, bytes);
        whole
    }

    fn read_in_pieces(answer: &str, size: usize) -> Result<(u16, String, Progress), String> {
        let (mut response, mut body) = (Response::default(), Vec::new());
        for piece in answer.as_bytes().chunks(size) {
            let sink = &mut |bytes: &[u8]| body.extend_from_slice(bytes);
            response.feed(piece, sink).map_err(|error| error.to_string())?;
        }
        Ok((response.status(), String::from_utf8_lossy(&body).into_owned(), response.progress()))
    }

    #[test]
    fn sized() {
        let found = read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
        assert_eq!(found, (200, "hello".into(), Progress::Done));
        let found = read("HTTP/1.1 500 Oh\r\ncontent-length:5\r\n\r\nhe").unwrap();
        assert_eq!(found, (500, "he".into(), Progress::Sized(3)));
        assert_eq!(read("HTTP/1.1 204 None\r\n\r\n").unwrap().2, Progress::Done);
        assert_eq!(read("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap().2, Progress::Done);
    }

    #[test]
    fn chunked() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let found = read(&format!("{head}5\r\nhello\r\nA;x=b\r\n, world!!!\r\n0\r\n\r\n")).unwrap();
        assert_eq!(found, (200, "hello, world!!!".into(), Progress::Done));
        let found = read(&format!("{head}1\r\nx\r\n0\r\nsum: 7\r\nmore: 8\r\n\r\n")).unwrap();
        assert_eq!(found, (200, "x".into(), Progress::Done));
        assert_eq!(read(&format!("{head}0\r\nsum: 7\r\n")).unwrap().2, Progress::Trailers(0));
    }

    #[test]
    fn until_close() {
        let (mut response, mut body) = (Response::default(), Vec::new());
        response.feed(b"HTTP/1.0 200 OK\r\n\r\nall of it", &mut |bytes| body.extend_from_slice(bytes)).unwrap();
        response.close().unwrap();
        assert_eq!((&*body, response.keeps_alive()), (&b"all of it"[..], false));
    }

    #[test]
    fn interim_answers_are_skipped() {
        let found = read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx").unwrap();
        assert_eq!(found, (200, "x".into(), Progress::Done));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let error = |answer: &str| read(answer).unwrap_err();
        assert_eq!(error("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "the answer is not HTTP/1");
        assert_eq!(error("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), "the content-length is no number");
        assert_eq!(error("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n"), "a chunk has no size");
        assert_eq!(error("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxy"), "1 bytes after the end of the answer");
        assert!(Response::default().close().is_err());
    }
}
