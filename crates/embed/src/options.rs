//! What a plugin is loaded with, as data: for hosts in other languages. Keys and forms are those of a guest in a manifest, so
//! that they are learned once.

use crate::{Error, PluginBuilder, Policy, Probation, Rebuild, State};
use sandbar_call::{Resource, Unit};
use sandbar_engine::{InMemory, MEMORY_BYTES_MAX};
use sandbar_grants::{OPTIONS, Value as GrantValue, nearest};
use serde_json::{Map, Value};
use std::time::Duration;

type Told<T> = Result<T, String>;

/// One key, and what it does.
type Setting = (&'static str, fn(PluginBuilder, &Value) -> Told<PluginBuilder>);

/// Every key.
const SETTINGS: &[Setting] = &[
    ("name", |builder, value| Ok(builder.name(text(value)?))),
    ("base", |builder, value| Ok(builder.base(text(value)?))),
    ("grants", grants),
    ("limits", limits),
    ("config", config),
    ("results", results),
    ("sandbox", sandbox),
    ("sandboxes_max", sandboxes_max),
    ("fuel_metered", |builder, value| Ok(if switch(value)? { builder.count_fuel() } else { builder })),
    ("rebuild", |builder, value| {
        Ok(builder.rebuild(if switch(value)? { Rebuild::BeforeNextCall } else { Rebuild::Never }))
    }),
    ("probation", probation),
    ("state", |builder, value| Ok(builder.state(&State::bounded(size(value)?)))),
];

/// Sandboxes at one time, where a plugin that is not held does not say.
const SANDBOXES_MAX: u32 = 16;
/// How long a reused sandbox stays that is not called, where the plugin does not say.
const IDLE: Duration = Duration::from_secs(10);

impl PluginBuilder {
    /// Takes what an object says, whose keys may all be left out:
    ///
    /// | key | value |
    /// |---|---|
    /// | `name` | its name in receipts and log records |
    /// | `base` | the folder that granted folders are seen from |
    /// | `grants` | an object, by the kinds and forms of `docs/grants.md` |
    /// | `limits` | an object, by the names of `docs/limits.md`: `"2s"`, `"64MiB"`, a number, or `"none"` |
    /// | `config` | an object of texts |
    /// | `results` | what typed exports of a core module leave in its memory: `{"greet": "text"}` |
    /// | `sandbox` | `"held"`, `"fresh"`, or `{"reuse": CALLS, "idle": "10s"}` |
    /// | `sandboxes_max` | sandboxes at one time, where it is not held; 16 otherwise |
    /// | `fuel_metered` | whether fuel is counted exactly |
    /// | `rebuild` | whether a held sandbox is made anew after a call that ended it |
    /// | `probation` | `{"calls": 10, "failures": 2}` |
    /// | `state` | so many bytes of keys and values that stay between calls: `"64KiB"` |
    ///
    /// # Errors
    /// A key is not known, or a value is not in its form.
    pub fn options(self, options: &Value) -> Result<PluginBuilder, Error> {
        each(self, "option", options, |builder, key, value| {
            let Some((_, set)) = SETTINGS.iter().find(|(name, _)| *name == key) else {
                return Err(unknown("option", key, SETTINGS.iter().map(|(name, _)| *name)));
            };
            set(builder, value).map_err(|problem| within(key, &problem))
        })
        .map_err(Error::Option)
    }
}

fn grants(builder: PluginBuilder, value: &Value) -> Told<PluginBuilder> {
    each(builder, "grants", value, |builder, key, value| {
        let Some(option) = OPTIONS.iter().find(|option| option.kind.key() == key) else {
            return Err(unknown("grant", key, OPTIONS.iter().map(|option| option.kind.key())));
        };
        let entries: Vec<String> = match option.value {
            GrantValue::List => {
                list(value).and_then(|list| list.iter().map(|entry| text(entry).map(str::to_owned)).collect())
            }
            GrantValue::Word(_) => text(value).map(|word| vec![word.to_owned()]),
            GrantValue::Switch => switch(value).map(|on| vec![on.to_string()]),
        }
        .map_err(|problem| within(key, &problem))?;
        Ok(entries.iter().fold(builder, |builder, entry| builder.grant(option.kind, entry)))
    })
}

fn limits(builder: PluginBuilder, value: &Value) -> Told<PluginBuilder> {
    each(builder, "limits", value, |builder, key, value| {
        let Some(&resource) = Resource::ALL.iter().find(|resource| resource.key() == key) else {
            return Err(unknown("limit", key, Resource::ALL.iter().map(|resource| resource.key())));
        };
        let unit = resource.unit();
        let most = match value {
            Value::Number(number) if unit != Unit::Nanoseconds => number.as_u64(),
            Value::String(text) => unit.read_bound(text),
            _ => None,
        };
        let form = match unit {
            Unit::Nanoseconds => "a duration of more than zero such as `500ms` or `2s`",
            Unit::Bytes => "a number of bytes, or a size such as `64MiB`",
            Unit::Count => "a whole number",
        };
        let most = most.ok_or_else(|| within(key, &format!("expected {form}, or `none`, found `{value}`")))?;
        Ok(builder.limit(resource, if resource == Resource::Memory { most.min(MEMORY_BYTES_MAX) } else { most }))
    })
}

fn config(builder: PluginBuilder, value: &Value) -> Told<PluginBuilder> {
    each(builder, "config", value, |builder, key, value| {
        Ok(builder.config(key, text(value).map_err(|problem| within(key, &problem))?))
    })
}

fn results(builder: PluginBuilder, value: &Value) -> Told<PluginBuilder> {
    each(builder, "results", value, |builder, key, value| {
        let name = text(value).map_err(|problem| within(key, &problem))?;
        let leaves = InMemory::named(name).ok_or_else(|| unknown("kind of result", name, InMemory::names()))?;
        Ok(builder.result(key, leaves))
    })
}

fn sandbox(builder: PluginBuilder, value: &Value) -> Told<PluginBuilder> {
    let sandboxes_max = match builder.terms.policy {
        Policy::Held => SANDBOXES_MAX,
        Policy::Fresh { sandboxes_max } | Policy::Reused { sandboxes_max, .. } => sandboxes_max,
    };
    let policy = match value {
        Value::String(word) if word == "held" => Policy::Held,
        Value::String(word) if word == "fresh" => Policy::Fresh { sandboxes_max },
        Value::Object(keys) => {
            let idle = keys.get("idle").map_or(Ok(IDLE), duration).map_err(|problem| within("idle", &problem))?;
            let calls = keys.get("reuse").map_or(Err("expected the key `reuse`".into()), count)?;
            known("sandbox", keys, &["reuse", "idle"])?;
            Policy::Reused { sandboxes_max, calls, idle }
        }
        other => {
            return Err(format!(r#"expected "held", "fresh" or {{"reuse": 100, "idle": "10s"}}, found `{other}`"#));
        }
    };
    Ok(builder.policy(policy))
}

fn sandboxes_max(builder: PluginBuilder, value: &Value) -> Told<PluginBuilder> {
    let most = u32::try_from(count(value)?).unwrap_or(u32::MAX);
    let policy = match builder.terms.policy {
        Policy::Held => Policy::Held,
        Policy::Fresh { .. } => Policy::Fresh { sandboxes_max: most },
        Policy::Reused { calls, idle, .. } => Policy::Reused { sandboxes_max: most, calls, idle },
    };
    Ok(builder.policy(policy))
}

fn probation(builder: PluginBuilder, value: &Value) -> Told<PluginBuilder> {
    let Value::Object(keys) = value else { return Err(format!("expected an object, found `{value}`")) };
    known("probation", keys, &["calls", "failures"])?;
    let number = |key: &str| keys.get(key).map_or(Err(format!("expected the key `{key}`")), count);
    let short = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(builder.probation(Probation { calls: short(number("calls")?), failures: short(number("failures")?) }))
}

/// Goes through an object; `sandboxes_max` comes last, since it is part of what `sandbox` says.
fn each(
    builder: PluginBuilder,
    what: &str,
    value: &Value,
    mut set: impl FnMut(PluginBuilder, &str, &Value) -> Told<PluginBuilder>,
) -> Told<PluginBuilder> {
    let Value::Object(keys) = value else { return Err(format!("expected an object of {what}, found `{value}`")) };
    let last = |key: &str| key == "sandboxes_max";
    let (late, early): (Vec<_>, Vec<_>) = keys.iter().partition(|(key, _)| last(key));
    early.into_iter().chain(late).try_fold(builder, |builder, (key, value)| set(builder, key, value))
}

fn known(what: &str, keys: &Map<String, Value>, names: &[&'static str]) -> Told<()> {
    match keys.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(unknown(&format!("key of `{what}`"), key, names.iter().copied())),
        None => Ok(()),
    }
}

fn unknown<'a>(what: &str, key: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    let key = key.escape_debug();
    match nearest(&key.to_string(), names.clone()) {
        Some(near) => format!("unknown {what} `{key}`; did you mean `{near}`?"),
        None => format!("unknown {what} `{key}`; expected one of {}", names.collect::<Vec<_>>().join(", ")),
    }
}

fn within(key: &str, problem: &str) -> String {
    format!("`{}`: {problem}", key.escape_debug())
}

fn text(value: &Value) -> Told<&str> {
    value.as_str().ok_or_else(|| format!("expected a text, found `{value}`"))
}

fn list(value: &Value) -> Told<&[Value]> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| format!("expected a list of texts, found `{value}`"))
}

fn switch(value: &Value) -> Told<bool> {
    value.as_bool().ok_or_else(|| format!("expected `true` or `false`, found `{value}`"))
}

fn count(value: &Value) -> Told<u64> {
    let number = value.as_u64().filter(|&number| number > 0);
    number.ok_or_else(|| format!("expected a whole number from 1, found `{value}`"))
}

fn size(value: &Value) -> Told<usize> {
    let bytes = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => Unit::Bytes.read(text),
        _ => None,
    };
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| format!("expected a number of bytes, or a size such as `64KiB`, found `{value}`"))
}

fn duration(value: &Value) -> Told<Duration> {
    let ns = value.as_str().and_then(|text| Unit::Nanoseconds.read(text)).filter(|&ns| ns > 0);
    ns.map(Duration::from_nanos).ok_or_else(|| format!("expected a duration such as `500ms` or `2s`, found `{value}`"))
}
