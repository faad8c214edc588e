//! Name look-up: `example.com`, `*.example.com` or `*`.
//!
//! A name that stands in a `tcp` or `udp` grant may be looked up too, since the grant would be of no use otherwise. What was
//! looked up is remembered for the sandbox: a connection to an address is granted by name only where this sandbox has been
//! told the address for that name. So it is resolved once, and a second answer of the name server changes nothing.

use crate::{
    Problem,
    host::{Host, Name, NamePattern},
    option::{denial, denial_for_good},
    tcp::TcpGrant,
    udp::UdpGrant,
};
use sandbar_call::{GrantKind, Meter};
use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    io,
    net::{IpAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
};
use tokio::sync::Semaphore;

/// The names that a guest may look up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupGrant {
    patterns: Vec<NamePattern>,
}

impl LookupGrant {
    pub(crate) fn add(&mut self, text: &str) -> Result<(), Problem> {
        self.patterns.push(NamePattern::parse(text)?);
        Ok(())
    }

    /// Checks whether a host may be looked up. An address stands for itself and needs no grant. What is refused is recorded
    /// on the meter.
    ///
    /// # Errors
    /// The name is not granted, or is none.
    pub(crate) fn check(&self, name: &str, tcp: &TcpGrant, udp: &UdpGrant, meter: &Meter) -> Result<Host, LookupError> {
        let host = parse_bare(name).map_err(|problem| {
            meter.denied(denial_for_good(GrantKind::Lookup, name));
            LookupError::Invalid(problem)
        })?;
        let Host::Name(name) = &host else { return Ok(host) };
        if self.patterns.iter().chain(tcp.names()).chain(udp.names()).any(|pattern| pattern.covers(name)) {
            meter.called(GrantKind::Lookup);
            return Ok(host);
        }
        meter.denied(denial(GrantKind::Lookup, name.as_str(), name.as_str()));
        Err(LookupError::Denied)
    }
}

/// A host as a guest passes it to a look-up: as in a URL, or an IPv6 address without brackets.
fn parse_bare(text: &str) -> Result<Host, Problem> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(Host::Address(address.to_canonical())),
        Err(_) => Host::parse(text),
    }
}

/// Why a name has no addresses for a guest.
#[derive(Debug)]
pub enum LookupError {
    /// It is not granted.
    Denied,
    /// It is not a name.
    Invalid(Problem),
    /// There is no such name, or it has no address.
    NotFound,
    /// The resolver failed.
    Failed(io::Error),
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LookupError::Denied => f.write_str("the name is not granted"),
            LookupError::Invalid(problem) => problem.fmt(f),
            LookupError::NotFound => f.write_str("the name has no address"),
            LookupError::Failed(_) => f.write_str("the name could not be looked up"),
        }
    }
}

impl std::error::Error for LookupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LookupError::Failed(error) => Some(error),
            LookupError::Denied | LookupError::Invalid(_) | LookupError::NotFound => None,
        }
    }
}

/// Addresses on their way.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Finds the addresses of names. An argument, so that a test can be the name server.
pub trait Resolver: Send + Sync {
    /// Finds the addresses of a name; none where it doesn't exist.
    fn resolve<'a>(&'a self, name: &'a Name) -> Resolving<'a>;
}

/// How many addresses of one name are looked at.
const ADDRESSES_MAX: usize = 16;

/// Resolves a name and bounds the answer.
pub(crate) async fn resolve(resolver: &dyn Resolver, name: &Name) -> Result<Vec<IpAddr>, LookupError> {
    let mut addresses = resolver.resolve(name).await.map_err(LookupError::Failed)?;
    addresses.truncate(ADDRESSES_MAX);
    for address in &mut addresses {
        *address = address.to_canonical();
    }
    if addresses.is_empty() { Err(LookupError::NotFound) } else { Ok(addresses) }
}

/// How many names the system's resolver is asked for at one time; it holds a thread for each.
const LOOKUPS_MAX: usize = 64;

/// The system's resolver: the hosts file, then the name servers of the host.
#[derive(Debug)]
pub struct SystemResolver {
    turns: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        SystemResolver { turns: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a Name) -> Resolving<'a> {
        Box::pin(async move {
            // The turn moves into the thread: a caller that goes away does not free it, since the thread still waits.
            let turn = self.turns.clone().acquire_owned().await.map_err(io::Error::other)?;
            let name = name.clone();
            let asked = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                let found = (name.as_str(), 0).to_socket_addrs()?;
                Ok(found.map(|address| address.ip()).collect())
            });
            asked.await.map_err(io::Error::other)?.or_else(none_if_unknown)
        })
    }
}

