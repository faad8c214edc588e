//! Renews a sandbox in place: after a call, and before the next, it is as it was when it was instantiated.
//!
//! Making an instance and dropping it costs more than most calls. What a call can leave in one is little: pages of its memory,
//! globals, and the numbers that its handles get. So those are put back instead, and everything outside of the instance, from
//! its WASI context to its streams, is made new. A renewed sandbox serves the same guest of the same app and no other.
//!
//! Whatever could keep anything else is not renewed but dropped: a guest that `append` does not accept, a sandbox whose
//! memory or tables have grown, one that trapped or was stopped, and one that still has handles.

mod append;
mod moves;
#[cfg_attr(not(target_os = "linux"), path = "renewal/pages_elsewhere.rs")]
mod pages;

use crate::{limiter::Limiter, program::Linked, sandbox::Instance, state::State};
use pages::{Image, Memory};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
};
use wasmtime::{
    ModuleExport, Result, Store, TypedFunc,
    component::{self, ComponentExportIndex, ResourceTable, WasmList},
};

pub(crate) use {
    append::{End, append, entries},
    moves::Moves,
};

use append::{MEMORY, RESET, RESTORE};

/// Names what is appended. It changes with `append.rs` and with `dialect/extism/`, so that no artifact from before is taken for
/// one of now.
pub(crate) const APPENDED: &[u8] = b"renewal 4";

/// Most handles at one time in a sandbox that is renewed.
const HANDLES_MAX: usize = 256;

/// After so many sandboxes that could not be renewed, no more are made ready for it until the guest rests: most guests whose
/// memory grows let it grow in each call.
const IN_VAIN_MAX: u32 = 64;

/// How the sandboxes of one program are renewed.
pub(crate) struct Renewal {
    exports: Exports,
    /// Whether one was made before: a guest that is called once needs no image.
    called: AtomicBool,
    /// What the memory holds at its beginning; an inner `None` where that is too much.
    image: Mutex<Option<Option<Arc<Image>>>>,
    /// Sandboxes that were to be renewed since one was.
    in_vain: AtomicU32,
    renewed: AtomicU64,
}

/// What was appended.
enum Exports {
    Core { restore: Option<ModuleExport>, memory: Option<ModuleExport> },
    Component { reset: ComponentExportIndex, memory: ComponentExportIndex },
}

impl Exports {
    fn of(linked: &Linked) -> Option<Exports> {
        match linked {
            Linked::Core(pre) => {
                let export = |name| pre.module().get_export_index(name);
                let (restore, memory) = (export(RESTORE), export(MEMORY));
                (restore.is_some() || memory.is_some()).then_some(Exports::Core { restore, memory })
            }
            Linked::Component(pre) => {
                let export = |name| pre.component().get_export_index(None, name);
                export(RESET).zip(export(MEMORY)).map(|(reset, memory)| Exports::Component { reset, memory })
            }
        }
    }
}

/// Renews one sandbox.
pub(crate) struct Renewer {
    reset: Reset,
    memory: Option<Memory>,
    polled_by: PolledBy,
    /// Bytes of memory and elements of tables at its beginning.
    size: (u64, u64),
}

enum Reset {
    Core(Option<TypedFunc<(), ()>>),
    Component(component::TypedFunc<(u32,), (bool,)>),
}

impl Renewal {
    /// Whether something was appended to a guest.
    pub(crate) fn is_possible(linked: &Linked) -> bool {
        Exports::of(linked).is_some()
    }

    /// Finds what was appended to a guest.
    pub(crate) fn of(linked: &Linked) -> Option<Renewal> {
        let exports = Exports::of(linked).filter(|_| pages::available())?;
        Some(Renewal {
            exports,
            called: AtomicBool::new(false),
            image: Mutex::default(),
            in_vain: AtomicU32::new(0),
            renewed: AtomicU64::new(0),
        })
    }

