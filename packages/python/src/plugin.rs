//! A plugin, and its calls.

use crate::{
    call::{Given, Running, Terms, Within, lock},
    cancel::Cancel,
    error,
    export::Export,
    function::OfPlugin,
    interrupt, json,
    load::{self, Wanted},
    log::Told,
    output,
    receipt::Receipt,
    shapes::{Shapes, attribute_of},
    watch::Watch,
};
use bytes::Bytes;
use pyo3::{
    IntoPyObjectExt,
    exceptions::{PyAttributeError, PyTypeError},
    intern,
    prelude::*,
    types::{PyDict, PyMemoryView, PyTuple},
};
use sandbar_embed::{self as embed, Answer, Input, Outcome, Shape};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

/// A plugin, until it is closed. The class that programs see is written in Python over this one.
#[pyclass(frozen, subclass, name = "BasePlugin", module = "sandbar._sandbar")]
#[derive(Default)]
pub(crate) struct Plugin(Mutex<Option<Arc<Loaded>>>);

/// A plugin that was loaded, and what Python gave to it.
pub(crate) struct Loaded {
    pub(crate) plugin: embed::Plugin,
    pub(crate) of: Arc<OfPlugin>,
    /// Callables of Python that its functions are.
    told: Vec<Arc<Told>>,
    is_held: bool,
    shapes: RwLock<Arc<Shapes>>,
}

impl Loaded {
    pub(crate) fn new(plugin: embed::Plugin, of: Arc<OfPlugin>, is_held: bool) -> Loaded {
        let shapes = RwLock::new(Arc::new(Shapes::of(&plugin)));
        Loaded { plugin, of, told: Vec::new(), is_held, shapes }
    }

    /// Keeps the callables that Python's collector has to know.
    pub(crate) fn with(self, told: Vec<Arc<Told>>) -> Loaded {
        Loaded { told, ..self }
    }

    /// What it is known by among calls that lie in each other.
    fn identity(&self) -> usize {
        Arc::as_ptr(&self.of) as usize
    }

    /// Makes a call of an export, and blocks this thread, which lets go of Python meanwhile.
    ///
    /// # Errors
    /// How the call ended, where it did not end well; or what a signal raised that came meanwhile.
    pub(crate) fn run(
        &self,
        py: Python<'_>,
        export: &str,
        input: Input,
        (terms, wants_receipt): (Terms<'_, '_>, bool),
    ) -> PyResult<(Answer, Option<embed::Receipt>)> {
        let outer = terms.within.map(|within| within.get().0.clone()).or_else(Running::innermost);
        if self.is_held && outer.as_ref().is_some_and(|outer| outer.is_of(self.identity())) {
            return Err(error::refused(py, "refused: the plugin is in a call that this call is part of"));
        }
        let within = match (terms.time()?, outer.as_ref().and_then(|outer| outer.left())) {
            (Some(own), Some(left)) => Some(own.min(left)),
            (own, left) => own.or(left),
        };
        let given = Given { context: terms.context, event_loop: terms.event_loop };
        let running = Running::new(self.identity(), outer, given);
        for cancel in [terms.cancel, terms.task].into_iter().flatten() {
            cancel.get().given_to(&running);
        }
        let watching = interrupt::watch(py, &running)?;
        let (answer, receipt) = py.detach(|| {
            let mut calling = self.plugin.calling(export).context(running.clone()).cancel(running.cancel());
            if let Some(within) = within {
                calling = calling.within(within);
            }
            match wants_receipt {
                true => running.drive(&self.of.records, calling.run_async(input)),
                false => (running.drive(&self.of.records, calling.answer_async(input)), None),
            }
        });
        drop(watching);
        let raised = running.ended();
        match answer {
            Ok(answer) => Ok((answer, receipt)),
            Err(failed) => {
                if failed.outcome == Outcome::Cancelled {
                    py.check_signals()?;
                }
                let raised = raised.or_else(|| lock(&self.of.raised).take());
                Err(error::call(py, failed, raised))
            }
        }
    }

