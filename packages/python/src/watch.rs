//! Replaces a plugin when its file changes.

use crate::{call::lock, error, function::OfPlugin, log::Told};
use pyo3::prelude::*;
use sandbar_embed as embed;
use std::{
    path::Path,
    sync::{Arc, Mutex},
};

/// Watches a plugin's file until it is closed.
#[pyclass(frozen, module = "sandbar")]
pub(crate) struct Watch {
    watch: Mutex<Option<embed::Watch>>,
    told: Option<Arc<Told>>,
}

impl Watch {
    pub(crate) fn begin(
        py: Python<'_>,
        plugin: &embed::Plugin,
        path: &Path,
        of: Arc<OfPlugin>,
        callback: Option<Py<PyAny>>,
    ) -> PyResult<Watch> {
        let told = callback.map(Told::new);
        let tell = told.clone();
        let replaced = move |result: Result<(), embed::Error>| {
            of.records.tell();
            let raised = lock(&of.raised).take();
            let Some(tell) = &tell else { return };
            Python::try_attach(|py| {
                let Some(callback) = tell.get(py) else { return };
                let error = result.err().map(|failed| error::load(py, &failed, raised));
                if let Err(error) = callback.call1(py, (error,)) {
                    error.write_unraisable(py, Some(callback.bind(py)));
                }
            });
        };
        let watch = py.detach(|| plugin.watch(path, replaced)).map_err(|failed| error::load(py, &failed, None))?;
        Ok(Watch { watch: Mutex::new(Some(watch)), told })
    }
}

#[pymethods]
impl Watch {
    /// Stops watching; a replacement that is under way is waited for.
    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(lock(&self.watch).take()));
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __exit__(&self, py: Python<'_>, _kind: &Bound<'_, PyAny>, _error: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) {
        self.close(py);
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        let mut visited = Ok(());
        if let Some(told) = &self.told {
            told.visit(|callable| visited = visit.call(callable));
        }
        visited
    }

    fn __clear__(&self) {
        if let Some(told) = &self.told {
            told.clear();
        }
    }
}

impl Drop for Watch {
    /// The thread that is waited for may want to be attached to Python itself.
    fn drop(&mut self) {
        let watch = lock(&self.watch).take();
        if watch.is_some() {
            Python::try_attach(|py| py.detach(|| drop(watch)));
        }
    }
}
