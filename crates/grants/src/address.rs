//! Addresses that are granted, and those that only a literal grant reaches.
//!
//! A wildcard or a name grants the public internet and nothing else: who writes `*` thinks of servers out there, not of the
//! host's own loopback, its network or its cloud's metadata address, and who owns a name decides what it resolves to. The
//! other addresses are reached by naming them, or with `private+`. What is public is a list of what is, so that an address
//! nobody thought of is not.

use crate::{
    Problem,
    host::{Host, Name, NamePattern},
};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// Whether an address belongs to the public internet: not loopback, private, shared, link-local (the metadata address among
/// them), multicast, unspecified, reserved or for documentation, and no such IPv4 address wrapped in an IPv6 one.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|block| block.contains(address.into())),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The IPv4 blocks that are not public (IANA's special-purpose registry).
const NOT_PUBLIC_V4: &[Block] = &[
    Block::v4([0, 0, 0, 0], 8),
    Block::v4([10, 0, 0, 0], 8),
    Block::v4([100, 64, 0, 0], 10),
    Block::v4([127, 0, 0, 0], 8),
    Block::v4([169, 254, 0, 0], 16),
    Block::v4([172, 16, 0, 0], 12),
    Block::v4([192, 0, 0, 0], 24),
    Block::v4([192, 0, 2, 0], 24),
    Block::v4([192, 88, 99, 0], 24),
    Block::v4([192, 168, 0, 0], 16),
    Block::v4([198, 18, 0, 0], 15),
    Block::v4([198, 51, 100, 0], 24),
    Block::v4([203, 0, 113, 0], 24),
    Block::v4([224, 0, 0, 0], 4),
    Block::v4([240, 0, 0, 0], 4),
];

/// The only IPv6 block in which public addresses are assigned, and what in it is not public.
const GLOBAL_V6: Block = Block::v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
const NOT_PUBLIC_V6: &[Block] = &[
    Block::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // IETF protocol assignments, Teredo among them
    Block::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    Block::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation
];
/// The IPv6 blocks that users write when they mean private addresses.
const PRIVATE_V6: &[Block] = &[
    Block::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
    Block::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    Block::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
];
/// Blocks that carry an IPv4 address, which decides.
const NAT64: Block = Block::v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);
const SIX_TO_FOUR: Block = Block::v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [_, _, a, b, c, d, .., w, x, y, z] = address.octets();
    let ip = IpAddr::V6(address);
    if NAT64.contains(ip) {
        return is_public(Ipv4Addr::new(w, x, y, z).into());
    }
    if SIX_TO_FOUR.contains(ip) {
        return is_public(Ipv4Addr::new(a, b, c, d).into());
    }
    GLOBAL_V6.contains(ip) && !NOT_PUBLIC_V6.iter().any(|block| block.contains(ip))
}

/// A block of addresses in CIDR form; a single address is a block of its full length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    base: IpAddr,
    /// How many leading bits are fixed.
    bits: u8,
}

impl Block {
    const fn v4(octets: [u8; 4], bits: u8) -> Block {
        let [a, b, c, d] = octets;
        Block { base: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
    }

    const fn v6(segments: [u16; 8], bits: u8) -> Block {
        let [a, b, c, d, e, f, g, h] = segments;
        Block { base: IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), bits }
    }

    /// Reads `10.0.0.0/8` or `fd00::/8`, or one address.
    fn parse(text: &str) -> Result<Block, Problem> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits)),
            None => (text, None),
        };
        let not_an_address = || Problem::new(format!("`{}` is not an address", base.escape_debug()));
        let base: IpAddr = base.parse().map_err(|_| not_an_address())?;
        if base != base.to_canonical() {
            return Err(Problem::new("an IPv4 address is written as one, not mapped into IPv6"));
        }
        let bits_max = width(base);
        let bits = match bits {
            None => bits_max,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= bits_max).ok_or_else(|| {
                Problem::new(format!("a block has a length of 0 to {bits_max}, not `{}`", bits.escape_debug()))
            })?,
        };
        let block = Block { base, bits };
        if block.bits_of(base).1 != 0 {
            return Err(Problem::new("the address has bits beyond the length of its block"));
        }
        Ok(block)
    }

    /// Whether an address is in it. IPv4 mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && self.bits_of(address).0 == self.bits_of(self.base).0
    }

    /// Whether who wrote it meant these very addresses, public or not: one address, or a block wholly outside the public
    /// internet. A block such as `0.0.0.0/0` means what `*` means.
    fn is_literal(&self) -> bool {
        let within = |outer: &Block| outer.bits <= self.bits && outer.contains(self.base);
        self.bits == width(self.base) || NOT_PUBLIC_V4.iter().chain(PRIVATE_V6).any(within)
    }

    /// The fixed and the free bits of an address under this block's length.
    fn bits_of(&self, address: IpAddr) -> (u128, u128) {
        let value = match address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        let free = u32::from(width(address).saturating_sub(self.bits));
        let fixed = value.checked_shr(free).unwrap_or(0);
        (fixed, value ^ fixed.checked_shl(free).unwrap_or(0))
    }
}

