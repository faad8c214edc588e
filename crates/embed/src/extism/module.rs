//! The modules that a manifest names: files, bytes and downloads, each by its hash where it has one.

use super::{
    download::download,
    linked::{Part, linked},
    manifest::Wasm,
};
use crate::Host;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use sandbar_engine::{Guest, inspect::Kind};
use std::{fs, path::Path, pin::pin, sync::Arc};

/// What Extism calls the plugin's own module, which is no name that tells plugins apart.
const MAIN: &str = "main";

/// Reads the plugin, from one module or several that are linked.
pub(super) fn guest(host: &Host, wasm: &[Wasm], name: Option<&Arc<str>>, base: &Path) -> Result<Guest, String> {
    let is_main = |wasm: &Wasm| wasm.name.as_deref() == Some(MAIN);
    let main = wasm.iter().position(is_main).or(wasm.len().checked_sub(1));
    let Some((at, main)) = main.and_then(|at| Some((at, wasm.get(at)?))) else {
        return Err("expected a module under `wasm`, found none".into());
    };
    let main = read(host, main, name, base)?;
    let others = wasm.iter().enumerate().filter(|(other, _)| *other != at);
    let others = others.map(|(_, wasm)| read(host, wasm, None, base)).collect::<Result<Vec<_>, _>>()?;
    if others.is_empty() {
        return Ok(main);
    }
    if let Some(component) = others.iter().chain([&main]).find(|guest| guest.summary().kind == Kind::Component) {
        return Err(format!("`{}` is a component, expected core modules to link", component.name().escape_debug()));
    }
    let others = others.iter().map(|other| (&**other.name(), other));
    let parts = others.chain([(MAIN, &main)]);
    let parts: Vec<Part> = parts.map(|(name, guest)| Part { name: name.into(), wasm: guest.bytes().clone() }).collect();
    host.engine().read(main.name().clone(), linked(&parts)?).map_err(|error| error.to_string())
}

/// Reads one module, by its hash where it has one, and by its name or that of its file.
fn read(host: &Host, wasm: &Wasm, name: Option<&Arc<str>>, base: &Path) -> Result<Guest, String> {
    let (bytes, file) = bytes(host, wasm, base)?;
    let named = wasm.name.clone().filter(|name| name != MAIN).or(file).unwrap_or_else(|| "plugin".into());
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

/// An address without what may be secret in it: a user before the host, and a query.
fn shown(url: &str) -> &str {
    let shown = url.split(['?', '#']).next().unwrap_or_default();
    shown.rsplit_once('@').map_or(shown, |(_, host)| host)
}
