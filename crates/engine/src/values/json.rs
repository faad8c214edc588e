//! JSON: reading within bounds, and writing.

mod bounds;

use super::{
    DEPTH_MAX, JSON_BYTES_MAX, VALUES_MAX, ValueErrorKind,
    error::{Mismatch, excerpt},
    read::{Form, Width, counted},
    text::{Bounded, Unwritable},
    wit::type_text,
};
use bounds::Bounds;
use serde_json::Value;
use std::{borrow::Cow, fmt::Write};
use wasmtime::component::{Type, Val};

/// The largest whole number that every reader of JSON keeps exact, 2^53 (RFC 8259, section 6). Beyond it an integer is
/// written as a string.
const EXACT_MAX: u64 = 1 << 53;

const BOUNDS: Bounds = Bounds { bytes: JSON_BYTES_MAX, depth: DEPTH_MAX, values: VALUES_MAX };

/// Parses JSON. Its length, depth and count of values are checked before anything is built.
pub(super) fn parse(text: &[u8]) -> Result<Value, Mismatch> {
    BOUNDS.check(text).map_err(|expected| Mismatch::new(ValueErrorKind::TooLarge, expected, "more"))?;
    serde_json::from_slice(text).map_err(|error| {
        let found = format!("{} ({error})", excerpt(&String::from_utf8_lossy(text.get(..256).unwrap_or(text))));
        Mismatch::new(ValueErrorKind::Syntax, "JSON", found)
    })
}

impl<'a> Form<'a> for &'a Value {
    fn boolean(self) -> Option<bool> {
        self.as_bool()
    }

    fn integer(self, width: Width) -> Option<i128> {
        match self {
            Value::String(text) if width == Width::Of64 => text.parse().ok(),
            Value::Number(number) => {
                number.as_i64().map(i128::from).or(number.as_u64().map(i128::from)).or_else(|| {
                    // Some writers have only one kind of number: `20.0` is 20.
                    let float = number.as_f64()?;
                    (float.fract() == 0.0 && float.abs() <= EXACT_MAX as f64).then_some(float as i128)
                })
            }
            _ => None,
        }
    }

    fn float(self) -> Option<f64> {
        match self {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => match text.as_str() {
                "NaN" | "nan" => Some(f64::NAN),
                "Infinity" | "inf" => Some(f64::INFINITY),
                "-Infinity" | "-inf" => Some(f64::NEG_INFINITY),
                _ => None,
            },
            _ => None,
        }
    }

    fn character(self) -> Option<char> {
        let mut chars = self.as_str()?.chars();
        chars.next().filter(|_| chars.next().is_none())
    }

    fn string(self) -> Option<Cow<'a, str>> {
        self.as_str().map(Cow::Borrowed)
    }

    fn base64(self) -> Option<&'a str> {
        match self.case()? {
            ("base64", Some(text)) => text.as_str(),
            _ => None,
        }
    }

    fn elements(self) -> Option<impl ExactSizeIterator<Item = Self>> {
        self.as_array().map(|array| array.iter())
    }

    fn members(self) -> Option<impl ExactSizeIterator<Item = Self>> {
        self.elements()
    }

    fn fields(self) -> Option<Vec<(&'a str, Self)>> {
        self.as_object().map(|object| object.iter().map(|(name, value)| (name.as_str(), value)).collect())
    }

    fn case(self) -> Option<(&'a str, Option<Self>)> {
        match self {
            Value::String(name) => Some((name, None)),
            Value::Object(object) if object.len() == 1 => {
                object.iter().next().map(|(name, payload)| (name.as_str(), Some(payload)))
            }
            _ => None,
        }
    }

    fn flags(self) -> Option<Vec<&'a str>> {
        self.as_array()?.iter().map(Value::as_str).collect()
    }

    fn option(self, payload: &Type) -> Option<Option<Self>> {
        match (self, payload) {
            (Value::Null, _) => Some(None),
            // `null` would say none for either option, so the outer one names itself.
            (_, Type::Option(_)) => match self.case()? {
                ("some", Some(held)) => Some(Some(held)),
                _ => None,
            },
            _ => Some(Some(self)),
        }
    }

    fn result(self, _: Option<&Type>) -> Option<Result<Option<Self>, Option<Self>>> {
        match self.case()? {
            ("ok", held) => Some(Ok(held)),
            ("err", held) => Some(Err(held)),
            _ => None,
        }
    }

    fn is_nothing(self) -> bool {
        self.is_null()
    }

    fn describe(self) -> String {
        match self {
            Value::Null => "`null`".to_owned(),
            Value::Bool(_) | Value::Number(_) => format!("`{self}`"),
            Value::String(text) => format!("the string {}", excerpt(text)),
            Value::Array(array) => format!("an array of {}", counted(array.len(), "element")),
            Value::Object(object) => format!("an object of {}", counted(object.len(), "key")),
        }
    }
}

