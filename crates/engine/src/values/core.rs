//! Arguments and results of a core module's function.
//!
//! A core function has only numbers. A list or a string goes into the guest's memory and takes two parameters, a
//! pointer and a length, as every language that compiles to core modules passes them. The type can't tell how wide an
//! element is, so a plain list is one of `i32`, and an object names another width. The alternative, a description of
//! the function beside it, is what components are for.

mod memory;

use super::{
    Given, Notation, ValueError, ValueErrorKind, WAVE_BYTES_MAX, base64,
    error::{Mismatch, excerpt},
    json,
    read::{Form, Width, counted, single},
    text::{Bounded, Unwritable},
    wave,
};
use serde_json::Value;
use std::fmt::{self, Write as _};
use wasmtime::{FuncType, V128, Val, ValType, component};

pub use memory::InMemory;

/// What a core function takes and gives.
#[derive(Clone, Debug)]
pub(crate) struct CoreSignature {
    name: String,
    params: Vec<ValType>,
    results: Vec<ValType>,
}

/// One argument of a core function.
#[derive(Clone, Debug)]
pub(crate) enum CoreArgument {
    /// Fills one parameter.
    Value(Val),
    /// Goes into memory and fills two `i32` parameters: where it begins, and how many elements it has.
    Bytes {
        /// What to place.
        bytes: Vec<u8>,
        /// What its address must be a multiple of: a power of two up to 8.
        align: usize,
        /// The second parameter: elements of a list, bytes of a string.
        elements: u32,
    },
}

impl CoreSignature {
    /// Reads the signature off a function's type; `name` is what messages call it.
    pub(crate) fn of(name: &str, ty: &FuncType) -> CoreSignature {
        CoreSignature { name: name.to_owned(), params: ty.params().collect(), results: ty.results().collect() }
    }

    /// How many results a call gives. It is the length of the slice that Wasmtime fills.
    pub(crate) fn results_len(&self) -> usize {
        self.results.len()
    }

    /// Plans the arguments of a call. What the plan places in memory, [`super::ArgumentSpace`] places.
    pub(crate) fn arguments(&self, given: Given<'_>) -> Result<Vec<CoreArgument>, ValueError> {
        match given {
            Given::Json(text) if text.trim_ascii().is_empty() => self.plan(&[]),
            Given::Json(text) => match json::parse(text).map_err(|error| self.error(error))? {
                Value::Array(array) => self.plan(&array),
                value => {
                    let found = (&value).describe();
                    Err(self.error(Mismatch::new(ValueErrorKind::Mismatch, "an array of arguments", found)))
                }
            },
            Given::Wave(texts) => {
                if texts.iter().map(String::len).sum::<usize>() > WAVE_BYTES_MAX {
                    let expected = format!("at most {WAVE_BYTES_MAX} bytes together");
                    return Err(self.error(Mismatch::new(ValueErrorKind::TooLarge, expected, "more")));
                }
                let values = texts.iter().map(|text| word(text)).collect::<Result<Vec<_>, _>>();
                self.plan(&values.map_err(|error| self.error(error))?)
            }
        }
    }

    /// Writes the results of a call: nothing, one number, or several as an array (a tuple in WAVE). A text longer than
    /// `bytes_max` is an error of kind [`ValueErrorKind::TooLarge`].
    pub(crate) fn result_text(&self, results: &[Val], to: Notation, bytes_max: usize) -> Result<String, ValueError> {
        let mut out = Bounded::new(bytes_max);
        write_results(&mut out, results, to)
            .map_err(|error| error.of(format!("the result of `{}`", self.name), bytes_max))?;
        Ok(out.finish())
    }

    fn plan(&self, values: &[Value]) -> Result<Vec<CoreArgument>, ValueError> {
        let mut params = self.params.as_slice();
        let mut plan = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            let Some((param, rest)) = params.split_first() else { return Err(self.count_error(values.len())) };
            let planned = match placed(value, param) {
                Some(bytes) => match rest.split_first() {
                    Some((ValType::I32, rest)) if matches!(param, ValType::I32) => {
                        params = rest;
                        bytes
                    }
                    _ => {
                        let expected = "`i32, i32`, a pointer and a length, for a list or string";
                        let found = format!("{} for `{}`", value.describe(), types(params));
                        Err(Mismatch::new(ValueErrorKind::Mismatch, expected, found))
                    }
                },
                None => {
                    params = rest;
                    number(value, param).map(CoreArgument::Value)
                }
            };
            let hint = || format!("the function is `{self}`; a list or string takes two `i32`, a pointer and a length");
            let what = format!("argument {} of `{}`", index + 1, self.name);
            plan.push(planned.map_err(|error| error.of(&what, Some(hint())))?);
        }
        if params.is_empty() { Ok(plan) } else { Err(self.count_error(values.len())) }
    }

    fn count_error(&self, found: usize) -> ValueError {
        let pairs = self.params.iter().filter(|ty| matches!(ty, ValType::I32)).count() >= 2;
        let hint = pairs.then(|| "a list or string takes two `i32`, a pointer and a length: `[[1, 2, 3]]`".to_owned());
        ValueError {
            kind: ValueErrorKind::Count,
            what: format!("arguments of `{self}`"),
            expected: format!("values for {}", counted(self.params.len(), "parameter")),
            found: counted(found, "argument"),
            hint,
        }
    }

    fn error(&self, error: Mismatch) -> ValueError {
        error.of(&format!("arguments of `{}`", self.name), None)
    }
}