/// How many bits an address has.
const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bits == width(self.base) {
            true => write!(f, "{}", self.base),
            false => write!(f, "{}/{}", self.base, self.bits),
        }
    }
}

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    first: u16,
    last: u16,
}

impl Ports {
    /// Every port, 0 included.
    pub const ANY: Ports = Ports { first: 0, last: u16::MAX };

    /// One port.
    pub const fn one(port: u16) -> Ports {
        Ports { first: port, last: port }
    }

    /// Reads `443`, `1000-2000` or `*`.
    fn parse(text: &str) -> Result<Ports, Problem> {
        if text == "*" {
            return Ok(Ports::ANY);
        }
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u16>().ok(),
            false => None,
        };
        let range = match text.split_once('-') {
            None => number(text).map(Ports::one),
            Some((first, last)) => number(first).zip(number(last)).map(|(first, last)| Ports { first, last }),
        };
        range
            .filter(|range| range.first <= range.last)
            .ok_or_else(|| Problem::new(format!("`{}` is not a port, a range of ports or `*`", text.escape_debug())))
    }

    /// Whether a port is in it.
    pub const fn contains(&self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

/// Hosts that are granted.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    Named(NamePattern),
    Block(Block),
}

impl Hosts {
    fn parse(text: &str) -> Result<Hosts, Problem> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or_else(|| Problem::new("a `[` has no `]`"))?;
            return match Block::parse(inner)? {
                block if block.base.is_ipv6() => Ok(Hosts::Block(block)),
                _ => Err(Problem::new("only an IPv6 address stands in brackets")),
            };
        }
        match text.contains('/') || text.parse::<Ipv4Addr>().is_ok() {
            true => Block::parse(text).map(Hosts::Block),
            false => NamePattern::parse(text).map(Hosts::Named),
        }
    }
}

/// The hosts and ports of one entry: `[private+]HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    private: bool,
    hosts: Hosts,
    /// `None` where the entry leaves it to the scheme.
    pub(crate) ports: Option<Ports>,
}

/// What marks an entry that reaches private addresses too.
pub(crate) const PRIVATE: &str = "private+";

impl Endpoint {
    /// Reads `HOST` or `HOST:PORT`; `private` tells whether `private+` stood before the entry.
    pub(crate) fn parse(text: &str, private: bool) -> Result<Endpoint, Problem> {
        let (host, port) = split_port(text)?;
        Ok(Endpoint { private, hosts: Hosts::parse(host)?, ports: port.map(Ports::parse).transpose()? })
    }

    /// Whether it covers a host by how it is written; [`Endpoint::reach`] then says to which addresses.
    pub(crate) fn covers(&self, host: &Host) -> bool {
        match (&self.hosts, host) {
            (Hosts::Named(NamePattern::Any), Host::Address(_)) => true,
            (Hosts::Named(pattern), Host::Name(name)) => pattern.covers(name),
            (Hosts::Block(block), Host::Address(address)) => block.contains(*address),
            (Hosts::Named(_), Host::Address(_)) | (Hosts::Block(_), Host::Name(_)) => false,
        }
    }

    /// Which addresses a host that it covers may have.
    pub(crate) fn reach(&self) -> Reach {
        let literal = match &self.hosts {
            _ if self.private => true,
            Hosts::Named(NamePattern::Exact(name)) if name.is_localhost() => return Reach::LOOPBACK,
            Hosts::Named(_) => false,
            Hosts::Block(block) => block.is_literal(),
        };
        if literal { Reach::EVERYWHERE } else { Reach::PUBLIC }
    }

    /// Its names, where it is written with a name other than `*`.
    pub(crate) fn names(&self) -> Option<&NamePattern> {
        match &self.hosts {
            Hosts::Named(NamePattern::Any) | Hosts::Block(_) => None,
            Hosts::Named(pattern) => Some(pattern),
        }
    }
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), Problem> {
    if let Some(end) = text.find(']') {
        let (host, rest) = text.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(Problem::new("after `]` comes `:` and a port, or nothing")),
        };
    }
    match text.split_once(':') {
        None => Ok((text, None)),
        Some((_, port)) if port.contains(':') => {
            Err(Problem::new("an IPv6 address is written in brackets, as in `[::1]:80`"))
        }
        Some((host, port)) => Ok((host, Some(port))),
    }
}

/// The classes of addresses that a check lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    public: bool,
    loopback: bool,
    rest: bool,
}

