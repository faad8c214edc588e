//! `wasi:sockets/tcp` 0.2 with a meter around the streams of each connection.

use crate::{
    dialect::{
        answer,
        metered::{meter_input, meter_output},
    },
    state::State,
};
use wasmtime::{
    Result, StoreContextMut,
    component::{Linker, Resource},
};
use wasmtime_wasi::{
    p2::{TcpSocket, bindings::sockets::tcp::HostTcpSocket},
    sockets::WasiSocketsView,
};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

const INTERFACE: &str = "wasi:sockets/tcp@0.2.12";

type Store<'a> = StoreContextMut<'a, State>;
type Socket = Resource<TcpSocket>;

/// Lays the meter over wasmtime-wasi's functions.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    let mut tcp = linker.instance(INTERFACE)?;
    tcp.func_wrap("[method]tcp-socket.finish-connect", |mut store: Store<'_>, (socket,): (Socket,)| {
        let connected = answer(store.data_mut().sockets().finish_connect(socket))?;
        if let Ok((input, output)) = &connected {
            meter(store.data_mut(), input, output)?;
        }
        Ok((connected,))
    })?;
    tcp.func_wrap("[method]tcp-socket.accept", |mut store: Store<'_>, (socket,): (Socket,)| {
        let accepted = answer(store.data_mut().sockets().accept(socket))?;
        if let Ok((_, input, output)) = &accepted {
            meter(store.data_mut(), input, output)?;
        }
        Ok((accepted,))
    })
}

fn meter(state: &mut State, input: &Resource<DynInputStream>, output: &Resource<DynOutputStream>) -> Result<()> {
    state.handle(input.rep().max(output.rep()))?;
    let tap = state.tap.clone();
    let table = state.sockets().table;
    meter_input(table, input, tap.clone())?;
    meter_output(table, output, tap)?;
    Ok(())
}
