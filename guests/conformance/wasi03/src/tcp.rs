//! TCP sockets: their states and addresses, and what goes over them. Both ends are this command's.

use crate::{
    Case,
    addresses::{FAMILIES, at, for_many, loopback, mapped, of_nobody, of_the_other, plain, unspecified},
    both::{at_once, both},
    cases, refused,
};
use wasip3::{
    sockets::types::{ErrorCode, IpAddressFamily, IpSocketAddress, TcpSocket},
    wit_bindgen::rt::async_support::StreamReader,
    wit_stream,
};

pub(crate) const CASES: &[Case] = cases![
    bind,
    bind_to_the_other_family,
    bind_to_many,
    bind_to_nobody,
    bind_to_a_mapped_address,
    bind_twice,
    bind_where_another_is,
    bind_again_at_once,
    listen,
    listen_unbound,
    listen_twice,
    connect,
    connect_to_what_is_none,
    connect_where_nobody_listens,
    connect_in_the_wrong_state,
    connect_from_a_bound_address,
    states_at_the_beginning,
    echo,
    many_connections,
    send_shut_down,
    send_unconnected,
    send_twice,
    receive_unconnected,
    receive_twice,
    receive_shut_down,
    dropped,
];

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

async fn bind_to_the_other_family() {
    for family in FAMILIES {
        refused(create(family).bind(of_the_other(family)), &["InvalidArgument"]);
    }
}

async fn bind_to_many() {
    for family in FAMILIES {
        for address in for_many(family) {
            refused(create(family).bind(at(address, 0)), &["InvalidArgument"]);
        }
    }
}

async fn bind_to_nobody() {
    for family in FAMILIES {
        for address in of_nobody(family) {
            refused(create(family).bind(at(address, 0)), &["AddressNotBindable"]);
        }
    }
}

async fn bind_to_a_mapped_address() {
    refused(create(IpAddressFamily::Ipv6).bind(mapped(0)), &["InvalidArgument"]);
}

async fn bind_twice() {
    for family in FAMILIES {
        let socket = create(family);
        socket.bind(loopback(family, 0)).unwrap();
        refused(socket.bind(loopback(family, 0)), &["InvalidState"]);
    }
}

async fn bind_where_another_is() {
    for family in FAMILIES {
        let bound_only = create(family);
        bound_only.bind(loopback(family, 0)).unwrap();
        let (_listener, _accept, address) = listening(family);
        for taken in [address, bound_only.get_local_address().unwrap()] {
            refused(create(family).bind(taken), &["AddressInUse"]);
        }
    }
}

/// A server that starts again gets its port, although the old one's connections linger.
async fn bind_again_at_once() {
    for family in FAMILIES {
        let (listener, mut accept, address) = listening(family);
        let (client, server) = pair(&mut accept, address).await;
        send(&server, b"x").await.unwrap();
        drop((server, accept, listener));
        drop(client);
        let next = create(family);
        next.bind(address).unwrap();
        next.listen().unwrap();
    }
}

async fn listen() {
    for family in FAMILIES {
        let (listener, mut accept, _) = listening(family);
        assert!(listener.get_is_listening());
        assert!(at_once(accept.next()).is_none(), "nobody has come");
    }
}

/// It gets an address by itself.
async fn listen_unbound() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.get_local_address(), &["InvalidState"]);
        let _accept = socket.listen().unwrap();
        assert_ne!(plain(socket.get_local_address().unwrap()).port(), 0);
    }
}

async fn listen_twice() {
    for family in FAMILIES {
        let (listener, _accept, _) = listening(family);
        refused(listener.listen(), &["InvalidState"]);
    }
}

async fn connect() {
    for family in FAMILIES {
        let (_listener, mut accept, address) = listening(family);
        let (client, server) = pair(&mut accept, address).await;
        assert_eq!(plain(client.get_remote_address().unwrap()), plain(address));
        assert_eq!(plain(client.get_local_address().unwrap()), plain(server.get_remote_address().unwrap()));
        assert_eq!(plain(server.get_local_address().unwrap()), plain(address));
        assert!(!client.get_is_listening() && !server.get_is_listening());
    }
}

async fn connect_to_what_is_none() {
    for family in FAMILIES {
        let mut addresses: Vec<_> = for_many(family).into_iter().map(|address| at(address, 42)).collect();
        addresses.extend([of_the_other(family), unspecified(family, 42), loopback(family, 0)]);
        if family == IpAddressFamily::Ipv6 {
            addresses.push(mapped(42));
        }
        for address in addresses {
            refused(create(family).connect(address).await, &["InvalidArgument"]);
        }
    }
}

async fn connect_where_nobody_listens() {
    for family in FAMILIES {
        let bound_only = create(family);
        bound_only.bind(loopback(family, 0)).unwrap();
        let client = create(family);
        refused(client.connect(bound_only.get_local_address().unwrap()).await, &["ConnectionRefused"]);
    }
}

async fn connect_in_the_wrong_state() {
    for family in FAMILIES {
        let (listener, mut accept, address) = listening(family);
        refused(listener.connect(address).await, &["InvalidState"]);
        let (client, _server) = pair(&mut accept, address).await;
        refused(client.connect(address).await, &["InvalidState"]);
        refused(client.listen(), &["InvalidState"]);
        refused(client.bind(loopback(family, 0)), &["InvalidState"]);
    }
}

