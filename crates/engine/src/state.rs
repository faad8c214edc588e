//! The one concrete state of every store.

use crate::{
    cancel::{Cancel, Cancelled},
    clock,
    dialect::{Files, Listings, extism::Extism},
    drive::{LONG_RUN_NS, ticked},
    fuel::HostCall,
    limiter::Limiter,
    nesting,
    outgoing::Outgoing,
    stdio::{Input, LogStream, Pipe, Read},
    tap::Tap,
    ticker::TICK,
};
use sandbar_call::{Body, CallId, Context, Meter, Resource};
use sandbar_grants::{Admitted, Network};
use std::sync::Arc;
use wasmtime::{AsContextMut, Memory, StoreContextMut, UpdateDeadline, component::ResourceTable};
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
    pub(crate) listings: Listings,
    pub(crate) stdin: Input,
    pub(crate) stdout: Pipe,
    pub(crate) stderr: LogStream,
    /// Whether they are pipes, and not those of this process.
    pub(crate) piped: bool,
    /// Whether descriptors of WASI 0.1 may no longer mean what they meant in the beginning.
    pub(crate) streams_moved: bool,
    /// The seed for what needs no secret, once the guest asked for it.
    pub(crate) seed: Option<(u64, u64)>,
    /// The memory of a core module.
    pub(crate) memory: Option<Memory>,
    /// What a plugin of Extism has.
    pub(crate) extism: Option<Box<Extism>>,
    /// How many held the tap in the beginning.
    pub(crate) tap_holders: usize,
    /// The current call.
    pub(crate) call: CallId,
    /// What a host program gave it, for its own functions.
    pub(crate) context: Option<Context>,
    /// What ends the current call from outside, where it has its caller's thread.
    pub(crate) cancel: Option<Cancel>,
    /// When the current call began, on the monotonic clock, once that is known.
    pub(crate) started_ns: Option<u64>,
    /// When the current call has to have ended, on the monotonic clock.
    pub(crate) deadline_ns: u64,
    pub(crate) ticks: Ticks,
    /// Fuel that was left when it was last charged, where the current call's is metered.
    pub(crate) fuel: Option<u64>,
    /// Calls to the host that go on, the innermost last, where fuel is metered.
    pub(crate) host_calls: Vec<HostCall>,
}

/// What a tick does to a guest that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ticks {
    /// Lets other calls on this thread run.
    Yield,
    /// Nothing: whoever called has given its thread.
    Continue,
}

/// What a guest does after a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Continue,
    GiveWay,
}

impl State {
    /// Starts a call: sets its deadline. Without a time the call is taken to have started a tick before the first tick that it
    /// has, which spares most short ones all looks at a clock.
    pub(crate) fn begin(&mut self, meter: &Meter, started_ns: Option<u64>) {
        self.limiter.refused = None;
        self.context = None;
        self.cancel = None;
        self.started_ns = started_ns;
        self.deadline_ns = started_ns.map_or(u64::MAX, |started_ns| self.deadline_of(meter, started_ns));
    }

    fn deadline_of(&self, meter: &Meter, started_ns: u64) -> u64 {
        started_ns.saturating_add(meter.limits().most(Resource::Wall)).min(nesting::deadline_ns())
    }
}

impl State {
    /// The memory of a core module whose descriptors of WASI 0.1 lead to pipes, where one of those is meant.
    pub(crate) fn plain_memory(&self, of_stream: bool) -> Option<Memory> {
        self.memory.filter(|_| of_stream && self.piped && !self.streams_moved)
    }

    /// Makes it as it was in the beginning, where a call left nothing in it but what can be put back, beside resources of its
    /// own, which are for the caller to look for: no folder that it opened, no descriptor that it moved, and nobody who goes on
    /// with its meter. Otherwise it is left alone, and another has to be made.
    pub(crate) fn renew(&mut self, handles_max: usize) -> bool {
        let plain = self.grants.folders.is_empty() && self.piped && !self.streams_moved;
        if !plain || self.tap.holders() != self.tap_holders {
            return false;
        }
        let table = self.wasi.ctx().table;
        *table = ResourceTable::new();
        table.set_max_capacity(handles_max.min(table.max_capacity()));
        self.http = WasiHttpCtx::new();
        self.network.forget();
        self.files = Files::new(&self.grants);
        self.stdin.turn(Body::Empty);
        self.stdout.turn(Read::Never);
        self.seed = None;
        self.limiter.refused = None;
        self.context = None;
        self.cancel = None;
        self.deadline_ns = u64::MAX;
        self.ticks = Ticks::Yield;
        self.fuel = None;
        self.host_calls.clear();
        true
    }
}

/// Holds the deadlines of a guest that looks at the epoch. Called at every tick of it.
pub(crate) fn on_epoch(store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    Ok(match tick(store)? {
        Next::Continue => UpdateDeadline::Continue(1),
        Next::GiveWay => UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())),
    })
}

/// Holds the deadlines of a guest that runs and does not come back by itself.
pub(crate) fn tick(mut store: impl AsContextMut<Data = State>) -> wasmtime::Result<Next> {
    charge_fuel(store.as_context_mut());
    let mut context = store.as_context_mut();
    let state = context.data_mut();
    let meter = state.tap.meter();
    let now_ns = clock::monotonic_ns();
    let started_ns = state.started_ns.unwrap_or_else(|| {
        let started_ns = now_ns.saturating_sub(TICK.as_nanos() as u64);
        state.deadline_ns = state.deadline_of(&meter, started_ns);
        state.started_ns = Some(started_ns);
        started_ns
    });
    if clock::accounts() {
        meter.charge(Resource::Cpu, clock::account())?;
    } else {
        meter.measure(Resource::Cpu, now_ns.saturating_sub(started_ns))?;
    }
    if let Some(stop) = meter.stopped() {
        return Err(stop.into());
    }
    if state.cancel.as_ref().is_some_and(Cancel::is_cancelled) {
        return Err(Cancelled.into());
    }
    if now_ns > state.deadline_ns {
        return Err(meter.stop(Resource::Wall).into());
    }
    // Another call may have had most of the tick, and one that gives way by itself is not long, whatever it takes in all.
    let long = clock::run_ns() >= LONG_RUN_NS;
    Ok(match state.ticks {
        Ticks::Yield if !long => Next::Continue,
        Ticks::Yield => {
            ticked();
            Next::GiveWay
        }
        Ticks::Continue => Next::Continue,
    })
}

/// Charges the fuel that was used since this was last done, so that what is cut off is known to within a tick.
pub(crate) fn charge_fuel(mut store: StoreContextMut<'_, State>) {
    if let Some(before) = store.data().fuel
        && let Ok(left) = store.get_fuel()
    {
        let _ = store.data().tap.meter().charge(Resource::Fuel, before.saturating_sub(left));
        store.data_mut().fuel = Some(left);
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.serves();
        self.wasi.ctx()
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.serves();
        WasiHttpCtxView { hooks: &mut self.outgoing, table: self.wasi.ctx().table, ctx: &mut self.http }
    }
}
