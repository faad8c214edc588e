//! One store with its memory: the unit of isolation.

use crate::{
    artifact::Code,
    dialect::extism,
    drive::Polls,
    fuel,
    interrupt::Interrupt,
    outcome::outcome_of,
    pool::Slot,
    program::{Linked, Program, Streams},
    renewal::{Renewer, most_resources},
    shape::Function,
    state::{State, Ticks, charge_fuel, on_epoch},
    values::{ArgumentSpace, Handles},
};
use sandbar_call::{CallId, Draft, Meter, Outcome, Resource, SandboxId, SandboxUse};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use wasmtime::{AsContextMut, Store, component};
use wasmtime_wasi_http::p2::bindings::Proxy;

/// After so much fuel a guest gives way and writes down what it has used, which it keeps in a register: what a call that is cut
/// off had used is known to within this. It takes some ticks, so that a guest that never waits is still seen to be long.
const FUEL_COUNTED: u64 = 10_000_000;

/// A guest's instance and all it may touch.
pub(crate) struct Sandbox {
    pub(crate) store: Store<State>,
    pub(crate) instance: Instance,
    /// Whether the guest's own start code has run.
    started: bool,
    renewer: Option<Renewer>,
    code: Arc<Code>,
    /// What interrupts its guest, unless that looks at the epoch.
    interrupt: Option<Arc<Interrupt>>,
    /// Where lists and strings for core exports go in its memory, once one was passed.
    pub(crate) space: Option<ArgumentSpace>,
    /// Handles of its guest's resources, where somebody holds it and can keep them.
    pub(crate) handles: Option<Handles>,
    /// The function over stdin and stdout that was called last.
    pub(crate) function: Option<Function>,
    /// Its `wasi:http` 0.2 handler, once it was looked up.
    pub(crate) proxy: Option<Box<Proxy>>,
    id: SandboxId,
    calls: u64,
    metered: bool,
    /// The right to exist, while it serves or is held; given back once all else of it is gone.
    pub(crate) slot: Option<Slot>,
}

/// An instance of either kind.
#[derive(Clone, Copy)]
pub(crate) enum Instance {
    /// Before there is one.
    Unborn,
    Core(wasmtime::Instance),
    Component(component::Instance),
}

