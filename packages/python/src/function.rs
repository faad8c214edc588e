//! Functions of the host that are written in Python.
//!
//! Where a guest calls one, what lies in its memory is read, and the guest waits: the thread that made the call runs the
//! function, [`crate::call`] says why. Where nobody's thread is free for that, because a guest's start code called, or
//! because what the function gives has to be put into the guest's memory, another thread does.

mod value;

use crate::{
    call::{Running, Within, lock},
    log::{Records, Told},
};
use futures::channel::oneshot::{Receiver, Sender, channel};
use pyo3::{exceptions::PyValueError, intern, prelude::*, types::PyTuple};
use sandbar_embed::{
    CallId, Denial, Function, GrantKind, HostCall, HostError, LogLevel, LogRecord,
    dynamic::{self, Form, Gives, Kind, Value},
};
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake},
    thread,
};
use value::Given;

/// A function of the host, as a plugin has it.
pub(crate) struct HostFunction {
    callable: Arc<Told>,
    /// Whether it gives a coroutine.
    is_async: bool,
    /// Whether its first parameter is the call.
    takes_call: bool,
    plugin: Arc<OfPlugin>,
}

/// What functions and the plugin that has them share.
pub(crate) struct OfPlugin {
    pub(crate) records: Arc<Records>,
    /// What a function raised outside of any call, in start code.
    pub(crate) raised: Mutex<Option<PyErr>>,
}

/// One call of a function, to be made where Python can run.
pub(crate) struct Job {
    function: Arc<HostFunction>,
    given: Given,
    id: CallId,
    guest: Arc<str>,
    reply: Reply,
}

type Came = Result<Gives, HostError>;
type Reply = Sender<Came>;

impl HostFunction {
    pub(crate) fn new(callable: Arc<Told>, is_async: bool, takes_call: bool, plugin: Arc<OfPlugin>) -> HostFunction {
        HostFunction { callable, is_async, takes_call, plugin }
    }

    /// As guests import it: core modules in this form, components with JSON.
    ///
    /// # Errors
    /// The form can't be read.
    pub(crate) fn imported(self, form: Option<&str>) -> Result<Function, dynamic::FormError> {
        let this = Arc::new(self);
        let parsed = form.map(str::parse::<Form>).transpose()?;
        let function = match parsed {
            Some(form) if form.result() != Some(Kind::Block) => this.clone().over_numbers(form),
            _ => {
                let of_core = this.clone();
                dynamic::function(form.map(str::parse).transpose()?, move |call, given| of_core.elsewhere(call, given))
            }
        };
        Ok(function.values_later(move |call, arguments| {
            let later = this.begin(call, Given::Json(arguments.to_owned()));
            Box::pin(async move {
                match later.await.unwrap_or_else(|_| Err(ended()))? {
                    Gives::Json(json) => Ok(json),
                    Gives::Nothing | Gives::Value(_) => Ok("null".to_owned()),
                }
            })
        }))
    }

    fn over_numbers(self: Arc<Self>, form: Form) -> Function {
        let form = Arc::new(form);
        Function::default().numbers_later(Some(form.signature()), move |call, params| {
            let later = form.read(call, params).map(|values| self.begin(call, Given::Values(values)));
            let form = form.clone();
            Box::pin(async move {
                match later?.await.unwrap_or_else(|_| Err(ended()))? {
                    Gives::Value(value) => form.numbers(Some(of_kind(value, form.result())?)),
                    Gives::Nothing | Gives::Json(_) => form.numbers(None),
                }
            })
        })
    }

    /// Lets the thread that made the call run it.
    fn begin(self: &Arc<Self>, call: &HostCall<'_>, given: Given) -> Receiver<Came> {
        let (job, later) = self.job(call, given);
        match call.context_as::<Arc<Running>>().cloned().or_else(Running::innermost) {
            Some(running) => {
                running.has_until(call.deadline_ns());
                running.post(job);
            }
            None => job.run_elsewhere(None),
        }
        later
    }

