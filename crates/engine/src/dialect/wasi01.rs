//! WASI 0.1, `wasi_snapshot_preview1`, for core modules.
//! <https://github.com/WebAssembly/WASI/blob/wasi-0.1/preview1/docs.md>

mod files;
mod guest;
mod listing;
mod plain;
mod poll;
mod stdio;

use super::random_granted;
use crate::state::State;
use sandbar_grants::{Admitted, Resolution};
use wasmtime::{Caller, Extern, Linker, Result, bail};
use wasmtime_wasi::p1::{WasiP1Ctx, wasi_snapshot_preview1};
use wiggle::GuestMemory;

pub(crate) use listing::Listings;

/// The names under which guests import it: its own, and 0.0's, whose functions that are laid over here are the same.
pub(super) const MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// Provides WASI 0.1, and 0.0 where an old guest asks for it.
pub(crate) fn link(linker: &mut Linker<State>, grants: &Admitted) -> Result<()> {
    wasmtime_wasi::p1::add_to_linker_async(linker, context)?;
    wasmtime_wasi::p0::add_to_linker_async(linker, context)?;
    if grants.folders.is_empty() {
        stdio::link(linker)?;
    }
    for module in MODULES {
        random(linker, module)?;
        if !grants.folders.is_empty() {
            plain::link(linker, module)?;
            files::link(linker, module)?;
            listing::link(linker, module)?;
        }
    }
    if grants.clock != Resolution::Fine {
        poll::link(linker)?;
    }
    Ok(())
}

fn context(state: &mut State) -> &mut WasiP1Ctx {
    state.serves();
    &mut state.wasi
}

fn random(linker: &mut Linker<State>, module: &str) -> Result<()> {
    linker.func_wrap(
        module,
        "random_get",
        |mut caller: Caller<'_, State>, pointer: i32, length: i32| -> Result<i32> {
            random_granted(caller.data())?;
            let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
                bail!("the guest exports no memory");
            };
            let (memory, state) = memory.data_and_store_mut(&mut caller);
            state.makes_random(u64::from(length.cast_unsigned()));
            wasi_snapshot_preview1::random_get(&mut state.wasi, &mut GuestMemory::Unshared(memory), pointer, length)
        },
    )?;
    Ok(())
}
