//! Interrupts guests that run, by a signal to their thread: their code has no checks for it and loses no time to them.
//!
//! Wasmtime's own way is a check at every function's start and in every turn of every loop. Its rare case is a call, so what a
//! loop keeps in registers is spilled around it: kernels took 1.3 to 2.3 times as long. Here a guest's code is what a compiler
//! makes of it and no more. When a call has had a tick, the ticker sends a signal to its thread. Where that finds the thread
//! in a function of the guest, the thread calls a host function there, between two instructions, as the guest might have done
//! itself; and that function looks at limits, and gives way. Where it finds the thread in the host, which the guest has called,
//! the same happens when the host returns. Elsewhere it does nothing, and the next one comes a tick later.
//!
//! Guests with garbage collection keep the checks, since their references may only be moved where the compiler knows of it; and
//! those with concurrency, whose tasks may not wait everywhere.

#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), path = "interrupt/signal_elsewhere.rs")]
mod signal;

use crate::{
    artifact::Form,
    state::{Next, State, Ticks, tick},
};
use std::{
    ops::Range,
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
            compiler_fence,
        },
    },
};
use wasmtime::{Caller, Engine, Func, InstancePre, Linker, Module, Result, Store};

pub use signal::{block_ticks, tick_threads};
pub(crate) use signal::{install, outside, run};

/// Gets from the guest's code to the host: what Wasmtime makes of `tick` is what any call of a host function goes through.
/// `own` is only there for the instance that it belongs to.
pub(crate) const TICKER: &str = r#"(module (import "" "tick" (func)) (export "tick" (func 0)) (func (export "own")))"#;

/// How guests that run are interrupted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interruption {
    /// By a signal to their thread, where the system is one that we know how to do it on and one of its signals is free.
    /// Otherwise as by epochs.
    #[default]
    Signals,
    /// By checks in their code, which computes for 1.3 to 2.3 times as long: for processes whose signals are not ours to use.
    Epochs,
}

/// What interrupts the guests of one of Wasmtime's engines.
#[derive(Clone)]
pub(crate) struct Interrupts {
    /// For calls that may give way.
    yields: InstancePre<State>,
    /// For those that have their thread.
    continues: InstancePre<State>,
}

/// What interrupts one sandbox.
pub(crate) struct Interrupt {
    code: Arc<GuestCode>,
    /// What its thread calls, once it can.
    call: OnceLock<HostCall>,
    /// What it calls where its current call gives way, and others do not.
    yields: OnceLock<HostCall>,
    gives_way: AtomicBool,
    /// Whether what is called is about to go.
    ended: AtomicBool,
    returns: Returns,
}

/// How many return addresses of one sandbox can be replaced at one time.
const RETURNS_MAX: usize = 64;

/// Return addresses that were replaced, by number: where each lies on the stack, and what it was. Whoever uses them is on the
/// thread that polls the sandbox.
struct Returns {
    places: [(AtomicUsize, AtomicUsize); RETURNS_MAX],
    /// Whether one was taken since all were free.
    used: AtomicBool,
}

/// Where a guest's code is.
pub(crate) struct GuestCode {
    /// The ranges of addresses of its functions, in order.
    functions: Vec<(usize, usize)>,
    /// Those, and what is between guest and host.
    text: Range<usize>,
}

/// A call of a host function as compiled code does it: Wasmtime's `VMFuncRef::wasm_call` and its two arguments.
#[derive(Clone, Copy)]
#[repr(C)]
struct HostCall {
    function: usize,
    callee: usize,
    caller: usize,
}

impl Interrupts {
    pub(crate) fn new(engine: &Engine, ticker: &Module) -> Result<Interrupts> {
        let mut yields = Linker::new(engine);
        yields.func_wrap_async("", "tick", |mut caller: Caller<'_, State>, (): ()| {
            Box::new(async move {
                match tick(&mut caller)? {
                    Next::Continue => {}
                    Next::GiveWay => tokio::task::yield_now().await,
                }
                Ok(())
            })
        })?;
        let mut continues = Linker::new(engine);
        continues.func_wrap("", "tick", |mut caller: Caller<'_, State>| tick(&mut caller).map(drop))?;
        Ok(Interrupts { yields: yields.instantiate_pre(ticker)?, continues: continues.instantiate_pre(ticker)? })
    }
}

impl Interrupt {
    pub(crate) fn new(code: Arc<GuestCode>) -> Interrupt {
        Interrupt {
            code,
            call: OnceLock::new(),
            yields: OnceLock::new(),
            gives_way: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            returns: Returns::new(),
        }
    }