    /// Runs it on another thread, while this one waits.
    fn elsewhere(self: &Arc<Self>, call: &HostCall<'_>, given: dynamic::Given<'_>) -> Came {
        let (job, later) = self.job(call, given.into());
        let running = call.context_as::<Arc<Running>>().cloned().or_else(Running::innermost);
        if let Some(running) = &running {
            running.has_until(call.deadline_ns());
        }
        job.run_elsewhere(running);
        waited(later)
    }

    fn job(self: &Arc<Self>, call: &HostCall<'_>, given: Given) -> (Job, Receiver<Came>) {
        let (reply, later) = channel();
        (Job { function: self.clone(), given, id: call.id(), guest: call.guest().clone(), reply }, later)
    }
}

/// A float is no integer in Python, whatever its value.
fn of_kind(value: Value, kind: Option<Kind>) -> Result<Value, HostError> {
    match (&value, kind) {
        (Value::Float(_), Some(kind)) if !matches!(kind, Kind::F32 | Kind::F64) => {
            Err(HostError::Failed(format!("it gave {value}, and its guest expects {kind}")))
        }
        _ => Ok(value),
    }
}

/// Waits for a reply on this thread, whatever guest's stack it is on.
fn waited(mut later: Receiver<Came>) -> Came {
    /// Wakes a thread.
    struct Unpark(thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Arc::new(Unpark(thread::current())).into();
    loop {
        if let Poll::Ready(came) = Pin::new(&mut later).poll(&mut Context::from_waker(&waker)) {
            return came.unwrap_or_else(|_| Err(ended()));
        }
        thread::park();
    }
}

/// The call ended before its function did.
fn ended() -> HostError {
    HostError::Failed("Python is ending".into())
}

impl Job {
    /// Runs it on this thread, for a call or for start code.
    pub(crate) fn run(self, running: Option<&Arc<Running>>) {
        Python::try_attach(|py| {
            let Job { function, given, id, guest, reply } = self;
            let is_json = given.is_json();
            let replies = Replies { is_json, running: running.cloned(), plugin: function.plugin.clone() };
            let called = function.callable.get(py).map_or_else(
                || Err(PyValueError::new_err("the plugin is closed")),
                |callable| {
                    let call = function.takes_call.then(|| HostedCall::object(py, id, guest, &replies));
                    let arguments = given.arguments(py, call)?;
                    callable.bind(py).call1(arguments)
                },
            );
            match called {
                Ok(coroutine) if function.is_async => replies.later(&coroutine, reply),
                called => replies.now(py, called, reply),
            }
        });
    }

    /// Runs it on a thread of its own.
    fn run_elsewhere(self, running: Option<Arc<Running>>) {
        // Where there can be no thread, the job and with it the reply is gone, which ends the call.
        let _ = thread::Builder::new().name("sandbar-function".into()).spawn(move || {
            let _entered = running.as_ref().map(Running::enter);
            self.run(running.as_ref());
        });
    }
}

/// How what a function gave gets to its guest.
struct Replies {
    is_json: bool,
    running: Option<Arc<Running>>,
    plugin: Arc<OfPlugin>,
}

impl Replies {
    fn now(&self, py: Python<'_>, called: PyResult<Bound<'_, PyAny>>, reply: Reply) {
        let came = called.and_then(|gave| value::gives(&gave, self.is_json)).map_err(|error| self.failed(py, error));
        let _ = reply.send(came);
    }

    fn later(self, coroutine: &Bound<'_, PyAny>, reply: Reply) {
        let py = coroutine.py();
        let running = self.running.clone();
        let event_loop = running.as_ref().and_then(|running| running.event_loop(py));
        let within = running.clone().map(Within);
        let done = Done(Mutex::new(Some((self, reply))));
        let begun = Bound::new(py, done).and_then(|done| {
            let begun = py
                .import(intern!(py, "sandbar._tasks"))
                .and_then(|tasks| tasks.call_method1(intern!(py, "begin"), (coroutine, event_loop, within, &done)));
            match begun {
                Ok(task) => Ok(Some(task)),
                Err(error) => done.call_method1(intern!(py, "failed"), (error,)).map(|_| None),
            }
        });
        if let (Ok(Some(task)), Some(running)) = (begun, running) {
            running.waits_for(task.unbind());
        }
    }

    fn failed(&self, py: Python<'_>, error: PyErr) -> HostError {
        let value = error.value(py);
        if let Ok(asked) =
            value.getattr(intern!(py, "_sandbar_denied")).and_then(|denied| denied.extract::<(String, String)>())
        {
            return HostError::Denied(Denial::new(GrantKind::Functions, asked.0, asked.1));
        }
        let kind = value.get_type().qualname().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
        let message = value.str().map_or_else(|_| String::new(), |text| text.to_string_lossy().into_owned());
        match &self.running {
            Some(running) => running.raise(error),
            None => *lock(&self.plugin.raised) = Some(error),
        }
        HostError::Failed(if message.is_empty() { kind } else { format!("{kind}: {message}") })
    }
}

/// Takes what came of a coroutine.
#[pyclass(frozen, module = "sandbar._sandbar")]
struct Done(Mutex<Option<(Replies, Reply)>>);

#[pymethods]
impl Done {
    /// It gave this.
    fn gave(&self, gave: &Bound<'_, PyAny>) {
        if let Some((replies, reply)) = lock(&self.0).take() {
            replies.now(gave.py(), Ok(gave.clone()), reply);
        }
    }

    /// It raised this.
    fn failed(&self, error: &Bound<'_, PyAny>) {
        if let Some((replies, reply)) = lock(&self.0).take() {
            replies.now(error.py(), Err(PyErr::from_value(error.clone())), reply);
        }
    }
}

/// The call that a function of the host serves.
#[pyclass(frozen, name = "Call", module = "sandbar")]
pub(crate) struct HostedCall {
    id: CallId,
    guest: Arc<str>,
    running: Option<Arc<Running>>,
    plugin: Arc<OfPlugin>,
}

impl HostedCall {
    fn object(py: Python<'_>, id: CallId, guest: Arc<str>, replies: &Replies) -> PyResult<Py<PyAny>> {
        let (running, plugin) = (replies.running.clone(), replies.plugin.clone());
        Ok(Py::new(py, HostedCall { id, guest, running, plugin })?.into_any())
    }
}

#[pymethods]
impl HostedCall {
    /// Its id, which is in its receipt too.
    #[getter]
    fn id(&self) -> String {
        self.id.to_string()
    }

    /// The guest's name.
    #[getter]
    fn guest(&self) -> &str {
        &self.guest
    }

    /// What the program gave to this call, while it runs.
    #[getter]
    fn context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.running.as_ref()?.context(py)
    }

    /// Seconds until it has to have ended.
    #[getter]
    fn seconds_left(&self) -> Option<f64> {
        Some(self.running.as_ref()?.left()?.as_secs_f64())
    }

    /// Whether somebody ended it from outside.
    #[getter]
    fn cancelled(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.cancel().is_cancelled())
    }

    /// Says something of it to the plugin's log: `level` is `trace`, `debug`, `info`, `warn` or `error`.
    fn log(&self, level: &str, message: String) -> PyResult<()> {
        let level = match level {
            "trace" => LogLevel::Trace,
            "debug" => LogLevel::Debug,
            "info" => LogLevel::Info,
            "warn" | "warning" => LogLevel::Warn,
            "error" => LogLevel::Error,
            other => {
                let message = format!("unknown level `{other}`; expected one of trace, debug, info, warn, error");
                return Err(PyValueError::new_err(message));
            }
        };
        self.plugin.records.take(LogRecord { level, guest: self.guest.clone(), call: self.id, message });
        Ok(())
    }

    fn __repr__(&self) -> String {
        format!("<call {} of `{}`>", self.id, self.guest)
    }
}

/// Arguments of a function, with the call in front of them where it takes that.
fn arguments<'py>(
    py: Python<'py>,
    call: Option<PyResult<Py<PyAny>>>,
    values: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
) -> PyResult<Bound<'py, PyTuple>> {
    let call = call.map(|call| call.map(|call| call.into_bound(py)));
    PyTuple::new(py, call.into_iter().chain(values).collect::<PyResult<Vec<_>>>()?)
}