    /// Gets ready to renew a sandbox that was instantiated just now, none of whose code has run.
    pub(crate) async fn renewer(&self, store: &mut Store<State>, instance: Instance) -> Result<Option<Renewer>> {
        let first = !self.called.swap(true, Relaxed);
        if first || self.in_vain.fetch_add(1, Relaxed) > IN_VAIN_MAX {
            return Ok(None);
        }
        let limiter = &store.data().limiter;
        let size = (limiter.memory_bytes, limiter.table_elements);
        let (reset, memory) = match (&self.exports, instance) {
            (Exports::Core { restore, memory }, Instance::Core(instance)) => {
                let restore = restore.and_then(|export| instance.get_module_export(&mut *store, &export));
                let restore = restore.and_then(wasmtime::Extern::into_func);
                let restore = restore.map(|restore| restore.typed(&*store)).transpose()?;
                let memory = memory.and_then(|export| instance.get_module_export(&mut *store, &export));
                let memory = memory.and_then(wasmtime::Extern::into_memory);
                (Reset::Core(restore), memory.map(|memory| self.image(memory.data(&*store))))
            }
            (Exports::Component { reset, memory }, Instance::Component(instance)) => {
                let memory = instance.get_typed_func::<(), (WasmList<u8>,)>(&mut *store, memory)?;
                let (memory,) = memory.call_async(&mut *store, ()).await?;
                let image = self.image(memory.as_le_slice(&*store));
                (Reset::Component(instance.get_typed_func(&mut *store, reset)?), Some(image))
            }
            (Exports::Core { .. } | Exports::Component { .. }, _) => return Ok(None),
        };
        Ok(match memory {
            None => Some(Renewer { reset, memory: None, polled_by: PolledBy::default(), size }),
            Some(memory) => {
                memory.map(|memory| Renewer { reset, memory: Some(memory), polled_by: PolledBy::default(), size })
            }
        })
    }

    /// A memory with what it holds at its beginning, which is taken from the first.
    fn image(&self, memory: &[u8]) -> Option<Memory> {
        let mut image = self.image.lock().unwrap_or_else(PoisonError::into_inner);
        let image = image.get_or_insert_with(|| Image::of(memory).map(Arc::new)).clone();
        image.map(|image| Memory::new(memory, image))
    }

    /// Counts a sandbox that was renewed.
    pub(crate) fn count(&self) {
        self.in_vain.store(0, Relaxed);
        self.renewed.fetch_add(1, Relaxed);
    }

    /// How often a sandbox was renewed.
    pub(crate) fn renewed(&self) -> u64 {
        self.renewed.load(Relaxed)
    }

    /// Lets go of what is only worth its memory while the guest is called.
    pub(crate) fn rest(&self) {
        self.called.store(false, Relaxed);
        self.in_vain.store(0, Relaxed);
        *self.image.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Renewer {
    /// Puts an instance back to its beginning, if all that a call left in it is what can be put back.
    pub(crate) async fn renew(&mut self, store: &mut Store<State>, handles: u32) -> bool {
        let reset = match &self.reset {
            Reset::Core(None) => true,
            Reset::Core(Some(restore)) => restore.call_async(&mut *store, ()).await.is_ok(),
            Reset::Component(reset) => matches!(reset.call_async(&mut *store, (handles,)).await, Ok((true,))),
        };
        let one_thread = self.polled_by.is_this_thread();
        self.polled_by.forget();
        reset && self.memory.as_mut().is_none_or(|memory| memory.restore(one_thread, store).is_ok())
    }

    /// Begins a call in the sandbox, before any of the guest's code runs for it.
    pub(crate) fn begin(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.begin();
        }
    }

    /// Where it is noted which threads poll the sandbox's call.
    pub(crate) fn polled_by(&self) -> PolledBy {
        self.polled_by.clone()
    }

    /// Whether a sandbox has the memory and the tables that it began with.
    pub(crate) fn fits(&self, limiter: &Limiter) -> bool {
        self.size == (limiter.memory_bytes, limiter.table_elements)
    }
}

/// Which thread polls a call: none yet, one, or several.
#[derive(Clone, Default)]
pub(crate) struct PolledBy(Arc<AtomicU64>);

impl PolledBy {
    const NONE: u64 = 0;
    const SEVERAL: u64 = u64::MAX;

    /// Notes that this thread polls the call now.
    pub(crate) fn note(&self) {
        let (before, this) = (self.0.load(Relaxed), this_thread());
        if before != this {
            self.0.store(if before == Self::NONE { this } else { Self::SEVERAL }, Relaxed);
        }
    }

    fn is_this_thread(&self) -> bool {
        self.0.load(Relaxed) == this_thread()
    }

    fn forget(&self) {
        self.0.store(Self::NONE, Relaxed);
    }
}

/// The number of this thread, from 1 on.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Relaxed);
    }
    NUMBER.with(|number| *number)
}

/// How many resources a table had at most at one time, if it has none now. The table can't be used after this.
pub(crate) fn most_resources(table: &mut ResourceTable) -> Option<u32> {
    if !table.is_empty() {
        return None;
    }
    // Where nothing may be added, what can be added goes where something was.
    table.set_max_capacity(0);
    let most = (0..=HANDLES_MAX).find(|_| table.push(()).is_err())?;
    u32::try_from(most).ok()
}
