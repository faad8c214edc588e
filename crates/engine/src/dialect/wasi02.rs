//! WASI 0.2, for components: `wasi:cli`, `wasi:http` and what they use.
//! <https://github.com/WebAssembly/WASI/tree/main/proposals>

mod files;
mod lookup;
mod requests;
mod tcp;
mod timers;
mod udp;

use super::random_granted;
use crate::state::State;
use sandbar_grants::{Admitted, Resolution};
use wasmtime::{Result, StoreContextMut, component::Linker};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::bindings::random::random::Host as _;

/// The version that is provided.
pub(super) const VERSION: &str = "0.2.12";

/// Provides WASI 0.2.
pub(crate) fn link(linker: &mut Linker<State>, grants: &Admitted) -> Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    lookup::link(linker)?;
    tcp::link(linker)?;
    udp::link(linker)?;
    requests::link(linker)?;
    if grants.clock != Resolution::Fine {
        timers::link(linker)?;
    }
    if !grants.folders.is_empty() {
        files::link(linker)?;
    }
    let mut random = linker.instance("wasi:random/random@0.2.12")?;
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
