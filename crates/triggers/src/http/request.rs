//! From a request on the wire to the one that a guest sees.
//!
//! A guest always sees the target in origin form (path and query) and one valid `Host`; what named the host (an absolute
//! target or HTTP/2's `:authority`) is put there (RFC 9112, section 3.2.2). Hop-by-hop fields (RFC 9110, section 7.6.1) end
//! here, but for `TE: trailers`. `CONNECT` is not implemented, `*` is answered here, and a request with no host in
//! HTTP/1.1, with two, or with different ones is a bad request.

use crate::http::{
    forwarded::{Forwarding, is_about_client},
    outcome::Refusing,
    watch::{Verdict, Watch},
    worker::Peer,
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header, request::Parts, uri::PathAndQuery};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use sandbar_call::{Body, BodyError};
use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
};

/// Checks a request's head and makes it the one that a guest sees.
pub(crate) fn admit(head: &mut Parts, forwarding: Forwarding, peer: &Peer) -> Result<(), Refusing> {
    let seen = Seen::of(&head.headers);
    if head.method == Method::CONNECT {
        return Err(Refusing::NotImplemented);
    }
    settle_host(head, seen.hosts)?;
    if seen.hop_by_hop {
        drop_hop_by_hop(&mut head.headers);
    }
    if seen.about_client || forwarding.add.is_some() {
        forwarding.apply(&mut head.headers, seen.about_client, peer.address, peer.tls);
    }
    match head.uri.path() {
        "*" if head.method == Method::OPTIONS => Err(Refusing::ServerOptions),
        path if path.starts_with('/') => Ok(()),
        _ => Err(Refusing::BadRequest("expected a path that starts with `/`")),
    }
}

/// What one pass over the headers finds.
#[derive(Default)]
struct Seen {
    hosts: usize,
    hop_by_hop: bool,
    about_client: bool,
}

impl Seen {
    fn of(headers: &HeaderMap) -> Seen {
        let mut seen = Seen::default();
        for (name, _) in headers {
            match name.as_str() {
                "host" => seen.hosts += 1,
                "connection"
                | "keep-alive"
                | "proxy-connection"
                | "proxy-authorization"
                | "proxy-authenticate"
                | "te"
                | "transfer-encoding"
                | "upgrade" => seen.hop_by_hop = true,
                name if is_about_client(name) => seen.about_client = true,
                _ => {}
            }
        }
        seen
    }
}

fn settle_host(head: &mut Parts, hosts: usize) -> Result<(), Refusing> {
    if hosts > 1 {
        return Err(Refusing::BadRequest("expected one `Host`, found several"));
    }
    if let Some(authority) = head.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusing::BadRequest("invalid host"))?;
        // In HTTP/2 the two must agree; in HTTP/1 the target wins (RFC 9113, section 8.3.1; RFC 9112, section 3.2.2).
        let other = head.headers.insert(header::HOST, host.clone()).filter(|_| head.version >= Version::HTTP_2);
        if other.is_some_and(|other| !other.as_bytes().eq_ignore_ascii_case(host.as_bytes())) {
            return Err(Refusing::BadRequest("`Host` and `:authority` differ"));
        }
        let path = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        head.uri = Uri::from(path);
    }
    match head.headers.get(header::HOST) {
        Some(host) if host.as_bytes().iter().all(|&byte| is_host_byte(byte)) && !host.is_empty() => Ok(()),
        Some(_) => Err(Refusing::BadRequest("invalid host")),
        None if head.version <= Version::HTTP_10 => Ok(()),
        None => Err(Refusing::BadRequest("expected a `Host`, found none")),
    }
}

/// The bytes of a host and port (RFC 3986, section 3.2.2) without user information, quotes and spaces.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(&byte)
}

/// The name in a `Host` header: without the port, and without the dot that ends a full name.
pub(crate) fn host_name(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let end = match host.starts_with('[') {
        true => host.find(']').map(|at| at + 1),
        false => host.find(':'),
    };
    let name = end.and_then(|end| host.get(..end)).unwrap_or(host);
    Some(name.strip_suffix('.').unwrap_or(name))
}

