//! What crosses between a guest and a function in Python.

use super::arguments;
use crate::json;
use pyo3::{
    IntoPyObjectExt,
    exceptions::{PyOverflowError, PyTypeError, PyValueError},
    prelude::*,
    types::{PyBool, PyByteArray, PyBytes, PyFloat, PyInt, PyList, PyString, PyTuple},
};
use sandbar_embed::dynamic::{self, Gives, Value};

/// What a guest calls a function with, apart from its memory.
pub(super) enum Given {
    /// A core module, with these values.
    Values(Vec<Value>),
    /// A component, with a JSON array.
    Json(String),
}

impl From<dynamic::Given<'_>> for Given {
    fn from(given: dynamic::Given<'_>) -> Given {
        match given {
            dynamic::Given::Values(values) => Given::Values(values),
            dynamic::Given::Json(json) => Given::Json(json.to_owned()),
        }
    }
}

impl Given {
    pub(super) fn is_json(&self) -> bool {
        matches!(self, Given::Json(_))
    }

    /// The arguments as Python's, with the call in front of them where the function takes that.
    pub(super) fn arguments(self, py: Python<'_>, call: Option<PyResult<Py<PyAny>>>) -> PyResult<Bound<'_, PyTuple>> {
        match self {
            Given::Values(values) => arguments(py, call, values.into_iter().map(|value| object(py, value))),
            Given::Json(text) => {
                let read = json::read(py, text.as_bytes()).map_err(|error| PyValueError::new_err(error.to_string()))?;
                arguments(py, call, read.cast::<PyList>()?.iter().map(Ok))
            }
        }
    }
}

fn object(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    match value {
        Value::Bool(is) => is.into_bound_py_any(py),
        Value::Int(number) => number.into_bound_py_any(py),
        Value::Uint(number) => number.into_bound_py_any(py),
        Value::Float(number) => number.into_bound_py_any(py),
        Value::Text(text) => Ok(PyString::new(py, &text).into_any()),
        Value::Bytes(bytes) => Ok(PyBytes::new(py, &bytes).into_any()),
    }
}

/// What a function gave, for its guest.
pub(super) fn gives(gave: &Bound<'_, PyAny>, is_json: bool) -> PyResult<Gives> {
    if is_json {
        let text = String::from_utf8(json::value(gave)?).map_err(|error| PyValueError::new_err(error.to_string()))?;
        return Ok(Gives::Json(text));
    }
    Ok(Gives::Value(if gave.is_none() {
        return Ok(Gives::Nothing);
    } else if let Ok(is) = gave.cast::<PyBool>() {
        Value::Bool(is.is_true())
    } else if gave.is_instance_of::<PyInt>() {
        match gave.extract().map(Value::Int).or_else(|_| gave.extract().map(Value::Uint)) {
            Ok(value) => value,
            Err(_) => return Err(PyOverflowError::new_err("expected an integer of at most 64 bits")),
        }
    } else if let Ok(number) = gave.cast::<PyFloat>() {
        Value::Float(number.value())
    } else if let Ok(text) = gave.cast::<PyString>() {
        Value::Text(text.to_str()?.to_owned())
    } else if gave.is_instance_of::<PyBytes>() || gave.is_instance_of::<PyByteArray>() {
        Value::Bytes(gave.extract()?)
    } else {
        let kind = gave.get_type().qualname()?;
        let expected = "expected None, bool, int, float, str or bytes";
        return Err(PyTypeError::new_err(format!(
            "a value of type `{kind}` can't be given to a core module: {expected}"
        )));
    }))
}
