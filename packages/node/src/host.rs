//! The one host of the process, which all of its JavaScript threads share.

use crate::pool;
use napi::{Error, Result, bindgen_prelude::Either};
use napi_derive::napi;
use rustix::time::{ClockId, clock_gettime};
use sandbar_embed::{Cache, Compiler, Host, HostBuilder, Interruption};
use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The host, once somebody needed it.
static HOST: Mutex<Option<Host>> = Mutex::new(None);
/// How it will be set up.
static TOLD: Mutex<Option<HostGiven>> = Mutex::new(None);

/// What a compiler in a process of its own may use.
const COMPILER_MEMORY_BYTES: u64 = 4 << 30;
const COMPILER_TIME: Duration = Duration::from_secs(60);
/// The most bytes of compiled plugins in a folder that the host program names.
const CACHE_BYTES_MAX: u64 = 2 << 30;

/// How the host is set up.
#[napi(object)]
#[derive(Clone)]
pub struct HostGiven {
    /// Where compiled plugins are kept: a folder of the user's own, or `false` for nowhere.
    pub cache: Option<Either<bool, String>>,
    /// The program that compiles in a process of its own, such as `sandbar`.
    pub compiler: Option<String>,
    /// Sandboxes at one time, over all plugins.
    pub sandboxes_max: Option<u32>,
    /// Threads that guests run on at one time.
    pub threads_max: Option<u32>,
    /// `epochs` or `signals`.
    pub interruption: Option<String>,
}

/// Says how the host is set up, before the first plugin is loaded.
#[napi]
pub fn configure(given: HostGiven) -> Result<()> {
    if let Some(threads_max) = given.threads_max {
        pool::bound(threads_max as usize);
    }
    builder(&given)?;
    let host = lock(&HOST);
    if host.is_some() {
        return Err(Error::from_reason(
            "the host is set up already: call `configure` before the first plugin is loaded",
        ));
    }
    *lock(&TOLD) = Some(given);
    Ok(())
}

/// The host, which is set up where nobody needed it yet.
pub(crate) fn host() -> std::result::Result<Host, String> {
    let mut host = lock(&HOST);
    if let Some(host) = &*host {
        return Ok(host.clone());
    }
    let told = lock(&TOLD).clone();
    let none = HostGiven { cache: None, compiler: None, sandboxes_max: None, threads_max: None, interruption: None };
    let builder = builder(&told.unwrap_or(none)).map_err(|error| error.reason.to_string())?;
    let made = builder.build().map_err(|error| error.to_string())?;
    *host = Some(made.clone());
    Ok(made)
}

/// Monotonic time in nanoseconds: the clock of deadlines.
pub(crate) fn monotonic_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let whole = |part: i64| u64::try_from(part).unwrap_or(0);
    whole(time.tv_sec).saturating_mul(1_000_000_000).saturating_add(whole(time.tv_nsec))
}

fn builder(given: &HostGiven) -> Result<HostBuilder> {
    let interruption = match given.interruption.as_deref() {
        None | Some("signals") => Interruption::Signals,
        Some("epochs") => Interruption::Epochs,
        Some(other) => {
            let other = other.escape_debug();
            return Err(Error::from_reason(format!("`interruption`: expected `epochs` or `signals`, found `{other}`")));
        }
    };
    let mut builder = Host::builder().interruption(interruption);
    builder = match &given.cache {
        None | Some(Either::A(true)) => builder,
        Some(Either::A(false)) => builder.cache(None),
        Some(Either::B(folder)) => {
            builder.cache(Some(Cache { folder: PathBuf::from(folder), bytes_max: CACHE_BYTES_MAX }))
        }
    };
    if let Some(program) = &given.compiler {
        builder = builder.compiler(Compiler::Child {
            program: PathBuf::from(program),
            memory_bytes: COMPILER_MEMORY_BYTES,
            time: COMPILER_TIME,
        });
    }
    Ok(match given.sandboxes_max {
        Some(sandboxes_max) => builder.sandboxes_max(sandboxes_max),
        None => builder,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
