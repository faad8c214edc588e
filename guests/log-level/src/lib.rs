//! A plugin of the log processor: finds out how grave a record is, where it does not say, and drops what is only for debugging.
//!
//! ```json
//! {"message": "error: disk is full"}
//! {"message": "error: disk is full", "level": "error"}
//! ```

use serde_json::{Value, json};
use std::io::{self, Write};

#[unsafe(no_mangle)]
pub extern "C" fn transform() -> i32 {
    let text = io::read_to_string(io::stdin()).unwrap_or_default();
    let Ok(Value::Object(mut record)) = serde_json::from_str::<Value>(&text) else {
        eprintln!("not a record");
        return 1;
    };
    if record.get("level").is_none() {
        let message = record.get("message").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let words = ["error", "warn", "debug"];
        let level = words.into_iter().find(|word| message.contains(word)).unwrap_or("info");
        record.insert("level".into(), json!(level));
    }
    let answer = if record.get("level").is_some_and(|level| level == "debug") { Value::Null } else { record.into() };
    write!(io::stdout(), "{answer}").and_then(|()| io::stdout().flush()).map_or(1, |()| 0)
}
