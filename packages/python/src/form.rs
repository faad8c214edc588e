//! What a function of the host takes and gives as a core module sees it, read before the guest waits and written after.

use sandbar_embed::{
    HostCall, HostError, Number, NumberType, Signature,
    dynamic::{self, FormError, Kind, Value},
};
use std::str::FromStr;

/// A form in the notation of [`dynamic::Form`].
#[derive(Clone, Debug)]
pub(crate) struct Form {
    params: Vec<Kind>,
    pub(crate) result: Option<Kind>,
}

impl FromStr for Form {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Form, FormError> {
        // It says what is wrong; from here on nothing is.
        dynamic::Form::from_str(text)?;
        let (params, result) = text.split_once(')').unwrap_or((text, ""));
        let result = kind(result.trim().trim_start_matches("->"));
        Ok(Form { params: params.trim_start().trim_start_matches('(').split(',').filter_map(kind).collect(), result })
    }
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name.trim() {
        "i32" => Kind::I32,
        "u32" => Kind::U32,
        "i64" => Kind::I64,
        "u64" => Kind::U64,
        "f32" => Kind::F32,
        "f64" => Kind::F64,
        "bool" => Kind::Bool,
        "text" => Kind::Text,
        "bytes" => Kind::Bytes,
        "block" => Kind::Block,
        _ => return None,
    })
}

impl Form {
    pub(crate) fn signature(&self) -> Signature {
        let params = self.params.iter().flat_map(|kind| numbers(*kind)).copied().collect();
        Signature { params, results: self.result.iter().flat_map(|kind| numbers(*kind)).copied().collect() }
    }

    /// Reads what the guest gives.
    ///
    /// # Errors
    /// It lies outside of its memory or is no UTF-8, or a limit is used up.
    pub(crate) fn read(&self, call: &HostCall<'_>, mut given: &[Number]) -> Result<Vec<Value>, HostError> {
        let mut values = Vec::with_capacity(self.params.len());
        for kind in &self.params {
            let (those, rest) =
                given.split_at_checked(numbers(*kind).len()).ok_or("the guest gives too few numbers")?;
            values.push(read(*kind, call, those)?);
            given = rest;
        }
        Ok(values)
    }

    /// Writes what the guest gets.
    ///
    /// # Errors
    /// It is not what the form says.
    pub(crate) fn write(&self, value: Option<&Value>) -> Result<Vec<Number>, HostError> {
        match (self.result, value) {
            (None, _) => Ok(Vec::new()),
            (Some(kind), Some(value)) => Ok(vec![write(kind, value)?]),
            (Some(kind), None) => Err(HostError::Failed(format!("it gave nothing, and its guest expects {kind}"))),
        }
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

fn read(kind: Kind, call: &HostCall<'_>, numbers: &[Number]) -> Result<Value, HostError> {
    Ok(match (kind, numbers) {
        (Kind::U32, [Number::I32(number)]) => Value::Uint(number.cast_unsigned().into()),
        (Kind::U64, [Number::I64(number)]) => Value::Uint(number.cast_unsigned()),
        (Kind::Bool, [Number::I32(number)]) => Value::Bool(*number != 0),
        (Kind::Block, [Number::I64(offset)]) => Value::Bytes(call.block(*offset)?.to_vec()),
        (Kind::Text, [Number::I32(pointer), Number::I32(length)]) => {
            Value::Text(call.read_text(pointer.cast_unsigned(), length.cast_unsigned())?.to_owned())
        }
        (Kind::Bytes, [Number::I32(pointer), Number::I32(length)]) => {
            Value::Bytes(call.read(pointer.cast_unsigned(), length.cast_unsigned())?.to_vec())
        }
        (_, [number]) => (*number).into(),
        _ => return Err("the guest's numbers are of other types".into()),
    })
}

fn write(kind: Kind, value: &Value) -> Result<Number, HostError> {
    let unlike = || HostError::Failed(format!("it gave {value}, and its guest expects {kind}"));
    let integer = || match *value {
        Value::Bool(is) => Ok(i128::from(is)),
        Value::Int(number) => Ok(number.into()),
        Value::Uint(number) => Ok(number.into()),
        Value::Float(_) | Value::Text(_) | Value::Bytes(_) => Err(unlike()),
    };
    // Either sign: a guest's integers have none.
    let narrow = |number: i128| i32::try_from(number).or_else(|_| u32::try_from(number).map(u32::cast_signed));
    let wide = |number: i128| i64::try_from(number).or_else(|_| u64::try_from(number).map(u64::cast_signed));
    #[allow(clippy::cast_precision_loss, reason = "that is what a float is")]
    let float = || match *value {
        Value::Float(number) => Ok(number),
        Value::Int(number) => Ok(number as f64),
        Value::Uint(number) => Ok(number as f64),
        Value::Bool(_) | Value::Text(_) | Value::Bytes(_) => Err(unlike()),
    };
    Ok(match kind {
        Kind::I32 | Kind::U32 => Number::I32(narrow(integer()?).map_err(|_| unlike())?),
        Kind::I64 | Kind::U64 => Number::I64(wide(integer()?).map_err(|_| unlike())?),
        Kind::Bool => Number::I32((integer()? != 0).into()),
        #[allow(clippy::cast_possible_truncation, reason = "a float loses what it has to")]
        Kind::F32 => Number::F32(float()? as f32),
        Kind::F64 => Number::F64(float()?),
        Kind::Text | Kind::Bytes | Kind::Block => return Err(unlike()),
    })
}
