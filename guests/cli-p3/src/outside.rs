//! What the command touches when it is asked to: a file, a TCP peer, a UDP peer.

use std::net::SocketAddrV4;

use wasip3::filesystem::{
    preopens,
    types::{DescriptorFlags, OpenFlags, PathFlags},
};
use wasip3::sockets::types::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket, UdpSocket};
use wasip3::wit_stream;

const PING: &[u8] = b"ping\n";

/// Reads a file of the first folder.
pub(crate) async fn read_file(name: &str) -> Option<Vec<u8>> {
    let (folder, _) = preopens::get_directories().into_iter().next()?;
    let flags = DescriptorFlags::READ;
    let file = folder.open_at(PathFlags::empty(), name.into(), OpenFlags::empty(), flags).await.ok()?;
    let (bytes, ended) = file.read_via_stream(0);
    let bytes = bytes.collect().await;
    ended.await.ok().map(|()| bytes)
}

/// Writes a line to a TCP peer and gives what it answers.
pub(crate) async fn ping_tcp(address: &str) -> Option<Vec<u8>> {
    let socket = TcpSocket::create(IpAddressFamily::Ipv4).ok()?;
    socket.connect(address_of(address)?).await.ok()?;
    let (mut out, contents) = wit_stream::new();
    let sent = socket.send(contents);
    let (answer, received) = socket.receive();
    out.write_all(PING.to_vec()).await;
    drop(out);
    sent.await.ok()?;
    let answer = answer.collect().await;
    received.await.ok().map(|()| answer)
}

/// Sends a UDP peer a datagram and gives the one that it answers.
pub(crate) async fn ping_udp(address: &str) -> Option<Vec<u8>> {
    let socket = UdpSocket::create(IpAddressFamily::Ipv4).ok()?;
    socket.send(PING.to_vec(), Some(address_of(address)?)).await.ok()?;
    let (answer, _) = socket.receive().await.ok()?;
    Some(answer)
}

fn address_of(text: &str) -> Option<IpSocketAddress> {
    let address: SocketAddrV4 = text.parse().ok()?;
    let [a, b, c, d] = address.ip().octets();
    Some(IpSocketAddress::Ipv4(Ipv4SocketAddress { port: address.port(), address: (a, b, c, d) }))
}