impl Reach {
    const PUBLIC: Reach = Reach { public: true, loopback: false, rest: false };
    const LOOPBACK: Reach = Reach { public: false, loopback: true, rest: false };
    const EVERYWHERE: Reach = Reach { public: true, loopback: true, rest: true };

    /// What either reaches.
    pub(crate) fn or(self, other: Reach) -> Reach {
        Reach {
            public: self.public || other.public,
            loopback: self.loopback || other.loopback,
            rest: self.rest || other.rest,
        }
    }

    /// Whether an address is within reach.
    pub(crate) fn allows(self, address: IpAddr) -> bool {
        match address.to_canonical() {
            address if address.is_loopback() => self.loopback,
            address if is_public(address) => self.public,
            _ => self.rest,
        }
    }
}

/// An address pattern of a socket: `[private+]HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressPattern {
    endpoint: Endpoint,
    ports: Ports,
}

impl AddressPattern {
    pub(crate) fn parse(text: &str) -> Result<AddressPattern, Problem> {
        let (private, rest) = match text.strip_prefix(PRIVATE) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let endpoint = Endpoint::parse(rest, private)?;
        match endpoint.ports {
            Some(ports) => Ok(AddressPattern { endpoint, ports }),
            None => Err(Problem::new("the port is missing; `:*` stands for any")),
        }
    }

    /// Whether it grants an address that `names` were looked up to.
    pub(crate) fn grants<'a>(&self, address: SocketAddr, mut names: impl Iterator<Item = &'a Name>) -> bool {
        self.ports.contains(address.port())
            && self.endpoint.reach().allows(address.ip())
            && match self.names() {
                Some(pattern) => names.any(|name| pattern.covers(name)),
                None => self.endpoint.covers(&Host::Address(address.ip())),
            }
    }

    /// The names that it is written with, which have to be looked up before an address can match.
    pub(crate) fn names(&self) -> Option<&NamePattern> {
        self.endpoint.names()
    }
}

/// A local address to listen at: `IP:PORT`, where the IP may be `*` and port 0 stands for one the system picks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenPattern {
    /// `None` for any.
    address: Option<Block>,
    ports: Ports,
}

/// What marks an entry that allows to bind and to take what comes in.
pub(crate) const LISTEN: &str = "listen ";

impl ListenPattern {
    pub(crate) fn parse(text: &str) -> Result<ListenPattern, Problem> {
        let endpoint = Endpoint::parse(text.trim_start(), false)?;
        let address = match endpoint.hosts {
            Hosts::Block(block) => Some(block),
            Hosts::Named(NamePattern::Any) => None,
            Hosts::Named(_) => return Err(Problem::new("a socket listens at an address, not at a name")),
        };
        let ports = endpoint.ports.ok_or_else(|| Problem::new("the port is missing; `:0` stands for a free one"))?;
        Ok(ListenPattern { address, ports })
    }

    /// Whether it lets a socket be bound to an address as the guest asked for it.
    pub(crate) fn grants_bind(&self, address: SocketAddr) -> bool {
        self.covers(address.ip()) && self.ports.contains(address.port())
    }

    /// Whether it lets a socket that is bound listen. Under `:0` the system has picked the port by now.
    pub(crate) fn grants_listen(&self, address: SocketAddr) -> bool {
        self.covers(address.ip()) && (self.ports.contains(address.port()) || self.ports.contains(0))
    }

