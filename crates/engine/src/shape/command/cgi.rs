//! CGI/1.1, RFC 3875: a command bound to a route gets the request in its environment and on stdin, and answers on stdout with
//! a few header lines, an empty line and the body, which streams.

use super::CommandCall;
use crate::{
    entry::{AsyncCall, Ended, Inner, Work},
    program::{Program, Streams},
    sandbox::Sandbox,
    shape::exchange::{Charged, Exchange, Frames},
    stdio::Pipe,
};
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body::{Body as HttpBody, Frame};
use sandbar_call::{Body, BodyError, Outcome, Reply, RouteMatch};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll},
};
use wasmtime::Result;

/// The most bytes of header lines that a guest may answer with.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Answers a request.
pub(crate) async fn answer_http(entry: Arc<Inner>, mut work: Work, request: Request<Body>) -> Reply {
    let (parts, input) = request.into_parts();
    let env = environment(&parts, &input);
    let args: Vec<String> = std::iter::once(entry.program.name.to_string())
        .chain(entry.program.binding().grants.args.iter().cloned())
        .collect();
    let (slot, sandbox) = match work.sandbox(Streams { host: false, args: &args, env: &env }).await {
        Ok(taken) => taken,
        Err(outcome) => return work.end(outcome),
    };
    let stdout = sandbox.store.data().stdout.clone();
    let ended = Arc::new(AtomicBool::new(false));
    let call = CgiCall {
        command: CommandCall { entry, input, whole_output: false },
        ended: ended.clone(),
        stdout: stdout.clone(),
    };
    let guest = work.drive(slot, sandbox, call);
    let mut seen = BytesMut::new();
    let head = Box::new(move |cx: &mut Context<'_>| read_head(&stdout, &ended, &mut seen, cx));
    Exchange::new(work, guest, head, Charged::WhenWritten).answer(&parts.method).await
}

/// The request as meta-variables, RFC 3875 section 4.1.
fn environment(parts: &Parts, input: &Body) -> Vec<(String, String)> {
    let matched = parts.extensions.get::<RouteMatch>();
    let path = parts.uri.path();
    let prefix_len = matched.map_or(0, |matched| matched.prefix_len);
    let (script, info) = path.split_at_checked(prefix_len).unwrap_or(("", path));
    let info = decoded(info);
    let header = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let host = parts.uri.authority().map_or_else(|| header(header::HOST), |authority| authority.as_str());
    let (server, port) = split_port(host);
    let tls = matched.is_some_and(|matched| matched.tls);
    let length = match HttpBody::size_hint(input).exact() {
        Some(0) | None => header(header::CONTENT_LENGTH).to_owned(),
        Some(length) => length.to_string(),
    };
    let peer = matched.and_then(|matched| matched.peer).map(|peer| peer.ip().to_string()).unwrap_or_default();
    let mut env: Vec<(String, String)> = [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", concat!("sandbar/", env!("CARGO_PKG_VERSION"))),
        ("SERVER_PROTOCOL", protocol(parts.version)),
        ("SERVER_NAME", server),
        ("SERVER_PORT", port.unwrap_or(if tls { "443" } else { "80" })),
        ("REQUEST_METHOD", parts.method.as_str()),
        ("REQUEST_SCHEME", if tls { "https" } else { "http" }),
        ("SCRIPT_NAME", script),
        ("PATH_INFO", &info),
        ("QUERY_STRING", parts.uri.query().unwrap_or_default()),
        ("REMOTE_ADDR", &peer),
        ("REMOTE_HOST", &peer),
        ("CONTENT_TYPE", header(header::CONTENT_TYPE)),
        ("CONTENT_LENGTH", &length),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    env.extend(parts.headers.keys().filter(|name| passed(name)).map(|name| {
        let values: Vec<_> = parts.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        (format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_")), values.join(", "))
    }));
    env
}

/// Credentials stay with the server (RFC 3875 section 4.1.18), and `Proxy` would be taken for a setting of libraries
/// (CVE-2016-5385). A name with `_` would be mistaken for another.
fn passed(name: &HeaderName) -> bool {
    !matches!(
        *name,
        header::AUTHORIZATION | header::PROXY_AUTHORIZATION | header::CONTENT_TYPE | header::CONTENT_LENGTH
    ) && name != "proxy"
        && !name.as_str().contains('_')
}

/// A path without its percent-encoding, RFC 3875 section 4.1.5. What is no UTF-8 then is replaced.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        let code = match rest {
            [b'%', high, low, ..] => {
                std::str::from_utf8(&[*high, *low]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
            }
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => (name, Some(port)),
        _ => (host, None),
    }
}

fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// Runs the command, and says when it has ended.
struct CgiCall {
    command: CommandCall,
    ended: Arc<AtomicBool>,
    stdout: Pipe,
}

impl AsyncCall<()> for CgiCall {
    const REUSABLE: bool = false;

    async fn call(self, program: &Program, sandbox: &mut Sandbox) -> Result<Ended<()>> {
        let ended = self.command.call(program, sandbox).await;
        self.ended.store(true, SeqCst);
        self.stdout.wake();
        let Ended { outcome, .. } = ended?;
        // Its exit code says nothing that the answer did not say.
        let outcome = match outcome {
            Outcome::Failed { code: Some(code), .. } => {
                Outcome::Failed { code: Some(code), message: format!("the command ended with code {code}") }
            }
            outcome => outcome,
        };
        Ok(Ended { outcome, answer: Some(()) })
    }
}

/// Reads the head of the answer once it is there, RFC 3875 section 6.2.
fn read_head(
    stdout: &Pipe,
    ended: &Arc<AtomicBool>,
    seen: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Option<std::result::Result<Response<Frames>, String>> {
    loop {
        if let Some((head, body_at)) = find_head(seen) {
            let head = seen.get(..head).unwrap_or_default().to_vec();
            let rest = seen.split_off(body_at).freeze();
            let frames: Frames = Box::pin(CgiBody { rest, stdout: stdout.clone(), ended: ended.clone() });
            return Some(parse_head(&head).map(|response| response.map(|()| frames)));
        }
        if seen.len() > HEAD_BYTES_MAX {
            return Some(Err(format!("expected an empty line within {HEAD_BYTES_MAX} bytes of CGI header lines")));
        }
        let has_ended = ended.load(SeqCst);
        match stdout.poll_next(cx) {
            Poll::Ready(chunk) => seen.extend_from_slice(&chunk),
            Poll::Pending if has_ended && seen.is_empty() => return Some(Err("the command answered nothing".into())),
            Poll::Pending if has_ended => {
                return Some(Err("expected CGI header lines and an empty line on stdout".into()));
            }
            Poll::Pending => return None,
        }
    }
}

/// Where the head ends and the body begins: after the first empty line.
fn find_head(seen: &[u8]) -> Option<(usize, usize)> {
    let end = |separator: &[u8]| {
        seen.windows(separator.len()).position(|window| window == separator).map(|at| (at, at + separator.len()))
    };
    match (end(b"\n\n"), end(b"\r\n\r\n")) {
        (Some(lf), Some(crlf)) => Some(if lf.0 < crlf.0 { lf } else { crlf }),
        (lf, crlf) => lf.or(crlf),
    }
}

fn parse_head(head: &[u8]) -> std::result::Result<Response<()>, String> {
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

/// The rest of stdout.
struct CgiBody {
    rest: Bytes,
    stdout: Pipe,
    ended: Arc<AtomicBool>,
}

impl HttpBody for CgiBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BodyError>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.rest)))));
        }
        let has_ended = self.ended.load(SeqCst);
        match self.stdout.poll_next(cx) {
            Poll::Ready(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            Poll::Pending if has_ended => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
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
        ] {
            let found = parse_head(head.as_bytes()).map(|r| (r.status().as_u16(), r.headers().len())).map_err(drop);
            assert_eq!(found, expected, "{head}");
        }
        assert_eq!(find_head(b"A: b\r\n\r\nbody\n\n"), Some((4, 8)));
        assert_eq!(find_head(b"A: b\n\nx\r\n\r\n"), Some((4, 6)));
    }
}
