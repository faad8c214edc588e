//! What a function of the host may do with the sandbox and the call that it serves.

use super::{HostError, panicked, settled};
use crate::{
    cancel::Cancel,
    clock::monotonic_ns,
    dialect::extism,
    interrupt, nesting,
    state::{State, tick},
    stdio::LogLevel,
};
use sandbar_call::{CallId, Context, GrantKind, GuestName, Meter, Resource, Stop};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use wasmtime::{AsContextMut, Caller, Extern, Memory, StoreContextMut};

/// One call of a function by a guest: what it may do with that guest's sandbox and call.
pub struct HostCall<'a> {
    store: StoreContextMut<'a, State>,
    /// The memory of a core module.
    memory: Option<Memory>,
}

impl<'a> HostCall<'a> {
    /// Enters from a core module.
    pub(crate) fn of_module<'b>(caller: &'a mut Caller<'b, State>, grant: GrantKind) -> HostCall<'a> {
        // Before its start code has run the sandbox does not know its memory yet.
        let memory = caller.data().memory.or_else(|| caller.get_export("memory").and_then(Extern::into_memory));
        HostCall::enter(caller.as_context_mut(), memory, grant)
    }

    /// Enters from a component.
    pub(crate) fn of_component(store: StoreContextMut<'a, State>, grant: GrantKind) -> HostCall<'a> {
        HostCall::enter(store, None, grant)
    }

    fn enter(mut store: StoreContextMut<'a, State>, memory: Option<Memory>, grant: GrantKind) -> HostCall<'a> {
        let state = store.data_mut();
        state.serves();
        state.tap.meter().called(grant);
        HostCall { store, memory }
    }

    fn state(&self) -> &State {
        self.store.data()
    }

    /// The call that the guest serves.
    pub fn id(&self) -> CallId {
        self.state().call
    }

    /// The guest's name.
    pub fn guest(&self) -> &GuestName {
        self.state().stderr.guest()
    }

    /// What the host program gave to this call.
    pub fn context(&self) -> Option<&Context> {
        self.state().context.as_ref()
    }

    /// What the host program gave to this call, where it is of this type.
    pub fn context_as<T: Any>(&self) -> Option<&T> {
        self.context().and_then(|context| (**context).downcast_ref())
    }

    /// The call's meter.
    pub fn meter(&self) -> Arc<Meter> {
        self.state().tap.meter()
    }

    /// When the call has to have ended, in nanoseconds of the system's monotonic clock.
    pub fn deadline_ns(&self) -> u64 {
        nesting::deadline_ns()
    }

    /// How long the call may still take.
    pub fn time_left(&self) -> Duration {
        Duration::from_nanos(self.deadline_ns().saturating_sub(monotonic_ns()))
    }

    /// What ends the call from outside, where it was given something.
    pub fn cancel(&self) -> Option<&Cancel> {
        self.state().cancel.as_ref()
    }

    /// Logs a line for the guest, within its limit of log bytes.
    ///
    /// # Errors
    /// The limit is used up.
    pub fn log(&self, level: LogLevel, message: &str) -> Result<(), HostError> {
        Ok(self.state().stderr.say(level, message)?)
    }

    /// All of the core module's memory.
    ///
    /// # Errors
    /// It exports none named `memory`, or the guest is a component.
    pub fn memory(&mut self) -> Result<&mut [u8], HostError> {
        let memory = self.memory.ok_or("the guest exports no memory named `memory`")?;
        Ok(memory.data_mut(&mut self.store))
    }

    /// Bytes of the core module's memory, charged as bytes that left the guest.
    ///
    /// # Errors
    /// They lie outside of the memory, or a limit is used up.
    pub fn read(&self, pointer: u32, length: u32) -> Result<&[u8], HostError> {
        self.meter().charge(Resource::BytesOut, u64::from(length))?;
        let memory = self.memory.ok_or("the guest exports no memory named `memory`")?.data(&self.store);
        let range = range(pointer, length);
        memory.get(range.clone()).ok_or_else(|| outside(&range, memory.len()))
    }

    /// A text in the core module's memory, charged as bytes that left the guest.
    ///
    /// # Errors
    /// It lies outside of the memory or is no UTF-8, or a limit is used up.
    pub fn read_text(&self, pointer: u32, length: u32) -> Result<&str, HostError> {
        let bytes = self.read(pointer, length)?;
        std::str::from_utf8(bytes).map_err(|error| HostError::Failed(format!("the guest's text is no UTF-8: {error}")))
    }

    /// Writes bytes into the core module's memory, charged as bytes that went into the guest.
    ///
    /// # Errors
    /// They would lie outside of the memory, or a limit is used up.
    pub fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), HostError> {
        self.meter().charge(Resource::BytesIn, bytes.len() as u64)?;
        let memory = self.memory()?;
        let (range, len) = (range(pointer, u32::try_from(bytes.len()).unwrap_or(u32::MAX)), memory.len());
        memory.get_mut(range.clone()).ok_or_else(|| outside(&range, len))?.copy_from_slice(bytes);
        Ok(())
    }

    /// The bytes of a block of a plugin of Extism, charged as bytes that left the guest.
    ///
    /// # Errors
    /// There is none at this offset, the guest is no such plugin, or a limit is used up.
    pub fn block(&self, offset: i64) -> Result<&[u8], HostError> {
        extism::block(&self.store, offset).map_err(of_block)
    }

    /// Makes a block of a plugin of Extism and gives its offset, charged as bytes that went into the guest.
    ///
    /// # Errors
    /// The guest is no such plugin, or a limit is used up.
    pub fn new_block(&mut self, bytes: &[u8]) -> Result<i64, HostError> {
        extism::put(&mut self.store, bytes).map_err(of_block)
    }

    /// Calls a function of the host for its guest, which gets nothing of a panic but the end of its call.
    pub(crate) fn calls<T>(
        mut self,
        name: &str,
        body: impl FnOnce(&mut HostCall<'_>) -> Result<T, HostError>,
    ) -> wasmtime::Result<T> {
        let outside = interrupt::outside();
        let called = catch_unwind(AssertUnwindSafe(|| body(&mut self)));
        drop(outside);
        if nesting::inner_ended() {
            // Ticks went to the inner call, and the outer one has limits too.
            tick(self.store.as_context_mut())?;
        }
        settled(self.store.data(), name, called.unwrap_or_else(|panic| Err(panicked(&*panic))))
    }
}

fn of_block(error: wasmtime::Error) -> HostError {
    match error.downcast::<Stop>() {
        Ok(stop) => HostError::Stopped(stop),
        Err(error) => HostError::Failed(error.to_string()),
    }
}

fn range(pointer: u32, length: u32) -> std::ops::Range<usize> {
    let from = pointer as usize;
    from..from.saturating_add(length as usize)
}

fn outside(range: &std::ops::Range<usize>, memory_bytes: usize) -> HostError {
    let std::ops::Range { start, end } = range;
    HostError::Failed(format!("the guest names bytes {start} to {end} of its memory of {memory_bytes} bytes"))
}
