//! Values that a guest gives to a function of the host.

use sandbar_embed::dynamic;
use std::ptr::null;

/// Bytes that belong to somebody else.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    /// Where they begin.
    pub data: *const u8,
    /// How many there are.
    pub length: usize,
}

/// The type of a value.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// `of.boolean`, of a `bool`.
    Bool = 1,
    /// `of.integer`, of an `i32` or `i64`.
    Int = 2,
    /// `of.unsigned_integer`, of a `u32` or `u64`.
    Uint = 3,
    /// `of.number`, of an `f32` or `f64`.
    Float = 4,
    /// `of.bytes`, UTF-8 of a `text`. No zero byte ends it.
    Text = 5,
    /// `of.bytes`, of `bytes` or a `block`.
    Bytes = 6,
    /// `of.bytes`, the arguments of a component's call as a JSON array.
    Json = 7,
}

/// What a value is, by its kind.
#[repr(C)]
#[derive(Clone, Copy)]
pub union ValueOf {
    /// True or false.
    pub boolean: bool,
    /// An integer.
    pub integer: i64,
    /// An integer without a sign.
    pub unsigned_integer: u64,
    /// A float.
    pub number: f64,
    /// A text, bytes or JSON, there until the function returns.
    pub bytes: Bytes,
}

/// An argument of a function of the host.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Value {
    /// What it is.
    pub kind: ValueKind,
    /// Its value: look at the member that the kind names.
    pub of: ValueOf,
}

impl Value {
    /// Shows a value to C.
    pub(crate) fn of(value: &dynamic::Value) -> Value {
        match value {
            dynamic::Value::Bool(is) => Value { kind: ValueKind::Bool, of: ValueOf { boolean: *is } },
            dynamic::Value::Int(number) => Value { kind: ValueKind::Int, of: ValueOf { integer: *number } },
            dynamic::Value::Uint(number) => Value { kind: ValueKind::Uint, of: ValueOf { unsigned_integer: *number } },
            dynamic::Value::Float(number) => Value { kind: ValueKind::Float, of: ValueOf { number: *number } },
            dynamic::Value::Text(text) => Value { kind: ValueKind::Text, of: bytes(text.as_bytes()) },
            dynamic::Value::Bytes(some) => Value { kind: ValueKind::Bytes, of: bytes(some) },
        }
    }

    /// Shows JSON to C.
    pub(crate) fn json(json: &str) -> Value {
        Value { kind: ValueKind::Json, of: bytes(json.as_bytes()) }
    }
}

fn bytes(bytes: &[u8]) -> ValueOf {
    let data = if bytes.is_empty() { null() } else { bytes.as_ptr() };
    ValueOf { bytes: Bytes { data, length: bytes.len() } }
}
