//! Timers of WASI 0.2 that end once the guest's own clock reads so.

use crate::{dialect::used, state::State};
use sandbar_call::GrantKind;
use sandbar_grants::{Resolution, clock};
use wasmtime::{Result, StoreContextMut, component::Linker};
use wasmtime_wasi::{clocks::WasiClocksView, p2::bindings::clocks::monotonic_clock::Host as _};

type Store<'a> = StoreContextMut<'a, State>;

/// Lays them over, for a guest whose clock has steps.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    let mut monotonic = linker.instance("wasi:clocks/monotonic-clock@0.2.12")?;
    monotonic.func_wrap("subscribe-instant", |mut store: Store<'_>, (when,): (u64,)| {
        used(&store.data().tap, GrantKind::Clock);
        let wait = clock::wait_until_ns(clock::monotonic_ns(Resolution::Fine), when, store.data().grants.clock);
        Ok((store.data_mut().clocks().subscribe_duration(wait)?,))
    })?;
    monotonic.func_wrap("subscribe-duration", |mut store: Store<'_>, (duration,): (u64,)| {
        let wait = clock::wait_for_ns(clock::monotonic_ns(Resolution::Fine), duration, store.data().grants.clock);
        Ok((store.data_mut().clocks().subscribe_duration(wait)?,))
    })
}