impl Sandbox {
    /// Makes a store for a call's guest, without running any of its code yet.
    pub(crate) fn new(program: &Program, state: State) -> Sandbox {
        let mut store = Store::new(program.engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_callback(on_epoch);
        // With concurrency other tasks of the guest run meanwhile, whose fuel is in registers.
        if program.tuning().fuel && !program.tuning().concurrency {
            store.call_hook(fuel::on_change);
        }
        Sandbox {
            store,
            instance: Instance::Unborn,
            started: false,
            renewer: None,
            code: program.code().clone(),
            interrupt: program.interrupts().map(|(_, code)| Arc::new(Interrupt::new(code.clone()))),
            space: None,
            handles: None,
            function: None,
            proxy: None,
            id: next_id(),
            calls: 0,
            metered: false,
            slot: None,
        }
    }

    /// Turns to a call, and notes in its receipt who serves it.
    pub(crate) fn begin(&mut self, call: CallId, draft: &mut Draft, program: &Program) {
        let meter = draft.meter().clone();
        if program.tuning().fuel {
            let _ = self.store.fuel_async_yield_interval(Some(FUEL_COUNTED));
        }
        self.turn(call, &meter, draft.started_ns(), program);
        if self.store.data().fuel.is_some() {
            draft.fuel_metered();
        }
        draft.served_by(self.used());
    }

    /// Turns to a call: its meter, its deadline, its fuel.
    pub(crate) fn turn(&mut self, call: CallId, meter: &Arc<Meter>, started_ns: u64, program: &Program) {
        let state = self.store.data_mut();
        state.tap.turn(meter.clone());
        state.stderr.turn(call);
        state.call = call;
        state.limiter.begin(meter);
        if !matches!(self.instance, Instance::Unborn) {
            let _ = meter.charge(Resource::Instances, program.core_instances());
        }
        self.metered = program.tuning().fuel;
        self.turn_again(meter, Some(started_ns));
    }

    /// Turns to one more call with the same meter.
    pub(crate) fn turn_again(&mut self, meter: &Meter, started_ns: Option<u64>) {
        self.calls += 1;
        if let Some(interrupt) = &self.interrupt {
            interrupt.turn();
        }
        self.store.data_mut().begin(meter, started_ns);
        self.store.set_epoch_deadline(1);
        self.refuel(meter);
    }

    /// Turns to a call without a name, that has its caller's thread.
    pub(crate) fn turn_nameless(&mut self) {
        let state = self.store.data_mut();
        state.ticks = Ticks::Continue;
        if state.call != CallId(0) {
            state.call = CallId(0);
            state.stderr.turn(CallId(0));
        }
    }

    /// Gives the call its fuel, if it is metered.
    fn refuel(&mut self, meter: &Meter) {
        if self.metered {
            let fuel = meter.limits().most(Resource::Fuel);
            self.store.data_mut().fuel = self.store.set_fuel(fuel).is_ok().then_some(fuel);
        }
    }

    /// Instantiates the guest, if that has not happened, and runs its start code.
    pub(crate) async fn start(&mut self, program: &Program) -> wasmtime::Result<()> {
        if matches!(self.instance, Instance::Unborn) {
            let meter = self.store.data().tap.meter();
            meter.charge(Resource::Instances, program.core_instances())?;
            // Without start code a guest has used nothing yet: no more in a new sandbox than in one that was renewed.
            let idle = program.starts_idle();
            if idle {
                refuel_freely(&mut self.store, self.metered)?;
            }
            if let Some((interrupt, (interrupts, _))) = self.interrupt.as_ref().zip(program.interrupts()) {
                interrupt.begin(interrupts, &mut self.store).await?;
            }
            self.instance = match program.linked() {
                Linked::Core(pre) => Instance::Core(pre.instantiate_async(&mut self.store).await?),
                Linked::Component(pre) => Instance::Component(pre.instantiate_async(&mut self.store).await?),
            };
            if let Instance::Core(instance) = self.instance {
                self.store.data_mut().memory = instance.get_memory(&mut self.store, "memory");
                extism::enter(self.store.as_context_mut(), &instance, program.binding().extism)?;
            }
            if let Some(renewal) = program.renewal() {
                self.renewer = renewal.renewer(&mut self.store, self.instance).await?;
            }
            if idle {
                self.refuel(&meter);
            }
        }
        if let Some(renewer) = &mut self.renewer {
            renewer.begin();
        }
        if let (false, Instance::Core(instance)) = (self.started, self.instance) {
            if self.store.data().extism.is_some() {
                extism::start(&mut self.store, &instance).await?;
            } else if let Some(initialize) = instance.get_func(&mut self.store, "_initialize") {
                initialize.typed::<(), ()>(&self.store)?.call_async(&mut self.store, ()).await?;
            }
        }
        self.started = true;
        Ok(())
    }

    /// What interrupts its guest.
    pub(crate) fn interrupt(&self) -> Option<Arc<Interrupt>> {
        self.interrupt.clone()
    }

    /// Who wants to know which thread polls its call.
    pub(crate) fn polls(&self) -> Polls {
        Polls { noted: self.renewer.as_ref().map(Renewer::polled_by), interrupt: self.interrupt() }
    }

    /// Makes the sandbox as it was when it was instantiated, and another in every receipt, if it can be.
    pub(crate) async fn renew(&mut self, program: &Program) -> bool {
        let Some(renewer) = self.renewer.as_mut().filter(|renewer| renewer.fits(&self.store.data().limiter)) else {
            return false;
        };
        let state = self.store.data_mut();
        let table = wasmtime_wasi::WasiView::ctx(state).table;
        // In a core module these are the descriptors of WASI 0.1.
        let (handles, opened) = match self.instance {
            Instance::Component(_) => (most_resources(table), false),
            Instance::Core(_) | Instance::Unborn => (Some(0), !table.is_empty()),
        };
        let Some(handles) = handles else { return false };
        if opened || !state.renew(program.handles_max()) {
            let Ok(fresh) = program.state(CallId(0), &state.tap.meter(), Streams::PIPED) else { return false };
            let limiter = fresh.limiter.continuing(&state.limiter);
            *state = State { limiter, memory: state.memory, ..fresh };
        }
        if refuel_freely(&mut self.store, self.metered).is_err() {
            return false;
        }
        if !renewer.renew(&mut self.store, handles).await {
            return false;
        }
        self.started = false;
        self.space = None;
        self.id = next_id();
        self.calls = 0;
        true
    }

    /// The instance of a core module.
    pub(crate) fn core(&self) -> wasmtime::Result<wasmtime::Instance> {
        match self.instance {
            Instance::Core(instance) => Ok(instance),
            Instance::Unborn | Instance::Component(_) => wasmtime::bail!("expected an instance of a core module"),
        }
    }

    /// The instance of a component.
    pub(crate) fn component(&self) -> wasmtime::Result<component::Instance> {
        match self.instance {
            Instance::Component(instance) => Ok(instance),
            Instance::Unborn | Instance::Core(_) => wasmtime::bail!("expected an instance of a component"),
        }
    }

    /// How a call ended that Wasmtime ended with an error.
    pub(crate) fn outcome_of(&self, error: &wasmtime::Error) -> Outcome {
        let state = self.store.data();
        outcome_of(error, &self.code.moves, &state.tap.meter(), state.limiter.refused)
    }

    /// Its name, and its current call.
    pub(crate) fn used(&self) -> SandboxUse {
        SandboxUse { id: self.id, call: self.calls }
    }

    /// How many calls it has served.
    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    /// Charges the fuel that was used since the call began, or since this was last done.
    pub(crate) fn settle_fuel(&mut self) {
        charge_fuel(self.store.as_context_mut());
        self.store.data_mut().fuel = None;
    }

    /// Ends the current call: charges its fuel, writes the last line of its log, and forgets what a host program gave it.
    pub(crate) fn end_call(&mut self) {
        self.settle_fuel();
        let state = self.store.data_mut();
        state.stderr.end_line();
        (state.context, state.cancel) = (None, None);
    }

    /// Says, before it starts, that somebody holds it: its calls can go without a fiber, and resources stay. Where it looks at the
    /// epoch, start code gives way as calls do that are asked to.
    pub(crate) fn be_held(&mut self) {
        self.handles = Some(Handles::default());
        self.store.data_mut().ticks = if self.interrupt.is_some() { Ticks::Continue } else { Ticks::Yield };
    }
}

/// Lets code run whose fuel nobody pays for.
fn refuel_freely(store: &mut Store<State>, metered: bool) -> wasmtime::Result<()> {
    store.data_mut().fuel = None;
    if metered { store.set_fuel(u64::MAX) } else { Ok(()) }
}

fn next_id() -> SandboxId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    SandboxId(NEXT.fetch_add(1, Relaxed))
}

impl Drop for Sandbox {
    /// A call that was cancelled ends here: what it used is charged while the store still knows it.
    fn drop(&mut self) {
        if let Some(interrupt) = &self.interrupt {
            interrupt.end();
        }
        self.settle_fuel();
    }
}
