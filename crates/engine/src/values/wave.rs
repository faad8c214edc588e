//! WAVE: reading through wasm-wave's parser, and writing.
//!
//! wasm-wave parses (it bounds depth itself) and this file converts, since wasm-wave's conversion lacks maps and
//! fixed-length lists, checks every level again at each level above it, and its writer panics on what it does not know.

use super::{
    ValueErrorKind, WAVE_BYTES_MAX,
    error::{Mismatch, excerpt},
    read::{Form, Width},
    text::{Bounded, Unwritable},
};
use std::{borrow::Cow, fmt::Write};
use wasmtime::component::{
    Type, Val,
    wasm_wave::{
        ast::{Node, NodeType},
        lex::Keyword,
        parser::ParserErrorKind,
        untyped::UntypedValue,
    },
};

/// Parses WAVE, without a type.
pub(super) fn parse(text: &str) -> Result<UntypedValue<'_>, Mismatch> {
    if text.len() > WAVE_BYTES_MAX {
        let expected = format!("at most {WAVE_BYTES_MAX} bytes of WAVE");
        return Err(Mismatch::new(ValueErrorKind::TooLarge, expected, "more"));
    }
    UntypedValue::parse(text).map_err(|error| {
        let kind = match error.kind() {
            ParserErrorKind::NestingTooDeep => ValueErrorKind::TooLarge,
            _ => ValueErrorKind::Syntax,
        };
        let found = format!("{} ({} at byte {})", excerpt(text), error.kind(), error.span().start);
        Mismatch::new(kind, "a value in WAVE or JSON", found)
    })
}

/// A value in WAVE.
#[derive(Clone, Copy)]
pub(super) struct Wave<'a> {
    node: &'a Node,
    text: &'a str,
}

impl<'a> Wave<'a> {
    pub(super) fn of(value: &'a UntypedValue<'_>) -> Wave<'a> {
        Wave { node: value.node(), text: value.source() }
    }

    fn inner(self, node: &'a Node) -> Wave<'a> {
        Wave { node, text: self.text }
    }
}

impl<'a> Form<'a> for Wave<'a> {
    fn boolean(self) -> Option<bool> {
        self.node.as_bool().ok()
    }

    fn integer(self, _: Width) -> Option<i128> {
        self.node.as_number(self.text).ok()
    }

    fn float(self) -> Option<f64> {
        self.node.as_number(self.text).ok()
    }

    fn character(self) -> Option<char> {
        // Checked here too: `as_char` reads any node's text as if it were quoted.
        (self.node.ty() == NodeType::Char).then(|| self.node.as_char(self.text).ok())?
    }

    fn string(self) -> Option<Cow<'a, str>> {
        self.node.as_str(self.text).ok()
    }

    fn base64(self) -> Option<&'a str> {
        None
    }

    fn elements(self) -> Option<impl ExactSizeIterator<Item = Self>> {
        Some(self.node.as_list().ok()?.map(move |node| self.inner(node)))
    }

    fn members(self) -> Option<impl ExactSizeIterator<Item = Self>> {
        Some(self.node.as_tuple().ok()?.map(move |node| self.inner(node)))
    }

    fn fields(self) -> Option<Vec<(&'a str, Self)>> {
        // `{}` is read as flags of which none is set.
        if self.node.as_flags(self.text).is_ok_and(|mut flags| flags.next().is_none()) {
            return Some(Vec::new());
        }
        Some(self.node.as_record(self.text).ok()?.map(|(name, node)| (name, self.inner(node))).collect())
    }

    fn case(self) -> Option<(&'a str, Option<Self>)> {
        let (name, payload) = self.node.as_variant(self.text).ok()?;
        Some((name, payload.map(|node| self.inner(node))))
    }

    fn flags(self) -> Option<Vec<&'a str>> {
        Some(self.node.as_flags(self.text).ok()?.map(|name| name.strip_prefix('%').unwrap_or(name)).collect())
    }

    fn option(self, payload: &Type) -> Option<Option<Self>> {
        match self.node.ty() {
            NodeType::OptionNone | NodeType::OptionSome => {
                Some(self.node.as_option().ok()?.map(|node| self.inner(node)))
            }
            _ => bare(payload).then_some(Some(self)),
        }
    }

    fn result(self, ok: Option<&Type>) -> Option<Result<Option<Self>, Option<Self>>> {
        match self.node.as_result() {
            Ok(Ok(held)) => Some(Ok(held.map(|node| self.inner(node)))),
            Ok(Err(held)) => Some(Err(held.map(|node| self.inner(node)))),
            Err(_) => ok.is_some_and(bare).then_some(Ok(Some(self))),
        }
    }

    fn is_nothing(self) -> bool {
        false
    }

    fn describe(self) -> String {
        excerpt(self.text.get(self.node.span()).unwrap_or(self.text))
    }
}

