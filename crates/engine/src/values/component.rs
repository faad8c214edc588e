//! Arguments and results of a component's function.

use super::{
    Given, Handles, Notation, ValueError, ValueErrorKind, WAVE_BYTES_MAX,
    error::{Mismatch, excerpt},
    example::{example_of, shell_example_of},
    json,
    read::{Form as _, Reader, counted},
    text::{Bounded, Unwritable},
    wave::{self, Wave},
    wit::type_text,
};
use serde_json::Value;
use std::fmt::{self, Write as _};
use wasmtime::component::{Type, Val, types::ComponentFunc};

/// What a component's function takes and gives.
#[derive(Clone, Debug)]
pub(crate) struct ComponentSignature {
    name: String,
    awaits: bool,
    params: Vec<(String, Type)>,
    result: Option<Type>,
}

impl ComponentSignature {
    /// Reads the signature off a function's type; `name` is what messages call it.
    pub(crate) fn of(name: &str, ty: &ComponentFunc) -> ComponentSignature {
        ComponentSignature {
            name: name.to_owned(),
            awaits: ty.async_(),
            params: ty.params().map(|(name, ty)| (name.to_owned(), ty)).collect(),
            result: ty.results().next(),
        }
    }

    /// How many results a call gives: none or one. It is the length of the slice that Wasmtime fills.
    pub(crate) fn results_len(&self) -> usize {
        usize::from(self.result.is_some())
    }

    /// Makes the arguments of a call. Options at the end may be left out; they are none. Resources are given by handles, where
    /// there are such; one that is given away has none any more.
    pub(crate) fn arguments(&self, given: Given<'_>, handles: Option<&mut Handles>) -> Result<Vec<Val>, ValueError> {
        let mut reader = Reader::new(handles.as_deref());
        let values = self.read_arguments(&mut reader, given)?;
        let gone = reader.given;
        if let Some(handles) = handles {
            for handle in gone {
                handles.take(handle);
            }
        }
        Ok(values)
    }

