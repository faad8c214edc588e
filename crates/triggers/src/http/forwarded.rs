//! What a guest is told about the client behind a proxy, by choice of the app.
//!
//! A client can write any `Forwarded` or `X-Forwarded-…` header, and guests believe them. So they are dropped unless the
//! app says that a proxy of its own stands in front and writes them; and this server adds its own view only when asked.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::net::{IpAddr, SocketAddr};

/// Which headers about the client reach a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// What happens to those that came with the request.
    pub incoming: Incoming,
    /// Which ones this server adds, after those that were kept.
    pub add: Option<ForwardedForm>,
}

/// What happens to headers about the client that came with a request: `Forwarded`, `X-Forwarded-…`, `X-Real-IP`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Incoming {
    /// They are removed: clients connect directly and could write anything.
    #[default]
    Dropped,
    /// They are passed on: every client comes through a proxy that writes them.
    Kept,
}

/// The form of the headers that this server adds: client address, protocol and host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedForm {
    /// `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`.
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Rfc7239,
}

const X_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Whether a header says something about the client behind a proxy.
pub(crate) fn is_about_client(name: &str) -> bool {
    name == "forwarded" || name == "x-real-ip" || name.starts_with("x-forwarded-")
}

impl Forwarding {
    /// Applies the choice. `about_client` says whether the headers have any of these, as a look before told.
    pub(crate) fn apply(self, headers: &mut HeaderMap, about_client: bool, client: Option<SocketAddr>, tls: bool) {
        if about_client && self.incoming == Incoming::Dropped {
            let names: Vec<HeaderName> =
                headers.keys().filter(|name| is_about_client(name.as_str())).cloned().collect();
            for name in names {
                headers.remove(name);
            }
        }
        let client = client.map(|client| client.ip().to_canonical());
        let scheme = if tls { "https" } else { "http" };
        match self.add {
            None => {}
            Some(ForwardedForm::XForwarded) => add_x_forwarded(headers, client, scheme),
            Some(ForwardedForm::Rfc7239) => add_rfc7239(headers, client, scheme),
        }
    }
}

/// The address is appended to those that were kept; protocol and host of the outermost proxy stay.
fn add_x_forwarded(headers: &mut HeaderMap, client: Option<IpAddr>, scheme: &'static str) {
    if let Some(value) = client.and_then(|client| client.to_string().parse().ok()) {
        headers.append(X_FOR, value);
    }
    if !headers.contains_key(X_PROTO) {
        headers.insert(X_PROTO, HeaderValue::from_static(scheme));
    }
    if let (Some(host), false) = (headers.get(header::HOST).cloned(), headers.contains_key(X_HOST)) {
        headers.insert(X_HOST, host);
    }
}

fn add_rfc7239(headers: &mut HeaderMap, client: Option<IpAddr>, scheme: &str) {
    let client = match client {
        Some(IpAddr::V4(client)) => client.to_string(),
        Some(IpAddr::V6(client)) => format!("\"[{client}]\""),
        None => "unknown".to_owned(),
    };
    // The host was checked: it holds no quote and no backslash.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.map(|host| format!(";host=\"{host}\"")).unwrap_or_default();
    if let Ok(value) = format!("for={client}{host};proto={scheme}").parse() {
        headers.append(header::FORWARDED, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forged_headers_are_dropped_and_own_ones_added_by_choice() {
        let x = Some(ForwardedForm::XForwarded);
        let rfc = Some(ForwardedForm::Rfc7239);
        type Case<'a> = (Incoming, Option<ForwardedForm>, &'a str, &'a [(&'a str, &'a str)]);
        let cases: &[Case<'_>] = &[
            (Incoming::Dropped, None, "10.0.0.9:5", &[]),
            (Incoming::Kept, None, "10.0.0.9:5", &[("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=evil")]),
            (
                Incoming::Dropped,
                x,
                "10.0.0.9:5",
                &[("x-forwarded-for", "10.0.0.9"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "a.b")],
            ),
            (
                Incoming::Kept,
                x,
                "[::ffff:10.0.0.9]:5",
                &[
                    ("x-forwarded-for", "1.2.3.4"),
                    ("x-forwarded-for", "10.0.0.9"),
                    ("forwarded", "for=evil"),
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "a.b"),
                ],
            ),
            (
                Incoming::Dropped,
                rfc,
                "[2001:db8::1]:5",
                &[("forwarded", "for=\"[2001:db8::1]\";host=\"a.b\";proto=https")],
            ),
        ];
        for (incoming, add, client, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "a.b".parse().unwrap());
            headers.insert(X_FOR, "1.2.3.4".parse().unwrap());
            headers.insert(header::FORWARDED, "for=evil".parse().unwrap());
            let forwarding = Forwarding { incoming: *incoming, add: *add };
            forwarding.apply(&mut headers, true, Some(client.parse().unwrap()), true);
            headers.remove(header::HOST);
            let found: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
            let mut found = found;
            let mut expected = expected.to_vec();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{forwarding:?}");
        }
    }
}
