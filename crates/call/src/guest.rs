//! What names a guest and says how it is called.

use alloc::{string::String, sync::Arc};
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The name of a guest in its app.
pub type GuestName = Arc<str>;

/// The SHA-256 digest of a guest's bytes, which names it. Written as in OCI: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::str::FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a digest is `sha256:` and 64 hexadecimal digits";
        let hex = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.is_ascii()).ok_or(FORM)?;
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or(FORM)?;
        }
        Ok(Digest(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// How a guest is called. Found from its exports, never forced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A program with one entry that runs to its end: `_start`, or `wasi:cli/run`.
    Command,
    /// An export without parameters that reads stdin and writes stdout.
    Function,
    /// An export called with typed arguments.
    Typed,
    /// A `wasi:http` handler.
    Http,
}

impl Shape {
    /// Its name in a manifest and in a receipt.
    pub const fn key(self) -> &'static str {
        match self {
            Shape::Command => "command",
            Shape::Function => "function",
            Shape::Typed => "typed",
            Shape::Http => "http",
        }
    }
}

/// The encoding of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Dialect {
    /// Plain core WebAssembly: numbers, and bytes in memory.
    #[serde(rename = "core")]
    Core,
    /// WASI 0.1, `wasi_snapshot_preview1`.
    #[serde(rename = "wasi-0.1")]
    Wasi01,
    /// Extism, `extism:host/env`.
    #[serde(rename = "extism")]
    Extism,
    /// WASI 0.2 components.
    #[serde(rename = "wasi-0.2")]
    Wasi02,
    /// WASI 0.3 components, with async.
    #[serde(rename = "wasi-0.3")]
    Wasi03,
}

impl Dialect {
    /// Its name in a report.
    pub const fn key(self) -> &'static str {
        match self {
            Dialect::Core => "core",
            Dialect::Wasi01 => "wasi-0.1",
            Dialect::Extism => "extism",
            Dialect::Wasi02 => "wasi-0.2",
            Dialect::Wasi03 => "wasi-0.3",
        }
    }
}
