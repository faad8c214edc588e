//! TCP sockets: `HOST:PORT` to connect, `listen IP:PORT` to bind there and accept whoever comes.

use crate::{
    Problem,
    address::{AddressPattern, LISTEN, ListenPattern, PRIVATE},
    host::NamePattern,
    lookup::Remembered,
    option::denial,
};
use sandbar_call::{GrantKind, Meter, Resource};
use std::net::SocketAddr;

/// What a guest may do with TCP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpGrant {
    connect: Vec<AddressPattern>,
    listen: Vec<ListenPattern>,
}

impl TcpGrant {
    pub(crate) fn connects(&self) -> bool {
        !self.connect.is_empty()
    }

    pub(crate) fn listens(&self) -> bool {
        !self.listen.is_empty()
    }

    pub(crate) fn add(&mut self, text: &str) -> Result<(), Problem> {
        match text.strip_prefix(LISTEN) {
            Some(address) => self.listen.push(ListenPattern::parse(address)?),
            None => self.connect.push(AddressPattern::parse(text)?),
        }
        Ok(())
    }

    /// The names that it is written with.
    pub(crate) fn names(&self) -> impl Iterator<Item = &NamePattern> {
        self.connect.iter().filter_map(AddressPattern::names)
    }

    /// Checks a connection to a peer and charges it; `false` when it is refused or one too many.
    pub(crate) fn check_connect(&self, peer: SocketAddr, remembered: &Remembered, meter: &Meter) -> bool {
        if !self.connect.iter().any(|pattern| pattern.grants(peer, remembered.names(peer.ip()))) {
            meter.denied(denial(GrantKind::Tcp, &peer.to_string(), &entry_for(peer, remembered)));
            return false;
        }
        meter.called(GrantKind::Tcp);
        meter.charge(Resource::Connections, 1).is_ok()
    }

    /// Checks a bind. Before it connects a socket binds to any address and a port the system picks, which gives nothing by
    /// itself; so the refusal comes with the connection, and names it.
    pub(crate) fn check_bind(&self, local: SocketAddr, meter: &Meter) -> bool {
        is_implicit(local)
            || self.check_local(self.listen.iter().any(|pattern| pattern.grants_bind(local)), local, meter)
    }

    /// Checks that a socket bound to `local` may listen.
    pub(crate) fn check_listen(&self, local: SocketAddr, meter: &Meter) -> bool {
        self.check_local(self.listen.iter().any(|pattern| pattern.grants_listen(local)), local, meter)
    }

    /// Checks that a peer may be accepted, which who may listen may. A refused peer is no denial: it was the peer who asked.
    pub(crate) fn check_accept(&self, meter: &Meter) -> bool {
        let granted = !self.listen.is_empty();
        if granted {
            meter.called(GrantKind::Tcp);
        }
        granted
    }

    fn check_local(&self, granted: bool, local: SocketAddr, meter: &Meter) -> bool {
        match granted {
            true => meter.called(GrantKind::Tcp),
            false => {
                let entry = format!("{LISTEN}{local}");
                meter.denied(denial(GrantKind::Tcp, &entry, &entry));
            }
        }
        granted
    }
}

/// Whether a local address is the one a socket is bound to when the guest named none.
pub(crate) fn is_implicit(local: SocketAddr) -> bool {
    local.ip().is_unspecified() && local.port() == 0
}

