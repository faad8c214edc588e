//! What a host is set up with, as data.

use sandbar_embed::{Cache, Compiler, Host, HostBuilder, Interruption};
use serde_json::Value;
use std::time::Duration;

type Told<T> = Result<T, String>;

/// One key, and what it does.
type Setting = (&'static str, fn(HostBuilder, &Value) -> Told<HostBuilder>);

/// Every key.
const SETTINGS: &[Setting] = &[
    ("cache", cache),
    ("compiler", compiler),
    ("sandboxes_max", |builder, value| {
        let most = value.as_u64().and_then(|most| u32::try_from(most).ok()).filter(|&most| most > 0);
        let most = most.ok_or_else(|| format!("expected a whole number from 1, found `{value}`"))?;
        Ok(builder.sandboxes_max(most))
    }),
    ("interruption", |builder, value| match value.as_str() {
        Some("epochs") => Ok(builder.interruption(Interruption::Epochs)),
        Some("signals") => Ok(builder.interruption(Interruption::Signals)),
        _ => Err(format!(r#"expected "epochs" or "signals", found `{value}`"#)),
    }),
];

/// The most bytes that a cache keeps in a folder that was named.
const CACHE_BYTES_MAX: u64 = 2 << 30;
/// The most address space of a compiler in a process of its own, in bytes.
const COMPILER_MEMORY_BYTES: u64 = 4 << 30;
/// The most time that it may take.
const COMPILER_TIME: Duration = Duration::from_secs(60);

/// Describes a host.
pub(crate) fn builder(options: Option<&Value>) -> Told<HostBuilder> {
    let builder = Host::builder();
    let Some(options) = options else { return Ok(builder) };
    let keys = options.as_object().ok_or_else(|| format!("expected an object of options, found `{options}`"))?;
    keys.iter().try_fold(builder, |builder, (key, value)| {
        let key = key.escape_debug().to_string();
        let Some((_, set)) = SETTINGS.iter().find(|(name, _)| *name == key) else {
            let names: Vec<&str> = SETTINGS.iter().map(|(name, _)| *name).collect();
            return Err(format!("unknown option `{key}`; expected one of {}", names.join(", ")));
        };
        set(builder, value).map_err(|problem| format!("`{key}`: {problem}"))
    })
}

fn cache(builder: HostBuilder, value: &Value) -> Told<HostBuilder> {
    match value {
        Value::Bool(true) => Ok(builder.cache(Cache::of_user())),
        Value::Bool(false) => Ok(builder.cache(None)),
        Value::String(folder) => Ok(builder.cache(Some(Cache { folder: folder.into(), bytes_max: CACHE_BYTES_MAX }))),
        other => Err(format!("expected a folder, `true` or `false`, found `{other}`")),
    }
}

fn compiler(builder: HostBuilder, value: &Value) -> Told<HostBuilder> {
    let program = value.as_str().ok_or_else(|| format!("expected the path of a program, found `{value}`"))?;
    Ok(builder.compiler(Compiler::Child {
        program: program.into(),
        memory_bytes: COMPILER_MEMORY_BYTES,
        time: COMPILER_TIME,
    }))
}
