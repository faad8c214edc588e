//! Receipts as Python sees them.

use crate::json;
use pyo3::{
    exceptions::PyValueError,
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyDict, PyString},
};
use sandbar_embed as embed;

/// What a call did and used.
#[pyclass(frozen, mapping, module = "sandbar")]
pub(crate) struct Receipt {
    receipt: embed::Receipt,
    /// What it is as a dict, once somebody asked.
    dict: PyOnceLock<Py<PyDict>>,
}

impl From<embed::Receipt> for Receipt {
    fn from(receipt: embed::Receipt) -> Receipt {
        Receipt { receipt, dict: PyOnceLock::new() }
    }
}

#[pymethods]
impl Receipt {
    /// How the call ended: `done`, `failed`, `stopped`, `trapped`, `refused`, `cancelled` or `fault`.
    #[getter]
    fn outcome(&self) -> &'static str {
        self.receipt.outcome.kind().key()
    }

    /// The call's id.
    #[getter]
    fn call(&self) -> String {
        self.receipt.call.to_string()
    }

    /// When it started, in milliseconds since 1970-01-01 UTC.
    #[getter]
    fn at_ms(&self) -> u64 {
        self.receipt.at_ms
    }

    /// The guest's name.
    #[getter]
    fn guest(&self) -> String {
        self.receipt.guest.to_string()
    }

    /// The guest's digest.
    #[getter]
    fn digest(&self) -> String {
        self.receipt.digest.to_string()
    }

    /// What it used, by the names of `docs/receipts.md`.
    #[getter]
    fn used<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, intern!(py, "used"))
    }

    /// How often it used each grant.
    #[getter]
    fn grants<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.dict(py)?.get_item(intern!(py, "grants"))?.unwrap_or_else(|| PyDict::new(py).into_any()))
    }

    /// What it asked for and was refused.
    #[getter]
    fn denials<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self
            .dict(py)?
            .get_item(intern!(py, "denials"))?
            .unwrap_or_else(|| pyo3::types::PyList::empty(py).into_any()))
    }

    /// The receipt as a dict, a new one each time.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.made(py)
    }

    /// The receipt as JSON.
    fn to_json(&self) -> PyResult<String> {
        serde_json::to_string(&self.receipt).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn __getitem__<'py>(&self, py: Python<'py>, key: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, key)
    }

    fn __repr__(&self) -> String {
        format!("<receipt of {} by `{}`: {}>", self.receipt.call, self.receipt.guest, self.outcome())
    }
}

impl Receipt {
    fn get<'py>(&self, py: Python<'py>, key: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.dict(py)?.as_any().get_item(key)
    }

    fn dict<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.dict.get_or_try_init(py, || self.made(py).map(Bound::unbind)).map(|dict| dict.bind(py))
    }

    fn made<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let text = self.to_json()?;
        let read = json::read(py, text.as_bytes()).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(read.cast_into::<PyDict>()?)
    }
}
