//! A plugin of the log processor: puts `***` for addresses of mail and of machines in a record's message.
//!
//! ```json
//! {"message": "login of ada@example.com from 192.0.2.7"}
//! {"message": "login of *** from ***"}
//! ```

use serde_json::Value;
use std::{
    io::{self, Write},
    net::IpAddr,
};

#[unsafe(no_mangle)]
pub extern "C" fn transform() -> i32 {
    let record = io::read_to_string(io::stdin()).map_err(|error| error.to_string());
    let record = record.and_then(|text| serde_json::from_str::<Value>(&text).map_err(|error| error.to_string()));
    match record.map(redacted) {
        Ok(record) => write!(io::stdout(), "{record}").and_then(|()| io::stdout().flush()).map_or(1, |()| 0),
        Err(error) => {
            eprintln!("not a record: {error}");
            1
        }
    }
}

fn redacted(mut record: Value) -> Value {
    if let Some(Value::String(message)) = record.get_mut("message") {
        let words: Vec<&str> = message.split(' ').map(|word| if tells_who(word) { "***" } else { word }).collect();
        *message = words.join(" ");
    }
    record
}

fn tells_who(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let mail = bare.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    mail || bare.parse::<IpAddr>().is_ok()
}
