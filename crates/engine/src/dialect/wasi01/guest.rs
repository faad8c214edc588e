//! A guest of WASI 0.1 that has called the host: its memory, and the state of its sandbox.

use crate::state::State;
use wasmtime::{AsContextMut, Caller, Extern, Result, bail};
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as _;
use wiggle::{GuestMemory, GuestPtr};

/// The guest's memory, and the state of its sandbox.
pub(super) struct Guest<'a> {
    pub(super) memory: GuestMemory<'a>,
    pub(super) state: &'a mut State,
}

impl<'a> Guest<'a> {
    pub(super) fn enter(export: &'a Option<Extern>, caller: &'a mut Caller<'_, State>) -> Result<Guest<'a>> {
        let fuel = caller.as_context_mut().hostcall_fuel();
        let (memory, state) = match export {
            Some(Extern::Memory(memory)) => {
                let (memory, state) = memory.data_and_store_mut(caller);
                (GuestMemory::Unshared(memory), state)
            }
            Some(Extern::SharedMemory(memory)) => (GuestMemory::Shared(memory.data()), caller.data_mut()),
            Some(_) | None => bail!("the guest exports no memory"),
        };
        state.serves();
        state.wasi.set_hostcall_fuel(fuel);
        Ok(Guest { memory, state })
    }

    /// As [`Guest::enter`], for what goes to a file of the host.
    pub(super) fn enter_outside(export: &'a Option<Extern>, caller: &'a mut Caller<'_, State>) -> Result<Guest<'a>> {
        let guest = Guest::enter(export, caller)?;
        guest.state.leaves();
        Ok(guest)
    }

    /// As [`Guest::enter`], for what goes to a file of the host, unless the descriptor is a standard stream.
    pub(super) fn enter_for(
        fd: i32,
        export: &'a Option<Extern>,
        caller: &'a mut Caller<'_, State>,
    ) -> Result<Guest<'a>> {
        let guest = Guest::enter(export, caller)?;
        if guest.state.files.fd(fd).is_some() {
            guest.state.leaves();
        }
        Ok(guest)
    }

    /// Reads a number that a function wrote.
    pub(super) fn number(&self, at: i32) -> Result<u32> {
        Ok(self.memory.read(GuestPtr::<u32>::new(at.cast_unsigned()))?)
    }
}

/// Provides functions of wasmtime-wasi's that may wait, with the memory that the names say, entered by one of [`Guest`]'s ways.
macro_rules! pass_later {
    ($linker:ident, $names:ident, $enter:ident; $($name:ident($($argument:ident: $ty:ty),+);)+) => {$(
        $linker.func_wrap_async(
            $names.module,
            stringify!($name),
            move |mut caller: Caller<'_, State>, ($($argument,)+): ($($ty,)+)| {
                Box::new(async move {
                    let export = caller.get_export($names.memory);
                    let Guest { mut memory, state } = Guest::$enter(&export, &mut caller)?;
                    wasi::$name(&mut state.wasi, &mut memory, $($argument),+).await
                })
            },
        )?;
    )+};
}
pub(super) use pass_later;
