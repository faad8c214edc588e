//! A function guest: one JSON document in on stdin, one out on stdout.
//!
//! ```json
//! {"name": "Ada", "value": 21}
//! {"message": "Hello, Ada. Your value was doubled!", "processed_value": 42}
//! ```

use std::error::Error;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Request {
    name: String,
    value: i64,
}

#[derive(Serialize)]
struct Response {
    message: String,
    processed_value: i64,
}

#[unsafe(no_mangle)]
pub extern "C" fn handle_request() -> i32 {
    match answer() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("double: {error}");
            1
        }
    }
}

fn answer() -> Result<(), Box<dyn Error>> {
    let request: Request = serde_json::from_str(&io::read_to_string(io::stdin())?)?;
    let response = Response {
        message: format!("Hello, {}. Your value was doubled!", request.name),
        processed_value: request.value.checked_mul(2).ok_or("the value is too large to double")?,
    };

    let mut stdout = io::stdout();
    stdout.write_all(&serde_json::to_vec(&response)?)?;
    // Rust flushes stdout at a newline or when `main` ends. A function guest has neither.
    stdout.flush()?;
    Ok(())
}
