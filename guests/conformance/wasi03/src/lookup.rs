//! Names to addresses.

use crate::{Case, cases, refused};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use wasip3::sockets::{
    ip_name_lookup::{ErrorCode, resolve_addresses},
    types::IpAddress,
};

pub(crate) const CASES: &[Case] = cases![localhost, addresses, invalid, missing];

async fn localhost() {
    let found = all("localhost").await.unwrap();
    assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
}

/// An address is its own answer.
async fn addresses() {
    for address in ["127.0.0.1", "192.0.2.7", "::1", "2001:db8::7"] {
        assert_eq!(all(address).await.unwrap(), [address.parse::<IpAddr>().unwrap()], "{address}");
    }
}

async fn invalid() {
    for name in ["", " ", "a.b<&>", "example.com:80", "http://example.com", "a b"] {
        refused(all(name).await, &["InvalidArgument", "NameUnresolvable"]);
    }
}

async fn missing() {
    refused(all("nowhere.invalid").await, &["NameUnresolvable", "TemporaryResolverFailure"]);
}

async fn all(name: &str) -> Result<Vec<IpAddr>, ErrorCode> {
    let found = resolve_addresses(name.into()).await?;
    let plain = |address| match address {
        IpAddress::Ipv4((a, b, c, d)) => Ipv4Addr::new(a, b, c, d).into(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => Ipv6Addr::new(a, b, c, d, e, f, g, h).into(),
    };
    Ok(found.into_iter().map(plain).collect())
}
