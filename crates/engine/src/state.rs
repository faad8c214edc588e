//! The one concrete state of every store.

use crate::{
    clock,
    dialect::Files,
    limiter::Limiter,
    outgoing::Outgoing,
    stdio::{Input, LogStream, Pipe},
    tap::Tap,
};
use sandbar_call::{Meter, Resource};
use sandbar_grants::{Admitted, Network};
use std::sync::Arc;
use wasmtime::{StoreContextMut, UpdateDeadline};
use wasmtime_wasi::{WasiCtxView, WasiView, p1::WasiP1Ctx};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// What lives as long as a sandbox.
pub(crate) struct State {
    /// WASI 0.1, and the context and table of resources that 0.2 and 0.3 use too.
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) http: WasiHttpCtx,
    pub(crate) outgoing: Outgoing,
    pub(crate) limiter: Limiter,
    pub(crate) tap: Tap,
    pub(crate) grants: Arc<Admitted>,
    pub(crate) network: Arc<Network>,
    pub(crate) files: Files,
    pub(crate) stdin: Input,
    pub(crate) stdout: Pipe,
    pub(crate) stderr: LogStream,
    /// When the current call has to have ended, on the monotonic clock.
    pub(crate) deadline_ns: u64,
    pub(crate) ticks: Ticks,
}

/// What a tick of the epoch does to a guest that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ticks {
    /// Lets other calls on this thread run.
    Yield,
    /// Nothing: whoever called has given its thread.
    Continue,
}

impl State {
    /// Starts a call: sets its deadline.
    pub(crate) fn begin(&mut self, meter: &Meter, started_ns: u64) {
        self.limiter.refused = None;
        self.deadline_ns = started_ns.saturating_add(meter.limits().most(Resource::Wall));
    }
}

/// Holds the deadlines of a guest that runs and does not come back by itself. Called at every tick of the epoch.
pub(crate) fn on_tick(store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let state = store.data();
    let meter = state.tap.meter();
    meter.charge(Resource::Cpu, clock::account())?;
    if let Some(stop) = meter.stopped() {
        return Err(stop.into());
    }
    if clock::monotonic_ns() > state.deadline_ns {
        return Err(meter.stop(Resource::Wall).into());
    }
    Ok(match state.ticks {
        Ticks::Yield => UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())),
        Ticks::Continue => UpdateDeadline::Continue(1),
    })
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: self.wasi.ctx().table, ctx: &mut self.http }
    }
}
