//! Which interpreter of a process this is.
#![allow(unsafe_code, reason = "Python tells it only in C")]

use pyo3::{exceptions::PyImportError, ffi, prelude::*};

/// Refuses any interpreter but the first: threads of ours could not tell which one a function of the host belongs to.
///
/// # Errors
/// It is another.
pub(crate) fn is_first(_attached: Python<'_>) -> PyResult<()> {
    // SAFETY: this thread is attached, so there is an interpreter.
    let id = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    if id == 0 {
        Ok(())
    } else {
        Err(PyImportError::new_err("`sandbar` works in no subinterpreter; hint: import it in the main one"))
    }
}
