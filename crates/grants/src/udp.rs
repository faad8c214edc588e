//! UDP sockets: `HOST:PORT` to exchange datagrams with, `listen IP:PORT` to bind there and take them from anyone.
//!
//! A datagram has no connection, but each peer that a sandbox writes to first is charged as one. Who was granted to listen
//! may answer whoever wrote to it.

use crate::{
    Problem,
    address::{AddressPattern, LISTEN, ListenPattern},
    host::NamePattern,
    lookup::Remembered,
    option::denial,
    tcp::{entry_for, is_implicit},
};
use sandbar_call::{GrantKind, Meter, Resource};
use std::{collections::VecDeque, net::SocketAddr};

/// What a guest may do with UDP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UdpGrant {
    peers: Vec<AddressPattern>,
    listen: Vec<ListenPattern>,
}

impl UdpGrant {
    pub(crate) fn add(&mut self, text: &str) -> Result<(), Problem> {
        match text.strip_prefix(LISTEN) {
            Some(address) => self.listen.push(ListenPattern::parse(address)?),
            None => self.peers.push(AddressPattern::parse(text)?),
        }
        Ok(())
    }

    /// The names that it is written with.
    pub(crate) fn names(&self) -> impl Iterator<Item = &NamePattern> {
        self.peers.iter().filter_map(AddressPattern::names)
    }

    /// Checks a bind. A socket that writes first binds to any address and a port the system picks; what it may then receive
    /// is checked by peer.
    pub(crate) fn check_bind(&self, local: SocketAddr, meter: &Meter) -> bool {
        if is_implicit(local) {
            return true;
        }
        let granted = self.listen.iter().any(|pattern| pattern.grants_bind(local));
        match granted {
            true => meter.called(GrantKind::Udp),
            false => {
                let entry = format!("{LISTEN}{local}");
                meter.denied(denial(GrantKind::Udp, &entry, &entry));
            }
        }
        granted
    }

    /// Checks a datagram to a peer, or a socket connected to it, and charges a peer that is new.
    pub(crate) fn check_send(
        &self,
        peer: SocketAddr,
        remembered: &Remembered,
        peers: &mut Peers,
        meter: &Meter,
    ) -> bool {
        if !peers.wrote(peer) && !self.grants(peer, remembered) {
            meter.denied(denial(GrantKind::Udp, &peer.to_string(), &entry_for(peer, remembered)));
            return false;
        }
        meter.called(GrantKind::Udp);
        peers.is_charged(peer) || (meter.charge(Resource::Connections, 1).is_ok() && peers.charged(peer))
    }

    /// Checks a datagram from a peer. One that is refused is no denial: it was the peer who asked.
    pub(crate) fn check_receive(
        &self,
        peer: SocketAddr,
        remembered: &Remembered,
        peers: &mut Peers,
        meter: &Meter,
    ) -> bool {
        let granted = self.grants(peer, remembered);
        if !granted && self.listen.is_empty() {
            return false;
        }
        if !granted {
            peers.note_writer(peer);
        }
        meter.called(GrantKind::Udp);
        true
    }

    fn grants(&self, peer: SocketAddr, remembered: &Remembered) -> bool {
        self.peers.iter().any(|pattern| pattern.grants(peer, remembered.names(peer.ip())))
    }
}

/// How many peers a sandbox remembers of either sort; the oldest go first, and are charged anew.
const PEERS_MAX: usize = 1024;

/// Whom a sandbox exchanges datagrams with.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// Those it wrote to, in the order they were charged.
    charged: VecDeque<SocketAddr>,
    /// Those who wrote to it unasked.
    writers: VecDeque<SocketAddr>,
}

impl Peers {
    fn is_charged(&self, peer: SocketAddr) -> bool {
        self.charged.iter().rev().any(|known| *known == peer)
    }

    fn charged(&mut self, peer: SocketAddr) -> bool {
        push(&mut self.charged, peer);
        true
    }

    fn wrote(&self, peer: SocketAddr) -> bool {
        self.writers.iter().rev().any(|known| *known == peer)
    }

    fn note_writer(&mut self, peer: SocketAddr) {
        if !self.wrote(peer) {
            push(&mut self.writers, peer);
        }
    }
}

fn push(peers: &mut VecDeque<SocketAddr>, peer: SocketAddr) {
    if peers.len() == PEERS_MAX {
        peers.pop_front();
    }
    peers.push_back(peer);
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbar_call::{Limits, Stop};

    fn grant(entries: &[&str]) -> UdpGrant {
        let mut grant = UdpGrant::default();
        for entry in entries {
            grant.add(entry).unwrap();
        }
        grant
    }

    #[test]
    fn a_peer_is_charged_once_however_it_is_written_to() {
        let grant = grant(&["127.0.0.0/8:53"]);
        let meter = Meter::new(Limits::NONE.with(Resource::Connections, 2));
        let (remembered, mut peers) = (Remembered::default(), Peers::default());
        let mut send = |text: &str| grant.check_send(text.parse().unwrap(), &remembered, &mut peers, &meter);
        for _ in 0..100 {
            assert!(send("127.0.0.1:53") && send("127.0.0.2:53"));
        }
        assert_eq!(meter.used(Resource::Connections), 2);
        assert!(!send("127.0.0.1:54"), "a connected socket and a datagram are checked alike");
        assert_eq!(meter.denials().0[0].allow, r#"udp = ["127.0.0.1:54"]"#);
        assert_eq!(meter.stopped(), None);
        assert!(!send("127.0.0.3:53"), "peers are hoarded up to the limit of connections");
        assert_eq!(meter.stopped(), Some(Stop(Resource::Connections)));
    }

    #[test]
    fn only_who_listens_hears_strangers_and_may_answer_them() {
        let (client, server) = (grant(&["1.1.1.1:53"]), grant(&["listen 0.0.0.0:53"]));
        let meter = Meter::new(Limits::NONE);
        let remembered = Remembered::default();
        let (friend, stranger) = ("1.1.1.1:53".parse().unwrap(), "10.9.9.9:1234".parse().unwrap());
        let mut peers = Peers::default();
        assert!(client.check_receive(friend, &remembered, &mut peers, &meter));
        assert!(!client.check_receive(stranger, &remembered, &mut peers, &meter));
        assert!(meter.denials().0.is_empty(), "a stranger can't fill a receipt");
        assert!(!client.check_send(stranger, &remembered, &mut peers, &meter));
        let mut peers = Peers::default();
        assert!(!server.check_send(stranger, &remembered, &mut peers, &meter));
        assert!(server.check_receive(stranger, &remembered, &mut peers, &meter));
        assert!(server.check_send(stranger, &remembered, &mut peers, &meter));
        assert!(server.check_bind("0.0.0.0:53".parse().unwrap(), &meter));
        assert!(!server.check_bind("0.0.0.0:54".parse().unwrap(), &meter));
        assert!(client.check_bind("0.0.0.0:0".parse().unwrap(), &meter));
    }

    #[test]
    fn peers_are_bounded() {
        let grant = grant(&["listen *:*", "private+*:*"]);
        let meter = Meter::new(Limits::NONE);
        let (remembered, mut peers) = (Remembered::default(), Peers::default());
        for port in 1..3_000 {
            let peer = SocketAddr::from(([127, 0, 0, 1], port));
            assert!(grant.check_send(peer, &remembered, &mut peers, &meter));
            peers.note_writer(peer);
        }
        assert_eq!((peers.charged.len(), peers.writers.len()), (PEERS_MAX, PEERS_MAX));
    }
}
