//! Wakes the loop at a moment. What a poll takes as a timeout is whole milliseconds, longer than most answers take, so a
//! timer of the kernel's own is polled with the sockets.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    time::{Duration, Instant},
};

use anyhow::Result;
use mio::{Interest, Registry, Token, unix::SourceFd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

pub(super) struct Alarm {
    timer: OwnedFd,
    at: Option<Instant>,
}

impl Alarm {
    pub(super) fn new(registry: &Registry, token: Token) -> Result<Alarm> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Alarm { timer, at: None })
    }

    /// Sets it, and tells how long a poll may wait beside it.
    pub(super) fn set(&mut self, at: Instant) -> Result<Option<Duration>> {
        if self.at != Some(at) {
            // Zero would turn it off.
            let left = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
            let it_value = Timespec { tv_sec: left.as_secs().try_into()?, tv_nsec: left.subsec_nanos().into() };
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
            self.at = Some(at);
        }
        Ok(None)
    }

    /// Notes that it rang: it is off.
    pub(super) fn rang(&mut self) {
        self.at = None;
    }
}
