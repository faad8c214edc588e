//! Golden files: what a test expects, kept as data. `UPDATE_GOLDEN=1` writes them anew.

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A folder or file, seen from the crate.
pub(crate) fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares a text with its golden file.
#[allow(dead_code, reason = "each test program uses a part of this file")]
pub(crate) fn check(golden: &Path, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return fs::write(golden, text).unwrap();
    }
    let expected = fs::read_to_string(golden).unwrap_or_default();
    assert_eq!(text, expected, "{} differs; UPDATE_GOLDEN=1 writes it anew", golden.display());
}

/// Compares a JSON value with its golden file; the order of keys does not matter.
#[allow(dead_code, reason = "each test program uses a part of this file")]
pub(crate) fn check_json(golden: &Path, value: &Value) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return fs::write(golden, format!("{value:#}\n")).unwrap();
    }
    let expected = fs::read_to_string(golden).unwrap_or_default();
    let expected: Value = serde_json::from_str(&expected).unwrap_or_default();
    assert_eq!(*value, expected, "{} differs; UPDATE_GOLDEN=1 writes it anew", golden.display());
}
