//! Functions of hosts in other languages, whose types are not known when this is compiled.
//!
//! To a component such a function takes and gives JSON. To a core module it takes values by a form such as
//! `(i32, text) -> i64`, or without one whatever numbers the guest's import says.

use sandbar_engine::{Function, HostCall, HostError, Number, NumberType, Signature};
use std::{fmt, str::FromStr};

/// A value that a core module gives to a function of the host, or gets from one.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// True or false: not zero or zero.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer that has no sign.
    Uint(u64),
    /// A float.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 32-bit integer.
    I32,
    /// 32-bit integer without a sign.
    U32,
    /// 64-bit integer.
    I64,
    /// 64-bit integer without a sign.
    U64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// A 32-bit integer that is zero or not.
    Bool,
    /// A pointer and a length of UTF-8. It can't be given back.
    Text,
    /// A pointer and a length of bytes. They can't be given back.
    Bytes,
    /// Bytes in a block of a plugin of Extism, by its offset.
    Block,
}

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

/// What a function takes and gives, as a core module sees it: `(i32, text) -> i64`, or `(f64)` where it gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    params: Vec<Kind>,
    result: Option<Kind>,
}

/// A form that can't be read.
#[derive(Debug)]
pub struct FormError(String);

/// What a guest calls a function with.
#[derive(Clone, Debug)]
pub enum Given<'a> {
    /// A core module, with these values.
    Values(Vec<Value>),
    /// A component, with a JSON array.
    Json(&'a str),
}

/// What a function gives.
#[derive(Clone, Debug)]
pub enum Gives {
    /// Nothing.
    Nothing,
    /// A value, to a core module.
    Value(Value),
    /// JSON, to a component.
    Json(String),
}

/// Makes a function that core modules and components can import.
pub fn function(
    form: Option<Form>,
    body: impl Fn(&mut HostCall<'_>, Given<'_>) -> Result<Gives, HostError> + Clone + Send + Sync + 'static,
) -> Function {
    let (signature, values) = (form.as_ref().map(Form::signature), body.clone());
    let numbers = move |call: &mut HostCall<'_>, params: &[Number], results: &mut [Number]| {
        let given = match &form {
            Some(form) => form.read(call, params)?,
            None => params.iter().map(|&number| number.into()).collect(),
        };
        let value = match body(call, Given::Values(given))? {
            Gives::Value(value) => Some(value),
            Gives::Nothing | Gives::Json(_) => None,
        };
        give(form.as_ref(), call, value, results)
    };
    let json = move |call: &mut HostCall<'_>, arguments: &str| match values(call, Given::Json(arguments))? {
        Gives::Json(json) => Ok(json),
        Gives::Nothing => Ok("null".to_owned()),
        Gives::Value(_) => Err(HostError::Failed("it gave a plain value, and its guest expects JSON".into())),
    };
    Function::default().numbers(signature, numbers).values(json)
}

/// Gives a core module what a function gave, by a form or by what its import says.
///
/// # Errors
/// The value is of another kind, or the import gives more than one.
pub fn give(
    form: Option<&Form>,
    call: &mut HostCall<'_>,
    value: Option<Value>,
    results: &mut [Number],
) -> Result<(), HostError> {
    match results {
        [] => Ok(()),
        [result] => {
            let kind = form.and_then(Form::result).unwrap_or_else(|| Kind::of(result.ty()));
            *result = kind.write(call, value)?;
            Ok(())
        }
        several => {
            Err(HostError::Failed(format!("it gives one value at most, and its guest expects {}", several.len())))
        }
    }
}

/// The signature is compared when a guest is linked, so this is never seen.
pub(crate) fn unlike() -> HostError {
    "the guest's arguments are of other types".into()
}

impl Form {
    /// What it gives.
    pub fn result(&self) -> Option<Kind> {
        self.result
    }

    /// The types of what it takes.
    pub fn params(&self) -> &[Kind] {
        &self.params
    }

    /// The numbers that it takes and gives.
    pub fn signature(&self) -> Signature {
        let params = self.params.iter().flat_map(|kind| kind.numbers()).copied().collect();
        Signature { params, results: self.result.iter().flat_map(|kind| kind.numbers()).copied().collect() }
    }

    /// Reads what a guest gives.
    ///
    /// # Errors
    /// It lies outside of the guest's memory or is no UTF-8, or a limit is used up.
    pub fn read(&self, call: &HostCall<'_>, mut numbers: &[Number]) -> Result<Vec<Value>, HostError> {
        let mut values = Vec::with_capacity(self.params.len());
        for kind in &self.params {
            let (those, rest) = numbers.split_at_checked(kind.numbers().len()).ok_or_else(unlike)?;
            values.push(kind.read(call, those)?);
            numbers = rest;
        }
        Ok(values)
    }

    /// Makes the numbers that a guest gets, where they need nothing of it: all but a block.
    ///
    /// # Errors
    /// The value is not what the form says.
    pub fn numbers(&self, value: Option<Value>) -> Result<Vec<Number>, HostError> {
        Ok(self.result.map(|kind| kind.number(value)).transpose()?.into_iter().collect())
    }
}

