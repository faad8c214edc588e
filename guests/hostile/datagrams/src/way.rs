//! A way to get a datagram somewhere: what one socket does, as an argument says it.
//!
//! `connect ADDRESS`, `disconnect`, `send`, `send ADDRESS`, or `send ADDRESS ADDRESS…` for several at once; commas between.

use std::net::SocketAddr;

pub(crate) enum Step {
    Connect(SocketAddr),
    Disconnect,
    /// Datagrams that go out together, each to an address or to whom the socket is connected to.
    Send(Vec<Option<SocketAddr>>),
}

/// Reads a way.
pub(crate) fn steps(way: &str) -> Vec<Step> {
    way.split(", ").map(step).collect()
}

fn step(text: &str) -> Step {
    let (verb, addresses) = text.split_once(' ').unwrap_or((text, ""));
    let addresses: Vec<SocketAddr> = addresses.split_whitespace().map(|address| address.parse().unwrap()).collect();
    match (verb, addresses[..].as_ref()) {
        ("connect", [peer]) => Step::Connect(*peer),
        ("disconnect", []) => Step::Disconnect,
        ("send", []) => Step::Send(vec![None]),
        ("send", peers) => Step::Send(peers.iter().copied().map(Some).collect()),
        _ => panic!("`{text}` is no step"),
    }
}

/// Whether any address is one of IPv6, so that the socket has to be.
pub(crate) fn is_ipv6(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Connect(peer) => peer.is_ipv6(),
        Step::Disconnect => false,
        Step::Send(peers) => peers.iter().flatten().any(SocketAddr::is_ipv6),
    })
}
