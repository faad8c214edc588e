//! UDP sockets: their states, addresses and properties, and datagrams. Both ends are this command's.

use crate::{
    Case,
    addresses::{FAMILIES, at, loopback, mapped, of_nobody, of_the_other, plain, refused, unspecified},
    cases,
};
use wasip2::sockets::{
    instance_network::instance_network,
    network::{ErrorCode, IpAddressFamily, IpSocketAddress},
    udp::{IncomingDatagram, IncomingDatagramStream, OutgoingDatagram, OutgoingDatagramStream, UdpSocket},
    udp_create_socket::create_udp_socket,
};

pub(crate) const CASES: &[Case] = cases![
    bind,
    bind_refused,
    bind_twice,
    bind_where_another_is,
    stream_unbound,
    states_at_the_beginning,
    connect,
    connect_refused,
    connect_again,
    datagrams,
    datagrams_of_a_connection,
    datagrams_refused,
    datagrams_that_are_too_large,
    empty_datagrams,
    address_family,
    hop_limit,
    buffers,
];

type Streams = (IncomingDatagramStream, OutgoingDatagramStream);

fn bind() {
    for family in FAMILIES {
        for address in [loopback(family, 0), unspecified(family, 0)] {
            let socket = create(family);
            bound(&socket, address).unwrap();
            let (asked, got) = (plain(address), plain(socket.local_address().unwrap()));
            assert_eq!(got.ip(), asked.ip());
            assert_ne!(got.port(), 0);
        }
    }
}

fn bind_refused() {
    for family in FAMILIES {
        refused(bound(&create(family), of_the_other(family)), &[ErrorCode::InvalidArgument]);
        for address in of_nobody(family) {
            refused(bound(&create(family), at(address, 0)), &[ErrorCode::AddressNotBindable]);
        }
    }
    refused(bound(&create(IpAddressFamily::Ipv6), mapped(0)), &[ErrorCode::InvalidArgument]);
}

fn bind_twice() {
    for family in FAMILIES {
        let (socket, _) = bound_somewhere(family);
        refused(bound(&socket, loopback(family, 0)), &[ErrorCode::InvalidState]);
    }
}

fn bind_where_another_is() {
    for family in FAMILIES {
        let (_socket, address) = bound_somewhere(family);
        refused(bound(&create(family), address), &[ErrorCode::AddressInUse]);
    }
}

fn stream_unbound() {
    refused(create(IpAddressFamily::Ipv4).stream(None), &[ErrorCode::InvalidState]);
}

fn states_at_the_beginning() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.local_address(), &[ErrorCode::InvalidState]);
        refused(socket.remote_address(), &[ErrorCode::InvalidState]);
        refused(socket.finish_bind(), &[ErrorCode::NotInProgress]);
    }
}

fn connect() {
    for family in FAMILIES {
        let (socket, _) = bound_somewhere(family);
        refused(socket.remote_address(), &[ErrorCode::InvalidState]);
        let peer = loopback(family, 42);
        drop(socket.stream(Some(peer)).unwrap());
        assert_eq!(plain(socket.remote_address().unwrap()), plain(peer));
        drop(socket.stream(None).unwrap());
        refused(socket.remote_address(), &[ErrorCode::InvalidState]);
    }
}

fn connect_refused() {
    for family in FAMILIES {
        let mut addresses = vec![of_the_other(family), unspecified(family, 42), loopback(family, 0)];
        if family == IpAddressFamily::Ipv6 {
            addresses.push(mapped(42));
        }
        for address in addresses {
            let (socket, _) = bound_somewhere(family);
            refused(socket.stream(Some(address)), &[ErrorCode::InvalidArgument]);
        }
    }
}

fn connect_again() {
    for family in FAMILIES {
        let (socket, _) = bound_somewhere(family);
        for port in [42, 42, 43] {
            drop(socket.stream(Some(loopback(family, port))).unwrap());
            assert_eq!(plain(socket.remote_address().unwrap()).port(), port);
        }
    }
}

fn datagrams() {
    for family in FAMILIES {
        let ((one, one_at), (other, other_at)) = (bound_somewhere(family), bound_somewhere(family));
        let (one_streams, other_streams) = (one.stream(None).unwrap(), other.stream(None).unwrap());
        assert!(one_streams.0.receive(10).unwrap().is_empty(), "to receive is not to wait");
        for text in ["one", "two", "three"] {
            send(&one_streams, text.as_bytes(), Some(other_at)).unwrap();
        }
        for text in ["one", "two", "three"] {
            let datagram = receive(&other_streams);
            assert_eq!(datagram.data, text.as_bytes());
            assert_eq!(plain(datagram.remote_address), plain(one_at));
        }
        send(&other_streams, b"back", Some(one_at)).unwrap();
        assert_eq!(receive(&one_streams).data, b"back");
    }
}