/// The entry that would grant a peer: by the name the guest knows it under, marked as private where the name is granted and
/// the address is what was refused.
pub(crate) fn entry_for(peer: SocketAddr, remembered: &Remembered) -> String {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let Some(name) = remembered.names(peer.ip()).next() else { return peer.to_string() };
    let entry = format!("{name}:{}", peer.port());
    match AddressPattern::parse(&entry) {
        Ok(pattern) if pattern.grants(peer, [name].into_iter()) => entry,
        _ => format!("{PRIVATE}{entry}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Name;
    use sandbar_call::{Limits, Stop};

    fn grant(entries: &[&str]) -> TcpGrant {
        let mut grant = TcpGrant::default();
        for entry in entries {
            grant.add(entry).unwrap();
        }
        grant
    }

    #[test]
    fn a_refused_connection_says_what_to_type() {
        let mut remembered = Remembered::default();
        remembered.remember(&Name::parse("db.internal").unwrap(), &["10.0.0.9".parse().unwrap()]);
        remembered.remember(&Name::parse("example.com").unwrap(), &["1.1.1.1".parse().unwrap()]);
        for (entries, peer, allow) in [
            (&[][..], "9.9.9.9:80", r#"tcp = ["9.9.9.9:80"]"#),
            (&["*:80"], "127.0.0.1:80", r#"tcp = ["127.0.0.1:80"]"#),
            (&["*:80"], "[::1]:80", r#"tcp = ["[::1]:80"]"#),
            (&["*:80"], "[::ffff:10.0.0.1]:80", r#"tcp = ["10.0.0.1:80"]"#),
            (&["*:80"], "1.1.1.1:443", r#"tcp = ["example.com:443"]"#),
            (&["db.internal:1"], "10.0.0.9:1", r#"tcp = ["private+db.internal:1"]"#),
            (&["listen *:*"], "127.0.0.1:80", r#"tcp = ["127.0.0.1:80"]"#),
        ] {
            let meter = Meter::new(Limits::NONE);
            let peer: SocketAddr = peer.parse().unwrap();
            let grants = grant(entries);
            assert!(!grants.check_connect(peer, &remembered, &meter), "{peer}");
            let denials = meter.denials().0;
            assert_eq!((denials[0].asked.as_str(), denials[0].allow.as_str()), (peer.to_string().as_str(), allow));
            assert_eq!((meter.calls(GrantKind::Tcp), meter.used(Resource::Connections)), (0, 0));
            let typed = allow.trim_start_matches("tcp = [\"").trim_end_matches("\"]");
            assert!(grant(&[typed]).check_connect(peer, &remembered, &meter), "what it says helps: {typed}");
        }
    }

    #[test]
    fn connections_are_charged_until_their_limit() {
        let grant = grant(&["127.0.0.1:80"]);
        let meter = Meter::new(Limits::NONE.with(Resource::Connections, 2));
        let peer = "127.0.0.1:80".parse().unwrap();
        let remembered = Remembered::default();
        assert!(grant.check_connect(peer, &remembered, &meter));
        assert!(grant.check_connect(peer, &remembered, &meter));
        assert!(!grant.check_connect(peer, &remembered, &meter));
        assert_eq!(meter.stopped(), Some(Stop(Resource::Connections)));
        assert!(meter.denials().0.is_empty(), "a limit is not a denial");
    }

    #[test]
    fn who_may_listen_may_bind_and_accept() {
        let meter = Meter::new(Limits::NONE);
        let local = |text: &str| text.parse().unwrap();
        let server = grant(&["listen 127.0.0.1:0"]);
        assert!(
            server.check_bind(local("127.0.0.1:0"), &meter) && server.check_listen(local("127.0.0.1:50000"), &meter)
        );
        assert!(server.check_accept(&meter));
        assert!(
            !server.check_bind(local("127.0.0.1:80"), &meter) && !server.check_listen(local("0.0.0.0:50000"), &meter)
        );
        let client = grant(&["*:80"]);
        assert!(client.check_bind(local("0.0.0.0:0"), &meter) && client.check_bind(local("[::]:0"), &meter));
        assert!(!client.check_listen(local("0.0.0.0:0"), &meter) && !client.check_accept(&meter));
        assert!(!client.check_bind(local("127.0.0.1:0"), &meter));
        let allow: Vec<_> = meter.denials().0.into_iter().map(|denial| denial.allow).collect();
        assert_eq!(allow[0], r#"tcp = ["listen 127.0.0.1:80"]"#);
        assert_eq!(allow.len(), 4);
    }
}
