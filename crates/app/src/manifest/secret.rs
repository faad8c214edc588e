//! What of a manifest is never shown: the values of environment variables, and of arguments such as
//! `--token=…`. A problem is drawn into a log when a running app
//! reads its manifest again, so the line beside it has to be safe.

use toml::de::{DeArray, DeTable, DeValue};

/// Lists whose entries hold no secret, so that they are shown as they are. A list under a mistyped key is not among them.
const SHOWN: &[&str] = &["dir", "http", "tcp", "udp", "lookup"];

/// Stars out what follows a `=` in other lists of texts, byte for byte.
pub(crate) fn mask(text: &str, document: &DeTable<'_>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    mask_table(&mut bytes, document);
    String::from_utf8(bytes).unwrap_or_default()
}

fn mask_table(bytes: &mut [u8], table: &DeTable<'_>) {
    for (key, item) in table {
        match item.get_ref() {
            DeValue::Table(inner) => mask_table(bytes, inner),
            DeValue::String(_) if matches!(key.get_ref().as_ref(), "env" | "args") => mask_entry(bytes, item.span()),
            DeValue::Array(items) => mask_list(bytes, key.get_ref(), items),
            _ => {}
        }
    }
}

fn mask_list(bytes: &mut [u8], key: &str, items: &DeArray<'_>) {
    for item in items {
        match item.get_ref() {
            DeValue::Table(inner) => mask_table(bytes, inner),
            DeValue::String(entry) if entry.contains('=') && !SHOWN.contains(&key) => mask_entry(bytes, item.span()),
            _ => {}
        }
    }
}

/// Stars out what follows the first `=` of an entry, up to its closing quotes.
fn mask_entry(bytes: &mut [u8], at: std::ops::Range<usize>) {
    let Some(entry) = bytes.get_mut(at) else { return };
    let quotes = entry.iter().rev().take_while(|&&byte| byte == b'"' || byte == b'\'').count();
    let end = entry.len().saturating_sub(quotes);
    let value = entry.iter().position(|&byte| byte == b'=').map_or(end, |equals| equals + 1);
    for byte in entry.get_mut(value..end).into_iter().flatten().filter(|byte| **byte != b'\n') {
        *byte = b'*';
    }
}
