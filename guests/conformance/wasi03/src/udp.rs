//! UDP sockets: their states, addresses and properties, and datagrams. Both ends are this command's.

use crate::{
    Case,
    addresses::{FAMILIES, at, loopback, mapped, of_nobody, of_the_other, plain, unspecified},
    both::{at_once, both},
    cases, refused,
};
use wasip3::sockets::types::{IpAddressFamily, IpSocketAddress, UdpSocket};

pub(crate) const CASES: &[Case] = cases![
    bind,
    bind_refused,
    bind_twice,
    bind_where_another_is,
    states_at_the_beginning,
    connect,
    connect_refused,
    connect_again,
    connect_binds,
    disconnect,
    datagrams,
    datagrams_of_a_connection,
    datagrams_refused,
    datagrams_to_port_0,
    datagrams_that_are_too_large,
    empty_datagrams,
    sending_binds,
    receive_unbound,
    receive_waits,
    address_family,
    hop_limit,
    buffers,
];

const PORT: u16 = 42;

async fn bind() {
    for family in FAMILIES {
        for address in [loopback(family, 0), unspecified(family, 0)] {
            let socket = create(family);
            socket.bind(address).unwrap();
            let (asked, got) = (plain(address), plain(socket.get_local_address().unwrap()));
            assert_eq!(got.ip(), asked.ip());
            assert_ne!(got.port(), 0);
        }
    }
}

async fn bind_refused() {
    for family in FAMILIES {
        refused(create(family).bind(of_the_other(family)), &["InvalidArgument"]);
        for address in of_nobody(family) {
            refused(create(family).bind(at(address, 0)), &["AddressNotBindable"]);
        }
    }
    refused(create(IpAddressFamily::Ipv6).bind(mapped(0)), &["InvalidArgument"]);
}

async fn bind_twice() {
    for family in FAMILIES {
        refused(bound(family).0.bind(loopback(family, 0)), &["InvalidState"]);
    }
}

async fn bind_where_another_is() {
    for family in FAMILIES {
        let (_socket, address) = bound(family);
        refused(create(family).bind(address), &["AddressInUse"]);
    }
}

async fn states_at_the_beginning() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.get_local_address(), &["InvalidState"]);
        refused(socket.get_remote_address(), &["InvalidState"]);
        refused(socket.disconnect(), &["InvalidState"]);
    }
}

async fn connect() {
    for family in FAMILIES {
        let (socket, _) = bound(family);
        refused(socket.get_remote_address(), &["InvalidState"]);
        socket.connect(loopback(family, PORT)).unwrap();
        assert_eq!(plain(socket.get_remote_address().unwrap()), plain(loopback(family, PORT)));
    }
}

async fn connect_refused() {
    for family in FAMILIES {
        let mut addresses = vec![of_the_other(family), unspecified(family, PORT), loopback(family, 0)];
        if family == IpAddressFamily::Ipv6 {
            addresses.push(mapped(PORT));
        }
        for address in addresses {
            refused(create(family).connect(address), &["InvalidArgument"]);
        }
    }
}

async fn connect_again() {
    for family in FAMILIES {
        let socket = create(family);
        for port in [PORT, PORT, PORT + 1] {
            socket.connect(loopback(family, port)).unwrap();
            assert_eq!(plain(socket.get_remote_address().unwrap()).port(), port);
        }
    }
}

async fn connect_binds() {
    for family in FAMILIES {
        let socket = create(family);
        socket.connect(loopback(family, PORT)).unwrap();
        let local = plain(socket.get_local_address().unwrap());
        assert!(local.ip().is_loopback() && local.port() != 0 && local.port() != PORT, "{local}");
    }
}

async fn disconnect() {
    for family in FAMILIES {
        let socket = create(family);
        socket.connect(loopback(family, PORT)).unwrap();
        socket.disconnect().unwrap();
        refused(socket.get_remote_address(), &["InvalidState"]);
        refused(socket.disconnect(), &["InvalidState"]);
        refused(socket.send(vec![0], None).await, &["InvalidArgument"]);
        socket.connect(loopback(family, PORT + 1)).unwrap();
        assert_eq!(plain(socket.get_remote_address().unwrap()).port(), PORT + 1);
    }
}

async fn datagrams() {
    for family in FAMILIES {
        let ((one, one_at), (other, other_at)) = (bound(family), bound(family));
        for text in ["one", "two", "three"] {
            one.send(text.into(), Some(other_at)).await.unwrap();
        }
        for text in ["one", "two", "three"] {
            let (data, from) = other.receive().await.unwrap();
            assert_eq!((data.as_slice(), plain(from)), (text.as_bytes(), plain(one_at)));
        }
        other.send(b"back".to_vec(), Some(one_at)).await.unwrap();
        assert_eq!(one.receive().await.unwrap().0, b"back");
    }
}

