//! What core modules take and give: numbers.

use std::fmt;

/// What a function over numbers takes and gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// Its parameters.
    pub params: Vec<NumberType>,
    /// Its results.
    pub results: Vec<NumberType>,
}

/// The type of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
}

/// A number of a core module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// 32-bit float.
    F32(f32),
    /// 64-bit float.
    F64(f64),
}

impl Number {
    /// Zero of a type.
    pub fn zero(ty: NumberType) -> Number {
        match ty {
            NumberType::I32 => Number::I32(0),
            NumberType::I64 => Number::I64(0),
            NumberType::F32 => Number::F32(0.0),
            NumberType::F64 => Number::F64(0.0),
        }
    }

    /// Its type.
    pub fn ty(self) -> NumberType {
        match self {
            Number::I32(_) => NumberType::I32,
            Number::I64(_) => NumberType::I64,
            Number::F32(_) => NumberType::F32,
            Number::F64(_) => NumberType::F64,
        }
    }
}

impl fmt::Display for NumberType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NumberType::I32 => "i32",
            NumberType::I64 => "i64",
            NumberType::F32 => "f32",
            NumberType::F64 => "f64",
        })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |types: &[NumberType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self.results.as_slice() {
            [] => write!(f, "({})", list(&self.params)),
            results => write!(f, "({}) -> ({})", list(&self.params), list(results)),
        }
    }
}
