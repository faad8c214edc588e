//! A plugin made with Extism's kit that asks its host for nothing of its own, so that any host of such plugins can run it: what
//! benches compare hosts by.

use extism_pdk::*;

/// Counts the vowels of a text.
#[plugin_fn]
pub fn count_vowels(input: String) -> FnResult<String> {
    let count = input.chars().filter(|c| "aeiouAEIOU".contains(*c)).count();
    Ok(format!(r#"{{"count":{count}}}"#))
}

/// Gives back what it got.
#[plugin_fn]
pub fn echo(input: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(input)
}
