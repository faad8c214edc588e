//! Names to addresses.

use crate::{Case, addresses::refused, cases};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use wasip2::sockets::{
    instance_network::instance_network,
    ip_name_lookup::resolve_addresses,
    network::{ErrorCode, IpAddress},
};

pub(crate) const CASES: &[Case] = cases![localhost, addresses, invalid, missing];

fn localhost() {
    let found = all("localhost").unwrap();
    assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
}

/// An address is its own answer.
fn addresses() {
    for address in ["127.0.0.1", "192.0.2.7", "::1", "2001:db8::7"] {
        assert_eq!(all(address), Ok(vec![address.parse().unwrap()]), "{address}");
    }
}

fn invalid() {
    for name in ["", " ", "a.b<&>", "example.com:80", "http://example.com", "a b"] {
        refused(all(name), &[ErrorCode::InvalidArgument, ErrorCode::NameUnresolvable]);
    }
}

fn missing() {
    refused(all("nowhere.invalid"), &[ErrorCode::NameUnresolvable, ErrorCode::TemporaryResolverFailure]);
}

fn all(name: &str) -> Result<Vec<IpAddr>, ErrorCode> {
    let answers = resolve_addresses(&instance_network(), name)?;
    let mut found = Vec::new();
    loop {
        match answers.resolve_next_address() {
            Err(ErrorCode::WouldBlock) => answers.subscribe().block(),
            Err(error) => return Err(error),
            Ok(None) => return Ok(found),
            Ok(Some(IpAddress::Ipv4((a, b, c, d)))) => found.push(Ipv4Addr::new(a, b, c, d).into()),
            Ok(Some(IpAddress::Ipv6((a, b, c, d, e, f, g, h)))) => {
                found.push(Ipv6Addr::new(a, b, c, d, e, f, g, h).into());
            }
        }
    }
}