/// Removes fields that are about the connection, and those that `Connection` names.
pub(crate) fn drop_hop_by_hop(headers: &mut HeaderMap) {
    const FIELDS: [HeaderName; 7] = [
        header::CONNECTION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        header::PROXY_AUTHORIZATION,
        header::PROXY_AUTHENTICATE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let takes_trailers = headers.get_all(header::TE).iter().any(|te| names(te).any(|name| name == "trailers"));
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(names)
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        .filter(|name| !matches!(*name, header::HOST | header::CONTENT_LENGTH | header::CONTENT_TYPE))
        .collect();
    for name in named.into_iter().chain(FIELDS) {
        headers.remove(name);
    }
    headers.remove(header::TE);
    if takes_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// The words of a list in a header, in lower case and without parameters.
fn names(value: &HeaderValue) -> impl Iterator<Item = String> {
    let text = value.to_str().unwrap_or_default();
    text.split(',').map(|item| item.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Takes a request's body: empty and small ones whole, others as they come.
///
/// # Errors
/// A body that is too large by its length, or that did not come whole.
pub(crate) async fn take_body(
    head: &Parts,
    body: Incoming,
    peer: &Arc<Peer>,
    most: u64,
) -> Result<(Body, Option<KeptBack>), Refusing> {
    if body.is_end_stream() {
        return Ok((Body::Empty, None));
    }
    let length = body.size_hint().exact();
    if length.is_some_and(|length| length > most) {
        return Err(Refusing::TooLarge);
    }
    let intake = Intake { body, left: most, broken: false, peer: peer.clone() };
    if head.headers.contains_key(header::EXPECT) {
        let (body, kept_back) = KeptBack::new(intake);
        return Ok((body, Some(kept_back)));
    }
    let small = length.filter(|length| *length <= peer.worker.guards.gather_bytes_max);
    let body = match small {
        Some(length) => Box::pin(gather(intake, length)).await?,
        None => Body::stream(intake),
    };
    Ok((body, None))
}

/// Reads a small body to its end. One that came in one piece is not copied.
async fn gather(intake: Intake, length: u64) -> Result<Body, Refusing> {
    let peer = intake.peer.clone();
    let verdict = |_: BodyError| Refusing::from(peer.watch.take_verdict().unwrap_or(Verdict::Broken));
    // The count starts once and not with each piece: all of it has to come in time.
    let mut intake = std::pin::pin!(Gathering(intake));
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    let mut trailers = None;
    while let Some(frame) = intake.frame().await {
        match frame.map_err(verdict)?.into_data() {
            Ok(data) if whole.is_empty() && pieces.is_empty() => whole = data,
            Ok(data) => {
                if pieces.is_empty() {
                    pieces.reserve(usize::try_from(length).unwrap_or_default());
                    pieces.extend_from_slice(&whole);
                }
                pieces.extend_from_slice(&data);
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    let whole = if pieces.is_empty() { whole } else { pieces.freeze() };
    Ok(match trailers {
        None => Body::from(whole),
        Some(trailers) => {
            let body = Full::new(whole).with_trailers(std::future::ready(Some(Ok(trailers))));
            Body::stream(body.map_err(|never| match never {}))
        }
    })
}

/// A request's body on its way to a guest: bounded in bytes, and watched while it is awaited.
struct Intake {
    body: Incoming,
    /// Bytes that may still come.
    left: u64,
    /// Whether it broke off. hyper tells so once, and then that it has ended.
    broken: bool,
    peer: Arc<Peer>,
}

/// Why a request's body ended early, for the guest.
#[derive(Debug)]
struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request's body is larger than allowed")
    }
}

impl std::error::Error for TooLarge {}

impl Intake {
    fn watch(&self) -> &Watch {
        &self.peer.watch
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.broken {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => {
                    self.watch().judge(Verdict::TooLarge);
                    return Poll::Ready(Some(Err(TooLarge.into())));
                }
            }
        }
        if let Poll::Ready(Some(Err(_))) = &polled {
            // Nobody waits for this call, or nobody can: it is cancelled. Its guest is not told, so that it can't end first.
            self.broken = true;
            self.watch().end(Verdict::Broken);
            return Poll::Pending;
        }
        polled.map_err(BodyError::from)
    }
}

impl http_body::Body for Intake {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = self.poll(cx);
        self.watch().reading(polled.is_pending());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.watch().reading(false);
    }
}

/// A body that its client keeps back until it is told to continue (RFC 9110, section 10.1.1), which reading it does. A guest
/// that answers first and reads then would wait for a client that takes the answer for a no.
pub(crate) struct KeptBack(Weak<Mutex<Early>>);

/// An intake, and what was read of it early.
struct Early {
    intake: Intake,
    frame: Option<Result<Frame<Bytes>, BodyError>>,
    asked: bool,
}

/// The guest's end of it.
struct Shared(Arc<Mutex<Early>>);

impl KeptBack {
    fn new(intake: Intake) -> (Body, KeptBack) {
        let early = Arc::new(Mutex::new(Early { intake, frame: None, asked: false }));
        let kept_back = KeptBack(Arc::downgrade(&early));
        (Body::stream(Shared(early)), kept_back)
    }

    /// Before an answer begins: asks for the body if the guest may still read it.
    pub(crate) async fn ask(self) {
        let asked = poll_fn(|cx| Poll::Ready(self.0.upgrade().map(|early| lock(&early).ask(cx)))).await;
        if asked.is_some() {
            // The connection's turn: it writes `100 Continue` before it is given the answer.
            tokio::task::yield_now().await;
        }
    }
}

impl Early {
    fn ask(&mut self, cx: &mut Context<'_>) {
        if !self.asked
            && let Poll::Ready(frame) = Pin::new(&mut self.intake).poll_frame(cx)
        {
            self.frame = frame;
        }
        self.asked = true;
    }
}

fn lock(early: &Mutex<Early>) -> MutexGuard<'_, Early> {
    early.lock().unwrap_or_else(PoisonError::into_inner)
}

impl http_body::Body for Shared {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut early = lock(&self.0);
        early.asked = true;
        match early.frame.take() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut early.intake).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        let early = lock(&self.0);
        early.frame.is_none() && early.intake.is_end_stream()
    }
}

