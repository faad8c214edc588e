//! What a guest wrote, lent to Python without a copy.
#![allow(unsafe_code, reason = "a buffer of Python is filled by hand")]

use bytes::Bytes;
use pyo3::{exceptions::PyBufferError, ffi, prelude::*, types::PyMemoryView};
use std::ffi::{c_int, c_void};

/// Bytes of a guest, which Python sees through a `memoryview` and which are there for as long as one of them is.
#[pyclass(frozen, module = "sandbar._sandbar")]
pub(crate) struct Output(Bytes);

impl Output {
    /// Lends bytes to Python.
    ///
    /// # Errors
    /// Python has no memory left.
    pub(crate) fn view(py: Python<'_>, bytes: Bytes) -> PyResult<Bound<'_, PyMemoryView>> {
        PyMemoryView::from(Bound::new(py, Output(bytes))?.as_any())
    }
}

#[pymethods]
impl Output {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// Fills a buffer that can only be read.
    ///
    /// # Safety
    /// Python gives a `view` that it may fill.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("expected a view"));
        }
        let bytes = &slf.get().0;
        let length = ffi::Py_ssize_t::try_from(bytes.len())?;
        // SAFETY: `view` is one to be filled. The bytes are never changed, and the view holds a reference to their owner,
        // which is frozen.
        let filled = unsafe {
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), bytes.as_ptr().cast_mut().cast::<c_void>(), length, 1, flags)
        };
        if filled == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }

    /// Nothing was kept for it.
    ///
    /// # Safety
    /// None is needed.
    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {}
}

/// What a guest is given. `bytes` never change, so that their owner is kept and nothing copied; what could change while the
/// guest reads it is copied.
///
/// # Errors
/// It has no bytes, or they don't lie side by side.
pub(crate) fn input(data: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    use pyo3::{buffer::PyUntypedBuffer, pybacked::PyBackedBytes, types::PyBytes};
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return Ok(match bytes.as_bytes() {
            few if few.len() <= COPIED_BYTES_MAX => Bytes::copy_from_slice(few),
            _ => Bytes::from_owner(PyBackedBytes::from(bytes.clone())),
        });
    }
    let buffer = PyUntypedBuffer::get(data)?;
    if !buffer.is_c_contiguous() {
        return Err(PyBufferError::new_err("expected bytes that lie side by side, found a buffer with gaps"));
    }
    if buffer.len_bytes() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the buffer is there and contiguous until it is dropped. Another thread of Python can't change it meanwhile,
    // since this one is attached and gives way to none.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<u8>(), buffer.len_bytes()) };
    Ok(Bytes::copy_from_slice(bytes))
}

/// Up to here a copy costs less than an owner to keep.
const COPIED_BYTES_MAX: usize = 1 << 10;
