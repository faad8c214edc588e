//! A sandbox that its owner holds, and calls itself.
//!
//! The caller gives its thread, so there is nothing to yield to: ticks hold deadlines and let the guest go on. A typed call needs
//! no fiber either, and takes little more than Wasmtime's own: reading a clock takes as long as such a call, so none is read
//! before its first tick, unless somebody wants to know its time.
//!
//! No receipt is made before somebody asks for it. A sandbox whose call did not end well is gone; its owner makes another.

use crate::{
    Cancel, Entry, clock,
    drive::{Driven, Halt},
    entry::{AsyncCall, Ended},
    interrupt::{self, Interrupt},
    nesting::{self, Deadline},
    pool::Busy,
    program::{Program, Streams},
    sandbox::Sandbox,
    shape,
    state::Ticks,
    stdio::{LogLevel, LogRecord, escape},
};
use bytes::Bytes;
use sandbar_call::{
    Arguments, CallId, Context, FuelMetered, Heading, Meter, Origin, Outcome, Receipt, Refusal, Resource, SandboxId,
    SandboxUse, Shape,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use wasmtime::{TypedFunc, WasmParams, WasmResults};

/// A sandbox that is held.
pub struct Held {
    /// `None` once a call in it did not end well.
    sandbox: Option<Box<Sandbox>>,
    interrupt: Option<Arc<Interrupt>>,
    meter: Arc<Meter>,
    program: Arc<Program>,
    last: LastCall,
    /// Whether the time of typed calls is taken.
    is_timed: bool,
    /// Whether its calls have to be able to wait.
    waits: bool,
}

/// What is remembered of the last call.
#[derive(Clone, Copy)]
struct LastCall {
    id: CallId,
    started_ns: Option<u64>,
    sandbox: SandboxUse,
}

/// One call of a held sandbox, apart from what it is called with.
#[derive(Clone, Default)]
pub struct HeldCall {
    /// Its name.
    pub id: CallId,
    /// What functions of the host program find with it.
    pub context: Option<Context>,
    /// What ends it from outside.
    pub cancel: Option<Cancel>,
    /// How much wall time it may take, where that is less than the guest's limit.
    pub within: Option<Duration>,
    /// Whether a guest that computes gives way to others after about a millisecond, and again after each more: the future then
    /// wakes itself, and can go on on another thread.
    pub gives_way: bool,
}

/// What a held call gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What a function wrote to stdout.
    Output(Bytes),
    /// What a typed export returned, in JSON.
    Value(String),
}

impl Answer {
    /// Its bytes: what was written, or the text of what was returned.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Answer::Output(bytes) => bytes,
            Answer::Value(text) => text.into(),
        }
    }
}

/// An export of one sandbox with its type, looked up once.
pub struct Typed<P, R> {
    of: SandboxId,
    function: TypedFunc<P, R>,
}

