//! Extism's manifests, in JSON and TOML: what its SDKs load a plugin by, read as grants, limits and configuration.
//!
//! What a manifest says and can't be done is an error, and never passed over: a plugin that got less than it was promised fails
//! later and elsewhere.

mod download;
mod linked;
mod manifest;
mod module;

use crate::{Error, Host, PluginBuilder};
use manifest::{Manifest, Memory};
use sandbar_call::{GrantKind, Resource};
use sandbar_engine::{ExtismBounds, Guest};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The bytes of a page of memory.
const PAGE_BYTES: u64 = 1 << 16;
/// The most bytes of a manifest. It may hold the plugin itself.
const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// A manifest of Extism's: a source of plugins that says what they may do too.
#[derive(Clone, Debug)]
pub struct ExtismManifest {
    manifest: Arc<Manifest>,
    /// Its file, where it was read from one.
    path: Option<PathBuf>,
}

impl ExtismManifest {
    /// Reads a file in JSON or TOML (`.toml`), whose paths are seen from its folder.
    ///
    /// # Errors
    /// The file can't be read, or is no such manifest.
    pub fn read(path: impl AsRef<Path>) -> Result<ExtismManifest, Error> {
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
        Ok(ExtismManifest { manifest: Arc::new(manifest), path: Some(path.to_path_buf()) })
    }

    /// Reads JSON, whose paths are seen from where the plugin's granted folders are: [`PluginBuilder::base`].
    ///
    /// # Errors
    /// It is no such manifest.
    pub fn from_json(text: &str) -> Result<ExtismManifest, Error> {
        let manifest = serde_json::from_str(text)
            .map_err(|error| Error::Manifest { path: "manifest".into(), problem: error.to_string() })?;
        Ok(ExtismManifest { manifest: Arc::new(manifest), path: None })
    }

    /// Lets a plugin have what it says. As in Extism's SDKs with WASI, that has random numbers.
    pub(crate) fn on(&self, mut builder: PluginBuilder) -> PluginBuilder {
        let Manifest { wasm: _, memory, config, allowed_hosts, allowed_paths, timeout_ms } = &*self.manifest;
        if let Some(folder) = self.path.as_deref().and_then(Path::parent) {
            builder = builder.base(folder);
        }
        builder = bounded(builder.grant(GrantKind::Random, "true"), memory);
        if let Some(timeout_ms) = timeout_ms {
            builder = builder.within(Duration::from_millis(*timeout_ms));
        }
        for (key, value) in config {
            builder = builder.config(key, value);
        }
        for host in allowed_hosts.iter().flatten() {
            // Any scheme and any port, as there.
            builder = builder.grant(GrantKind::Http, &format!("*://{host}:*"));
        }
        for (from, to) in allowed_paths.iter().flatten() {
            let (from, access) = from.strip_prefix("ro:").map_or((from.as_str(), "rw"), |from| (from, "ro"));
            builder = builder.grant(GrantKind::Dir, &format!("{from}::{}:{access}", to.display()));
        }
        builder
    }

    /// Reads the guest, by its name there or that of its file.
    pub(crate) fn guest(&self, host: &Host, name: Option<&Arc<str>>, base: &Path) -> Result<Guest, Error> {
        module::guest(host, &self.manifest.wasm, name, base).map_err(|problem| {
            let path = self.path.clone().unwrap_or_else(|| "manifest".into());
            Error::Manifest { path, problem }
        })
    }
}

fn bounded(builder: PluginBuilder, memory: &Memory) -> PluginBuilder {
    let Memory { max_pages, max_http_response_bytes, max_var_bytes } = memory;
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
