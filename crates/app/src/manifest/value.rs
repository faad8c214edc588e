//! How values are written, in a manifest and on the command line alike.
//!
//! Each [`Form`] is one syntax: what it accepts, how it is described in an error, in the reference and in the schema.
//! Durations carry a unit, always: `wall = 2` could mean anything, so it is refused with the line to type. Sizes may go
//! without, a plain number is bytes. Whole numbers only: `1.5GiB` is `1536MiB`.

use super::{
    Spanned,
    error::Problem,
    sandbox::{self, Sandbox},
};
use sandbar_call::{Digest, Resource, Unit};
use std::{fmt, net::SocketAddr, time::Duration};
use toml::de::DeValue;

/// One syntax of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Any text.
    Text,
    /// The path of a file or folder, relative to the manifest's folder.
    Path,
    /// `IP:PORT`.
    Address,
    /// `IP:PORT`, or `off`.
    AddressOrOff,
    /// A number with a unit, zero allowed.
    Duration,
    /// A number with a unit, more than zero.
    Timeout,
    /// A number of bytes, with or without a unit.
    Bytes,
    /// A whole number.
    Count,
    /// A whole number from one.
    CountFromOne,
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `sha256:` and 64 hexadecimal digits.
    Digest,
    /// See [`Sandbox`].
    Sandbox,
    /// A list of texts.
    Texts,
    /// The bound of a resource, or `none`.
    Limit(Unit),
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Address(SocketAddr),
    Off,
    Duration(Duration),
    Number(u64),
    Switch(bool),
    Digest(Digest),
    Sandbox(Sandbox),
    Texts(Vec<Spanned<String>>),
}

/// A value that does not fit its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// What would fit.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// What is wrong with a TOML value: all of it, or one part.
pub(crate) enum Misread {
    Whole(ValueError),
    Part(Problem),
}

