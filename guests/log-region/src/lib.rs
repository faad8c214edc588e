//! A plugin of the log processor: notes in which region a record was made, by the variable `REGION` and the file of that name in
//! `/regions`; and it would write there, which its host may not have granted, so that there is a denial to see.

use serde_json::{Value, json};
use std::{
    env, fs,
    io::{self, Write},
};

#[unsafe(no_mangle)]
pub extern "C" fn transform() -> i32 {
    let text = io::read_to_string(io::stdin()).unwrap_or_default();
    let Ok(Value::Object(mut record)) = serde_json::from_str::<Value>(&text) else {
        eprintln!("not a record");
        return 1;
    };
    let region = env::var("REGION").unwrap_or_else(|_| "unknown".into());
    let name = fs::read_to_string(format!("/regions/{region}"));
    record.insert("region".into(), json!(name.as_deref().map_or(region.as_str(), str::trim)));
    let _ = fs::write("/regions/last", &region);
    write!(io::stdout(), "{}", Value::from(record)).and_then(|()| io::stdout().flush()).map_or(1, |()| 0)
}
