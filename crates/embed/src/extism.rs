//! Extism's manifests, in JSON and TOML: what its SDKs load a plugin by, read as grants, limits and configuration.
//!
//! Fields and forms: the crate `extism-manifest`, 1.41. What a manifest can say and this can't do is an error, and never
//! passed over: a plugin that got less than it was promised fails later and elsewhere.

use crate::{Error, Host, PluginBuilder};
use bytes::Bytes;
use extism_manifest::{Manifest, MemoryOptions, Wasm, WasmMetadata};
use sandbar_call::{GrantKind, Resource};
use sandbar_engine::{ExtismBounds, Guest};
use std::{fs, path::Path, time::Duration};

/// The bytes of a page of memory.
const PAGE_BYTES: u64 = 1 << 16;
/// The most bytes of a manifest. It may hold the plugin itself.
const MANIFEST_BYTES_MAX: u64 = 256 << 20;

impl Host {
    /// Describes a plugin by a manifest of Extism's, a file in JSON or TOML (`.toml`), whose paths are seen from its folder. As
    /// in Extism's SDKs with WASI the plugin has random numbers.
    ///
    /// # Errors
    /// The file can't be read, is no such manifest, or asks for what is not there: modules that are linked, or come from a URL.
    pub fn extism(&self, path: impl AsRef<Path>) -> Result<PluginBuilder, Error> {
        let path = path.as_ref();
        let told = |problem: String| Error::Manifest { path: path.to_path_buf(), problem };
        let bytes = fs::metadata(path).and_then(|meta| match meta.len() {
            0..=MANIFEST_BYTES_MAX => fs::read_to_string(path),
            _ => Err(std::io::Error::other(format!("it has more than {MANIFEST_BYTES_MAX} bytes"))),
        });
        let text = bytes.map_err(|error| told(error.to_string()))?;
        let manifest: Manifest = match path.extension() {
            Some(extension) if extension == "toml" => toml::from_str(&text).map_err(|error| told(error.to_string()))?,
            _ => serde_json::from_str(&text).map_err(|error| told(error.to_string()))?,
        };
        let base = path.parent().unwrap_or(Path::new("."));
        described(self, manifest, base).map_err(told)
    }
}

fn described(host: &Host, manifest: Manifest, base: &Path) -> Result<PluginBuilder, String> {
    let Manifest { wasm, memory, config, allowed_hosts, allowed_paths, timeout_ms } = manifest;
    let builder = host.plugin(guest(wasm, base)?).base(base).grant(GrantKind::Random, "true");
    let mut builder = bounded(builder, &memory);
    if let Some(timeout_ms) = timeout_ms {
        builder = builder.within(Duration::from_millis(timeout_ms));
    }
    for (key, value) in config {
        builder = builder.config(key, value);
    }
    for host in allowed_hosts.unwrap_or_default() {
        // Any scheme and any port, as there.
        builder = builder.grant(GrantKind::Http, &format!("*://{host}:*"));
    }
    for (from, to) in allowed_paths.unwrap_or_default() {
        let (from, access) = from.strip_prefix("ro:").map_or((from.as_str(), "rw"), |from| (from, "ro"));
        builder = builder.grant(GrantKind::Dir, &format!("{from}::{}:{access}", to.display()));
    }
    Ok(builder)
}

/// The one module, by its name or that of its file.
fn guest(wasm: Vec<Wasm>, base: &Path) -> Result<Guest, String> {
    let [wasm] = <[Wasm; 1]>::try_from(wasm).map_err(|all| match all.len() {
        0 => "expected a module under `wasm`, found none".to_owned(),
        count => {
            format!("expected one module under `wasm`, found {count}; link them into one, such as by `wasm-merge`")
        }
    })?;
    let WasmMetadata { name, hash } = wasm.meta().clone();
    // What Extism calls the main module is no name that tells plugins apart.
    let name = name.filter(|name| name != "main");
    let (bytes, name): (Bytes, _) = match wasm {
        Wasm::File { path, .. } => {
            let path = base.join(path);
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            let read =
                fs::read(&path).map_err(|error| format!("can't read the module `{}`: {error}", path.display()))?;
            (read.into(), name.or(stem))
        }
        Wasm::Data { data, .. } => (data.into(), name),
        Wasm::Url { req, .. } => {
            return Err(format!("the module comes from `{}`; download it and name its `path` instead", req.url));
        }
    };
    let guest = Guest::from_bytes(name.unwrap_or_else(|| "plugin".into()), bytes).map_err(|error| error.to_string())?;
    if let Some(hash) = hash {
        let is = guest.digest().to_string();
        if is.strip_prefix("sha256:") != Some(hash.to_ascii_lowercase().as_str()) {
            return Err(format!("expected a module whose `hash` is `{}`, found `{is}`", hash.escape_debug()));
        }
    }
    Ok(guest)
}

fn bounded(builder: PluginBuilder, memory: &MemoryOptions) -> PluginBuilder {
    let MemoryOptions { max_pages, max_http_response_bytes, max_var_bytes } = memory;
    let usual = ExtismBounds::default();
    let builder = builder.extism_bounds(ExtismBounds {
        variables_bytes: max_var_bytes.unwrap_or(usual.variables_bytes),
        answer_bytes: max_http_response_bytes.unwrap_or(usual.answer_bytes),
    });
    match max_pages {
        Some(pages) => builder.limit(Resource::Memory, u64::from(*pages).saturating_mul(PAGE_BYTES)),
        None => builder,
    }
}
