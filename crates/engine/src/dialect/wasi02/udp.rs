//! `wasi:sockets/udp` 0.2 with a meter on the datagrams.

use crate::{dialect::answer, state::State};
use sandbar_call::Resource as Amount;
use wasmtime::{
    Result, StoreContextMut,
    component::{Linker, Resource},
};
use wasmtime_wasi::{
    p2::bindings::sockets::udp::{
        HostIncomingDatagramStream, HostOutgoingDatagramStream, IncomingDatagramStream, OutgoingDatagram,
        OutgoingDatagramStream,
    },
    sockets::WasiSocketsView,
};

const INTERFACE: &str = "wasi:sockets/udp@0.2.12";

type Store<'a> = StoreContextMut<'a, State>;

/// Lays the meter over wasmtime-wasi's functions.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    let mut udp = linker.instance(INTERFACE)?;
    udp.func_wrap(
        "[method]incoming-datagram-stream.receive",
        |mut store: Store<'_>, (stream, most): (Resource<IncomingDatagramStream>, u64)| {
            let mut sockets = store.data_mut().sockets();
            let received = answer(HostIncomingDatagramStream::receive(&mut sockets, stream, most))?;
            let count: usize = received.iter().flatten().map(|datagram| datagram.data.len()).sum();
            store.data().tap.meter().charge(Amount::BytesIn, count as u64)?;
            Ok((received,))
        },
    )?;
    udp.func_wrap(
        "[method]outgoing-datagram-stream.send",
        |mut store: Store<'_>, (stream, datagrams): (Resource<OutgoingDatagramStream>, Vec<OutgoingDatagram>)| {
            let sizes: Vec<usize> = datagrams.iter().map(|datagram| datagram.data.len()).collect();
            let mut sockets = store.data_mut().sockets();
            let sent = answer(HostOutgoingDatagramStream::send(&mut sockets, stream, datagrams))?;
            let taken = sent.as_ref().map_or(0, |taken| usize::try_from(*taken).unwrap_or(usize::MAX));
            let count: usize = sizes.iter().take(taken).sum();
            store.data().tap.meter().charge(Amount::BytesOut, count as u64)?;
            Ok((sent,))
        },
    )
}
