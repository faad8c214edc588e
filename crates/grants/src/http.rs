//! Outgoing HTTP: `SCHEME://HOST[:PORT]`.
//!
//! A request is checked by its scheme, host and port as they are written; then the host is resolved, once, the addresses are
//! checked, and the connection goes to exactly such an address. So a name that resolves to the host's own network, or to one
//! address for the check and another for the connection, leads nowhere. Whole hosts are granted, not paths: a server may
//! redirect or serve the same thing at another path, so a path prefix would promise more than it holds. A redirect is not
//! followed; the guest follows it itself, and is checked again.

mod body;
mod client;
mod error;
mod exchange;
mod tls;

use crate::{
    Problem,
    address::{Endpoint, PRIVATE, Ports, Reach},
    host::Host,
    option::{denial, denial_for_good},
};
use ::http::{Method, Uri};
use sandbar_call::{GrantKind, Meter};
use std::fmt;
pub use {
    client::{HttpClient, Timeouts},
    error::HttpError,
    exchange::Exchange,
    tls::Tls,
};

/// The servers that a guest may send requests to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpGrant {
    patterns: Vec<Pattern>,
}

impl HttpGrant {
    pub(crate) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    pub(crate) fn add(&mut self, text: &str) -> Result<(), Problem> {
        self.patterns.push(Pattern::parse(text)?);
        Ok(())
    }

    /// Checks a request by how it is written. What is refused is recorded on the meter.
    ///
    /// # Errors
    /// The URI is not one of a request, or its server is not granted.
    pub fn check(&self, method: &Method, uri: &Uri, meter: &Meter) -> Result<Target, HttpError> {
        let server = Server::parse(uri).map_err(|problem| {
            meter.denied(denial_for_good(GrantKind::Http, &format!("{method} {}", shown(uri))));
            HttpError::RequestInvalid(problem.to_string())
        })?;
        let covering = self.patterns.iter().filter(|pattern| pattern.covers(&server));
        match covering.map(|pattern| pattern.endpoint.reach()).reduce(Reach::or) {
            Some(reach) => {
                meter.called(GrantKind::Http);
                Ok(Target { server, reach, method: method.clone() })
            }
            None => Err(server.deny(method, &server.to_string(), meter)),
        }
    }
}

/// The part of a URI that may be shown in a receipt: no user or password, no path or query.
fn shown(uri: &Uri) -> String {
    format!("{}://{}", uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default())
}

/// One entry: `[private+]SCHEME://HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// `None` for either.
    scheme: Option<Scheme>,
    endpoint: Endpoint,
}

impl Pattern {
    fn parse(text: &str) -> Result<Pattern, Problem> {
        let (private, rest) = match text.strip_prefix(PRIVATE) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (scheme, authority) = rest.split_once("://").ok_or_else(|| Problem::new("the scheme is missing"))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Some(Scheme::Http),
            "https" => Some(Scheme::Https),
            "*" => None,
            _ => return Err(Problem::new("the scheme is `http`, `https` or `*`")),
        };
        if authority.contains('@') {
            return Err(Problem::new("a user can't stand before the host"));
        }
        if authority.contains(['?', '#']) || (authority.contains('/') && !authority.starts_with('[')) {
            return Err(Problem::new("a path can't be granted, only a whole host; end the entry before the `/`"));
        }
        let endpoint = Endpoint::parse(authority, private)?;
        if authority.contains('/') {
            return Err(Problem::new("neither a path nor a block of addresses can be granted here, only a host"));
        }
        Ok(Pattern { scheme, endpoint })
    }

    fn covers(&self, server: &Server) -> bool {
        let ports = self.endpoint.ports.unwrap_or(Ports::one(server.scheme.port()));
        self.scheme.is_none_or(|scheme| scheme == server.scheme)
            && ports.contains(server.port)
            && self.endpoint.covers(&server.host)
    }
}

/// The scheme of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// Where a request goes, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host,
    pub(crate) port: u16,
}