/// Writes a value of a type. The type decides where a value alone would be ambiguous: an empty map.
pub(super) fn write(out: &mut Bounded, value: &Val, ty: &Type) -> Result<(), Unwritable> {
    match (value, ty) {
        (Val::Bool(value), _) => Ok(write!(out, "{value}")?),
        (Val::S8(value), _) => Ok(write!(out, "{value}")?),
        (Val::U8(value), _) => Ok(write!(out, "{value}")?),
        (Val::S16(value), _) => Ok(write!(out, "{value}")?),
        (Val::U16(value), _) => Ok(write!(out, "{value}")?),
        (Val::S32(value), _) => Ok(write!(out, "{value}")?),
        (Val::U32(value), _) => Ok(write!(out, "{value}")?),
        (Val::S64(value), _) => write_wide(out, i128::from(*value)),
        (Val::U64(value), _) => write_wide(out, i128::from(*value)),
        (Val::Float32(value), _) if value.is_finite() => Ok(write!(out, "{value:?}")?),
        (Val::Float32(value), _) => write_unfinite(out, f64::from(*value)),
        (Val::Float64(value), _) => write_float(out, *value),
        (Val::Char(value), _) => write_string(out, value.encode_utf8(&mut [0; 4])),
        (Val::String(value), _) => write_string(out, value),
        (Val::List(values), Type::List(list)) => write_array(out, values, &list.ty()),
        (Val::FixedLengthList(values), Type::FixedLengthList(list)) => write_array(out, values, &list.ty()),
        (Val::Tuple(values), Type::Tuple(tuple)) => {
            out.write_str("[")?;
            out.separated(",", values.iter().zip(tuple.types()), |out, (value, ty)| write(out, value, &ty))?;
            Ok(out.write_str("]")?)
        }
        (Val::Map(entries), Type::Map(map)) => write_map(out, entries, &map.key(), &map.value()),
        (Val::Record(fields), Type::Record(record)) => {
            out.write_str("{")?;
            out.separated(",", fields.iter().zip(record.fields()), |out, ((name, value), field)| {
                write_string(out, name)?;
                out.write_str(":")?;
                write(out, value, &field.ty)
            })?;
            Ok(out.write_str("}")?)
        }
        (Val::Variant(name, None), _) | (Val::Enum(name), _) => write_string(out, name),
        (Val::Variant(name, Some(held)), Type::Variant(variant)) => {
            let case = variant.cases().find(|case| case.name == name).and_then(|case| case.ty);
            write_case(out, name, Some(held), case)
        }
        (Val::Option(None), _) => Ok(out.write_str("null")?),
        (Val::Option(Some(held)), Type::Option(option)) => match option.ty() {
            nested @ Type::Option(_) => write_case(out, "some", Some(held), Some(nested)),
            ty => write(out, held, &ty),
        },
        (Val::Result(Ok(held)), Type::Result(result)) => write_case(out, "ok", held.as_deref(), result.ok()),
        (Val::Result(Err(held)), Type::Result(result)) => write_case(out, "err", held.as_deref(), result.err()),
        (Val::Flags(names), _) => {
            out.write_str("[")?;
            out.separated(",", names, |out, name| write_string(out, name))?;
            Ok(out.write_str("]")?)
        }
        (Val::Resource(resource), _) => match out.hold(*resource)? {
            Some(handle) => Ok(write!(out, "{{\"handle\":{handle}}}")?),
            None => Err(Unwritable::Unsupported(format!("a `{}`, which lives only inside a sandbox", type_text(ty)))),
        },
        // Futures, streams; and pairs that Wasmtime never gives.
        _ => Err(Unwritable::Unsupported(format!("a `{}`", type_text(ty)))),
    }
}

