//! TCP sockets: their states and addresses, and what goes over them. Both ends are this command's.

use crate::{
    Case,
    addresses::{FAMILIES, at, for_many, loopback, mapped, of_nobody, of_the_other, plain, refused, unspecified},
    cases,
    folder::to_the_end,
};
use wasip2::{
    io::streams::{InputStream, OutputStream, StreamError},
    sockets::{
        instance_network::instance_network,
        network::{ErrorCode, IpAddressFamily, IpSocketAddress},
        tcp::{ShutdownType, TcpSocket},
        tcp_create_socket::create_tcp_socket,
    },
};

pub(crate) const CASES: &[Case] = cases![
    bind,
    bind_to_the_other_family,
    bind_to_many,
    bind_to_nobody,
    bind_to_a_mapped_address,
    bind_twice,
    bind_where_another_listens,
    bind_again_at_once,
    listen,
    listen_twice,
    listen_unbound,
    connect,
    connect_to_what_is_none,
    connect_where_nobody_listens,
    connect_in_the_wrong_state,
    connect_from_a_bound_address,
    states_at_the_beginning,
    echo,
    shut_down,
    dropped,
];

/// One end. Its streams go before it, as WASI 0.2 wants it.
pub(crate) struct Connection {
    input: InputStream,
    output: OutputStream,
    pub(crate) socket: TcpSocket,
}

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

fn bind_to_the_other_family() {
    for family in FAMILIES {
        refused(bound(&create(family), of_the_other(family)), &[ErrorCode::InvalidArgument]);
    }
}

fn bind_to_many() {
    for family in FAMILIES {
        for address in for_many(family) {
            refused(bound(&create(family), at(address, 0)), &[ErrorCode::InvalidArgument]);
        }
    }
}

fn bind_to_nobody() {
    for family in FAMILIES {
        for address in of_nobody(family) {
            refused(bound(&create(family), at(address, 0)), &[ErrorCode::AddressNotBindable]);
        }
    }
}

fn bind_to_a_mapped_address() {
    refused(bound(&create(IpAddressFamily::Ipv6), mapped(0)), &[ErrorCode::InvalidArgument]);
}

fn bind_twice() {
    for family in FAMILIES {
        let socket = create(family);
        bound(&socket, loopback(family, 0)).unwrap();
        refused(bound(&socket, loopback(family, 0)), &[ErrorCode::InvalidState]);
    }
}

fn bind_where_another_listens() {
    for family in FAMILIES {
        let (_listener, address) = listening(family);
        refused(bound(&create(family), address), &[ErrorCode::AddressInUse]);
    }
}

/// A server that starts again gets its port, although the old one's connections linger.
fn bind_again_at_once() {
    for family in FAMILIES {
        let (listener, address) = listening(family);
        let (client, server) = pair(&listener, address);
        server.output.blocking_write_and_flush(b"x").unwrap();
        drop((server.input, server.output));
        drop(server.socket);
        drop(listener);
        drop((client.input, client.output));
        drop(client.socket);
        let next = create(family);
        bound(&next, address).unwrap();
        next.start_listen().unwrap();
        next.finish_listen().unwrap();
    }
}

fn listen() {
    for family in FAMILIES {
        let (listener, _) = listening(family);
        assert!(listener.is_listening());
        refused(listener.accept(), &[ErrorCode::WouldBlock]);
        assert!(!listener.subscribe().ready());
    }
}

fn listen_twice() {
    for family in FAMILIES {
        let (listener, _) = listening(family);
        refused(listener.start_listen(), &[ErrorCode::InvalidState]);
    }
}

fn listen_unbound() {
    refused(create(IpAddressFamily::Ipv4).start_listen(), &[ErrorCode::InvalidState]);
}

fn connect() {
    for family in FAMILIES {
        let (listener, address) = listening(family);
        let (client, server) = pair(&listener, address);
        assert_eq!(plain(client.socket.remote_address().unwrap()), plain(address));
        assert_eq!(plain(client.socket.local_address().unwrap()), plain(server.socket.remote_address().unwrap()));
        assert_eq!(plain(server.socket.local_address().unwrap()), plain(address));
        assert!(!client.socket.is_listening() && !server.socket.is_listening());
    }
}

fn connect_to_what_is_none() {
    let network = instance_network();
    for family in FAMILIES {
        let mut addresses: Vec<_> = for_many(family).into_iter().map(|address| at(address, 42)).collect();
        addresses.extend([of_the_other(family), unspecified(family, 42), loopback(family, 0)]);
        if family == IpAddressFamily::Ipv6 {
            addresses.push(mapped(42));
        }
        for address in addresses {
            let refusal = create(family).start_connect(&network, address);
            refused(refusal, &[ErrorCode::InvalidArgument]);
        }
    }
}

fn connect_where_nobody_listens() {
    for family in FAMILIES {
        let bound_only = create(family);
        bound(&bound_only, loopback(family, 0)).unwrap();
        let address = bound_only.local_address().unwrap();
        let client = create(family);
        refused(connected(&client, address), &[ErrorCode::ConnectionRefused]);
        let of_no_use = &[ErrorCode::InvalidState, ErrorCode::ConnectionRefused];
        refused(client.remote_address(), of_no_use);
        refused(connected(&client, address), of_no_use);
    }
}

