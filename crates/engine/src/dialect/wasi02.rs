//! WASI 0.2, for components: `wasi:cli`, `wasi:http` and what they use.
//! <https://github.com/WebAssembly/WASI/tree/main/proposals>

mod files;
mod lookup;
mod requests;
mod tcp;
mod timers;
mod udp;

use super::random;
use crate::state::State;
use sandbar_grants::{Admitted, Resolution};
use wasmtime::{Result, component::Linker};

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
    random::link(linker, VERSION, "insecure-seed")?;
    if !grants.folders.is_empty() {
        files::link(linker)?;
    }
    Ok(())
}
