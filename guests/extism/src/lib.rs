//! A plugin made with Extism's kit: what its surface offers, a function for each.

use extism_pdk::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Vowels {
    count: usize,
    total: u64,
}

/// Counts the vowels of a text, and all that it ever counted in a variable.
#[plugin_fn]
pub fn count_vowels(input: String) -> FnResult<Json<Vowels>> {
    let count = input.chars().filter(|c| "aeiouAEIOU".contains(*c)).count();
    let total = var::get::<u64>("total")?.unwrap_or(0) + count as u64;
    var::set("total", total)?;
    Ok(Json(Vowels { count, total }))
}

/// Gives back what it got.
#[plugin_fn]
pub fn echo(input: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(input)
}

/// What is configured under a name.
#[plugin_fn]
pub fn configured(name: String) -> FnResult<String> {
    Ok(config::get(&name)?.unwrap_or_else(|| "nothing".into()))
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// Fails, with a message of its own.
#[plugin_fn]
pub fn fail(Json(named): Json<Named>) -> FnResult<()> {
    Err(WithReturnCode::new(Error::msg(format!("no such thing: {}", named.name)), 7))
}

/// Says something at each level of the log.
#[plugin_fn]
pub fn logs(input: String) -> FnResult<()> {
    trace!("trace {}", input);
    debug!("debug {}", input);
    info!("info {}", input);
    warn!("warn {}", input);
    error!("error {}", input);
    Ok(())
}

/// Sets a variable of so many bytes.
#[plugin_fn]
pub fn keep(bytes: String) -> FnResult<()> {
    Ok(var::set("kept", vec![1; bytes.parse()?])?)
}

/// Takes and frees blocks of many sizes, and checks what is in them.
#[plugin_fn]
pub fn blocks(rounds: String) -> FnResult<String> {
    let mut kept = Vec::new();
    for round in 0..rounds.parse::<u64>()? {
        let text = format!("{round}").repeat((round % 50) as usize + 1);
        let block = Memory::from_bytes(&text)?;
        if round % 3 == 0 {
            block.free();
        } else {
            kept.push((block, text));
        }
        if round % 100 == 99 {
            for (block, text) in kept.drain(..) {
                assert_eq!(block.to_string()?, text);
                assert_eq!(block.len(), text.len());
                block.free();
            }
        }
    }
    Ok(format!("{} kept", kept.len()))
}

/// Does not end.
#[plugin_fn]
pub fn spin(_: ()) -> FnResult<()> {
    loop {
        std::hint::black_box(0);
    }
}

/// Asks a server, and tells its status, a header and its answer.
#[plugin_fn]
pub fn ask(url: String) -> FnResult<String> {
    let request = HttpRequest::new(url).with_method("POST").with_header("x-from", "plugin");
    let answer = http::request(&request, Some("hello"))?;
    let kind = answer.header("content-type").unwrap_or("no type").to_owned();
    Ok(format!("{} {kind} {}", answer.status_code(), String::from_utf8_lossy(&answer.body())))
}

#[host_fn("extism:host/user")]
extern "ExtismHost" {
    fn greeting(name: String) -> String;
}

/// Greets by a function of the host.
#[plugin_fn]
pub fn greet(name: String) -> FnResult<String> {
    // Who loads the plugin gives it a function of this name and type.
    let greeting = unsafe { greeting(name)? };
    Ok(format!("{greeting}!"))
}
