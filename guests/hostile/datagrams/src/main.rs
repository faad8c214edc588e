//! Tries to get datagrams where they may not go. Each argument is a way to try with a socket of its own, and a line of
//! output: the way, and what came of each of its steps.

mod way;

use std::{env, net::SocketAddr};
use wasip2::sockets::{
    instance_network::instance_network,
    network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress},
    udp::{IncomingDatagramStream, OutgoingDatagram, OutgoingDatagramStream, UdpSocket},
    udp_create_socket::create_udp_socket,
};
use way::Step;

fn main() {
    for way in env::args().skip(1) {
        let steps = way::steps(&way);
        let mut socket = Socket::bound(if way::is_ipv6(&steps) { "[::]:0" } else { "0.0.0.0:0" });
        let answers: Vec<String> = steps.iter().map(|step| socket.take(step, &way)).collect();
        println!("{way}: {}", answers.join(", "));
    }
}

/// A socket with the streams that WASI 0.2 makes anew for each connection.
struct Socket {
    streams: Option<(IncomingDatagramStream, OutgoingDatagramStream)>,
    socket: UdpSocket,
}

impl Socket {
    fn bound(local: &str) -> Socket {
        let local: SocketAddr = local.parse().unwrap();
        let family = if local.is_ipv6() { IpAddressFamily::Ipv6 } else { IpAddressFamily::Ipv4 };
        let socket = create_udp_socket(family).unwrap();
        socket.start_bind(&instance_network(), wasi(local)).unwrap();
        while socket.finish_bind() == Err(ErrorCode::WouldBlock) {
            socket.subscribe().block();
        }
        Socket { streams: None, socket }
    }

    fn take(&mut self, step: &Step, data: &str) -> String {
        let taken = match step {
            Step::Connect(peer) => self.connect(Some(*peer)).map(|()| "connected".to_owned()),
            Step::Disconnect => self.connect(None).map(|()| "disconnected".to_owned()),
            Step::Send(peers) => self.send(peers, data),
        };
        taken.unwrap_or_else(|code| code.name().to_owned())
    }

    fn connect(&mut self, peer: Option<SocketAddr>) -> Result<(), ErrorCode> {
        self.streams = None;
        self.streams = Some(self.socket.stream(peer.map(wasi))?);
        Ok(())
    }

    /// Sends without a connection where none was made, or the last one was refused.
    fn send(&mut self, peers: &[Option<SocketAddr>], data: &str) -> Result<String, ErrorCode> {
        if self.streams.is_none() {
            self.connect(None)?;
        }
        let (_, out) = self.streams.as_ref().unwrap();
        while out.check_send()? == 0 {
            out.subscribe().block();
        }
        let datagram =
            |peer: &Option<SocketAddr>| OutgoingDatagram { data: data.into(), remote_address: peer.map(wasi) };
        let sent = out.send(&peers.iter().map(datagram).collect::<Vec<_>>())? as usize;
        let answers: Vec<_> = (0..peers.len()).map(|n| if n < sent { "sent" } else { "not" }).collect();
        Ok(answers.join(" "))
    }
}

fn wasi(address: SocketAddr) -> IpSocketAddress {
    match address {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port: address.port(), address: (a, b, c, d) })
        }
        SocketAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.ip().segments();
            let (port, address) = (address.port(), (a, b, c, d, e, f, g, h));
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 })
        }
    }
}
