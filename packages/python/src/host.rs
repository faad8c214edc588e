//! What plugins share, as Python sees it.

use crate::{call::lock, error, interrupt};
use pyo3::{exceptions::PyValueError, prelude::*};
use sandbar_embed::{self as embed, Cache, Compiler, Interruption};
use std::{mem, path::PathBuf, sync::Mutex, time::Duration};

/// Shares one engine, one cache of compiled plugins and one pool of sandboxes among plugins.
#[pyclass(frozen, module = "sandbar")]
pub(crate) struct Host(pub(crate) embed::Host);

/// The host of plugins that are given none.
static DEFAULT: Mutex<Option<embed::Host>> = Mutex::new(None);

/// What a compiler in a process of its own may use, unless somebody says otherwise.
const COMPILER_MEMORY_BYTES: u64 = 2 << 30;
const COMPILER_TIME: Duration = Duration::from_secs(60);

#[pymethods]
impl Host {
    /// Sets a host up.
    #[new]
    #[pyo3(signature = (*, interruption = "signals", cache = None, compile_with = None, sandboxes_max = None))]
    fn new(
        py: Python<'_>,
        interruption: &str,
        cache: Option<&Bound<'_, PyAny>>,
        compile_with: Option<PathBuf>,
        sandboxes_max: Option<u32>,
    ) -> PyResult<Host> {
        let mut builder = embed::Host::builder().interruption(match interruption {
            "epochs" => Interruption::Epochs,
            "signals" => Interruption::Signals,
            other => {
                let message = format!("`interruption`: expected \"epochs\" or \"signals\", found `{other}`");
                return Err(PyValueError::new_err(message));
            }
        });
        if let Some(cache) = cache {
            builder = builder.cache(match cache.extract::<bool>() {
                Ok(true) => Cache::of_user(),
                Ok(false) => None,
                Err(_) => Some(Cache { folder: cache.extract()?, ..Cache::of_user().unwrap_or_else(no_folder) }),
            });
        }
        if let Some(program) = compile_with {
            let (memory_bytes, time) = (COMPILER_MEMORY_BYTES, COMPILER_TIME);
            builder = builder.compiler(Compiler::Child { program, memory_bytes, time });
        }
        if let Some(sandboxes_max) = sandboxes_max {
            builder = builder.sandboxes_max(sandboxes_max);
        }
        Ok(Host(py.detach(|| builder.build()).map_err(|failed| error::load(py, &failed, None))?))
    }
}

/// The bytes of a cache whose folder is told.
fn no_folder() -> Cache {
    Cache { folder: PathBuf::new(), bytes_max: 1 << 30 }
}

/// The host that is asked for, or the default one.
///
/// # Errors
/// Threads or memory can't be had.
pub(crate) fn host(py: Python<'_>, host: Option<&Bound<'_, Host>>) -> PyResult<embed::Host> {
    if let Some(host) = host {
        return Ok(host.get().0.clone());
    }
    // Attached throughout: a thread that forks is too, so that the child finds the lock open.
    let mut default = lock(&DEFAULT);
    if let Some(host) = &*default {
        return Ok(host.clone());
    }
    let built = embed::Host::builder().build();
    let built = built.map_err(|failed| error::load(py, &failed, None))?;
    *default = Some(built.clone());
    Ok(built)
}

/// Starts anew in a process that was forked: the host has none of its threads here, and nothing can end it.
#[pyfunction]
pub(crate) fn forked() {
    mem::forget(lock(&DEFAULT).take());
    interrupt::forked();
}