    /// Makes it work, before any code of the guest runs.
    pub(crate) async fn begin(&self, interrupts: &Interrupts, store: &mut Store<State>) -> Result<()> {
        let ticker = match store.data().ticks {
            Ticks::Yield => &interrupts.yields,
            Ticks::Continue => &interrupts.continues,
        };
        let _ = self.call.set(host_call(ticker, store).await?);
        Ok(())
    }

    /// Lets the next call give way, or not, in a sandbox whose calls have their thread.
    pub(crate) async fn give_way(
        &self,
        gives_way: bool,
        interrupts: &Interrupts,
        store: &mut Store<State>,
    ) -> Result<()> {
        if gives_way && self.yields.get().is_none() {
            let _ = self.yields.set(host_call(&interrupts.yields, store).await?);
        }
        self.gives_way.store(gives_way, Relaxed);
        Ok(())
    }
}

/// Makes a ticker for a sandbox, and tells how it is called.
async fn host_call(ticker: &InstancePre<State>, store: &mut Store<State>) -> Result<HostCall> {
    let ticker = ticker.instantiate_async(&mut *store).await?;
    let mut function =
        |name| ticker.get_func(&mut *store, name).ok_or_else(|| wasmtime::format_err!("the ticker has no `{name}`"));
    let (tick, own): (Func, Func) = (function("tick")?, function("own")?);
    let call = signal::host_call(tick.to_raw(&mut *store), own.to_raw(&mut *store));
    call.ok_or_else(|| wasmtime::format_err!("the ticker can't be called"))
}

impl Interrupt {
    /// What its thread calls, while there is that.
    fn call(&self) -> Option<HostCall> {
        let call = if self.gives_way.load(Relaxed) { &self.yields } else { &self.call };
        call.get().copied().filter(|_| !self.ended.load(Relaxed))
    }

    /// Starts a call: nothing of the sandbox is on a stack.
    pub(crate) fn turn(&self) {
        self.returns.clear();
    }

    /// Makes it do nothing any more, before the store goes.
    pub(crate) fn end(&self) {
        self.ended.store(true, Relaxed);
        compiler_fence(SeqCst);
    }
}

impl Returns {
    fn new() -> Returns {
        let places = [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; RETURNS_MAX];
        Returns { places, used: AtomicBool::new(false) }
    }

    /// Takes an address in, and gives its number. Nothing is taken for over before it was returned to: a tail call may have moved
    /// the address along with its frame, to where another looks like it lay below.
    fn put(&self, slot: usize, address: usize) -> Option<usize> {
        let (number, (at, before)) = self.places.iter().enumerate().find(|(_, (at, _))| at.load(Relaxed) == 0)?;
        self.used.store(true, Relaxed);
        at.store(slot, Relaxed);
        before.store(address, Relaxed);
        Some(number)
    }

    /// Gives the address of a number.
    fn take(&self, number: usize) -> Option<usize> {
        let (at, before) = self.places.get(number)?;
        let address = before.load(Relaxed);
        // As soon as the place is free, a handler may put another address here.
        compiler_fence(SeqCst);
        (at.swap(0, Relaxed) != 0).then_some(address)
    }

    /// Forgets what calls have left that did not return.
    fn clear(&self) {
        if self.used.load(Relaxed) {
            self.used.store(false, Relaxed);
            self.places.iter().for_each(|(at, _)| at.store(0, Relaxed));
        }
    }
}

impl GuestCode {
    pub(crate) fn of(form: &Form) -> GuestCode {
        match form {
            Form::Module(module) => GuestCode::of_functions(module.text(), module.functions()),
            Form::Component(component) => GuestCode::of_functions(component.text(), component.functions()),
        }
    }

    fn of_functions(text: &[u8], functions: impl Iterator<Item = wasmtime::ModuleFunction>) -> GuestCode {
        let start = text.as_ptr() as usize;
        let mut all: Vec<_> = functions.map(|function| (function.offset, function.len)).collect();
        all.sort_unstable();
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for (offset, len) in all {
            let range = (start + offset, start + offset + len);
            match ranges.last_mut() {
                // Nothing but padding is between two functions that lie so close.
                Some(last) if range.0.saturating_sub(last.1) < ALIGNMENT => last.1 = range.1,
                _ => ranges.push(range),
            }
        }
        ranges.shrink_to_fit();
        GuestCode { functions: ranges, text: start..start + text.len() }
    }

    /// Whether this is on the way between guest and host, where it is not in a function.
    fn is_near(&self, address: usize) -> bool {
        self.text.contains(&address)
    }

    /// Whether this is in a function.
    fn has(&self, address: usize) -> bool {
        let after = self.functions.partition_point(|range| range.0 <= address);
        after.checked_sub(1).and_then(|index| self.functions.get(index)).is_some_and(|range| address < range.1)
    }
}

/// What functions are aligned to, in bytes, at the least.
const ALIGNMENT: usize = 16;