    /// Makes a call with values.
    ///
    /// # Errors
    /// As [`Loaded::run`]; or the arguments or the answer have no form in Python or JSON.
    pub(crate) fn call<'py>(
        &self,
        py: Python<'py>,
        export: &str,
        (arguments, named): (&Bound<'py, PyTuple>, Option<&Bound<'py, PyDict>>),
        (terms, wants_receipt): (Terms<'_, '_>, bool),
    ) -> PyResult<Bound<'py, PyAny>> {
        let input = self.input(export, arguments, named)?;
        let (answer, receipt) = self.run(py, export, input, (terms, wants_receipt))?;
        let text: &[u8] = match &answer {
            Answer::Output(bytes) => bytes,
            Answer::Value(text) => text.as_bytes(),
        };
        match json::read(py, text) {
            Ok(value) if wants_receipt => (value, receipt.map(Receipt::from)).into_bound_py_any(py),
            Ok(value) => Ok(value),
            Err(error) => {
                let message =
                    format!("the answer of `{export}` is no JSON: {error}; hint: `call_bytes` takes any answer");
                Err(error::answer(py, &message, receipt.map(Receipt::from)))
            }
        }
    }

    fn input(
        &self,
        export: &str,
        arguments: &Bound<'_, PyTuple>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Input> {
        let named = named.filter(|named| !named.is_empty());
        let json = match (self.shapes().shape(export), named) {
            (Some(Shape::Function), None) => match arguments.len() {
                0 => return Ok(Input::Bytes(Bytes::new())),
                // As JSON or as bytes is the same to it.
                1 => return Ok(Input::Bytes(json::value(&arguments.get_item(0)?)?.into())),
                count => return Err(one_value(export, count)),
            },
            (Some(Shape::Function), Some(named)) => return Err(one_value(export, arguments.len() + named.len())),
            (_, None) => json::arguments(arguments)?,
            (_, Some(named)) if arguments.is_empty() => json::named(named)?,
            (_, Some(_)) => {
                let message = format!("`{export}` takes its arguments either in order or by name, and not both");
                return Err(PyTypeError::new_err(message));
            }
        };
        Ok(Input::Json(json.into()))
    }

    /// What is exported now.
    pub(crate) fn shapes(&self) -> Arc<Shapes> {
        let known = self.shapes.read().unwrap_or_else(PoisonError::into_inner).clone();
        if known.are_of(&self.plugin) {
            return known;
        }
        let now = Arc::new(Shapes::of(&self.plugin));
        *self.shapes.write().unwrap_or_else(PoisonError::into_inner) = now.clone();
        now
    }
}

fn one_value(export: &str, count: usize) -> PyErr {
    PyTypeError::new_err(format!("`{export}` takes one value, which it reads from its stdin as JSON, found {count}"))
}

impl Plugin {
    pub(crate) fn of(loaded: Loaded) -> Plugin {
        Plugin(Mutex::new(Some(Arc::new(loaded))))
    }

    /// What is loaded.
    ///
    /// # Errors
    /// It was closed.
    pub(crate) fn loaded(&self, py: Python<'_>) -> PyResult<Arc<Loaded>> {
        lock(&self.0).clone().ok_or_else(|| error::other(py, "the plugin is closed"))
    }
}

#[pymethods]
impl Plugin {
    #[new]
    #[pyo3(signature = (*_arguments, **_named))]
    fn new(_arguments: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) -> Plugin {
        Plugin::default()
    }

    fn _load(&self, py: Python<'_>, wanted: Wanted<'_>) -> PyResult<()> {
        let loaded = Arc::new(load::load(py, wanted)?);
        *lock(&self.0) = Some(loaded);
        Ok(())
    }

    /// Becomes the same plugin as another.
    fn _adopt(&self, other: &Bound<'_, Plugin>) {
        let loaded = lock(&other.get().0).clone();
        *lock(&self.0) = loaded;
    }