/// Who is connected hears that one peer only, and needs not say to whom.
async fn datagrams_of_a_connection() {
    for family in FAMILIES {
        let ((one, one_at), (other, other_at), (stranger, _)) = (bound(family), bound(family), bound(family));
        one.connect(other_at).unwrap();
        stranger.send(b"not for you".to_vec(), Some(one_at)).await.unwrap();
        one.send(b"to the peer".to_vec(), None).await.unwrap();
        one.send(b"said again".to_vec(), Some(other_at)).await.unwrap();
        for text in ["to the peer", "said again"] {
            assert_eq!(other.receive().await.unwrap().0, text.as_bytes());
        }
        other.send(b"from the peer".to_vec(), Some(one_at)).await.unwrap();
        assert_eq!(one.receive().await.unwrap().0, b"from the peer");
        refused(one.send(vec![0], Some(loopback(family, PORT))).await, &["InvalidArgument"]);
    }
}

async fn datagrams_refused() {
    for family in FAMILIES {
        for address in [None, Some(of_the_other(family)), Some(unspecified(family, PORT))] {
            refused(create(family).send(vec![0], address).await, &["InvalidArgument"]);
        }
    }
}

async fn datagrams_to_port_0() {
    for family in FAMILIES {
        let sent = create(family).send(vec![0], Some(loopback(family, 0))).await;
        refused(sent, &["InvalidArgument", "AddressNotBindable"]);
    }
}

async fn datagrams_that_are_too_large() {
    for family in FAMILIES {
        let (_other, address) = bound(family);
        refused(create(family).send(vec![0; 65_536], Some(address)).await, &["DatagramTooLarge"]);
    }
}

async fn empty_datagrams() {
    for family in FAMILIES {
        let (other, address) = bound(family);
        create(family).send(Vec::new(), Some(address)).await.unwrap();
        assert_eq!(other.receive().await.unwrap().0, b"");
    }
}

async fn sending_binds() {
    for family in FAMILIES {
        let (_other, address) = bound(family);
        let socket = create(family);
        socket.send(vec![0], Some(address)).await.unwrap();
        assert_ne!(plain(socket.get_local_address().unwrap()).port(), 0);
        refused(socket.get_remote_address(), &["InvalidState"]);
    }
}

async fn receive_unbound() {
    for family in FAMILIES {
        refused(create(family).receive().await, &["InvalidState"]);
    }
}

async fn receive_waits() {
    for family in FAMILIES {
        let (socket, address) = bound(family);
        assert!(at_once(socket.receive()).is_none(), "nothing has come");
        let sender = create(family);
        sender.connect(address).unwrap();
        let (received, sent) = both(socket.receive(), sender.send(vec![1, 2, 3, 4], None)).await;
        sent.unwrap();
        let (data, from) = received.unwrap();
        assert_eq!((data, plain(from)), (vec![1, 2, 3, 4], plain(sender.get_local_address().unwrap())));
    }
}

async fn address_family() {
    for family in FAMILIES {
        assert_eq!(create(family).get_address_family(), family);
    }
}

async fn hop_limit() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.set_unicast_hop_limit(0), &["InvalidArgument"]);
        for hops in [1, 255, 42] {
            socket.set_unicast_hop_limit(hops).unwrap();
            assert_eq!(socket.get_unicast_hop_limit().unwrap(), hops);
        }
    }
}

/// Sizes are held to what the host can, and what was set is what is told.
async fn buffers() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.set_receive_buffer_size(0), &["InvalidArgument"]);
        refused(socket.set_send_buffer_size(0), &["InvalidArgument"]);
        for bytes in [1, u64::MAX, 0x10000] {
            socket.set_receive_buffer_size(bytes).unwrap();
            socket.set_send_buffer_size(bytes).unwrap();
            assert!(socket.get_receive_buffer_size().unwrap() > 0 && socket.get_send_buffer_size().unwrap() > 0);
        }
        assert_eq!(socket.get_receive_buffer_size().unwrap(), 0x10000);
        assert_eq!(socket.get_send_buffer_size().unwrap(), 0x10000);
    }
}

fn create(family: IpAddressFamily) -> UdpSocket {
    UdpSocket::create(family).unwrap()
}

fn bound(family: IpAddressFamily) -> (UdpSocket, IpSocketAddress) {
    let socket = create(family);
    socket.bind(loopback(family, 0)).unwrap();
    let address = socket.get_local_address().unwrap();
    (socket, address)
}
