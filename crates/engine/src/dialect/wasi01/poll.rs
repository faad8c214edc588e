//! Timers of WASI 0.1 that end once the guest's own clock reads so.
//!
//! wasmtime-wasi sets them by what the guest's memory says. A clock that is coarse needs other numbers there, for as long as the
//! function runs.

use super::{Names, guest::Guest};
use crate::{dialect::used, state::State};
use sandbar_call::GrantKind;
use sandbar_grants::{Resolution, clock};
use wasmtime::{Caller, Linker, Result};
use wasmtime_wasi::p1::{types::Subclockflags, wasi_snapshot_preview1 as wasi};
use wiggle::{GuestMemory, GuestPtr};

/// How many subscriptions are looked through; wasmtime-wasi refuses lists that are longer.
const SUBSCRIPTIONS_MAX: u32 = 1 << 22;
/// The size of a subscription, and where its fields are, in bytes.
const SIZE: u32 = 48;
const TAG: u32 = 8;
const CLOCK: u32 = 16;
const TIMEOUT: u32 = 24;
const FLAGS: u32 = 40;
/// The tag of a timer.
const TIMER: u8 = 0;
const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;

/// Lays it over, for a guest whose clock has steps.
pub(crate) fn link(linker: &mut Linker<State>, names: Names) -> Result<()> {
    linker.func_wrap_async(
        names.module,
        "poll_oneoff",
        move |mut caller: Caller<'_, State>, (subscriptions, events, count, ready): (i32, i32, i32, i32)| {
            Box::new(async move {
                let export = caller.get_export(names.memory);
                let Guest { mut memory, state } = Guest::enter(&export, &mut caller)?;
                used(&state.tap, GrantKind::Clock);
                let timers = Timer::all(&memory, subscriptions.cast_unsigned(), count.cast_unsigned());
                for timer in &timers {
                    timer.waiting(state.grants.clock).write(&mut memory)?;
                }
                let errno =
                    wasi::poll_oneoff(&mut state.wasi, &mut memory, subscriptions, events, count, ready).await?;
                let apart = events.cast_unsigned().abs_diff(subscriptions.cast_unsigned());
                if u64::from(apart) >= u64::from(count.cast_unsigned()) * u64::from(SIZE) {
                    timers.iter().try_for_each(|timer| timer.write(&mut memory))?;
                }
                Ok(errno)
            })
        },
    )?;
    Ok(())
}

/// A subscription to a clock.
#[derive(Clone, Copy)]
struct Timer {
    at: u32,
    clock: u32,
    timeout: u64,
    flags: u16,
}

impl Timer {
    /// The timers of a list. What can't be read is refused where it is read again.
    fn all(memory: &GuestMemory<'_>, list: u32, count: u32) -> Vec<Timer> {
        if count > SUBSCRIPTIONS_MAX {
            return Vec::new();
        }
        let at = |index: u32| list.checked_add(index.checked_mul(SIZE)?);
        (0..count).filter_map(|index| Timer::read(memory, at(index)?)).collect()
    }

    fn read(memory: &GuestMemory<'_>, at: u32) -> Option<Timer> {
        let place = |field: u32| at.checked_add(field);
        let tag = memory.read(GuestPtr::<u8>::new(place(TAG)?)).ok()?;
        let clock = memory.read(GuestPtr::<u32>::new(place(CLOCK)?)).ok()?;
        let timeout = memory.read(GuestPtr::<u64>::new(place(TIMEOUT)?)).ok()?;
        let flags = memory.read(GuestPtr::<u16>::new(place(FLAGS)?)).ok()?;
        (tag == TIMER && clock <= MONOTONIC).then_some(Timer { at, clock, timeout, flags })
    }

    fn write(&self, memory: &mut GuestMemory<'_>) -> Result<()> {
        memory.write(GuestPtr::<u32>::new(self.at + CLOCK), self.clock)?;
        memory.write(GuestPtr::<u64>::new(self.at + TIMEOUT), self.timeout)?;
        memory.write(GuestPtr::<u16>::new(self.at + FLAGS), self.flags)?;
        Ok(())
    }

    /// The same timer as a time from now.
    fn waiting(&self, resolution: Resolution) -> Timer {
        let now = match self.clock {
            REALTIME => u64::try_from(clock::wall(Resolution::Fine).as_nanos()).unwrap_or(u64::MAX),
            _ => clock::monotonic_ns(Resolution::Fine),
        };
        let absolute = Subclockflags::SUBSCRIPTION_CLOCK_ABSTIME.bits();
        let timeout = match self.flags & absolute {
            0 => clock::wait_for_ns(now, self.timeout, resolution),
            _ => clock::wait_until_ns(now, self.timeout, resolution),
        };
        Timer { clock: MONOTONIC, timeout, flags: self.flags & !absolute, ..*self }
    }
}
