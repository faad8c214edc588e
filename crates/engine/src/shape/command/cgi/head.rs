//! The head of a command's answer: header lines and an empty line, RFC 3875 section 6.

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

/// The most bytes of header lines that a guest may answer with.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;

/// What has come of an answer whose head is not whole yet. Each byte is looked at once, however small the pieces are.
#[derive(Default)]
pub(super) struct Head {
    seen: BytesMut,
    /// Where the last line begins, which has no end yet.
    line: usize,
    /// How much of what was seen has no line break after that.
    looked_at: usize,
}

/// A head, and what has come of the body behind it; or what is wrong with it.
pub(super) type Read = Result<(Response<()>, Bytes), String>;

impl Head {
    /// Whether nothing has come.
    pub(super) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Takes more of the answer, and gives the head once it is whole.
    pub(super) fn push(&mut self, more: &[u8]) -> Option<Read> {
        self.seen.extend_from_slice(more);
        let whole = self.find_end();
        let head_bytes = whole.map_or(self.seen.len(), |(end, _)| end);
        if head_bytes > HEAD_BYTES_MAX {
            return Some(Err(format!("expected an empty line within {HEAD_BYTES_MAX} bytes of CGI header lines")));
        }
        let (end, body_at) = whole?;
        let body = self.seen.split_off(body_at).freeze();
        Some(parse(self.seen.get(..end).unwrap_or_default()).map(|head| (head, body)))
    }

    /// Where the head ends and the body begins: before and after the first empty line.
    fn find_end(&mut self) -> Option<(usize, usize)> {
        loop {
            let rest = self.seen.get(self.looked_at..).unwrap_or_default();
            let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
                self.looked_at = self.seen.len();
                return None;
            };
            let end = self.looked_at + length;
            if let Some(b"" | b"\r") = self.seen.get(self.line..end) {
                return Some((self.line.saturating_sub(1), end + 1));
            }
            (self.line, self.looked_at) = (end + 1, end + 1);
        }
    }
}

fn parse(head: &[u8]) -> Result<Response<()>, String> {
    let mut response = Response::new(());
    let mut status = None;
    for line in head.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let malformed =
            || format!("expected a CGI header line `Name: value`, found `{}`", String::from_utf8_lossy(line));
        let colon = line.iter().position(|&byte| byte == b':').ok_or_else(malformed)?;
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"status") {
            let code = value.get(..3).and_then(|code| StatusCode::from_bytes(code).ok());
            status = Some(code.filter(|code| code.as_u16() >= 200).ok_or_else(malformed)?);
            continue;
        }
        let name = HeaderName::from_bytes(name).map_err(|_| malformed())?;
        let hop = matches!(name, header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE | header::TRAILER);
        if !hop {
            response.headers_mut().append(name, HeaderValue::from_bytes(value).map_err(|_| malformed())?);
        }
    }
    let redirects = response.headers().contains_key(header::LOCATION);
    *response.status_mut() = status.unwrap_or(if redirects { StatusCode::FOUND } else { StatusCode::OK });
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read() {
        for (head, expected) in [
            ("Content-Type: text/plain", Ok((200, 1))),
            ("Status: 418 Teapot\r\nX-A: b", Ok((418, 1))),
            ("Location: /else", Ok((302, 1))),
            ("Transfer-Encoding: chunked\nX: y", Ok((200, 1))),
            ("Status: 99", Err(())),
            ("Status: 101 Switching", Err(())),
            ("no colon", Err(())),
            ("a b: c", Err(())),
            ("", Err(())),
        ] {
            let found = parse(head.as_bytes()).map(|r| (r.status().as_u16(), r.headers().len())).map_err(drop);
            assert_eq!(found, expected, "{head}");
        }
    }

    #[test]
    fn a_head_ends_with_the_first_empty_line_however_it_comes() {
        for (answer, body) in [
            ("A: b\r\n\r\nbody\n\n", Some("body\n\n")),
            ("A: b\n\nx\r\n\r\n", Some("x\r\n\r\n")),
            ("A: b\n\r\nx", Some("x")),
            ("A: b\r\n\n", Some("")),
            ("A: b\r\n\r", None),
            ("A: b\n", None),
        ] {
            for piece in 1..=answer.len() {
                let mut head = Head::default();
                let mut pieces = answer.as_bytes().chunks(piece);
                let read = pieces.by_ref().find_map(|piece| head.push(piece)).map(|read| read.unwrap().1);
                let rest = read.map(|body| [body.to_vec(), pieces.flatten().copied().collect()].concat());
                assert_eq!(rest.as_deref(), body.map(str::as_bytes), "{answer:?} in pieces of {piece}");
            }
        }
    }

    /// A head that came whole in one piece was not held to its bound. With more names than a map of headers can hold, of
    /// which 256 KiB have room for 50,000, it made the host panic.
    #[test]
    fn a_head_that_comes_at_once_is_bounded_too() {
        let name = |number: usize| [3, 2, 1, 0].map(|place| char::from(b'a' + (number >> (4 * place) & 15) as u8));
        let lines = (0..40_000).map(|number| String::from_iter(name(number)) + ":\n");
        let answer = lines.collect::<String>() + "\n";
        let read = Head::default().push(answer.as_bytes());
        assert!(matches!(&read, Some(Err(message)) if message.contains("65536 bytes")), "{read:?}");
    }
}
