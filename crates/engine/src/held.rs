//! A sandbox that its owner holds, and calls itself: typed calls at the speed of Wasmtime's own, metered.
//!
//! The caller gives its thread, so there is nothing to yield to and no fiber: deadlines are held by the epoch. Reading the
//! thread's processor clock takes longer than such a call, so the call is charged the time that it took; from the first tick
//! of the epoch on it is charged by that clock.

use crate::{
    clock,
    program::{Program, Streams},
    sandbox::Sandbox,
    stdio::{LogLevel, LogRecord, escape},
    ticker::Ticking,
};
use sandbar_call::{CallId, Meter, Outcome, Resource};
use std::sync::Arc;
use wasmtime::{TypedFunc, WasmParams, WasmResults};

/// A sandbox that is held.
pub struct Held {
    sandbox: Box<Sandbox>,
    meter: Arc<Meter>,
    program: Arc<Program>,
    _ticking: Ticking,
}

/// An export with its type, looked up once.
pub struct Typed<P, R>(TypedFunc<P, R>);

impl Program {
    /// Starts a sandbox and keeps it.
    ///
    /// # Errors
    /// How its start code ended, or a fault where there can be no sandbox.
    pub async fn hold(self: &Arc<Self>) -> Result<Held, Outcome> {
        let meter = Arc::new(Meter::new(self.binding().limits.clone()));
        let mut sandbox = self.started(&meter).await?;
        sandbox.keep_thread();
        Ok(Held { sandbox, meter, program: self.clone(), _ticking: self.host().ticking() })
    }

    /// Starts a sandbox and drops it: what each call in a fresh one pays at least.
    ///
    /// # Errors
    /// How its start code ended.
    pub async fn start_and_drop(self: &Arc<Self>) -> Result<(), Outcome> {
        let meter = Arc::new(Meter::new(self.binding().limits.clone()));
        self.started(&meter).await.map(drop)
    }

    async fn started(self: &Arc<Self>, meter: &Arc<Meter>) -> Result<Box<Sandbox>, Outcome> {
        let mut sandbox = self.sandbox(CallId(0), meter, Streams::PIPED).map_err(|error| self.fault(&error))?;
        sandbox.turn(CallId(0), meter, clock::monotonic_ns(), self);
        sandbox.start(self).await.map_err(|error| sandbox.outcome_of(&error))?;
        Ok(sandbox)
    }

    /// There is no sandbox, which is not the guest's doing: a granted folder may be gone.
    fn fault(&self, error: &wasmtime::Error) -> Outcome {
        let message = escape(&format!("fault: no sandbox can be held: {error:?}"));
        let record = LogRecord { level: LogLevel::Error, guest: self.name.clone(), call: CallId(0), message };
        self.binding().log.log(record);
        Outcome::Fault { id: CallId(0).to_string() }
    }
}

impl Held {
    /// Looks an export up.
    ///
    /// # Errors
    /// There is none of this name and type.
    pub fn typed<P: WasmParams, R: WasmResults>(&mut self, name: &str) -> wasmtime::Result<Typed<P, R>> {
        let instance = self.sandbox.core()?;
        Ok(Typed(instance.get_typed_func(&mut self.sandbox.store, name)?))
    }

    /// Calls an export on this thread, as a call of its own under the guest's limits.
    ///
    /// # Errors
    /// How the call ended, where it did not end well. The sandbox is then not fit for another.
    pub fn call<P: WasmParams, R: WasmResults>(&mut self, function: &Typed<P, R>, params: P) -> Result<R, Outcome> {
        let started_ns = clock::monotonic_ns();
        self.meter.renew();
        self.sandbox.turn_again(&self.meter, started_ns);
        let called = function.0.call(&mut self.sandbox.store, params);
        let took_ns = clock::monotonic_ns().saturating_sub(started_ns);
        let wall = self.meter.measure(Resource::Wall, took_ns);
        let cpu = self.meter.measure(Resource::Cpu, took_ns);
        self.sandbox.settle_fuel();
        match (called, wall.and(cpu)) {
            (Ok(results), Ok(())) => Ok(results),
            (Ok(_), Err(stop)) => Err(Outcome::Stopped { limit: stop.0 }),
            (Err(error), _) => Err(self.sandbox.outcome_of(&error)),
        }
    }

    /// What the last call used.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The program that it runs.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }
}
