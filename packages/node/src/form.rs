//! What a function of the host takes and gives, as a core module sees it: `(i32, text) -> i64`.
//!
//! JavaScript is asked while the guest waits outside of its memory, so arguments are read before and the result is written
//! after. Only a block of Extism's takes memory of the guest when it is given back.

use crate::values::Value;
use sandbar_embed::{
    CoreArgument, HostCall, HostError, Number, NumberType, Signature,
    dynamic::{self, Kind},
};

/// The kinds by their names, which the embedding crate has read before.
const KINDS: &[(&str, Kind)] = &[
    ("i32", Kind::I32),
    ("u32", Kind::U32),
    ("i64", Kind::I64),
    ("u64", Kind::U64),
    ("f32", Kind::F32),
    ("f64", Kind::F64),
    ("bool", Kind::Bool),
    ("text", Kind::Text),
    ("bytes", Kind::Bytes),
    ("block", Kind::Block),
];

/// What a function takes and gives.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    params: Vec<Kind>,
    result: Option<Kind>,
}

impl Form {
    /// Reads a form.
    pub(crate) fn read(text: &str) -> Result<Form, dynamic::FormError> {
        text.parse::<dynamic::Form>()?;
        let kind = |name: &str| KINDS.iter().find(|(known, _)| *known == name.trim()).map(|(_, kind)| *kind);
        let (params, result) = text.split_once(')').unwrap_or((text, ""));
        let params = params.trim_start_matches([' ', '(']).split(',').filter_map(kind).collect();
        Ok(Form { params, result: result.split_once("->").and_then(|(_, name)| kind(name)) })
    }

    /// The kind of what it gives.
    pub(crate) fn result(&self) -> Option<Kind> {
        self.result
    }

    /// The numbers that it takes and gives.
    pub(crate) fn signature(&self) -> Signature {
        let params = self.params.iter().flat_map(|kind| numbers(*kind)).copied().collect();
        Signature { params, results: self.result.iter().flat_map(|kind| numbers(*kind)).copied().collect() }
    }

    /// Reads the values that a guest gives.
    pub(crate) fn values(&self, call: &HostCall<'_>, mut given: &[Number]) -> Result<Vec<Value>, HostError> {
        let mut values = Vec::with_capacity(self.params.len());
        for kind in &self.params {
            let too_few = "the guest gives too few numbers";
            let (those, rest) = given.split_at_checked(numbers(*kind).len()).ok_or(too_few)?;
            values.push(value(*kind, call, those)?);
            given = rest;
        }
        Ok(values)
    }
}

/// The kind of a number that no form names.
pub(crate) fn kind_of(ty: NumberType) -> Kind {
    match ty {
        NumberType::I32 => Kind::I32,
        NumberType::I64 => Kind::I64,
        NumberType::F32 => Kind::F32,
        NumberType::F64 => Kind::F64,
    }
}

/// A number as a value.
pub(crate) fn plain(number: Number) -> Value {
    match number {
        Number::I32(number) => Value::Number(number.into()),
        Number::I64(number) => Value::Integer(number.into()),
        Number::F32(number) => Value::Number(number.into()),
        Number::F64(number) => Value::Number(number),
    }
}

/// A value as the number that a guest expects of a function. A block needs more than that.
pub(crate) fn number(kind: Kind, value: Option<Value>) -> Result<Number, HostError> {
    let Some(value) = value else {
        return Err(HostError::Failed(format!("it gave nothing, and its guest expects {kind}")));
    };
    let unlike = || HostError::Failed(format!("it gave {}, and its guest expects {kind}", told(&value)));
    let integer = |least: i128, most: i128| {
        let number = match value {
            Value::Bool(is) => i128::from(is),
            Value::Integer(number) => number,
            #[allow(clippy::cast_possible_truncation, reason = "a float beyond it stays beyond the bounds")]
            Value::Number(number) if number.fract() == 0.0 => number as i128,
            _ => return Err(unlike()),
        };
        if (least..=most).contains(&number) { Ok(number) } else { Err(unlike()) }
    };
    #[allow(clippy::cast_precision_loss, reason = "that is what a float is")]
    let float = || match value {
        Value::Number(number) => Ok(number),
        Value::Integer(number) => Ok(number as f64),
        _ => Err(unlike()),
    };
    #[allow(clippy::cast_possible_truncation, reason = "an integer is within its bounds, a float loses what it has to")]
    Ok(match kind {
        // Either sign: a guest's i32 has none.
        Kind::I32 | Kind::U32 => Number::I32(integer(i32::MIN.into(), u32::MAX.into())? as i32),
        Kind::I64 | Kind::U64 => Number::I64(integer(i64::MIN.into(), u64::MAX.into())? as i64),
        Kind::Bool => Number::I32((integer(i32::MIN.into(), u32::MAX.into())? != 0).into()),
        Kind::F32 => Number::F32(float()? as f32),
        Kind::F64 => Number::F64(float()?),
        Kind::Text | Kind::Bytes | Kind::Block => return Err(unlike()),
    })
}

/// Makes a block of what a function gave.
pub(crate) fn block(call: &mut HostCall<'_>, value: Option<Value>) -> Result<Number, HostError> {
    match value {
        Some(Value::Text(text)) => Ok(Number::I64(call.new_block(text.as_bytes())?)),
        Some(Value::Bytes(bytes)) => Ok(Number::I64(call.new_block(&bytes)?)),
        other => number(Kind::Block, other),
    }
}

fn numbers(kind: Kind) -> &'static [NumberType] {
    match kind {
        Kind::I32 | Kind::U32 | Kind::Bool => &[NumberType::I32],
        Kind::I64 | Kind::U64 | Kind::Block => &[NumberType::I64],
        Kind::F32 => &[NumberType::F32],
        Kind::F64 => &[NumberType::F64],
        Kind::Text | Kind::Bytes => &[NumberType::I32, NumberType::I32],
    }
}

fn value(kind: Kind, call: &HostCall<'_>, given: &[Number]) -> Result<Value, HostError> {
    Ok(match kind {
        Kind::I32 => Value::Number(i32::read(call, given)?.into()),
        Kind::U32 => Value::Number(u32::read(call, given)?.into()),
        Kind::I64 => Value::Integer(i64::read(call, given)?.into()),
        Kind::U64 => Value::Integer(u64::read(call, given)?.into()),
        Kind::F32 => Value::Number(f32::read(call, given)?.into()),
        Kind::F64 => Value::Number(f64::read(call, given)?),
        Kind::Bool => Value::Bool(bool::read(call, given)?),
        Kind::Text => Value::Text(String::read(call, given)?),
        Kind::Bytes => Value::Bytes(Vec::read(call, given)?),
        Kind::Block => Value::Bytes(call.block(i64::read(call, given)?)?.to_vec()),
    })
}

fn told(value: &Value) -> String {
    match value {
        Value::Bool(is) => is.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Text(_) => "a text".to_owned(),
        Value::Bytes(_) => "bytes".to_owned(),
    }
}
