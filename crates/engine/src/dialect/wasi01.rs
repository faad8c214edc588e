//! WASI 0.1, `wasi_snapshot_preview1`, for core modules.
//! <https://github.com/WebAssembly/WASI/blob/wasi-0.1/preview1/docs.md>

use super::random_granted;
use crate::state::State;
use wasmtime::{Caller, Extern, Linker, Result, bail};
use wasmtime_wasi::p1::wasi_snapshot_preview1;
use wiggle::GuestMemory;

const MODULE: &str = "wasi_snapshot_preview1";

/// Provides WASI 0.1, and 0.0 where an old guest asks for it.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    wasmtime_wasi::p1::add_to_linker_async(linker, |state| &mut state.wasi)?;
    wasmtime_wasi::p0::add_to_linker_async(linker, |state| &mut state.wasi)?;
    linker.func_wrap(MODULE, "random_get", |mut caller: Caller<'_, State>, pointer: i32, length: i32| -> Result<i32> {
        random_granted(caller.data())?;
        let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
            bail!("the guest exports no memory");
        };
        let (memory, state) = memory.data_and_store_mut(&mut caller);
        wasi_snapshot_preview1::random_get(&mut state.wasi, &mut GuestMemory::Unshared(memory), pointer, length)
    })?;
    Ok(())
}
