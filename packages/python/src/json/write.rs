//! Python's objects as JSON.

use super::DEPTH_MAX;
use pyo3::{
    exceptions::{PyRecursionError, PyTypeError, PyValueError},
    intern,
    prelude::*,
    types::{PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple},
};
use std::io::Write;

/// Writes one value.
///
/// # Errors
/// It has no form in JSON: a float that is no number, a key that is no text, an object of another kind.
pub(crate) fn value(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let mut out = Vec::with_capacity(128);
    write(value, &mut out, DEPTH_MAX)?;
    Ok(out)
}

/// Writes arguments as an array.
///
/// # Errors
/// As [`value`].
pub(crate) fn arguments(arguments: &Bound<'_, PyTuple>) -> PyResult<Vec<u8>> {
    let mut out = Vec::with_capacity(128);
    array(arguments.iter(), &mut out, DEPTH_MAX)?;
    Ok(out)
}

/// Writes arguments as an object by their names.
///
/// # Errors
/// As [`value`].
pub(crate) fn named(arguments: &Bound<'_, PyDict>) -> PyResult<Vec<u8>> {
    let mut out = Vec::with_capacity(128);
    object(arguments, &mut out, DEPTH_MAX)?;
    Ok(out)
}

fn write(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> PyResult<()> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(PyRecursionError::new_err(format!("values lie deeper than {DEPTH_MAX} in each other")));
    };
    if let Ok(text) = value.cast::<PyString>() {
        string(text.to_str()?, out)
    } else if value.is_none() {
        out.extend_from_slice(b"null");
        Ok(())
    } else if let Ok(is) = value.cast::<PyBool>() {
        out.extend_from_slice(if is.is_true() { b"true" } else { b"false" });
        Ok(())
    } else if let Ok(number) = value.cast::<PyInt>() {
        integer(number, out)
    } else if let Ok(number) = value.cast::<PyFloat>() {
        float(number.value(), out)
    } else if let Ok(dict) = value.cast::<PyDict>() {
        object(dict, out, depth)
    } else if let Ok(list) = value.cast::<PyList>() {
        array(list.iter(), out, depth)
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        array(tuple.iter(), out, depth)
    } else {
        other(value, out, depth)
    }
}

fn string(text: &str, out: &mut Vec<u8>) -> PyResult<()> {
    serde_json::to_writer(out, text).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn integer(number: &Bound<'_, PyInt>, out: &mut Vec<u8>) -> PyResult<()> {
    if let Ok(number) = number.extract::<i64>() {
        return Ok(write!(out, "{number}")?);
    }
    // Beyond what a number of a guest can be; whoever reads it says so.
    let text = number.call_method0(intern!(number.py(), "__repr__"))?;
    out.extend_from_slice(text.cast::<PyString>()?.to_str()?.as_bytes());
    Ok(())
}

fn float(number: f64, out: &mut Vec<u8>) -> PyResult<()> {
    if number.is_finite() {
        return serde_json::to_writer(out, &number).map_err(|error| PyValueError::new_err(error.to_string()));
    }
    Err(PyValueError::new_err(format!("`{number}` can't be written as JSON: expected a finite number")))
}

fn array<'py>(elements: impl Iterator<Item = Bound<'py, PyAny>>, out: &mut Vec<u8>, depth: usize) -> PyResult<()> {
    out.push(b'[');
    for (index, element) in elements.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(&element, out, depth)?;
    }
    out.push(b']');
    Ok(())
}

fn object(dict: &Bound<'_, PyDict>, out: &mut Vec<u8>, depth: usize) -> PyResult<()> {
    entries(dict.iter().map(Ok), out, depth)
}

fn entries<'py>(
    entries: impl Iterator<Item = PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)>>,
    out: &mut Vec<u8>,
    depth: usize,
) -> PyResult<()> {
    out.push(b'{');
    for (index, entry) in entries.enumerate() {
        let (key, value) = entry?;
        if index > 0 {
            out.push(b',');
        }
        let Ok(key) = key.cast::<PyString>() else {
            let kind = key.get_type().qualname()?;
            return Err(PyTypeError::new_err(format!(
                "a key of type `{kind}` can't be written as JSON: expected `str`"
            )));
        };
        string(key.to_str()?, out)?;
        out.push(b':');
        write(&value, out, depth)?;
    }
    out.push(b'}');
    Ok(())
}

/// What is met seldom: bytes, enumerations, data classes, mappings.
fn other(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> PyResult<()> {
    let py = value.py();
    if value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyByteArray>() {
        return base64(value, out);
    }
    let fields = intern!(py, "__dataclass_fields__");
    if !value.is_instance_of::<pyo3::types::PyType>() && value.hasattr(fields)? {
        let fields = value.getattr(fields)?.cast_into::<PyDict>()?;
        let each = fields
            .keys()
            .iter()
            .map(|name| Ok((name.clone(), value.getattr(name.cast::<PyString>()?)?)))
            .collect::<Vec<_>>();
        return entries(each.into_iter(), out, depth);
    }
    if value.is_instance(&py.import(intern!(py, "enum"))?.getattr(intern!(py, "Enum"))?)? {
        return write(&value.getattr(intern!(py, "value"))?, out, depth);
    }
    if let Ok(mapping) = value.cast::<PyMapping>() {
        let items = mapping.items()?;
        return entries(items.iter().map(|item| item.extract()), out, depth);
    }
    let kind = value.get_type().qualname()?;
    Err(PyTypeError::new_err(format!(
        "a value of type `{kind}` can't be written as JSON: expected None, bool, int, float, str, bytes, a list, a tuple, a dict \
         with keys of type `str`, an enumeration or a data class"
    )))
}

/// Bytes as `docs/values.md` has them for a `list<u8>`.
fn base64(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    let py = value.py();
    let keywords = PyDict::new(py);
    keywords.set_item(intern!(py, "newline"), false)?;
    let encode = py.import(intern!(py, "binascii"))?.getattr(intern!(py, "b2a_base64"))?;
    let encoded = encode.call((value,), Some(&keywords))?;
    out.extend_from_slice(br#"{"base64":""#);
    out.extend_from_slice(encoded.cast::<PyBytes>()?.as_bytes());
    out.extend_from_slice(br#""}"#);
    Ok(())
}
