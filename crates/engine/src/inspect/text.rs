//! Turns WebAssembly text into its binary form.

use super::{Malformed, TEXT_BYTES_MAX};
use std::borrow::Cow;

/// Every binary starts with this.
const MAGIC: &[u8] = b"\0asm";
/// How many of the first bytes an error shows.
const SHOWN_BYTES: usize = 8;
/// The most characters of a line, and the most lines, that an error shows of a text.
const EXCERPT: (usize, usize) = (160, 12);

/// Gives the binary form of a guest: the bytes themselves, or what their text says.
///
/// # Errors
/// Bytes that are neither a binary nor text, and text that has an error, with line, column and an excerpt.
pub fn binary(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, [u8]>, Malformed> {
    if bytes.starts_with(MAGIC) {
        return Ok(bytes);
    }
    let Some(text) = std::str::from_utf8(&bytes).ok().filter(|text| !text.trim_start().is_empty()) else {
        return Err(Malformed::Unknown { found: hexadecimal(&bytes) });
    };
    if text.len() as u64 > TEXT_BYTES_MAX {
        return Err(Malformed::LargeText { bytes: text.len() as u64 });
    }
    wat::parse_str(text).map(Cow::Owned).map_err(|error| Malformed::Text { report: excerpt(&error.to_string()) })
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02x}")).collect();
    digits.join(" ")
}

/// Cuts long lines, and drops what a terminal would obey. The text has no file name here, so its place is named by line
/// and column alone.
fn excerpt(report: &str) -> String {
    let (line_chars, lines) = EXCERPT;
    let clean = |line: &str| -> String {
        line.replace("<anon>:", "line:column ").chars().filter(|c| !c.is_control()).take(line_chars).collect()
    };
    report.lines().take(lines).map(clean).collect::<Vec<_>>().join("\n")
}
