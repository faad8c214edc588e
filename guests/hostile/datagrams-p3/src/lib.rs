//! The same as `datagrams` for WASI 0.3, which has no streams of datagrams: several at once are several calls under way.

#[path = "../../datagrams/src/way.rs"]
mod way;

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::Pin,
    task::Poll,
};
use wasip3::{
    cli::{environment, stdout},
    exports::cli::run::Guest,
    sockets::types::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress, UdpSocket},
    wit_stream,
};
use way::Step;

struct Command;

wasip3::cli::command::export!(Command);

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        let (mut out, contents) = wit_stream::new();
        let printed = stdout::write_via_stream(contents);
        for way in environment::get_arguments().into_iter().skip(1) {
            let steps = way::steps(&way);
            let family = if way::is_ipv6(&steps) { IpAddressFamily::Ipv6 } else { IpAddressFamily::Ipv4 };
            let socket = UdpSocket::create(family).map_err(drop)?;
            let mut answers = Vec::new();
            for step in &steps {
                answers.push(take(&socket, step, &way).await);
            }
            out.write_all(format!("{way}: {}\n", answers.join(", ")).into_bytes()).await;
        }
        drop(out);
        printed.await.map_err(drop)
    }
}

async fn take(socket: &UdpSocket, step: &Step, data: &str) -> String {
    let (done, answers) = match step {
        Step::Connect(peer) => ("connected", vec![socket.connect(wasi(*peer))]),
        Step::Disconnect => ("disconnected", vec![socket.disconnect()]),
        Step::Send(peers) => {
            let send = |peer: &Option<SocketAddr>| socket.send(data.into(), peer.map(wasi));
            ("sent", all(peers.iter().map(send)).await)
        }
    };
    let answer = |answer: Result<(), ErrorCode>| answer.map_or_else(name, |()| done.to_owned());
    answers.into_iter().map(answer).collect::<Vec<_>>().join(" ")
}

/// Waits for all of them together.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut under_way: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = under_way.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, done) in under_way.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// The names that WASI 0.2 has for them.
fn name(code: ErrorCode) -> String {
    match code {
        ErrorCode::AccessDenied => "access-denied".into(),
        ErrorCode::InvalidArgument => "invalid-argument".into(),
        ErrorCode::InvalidState => "invalid-state".into(),
        other => format!("{other:?}"),
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