    fn covers(&self, address: IpAddr) -> bool {
        self.address.is_none_or(|block| block.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const PUBLIC: &[&str] = &[
        "1.1.1.1",
        "93.184.216.34",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "64:ff9b::101:101",
        "2002:101:101::1",
    ];
    const NOT_PUBLIC: &[&str] = &[
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.0.9",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::101:101",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "100::1",
        "5f00::1",
        "fd00:ec2::254",
    ];

    #[test]
    fn public_is_a_list_of_what_is() {
        for text in PUBLIC {
            assert!(is_public(ip(text)), "{text}");
        }
        for text in NOT_PUBLIC {
            assert!(!is_public(ip(text)), "{text}");
        }
    }

    #[test]
    fn a_wildcard_never_reaches_what_is_not_public() {
        for pattern in
            ["*:80", "*:*", "0.0.0.0/0:80", "[::/0]:80", "[2000::/3]:80", "[64:ff9b::/96]:80", "0.0.0.0/7:80"]
        {
            let wild = AddressPattern::parse(pattern).unwrap();
            for text in NOT_PUBLIC {
                assert!(!wild.grants(SocketAddr::new(ip(text), 80), [].iter()), "{pattern} {text}");
            }
        }
        let private = AddressPattern::parse("private+*:80").unwrap();
        for text in PUBLIC.iter().chain(NOT_PUBLIC) {
            assert!(private.grants(SocketAddr::new(ip(text), 80), [].iter()), "{text}");
        }
    }

    #[test]
    fn an_address_pattern_grants_what_it_says() {
        for (pattern, granted, not) in [
            (
                "10.0.0.0/8:5432",
                &["10.1.2.3:5432", "[::ffff:10.1.2.3]:5432"][..],
                &["10.1.2.3:5433", "11.0.0.1:5432"][..],
            ),
            ("127.0.0.1:8080", &["127.0.0.1:8080"], &["127.0.0.2:8080", "[::1]:8080"]),
            ("[::1]:80", &["[::1]:80"], &["127.0.0.1:80"]),
            ("[fd00::/8]:1-9", &["[fd12::1]:1", "[fd12::1]:9"], &["[fc12::1]:1", "[fd12::1]:10", "[fd12::1]:0"]),
            ("1.1.1.0/24:*", &["1.1.1.9:1"], &["1.1.2.9:1"]),
            ("*:443", &["1.1.1.1:443", "[2606:4700::1]:443"], &["1.1.1.1:444"]),
            ("169.254.169.254:80", &["169.254.169.254:80"], &["169.254.169.253:80"]),
        ] {
            let parsed = AddressPattern::parse(pattern).unwrap();
            for text in granted {
                assert!(parsed.grants(text.parse().unwrap(), [].iter()), "{pattern} {text}");
            }
            for text in not {
                assert!(!parsed.grants(text.parse().unwrap(), [].iter()), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn a_name_pattern_grants_what_its_names_were_looked_up_to() {
        let name = Name::parse("db.example.com").unwrap();
        let localhost = Name::parse("localhost").unwrap();
        for (pattern, name, address, granted) in [
            ("db.example.com:1", &name, "1.1.1.1:1", true),
            ("*.example.com:1", &name, "1.1.1.1:1", true),
            ("*.example.com:1", &localhost, "1.1.1.1:1", false),
            ("db.example.com:1", &name, "10.0.0.1:1", false),
            ("private+db.example.com:1", &name, "10.0.0.1:1", true),
            ("localhost:1", &localhost, "127.0.0.1:1", true),
            ("localhost:1", &localhost, "[::1]:1", true),
            ("localhost:1", &localhost, "10.0.0.1:1", false),
            ("localhost:1", &localhost, "1.1.1.1:1", false),
        ] {
            let parsed = AddressPattern::parse(pattern).unwrap();
            assert_eq!(parsed.grants(address.parse().unwrap(), [name].into_iter()), granted, "{pattern} {address}");
            assert!(!parsed.grants(address.parse().unwrap(), [].iter()), "not looked up");
        }
    }

    #[test]
    fn a_listener_is_bound_where_it_was_granted() {
        for (pattern, bind, bound, listen) in [
            ("127.0.0.1:0", "127.0.0.1:0", true, "127.0.0.1:41234"),
            ("127.0.0.1:8080", "127.0.0.1:8080", true, "127.0.0.1:8080"),
            ("127.0.0.1:0", "127.0.0.1:8080", false, ""),
            ("127.0.0.1:8080", "127.0.0.1:0", false, ""),
            ("127.0.0.1:0", "0.0.0.0:0", false, ""),
            ("*:8000-8999", "[::]:8080", true, "[::]:8080"),
        ] {
            let parsed = ListenPattern::parse(pattern).unwrap();
            assert_eq!(parsed.grants_bind(bind.parse().unwrap()), bound, "{pattern} {bind}");
            if bound {
                assert!(parsed.grants_listen(listen.parse().unwrap()), "{pattern} {listen}");
            }
        }
        let parsed = ListenPattern::parse("127.0.0.1:8080").unwrap();
        assert!(!parsed.grants_listen("0.0.0.0:41234".parse().unwrap()), "bound by the system, not by the guest");
        assert!(ListenPattern::parse("localhost:80").is_err() && ListenPattern::parse("127.0.0.1").is_err());
    }

    #[test]
    fn a_wrong_pattern_is_refused() {
        for text in [
            "",
            ":80",
            "a.com",
            "a.com:",
            "a.com:x",
            "a.com:+1",
            "a.com:70000",
            "a.com:9-1",
            "a.com:1:2",
            "::1:80",
            "[::1]",
            "[::1]80",
            "[1.1.1.1]:80",
            "10.0.0.1/8:80",
            "10.0.0.0/33:80",
            "10.0.0.0/:80",
            "0x7f.1:80",
            "127.1:80",
            "[::ffff:1.1.1.1]:80",
            "[fe80::1%1]:80",
            "private+private+a:80",
            "fd00::/8:80",
            "a.com/8:80",
        ] {
            assert!(AddressPattern::parse(text).is_err(), "{text}");
        }
    }
}