impl FromStr for Form {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Form, FormError> {
        let wrong =
            || FormError(format!("expected a form such as `(i32, text) -> i64`, found `{}`", text.escape_debug()));
        let (params, result) = text.trim().strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(wrong)?;
        let kind = |name: &str| {
            let found = KINDS.iter().find(|(known, _)| *known == name.trim()).map(|(_, kind)| *kind);
            found.ok_or_else(|| {
                let known = KINDS.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
                FormError(format!("unknown type `{}`; expected one of {known}", name.trim().escape_debug()))
            })
        };
        let params = match params.trim() {
            "" => Vec::new(),
            params => params.split(',').map(kind).collect::<Result<_, _>>()?,
        };
        let result = match result.trim() {
            "" => None,
            result => Some(kind(result.strip_prefix("->").ok_or_else(wrong)?)?),
        };
        match result {
            Some(kind @ (Kind::Text | Kind::Bytes)) => Err(FormError(format!(
                "a function can't give {kind} to a core module, which has no place for it; give a number, or a block to a \
                 plugin of Extism"
            ))),
            result => Ok(Form { params, result }),
        }
    }
}

impl Kind {
    /// The kind of a number that no form names.
    pub fn of(ty: NumberType) -> Kind {
        match ty {
            NumberType::I32 => Kind::I32,
            NumberType::I64 => Kind::I64,
            NumberType::F32 => Kind::F32,
            NumberType::F64 => Kind::F64,
        }
    }

    /// The numbers that it is.
    fn numbers(self) -> &'static [NumberType] {
        match self {
            Kind::I32 | Kind::U32 | Kind::Bool => &[NumberType::I32],
            Kind::I64 | Kind::U64 | Kind::Block => &[NumberType::I64],
            Kind::F32 => &[NumberType::F32],
            Kind::F64 => &[NumberType::F64],
            Kind::Text | Kind::Bytes => &[NumberType::I32, NumberType::I32],
        }
    }

    fn read(self, call: &HostCall<'_>, numbers: &[Number]) -> Result<Value, HostError> {
        Ok(match (self, numbers) {
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
            _ => return Err(unlike()),
        })
    }

    /// Gives a value to a guest as the number that it is; a block is made for bytes and texts.
    ///
    /// # Errors
    /// It is of another kind, or a limit is used up.
    pub fn write(self, call: &mut HostCall<'_>, value: Option<Value>) -> Result<Number, HostError> {
        match (self, &value) {
            (Kind::Block, Some(Value::Text(text))) => Ok(Number::I64(call.new_block(text.as_bytes())?)),
            (Kind::Block, Some(Value::Bytes(bytes))) => Ok(Number::I64(call.new_block(bytes)?)),
            _ => self.number(value),
        }
    }

    /// A value as the number that it is to a guest. Only [`Kind::write`] makes blocks.
    ///
    /// # Errors
    /// It is of another kind.
    pub fn number(self, value: Option<Value>) -> Result<Number, HostError> {
        let Some(value) = value else {
            return Err(HostError::Failed(format!("it gave nothing, and its guest expects {self}")));
        };
        let unlike = |value: &Value| HostError::Failed(format!("it gave {value}, and its guest expects {self}"));
        let integer = |least: i128, most: i128| {
            let number = match value {
                Value::Bool(is) => i128::from(is),
                Value::Int(number) => number.into(),
                Value::Uint(number) => number.into(),
                #[allow(clippy::cast_possible_truncation, reason = "a float beyond it stays beyond the bounds")]
                Value::Float(number) if number.fract() == 0.0 => number as i128,
                _ => return Err(unlike(&value)),
            };
            if (least..=most).contains(&number) { Ok(number) } else { Err(unlike(&value)) }
        };
        #[allow(clippy::cast_precision_loss, reason = "that is what a float is")]
        let float = || match value {
            Value::Int(number) => Ok(number as f64),
            Value::Uint(number) => Ok(number as f64),
            Value::Float(number) => Ok(number),
            _ => Err(unlike(&value)),
        };
        #[allow(
            clippy::cast_possible_truncation,
            reason = "an integer is within its bounds, a float loses what it has to"
        )]
        Ok(match self {
            // Either sign: a guest's i32 has none.
            Kind::I32 | Kind::U32 => Number::I32(integer(i32::MIN.into(), u32::MAX.into())? as i32),
            Kind::I64 | Kind::U64 => Number::I64(integer(i64::MIN.into(), u64::MAX.into())? as i64),
            Kind::Bool => Number::I32((integer(i32::MIN.into(), u32::MAX.into())? != 0).into()),
            Kind::F32 => Number::F32(float()? as f32),
            Kind::F64 => Number::F64(float()?),
            Kind::Text | Kind::Bytes | Kind::Block => return Err(unlike(&value)),
        })
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Value {
        match number {
            Number::I32(number) => Value::Int(number.into()),
            Number::I64(number) => Value::Int(number),
            Number::F32(number) => Value::Float(number.into()),
            Number::F64(number) => Value::Float(number),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(is) => write!(f, "{is}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Uint(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number}"),
            Value::Text(_) => f.write_str("a text"),
            Value::Bytes(_) => f.write_str("bytes"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, _) = KINDS.iter().find(|(_, kind)| kind == self).ok_or(fmt::Error)?;
        write!(f, "`{name}`")
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FormError {}
