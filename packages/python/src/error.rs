//! How a load or a call that did not end well is raised. The exceptions themselves are written in Python, `sandbar/_errors.py`.

use crate::receipt::Receipt;
use pyo3::{exceptions::PyBaseException, intern, prelude::*, types::PyDict};
use sandbar_embed::{CallError, Error, Outcome, Refusal};

/// A plugin that can't be loaded, and what a function of the host raised meanwhile.
pub(crate) fn load(py: Python<'_>, error: &Error, raised: Option<PyErr>) -> PyErr {
    let class = match error {
        Error::Option(_) => "OptionError",
        _ => "LoadError",
    };
    let made = exception(py, class, |class| class.call1((error.to_string(),)));
    caused(py, made, raised)
}

/// A call that did not end well, and what a function of the host raised in it.
pub(crate) fn call(py: Python<'_>, error: CallError, raised: Option<PyErr>) -> PyErr {
    if let Some(raised) = &raised
        && !raised.is_instance_of::<pyo3::exceptions::PyException>(py)
    {
        // Whoever pressed Ctrl-C or asked the program to end meant it, and not just this call.
        return raised.clone_ref(py);
    }
    let message = error.to_string();
    let made = detailed(py, error.outcome, &message, error.receipt.map(|receipt| Receipt::from(*receipt)));
    caused(py, made.unwrap_or_else(|error| error), raised)
}

/// A call that can't be made, with no receipt.
pub(crate) fn refused(py: Python<'_>, message: &str) -> PyErr {
    exception(py, "Refused", |class| class.call1((message, "refused")))
}

/// An answer that is not what was asked for.
pub(crate) fn answer(py: Python<'_>, message: &str, receipt: Option<Receipt>) -> PyErr {
    exception(py, "AnswerError", |class| class.call1((message, receipt)))
}

/// An answer of the kind, whatever it is.
pub(crate) fn other(py: Python<'_>, message: &str) -> PyErr {
    exception(py, "SandbarError", |class| class.call1((message,)))
}

fn detailed(py: Python<'_>, outcome: Outcome, message: &str, receipt: Option<Receipt>) -> PyResult<PyErr> {
    let (kind, details) = (outcome.kind().key(), PyDict::new(py));
    let class = match outcome {
        Outcome::Done => return Ok(answer(py, message, receipt)),
        Outcome::Failed { code, .. } => {
            details.set_item(intern!(py, "code"), code)?;
            "Failed"
        }
        Outcome::Stopped { limit } => {
            details.set_item(intern!(py, "limit"), limit.key())?;
            if limit == sandbar_embed::Resource::Wall { "TimedOut" } else { "Stopped" }
        }
        Outcome::Trapped { message } => {
            details.set_item(intern!(py, "backtrace"), message)?;
            "Trapped"
        }
        Outcome::Refused { why } => {
            if let Refusal::Grant { denial } = why {
                details.set_item(intern!(py, "asked"), denial.asked)?;
                details.set_item(intern!(py, "allow"), denial.allow)?;
            }
            "Refused"
        }
        Outcome::Cancelled => "Cancelled",
        Outcome::Fault { .. } => "Fault",
    };
    Ok(exception(py, class, |class| class.call((message, kind, receipt), Some(&details))))
}

fn exception<'py>(
    py: Python<'py>,
    class: &str,
    made: impl FnOnce(Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
) -> PyErr {
    let made = py.import(intern!(py, "sandbar._errors")).and_then(|errors| errors.getattr(class)).and_then(made);
    match made.map(|made| made.cast_into::<PyBaseException>()) {
        Ok(Ok(made)) => PyErr::from_value(made.into_any()),
        Ok(Err(error)) => error.into(),
        Err(error) => error,
    }
}

fn caused(py: Python<'_>, error: PyErr, raised: Option<PyErr>) -> PyErr {
    if raised.is_some() {
        error.set_cause(py, raised);
    }
    error
}