/// Writes an integer as a number where every reader keeps it exact, else as a string.
pub(super) fn write_wide(out: &mut Bounded, value: i128) -> Result<(), Unwritable> {
    match value.unsigned_abs() <= u128::from(EXACT_MAX) {
        true => Ok(write!(out, "{value}")?),
        false => Ok(write!(out, "\"{value}\"")?),
    }
}

/// Writes a float; the three that JSON lacks as strings that JavaScript's `Number` and Python's `float` accept.
pub(super) fn write_float(out: &mut Bounded, value: f64) -> Result<(), Unwritable> {
    if value.is_finite() { Ok(write!(out, "{value:?}")?) } else { write_unfinite(out, value) }
}

fn write_unfinite(out: &mut Bounded, value: f64) -> Result<(), Unwritable> {
    Ok(out.write_str(match value {
        f64::INFINITY => "\"Infinity\"",
        f64::NEG_INFINITY => "\"-Infinity\"",
        _ => "\"NaN\"",
    })?)
}

pub(super) fn write_string(out: &mut Bounded, text: &str) -> Result<(), Unwritable> {
    out.write_str("\"")?;
    for part in text.split_inclusive(|char| matches!(char, '"' | '\\' | '\0'..='\x1f' | '\x7f')) {
        let plain = part.trim_end_matches(|char| matches!(char, '"' | '\\' | '\0'..='\x1f' | '\x7f'));
        out.write_str(plain)?;
        match part.get(plain.len()..).and_then(|rest| rest.chars().next()) {
            None => {}
            Some(char @ ('"' | '\\')) => write!(out, "\\{char}")?,
            Some('\n') => out.write_str("\\n")?,
            Some('\r') => out.write_str("\\r")?,
            Some('\t') => out.write_str("\\t")?,
            Some(control) => write!(out, "\\u{:04x}", u32::from(control))?,
        }
    }
    Ok(out.write_str("\"")?)
}

fn write_array(out: &mut Bounded, values: &[Val], ty: &Type) -> Result<(), Unwritable> {
    out.write_str("[")?;
    out.separated(",", values, |out, value| write(out, value, ty))?;
    Ok(out.write_str("]")?)
}

fn write_map(out: &mut Bounded, entries: &[(Val, Val)], key_type: &Type, value_type: &Type) -> Result<(), Unwritable> {
    let named = matches!(key_type, Type::String);
    out.write_str(if named { "{" } else { "[" })?;
    out.separated(",", entries, |out, (key, value)| {
        out.write_str(if named { "" } else { "[" })?;
        write(out, key, key_type)?;
        out.write_str(if named { ":" } else { "," })?;
        write(out, value, value_type)?;
        Ok(out.write_str(if named { "" } else { "]" })?)
    })?;
    Ok(out.write_str(if named { "}" } else { "]" })?)
}

fn write_case(out: &mut Bounded, name: &str, held: Option<&Val>, ty: Option<Type>) -> Result<(), Unwritable> {
    out.write_str("{")?;
    write_string(out, name)?;
    out.write_str(":")?;
    match (held, ty) {
        (Some(held), Some(ty)) => write(out, held, &ty)?,
        _ => out.write_str("null")?,
    }
    Ok(out.write_str("}")?)
}
