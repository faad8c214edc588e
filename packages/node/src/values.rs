//! What crosses between JavaScript and Rust.

use bytes::Bytes;
use napi::bindgen_prelude::{BigInt, Either, Either5, Either6, Null, Uint8Array};
use napi_derive::napi;
use sandbar_embed::{Denial, GrantKind, HostError};

/// A value that a core module gives to a function of the host, or gets from one.
#[derive(Debug)]
pub(crate) enum Value {
    /// True or false.
    Bool(bool),
    /// A number: every 32-bit integer, and every float.
    Number(f64),
    /// A 64-bit integer, which is a `bigint` in JavaScript.
    Integer(i128),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// What a guest gives a function of the host.
pub(crate) enum Given {
    /// A core module: these values.
    Values(Vec<Value>),
    /// A component: an array in JSON.
    Json(String),
}

/// What a function of the host gives back.
pub(crate) struct Reply {
    /// Its value: JSON for a component.
    pub(crate) value: Result<Option<Value>, HostError>,
    /// What it logged for the guest, in bytes.
    pub(crate) log_bytes: u64,
}

/// A value, as JavaScript takes it.
pub(crate) type JsValue = Either5<bool, f64, BigInt, String, Uint8Array>;

/// What a guest gives, as JavaScript takes it.
pub(crate) type JsGiven = Either<Vec<JsValue>, String>;

/// What JavaScript gives for a function: a value, `null` for none, or how it went otherwise.
pub(crate) type JsReply = Either<Either6<bool, f64, BigInt, String, Uint8Array, Told>, Null>;

/// How a function of the host went that did more than give a value.
#[napi(object)]
pub struct Told {
    /// Its value.
    pub value: Option<Either5<bool, f64, BigInt, String, Uint8Array>>,
    /// What it logged for the guest, in bytes.
    pub log_bytes: Option<f64>,
    /// Why it failed.
    pub failure: Option<String>,
    /// What it refuses to do.
    pub denied: Option<String>,
}

impl From<Given> for JsGiven {
    fn from(given: Given) -> JsGiven {
        match given {
            Given::Values(values) => Either::A(values.into_iter().map(shown).collect()),
            Given::Json(json) => Either::B(json),
        }
    }
}

impl From<JsReply> for Reply {
    fn from(reply: JsReply) -> Reply {
        let given = |value| Reply { value: Ok(Some(value)), log_bytes: 0 };
        match reply {
            Either::B(Null) => Reply { value: Ok(None), log_bytes: 0 },
            Either::A(Either6::A(is)) => given(Value::Bool(is)),
            Either::A(Either6::B(number)) => given(Value::Number(number)),
            Either::A(Either6::C(number)) => Reply { value: integer(&number).map(Some), log_bytes: 0 },
            Either::A(Either6::D(text)) => given(Value::Text(text)),
            Either::A(Either6::E(bytes)) => given(Value::Bytes(bytes.to_vec())),
            Either::A(Either6::F(told)) => told.into(),
        }
    }
}

impl From<Told> for Reply {
    fn from(told: Told) -> Reply {
        let value = match told {
            Told { denied: Some(asked), .. } => {
                Err(HostError::Denied(Denial::new(GrantKind::Functions, asked, String::new())))
            }
            Told { failure: Some(failure), .. } => Err(HostError::Failed(failure)),
            Told { value, .. } => value.map(read).transpose(),
        };
        Reply { value, log_bytes: told.log_bytes.map_or(0, whole) }
    }
}

impl Reply {
    /// The reply of a function that could not be asked for.
    pub(crate) fn failed(message: impl Into<String>) -> Reply {
        Reply { value: Err(HostError::Failed(message.into())), log_bytes: 0 }
    }
}

/// Reads a count that JavaScript has as a number.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is no count becomes the nearest one")]
pub(crate) fn whole(number: f64) -> u64 {
    number as u64
}

/// Takes what JavaScript gives as bytes; it is copied, since JavaScript may change it.
pub(crate) fn copied(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn shown(value: Value) -> JsValue {
    match value {
        Value::Bool(is) => Either5::A(is),
        Value::Number(number) => Either5::B(number),
        Value::Integer(number) => Either5::C(number.into()),
        Value::Text(text) => Either5::D(text),
        Value::Bytes(bytes) => Either5::E(bytes.into()),
    }
}

fn read(value: JsValue) -> Result<Value, HostError> {
    Ok(match value {
        Either5::A(is) => Value::Bool(is),
        Either5::B(number) => Value::Number(number),
        Either5::C(number) => integer(&number)?,
        Either5::D(text) => Value::Text(text),
        Either5::E(bytes) => Value::Bytes(bytes.to_vec()),
    })
}

fn integer(number: &BigInt) -> Result<Value, HostError> {
    let mut words = number.words.iter().rev().skip_while(|word| **word == 0);
    let word = i128::from(words.next().copied().unwrap_or(0));
    if words.next().is_some() {
        return Err(HostError::Failed("it gave a bigint of more than 64 bits".into()));
    }
    Ok(Value::Integer(if number.sign_bit { -word } else { word }))
}