    fn read_arguments(&self, reader: &mut Reader<'_>, given: Given<'_>) -> Result<Vec<Val>, ValueError> {
        match given {
            Given::Json(text) if text.trim_ascii().is_empty() => self.json_array(reader, &[]),
            Given::Json(text) => match json::parse(text).map_err(|error| error.of(&self.all_arguments(), None))? {
                Value::Array(array) => self.json_array(reader, &array),
                Value::Object(object) => self.json_object(reader, &object),
                value @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                    let expected = "an array of arguments, or an object by parameter name";
                    let error = Mismatch::new(ValueErrorKind::Mismatch, expected, (&value).describe());
                    Err(error.of(&self.all_arguments(), self.call_hint(Notation::Json)))
                }
            },
            Given::Wave(texts) => self.wave(reader, texts),
        }
    }

    /// Writes the result of a call: `null` in JSON and nothing in WAVE where the function gives none. A text longer
    /// than `bytes_max` is an error of kind [`ValueErrorKind::TooLarge`]. A resource becomes a handle, where it can be kept.
    pub(crate) fn result_text(
        &self,
        results: &[Val],
        to: Notation,
        bytes_max: usize,
        handles: &mut Option<Handles>,
    ) -> Result<String, ValueError> {
        let mut out = Bounded::new(bytes_max);
        out.handles = handles.take();
        let written = self.write_result(&mut out, results, to);
        *handles = out.handles.take();
        written.map_err(|error| error.of(format!("the result of `{}`", self.name), bytes_max))?;
        Ok(out.finish())
    }

    fn write_result(&self, out: &mut Bounded, results: &[Val], to: Notation) -> Result<(), Unwritable> {
        match (results.first(), &self.result, to) {
            (Some(value), Some(ty), Notation::Json) => json::write(out, value, ty),
            (Some(value), Some(_), Notation::Wave) => wave::write(out, value),
            (_, _, Notation::Json) => Ok(out.write_str("null")?),
            (_, _, Notation::Wave) => Ok(()),
        }
    }

    /// Its name, as messages call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Writes what a component gives to a function of the host: a JSON array of arguments.
    pub(crate) fn arguments_text(&self, params: &[Val], bytes_max: usize) -> Result<String, ValueError> {
        let mut out = Bounded::new(bytes_max);
        let mut written = || -> Result<(), Unwritable> {
            out.write_str("[")?;
            out.separated(",", params.iter().zip(&self.params), |out, (value, (_, ty))| json::write(out, value, ty))?;
            Ok(out.write_str("]")?)
        };
        written().map_err(|error| error.of(self.all_arguments(), bytes_max))?;
        Ok(out.finish())
    }

    /// Reads what a function of the host gives back to a component, from JSON; any JSON will do where it gives nothing.
    pub(crate) fn result_of(&self, text: &str) -> Result<Option<Val>, ValueError> {
        let Some(ty) = &self.result else { return Ok(None) };
        let read = json::parse(text.as_bytes()).and_then(|value| Reader::new(None).read(&value, ty));
        let hint = || example_of(ty, Notation::Json).map(|example| format!("give it as `{example}`"));
        read.map(Some).map_err(|error| error.of(&format!("the result of `{}`", self.name), hint()))
    }

    /// Writes example arguments: a JSON array, or the words of a command line, quoted for a shell. `None` where a type
    /// has no example.
    pub(crate) fn call_example(&self, notation: Notation) -> Option<String> {
        match notation {
            Notation::Json => {
                let examples = self.params.iter().map(|(_, ty)| example_of(ty, notation));
                Some(format!("[{}]", examples.collect::<Option<Vec<_>>>()?.join(", ")))
            }
            Notation::Wave => {
                let examples = self.params.iter().map(|(_, ty)| shell_example_of(ty));
                Some(examples.collect::<Option<Vec<_>>>()?.join(" "))
            }
        }
    }

    fn json_array(&self, reader: &mut Reader<'_>, array: &[Value]) -> Result<Vec<Val>, ValueError> {
        self.check_count(array.len(), Notation::Json)?;
        self.read_each(reader, array.iter().map(Some))
    }

    fn json_object(
        &self,
        reader: &mut Reader<'_>,
        object: &serde_json::Map<String, Value>,
    ) -> Result<Vec<Val>, ValueError> {
        if let Some(unknown) = object.keys().find(|key| !self.params.iter().any(|(name, _)| name == *key)) {
            let found = format!("an argument {}", excerpt(unknown));
            return Err(self.count_error(found, Notation::Json));
        }
        self.read_each(reader, self.params.iter().map(|(name, _)| object.get(name)))
    }

    fn read_each<'a>(
        &self,
        reader: &mut Reader<'_>,
        given: impl Iterator<Item = Option<&'a Value>>,
    ) -> Result<Vec<Val>, ValueError> {
        let given = given.chain(std::iter::repeat(None));
        let values = self.params.iter().zip(given).enumerate().map(|(index, ((name, ty), value))| {
            let Some(value) = value else {
                let optional = matches!(ty, Type::Option(_)).then_some(Val::Option(None));
                return optional.ok_or_else(|| self.count_error(format!("none for `{name}`"), Notation::Json));
            };
            let hint = || example_of(ty, Notation::Json).map(|example| format!("write it as `{example}`"));
            reader.read(value, ty).map_err(|error| error.of(&self.argument(index, name), hint()))
        });
        values.collect()
    }

    fn wave(&self, reader: &mut Reader<'_>, texts: &[String]) -> Result<Vec<Val>, ValueError> {
        self.check_count(texts.len(), Notation::Wave)?;
        if texts.iter().map(String::len).sum::<usize>() > WAVE_BYTES_MAX {
            let expected = format!("at most {WAVE_BYTES_MAX} bytes together");
            return Err(Mismatch::new(ValueErrorKind::TooLarge, expected, "more").of(&self.all_arguments(), None));
        }
        let given = texts.iter().map(Some).chain(std::iter::repeat(None));
        let values = self.params.iter().zip(given).enumerate().map(|(index, ((name, ty), text))| {
            let Some(text) = text else { return Ok(Val::Option(None)) };
            let hint = || shell_example_of(ty).map(|example| format!("write it as {example}"));
            word(reader, text, ty).map_err(|error| error.of(&self.argument(index, name), hint()))
        });
        values.collect()
    }

    /// Accepts as many arguments as there are parameters, or fewer where all those at the end are options.
    fn check_count(&self, count: usize, notation: Notation) -> Result<(), ValueError> {
        let optional = |(_, ty): &(String, Type)| matches!(ty, Type::Option(_));
        let enough = self.params.get(count..).is_some_and(|rest| rest.iter().all(optional));
        if enough { Ok(()) } else { Err(self.count_error(count.to_string(), notation)) }
    }

    fn count_error(&self, found: String, notation: Notation) -> ValueError {
        ValueError {
            kind: ValueErrorKind::Count,
            what: format!("arguments of `{self}`"),
            expected: counted(self.params.len(), "argument"),
            found,
            hint: self.call_hint(notation),
        }
    }

    fn call_hint(&self, notation: Notation) -> Option<String> {
        let example = self.call_example(notation).filter(|_| !self.params.is_empty())?;
        Some(match notation {
            Notation::Json => format!("write them as `{example}`"),
            Notation::Wave => format!("write them as {example}"),
        })
    }

    fn all_arguments(&self) -> String {
        format!("arguments of `{}`", self.name)
    }

    fn argument(&self, index: usize, name: &str) -> String {
        format!("argument {} `{name}` of `{}`", index + 1, self.name)
    }
}

impl fmt::Display for ComponentSignature {
    /// Writes it as WIT does: `add(a: u32, b: u32) -> u32`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}(", if self.awaits { "async " } else { "" }, self.name)?;
        for (index, (name, ty)) in self.params.iter().enumerate() {
            write!(f, "{}{name}: {}", if index > 0 { ", " } else { "" }, type_text(ty))?;
        }
        f.write_str(")")?;
        match &self.result {
            Some(ty) => write!(f, " -> {}", type_text(ty)),
            None => Ok(()),
        }
    }
}

/// Reads one word of a command line: as WAVE, else as JSON, else, for a string or a character, as it stands.
fn word(reader: &mut Reader<'_>, text: &str, ty: &Type) -> Result<Val, Mismatch> {
    let as_wave = wave::parse(text).and_then(|value| reader.read(Wave::of(&value), ty));
    let wave_error = match as_wave {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let as_json = json::parse(text.as_bytes()).and_then(|value| reader.read(&value, ty));
    let json_error = match as_json {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // A word that opens a quote and fails is a mistyped literal, not a string that begins with a quote.
    if !text.starts_with(['"', '\''])
        && let Some(value) = bare_word(text, ty)
    {
        return Ok(value);
    }
    // Of the two, the one that understood more of it.
    match (wave_error.kind, json_error.kind) {
        (ValueErrorKind::Syntax, ValueErrorKind::Mismatch | ValueErrorKind::TooLarge) => Err(json_error),
        _ => Err(wave_error),
    }
}

fn bare_word(text: &str, ty: &Type) -> Option<Val> {
    match ty {
        Type::String => Some(Val::String(text.to_owned())),
        Type::Char => text.parse().ok().map(Val::Char),
        Type::Option(option) if matches!(option.ty(), Type::String | Type::Char) => {
            Some(Val::Option(Some(Box::new(bare_word(text, &option.ty())?))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
