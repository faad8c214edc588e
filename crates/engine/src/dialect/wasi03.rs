//! WASI 0.3, for components with async: `wasi:cli`, `wasi:http` and what they use.

mod files;
mod lookup;
mod metered;
mod requests;
mod sockets;
mod timers;

use super::random;
use crate::state::State;
use sandbar_grants::{Admitted, Resolution};
use wasmtime::{Result, component::Linker};

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
    random::link(linker, VERSION, "get-insecure-seed")?;
    if !grants.folders.is_empty() {
        files::link(linker)?;
    }
    Ok(())
}
