//! The modules that a manifest names: files, bytes and downloads, each by its hash where it has one.

use super::{download::download, manifest::Wasm};
use crate::Host;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use sandbar_engine::Guest;
use std::{fs, path::Path, pin::pin, sync::Arc};

/// Reads the one module.
pub(super) fn guest(host: &Host, wasm: &[Wasm], name: Option<&Arc<str>>, base: &Path) -> Result<Guest, String> {
    let wasm = match wasm {
        [wasm] => wasm,
        [] => return Err("expected a module under `wasm`, found none".into()),
        several => {
            let count = several.len();
            return Err(format!(
                "expected one module under `wasm`, found {count}; link them into one, such as by `wasm-merge`"
            ));
        }
    };
    let (bytes, file) = bytes(host, wasm, base)?;
    // What Extism calls the main module is no name that tells plugins apart.
    let named = wasm.name.clone().filter(|name| name != "main").or(file).unwrap_or_else(|| "plugin".into());
    let guest = host.engine().read(name.cloned().unwrap_or_else(|| named.into()), bytes);
    let guest = guest.map_err(|error| error.to_string())?;
    if let Some(hash) = &wasm.hash {
        let is = guest.digest().to_string();
        if is.strip_prefix("sha256:") != Some(hash.to_ascii_lowercase().as_str()) {
            return Err(format!("expected a module whose `hash` is `{}`, found `{is}`", hash.escape_debug()));
        }
    }
    Ok(guest)
}

/// The bytes of a module, and the name of its file.
fn bytes(host: &Host, wasm: &Wasm, base: &Path) -> Result<(Bytes, Option<String>), String> {
    match (&wasm.path, &wasm.data, &wasm.url) {
        (Some(path), None, None) => {
            let path = base.join(path);
            let read = fs::read(&path);
            let read = read.map_err(|error| format!("can't read the module `{}`: {error}", path.display()))?;
            Ok((read.into(), stem(&path)))
        }
        (None, Some(data), None) => {
            let bytes = BASE64_STANDARD.decode(data);
            Ok((bytes.map_err(|error| format!("`data`: expected base64: {error}"))?.into(), None))
        }
        (None, None, Some(url)) => {
            let came = host.block_on(pin!(download(url, wasm)));
            let came = came.map_err(|problem| format!("can't download the module `{}`: {problem}", shown(url)))?;
            Ok((came, stem(Path::new(shown(url)))))
        }
        _ => Err("a module has one of `path`, `data` and `url`".into()),
    }
}

fn stem(path: &Path) -> Option<String> {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned())
}

/// An address without what may be secret in it.
fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}