    #[pyo3(signature = (export, *arguments, timeout = None, cancel = None, context = None, receipt = false, **named))]
    #[allow(clippy::too_many_arguments, reason = "Python has them by name")]
    fn call<'py>(
        &self,
        py: Python<'py>,
        export: &str,
        arguments: &Bound<'py, PyTuple>,
        timeout: Option<f64>,
        cancel: Option<&Bound<'py, Cancel>>,
        context: Option<Py<PyAny>>,
        receipt: bool,
        named: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let terms = Terms { timeout, cancel, context, ..Terms::default() };
        self.loaded(py)?.call(py, export, (arguments, named), (terms, receipt))
    }

    #[pyo3(signature = (export, data = None, *, timeout = None, cancel = None, context = None))]
    #[allow(clippy::too_many_arguments, reason = "Python has them by name")]
    fn call_bytes<'py>(
        &self,
        py: Python<'py>,
        export: &str,
        data: Option<&Bound<'py, PyAny>>,
        timeout: Option<f64>,
        cancel: Option<&Bound<'py, Cancel>>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyMemoryView>> {
        let terms = Terms { timeout, cancel, context, ..Terms::default() };
        self.call_with_bytes(py, export, data, terms)
    }

    /// A call for a task, on a thread of its own.
    #[pyo3(signature = (kind, export, arguments, named, timeout, cancel, context, task, event_loop, within))]
    #[allow(clippy::too_many_arguments, reason = "it is only called from one place in Python")]
    fn _call<'py>(
        &self,
        py: Python<'py>,
        kind: &str,
        export: &str,
        arguments: &Bound<'py, PyTuple>,
        named: Option<&Bound<'py, PyDict>>,
        timeout: Option<f64>,
        cancel: Option<&Bound<'py, Cancel>>,
        context: Option<Py<PyAny>>,
        task: &Bound<'py, Cancel>,
        event_loop: Py<PyAny>,
        within: Option<&Bound<'py, Within>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let terms = Terms { timeout, cancel, context, task: Some(task), event_loop: Some(event_loop), within };
        if kind == "bytes" {
            let data = arguments.iter().next();
            return Ok(self.call_with_bytes(py, export, data.as_ref(), terms)?.into_any());
        }
        self.loaded(py)?.call(py, export, (arguments, named), (terms, kind == "receipt"))
    }

    /// Replaces it.
    fn replace(&self, py: Python<'_>, source: &Bound<'_, PyAny>) -> PyResult<()> {
        let (loaded, source) = (self.loaded(py)?, load::source(source)?);
        let of = loaded.of.clone();
        let replaced = load::apart(py, move || loaded.plugin.replace(source));
        py.detach(|| of.records.tell());
        let raised = lock(&of.raised).take();
        replaced?.map_err(|failed| error::load(py, &failed, raised))
    }

    fn roll_back(&self, py: Python<'_>) -> PyResult<bool> {
        let loaded = self.loaded(py)?;
        Ok(py.detach(|| loaded.plugin.roll_back()))
    }

    #[pyo3(signature = (path, callback = None))]
    fn watch(&self, py: Python<'_>, path: PathBuf, callback: Option<Py<PyAny>>) -> PyResult<Watch> {
        let loaded = self.loaded(py)?;
        Watch::begin(py, &loaded.plugin, &path, loaded.of.clone(), callback)
    }

    #[getter]
    fn exports(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.loaded(py)?.plugin.exports())
    }

    #[getter]
    fn digest(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.loaded(py)?.plugin.digest().to_string())
    }

    #[getter]
    fn name(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.loaded(py)?.plugin.name().to_string())
    }

    #[getter]
    fn closed(&self) -> bool {
        lock(&self.0).is_none()
    }

    fn close(&self, py: Python<'_>) {
        let loaded = lock(&self.0).take();
        py.detach(|| drop(loaded));
    }

    fn __getattr__(slf: &Bound<'_, Self>, name: &str) -> PyResult<Export> {
        let py = slf.py();
        if !name.starts_with("__") {
            let shapes = slf.get().loaded(py)?.shapes();
            if let Some(export) = shapes.of_attribute(name) {
                return Ok(Export::new(slf.clone().unbind(), export.to_owned()));
            }
        }
        Err(PyAttributeError::new_err(format!("the plugin has no attribute and exports no function `{name}`")))
    }

    fn __dir__<'py>(slf: &Bound<'py, Self>) -> PyResult<Vec<String>> {
        let py = slf.py();
        let object = py.import(intern!(py, "builtins"))?.getattr(intern!(py, "object"))?;
        let mut names: Vec<String> = object.call_method1(intern!(py, "__dir__"), (slf,))?.extract()?;
        if let Ok(loaded) = slf.get().loaded(py) {
            names.extend(loaded.plugin.exports().iter().map(|export| attribute_of(export)));
        }
        Ok(names)
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a plugin can't be pickled or copied; hint: pickle its source, and load it where it is needed",
        ))
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        let Ok(loaded) = self.0.try_lock() else { return Ok(()) };
        // A call that runs holds on to it too, and so does a plugin that was adopted: then nothing is garbage.
        let Some(loaded) = loaded.as_ref().filter(|loaded| Arc::strong_count(loaded) == 1) else { return Ok(()) };
        for told in &loaded.told {
            let mut visited = Ok(());
            told.visit(|callable| visited = visit.call(callable));
            visited?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let loaded = lock(&self.0).take();
        if let Some(loaded) = loaded.filter(|loaded| Arc::strong_count(loaded) == 1) {
            loaded.told.iter().for_each(|told| told.clear());
        }
    }
}

impl Plugin {
    fn call_with_bytes<'py>(
        &self,
        py: Python<'py>,
        export: &str,
        data: Option<&Bound<'py, PyAny>>,
        terms: Terms<'_, '_>,
    ) -> PyResult<Bound<'py, PyMemoryView>> {
        let input = data.map_or_else(|| Ok(Bytes::new()), output::input)?;
        // Kept until this thread is attached again, so that a Python object is not let go of elsewhere.
        let (answer, _) = self.loaded(py)?.run(py, export, Input::Bytes(input.clone()), (terms, false))?;
        drop(input);
        match answer {
            Answer::Output(bytes) => output::Output::view(py, bytes),
            Answer::Value(text) => output::Output::view(py, text.into()),
        }
    }
}
