//! WASI 0.3, for components with async: `wasi:cli`, `wasi:http` and what they use.

mod files;
mod lookup;
mod metered;
mod requests;
mod sockets;
mod timers;

use super::random_granted;
use crate::state::State;
use sandbar_grants::{Admitted, Resolution};
use wasmtime::{Result, StoreContextMut, component::Linker};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p3::bindings::random::random::Host as _;

/// The version that is provided.
pub(super) const VERSION: &str = "0.3.0";

/// Provides WASI 0.3, beside what the linker has.
pub(crate) fn link(linker: &mut Linker<State>, grants: &Admitted) -> Result<()> {
    wasmtime_wasi::p3::add_to_linker(linker)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)?;
    lookup::link(linker)?;
    sockets::link(linker)?;
    requests::link(linker)?;
    if grants.clock != Resolution::Fine {
        timers::link(linker)?;
    }
    if !grants.folders.is_empty() {
        files::link(linker)?;
    }
    let mut random = linker.instance("wasi:random/random@0.3.0")?;
    random.func_wrap("get-random-bytes", |mut store: StoreContextMut<'_, State>, (length,): (u64,)| {
        random_granted(store.data())?;
        Ok((store.data_mut().ctx().ctx.random().get_random_bytes(length)?,))
    })?;
    random.func_wrap("get-random-u64", |mut store: StoreContextMut<'_, State>, (): ()| {
        random_granted(store.data())?;
        Ok((store.data_mut().ctx().ctx.random().get_random_u64()?,))
    })?;
    Ok(())
}