async fn connect_from_a_bound_address() {
    for family in FAMILIES {
        let (_listener, mut accept, address) = listening(family);
        let client = create(family);
        client.bind(loopback(family, 0)).unwrap();
        let from = client.get_local_address().unwrap();
        let (connected, server) = both(client.connect(address), accept.next()).await;
        connected.unwrap();
        assert_eq!(plain(server.unwrap().get_remote_address().unwrap()), plain(from));
    }
}

async fn states_at_the_beginning() {
    for family in FAMILIES {
        let socket = create(family);
        refused(socket.get_local_address(), &["InvalidState"]);
        refused(socket.get_remote_address(), &["InvalidState"]);
        assert!(!socket.get_is_listening());
    }
}

async fn echo() {
    for family in FAMILIES {
        let (_listener, mut accept, address) = listening(family);
        let (client, server) = pair(&mut accept, address).await;
        let serve = async {
            let got = receive(&server).await.unwrap();
            send(&server, &got).await.unwrap();
        };
        let ask = async {
            send(&client, b"ping").await.unwrap();
            receive(&client).await.unwrap()
        };
        assert_eq!(both(serve, ask).await.1, b"ping");
    }
}

async fn many_connections() {
    let (_listener, mut accept, address) = listening(IpAddressFamily::Ipv4);
    let mut pairs = Vec::new();
    for _ in 0..50 {
        pairs.push(pair(&mut accept, address).await);
    }
    for (at, (client, server)) in pairs.iter().enumerate() {
        let sent = [at as u8; 1000];
        let (_, got) = both(async { send(client, &sent).await.unwrap() }, receive(server)).await;
        assert_eq!(got.unwrap(), sent);
    }
}

/// What was written before the stream ended comes, and the other way stays open.
async fn send_shut_down() {
    for family in FAMILIES {
        let (_listener, mut accept, address) = listening(family);
        let (client, server) = pair(&mut accept, address).await;
        send(&client, b"last").await.unwrap();
        assert_eq!(receive(&server).await.unwrap(), b"last");
        send(&server, b"back").await.unwrap();
        assert_eq!(receive(&client).await.unwrap(), b"back");
    }
}

async fn send_unconnected() {
    for family in FAMILIES {
        refused(send(&create(family), b"").await, &["InvalidState"]);
    }
}

async fn send_twice() {
    for family in FAMILIES {
        let (_listener, mut accept, address) = listening(family);
        let (client, _server) = pair(&mut accept, address).await;
        send(&client, b"once").await.unwrap();
        refused(send(&client, b"twice").await, &["InvalidState"]);
    }
}

async fn receive_unconnected() {
    for family in FAMILIES {
        refused(receive(&create(family)).await, &["InvalidState"]);
    }
}

async fn receive_twice() {
    for family in FAMILIES {
        let (_listener, mut accept, address) = listening(family);
        let (client, server) = pair(&mut accept, address).await;
        let (first, first_ended) = server.receive();
        let (second, second_ended) = server.receive();
        assert_eq!(second.collect().await, b"");
        refused(second_ended.await, &["InvalidState"]);
        send(&client, b"x").await.unwrap();
        assert_eq!(first.collect().await, b"x");
        first_ended.await.unwrap();
    }
}

/// Who stops reading is no error for himself.
async fn receive_shut_down() {
    for family in FAMILIES {
        let (_listener, mut accept, address) = listening(family);
        let (client, server) = pair(&mut accept, address).await;
        send(&server, b"x").await.unwrap();
        let (received, ended) = client.receive();
        drop(received);
        ended.await.unwrap();
        send(&client, b"still open").await.unwrap();
        assert_eq!(receive(&server).await.unwrap(), b"still open");
    }
}

async fn dropped() {
    for family in FAMILIES {
        let (_listener, mut accept, address) = listening(family);
        let (client, server) = pair(&mut accept, address).await;
        drop(client);
        assert_eq!(receive(&server).await.unwrap(), b"");
        refused(
            send(&server, &vec![0; 10_000_000]).await,
            &["ConnectionReset", "ConnectionBroken", "ConnectionAborted"],
        );
    }
}

pub(crate) fn create(family: IpAddressFamily) -> TcpSocket {
    TcpSocket::create(family).unwrap()
}

/// A socket that listens at a free port, who comes there, and where.
pub(crate) fn listening(family: IpAddressFamily) -> (TcpSocket, StreamReader<TcpSocket>, IpSocketAddress) {
    let socket = create(family);
    socket.bind(loopback(family, 0)).unwrap();
    let accept = socket.listen().unwrap();
    let address = socket.get_local_address().unwrap();
    (socket, accept, address)
}

/// Both ends of a connection, who connected first.
pub(crate) async fn pair(accept: &mut StreamReader<TcpSocket>, address: IpSocketAddress) -> (TcpSocket, TcpSocket) {
    let family = if plain(address).is_ipv4() { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 };
    let client = create(family);
    let (connected, server) = both(client.connect(address), accept.next()).await;
    connected.unwrap();
    (client, server.unwrap())
}

/// Sends this and nothing more.
async fn send(socket: &TcpSocket, bytes: &[u8]) -> Result<(), ErrorCode> {
    let (mut sender, receiver) = wit_stream::new();
    let sent = socket.send(receiver);
    let write = async {
        sender.write_all(bytes.to_vec()).await;
        drop(sender);
    };
    both(write, sent).await.1
}

/// Receives all that comes.
async fn receive(socket: &TcpSocket) -> Result<Vec<u8>, ErrorCode> {
    let (received, ended) = socket.receive();
    let bytes = received.collect().await;
    ended.await.map(|()| bytes)
}
