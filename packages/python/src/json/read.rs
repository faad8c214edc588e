//! JSON as Python's objects.

use pyo3::{
    IntoPyObjectExt,
    prelude::*,
    types::{PyDict, PyList, PyNone, PyString},
};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::{borrow::Cow, fmt};

/// Reads a JSON text. Nothing at all is read as `None`.
///
/// # Errors
/// It is no JSON, or values lie deeper in each other than [`super::DEPTH_MAX`].
pub(crate) fn read<'py>(py: Python<'py>, text: &[u8]) -> Result<Bound<'py, PyAny>, serde_json::Error> {
    if text.is_empty() {
        return Ok(PyNone::get(py).to_owned().into_any());
    }
    // It has a bound of its own on how deep values lie in each other, the same one.
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Object(py).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Object<'py>(Python<'py>);

/// A key of an object.
struct Key<'py>(Python<'py>);

fn given<T, E: Error>(result: PyResult<T>) -> Result<T, E> {
    result.map_err(|error| E::custom(error.to_string()))
}

impl<'de, 'py> DeserializeSeed<'de> for Object<'py> {
    type Value = Bound<'py, PyAny>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, 'py> Visitor<'de> for Object<'py> {
    type Value = Bound<'py, PyAny>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, is: bool) -> Result<Self::Value, E> {
        given(is.into_bound_py_any(self.0))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        given(number.into_bound_py_any(self.0))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        given(number.into_bound_py_any(self.0))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        given(number.into_bound_py_any(self.0))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(PyString::new(self.0, text).into_any())
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(PyNone::get(self.0).to_owned().into_any())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let list = PyList::empty(self.0);
        while let Some(element) = elements.next_element_seed(self)? {
            given(list.append(element))?;
        }
        Ok(list.into_any())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let dict = PyDict::new(self.0);
        while let Some(key) = entries.next_key_seed(Key(self.0))? {
            given(dict.set_item(key, entries.next_value_seed(self)?))?;
        }
        Ok(dict.into_any())
    }
}

impl<'de, 'py> DeserializeSeed<'de> for Key<'py> {
    type Value = Bound<'py, PyString>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let key = <Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
        Ok(PyString::new(self.0, &key))
    }
}