/// An intake that is read to its end before the call: its time is not reset by a piece, and a verdict ends it.
struct Gathering(Intake);

impl http_body::Body for Gathering {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = self.0.poll(cx);
        if polled.is_pending() {
            if self.0.watch().is_judged() {
                return Poll::Ready(Some(Err("the body did not come in time".into())));
            }
            self.0.watch().reading(true);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(request: http::request::Builder) -> Parts {
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_host_is_settled_or_refused() {
        type Case<'a> = (&'a str, Version, &'a [&'a str], Result<(&'a str, &'a str), ()>);
        let cases: &[Case<'_>] = &[
            ("/a?b", Version::HTTP_11, &["x.y:80"], Ok(("x.y:80", "/a?b"))),
            ("/", Version::HTTP_11, &[], Err(())),
            ("/", Version::HTTP_10, &[], Ok(("", "/"))),
            ("/", Version::HTTP_11, &["a", "a"], Err(())),
            ("/", Version::HTTP_11, &["a b"], Err(())),
            ("/", Version::HTTP_11, &["u@a"], Err(())),
            ("/", Version::HTTP_11, &[""], Err(())),
            ("http://x.y/a", Version::HTTP_11, &["other"], Ok(("x.y", "/a"))),
            ("http://x.y", Version::HTTP_11, &["x.y"], Ok(("x.y", "/"))),
            ("http://u@x.y/", Version::HTTP_11, &["x.y"], Err(())),
            ("http://x.y/a", Version::HTTP_2, &[], Ok(("x.y", "/a"))),
            ("http://x.y/a", Version::HTTP_2, &["X.y"], Ok(("x.y", "/a"))),
            ("http://x.y/a", Version::HTTP_2, &["other"], Err(())),
        ];
        for (target, version, hosts, expected) in cases {
            let mut head = head(http::Request::builder().uri(*target).version(*version));
            hosts.iter().for_each(|host| {
                head.headers.append(header::HOST, host.parse().unwrap());
            });
            let settled = settle_host(&mut head, hosts.len()).map_err(drop).map(|()| {
                let host = head.headers.get(header::HOST).map_or("", |host| host.to_str().unwrap());
                (host.to_owned(), head.uri.to_string())
            });
            let expected = expected.map(|(host, uri)| (host.to_owned(), uri.to_owned()));
            assert_eq!(settled, expected, "{target} {hosts:?}");
        }
    }

    #[test]
    fn hop_by_hop_fields_end_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret, host"),
            ("x-secret", "1"),
            ("host", "a"),
            ("keep-alive", "5"),
            ("te", "gzip, trailers;q=1"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "x"),
            ("accept", "*/*"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        drop_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        left.sort_unstable();
        assert_eq!(left, [("accept", "*/*"), ("host", "a"), ("te", "trailers")]);
    }

    #[test]
    fn a_host_is_named_without_its_port() {
        for (host, expected) in
            [("a.b", "a.b"), ("a.b:80", "a.b"), ("a.b.", "a.b"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]")]
        {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            assert_eq!(host_name(&headers), Some(expected));
        }
    }
}
