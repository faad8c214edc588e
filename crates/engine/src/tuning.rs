//! How Wasmtime is set up: one engine for each combination of what guests need, made when first needed.
//!
//! Exact fuel slows compute-bound guests, concurrency support slows every start, and garbage collection widens what a guest
//! can attack: each is on only for guests that ask for it.

use crate::fuel;
use rustix::process::{Pid, getpid};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path, sync::OnceLock};
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Result, Strategy,
    WasmBacktraceDetails,
};

/// What a guest needs of its engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tuning {
    /// Exact fuel.
    pub fuel: bool,
    /// Component-model async, for WASI 0.3.
    pub concurrency: bool,
    /// Garbage-collected types and exceptions.
    pub gc: bool,
    /// Code that looks at the epoch, and is not interrupted by signals.
    pub epochs: bool,
}

/// Where sandboxes get their memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// From slots that are reserved at start and reset after use: for hosts that serve.
    Pooled {
        /// How many memories, stacks and core instances may exist at one time in each engine.
        slots: u32,
    },
    /// From the system when needed: for one call.
    OnDemand,
}

/// The largest linear memory of a sandbox, in bytes.
pub const MEMORY_BYTES_MAX: u64 = 1 << 32;
/// The largest table of a pooled sandbox, in elements.
const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Core instances and tables in one pooled component; one of them is what is appended to it.
const CORE_INSTANCES_MAX: u32 = 65;
/// Stacks of one pooled sandbox whose guest is concurrent: each of its tasks that waits within a call has one.
const TASKS: u32 = 4;
/// Memories in one pooled guest.
const MEMORIES_MAX: u32 = 8;
/// Bytes of a slot's memory that stay resident between sandboxes, so that starting one takes no page faults.
const MEMORY_KEPT_BYTES: usize = 2 << 20;
const TABLE_KEPT_BYTES: usize = 64 << 10;

impl Tuning {
    /// How many combinations there are.
    pub(crate) const COUNT: usize = 16;

    /// Its place among them.
    pub(crate) fn index(self) -> usize {
        usize::from(self.fuel)
            | usize::from(self.concurrency) << 1
            | usize::from(self.gc) << 2
            | usize::from(self.epochs) << 3
    }

    /// Whether sandboxes can be renewed: what tasks, streams and garbage-collected objects leave behind can't be put back.
    pub(crate) fn renews(self) -> bool {
        !self.concurrency && !self.gc
    }

    /// Builds an engine that can compile and run.
    pub(crate) fn engine(self, allocation: Allocation) -> Result<wasmtime::Engine> {
        let mut config = self.config();
        if let Allocation::Pooled { slots } = allocation {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(self.pool(slots)));
        }
        wasmtime::Engine::new(&config)
    }

    /// Wasmtime as it is set up for guests, for the tests of the core spec suite, which speak to Wasmtime itself.
    ///
    /// # Errors
    /// Wasmtime can't be set up here.
    #[doc(hidden)]
    pub fn wasmtime(self, allocation: Allocation) -> Result<wasmtime::Engine> {
        self.engine(allocation)
    }

    /// Settings that decide what compiled code looks like. They are the same for every allocation.
    fn config(self) -> Config {
        let mut config = Config::new();
        config
            .strategy(Strategy::Cranelift)
            .parallel_compilation(is_first_process())
            .cranelift_opt_level(OptLevel::Speed)
            .epoch_interruption(self.epochs)
            .consume_fuel(self.fuel)
            .operator_cost(fuel::costs())
            .concurrency_support(self.concurrency)
            .wasm_component_model_async(self.concurrency)
            .wasm_gc(self.gc)
            .wasm_function_references(self.gc)
            .wasm_exceptions(self.gc)
            .wasm_threads(false)
            .wasm_memory64(true)
            .wasm_multi_memory(true)
            .wasm_tail_call(true)
            .relaxed_simd_deterministic(true)
            .wasm_backtrace_details(WasmBacktraceDetails::Enable)
            .memory_reservation(MEMORY_BYTES_MAX)
            .memory_may_move(false)
            .coredump_on_trap(false);
        config
    }

    fn pool(self, slots: u32) -> PoolingAllocationConfig {
        let mut pool = PoolingAllocationConfig::new();
        // A usual component has four core instances, one or two memories and a few tables; and each sandbox has its ticker.
        pool.total_core_instances(slots.saturating_mul(9))
            .total_component_instances(slots)
            .total_memories(slots.saturating_mul(2))
            .total_tables(slots.saturating_mul(8))
            .max_core_instances_per_component(CORE_INSTANCES_MAX)
            .max_memories_per_component(MEMORIES_MAX)
            .max_tables_per_component(CORE_INSTANCES_MAX)
            .total_stacks(slots.saturating_mul(if self.concurrency { TASKS } else { 1 }))
            .total_gc_heaps(slots)
            .max_memory_size(MEMORY_BYTES_MAX as usize)
            .max_memories_per_module(MEMORIES_MAX)
            .max_tables_per_module(16)
            .table_elements(TABLE_ELEMENTS_MAX)
            .linear_memory_keep_resident(MEMORY_KEPT_BYTES)
            .table_keep_resident(TABLE_KEPT_BYTES)
            .pagemap_scan(if swaps() { Enabled::No } else { Enabled::Auto });
        pool
    }
}

/// Whether this is the process that first asked. One that was forked from it has none of the threads that compile together, and
/// would wait for them for ever.
fn is_first_process() -> bool {
    static FIRST: OnceLock<Pid> = OnceLock::new();
    *FIRST.get_or_init(getpid) == getpid()
}

/// Whether the system has swap, where resetting slots by scanning page tables may miss pages that were swapped out.
pub(crate) fn swaps() -> bool {
    fs::read_to_string(Path::new("/proc/swaps")).map_or(true, |swaps| swaps.lines().count() > 1)
}
