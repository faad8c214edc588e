//! How long a sandbox lives: `"fresh"`, `"held"` or `{ reuse = 100, idle = "10s" }`.

use super::{
    error::Problem,
    value::{Form, Misread, Value, one_of, shown},
};
use sandbar_grants::nearest;
use std::{ops::Range, time::Duration};
use toml::de::DeTable;

/// How long a sandbox of a guest lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// A new one for each call.
    #[default]
    Fresh,
    /// One that serves some calls, one after the other.
    Reused {
        /// How many calls at most.
        calls: u64,
        /// How long it may wait for its next call.
        idle: Duration,
    },
    /// One that stays until the app ends.
    Held,
}

/// The words for a policy without parameters.
pub(crate) const WORDS: &[&str] = &["fresh", "held"];

/// The keys of the form with parameters.
pub(crate) const KEYS: &[(&str, Form, &str)] = &[
    ("reuse", Form::CountFromOne, "How many calls one sandbox serves before it is replaced."),
    ("idle", Form::Timeout, "How long it may wait for its next call; 10s where not given."),
];

const IDLE: Duration = Duration::from_secs(10);

pub(crate) fn read_word(text: &str) -> Option<Sandbox> {
    match text {
        "fresh" => Some(Sandbox::Fresh),
        "held" => Some(Sandbox::Held),
        _ => None,
    }
}

pub(crate) fn read_table(table: &DeTable<'_>, at: Range<usize>) -> Result<Sandbox, Misread> {
    let (mut calls, mut idle) = (None, IDLE);
    for (key, value) in table {
        let Some((name, form, _)) = KEYS.iter().find(|(name, ..)| *name == key.get_ref().as_ref()) else {
            return Err(unknown(key.get_ref(), key.span()));
        };
        match form.read(value) {
            Ok(Value::Number(count)) => calls = Some(count),
            Ok(Value::Duration(duration)) => idle = duration,
            Ok(_) => {}
            Err(Misread::Whole(error)) => {
                return Err(part(Problem::error(format!("wrong value for `{name}`"), value.span(), error.to_string())));
            }
            Err(problem) => return Err(problem),
        }
    }
    calls
        .map(|calls| Sandbox::Reused { calls, idle })
        .ok_or_else(|| part(Problem::error("a reused sandbox says for how many calls", at, "expected the key `reuse`")))
}

fn unknown(key: &str, at: Range<usize>) -> Misread {
    let keys: Vec<&str> = KEYS.iter().map(|(name, ..)| *name).collect();
    let label = match nearest(key, keys.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("expected {}", one_of(&keys)),
    };
    part(Problem::error(format!("unknown key {} in `sandbox`", shown(key)), at, label))
}

fn part(problem: Problem) -> Misread {
    Misread::Part(problem.hint(format!("sandbox = {}", Form::Sandbox.example())))
}