/// Tells whether a payload may stand without its `some(…)` or `ok(…)`, as WAVE has it.
fn bare(payload: &Type) -> bool {
    !matches!(payload, Type::Option(_) | Type::Result(_))
}

/// Writes a value as wasm-wave does, and a map as a list of pairs.
pub(super) fn write(out: &mut Bounded, value: &Val) -> Result<(), Unwritable> {
    match value {
        Val::Bool(value) => Ok(write!(out, "{value}")?),
        Val::S8(value) => Ok(write!(out, "{value}")?),
        Val::U8(value) => Ok(write!(out, "{value}")?),
        Val::S16(value) => Ok(write!(out, "{value}")?),
        Val::U16(value) => Ok(write!(out, "{value}")?),
        Val::S32(value) => Ok(write!(out, "{value}")?),
        Val::U32(value) => Ok(write!(out, "{value}")?),
        Val::S64(value) => Ok(write!(out, "{value}")?),
        Val::U64(value) => Ok(write!(out, "{value}")?),
        Val::Float32(value) if value.is_nan() => Ok(out.write_str("nan")?),
        Val::Float64(value) if value.is_nan() => Ok(out.write_str("nan")?),
        Val::Float32(value) => Ok(write!(out, "{value}")?),
        Val::Float64(value) => Ok(write!(out, "{value}")?),
        Val::Char(value) => {
            out.write_str("'")?;
            write_char(out, *value)?;
            Ok(out.write_str("'")?)
        }
        Val::String(value) => {
            out.write_str("\"")?;
            value.chars().try_for_each(|char| write_char(out, char))?;
            Ok(out.write_str("\"")?)
        }
        Val::List(values) | Val::FixedLengthList(values) => write_all(out, "[", values, "]"),
        Val::Tuple(values) => write_all(out, "(", values, ")"),
        Val::Map(entries) => {
            out.write_str("[")?;
            out.separated(", ", entries, |out, (key, value)| {
                out.write_str("(")?;
                write(out, key)?;
                out.write_str(", ")?;
                write(out, value)?;
                Ok(out.write_str(")")?)
            })?;
            Ok(out.write_str("]")?)
        }
        Val::Record(fields) => {
            let mut given = fields.iter().filter(|(_, value)| !matches!(value, Val::Option(None))).peekable();
            if given.peek().is_none() {
                return Ok(out.write_str("{:}")?);
            }
            out.write_str("{")?;
            out.separated(", ", given, |out, (name, value)| {
                write!(out, "{name}: ")?;
                write(out, value)
            })?;
            Ok(out.write_str("}")?)
        }
        Val::Variant(name, held) => write_case(out, escaped(name), name, held.as_deref()),
        Val::Enum(name) => write_case(out, escaped(name), name, None),
        Val::Option(None) => Ok(out.write_str("none")?),
        Val::Option(Some(held)) => write_case(out, "", "some", Some(held)),
        Val::Result(Ok(held)) => write_case(out, "", "ok", held.as_deref()),
        Val::Result(Err(held)) => write_case(out, "", "err", held.as_deref()),
        Val::Flags(names) => {
            out.write_str("{")?;
            out.separated(", ", names, |out, name| Ok(out.write_str(name)?))?;
            Ok(out.write_str("}")?)
        }
        Val::Resource(_) => Err(unsupported("a resource handle")),
        Val::Future(_) => Err(unsupported("a future")),
        Val::Stream(_) => Err(unsupported("a stream")),
        Val::ErrorContext(_) => Err(unsupported("an error-context")),
    }
}

fn unsupported(what: &str) -> Unwritable {
    Unwritable::Unsupported(what.to_owned())
}

fn escaped(name: &str) -> &'static str {
    if Keyword::decode(name).is_some() { "%" } else { "" }
}

fn write_case(out: &mut Bounded, escape: &str, name: &str, held: Option<&Val>) -> Result<(), Unwritable> {
    write!(out, "{escape}{name}")?;
    let Some(held) = held else { return Ok(()) };
    out.write_str("(")?;
    write(out, held)?;
    Ok(out.write_str(")")?)
}

fn write_all(out: &mut Bounded, open: &str, values: &[Val], close: &str) -> Result<(), Unwritable> {
    out.write_str(open)?;
    out.separated(", ", values, write)?;
    Ok(out.write_str(close)?)
}

fn write_char(out: &mut Bounded, char: char) -> Result<(), Unwritable> {
    match char {
        '\\' | '"' | '\'' | '\t' | '\r' | '\n' => Ok(write!(out, "{}", char.escape_default())?),
        _ if char.is_control() => Ok(write!(out, "{}", char.escape_unicode())?),
        _ => Ok(write!(out, "{}", char.escape_debug())?),
    }
}
