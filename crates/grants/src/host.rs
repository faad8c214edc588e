//! Hosts as users and guests write them, read once and strictly.
//!
//! A host is a name or an address, and nothing that one reader takes for the one and another reader for the other: numbers
//! in decimal, octal or hexadecimal (`2130706433`, `0177.0.0.1`, `0x7f.1`) are refused rather than read, since a system's
//! resolver would turn them into addresses behind the check. Names are ASCII; an international name is written in punycode.

use crate::Problem;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A host: a name or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name, to be looked up.
    Name(Name),
    /// An address; one that is IPv4 mapped into IPv6 is held as IPv4.
    Address(IpAddr),
}

impl Host {
    /// Reads a host as it stands in a URL: a name, a dotted IPv4 address, or an IPv6 address in brackets.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Host, Problem> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or_else(|| Problem::new("a `[` has no `]`"))?;
            return match inner.parse::<Ipv6Addr>() {
                Ok(address) => Ok(Host::Address(address.to_canonical())),
                Err(_) => Err(Problem::new(format!("`{}` is not an IPv6 address", inner.escape_debug()))),
            };
        }
        match text.parse::<Ipv4Addr>() {
            Ok(address) => Ok(Host::Address(address.into())),
            Err(_) => Name::parse(text).map(Host::Name),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => name.fmt(f),
            Host::Address(IpAddr::V4(address)) => address.fmt(f),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// The longest name of a host, in bytes (RFC 1035).
const NAME_BYTES_MAX: usize = 253;
/// The longest label of a name, in bytes (RFC 1035).
const LABEL_BYTES_MAX: usize = 63;

/// A name of a host: ASCII, lower case, without a trailing dot, never a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(Box<str>);

impl Name {
    /// Reads a name. Upper case and one trailing dot are normalised.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Name, Problem> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err(Problem::new("the host is missing"));
        }
        if !name.is_ascii() {
            return Err(Problem::new("a name is written in ASCII, an international one in punycode (`xn--…`)"));
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(Problem::new(format!("a name has at most {NAME_BYTES_MAX} bytes")));
        }
        for label in name.split('.') {
            check_label(label)?;
        }
        if ends_in_number(name) {
            return Err(Problem::new(format!(
                "`{name}` is a number, not a name; an IPv4 address is written `127.0.0.1`"
            )));
        }
        Ok(Name(name.to_ascii_lowercase().into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `localhost`, which stands for the loopback addresses.
    pub fn is_localhost(&self) -> bool {
        &*self.0 == "localhost"
    }

    /// Whether it lies below `parent`, at any depth.
    fn is_below(&self, parent: &Name) -> bool {
        self.0.strip_suffix(parent.as_str()).is_some_and(|rest| rest.ends_with('.'))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check_label(label: &str) -> Result<(), Problem> {
    if label.is_empty() || label.len() > LABEL_BYTES_MAX {
        return Err(Problem::new(format!("between its dots a name has 1 to {LABEL_BYTES_MAX} bytes")));
    }
    match label.chars().find(|char| !(char.is_ascii_alphanumeric() || matches!(char, '-' | '_'))) {
        Some(char) => Err(Problem::new(format!("`{}` can't be in a name", char.escape_debug()))),
        None => Ok(()),
    }
}

/// Whether a URL parser would read the host as an IPv4 address, as the WHATWG says: its last label is a number.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits(last) || last.strip_prefix("0x").or_else(|| last.strip_prefix("0X")).is_some_and(hexadecimal)
}

/// Names that are granted: `example.com`, `*.example.com` (below it at any depth, not itself), or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamePattern {
    /// Any name.
    Any,
    /// This name.
    Exact(Name),
    /// Every name below this one.
    Below(Name),
}

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<NamePattern, Problem> {
        if text == "*" {
            return Ok(NamePattern::Any);
        }
        let (rest, below) = match text.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        if rest.contains('*') {
            return Err(Problem::new("`*` stands alone or before the first dot, as in `*.example.com`"));
        }
        let name = Name::parse(rest)?;
        Ok(if below { NamePattern::Below(name) } else { NamePattern::Exact(name) })
    }

    /// Whether it covers a name.
    pub fn covers(&self, name: &Name) -> bool {
        match self {
            NamePattern::Any => true,
            NamePattern::Exact(exact) => exact == name,
            NamePattern::Below(parent) => name.is_below(parent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_nothing_between() {
        for (text, expected) in [
            ("example.com", Some("example.com")),
            ("EXAMPLE.Com.", Some("example.com")),
            ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
            ("_sip.a-b.c", Some("_sip.a-b.c")),
            ("3com.example", Some("3com.example")),
            ("0xcafe.example", Some("0xcafe.example")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("[::1]", Some("[::1]")),
            ("[::ffff:127.0.0.1]", Some("127.0.0.1")),
            ("[::ffff:7f00:1]", Some("127.0.0.1")),
            ("", None),
            (".", None),
            ("a..b", None),
            ("a.b..", None),
            ("2130706433", None),
            ("0177.0.0.1", None),
            ("0x7f.0.0.1", None),
            ("0x7f000001", None),
            ("0x", None),
            ("127.1", None),
            ("127.0.0.1.", None),
            ("127.0.0.256", None),
            ("1.2.3.4.5", None),
            ("example.0X7f", None),
            ("bücher.example", None),
            ("127\u{3002}0.0.1", None),
            ("user@example.com", None),
            ("a%2eb", None),
            ("a b", None),
            ("a\0b", None),
            ("*", None),
            ("::1", None),
            ("[::1", None),
            ("[fe80::1%eth0]", None),
            ("[127.0.0.1]", None),
        ] {
            assert_eq!(Host::parse(text).ok().map(|host| host.to_string()).as_deref(), expected, "{text:?}");
        }
        assert!(Host::parse(&"a".repeat(64)).is_err());
        assert!(Host::parse(&["a"; 128].join(".")).is_err());
    }

    #[test]
    fn a_name_pattern_covers_what_it_says() {
        for (pattern, covered, not) in [
            (
                "example.com",
                &["example.com", "EXAMPLE.com."][..],
                &["a.example.com", "example.co", "example.com.evil.io"][..],
            ),
            (
                "*.example.com",
                &["a.example.com", "a.b.Example.com"],
                &["example.com", "evilexample.com", "example.com.evil.io"],
            ),
            ("*", &["a", "localhost"], &[]),
        ] {
            let pattern = NamePattern::parse(pattern).unwrap();
            for name in covered {
                assert!(pattern.covers(&Name::parse(name).unwrap()), "{pattern:?} {name}");
            }
            for name in not {
                assert!(!pattern.covers(&Name::parse(name).unwrap()), "{pattern:?} {name}");
            }
        }
        for text in ["", "*.", "a.*", "**", "*a.com", "*.*.com", "1.2.3.4"] {
            assert!(NamePattern::parse(text).is_err(), "{text}");
        }
    }
}
