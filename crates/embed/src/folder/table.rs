//! Reads values out of TOML, and says what was expected where there is something else.

use sandbar_grants::nearest;
use serde_json::{Map, Value as Json};
use toml::{Table, Value};

/// What is told of a value that is not what was expected.
pub(super) type Told<T> = Result<T, String>;

/// Reads a whole file.
pub(super) fn parse(bytes: &[u8]) -> Told<Table> {
    let text = str::from_utf8(bytes).map_err(|_| "it is no text in UTF-8".to_owned())?;
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        format!("line {line}: {}", error.message())
    })
}

/// That nothing is left of a table which nobody knows.
pub(super) fn nothing_left(table: &Table, known: &[&'static str]) -> Told<()> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(unknown("key", key, known.iter().copied())),
        None => Ok(()),
    }
}

pub(super) fn unknown<'a>(what: &str, key: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    let shown = key.escape_debug();
    match nearest(key, names.clone()) {
        Some(near) => format!("unknown {what} `{shown}`; did you mean `{near}`?"),
        None => format!("unknown {what} `{shown}`; expected one of {}", names.collect::<Vec<_>>().join(", ")),
    }
}

pub(super) fn within(key: &str, problem: &str) -> String {
    format!("`{}`: {problem}", key.escape_debug())
}

pub(super) fn table(value: &Value) -> Told<&Table> {
    value.as_table().ok_or_else(|| format!("expected a table, found `{value}`"))
}

pub(super) fn text(value: &Value) -> Told<&str> {
    value.as_str().ok_or_else(|| format!("expected a text, found `{value}`"))
}

pub(super) fn texts(value: &Value) -> Told<Vec<String>> {
    let list = value.as_array().ok_or_else(|| format!("expected a list of texts, found `{value}`"))?;
    list.iter().map(|entry| text(entry).map(str::to_owned)).collect()
}

pub(super) fn switch(value: &Value) -> Told<bool> {
    value.as_bool().ok_or_else(|| format!("expected `true` or `false`, found `{value}`"))
}

/// Takes a text out of a table, in its form.
pub(super) fn take<T>(table: &mut Table, key: &str, read: impl FnOnce(&str) -> Told<T>) -> Told<Option<T>> {
    let Some(value) = table.remove(key) else { return Ok(None) };
    text(&value).and_then(read).map(Some).map_err(|problem| within(key, &problem))
}

/// A table as JSON. Dates become texts, which no option takes.
pub(super) fn json(table: &Table) -> Map<String, Json> {
    table.iter().map(|(key, value)| (key.clone(), json_value(value))).collect()
}

fn json_value(value: &Value) -> Json {
    match value {
        Value::String(text) => Json::from(text.as_str()),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Boolean(on) => Json::from(*on),
        Value::Datetime(time) => Json::from(time.to_string()),
        Value::Array(values) => values.iter().map(json_value).collect(),
        Value::Table(table) => Json::Object(json(table)),
    }
}
