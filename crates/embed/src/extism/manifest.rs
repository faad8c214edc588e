//! What a manifest says, field by field, as Extism's crate `extism-manifest` 1.41 has it.
//!
//! That crate is not what reads it: bytes of a module may be written there as an address and a length, which it reads from
//! memory as they are.

use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf};

/// A manifest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// The last one is the plugin, unless another has the name `main`.
    #[serde(default)]
    pub(super) wasm: Vec<Wasm>,
    #[serde(default)]
    pub(super) memory: Memory,
    #[serde(default)]
    pub(super) config: BTreeMap<String, String>,
    pub(super) allowed_hosts: Option<Vec<String>>,
    /// Where a folder is, with `ro:` before it if it is only read, and where the plugin sees it.
    pub(super) allowed_paths: Option<BTreeMap<String, PathBuf>>,
    pub(super) timeout_ms: Option<u64>,
}

/// One module: by its path, its bytes, or its address.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wasm {
    pub(super) path: Option<PathBuf>,
    /// As base64.
    pub(super) data: Option<String>,
    pub(super) url: Option<String>,
    /// Of the request for `url`.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) method: Option<String>,
    pub(super) name: Option<String>,
    /// SHA-256, in hexadecimal digits.
    pub(super) hash: Option<String>,
}

/// Bounds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    /// Of 64 KiB.
    pub(super) max_pages: Option<u32>,
    pub(super) max_http_response_bytes: Option<u64>,
    pub(super) max_var_bytes: Option<u64>,
}
