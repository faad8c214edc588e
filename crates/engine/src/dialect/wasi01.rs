//! WASI 0.1, `wasi_snapshot_preview1`, for core modules.
//! <https://github.com/WebAssembly/WASI/blob/wasi-0.1/preview1/docs.md>

mod files;
mod guest;
mod listing;
mod part;
mod plain;
mod poll;
mod stdio;
mod transfer;

use super::random_granted;
use crate::state::State;
use sandbar_grants::{Admitted, Resolution};
use wasmtime::{Caller, Extern, Linker, Module, Result, bail};
use wasmtime_wasi::p1::{WasiP1Ctx, wasi_snapshot_preview1};
use wiggle::GuestMemory;

pub(crate) use listing::Listings;

/// Under which name a guest, or a part of one, imports it, and which of its exports is then its memory.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// What it imports from.
    pub module: &'static str,
    /// What it exports.
    pub memory: &'static str,
}

impl Names {
    /// A guest's own.
    pub(crate) const OWN: Names = Names { module: "wasi_snapshot_preview1", memory: "memory" };
    /// 0.0's, whose functions that are laid over here are the same.
    const OLD: Names = Names { module: "wasi_unstable", memory: "memory" };
    /// Those of parts that were linked into one guest, each with a memory of its own.
    pub const PARTS: [Names; 8] = [
        Names { module: "wasi_snapshot_preview1/1", memory: "memory/1" },
        Names { module: "wasi_snapshot_preview1/2", memory: "memory/2" },
        Names { module: "wasi_snapshot_preview1/3", memory: "memory/3" },
        Names { module: "wasi_snapshot_preview1/4", memory: "memory/4" },
        Names { module: "wasi_snapshot_preview1/5", memory: "memory/5" },
        Names { module: "wasi_snapshot_preview1/6", memory: "memory/6" },
        Names { module: "wasi_snapshot_preview1/7", memory: "memory/7" },
        Names { module: "wasi_snapshot_preview1/8", memory: "memory/8" },
    ];
}

/// Provides WASI 0.1, and 0.0 where an old guest asks for it.
pub(crate) fn link(linker: &mut Linker<State>, grants: &Admitted) -> Result<()> {
    wasmtime_wasi::p1::add_to_linker_async(linker, context)?;
    wasmtime_wasi::p0::add_to_linker_async(linker, context)?;
    if grants.folders.is_empty() {
        stdio::link(linker)?;
    }
    lay_over(linker, grants, Names::OWN)?;
    lay_over(linker, grants, Names::OLD)
}

/// Provides it to parts that a module was linked of.
pub(crate) fn link_parts(linker: &mut Linker<State>, module: &Module, grants: &Admitted) -> Result<()> {
    for names in Names::PARTS {
        if module.imports().any(|import| import.module() == names.module) {
            part::link(linker, names)?;
            lay_over(linker, grants, names)?;
        }
    }
    Ok(())
}

/// Lays over wasmtime-wasi's functions what they lack.
fn lay_over(linker: &mut Linker<State>, grants: &Admitted, names: Names) -> Result<()> {
    random(linker, names)?;
    if grants.folders.is_empty() {
        stdio::watch(linker, names)?;
    } else {
        plain::link(linker, names)?;
        files::link(linker, names)?;
        listing::link(linker, names)?;
    }
    // 0.0 has another list of what is waited for.
    if grants.clock != Resolution::Fine && names.module != Names::OLD.module {
        poll::link(linker, names)?;
    }
    Ok(())
}

fn context(state: &mut State) -> &mut WasiP1Ctx {
    state.serves();
    &mut state.wasi
}

fn random(linker: &mut Linker<State>, names: Names) -> Result<()> {
    linker.func_wrap(
        names.module,
        "random_get",
        move |mut caller: Caller<'_, State>, pointer: i32, length: i32| -> Result<i32> {
            random_granted(caller.data())?;
            let Some(Extern::Memory(memory)) = caller.get_export(names.memory) else {
                bail!("the guest exports no memory");
            };
            let (memory, state) = memory.data_and_store_mut(&mut caller);
            state.makes_random(u64::from(length.cast_unsigned()));
            wasi_snapshot_preview1::random_get(&mut state.wasi, &mut GuestMemory::Unshared(memory), pointer, length)
        },
    )?;
    Ok(())
}