impl From<ValueError> for Misread {
    fn from(error: ValueError) -> Misread {
        Misread::Whole(error)
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for ValueError {}

/// Reads a duration: `500ms`, `2s`, `1m`, `1h`; `us` and `ns` for the short ones.
///
/// # Errors
/// For any other text.
pub fn duration(text: &str) -> Result<Duration, ValueError> {
    Unit::Nanoseconds.read(text).map(Duration::from_nanos).ok_or_else(|| mismatch(Form::Duration, text))
}

/// Reads a size in bytes: `64KiB`, `64MiB`, `1GiB`, `64KB`, `4096`.
///
/// # Errors
/// For any other text.
pub fn bytes(text: &str) -> Result<u64, ValueError> {
    Unit::Bytes.read(text).ok_or_else(|| mismatch(Form::Bytes, text))
}

/// Reads a whole number; `_` may part its digits.
///
/// # Errors
/// For any other text.
pub fn count(text: &str) -> Result<u64, ValueError> {
    Unit::Count.read(text).ok_or_else(|| mismatch(Form::Count, text))
}

/// Reads the bound of a resource, in the resource's unit; `none` is `u64::MAX`, which bounds nothing.
///
/// # Errors
/// For a text that does not fit the unit.
pub fn limit(resource: Resource, text: &str) -> Result<u64, ValueError> {
    resource.unit().read_bound(text).ok_or_else(|| mismatch(Form::Limit(resource.unit()), text))
}

impl Form {
    /// What fits, as it reads after "expected".
    pub fn expected(self) -> String {
        match self {
            Form::Text => "a text".into(),
            Form::Path => "the path of a file or folder".into(),
            Form::Address => "an address such as `127.0.0.1:3000`".into(),
            Form::AddressOrOff => "an address such as `127.0.0.1:9000`, or `off`".into(),
            Form::Duration => "a duration such as `500ms`, `2s`, `1m` or `1h`".into(),
            Form::Timeout => "a duration of more than zero, such as `500ms`, `2s`, `1m` or `1h`".into(),
            Form::Bytes => "a size such as `64KiB`, `64MiB`, `1GiB` or a number of bytes".into(),
            Form::Count => "a whole number".into(),
            Form::CountFromOne => "a whole number from 1".into(),
            Form::Switch => "`true` or `false`".into(),
            Form::Choice(words) => one_of(words),
            Form::Digest => "`sha256:` and 64 hexadecimal digits".into(),
            Form::Sandbox => "`\"fresh\"`, `\"held\"` or `{ reuse = CALLS, idle = DURATION }`".into(),
            Form::Texts => "a list of texts".into(),
            Form::Limit(unit) => format!("{}, or `none`", form_of(unit).expected()),
        }
    }

    /// A value that fits, as TOML.
    pub fn example(self) -> &'static str {
        match self {
            Form::Text => "\"text\"",
            Form::Path => "\"guest.wasm\"",
            Form::Address => "\"127.0.0.1:3000\"",
            Form::AddressOrOff => "\"127.0.0.1:9000\"",
            Form::Duration | Form::Timeout => "\"2s\"",
            Form::Bytes => "\"64MiB\"",
            Form::Count | Form::CountFromOne => "100",
            Form::Switch => "true",
            Form::Choice(_) => "\"off\"",
            Form::Digest => "\"sha256:…\"",
            Form::Sandbox => "{ reuse = 100, idle = \"10s\" }",
            Form::Texts => "[\"…\"]",
            Form::Limit(unit) => form_of(unit).example(),
        }
    }

    /// Its name in the reference.
    pub(crate) fn name(self) -> String {
        let name = match self {
            Form::Text => "text",
            Form::Path => "path",
            Form::Address => "address",
            Form::AddressOrOff => "address or `off`",
            Form::Duration | Form::Timeout => "duration",
            Form::Bytes => "size",
            Form::Count | Form::CountFromOne => "number",
            Form::Switch => "true or false",
            Form::Choice(words) => return one_of(words),
            Form::Digest => "digest",
            Form::Sandbox => "sandbox",
            Form::Texts => "list of texts",
            Form::Limit(unit) => return form_of(unit).name(),
        };
        name.into()
    }

    /// Reads a text.
    pub(crate) fn read_text(self, text: &str) -> Result<Value, ValueError> {
        let value = match self {
            Form::Text | Form::Path => Some(Value::Text(text.into())).filter(|_| !text.is_empty()),
            Form::Address => text.parse().ok().map(Value::Address),
            Form::AddressOrOff if text == "off" => Some(Value::Off),
            Form::AddressOrOff => text.parse().ok().map(Value::Address),
            Form::Duration => Unit::Nanoseconds.read(text).map(|ns| Value::Duration(Duration::from_nanos(ns))),
            Form::Timeout => {
                Unit::Nanoseconds.read(text).filter(|&ns| ns > 0).map(|ns| Value::Duration(Duration::from_nanos(ns)))
            }
            Form::Bytes => Unit::Bytes.read(text).map(Value::Number),
            Form::Count => Unit::Count.read(text).map(Value::Number),
            Form::CountFromOne => Unit::Count.read(text).filter(|&count| count > 0).map(Value::Number),
            Form::Switch => text.parse().ok().map(Value::Switch),
            Form::Choice(words) => words.contains(&text).then(|| Value::Text(text.into())),
            Form::Digest => text.parse().ok().map(Value::Digest),
            Form::Sandbox => sandbox::read_word(text).map(Value::Sandbox),
            Form::Texts => None,
            Form::Limit(unit) => unit.read_bound(text).map(Value::Number),
        };
        value.ok_or_else(|| mismatch(self, text))
    }

    /// Reads a TOML value. A text stands for a number only where a unit may follow it.
    pub(crate) fn read(self, value: &toml::Spanned<DeValue<'_>>) -> Result<Value, Misread> {
        let wrong = || Misread::Whole(found(self, value.get_ref()));
        match (self, value.get_ref()) {
            (Form::Count | Form::CountFromOne | Form::Switch, DeValue::String(_)) => Err(wrong()),
            (Form::Limit(Unit::Count), DeValue::String(text)) if text != "none" => Err(wrong()),
            (Form::Texts, DeValue::String(_)) => {
                Err(Misread::Whole(ValueError { expected: self.expected(), found: "a text".into() }))
            }
            (_, DeValue::String(text)) => Ok(self.read_text(text)?),
            (Form::Bytes | Form::Count | Form::CountFromOne, DeValue::Integer(number))
            | (Form::Limit(Unit::Bytes | Unit::Count), DeValue::Integer(number)) => {
                let least = u64::from(self == Form::CountFromOne);
                let number = u64::from_str_radix(number.as_str(), number.radix()).ok();
                number.filter(|&number| number >= least && number < u64::MAX).map(Value::Number).ok_or_else(wrong)
            }
            (Form::Switch, &DeValue::Boolean(switch)) => Ok(Value::Switch(switch)),
            (Form::Sandbox, DeValue::Table(table)) => sandbox::read_table(table, value.span()).map(Value::Sandbox),
            (Form::Texts, DeValue::Array(items)) => {
                items.iter().map(text_item).collect::<Result<_, _>>().map(Value::Texts)
            }
            _ => Err(wrong()),
        }
    }
}

fn text_item(item: &toml::Spanned<DeValue<'_>>) -> Result<Spanned<String>, Misread> {
    match item.get_ref() {
        DeValue::String(text) => Ok(Spanned { value: text.to_string(), at: item.span() }),
        other => {
            let error = found(Form::Text, other);
            Err(Misread::Part(Problem::error("a list of texts holds something else", item.span(), error.to_string())))
        }
    }
}

fn form_of(unit: Unit) -> Form {
    match unit {
        Unit::Nanoseconds => Form::Timeout,
        Unit::Bytes => Form::Bytes,
        Unit::Count => Form::Count,
    }
}

fn mismatch(form: Form, text: &str) -> ValueError {
    let found = if text.is_empty() { "an empty text".into() } else { shown(text) };
    ValueError { expected: form.expected(), found }
}

fn found(form: Form, value: &DeValue<'_>) -> ValueError {
    let found = match value {
        DeValue::Integer(number) => format!("the number {}", shown(number.as_str())),
        DeValue::Float(number) => format!("the number {}", shown(number.as_str())),
        DeValue::Boolean(switch) => format!("`{switch}`"),
        DeValue::String(text) => format!("the text {}", shown(text)),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    };
    ValueError { expected: form.expected(), found }
}

/// Puts a text that someone else wrote into backticks: short, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let mut shown = String::from("`");
    for c in text.chars().take(CHARS_MAX) {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if text.chars().nth(CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown.push('`');
    shown
}

/// Lists words as a choice: `` `a`, `b` or `c` ``.
pub(crate) fn one_of<S: AsRef<str>>(words: &[S]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    match words.split_last() {
        None => "nothing".into(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_a_unit() {
        let cases = [
            ("500ms", 500_000_000),
            ("2s", 2_000_000_000),
            ("1m", 60_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1_000us", 1_000_000),
            ("0s", 0),
        ];
        for (text, ns) in cases {
            assert_eq!(duration(text), Ok(Duration::from_nanos(ns)), "{text}");
        }
        for text in ["", "2", "s", "-1s", "1.5s", "2 s", "2S", "9999999999h", "_1s", "1s1"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_may_go_without_one() {
        let cases =
            [("64KiB", 65_536), ("64KB", 64_000), ("1GiB", 1 << 30), ("4096", 4096), ("0", 0), ("64MiB", 64 << 20)];
        for (text, bytes_) in cases {
            assert_eq!(bytes(text), Ok(bytes_), "{text}");
        }
        for text in ["", "64kib", "64 MiB", "1.5GiB", "-1", "99999999999GiB", "18446744073709551615"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_is_read_in_its_resources_unit() {
        assert_eq!(limit(Resource::Wall, "2s"), Ok(2_000_000_000));
        assert_eq!(limit(Resource::Memory, "64MiB"), Ok(64 << 20));
        assert_eq!(limit(Resource::Fuel, "1_000_000"), Ok(1_000_000));
        assert_eq!(limit(Resource::Fuel, "none"), Ok(u64::MAX));
        let error = limit(Resource::Wall, "2").unwrap_err().to_string();
        assert_eq!(
            error,
            "expected a duration of more than zero, such as `500ms`, `2s`, `1m` or `1h`, or `none`, found `2`"
        );
    }
}