/// The standard library tells an unknown name from a failure by the text of the error only.
fn none_if_unknown(error: io::Error) -> io::Result<Vec<IpAddr>> {
    let text = error.to_string();
    match text.contains("Name or service not known")
        || text.contains("No address associated")
        || text.contains("not resolve")
    {
        true => Ok(Vec::new()),
        false => Err(error),
    }
}

/// How many addresses a sandbox remembers; the oldest go first.
const REMEMBERED_MAX: usize = 256;

/// What a sandbox was told about names.
#[derive(Debug, Default)]
pub(crate) struct Remembered(VecDeque<(IpAddr, Name)>);

impl Remembered {
    /// Remembers the addresses of a name.
    pub(crate) fn remember(&mut self, name: &Name, addresses: &[IpAddr]) {
        for address in addresses {
            self.0.retain(|(known, known_name)| known != address || known_name != name);
            if self.0.len() == REMEMBERED_MAX {
                self.0.pop_front();
            }
            self.0.push_back((*address, name.clone()));
        }
    }

    /// The names that this address was told for, the latest first.
    pub(crate) fn names(&self, address: IpAddr) -> impl Iterator<Item = &Name> {
        self.0.iter().rev().filter(move |(known, _)| *known == address).map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbar_call::Limits;

    #[test]
    fn a_look_up_needs_a_grant_of_its_name() {
        let (mut lookup, mut tcp, mut udp) = (LookupGrant::default(), TcpGrant::default(), UdpGrant::default());
        lookup.add("*.example.com").unwrap();
        tcp.add("db.internal:5432").unwrap();
        tcp.add("*:80").unwrap();
        udp.add("time.example.org:123").unwrap();
        for (name, expected) in [
            ("a.example.com", "ok"),
            ("A.Example.Com.", "ok"),
            ("db.internal", "ok"),
            ("time.example.org", "ok"),
            ("127.0.0.1", "ok"),
            ("::1", "ok"),
            ("[::1]", "ok"),
            ("example.com", "the name is not granted"),
            ("other.internal", "the name is not granted"),
            ("0x7f.1", "`0x7f.1` is a number, not a name; an IPv4 address is written `127.0.0.1`"),
            ("2130706433", "`2130706433` is a number, not a name; an IPv4 address is written `127.0.0.1`"),
            ("a b", "` ` can't be in a name"),
        ] {
            let meter = Meter::new(Limits::NONE);
            let got = match lookup.check(name, &tcp, &udp, &meter) {
                Ok(_) => "ok".to_string(),
                Err(error) => error.to_string(),
            };
            assert_eq!(got, expected, "{name}");
            assert_eq!(meter.denials().0.len(), usize::from(expected != "ok"), "{name}");
        }
    }

    #[test]
    fn a_denied_look_up_says_what_to_type() {
        let meter = Meter::new(Limits::NONE);
        let grant = LookupGrant::default();
        grant.check("Example.com", &TcpGrant::default(), &UdpGrant::default(), &meter).unwrap_err();
        grant.check(&"x".repeat(5_000), &TcpGrant::default(), &UdpGrant::default(), &meter).unwrap_err();
        let denials = meter.denials().0;
        assert_eq!(denials[0].allow, r#"lookup = ["example.com"]"#);
        assert_eq!((denials[1].asked.len(), denials[1].allow.as_str()), (200, ""));
        assert_eq!(meter.calls(GrantKind::Lookup), 0);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut remembered = Remembered::default();
        let name = |at: u32| Name::parse(&format!("n{at}.example")).unwrap();
        for at in 0..1_000u32 {
            remembered.remember(&name(at), &[IpAddr::from(at.to_be_bytes())]);
            remembered.remember(&name(999), &[IpAddr::from([1, 1, 1, 1])]);
        }
        assert_eq!(remembered.0.len(), REMEMBERED_MAX);
        assert_eq!(remembered.names(IpAddr::from([1, 1, 1, 1])).collect::<Vec<_>>(), [&name(999)]);
        assert_eq!(remembered.names(IpAddr::from([0, 0, 0, 0])).count(), 0);
    }
}
