//! Sandbar for Python: the part of the package `sandbar` that is not written in Python.
//!
//! Whatever may take long, a guest, a compiler, a lock that one of them holds, is waited for detached from Python, so that its
//! other threads run. It must not know how a guest runs: that is `sandbar-embed`'s.

#![deny(unsafe_code)]

mod call;
mod cancel;
mod error;
mod export;
mod function;
mod host;
mod interpreter;
mod interrupt;
mod json;
mod load;
mod log;
mod output;
mod plugin;
mod receipt;
mod shapes;
mod watch;

/// The part of the package `sandbar` that is not written in Python.
#[pyo3::pymodule]
mod _sandbar {
    #[pymodule_export]
    use crate::{
        call::Within, cancel::Cancel, export::Export, function::HostedCall, host::Host, host::forked, plugin::Plugin,
        receipt::Receipt, watch::Watch,
    };
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::interpreter::is_first(module.py())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::interrupt::begin(module.py())
    }
}