impl Program {
    /// Starts a sandbox and keeps it. Dropping the future ends its start code. As long as it is held it is one of those that may
    /// exist, of its guest and of the engine.
    ///
    /// # Errors
    /// How its start code ended, a fault where there can be no sandbox, or busy where as many as may exist did so for as long as
    /// a call waits.
    pub async fn hold(self: &Arc<Self>) -> Result<Held, Outcome> {
        let meter = Arc::new(Meter::new(self.binding().limits.clone()));
        let started_ns = clock::monotonic_ns();
        let sandbox = self.started(&meter).await?;
        let interrupt = sandbox.interrupt();
        let last = LastCall { id: CallId(0), started_ns: Some(started_ns), sandbox: sandbox.used() };
        let (program, waits) = (self.clone(), self.waits());
        Ok(Held { sandbox: Some(sandbox), interrupt, meter, program, last, is_timed: false, waits })
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
        let slot = self.pool().take_new().await.map_err(|Busy| self.pool().busy())?;
        let mut sandbox = self.sandbox(CallId(0), meter, Streams::PIPED).map_err(|error| self.fault(&error))?;
        sandbox.slot = Some(slot);
        let started_ns = clock::monotonic_ns();
        sandbox.turn(CallId(0), meter, started_ns, self);
        sandbox.be_held();
        let deadline_ns = started_ns.saturating_add(meter.limits().most(Resource::Wall));
        let polls = sandbox.polls();
        let program = self.clone();
        let start = async move {
            let started = sandbox.start(&program).await;
            (sandbox, started)
        };
        let driven = Driven::new(start, meter.clone(), deadline_ns, self.host().ticking(), polls);
        match driven.await {
            Ok((sandbox, Ok(()))) => Ok(sandbox),
            Ok((sandbox, Err(error))) => Err(identified(sandbox.outcome_of(&error), CallId(0))),
            Err(Halt::Stopped(stop)) => Err(Outcome::Stopped { limit: stop.0 }),
            Err(Halt::Cancelled | Halt::Ended) => Err(Outcome::Cancelled),
            Err(Halt::Panicked) => Err(self.fault(&wasmtime::format_err!("the host panicked"))),
        }
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
    /// Whether it can be called: its last call ended well, or there was none.
    pub fn is_fit(&self) -> bool {
        self.sandbox.is_some()
    }

    /// Calls an entry, which has to be its program's own. A guest that waits makes the future wait; one that computes has the
    /// thread that polls it. Dropping the future ends the call, and the sandbox is not fit for another.
    ///
    /// # Errors
    /// How the call ended, where it did not end well. Unless the guest itself said that it failed, or the arguments were
    /// refused, the sandbox is not fit for another.
    pub async fn run(&mut self, entry: &Entry, arguments: Arguments, call: HeldCall) -> Result<Answer, Outcome> {
        if !Arc::ptr_eq(entry.program(), &self.program) {
            return Err(refused("the entry is another guest's".into()));
        }
        shape::held(self, entry, arguments, call).await
    }

    /// Drives a call in the sandbox to its end.
    pub(crate) async fn drive<T: Send + 'static>(
        &mut self,
        does: impl AsyncCall<T>,
        call: HeldCall,
    ) -> Result<T, Outcome> {
        let started_ns = clock::monotonic_ns();
        self.begin(call.id, Some(started_ns))?;
        let Some(mut sandbox) = self.sandbox.take() else { return Err(unfit()) };
        if let Some((interrupt, (interrupts, _))) = self.interrupt.as_ref().zip(self.program.interrupts()) {
            let gave = interrupt.give_way(call.gives_way, interrupts, &mut sandbox.store).await;
            gave.map_err(|error| identified(self.program.fault(&error), call.id))?;
            self.waits |= call.gives_way;
        }
        let state = sandbox.store.data_mut();
        state.stderr.turn(call.id);
        state.call = call.id;
        state.context = call.context;
        state.cancel.clone_from(&call.cancel);
        state.ticks = if call.gives_way { Ticks::Yield } else { Ticks::Continue };
        if let Some(within) = call.within {
            let within_ns = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
            state.deadline_ns = state.deadline_ns.min(started_ns.saturating_add(within_ns));
        }
        let (deadline_ns, polls, program) = (state.deadline_ns, sandbox.polls(), self.program.clone());
        let guest = async move {
            let ended = match does.call(&program, &mut sandbox).await {
                Ok(ended) => ended,
                Err(error) => Ended::with(sandbox.outcome_of(&error)),
            };
            sandbox.end_call();
            (ended, sandbox)
        };
        let driven = Driven::new(guest, self.meter.clone(), deadline_ns, self.program.host().ticking(), polls);
        let driven = driven.cancelled_by(call.cancel).since(started_ns).await;
        match driven {
            Ok((Ended { outcome, answer }, sandbox)) => {
                if matches!(outcome, Outcome::Done | Outcome::Failed { .. } | Outcome::Refused { .. }) {
                    self.sandbox = Some(sandbox);
                }
                match (outcome, answer) {
                    (Outcome::Done, Some(answer)) => Ok(answer),
                    (outcome, _) => Err(identified(outcome, call.id)),
                }
            }
            Err(Halt::Stopped(stop)) => Err(Outcome::Stopped { limit: stop.0 }),
            Err(Halt::Cancelled | Halt::Ended) => Err(Outcome::Cancelled),
            Err(Halt::Panicked) => Err(Outcome::Fault { id: call.id.to_string() }),
        }
    }

    /// Takes the time of typed calls, for their receipts.
    pub fn time_calls(&mut self) {
        self.is_timed = true;
    }

    fn begin(&mut self, id: CallId, started_ns: Option<u64>) -> Result<(), Outcome> {
        let sandbox = self.sandbox.as_mut().ok_or_else(unfit)?;
        self.meter.renew();
        sandbox.turn_again(&self.meter, started_ns);
        // The first that it turned to was its start.
        let SandboxUse { id: of, call } = sandbox.used();
        self.last = LastCall { id, started_ns, sandbox: SandboxUse { id: of, call: call - 1 } };
        Ok(())
    }

    /// Looks an export up.
    ///
    /// # Errors
    /// There is none of this name and type.
    pub fn typed<P: WasmParams, R: WasmResults>(&mut self, name: &str) -> wasmtime::Result<Typed<P, R>> {
        let Some(sandbox) = &mut self.sandbox else { wasmtime::bail!("the sandbox is gone") };
        let function = sandbox.core()?.get_typed_func(&mut sandbox.store, name)?;
        Ok(Typed { of: sandbox.used().id, function })
    }

    /// Whether an export was looked up in this very sandbox.
    pub fn has<P, R>(&self, function: &Typed<P, R>) -> bool {
        function.of == self.last.sandbox.id
    }

