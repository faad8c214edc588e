//! `wasi:sockets/types` 0.3 with a meter on what TCP and UDP carry.

use super::metered::metered;
use crate::{dialect::answer, state::State};
use sandbar_call::Resource as Amount;
use wasmtime::{
    AsContextMut, Result, StoreContextMut,
    component::{Access, Accessor, Linker, Resource, StreamReader},
};
use wasmtime_wasi::{
    p3::bindings::sockets::types::{
        HostTcpSocketWithStore as HostTcp, HostUdpSocketWithStore as HostUdp, IpSocketAddress, TcpSocket, UdpSocket,
    },
    sockets::{WasiSockets, WasiSocketsCtxView, WasiSocketsView},
};

const INTERFACE: &str = "wasi:sockets/types@0.3.0";

/// Lays the meter over wasmtime-wasi's functions.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    let mut types = linker.instance(INTERFACE)?;
    types.func_wrap(
        "[method]tcp-socket.send",
        |mut store: StoreContextMut<'_, State>, (socket, data): (Resource<TcpSocket>, StreamReader<u8>)| {
            let data = metered(store.as_context_mut(), data, Amount::BytesOut)?;
            Ok((<WasiSockets as HostTcp<State>>::send(access(store), socket, data)?,))
        },
    )?;
    types.func_wrap(
        "[method]tcp-socket.receive",
        |mut store: StoreContextMut<'_, State>, (socket,): (Resource<TcpSocket>,)| {
            let (data, ended) = <WasiSockets as HostTcp<State>>::receive(access(store.as_context_mut()), socket)?;
            Ok(((metered(store, data, Amount::BytesIn)?, ended),))
        },
    )?;
    types.func_wrap_concurrent(
        "[method]udp-socket.send",
        |store: &Accessor<State>, (socket, data, to): (Resource<UdpSocket>, Vec<u8>, Option<IpSocketAddress>)| {
            Box::pin(async move {
                let count = data.len();
                let inner = store.with_getter::<WasiSockets>(sockets);
                let sent = answer(<WasiSockets as HostUdp<State>>::send(&inner, socket, data, to).await)?;
                if sent.is_ok() {
                    charge(store, Amount::BytesOut, count)?;
                }
                Ok((sent,))
            })
        },
    )?;
    types.func_wrap_concurrent(
        "[method]udp-socket.receive",
        |store: &Accessor<State>, (socket,): (Resource<UdpSocket>,)| {
            Box::pin(async move {
                let inner = store.with_getter::<WasiSockets>(sockets);
                let received = answer(<WasiSockets as HostUdp<State>>::receive(&inner, socket).await)?;
                if let Ok((data, _)) = &received {
                    charge(store, Amount::BytesIn, data.len())?;
                }
                Ok((received,))
            })
        },
    )
}

fn access(store: StoreContextMut<'_, State>) -> Access<'_, State, WasiSockets> {
    Access::<State, WasiSockets>::new(store, sockets)
}

fn sockets(state: &mut State) -> WasiSocketsCtxView<'_> {
    state.sockets()
}

fn charge(store: &Accessor<State>, amount: Amount, count: usize) -> Result<()> {
    let meter = store.with(|mut store| store.data_mut().tap.meter());
    Ok(meter.charge(amount, count as u64)?)
}