fn connect_in_the_wrong_state() {
    let network = instance_network();
    for family in FAMILIES {
        let (listener, address) = listening(family);
        refused(listener.start_connect(&network, address), &[ErrorCode::InvalidState]);
        let (client, _server) = pair(&listener, address);
        refused(client.socket.start_connect(&network, address), &[ErrorCode::InvalidState]);
        refused(client.socket.start_listen(), &[ErrorCode::InvalidState]);
        refused(bound(&client.socket, loopback(family, 0)), &[ErrorCode::InvalidState]);
    }
}

fn connect_from_a_bound_address() {
    for family in FAMILIES {
        let (listener, address) = listening(family);
        let client = create(family);
        bound(&client, loopback(family, 0)).unwrap();
        let from = client.local_address().unwrap();
        connected(&client, address).unwrap();
        let (server, _, _) = accepted(&listener);
        assert_eq!(plain(server.remote_address().unwrap()), plain(from));
    }
}

fn states_at_the_beginning() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.local_address(), &[ErrorCode::InvalidState]);
        refused(socket.remote_address(), &[ErrorCode::InvalidState]);
        refused(socket.accept(), &[ErrorCode::InvalidState]);
        refused(socket.shutdown(ShutdownType::Both), &[ErrorCode::InvalidState]);
        refused(socket.finish_bind(), &[ErrorCode::NotInProgress]);
        refused(socket.finish_connect(), &[ErrorCode::NotInProgress]);
        refused(socket.finish_listen(), &[ErrorCode::NotInProgress]);
        assert!(!socket.is_listening());
    }
}

fn echo() {
    for family in FAMILIES {
        let (listener, address) = listening(family);
        let (client, server) = pair(&listener, address);
        assert_eq!(server.input.read(10).unwrap(), b"", "nothing has come");
        client.output.blocking_write_and_flush(b"ping").unwrap();
        let got = server.input.blocking_read(100).unwrap();
        server.output.blocking_write_and_flush(&got).unwrap();
        drop((server.input, server.output));
        drop(server.socket);
        assert_eq!(to_the_end(&client.input), b"ping");
    }
}

fn shut_down() {
    for family in FAMILIES {
        let (listener, address) = listening(family);
        let (client, server) = pair(&listener, address);
        client.output.blocking_write_and_flush(b"last").unwrap();
        client.socket.shutdown(ShutdownType::Send).unwrap();
        assert_eq!(to_the_end(&server.input), b"last", "what was written comes");
        assert!(matches!(client.output.check_write(), Err(StreamError::Closed)));
        server.output.blocking_write_and_flush(b"back").unwrap();
        assert_eq!(client.input.blocking_read(4).unwrap(), b"back", "the other way is open");
        client.socket.shutdown(ShutdownType::Receive).unwrap();
        assert!(matches!(client.input.blocking_read(1), Err(StreamError::Closed)));
    }
}

fn dropped() {
    for family in FAMILIES {
        let (listener, address) = listening(family);
        let (client, server) = pair(&listener, address);
        drop((client.input, client.output));
        drop(client.socket);
        assert_eq!(to_the_end(&server.input), b"");
        let failed = (0..100).find_map(|_| server.output.blocking_write_and_flush(&[0; 4096]).err());
        assert!(failed.is_some(), "nobody is there to read");
    }
}

#[track_caller]
pub(crate) fn create(family: IpAddressFamily) -> TcpSocket {
    create_tcp_socket(family).unwrap()
}

pub(crate) fn bound(socket: &TcpSocket, address: IpSocketAddress) -> Result<(), ErrorCode> {
    socket.start_bind(&instance_network(), address)?;
    finished(socket, TcpSocket::finish_bind)
}

fn connected(socket: &TcpSocket, address: IpSocketAddress) -> Result<(InputStream, OutputStream), ErrorCode> {
    socket.start_connect(&instance_network(), address)?;
    finished(socket, TcpSocket::finish_connect)
}

/// A socket that listens at a free port, and where.
#[track_caller]
pub(crate) fn listening(family: IpAddressFamily) -> (TcpSocket, IpSocketAddress) {
    let socket = create(family);
    bound(&socket, loopback(family, 0)).unwrap();
    socket.start_listen().unwrap();
    finished(&socket, TcpSocket::finish_listen).unwrap();
    let address = socket.local_address().unwrap();
    (socket, address)
}

#[track_caller]
fn accepted(listener: &TcpSocket) -> (TcpSocket, InputStream, OutputStream) {
    finished(listener, TcpSocket::accept).unwrap()
}

/// Both ends of a connection, who connected first.
#[track_caller]
pub(crate) fn pair(listener: &TcpSocket, address: IpSocketAddress) -> (Connection, Connection) {
    let client = create(listener.address_family());
    let (input, output) = connected(&client, address).unwrap();
    let client = Connection { socket: client, input, output };
    let (socket, input, output) = accepted(listener);
    (client, Connection { socket, input, output })
}

/// Waits for the end of what was begun.
fn finished<T>(socket: &TcpSocket, finish: fn(&TcpSocket) -> Result<T, ErrorCode>) -> Result<T, ErrorCode> {
    loop {
        match finish(socket) {
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            done => return done,
        }
    }
}
