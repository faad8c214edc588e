//! A plugin: loaded, described, replaced, freed.

use crate::{
    buffer::{self, Buffer},
    error::Error,
    host::Host,
    pointer::{self, handle, null},
    status::{Status, always, ends},
    terms::Terms,
};
use bytes::Bytes;
use sandbar_embed::{ExtismManifest, Source};
use serde_json::json;
use std::ffi::{c_char, c_void};

/// A guest that is loaded, with its grants and limits. Any thread can use it. It keeps its host.
#[derive(Debug)]
pub struct Plugin(pub(crate) sandbar_embed::Plugin);

/// Loads a plugin from a file, binary or text, with terms or, where `terms` is null, with none. It is freed by
/// `sandbar_plugin_free`.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_plugin_load_file_v1(
    host: Option<&Host>,
    path: *const c_char,
    terms: Option<&Terms>,
    plugin: *mut *mut Plugin,
    error: *mut *mut Error,
) -> Status {
    ends(error, || load(host, pointer::path(path, "path").map(Source::from), terms, plugin))
}

/// Loads a plugin from bytes, binary or text, which are copied. Otherwise as `sandbar_plugin_load_file`.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_plugin_load_bytes_v1(
    host: Option<&Host>,
    wasm: *const c_void,
    wasm_length: usize,
    terms: Option<&Terms>,
    plugin: *mut *mut Plugin,
    error: *mut *mut Error,
) -> Status {
    ends(error, || load(host, bytes(wasm, wasm_length), terms, plugin))
}

/// Loads a plugin by a manifest of Extism's in JSON, which says where its module is and what it may do; terms say more. Paths are
/// seen from the folder `base` of the terms, or from where the process is. Otherwise as `sandbar_plugin_load_file`.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_plugin_load_extism_v1(
    host: Option<&Host>,
    manifest: *const c_char,
    terms: Option<&Terms>,
    plugin: *mut *mut Plugin,
    error: *mut *mut Error,
) -> Status {
    let source = || Ok(ExtismManifest::from_json(pointer::text(manifest, "manifest")?)?.into());
    ends(error, || load(host, source(), terms, plugin))
}

fn load(
    host: Option<&Host>,
    source: Result<Source, Error>,
    terms: Option<&Terms>,
    plugin: *mut *mut Plugin,
) -> Result<(), Error> {
    pointer::give(plugin, None);
    let (host, source) = (handle(host, "host")?, source?);
    if plugin.is_null() {
        return Err(null("plugin"));
    }
    let builder = host.0.plugin(source);
    let builder = match terms {
        Some(terms) => terms.on(builder)?,
        None => builder,
    };
    pointer::give(plugin, Some(Plugin(builder.load()?)));
    Ok(())
}

fn bytes(wasm: *const c_void, length: usize) -> Result<Source, Error> {
    Ok(Source::Bytes(Bytes::copy_from_slice(pointer::bytes(wasm, length, "wasm")?)))
}

/// Replaces a plugin by a file: new calls go to the new version as soon as it has loaded and passed the self-test, those that run end
/// on the old one. What can't be loaded changes nothing.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_plugin_replace_file_v1(
    plugin: Option<&Plugin>,
    path: *const c_char,
    error: *mut *mut Error,
) -> Status {
    ends(error, || Ok(handle(plugin, "plugin")?.0.replace(pointer::path(path, "path")?)?))
}

/// Replaces a plugin by bytes, which are copied. Otherwise as `sandbar_plugin_replace_file`.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_plugin_replace_bytes_v1(
    plugin: Option<&Plugin>,
    wasm: *const c_void,
    wasm_length: usize,
    error: *mut *mut Error,
) -> Status {
    ends(error, || Ok(handle(plugin, "plugin")?.0.replace(bytes(wasm, wasm_length)?)?))
}

/// Goes back to the version before the last replacement, which is kept while the new one is on probation. Gives whether there was one.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_plugin_roll_back_v1(plugin: Option<&Plugin>) -> bool {
    let mut went = false;
    always(|| went = plugin.is_some_and(|plugin| plugin.0.roll_back()));
    went
}

/// Writes what a plugin is as JSON: `name`, `digest`, and `exports`, the names of what can be called.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_plugin_describe_v1(
    plugin: Option<&Plugin>,
    description: *mut Buffer,
    error: *mut *mut Error,
) -> Status {
    ends(error, || {
        let plugin = &handle(plugin, "plugin")?.0;
        let told = json!({
            "name": &*plugin.name(), "digest": plugin.digest().to_string(), "exports": plugin.exports(),
        });
        buffer::fill(description, told.to_string().as_bytes())
    })
}

/// Frees a plugin; null is none. No call of it may run or follow.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_plugin_free_v1(plugin: Option<Box<Plugin>>) {
    always(|| drop(plugin));
}
