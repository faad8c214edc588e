//! A request as the environment of a command.

use http::{HeaderName, header, request::Parts};
use http_body::Body as HttpBody;
use sandbar_call::{Body, RouteMatch};

/// The request as meta-variables, RFC 3875 section 4.1.
pub(super) fn environment(parts: &Parts, input: &Body) -> Vec<(String, String)> {
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
