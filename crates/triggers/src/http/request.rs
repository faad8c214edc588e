//! From a request on the wire to the one that a guest sees.
//!
//! A guest always sees the target in origin form (path and query) and one valid `Host`; what named the host (an absolute
//! target or HTTP/2's `:authority`) is put there (RFC 9112, section 3.2.2). Hop-by-hop fields (RFC 9110, section 7.6.1) end
//! here, but for `TE: trailers`. `CONNECT` is not implemented, `*` is answered here, and a request with no host in
//! HTTP/1.1, with two, or with different ones is a bad request.

use crate::http::{
    forwarded::{Forwarding, is_about_client},
    outcome::Refusing,
    worker::Peer,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header,
    request::Parts,
    uri::{PathAndQuery, Scheme},
};

/// Checks a request's head and makes it the one that a guest sees.
pub(crate) fn admit(head: &mut Parts, forwarding: Forwarding, peer: &Peer) -> Result<(), Refusing> {
    let seen = Seen::of(&head.headers);
    if head.method == Method::CONNECT {
        return Err(Refusing::NotImplemented);
    }
    if is_of_another_scheme(head, peer.tls) {
        return Err(Refusing::Misdirected);
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

/// Whether the target names a scheme that is not spoken here: what is asked for over TLS is never answered without (RFC 9110,
/// section 7.4). HTTP/2 names one in every request, and proxies that end TLS leave the client's there.
fn is_of_another_scheme(head: &Parts, tls: bool) -> bool {
    head.version < Version::HTTP_2
        && head.uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP && !(*scheme == Scheme::HTTPS && tls))
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
        let path = match head.uri.path_and_query() {
            Some(path) if path.as_str().starts_with('?') => format!("/{}", path.as_str()).parse().ok(),
            path => path.cloned(),
        };
        head.uri = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
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
            ("http://x.y?a=b", Version::HTTP_11, &["x.y"], Ok(("x.y", "/?a=b"))),
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
    fn a_target_of_another_scheme_is_not_answered_here() {
        for (target, version, tls, expected) in [
            ("/a", Version::HTTP_11, false, false),
            ("http://x.y/", Version::HTTP_11, false, false),
            ("http://x.y/", Version::HTTP_11, true, false),
            ("https://x.y/", Version::HTTP_11, true, false),
            ("https://x.y/", Version::HTTP_11, false, true),
            ("ftp://x.y/", Version::HTTP_10, true, true),
            ("https://x.y/", Version::HTTP_2, false, false),
        ] {
            let head = head(http::Request::builder().uri(target).version(version));
            assert_eq!(is_of_another_scheme(&head, tls), expected, "{target} {version:?} {tls}");
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