    /// Whether its calls have to be able to wait, so that [`Held::call`] can't make them and [`Held::call_async`] can: it imports
    /// something that waits, or a call of it was asked to give way.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// As [`Held::call`], where something may wait.
    ///
    /// # Errors
    /// As [`Held::call`].
    pub async fn call_async<P, R>(&mut self, function: &Typed<P, R>, params: P) -> Result<R, Outcome>
    where
        P: WasmParams + Sync + 'static,
        R: WasmResults + Sync + 'static,
    {
        if function.of != self.last.sandbox.id {
            return Err(refused("the export was looked up in another sandbox".into()));
        }
        self.drive(TypedCall { function: function.function.clone(), params }, HeldCall::default()).await
    }

    /// Calls an export on this thread, as a call of its own under the guest's limits.
    ///
    /// # Errors
    /// How the call ended, where it did not end well; refused for an export of another sandbox. Otherwise the sandbox is then
    /// not fit for another call.
    pub fn call<P: WasmParams, R: WasmResults>(&mut self, function: &Typed<P, R>, params: P) -> Result<R, Outcome> {
        self.begin(CallId(0), self.is_timed.then(clock::monotonic_ns))?;
        let Some(sandbox) = &mut self.sandbox else { return Err(unfit()) };
        if function.of != self.last.sandbox.id {
            return Err(refused("the export was looked up in another sandbox".into()));
        }
        if !nesting::has_stack() {
            return Err(refused("too many calls lie in each other on this thread".into()));
        }
        sandbox.turn_nameless();
        let ticking = self.program.host().ticking_here();
        let nested = nesting::enter_directly(match sandbox.store.data().started_ns {
            Some(_) => Deadline::At(sandbox.store.data().deadline_ns),
            None => Deadline::In(self.meter.limits().most(Resource::Wall)),
        });
        let to_nobody = clock::ToNobody::start();
        let running = self.interrupt.as_ref().map(interrupt::run);
        let called = catch_unwind(AssertUnwindSafe(|| function.function.call(&mut sandbox.store, params)));
        drop((running, to_nobody, nested, ticking));
        // It is known where the time is taken, and where there was a tick.
        let in_time = sandbox.store.data().started_ns.map_or(Ok(()), |started_ns| {
            let took_ns = clock::monotonic_ns().saturating_sub(started_ns);
            self.meter.measure(Resource::Wall, took_ns).and(self.meter.measure(Resource::Cpu, took_ns))
        });
        sandbox.settle_fuel();
        let outcome = match (called, in_time) {
            (Ok(Ok(results)), Ok(())) => return Ok(results),
            (Ok(Ok(_)), Err(stop)) => Outcome::Stopped { limit: stop.0 },
            (Ok(Err(error)), _) => identified(sandbox.outcome_of(&error), CallId(0)),
            (Err(_), _) => Outcome::Fault { id: CallId(0).to_string() },
        };
        self.sandbox = None;
        Err(outcome)
    }

    /// What the last call used.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The receipt of the last call, which ended so.
    pub fn receipt(&self, shape: Shape, origin: Origin, outcome: Outcome) -> Receipt {
        let now_ns = clock::monotonic_ns();
        let ago_ns = now_ns.saturating_sub(self.last.started_ns.unwrap_or(now_ns));
        let heading = Heading {
            call: self.last.id,
            at_ms: clock::wall_ms().saturating_sub(ago_ns / 1_000_000),
            guest: self.program.name.clone(),
            digest: self.program.digest,
            shape,
            origin,
        };
        let fuel = if self.program.tuning().fuel { FuelMetered::Yes } else { FuelMetered::No };
        Receipt { sandbox: Some(self.last.sandbox), ..Receipt::of(heading, &self.meter, fuel, outcome) }
    }

    /// The program that it runs.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }
}

/// A call of an export with its type.
struct TypedCall<P, R> {
    function: TypedFunc<P, R>,
    params: P,
}

impl<P, R> AsyncCall<R> for TypedCall<P, R>
where
    P: WasmParams + Sync + 'static,
    R: WasmResults + Sync + 'static,
{
    async fn call(self, _: &Program, sandbox: &mut Sandbox) -> wasmtime::Result<Ended<R>> {
        Ok(Ended::done(self.function.call_async(&mut sandbox.store, self.params).await?))
    }
}

/// Gives a fault its call's id, by which it is found in the log.
fn identified(outcome: Outcome, call: CallId) -> Outcome {
    match outcome {
        Outcome::Fault { .. } => Outcome::Fault { id: call.to_string() },
        outcome => outcome,
    }
}

pub(crate) fn refused(message: String) -> Outcome {
    Outcome::Refused { why: Refusal::Event { message } }
}

fn unfit() -> Outcome {
    refused("the sandbox is gone, since its last call did not end well; hold another".into())
}
