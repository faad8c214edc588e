//! Random numbers of components: the secure ones by grant.
//!
//! The insecure ones come from the same source. A generator of the sandbox's own would be one more thing that a call leaves
//! behind for the next, and is no faster. A seed stays the same as long as the call's sandbox does.

use super::random_granted;
use crate::state::State;
use wasmtime::{Result, StoreContextMut, component::Linker};
use wasmtime_wasi::{WasiView, p2::bindings::random::random::Host as _};

type Store<'a> = StoreContextMut<'a, State>;

/// Provides `wasi:random` of a version, in which the function that gives a seed has this name.
pub(crate) fn link(linker: &mut Linker<State>, version: &str, seed: &str) -> Result<()> {
    let mut secure = linker.instance(&format!("wasi:random/random@{version}"))?;
    secure.func_wrap("get-random-bytes", |mut store: Store<'_>, (length,): (u64,)| {
        random_granted(store.data())?;
        Ok((bytes(&mut store, length)?,))
    })?;
    secure.func_wrap("get-random-u64", |mut store: Store<'_>, (): ()| {
        random_granted(store.data())?;
        Ok((number(&mut store)?,))
    })?;
    let mut insecure = linker.instance(&format!("wasi:random/insecure@{version}"))?;
    insecure.func_wrap("get-insecure-random-bytes", |mut store: Store<'_>, (length,): (u64,)| {
        Ok((bytes(&mut store, length)?,))
    })?;
    insecure.func_wrap("get-insecure-random-u64", |mut store: Store<'_>, (): ()| Ok((number(&mut store)?,)))?;
    let mut seeds = linker.instance(&format!("wasi:random/insecure-seed@{version}"))?;
    seeds.func_wrap(seed, |mut store: Store<'_>, (): ()| {
        let seed = match store.data().seed {
            Some(seed) => seed,
            None => (number(&mut store)?, number(&mut store)?),
        };
        store.data_mut().seed = Some(seed);
        Ok((seed,))
    })
}

fn bytes(store: &mut Store<'_>, length: u64) -> Result<Vec<u8>> {
    store.data_mut().makes_random(length);
    store.data_mut().ctx().ctx.random().get_random_bytes(length)
}

fn number(store: &mut Store<'_>) -> Result<u64> {
    store.data_mut().ctx().ctx.random().get_random_u64()
}
