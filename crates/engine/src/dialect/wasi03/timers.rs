//! Timers of WASI 0.3 that end once the guest's own clock reads so.

use crate::{dialect::used, state::State};
use sandbar_call::GrantKind;
use sandbar_grants::{Resolution, clock};
use std::time::Duration;
use wasmtime::{
    Result,
    component::{Accessor, Linker},
};

/// Lays them over, for a guest whose clock has steps.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    let mut monotonic = linker.instance("wasi:clocks/monotonic-clock@0.3.0")?;
    monotonic.func_wrap_concurrent("wait-until", |store: &Accessor<State>, (when,): (u64,)| {
        Box::pin(wait(store, move |now, resolution| clock::wait_until_ns(now, when, resolution)))
    })?;
    monotonic.func_wrap_concurrent("wait-for", |store: &Accessor<State>, (duration,): (u64,)| {
        Box::pin(wait(store, move |now, resolution| clock::wait_for_ns(now, duration, resolution)))
    })
}

async fn wait(store: &Accessor<State>, how_long: impl FnOnce(u64, Resolution) -> u64) -> Result<()> {
    let resolution = store.with(|mut store| {
        let state = store.data_mut();
        used(&state.tap, GrantKind::Clock);
        state.grants.clock
    });
    match how_long(clock::monotonic_ns(Resolution::Fine), resolution) {
        0 => {}
        wait => tokio::time::sleep(Duration::from_nanos(wait)).await,
    }
    Ok(())
}
