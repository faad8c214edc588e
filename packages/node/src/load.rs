//! Loading a plugin: compiling and starting it takes a thread for a while.

use crate::{
    call::{Ended, Ending},
    desk::{Desk, JsDesk, JsEnded},
    error::Failure,
    functions::{self, FunctionGiven},
    here::Here,
    host::host,
    plugin::{Loaded, NativePlugin, Serve, serving},
    pool,
    route::{Route, Ticket},
    values::{copied, whole},
};
use futures::channel::oneshot;
use napi::{
    Result,
    bindgen_prelude::{Either3, Uint8ArraySlice},
};
use napi_derive::napi;
use sandbar_embed::{Error, ExtismManifest, Plugin, Source};
use std::{path::PathBuf, sync::Arc};

/// What a plugin is loaded with.
#[napi(object)]
pub struct LoadGiven {
    /// The plugin's key, by which JavaScript knows its functions.
    pub key: u32,
    /// What [`sandbar_embed::PluginBuilder::options`] takes.
    pub options: String,
    /// Its functions.
    pub functions: Vec<FunctionGiven>,
    /// Whether JavaScript hears its log.
    pub is_heard: bool,
}

/// Where a plugin comes from, as JavaScript gives it: a path, bytes, or a manifest of Extism.
pub(crate) type SourceGiven<'a> = Either3<String, Uint8ArraySlice<'a>, ManifestGiven>;

/// A manifest of Extism's.
#[napi(object)]
pub struct ManifestGiven {
    /// As JSON.
    pub manifest: String,
}

/// Begins to load a plugin. The message of its end has nothing but a failure; otherwise it waits to be fetched.
#[napi]
pub fn load(desk: &JsDesk, ticket: f64, from: SourceGiven<'_>, given: LoadGiven) {
    let (desk, ticket, from) = (desk.0.clone(), whole(ticket), source(from));
    let ending = Ending::new(&desk, ticket);
    // What can't run is dropped, which tells its end.
    let _ = pool::spawn(async move {
        let loaded = Route::Desk(desk.clone(), ticket).within(|| loaded(&desk, from, &given));
        ending.tell(left(&desk, ticket, loaded));
    });
}

/// Loads a plugin while JavaScript waits: on another thread, since its start code may call functions.
#[napi]
pub fn load_sync(desk: &JsDesk, ticket: f64, from: SourceGiven<'_>, given: LoadGiven, serve: Serve<'_>) -> JsEnded {
    let (desk, ticket, from, here) = (desk.0.clone(), whole(ticket), source(from), Here::new());
    let (sender, came) = oneshot::channel();
    let (route, at) = (Route::Here(here.clone()), desk.clone());
    let _ = pool::spawn(async move {
        let _ = sender.send(route.within(|| loaded(&at, from, &given)));
    });
    let lost = |_| Err(Failure::of_setup("the host panicked, or has no thread for it"));
    let loaded = here.drive(came, serving(serve)).unwrap_or_else(lost);
    left(&desk, ticket, loaded).into()
}

/// Fetches a plugin that was loaded.
#[napi]
pub fn fetch(desk: &JsDesk, ticket: f64, given: LoadGiven) -> Result<NativePlugin> {
    let missing = || napi::Error::from_reason("no such plugin was loaded");
    let plugin = desk.0.fetch_plugin(whole(ticket)).ok_or_else(missing)?;
    let has_functions = !given.functions.is_empty();
    let may_block = functions::may_block(&given.functions);
    Ok(NativePlugin::new(Loaded { plugin, desk: desk.0.clone(), has_functions, may_block }))
}

/// Where a plugin comes from.
pub(crate) fn source(given: SourceGiven<'_>) -> std::result::Result<Source, Error> {
    Ok(match given {
        Either3::A(path) => Source::File(PathBuf::from(path)),
        Either3::B(bytes) => Source::Bytes(copied(&bytes)),
        Either3::C(given) => ExtismManifest::from_json(&given.manifest)?.into(),
    })
}

fn loaded(
    desk: &Arc<Desk>,
    from: std::result::Result<Source, Error>,
    given: &LoadGiven,
) -> std::result::Result<Plugin, Failure> {
    let from = from.map_err(|error| Failure::from(&error))?;
    let host = host().map_err(|message| Failure::of_setup(&message))?;
    let options = serde_json::from_str(&given.options).map_err(|error| Failure::of_options(&error.to_string()))?;
    let builder = host.plugin(from).options(&options).map_err(|error| Failure::from(&error))?;
    let builder = functions::add(builder, &given.functions, desk, given.key);
    let mut builder = builder.map_err(|message| Failure::of_options(&message))?;
    if given.is_heard {
        let (desk, key) = (desk.clone(), given.key);
        builder = builder.log(move |record| desk.log(key, record));
    }
    builder.load().map_err(|error| Failure::from(&error))
}

fn left(desk: &Desk, ticket: Ticket, loaded: std::result::Result<Plugin, Failure>) -> Ended {
    match loaded {
        Ok(plugin) => {
            desk.leave_plugin(ticket, plugin);
            Ended::well()
        }
        Err(failure) => Ended::failed(failure),
    }
}
