//! A function of a plugin as an attribute of it.

use crate::{call::Terms, cancel::Cancel, plugin::Plugin};
use pyo3::{
    prelude::*,
    types::{PyDict, PyTuple},
};

/// A function that a plugin exports.
#[pyclass(frozen, module = "sandbar")]
pub(crate) struct Export {
    plugin: Py<Plugin>,
    name: String,
}

impl Export {
    pub(crate) fn new(plugin: Py<Plugin>, name: String) -> Export {
        Export { plugin, name }
    }
}

#[pymethods]
impl Export {
    #[pyo3(signature = (*arguments, timeout = None, cancel = None, context = None, receipt = false, **named))]
    #[allow(clippy::too_many_arguments, reason = "Python has them by name")]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        arguments: &Bound<'py, PyTuple>,
        timeout: Option<f64>,
        cancel: Option<&Bound<'py, Cancel>>,
        context: Option<Py<PyAny>>,
        receipt: bool,
        named: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let terms = Terms { timeout, cancel, context, ..Terms::default() };
        self.plugin.get().loaded(py)?.call(py, &self.name, (arguments, named), (terms, receipt))
    }

    /// Its name, as the plugin exports it.
    #[getter]
    fn __name__(&self) -> &str {
        &self.name
    }

    fn __repr__(&self) -> String {
        format!("<export `{}`>", self.name)
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.plugin)
    }
}