/// Who is connected hears that one peer only, and needs not say to whom.
fn datagrams_of_a_connection() {
    for family in FAMILIES {
        let ((one, one_at), (other, other_at)) = (bound_somewhere(family), bound_somewhere(family));
        let (stranger, _) = bound_somewhere(family);
        let one = one.stream(Some(other_at)).unwrap();
        let other = other.stream(None).unwrap();
        let stranger = stranger.stream(None).unwrap();
        send(&stranger, b"not for you", Some(one_at)).unwrap();
        send(&one, b"to the peer", None).unwrap();
        assert_eq!(receive(&other).data, b"to the peer");
        send(&one, b"said again", Some(other_at)).unwrap();
        assert_eq!(receive(&other).data, b"said again");
        send(&other, b"from the peer", Some(one_at)).unwrap();
        assert_eq!(receive(&one).data, b"from the peer");
        refused(send(&one, b"x", Some(loopback(family, 42))), &[ErrorCode::InvalidArgument]);
    }
}

fn datagrams_refused() {
    for family in FAMILIES {
        let (socket, _) = bound_somewhere(family);
        let streams = socket.stream(None).unwrap();
        for address in [None, Some(of_the_other(family)), Some(unspecified(family, 42)), Some(loopback(family, 0))] {
            refused(send(&streams, b"x", address), &[ErrorCode::InvalidArgument]);
        }
    }
}

fn datagrams_that_are_too_large() {
    for family in FAMILIES {
        let ((one, _), (_other, other_at)) = (bound_somewhere(family), bound_somewhere(family));
        let streams = one.stream(None).unwrap();
        refused(send(&streams, &[0; 65_536], Some(other_at)), &[ErrorCode::DatagramTooLarge]);
        assert_eq!(send(&streams, &[0; 1000], Some(other_at)), Ok(1));
    }
}

fn empty_datagrams() {
    for family in FAMILIES {
        let ((one, _), (other, other_at)) = (bound_somewhere(family), bound_somewhere(family));
        let (one, other) = (one.stream(None).unwrap(), other.stream(None).unwrap());
        assert_eq!(send(&one, b"", Some(other_at)), Ok(1));
        assert_eq!(receive(&other).data, b"");
    }
}

fn address_family() {
    for family in FAMILIES {
        assert_eq!(create(family).address_family(), family);
    }
}

fn hop_limit() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.set_unicast_hop_limit(0), &[ErrorCode::InvalidArgument]);
        for hops in [1, 42, 255] {
            socket.set_unicast_hop_limit(hops).unwrap();
            assert_eq!(socket.unicast_hop_limit(), Ok(hops));
        }
    }
}

/// Sizes are held to what the host can, and what was set is what is told.
fn buffers() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.set_receive_buffer_size(0), &[ErrorCode::InvalidArgument]);
        refused(socket.set_send_buffer_size(0), &[ErrorCode::InvalidArgument]);
        for bytes in [1, u64::MAX] {
            assert_eq!((socket.set_receive_buffer_size(bytes), socket.set_send_buffer_size(bytes)), (Ok(()), Ok(())));
            assert!(socket.receive_buffer_size().unwrap() > 0 && socket.send_buffer_size().unwrap() > 0);
        }
        socket.set_receive_buffer_size(0x10000).unwrap();
        socket.set_send_buffer_size(0x10000).unwrap();
        assert_eq!(socket.receive_buffer_size(), Ok(0x10000));
        assert_eq!(socket.send_buffer_size(), Ok(0x10000));
    }
}

#[track_caller]
fn create(family: IpAddressFamily) -> UdpSocket {
    create_udp_socket(family).unwrap()
}

fn bound(socket: &UdpSocket, address: IpSocketAddress) -> Result<(), ErrorCode> {
    socket.start_bind(&instance_network(), address)?;
    loop {
        match socket.finish_bind() {
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            done => return done,
        }
    }
}

#[track_caller]
fn bound_somewhere(family: IpAddressFamily) -> (UdpSocket, IpSocketAddress) {
    let socket = create(family);
    bound(&socket, loopback(family, 0)).unwrap();
    let address = socket.local_address().unwrap();
    (socket, address)
}

fn send(streams: &Streams, data: &[u8], remote_address: Option<IpSocketAddress>) -> Result<u64, ErrorCode> {
    while streams.1.check_send()? == 0 {
        streams.1.subscribe().block();
    }
    streams.1.send(&[OutgoingDatagram { data: data.to_vec(), remote_address }])
}

#[track_caller]
fn receive(streams: &Streams) -> IncomingDatagram {
    loop {
        let mut received = streams.0.receive(1).unwrap();
        if let Some(datagram) = received.pop() {
            return datagram;
        }
        streams.0.subscribe().block();
    }
}
