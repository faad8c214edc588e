//! The network as one sandbox sees it: its socket grants, what it looked up, and whom it talks to. Opened once for each
//! sandbox; each check charges the meter of the call that asks.

use crate::{
    Admitted, LookupError, Resolver,
    host::Host,
    lookup::{self, Remembered},
    udp::Peers,
};
use sandbar_call::Meter;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

/// What an address is about to be used for; the cases of `wasi:sockets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketUse {
    /// A TCP socket is bound to it, by the guest or implicitly.
    TcpBind,
    /// A TCP socket bound to it starts to listen.
    TcpListen,
    /// A TCP peer came.
    TcpAccept,
    /// A TCP peer is connected to.
    TcpConnect,
    /// A UDP socket is bound to it, by the guest or implicitly.
    UdpBind,
    /// A datagram goes to it, or a UDP socket is connected to it.
    UdpSend,
    /// A datagram came from it, or a UDP socket is connected to it.
    UdpReceive,
}

/// The network of one sandbox.
pub struct Network {
    grants: Arc<Admitted>,
    resolver: Arc<dyn Resolver>,
    known: Mutex<Known>,
}

/// What a sandbox has learnt; bounded.
#[derive(Default)]
struct Known {
    names: Remembered,
    peers: Peers,
}

impl Network {
    /// Opens the network for a sandbox.
    pub fn open(grants: Arc<Admitted>, resolver: Arc<dyn Resolver>) -> Network {
        Network { grants, resolver, known: Mutex::default() }
    }

    /// Forgets what was learnt.
    pub fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Known::default();
    }

    /// Checks an address that a socket is about to use, and charges the meter for a connection. What a guest asks for and
    /// does not get is recorded on the meter, with the line that would allow it.
    pub fn check(&self, address: SocketAddr, used_for: SocketUse, meter: &Meter) -> bool {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let Admitted { tcp, udp, .. } = &*self.grants;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { names, peers } = &mut *known;
        match used_for {
            SocketUse::TcpBind => tcp.check_bind(address, meter),
            SocketUse::TcpListen => tcp.check_listen(address, meter),
            SocketUse::TcpAccept => tcp.check_accept(meter),
            SocketUse::TcpConnect => tcp.check_connect(address, names, meter),
            SocketUse::UdpBind => udp.check_bind(address, meter),
            SocketUse::UdpSend => udp.check_send(address, names, peers, meter),
            SocketUse::UdpReceive => udp.check_receive(address, names, peers, meter),
        }
    }

    /// Looks up a name and remembers the answer. An address is its own answer.
    ///
    /// # Errors
    /// The name is not granted, is none, or has no address.
    pub async fn lookup(&self, name: &str, meter: &Meter) -> Result<Vec<IpAddr>, LookupError> {
        let Admitted { lookup, tcp, udp, .. } = &*self.grants;
        let name = match lookup.check(name, tcp, udp, meter)? {
            Host::Address(address) => return Ok(vec![address]),
            Host::Name(name) => name,
        };
        let addresses = lookup::resolve(&*self.resolver, &name).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.names.remember(&name, &addresses);
        Ok(addresses)
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Grants, Volumes, host::Name, lookup::Resolving};
    use sandbar_call::{GrantKind, Limits};
    use std::{path::Path, sync::atomic::AtomicU8, sync::atomic::Ordering::Relaxed};

    /// A name server that answers with another address each time.
    #[derive(Default)]
    struct Rebinding(AtomicU8);

    impl Resolver for Rebinding {
        fn resolve<'a>(&'a self, _: &'a Name) -> Resolving<'a> {
            let at = self.0.fetch_add(1, Relaxed);
            Box::pin(async move { Ok(vec![if at == 0 { [1, 1, 1, 1] } else { [127, 0, 0, 1] }.into()]) })
        }
    }

    fn network(entries: &[(GrantKind, &str)]) -> Network {
        let mut grants = Grants::default();
        for (kind, entry) in entries {
            grants.add(*kind, entry).unwrap();
        }
        let admitted = grants.admit(Path::new("."), &|_| None, &Volumes::default()).unwrap();
        Network::open(Arc::new(admitted), Arc::new(Rebinding::default()))
    }

    #[tokio::test]
    async fn a_name_that_answers_twice_differently_never_leads_inside() {
        let network = network(&[(GrantKind::Tcp, "evil.example:80")]);
        let meter = Meter::new(Limits::NONE);
        let check = |address: &str| network.check(address.parse().unwrap(), SocketUse::TcpConnect, &meter);
        assert!(!check("1.1.1.1:80"), "not looked up yet");
        assert_eq!(network.lookup("evil.example", &meter).await.unwrap(), [IpAddr::from([1, 1, 1, 1])]);
        assert!(check("1.1.1.1:80") && !check("1.1.1.1:81") && !check("127.0.0.1:80"));
        assert_eq!(network.lookup("EVIL.example.", &meter).await.unwrap(), [IpAddr::from([127, 0, 0, 1])]);
        assert!(!check("127.0.0.1:80") && !check("[::ffff:127.0.0.1]:80"));
        assert!(check("1.1.1.1:80"), "the first answer still holds");
        assert_eq!((meter.calls(GrantKind::Lookup), meter.calls(GrantKind::Tcp)), (2, 2));
    }

    #[tokio::test]
    async fn nothing_is_granted_by_default() {
        let network = network(&[]);
        let meter = Meter::new(Limits::NONE);
        for used_for in [
            SocketUse::TcpBind,
            SocketUse::TcpListen,
            SocketUse::TcpAccept,
            SocketUse::TcpConnect,
            SocketUse::UdpBind,
            SocketUse::UdpSend,
            SocketUse::UdpReceive,
        ] {
            assert!(!network.check("1.1.1.1:80".parse().unwrap(), used_for, &meter), "{used_for:?}");
        }
        assert!(matches!(network.lookup("example.com", &meter).await, Err(LookupError::Denied)));
        assert_eq!(meter.denials().0.len(), 5);
        assert_eq!(GrantKind::ALL.iter().map(|kind| meter.calls(*kind)).sum::<u32>(), 0);
    }
}