impl Server {
    fn parse(uri: &Uri) -> Result<Server, Problem> {
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            Some(_) => return Err(Problem::new("the scheme is `http` or `https`")),
            None => return Err(Problem::new("the scheme is missing")),
        };
        let authority = uri.authority().ok_or_else(|| Problem::new("the host is missing"))?;
        if authority.as_str().contains('@') {
            return Err(Problem::new("a user can't stand before the host"));
        }
        let host = Host::parse(authority.host())?;
        let port = match authority.port() {
            Some(_) => {
                authority.port_u16().filter(|port| *port != 0).ok_or_else(|| Problem::new("the port is wrong"))?
            }
            None if authority.as_str().ends_with(':') || authority.host().len() == authority.as_str().len() => {
                scheme.port()
            }
            None => return Err(Problem::new("the port is wrong")),
        };
        Ok(Server { scheme, host, port })
    }

    /// Host and port as a request names them: without the port that the scheme implies.
    pub(crate) fn authority(&self) -> String {
        match self.port == self.scheme.port() {
            true => self.host.to_string(),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Records that a request is refused and that `entry` would allow it.
    fn deny(&self, method: &Method, entry: &str, meter: &Meter) -> HttpError {
        let Server { scheme, host, port } = self;
        let asked = format!("{method} {}://{host}:{port}", scheme.as_str());
        let denial = denial(GrantKind::Http, &asked, entry);
        meter.denied(denial.clone());
        HttpError::Denied(Box::new(denial))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}

/// A server that a request may go to, and the addresses it may have. Only a check makes one.
#[derive(Clone, Debug)]
pub struct Target {
    pub(crate) server: Server,
    reach: Reach,
    method: Method,
}

impl Target {
    /// Keeps the addresses that the grant reaches. Where none is left, the refusal is recorded on the meter.
    fn filter(&self, addresses: Vec<std::net::IpAddr>, meter: &Meter) -> Result<Vec<std::net::IpAddr>, HttpError> {
        let within: Vec<_> = addresses.into_iter().filter(|address| self.reach.allows(*address)).collect();
        if !within.is_empty() {
            return Ok(within);
        }
        let entry = match self.server.host {
            Host::Name(_) => format!("{PRIVATE}{}", self.server),
            Host::Address(_) => self.server.to_string(),
        };
        Err(self.server.deny(&self.method, &entry, meter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbar_call::Limits;
    use std::net::IpAddr;

    fn grant(entries: &[&str]) -> HttpGrant {
        let mut grant = HttpGrant::default();
        for entry in entries {
            grant.add(entry).unwrap();
        }
        grant
    }

    /// Whether a request is let through to an address; the address of a literal host is its own.
    fn passes(grant: &HttpGrant, uri: &str, address: &str, meter: &Meter) -> bool {
        let Ok(uri) = uri.parse::<Uri>() else { return false };
        let Ok(target) = grant.check(&Method::GET, &uri, meter) else { return false };
        let address: IpAddr = match &target.server.host {
            Host::Address(address) => *address,
            Host::Name(_) => address.parse().unwrap(),
        };
        target.filter(vec![address], meter).is_ok()
    }

    #[test]
    fn a_pattern_lets_through_what_it_says() {
        for (pattern, uri, address, expected) in [
            ("https://api.example.com", "https://api.example.com/x?y", "1.1.1.1", true),
            ("https://api.example.com", "https://API.Example.com.:443/", "1.1.1.1", true),
            ("HTTPS://API.example.com.", "https://api.example.com/", "1.1.1.1", true),
            ("https://api.example.com", "http://api.example.com/", "1.1.1.1", false),
            ("https://api.example.com", "http://api.example.com:443/", "1.1.1.1", false),
            ("https://api.example.com", "https://api.example.com:444/", "1.1.1.1", false),
            ("https://api.example.com", "https://api.example.com.evil.io/", "1.1.1.1", false),
            ("https://api.example.com", "https://api.example.com@evil.io/", "1.1.1.1", false),
            ("https://*", "https://user@api.example.com/", "1.1.1.1", false),
            ("https://*", "https://user:pw@api.example.com/", "1.1.1.1", false),
            ("*://api.example.com", "http://api.example.com/", "1.1.1.1", true),
            ("*://api.example.com", "http://api.example.com:443/", "1.1.1.1", false),
            ("http://api.example.com:*", "http://api.example.com:8080/", "1.1.1.1", true),
            ("http://api.example.com:*", "http://api.example.com:0/", "1.1.1.1", false),
            ("http://api.example.com:8000-8999", "http://api.example.com:8080/", "1.1.1.1", true),
            ("https://*.example.com", "https://a.b.example.com/", "1.1.1.1", true),
            ("https://*.example.com", "https://example.com/", "1.1.1.1", false),
            ("https://*.example.com", "https://evilexample.com/", "1.1.1.1", false),
            ("*://*:*", "https://anything.example:1/", "1.1.1.1", true),
            ("*://*:*", "https://1.1.1.1/", "", true),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", "", true),
            ("http://127.0.0.1:8080", "http://[::ffff:127.0.0.1]:8080/", "", true),
            ("http://127.0.0.1:8080", "http://localhost:8080/", "127.0.0.1", false),
            ("http://[::1]:8080", "http://[::1]:8080/", "", true),
            ("http://localhost:8080", "http://localhost:8080/", "127.0.0.1", true),
            ("http://localhost:8080", "http://LOCALHOST.:8080/", "::1", true),
            ("http://localhost:8080", "http://localhost:8080/", "10.0.0.1", false),
            ("http://localhost:8080", "http://127.0.0.1:8080/", "", false),
            ("http://db.internal", "http://db.internal/", "10.0.0.1", false),
            ("private+http://db.internal", "http://db.internal/", "10.0.0.1", true),
            ("private+http://*", "http://169.254.169.254/", "", true),
        ] {
            assert_eq!(
                passes(&grant(&[pattern]), uri, address, &Meter::new(Limits::NONE)),
                expected,
                "{pattern} {uri}"
            );
        }
    }

    #[test]
    fn an_address_behind_the_wildcard_is_never_reached() {
        let grant = grant(&["*://*:*"]);
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0x7f.0.0.1",
            "017700000001",
            "127.0.0.1.",
            "[::1]",
            "[::]",
            "0.0.0.0",
            "0",
            "169.254.169.254",
            "[::ffff:169.254.169.254]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "10.0.0.1",
            "192.168.0.1",
            "172.16.0.1",
            "100.64.0.1",
            "224.0.0.1",
            "localhost.",
            "LOCALHOST",
            "a@127.0.0.1",
            "127.0.0.1%2f",
            "1.1.1.1@127.0.0.1",
        ] {
            let meter = Meter::new(Limits::NONE);
            assert!(!passes(&grant, &format!("http://{host}/"), "127.0.0.1", &meter), "{host}");
        }
        for address in ["127.0.0.1", "::1", "10.1.1.1", "169.254.169.254", "::ffff:10.0.0.1", "fd00::1"] {
            let meter = Meter::new(Limits::NONE);
            assert!(!passes(&grant, "http://rebound.example/", address, &meter), "{address}");
            assert_eq!(meter.denials().0[0].allow, r#"http = ["private+http://rebound.example"]"#);
        }
    }

    #[test]
    fn a_refused_request_says_what_to_type() {
        for (entries, uri, address, asked, allow) in [
            (&[][..], "https://a.com/x?secret=1", "1.1.1.1", "GET https://a.com:443", r#"http = ["https://a.com"]"#),
            (
                &["https://a.com"],
                "http://a.com:8080/",
                "1.1.1.1",
                "GET http://a.com:8080",
                r#"http = ["http://a.com:8080"]"#,
            ),
            (&["http://*"], "http://127.0.0.1/", "", "GET http://127.0.0.1:80", r#"http = ["http://127.0.0.1"]"#),
            (&["http://*"], "http://[::1]/", "", "GET http://[::1]:80", r#"http = ["http://[::1]"]"#),
            (&["http://*"], "http://a.com/", "10.0.0.1", "GET http://a.com:80", r#"http = ["private+http://a.com"]"#),
        ] {
            let meter = Meter::new(Limits::NONE);
            assert!(!passes(&grant(entries), uri, address, &meter));
            let denials = meter.denials().0;
            assert_eq!((denials[0].asked.as_str(), denials[0].allow.as_str()), (asked, allow));
            let typed = allow.trim_start_matches("http = [\"").trim_end_matches("\"]");
            assert!(passes(&grant(&[typed]), uri, address, &meter), "what it says helps: {typed}");
        }
        let meter = Meter::new(Limits::NONE);
        assert!(!passes(&grant(&["http://*"]), "http://0x7f.1/", "", &meter));
        let denied = &meter.denials().0[0];
        assert_eq!((denied.asked.as_str(), denied.allow.as_str()), ("GET http://0x7f.1", ""), "nothing to type");
        let meter = Meter::new(Limits::NONE);
        assert!(!passes(&grant(&["http://*"]), "http://user:secret@a.com/?secret", "1.1.1.1", &meter));
        assert_eq!(meter.denials().0[0].asked, "GET http://a.com", "no secret in a receipt");
    }

    #[test]
    fn a_wrong_pattern_is_refused() {
        for (text, problem) in [
            ("a.com", "the scheme is missing"),
            ("ftp://a.com", "the scheme is `http`, `https` or `*`"),
            ("https://", "the host is missing"),
            ("https://a.com/", "a path can't be granted, only a whole host; end the entry before the `/`"),
            ("https://a.com/v1", "a path can't be granted, only a whole host; end the entry before the `/`"),
            ("https://[::1]/v1", "after `]` comes `:` and a port, or nothing"),
            ("https://[fd00::/8]", "neither a path nor a block of addresses can be granted here, only a host"),
            ("https://u@a.com", "a user can't stand before the host"),
            ("https://a.com:x", "`x` is not a port, a range of ports or `*`"),
            ("https://::1", "an IPv6 address is written in brackets, as in `[::1]:80`"),
            ("https://0x7f.1", "`0x7f.1` is a number, not a name; an IPv4 address is written `127.0.0.1`"),
            ("https://bücher.de", "a name is written in ASCII, an international one in punycode (`xn--…`)"),
            ("https://a.*.com", "`*` stands alone or before the first dot, as in `*.example.com`"),
        ] {
            assert_eq!(Pattern::parse(text).unwrap_err().to_string(), problem, "{text}");
        }
    }
}
