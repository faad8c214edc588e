//! Addresses of this machine, as WASI writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use wasip3::sockets::types::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};

pub(crate) const FAMILIES: [IpAddressFamily; 2] = [IpAddressFamily::Ipv4, IpAddressFamily::Ipv6];

/// The loopback address of a family, at a port.
pub(crate) fn loopback(family: IpAddressFamily, port: u16) -> IpSocketAddress {
    match family {
        IpAddressFamily::Ipv4 => wasi(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)),
        IpAddressFamily::Ipv6 => wasi(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port)),
    }
}

/// No address in particular.
pub(crate) fn unspecified(family: IpAddressFamily, port: u16) -> IpSocketAddress {
    match family {
        IpAddressFamily::Ipv4 => wasi(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)),
        IpAddressFamily::Ipv6 => wasi(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)),
    }
}

/// The loopback address of the other family.
pub(crate) fn of_the_other(family: IpAddressFamily) -> IpSocketAddress {
    match family {
        IpAddressFamily::Ipv4 => loopback(IpAddressFamily::Ipv6, 42),
        IpAddressFamily::Ipv6 => loopback(IpAddressFamily::Ipv4, 42),
    }
}

/// 127.0.0.1 as an IPv6 address, for which WASI has no use.
pub(crate) fn mapped(port: u16) -> IpSocketAddress {
    wasi(SocketAddr::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), port))
}

/// Addresses that stand for many.
pub(crate) fn for_many(family: IpAddressFamily) -> Vec<IpAddr> {
    let texts: &[&str] = match family {
        IpAddressFamily::Ipv4 => &["224.0.0.1", "230.0.0.1", "239.255.255.255", "255.255.255.255"],
        IpAddressFamily::Ipv6 => &["ff00::1", "ff02::1", "ff3e::8000:1", "ffff::1"],
    };
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Addresses that no machine has: those of documentation.
pub(crate) fn of_nobody(family: IpAddressFamily) -> Vec<IpAddr> {
    let texts: &[&str] = match family {
        IpAddressFamily::Ipv4 => &["192.0.2.1", "198.51.100.1", "203.0.113.1"],
        IpAddressFamily::Ipv6 => &["2001:db8::1"],
    };
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(crate) fn at(address: IpAddr, port: u16) -> IpSocketAddress {
    wasi(SocketAddr::new(address, port))
}

fn wasi(address: SocketAddr) -> IpSocketAddress {
    match address {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port: address.port(), address: (a, b, c, d) })
        }
        SocketAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.ip().segments();
            let address6 = (a, b, c, d, e, f, g, h);
            IpSocketAddress::Ipv6(Ipv6SocketAddress {
                port: address.port(),
                flow_info: 0,
                address: address6,
                scope_id: 0,
            })
        }
    }
}

/// As Rust's own type, which can be compared.
pub(crate) fn plain(address: IpSocketAddress) -> SocketAddr {
    match address {
        IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) }) => {
            SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), port)
        }
        IpSocketAddress::Ipv6(Ipv6SocketAddress { port, address: (a, b, c, d, e, f, g, h), .. }) => {
            SocketAddr::new(Ipv6Addr::new(a, b, c, d, e, f, g, h).into(), port)
        }
    }
}