impl fmt::Display for CoreSignature {
    /// Writes it as `average(i32, i32) -> i32`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, types(&self.params))?;
        match self.results.as_slice() {
            [] => Ok(()),
            [one] => write!(f, " -> {one}"),
            several => write!(f, " -> ({})", types(several)),
        }
    }
}

fn types(types: &[ValType]) -> String {
    types.iter().map(ValType::to_string).collect::<Vec<_>>().join(", ")
}

/// Reads one word of a command line: JSON where it is JSON, a hexadecimal number, else a string.
fn word(text: &str) -> Result<Value, Mismatch> {
    if let Some(number) = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
        return Ok(Value::from(number));
    }
    match json::parse(text.as_bytes()) {
        Ok(value @ (Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_))) => Ok(value),
        Err(error) if error.kind == ValueErrorKind::TooLarge || text.trim_start().starts_with(['[', '{', '"']) => {
            Err(error)
        }
        Ok(Value::Null | Value::Bool(_)) | Err(_) => Ok(Value::String(text.to_owned())),
    }
}

/// Reads a number of a core type.
fn number(from: &Value, ty: &ValType) -> Result<Val, Mismatch> {
    let value = match ty {
        ValType::I32 => integer(from).and_then(low32).map(Val::I32),
        ValType::I64 => integer(from).and_then(low64).map(Val::I64),
        ValType::F32 => from.float().and_then(single).map(Val::from),
        ValType::F64 => from.float().map(Val::from),
        ValType::V128 => v128(from).map(|bits| Val::V128(V128::from(bits))),
        ValType::Ref(_) => {
            let found = format!("a parameter of type `{ty}`, which lives only inside a sandbox");
            return Err(Mismatch::new(ValueErrorKind::Unsupported, "a number", found));
        }
    };
    let expected = match ty {
        ValType::I32 => "`i32`, from -2147483648 to 4294967295",
        ValType::I64 => "`i64`, from -9223372036854775808 to 18446744073709551615",
        ValType::V128 => "`v128`, as a string of `0x` and up to 32 hexadecimal digits",
        ValType::F32 => "`f32`",
        ValType::F64 | ValType::Ref(_) => "`f64`",
    };
    value.ok_or_else(|| Mismatch::new(ValueErrorKind::Mismatch, expected, from.describe()))
}

fn integer(from: &Value) -> Option<i128> {
    from.integer(Width::Of64)
}

/// Takes the low 32 bits of a number that fits a signed or an unsigned integer of that width.
fn low32(number: i128) -> Option<i32> {
    i32::try_from(number).ok().or_else(|| u32::try_from(number).ok().map(u32::cast_signed))
}

fn low64(number: i128) -> Option<i64> {
    i64::try_from(number).ok().or_else(|| u64::try_from(number).ok().map(u64::cast_signed))
}

fn v128(from: &Value) -> Option<u128> {
    let hexadecimal = || u128::from_str_radix(from.as_str()?.strip_prefix("0x")?, 16).ok();
    from.as_u64().map(u128::from).or_else(hexadecimal)
}

/// Plans an argument that goes into memory; `None` where it is a number. A string is one where its parameter is wider
/// than an `i32` or a float, since that is how JSON writes such numbers.
fn placed(from: &Value, param: &ValType) -> Option<Result<CoreArgument, Mismatch>> {
    match from {
        Value::Array(elements) => Some(list(elements, "i32")),
        Value::Object(_) => Some(tagged(from)),
        Value::String(text) if matches!(param, ValType::I32) => Some(bytes(text.clone().into_bytes(), 1, text.len())),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => None,
    }
}

