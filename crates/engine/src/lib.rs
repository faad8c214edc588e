//! Loads, compiles, pools and runs guests: the words guest, shape, dialect and sandbox. The only crate that knows Wasmtime.
//!
//! It must not know listening, config files or printing: events come in as calls, and what happens goes out as replies,
//! receipts and log records.
//!
//! A call's way: [`Entry`] opens the receipt and takes a sandbox from the program's pool; the shape turns the event into the
//! guest's own terms; `drive` polls the guest under its deadlines; the entry settles the receipt.

mod artifact;
mod cancel;
pub mod clock;
mod compile;
#[cfg(target_os = "linux")]
mod confine;
mod dialect;
mod drive;
mod engine;
mod entry;
mod error;
mod fuel;
mod functions;
mod held;
pub mod inspect;
mod interrupt;
mod known;
mod lane;
mod limiter;
mod load;
mod nesting;
mod outcome;
mod outgoing;
mod pool;
mod program;
mod renewal;
mod room;
mod sandbox;
mod shape;
mod state;
mod stdio;
mod tap;
mod ticker;
mod tuning;
mod values;

pub use {
    cancel::Cancel,
    compile::{COMPILER_ARGUMENT, Compiler, compiler_main},
    dialect::{ExtismBounds, WasiNames},
    engine::{Cache, Engine, EngineConfig},
    entry::{Entry, EntryChoice},
    error::{CompileError, LoadError},
    functions::{Function, Functions, HostCall, HostError, Number, NumberType, Signature},
    held::{Answer, Held, HeldCall, Typed},
    interrupt::Interruption,
    load::{FileLook, Guest, Progress},
    pool::{Policy, PoolLimits},
    program::{Binding, Fuel, Program},
    stdio::{Log, LogLevel, LogRecord, escape},
    ticker::TICK,
    tuning::{Allocation, MEMORY_BYTES_MAX, Tuning},
    values::InMemory,
};

/// What numbers a core function may take and give where it is called by its type.
pub use wasmtime::{WasmParams as Params, WasmResults as Results};

/// For tests that interrupt more often than the ticker, and for tools that want no interrupts.
#[doc(hidden)]
pub use interrupt::{block_ticks, tick_threads};

#[cfg(target_os = "linux")]
pub use confine::{Reach, confine_server};
