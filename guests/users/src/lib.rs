//! A plugin guest: a transformation that its host calls by name, `transform_data`.
//!
//! It keeps the users over 28 and counts how many it looked at.
//!
//! ```json
//! {"users": [{"name": "Ada", "age": 36}, {"name": "Tim", "age": 19}]}
//! {"filtered_users": [{"name": "Ada", "age": 36}], "processed_count": 2}
//! ```

use std::error::Error;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

const AGE_OVER: u32 = 28;

#[derive(Deserialize)]
struct Input {
    users: Vec<User>,
}

#[derive(Serialize)]
struct Output {
    filtered_users: Vec<User>,
    processed_count: usize,
}

#[derive(Deserialize, Serialize)]
struct User {
    name: String,
    age: u32,
}

#[unsafe(no_mangle)]
pub extern "C" fn transform_data() -> i32 {
    match transform() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("users: {error}");
            1
        }
    }
}

fn transform() -> Result<(), Box<dyn Error>> {
    let input: Input = serde_json::from_str(&io::read_to_string(io::stdin())?)?;
    let output = Output {
        processed_count: input.users.len(),
        filtered_users: input.users.into_iter().filter(|user| user.age > AGE_OVER).collect(),
    };

    let mut stdout = io::stdout();
    stdout.write_all(&serde_json::to_vec(&output)?)?;
    stdout.flush()?;
    Ok(())
}