/// Reads `{"utf8": …}`, `{"base64": …}`, or a list under the type of its elements.
fn tagged(from: &Value) -> Result<CoreArgument, Mismatch> {
    let wrong = |from: &Value, expected: &str| Mismatch::new(ValueErrorKind::Mismatch, expected, from.describe());
    match from.case() {
        Some(("utf8", Some(Value::String(text)))) => bytes(text.clone().into_bytes(), 1, text.len()),
        Some(("base64", Some(Value::String(text)))) => {
            let decoded = base64::decode(text);
            let decoded = decoded.ok_or_else(|| Mismatch::new(ValueErrorKind::Mismatch, "base64", excerpt(text)))?;
            let length = decoded.len();
            bytes(decoded, 1, length)
        }
        Some((element, Some(Value::Array(elements)))) => list(elements, element),
        _ => Err(wrong(from, "a list, a string, or one of them under `utf8`, `base64` or the type of its elements")),
    }
}

/// Lays out a list, little-endian.
fn list(elements: &[Value], element: &str) -> Result<CoreArgument, Mismatch> {
    let (width, bits): (usize, Bits) = match element {
        "u8" => (1, |value| Some(u8::try_from(integer(value)?).ok()?.into())),
        "i8" => (1, |value| Some(i8::try_from(integer(value)?).ok()?.cast_unsigned().into())),
        "u16" => (2, |value| Some(u16::try_from(integer(value)?).ok()?.into())),
        "i16" => (2, |value| Some(i16::try_from(integer(value)?).ok()?.cast_unsigned().into())),
        "u32" | "i32" => (4, |value| Some(low32(integer(value)?)?.cast_unsigned().into())),
        "u64" | "i64" => (8, |value| Some(low64(integer(value)?)?.cast_unsigned())),
        "f32" => (4, |value| Some(single(value.float()?)?.to_bits().into())),
        "f64" => (8, |value| Some(value.float()?.to_bits())),
        _ => {
            let expected = "`u8`, `i8`, `u16`, `i16`, `u32`, `i32`, `u64`, `i64`, `f32` or `f64` over a list";
            return Err(Mismatch::new(ValueErrorKind::Mismatch, expected, excerpt(element)));
        }
    };
    let mut out = Vec::with_capacity(elements.len() * width);
    for (index, value) in elements.iter().enumerate() {
        let wrong = || Mismatch::new(ValueErrorKind::Mismatch, format!("`{element}`"), value.describe());
        let bits = bits(value).ok_or_else(|| wrong().under(format_args!("[{index}]")))?;
        out.extend(bits.to_le_bytes().into_iter().take(width));
    }
    bytes(out, width, elements.len())
}

/// The bits of one element, in the low end; `None` where it does not fit.
type Bits = fn(&Value) -> Option<u64>;

fn bytes(bytes: Vec<u8>, align: usize, elements: usize) -> Result<CoreArgument, Mismatch> {
    match u32::try_from(elements) {
        Ok(elements) => Ok(CoreArgument::Bytes { bytes, align, elements }),
        Err(_) => Err(Mismatch::new(ValueErrorKind::TooLarge, "at most 4294967295 elements", elements.to_string())),
    }
}

fn write_results(out: &mut Bounded, results: &[Val], to: Notation) -> Result<(), Unwritable> {
    let (none, open, between, close) = match to {
        Notation::Json => ("null", "[", ",", "]"),
        Notation::Wave => ("", "(", ", ", ")"),
    };
    match results {
        [] => Ok(out.write_str(none)?),
        [one] => write_result(out, one, to),
        several => {
            out.write_str(open)?;
            out.separated(between, several, |out, result| write_result(out, result, to))?;
            Ok(out.write_str(close)?)
        }
    }
}

/// Writes one number; a `v128` as the string of `0x` and 32 digits that an argument takes.
fn write_result(out: &mut Bounded, result: &Val, to: Notation) -> Result<(), Unwritable> {
    let (value, ty) = match *result {
        Val::I32(number) => (component::Val::S32(number), component::Type::S32),
        Val::I64(number) => (component::Val::S64(number), component::Type::S64),
        Val::F32(bits) => (component::Val::Float32(f32::from_bits(bits)), component::Type::Float32),
        Val::F64(bits) => (component::Val::Float64(f64::from_bits(bits)), component::Type::Float64),
        Val::V128(bits) => (component::Val::String(format!("0x{:032x}", bits.as_u128())), component::Type::String),
        Val::FuncRef(_) | Val::ExternRef(_) | Val::AnyRef(_) | Val::ExnRef(_) | Val::ContRef(_) => {
            return Err(Unwritable::Unsupported("a reference, which lives only inside a sandbox".to_owned()));
        }
    };
    match to {
        Notation::Json => json::write(out, &value, &ty),
        Notation::Wave => wave::write(out, &value),
    }
}

#[cfg(test)]
mod tests;
