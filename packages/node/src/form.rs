//! Values of core modules as JavaScript has them: 64-bit integers are `bigint`, all other numbers are numbers.

use crate::values::Value;
use sandbar_embed::{
    HostCall, HostError, Number,
    dynamic::{self, Form, Kind},
};

/// Reads the values that a guest gives, by a form or without.
pub(crate) fn values(form: Option<&Form>, call: &HostCall<'_>, given: &[Number]) -> Result<Vec<Value>, HostError> {
    Ok(match form {
        Some(form) => {
            form.read(call, given)?.into_iter().zip(form.params()).map(|(value, kind)| shown(value, *kind)).collect()
        }
        None => given.iter().map(|number| shown((*number).into(), Kind::of(number.ty()))).collect(),
    })
}

#[allow(clippy::cast_precision_loss, reason = "only integers of 32 bits become floats")]
fn shown(value: dynamic::Value, kind: Kind) -> Value {
    let is_wide = matches!(kind, Kind::I64 | Kind::U64);
    match value {
        dynamic::Value::Bool(is) => Value::Bool(is),
        dynamic::Value::Int(number) if is_wide => Value::Integer(number.into()),
        dynamic::Value::Uint(number) if is_wide => Value::Integer(number.into()),
        dynamic::Value::Int(number) => Value::Number(number as f64),
        dynamic::Value::Uint(number) => Value::Number(number as f64),
        dynamic::Value::Float(number) => Value::Number(number),
        dynamic::Value::Text(text) => Value::Text(text),
        dynamic::Value::Bytes(bytes) => Value::Bytes(bytes),
    }
}

/// Takes what a function of JavaScript gives.
pub(crate) fn given(value: Option<Value>) -> Result<Option<dynamic::Value>, HostError> {
    let integer = |number: i128| {
        let signed = i64::try_from(number).map(dynamic::Value::Int);
        let integer = signed.or_else(|_| u64::try_from(number).map(dynamic::Value::Uint));
        integer.map_err(|_| HostError::Failed(format!("it gave {number}, which has more than 64 bits")))
    };
    Ok(match value {
        None => None,
        Some(Value::Bool(is)) => Some(dynamic::Value::Bool(is)),
        Some(Value::Number(number)) => Some(dynamic::Value::Float(number)),
        Some(Value::Integer(number)) => Some(integer(number)?),
        Some(Value::Text(text)) => Some(dynamic::Value::Text(text)),
        Some(Value::Bytes(bytes)) => Some(dynamic::Value::Bytes(bytes)),
    })
}
