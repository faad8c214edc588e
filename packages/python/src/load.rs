//! Loads plugins with what Python gives them.

use crate::{
    call::lock,
    error,
    function::{HostFunction, OfPlugin},
    host::{self, Host},
    interrupt, json,
    log::{Records, Told},
    output,
    plugin::{Loaded, Plugin},
    receipt::Receipt,
};
use pyo3::{
    exceptions::{PyRuntimeError, PyValueError},
    prelude::*,
    types::{PyDict, PyString},
};
use sandbar_embed::{self as embed, ExtismManifest, Source};
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

/// How often the main thread looks for signals while it waits for something that can't be ended.
const LOOK: Duration = Duration::from_millis(20);

/// What Python's side of the package makes of a plugin's arguments.
#[derive(FromPyObject)]
pub(crate) struct Wanted<'py> {
    source: Bound<'py, PyAny>,
    /// What [`embed::PluginBuilder::options`] takes.
    options: Bound<'py, PyDict>,
    functions: Vec<WantedFunction>,
    log: Option<Py<PyAny>>,
    on_receipt: Option<Py<PyAny>>,
    self_test: Option<Py<PyAny>>,
    host: Option<Bound<'py, Host>>,
}

#[derive(FromPyObject)]
struct WantedFunction {
    module: String,
    name: String,
    callable: Py<PyAny>,
    form: Option<String>,
    is_async: bool,
    takes_call: bool,
}

/// Loads a plugin.
///
/// # Errors
/// It can't be loaded; or a signal came meanwhile, and what is done about it raised something.
pub(crate) fn load(py: Python<'_>, wanted: Wanted<'_>) -> PyResult<Loaded> {
    let mut told = Vec::new();
    let mut keep = |callable: Py<PyAny>| {
        let callable = Told::new(callable);
        told.push(callable.clone());
        callable
    };
    let options: serde_json::Value = serde_json::from_slice(&json::value(wanted.options.as_any())?)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    let is_held = options.get("sandbox").is_none_or(|sandbox| sandbox == "held");
    let records = Arc::new(Records::new(wanted.log.map(&mut keep)));
    let of = Arc::new(OfPlugin { records: records.clone(), raised: Mutex::default() });

    let host = host::host(py, wanted.host.as_ref())?;
    let builder = host.plugin(source(&wanted.source)?).options(&options);
    let mut builder = builder.map_err(|failed| error::load(py, &failed, None))?.log(move |record| records.take(record));
    for function in wanted.functions {
        let WantedFunction { module, name, callable, form, is_async, takes_call } = function;
        let function = HostFunction::new(keep(callable), is_async, takes_call, of.clone()).imported(form.as_deref());
        let function = function.map_err(|error| PyValueError::new_err(format!("the function `{name}`: {error}")))?;
        builder = builder.add(&module, &name, function);
    }
    if let Some(callable) = wanted.on_receipt.map(&mut keep) {
        builder = builder.on_receipt(move |receipt| tell_receipt(&callable, receipt));
    }
    if let Some(callable) = wanted.self_test.map(&mut keep) {
        let of = of.clone();
        builder =
            builder.self_test(move |plugin| self_test(&callable, Loaded::new(plugin.clone(), of.clone(), is_held)));
    }
    let plugin = apart(py, move || builder.load());
    py.detach(|| of.records.tell());
    let raised = lock(&of.raised).take();
    let plugin = plugin?.map_err(|failed| error::load(py, &failed, raised))?;
    Ok(Loaded::new(plugin, of, is_held).with(told))
}

/// A path, bytes, or a manifest of Extism's as a dictionary.
pub(crate) fn source(source: &Bound<'_, PyAny>) -> PyResult<Source> {
    if source.is_instance_of::<PyDict>() {
        let manifest = String::from_utf8_lossy(&json::value(source)?).into_owned();
        return Ok(ExtismManifest::from_json(&manifest)
            .map_err(|failed| error::load(source.py(), &failed, None))?
            .into());
    }
    if source.is_instance_of::<PyString>() || source.hasattr("__fspath__")? {
        return Ok(Source::File(source.extract::<PathBuf>()?));
    }
    Ok(Source::Bytes(output::input(source)?))
}

/// Does something that can't be ended: on the main thread so that Ctrl-C is heeded meanwhile, and what is done goes on without
/// anybody who wants it.
pub(crate) fn apart<T: Send + 'static>(py: Python<'_>, work: impl FnOnce() -> T + Send + 'static) -> PyResult<T> {
    if !interrupt::is_main(py)? {
        return Ok(py.detach(work));
    }
    let (ended, end) = channel();
    let spawned = thread::Builder::new().name("sandbar-load".into()).spawn(move || drop(ended.send(work())));
    spawned.map_err(|error| PyRuntimeError::new_err(format!("there can be no more threads: {error}")))?;
    py.detach(move || {
        loop {
            match end.recv_timeout(LOOK) {
                Ok(came) => return Ok(came),
                Err(RecvTimeoutError::Timeout) => Python::attach(|py| py.check_signals())?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PyRuntimeError::new_err("the thread that loads panicked"));
                }
            }
        }
    })
}

fn tell_receipt(callable: &Told, receipt: &embed::Receipt) {
    Python::try_attach(|py| {
        let Some(callable) = callable.get(py) else { return };
        if let Err(error) = callable.call1(py, (Receipt::from(receipt.clone()),)) {
            error.write_unraisable(py, Some(callable.bind(py)));
        }
    });
}

/// Tries a version with what Python tests it by: what that raises speaks against it.
fn self_test(callable: &Told, trial: Loaded) -> Result<(), String> {
    let tested = Python::try_attach(|py| {
        let Some(callable) = callable.get(py) else { return Ok(()) };
        let plugin = Bound::new(py, Plugin::of(trial)).map_err(|error| error.to_string())?;
        callable.call1(py, (plugin,)).map(drop).map_err(|error| error.to_string())
    });
    tested.unwrap_or(Err("Python is ending".into()))
}
