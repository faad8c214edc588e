//! A plugin that JavaScript has.

use crate::{
    call::{Came, Ended, Ending, InputGiven, Order, Wants, ended},
    desk::{Desk, JsEnded},
    error::Failure,
    here::Here,
    load::{SourceGiven, source},
    pool,
    route::{Asked, Route, Ticket},
    scratch,
    values::{JsGiven, JsReply, Reply, copied, whole},
};
use futures::channel::oneshot;
use napi::{
    Env, JsString, Result,
    bindgen_prelude::{Either, FnArgs, Function},
};
use napi_derive::napi;
use sandbar_embed::{Guest, Input, Plugin, Shape, Watch, inspect::Kind};
use std::sync::Arc;

/// What serves functions while JavaScript waits: index, what the guest gives, the call's name, and when it has to have ended
/// in nanoseconds of the monotonic clock.
pub(crate) type Serve<'a> = Function<'a, FnArgs<(u32, JsGiven, String, f64)>, JsReply>;

/// A plugin that was loaded, and where its messages go.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) plugin: Plugin,
    pub(crate) desk: Arc<Desk>,
    pub(crate) has_functions: bool,
    /// Whether a call may block its thread for a function.
    pub(crate) may_block: bool,
}

/// A plugin in JavaScript.
#[napi]
pub struct NativePlugin {
    loaded: Option<Loaded>,
    /// Names of exports, by their numbers.
    names: Vec<String>,
}

/// A file that is watched.
#[napi]
pub struct NativeWatch(Option<Watch>);

/// What a host can call.
#[napi(object)]
pub struct ExportGiven {
    /// Its name.
    pub name: String,
    /// Whether it takes arguments, and not stdin.
    pub is_typed: bool,
}

/// What a plugin is.
#[napi(object)]
pub struct GuestGiven {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// Whether it is a component.
    pub is_component: bool,
    /// What a host can call.
    pub exports: Vec<ExportGiven>,
}

#[napi]
impl NativePlugin {
    /// Gives the number by which an export's name is known in quick calls.
    #[napi]
    pub fn number(&mut self, export: String) -> u32 {
        let at = self.names.iter().position(|name| *name == export).unwrap_or_else(|| {
            self.names.push(export);
            self.names.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// Begins a call, and gives its end if that comes before the guest waits or has computed for a while; otherwise its end is a
    /// message.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "an object of them takes longer to read than a small call to run")]
    pub fn call(
        &self,
        ticket: f64,
        export: String,
        input: InputGiven<'_>,
        wants: u32,
        within_ms: f64,
        until_ns: f64,
    ) -> Result<Option<JsEnded>> {
        let Loaded { plugin, desk, has_functions, .. } = self.loaded()?.clone();
        let ticket = whole(ticket);
        let order = Order::read(export, input, wants, (within_ms, until_ns));
        let order = Order { cancel: Some(desk.begin(ticket)), ..order };
        let ending = Ending::new(&desk, ticket);
        if !has_functions {
            let call = async move {
                let ended = order.run(&plugin, None).await;
                drop(plugin);
                ending.tell(ended);
            };
            return Ok(desk.at_once(ticket, || pool::start(call)).map(Into::into));
        }
        let _ = pool::spawn(async move {
            let route = Route::Desk(desk, ticket);
            let ended = route.clone().along(order.run(&plugin, Some(route))).await;
            drop(plugin);
            ending.tell(ended);
        });
        Ok(None)
    }

    /// Calls an export by its number while JavaScript waits, of a plugin without functions, with JSON, and wants no more than its
    /// answer.
    #[napi]
    pub fn quick<'env>(&self, env: &'env Env, number: u32, json: String) -> Result<Either<JsString<'env>, JsEnded>> {
        shown(env, self.ended_quickly(number, Input::Json(json.into()), false)?)
    }

    /// As `quick`, with bytes in and out. An answer that is not larger than JavaScript's scratch is there, and this its length: to
    /// make an array for it here takes as long as a small call.
    #[napi]
    pub fn quick_bytes(&self, number: u32, input: InputGiven<'_>) -> Result<Either<u32, JsEnded>> {
        let input = match input {
            Either::A(text) => text.into(),
            Either::B(bytes) => copied(&bytes),
        };
        Ok(shortly(self.ended_quickly(number, Input::Bytes(input), true)?))
    }

    /// As `quick_bytes`, with an input of this length in JavaScript's scratch.
    #[napi]
    pub fn quick_small(&self, number: u32, length: u32) -> Result<Either<u32, JsEnded>> {
        Ok(shortly(self.ended_quickly(number, Input::Bytes(scratch::take(length)), true)?))
    }

    /// Calls while JavaScript waits. A ticket, where it is not zero, lets the call be cancelled.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "as for `call`")]
    pub fn call_sync<'env>(
        &self,
        env: &'env Env,
        ticket: f64,
        export: String,
        input: InputGiven<'_>,
        wants: u32,
        within_ms: f64,
        until_ns: f64,
        serve: Serve<'_>,
    ) -> Result<Either<JsString<'env>, JsEnded>> {
        let loaded = self.loaded()?.clone();
        let (ticket, desk) = (whole(ticket), loaded.desk.clone());
        let mut order = Order::read(export, input, wants, (within_ms, until_ns));
        if ticket > 0 {
            order.cancel = Some(desk.begin(ticket));
        }
        let ended = loaded.run_here(order, serve);
        if ticket > 0 {
            desk.forget(ticket);
        }
        shown(env, ended)
    }

    /// Begins to replace it, whose end is a message.
    #[napi]
    pub fn replace(&self, ticket: f64, from: SourceGiven<'_>) -> Result<()> {
        let Loaded { plugin, desk, .. } = self.loaded()?.clone();
        let (ticket, from) = (whole(ticket), source(from));
        let ending = Ending::new(&desk, ticket);
        let _ = pool::spawn(async move {
            let replaced = Route::Desk(desk, ticket).within(|| from.and_then(|from| plugin.replace(from)));
            drop(plugin);
            ending.tell(replaced_as(replaced));
        });
        Ok(())
    }

    /// Goes back to the version before the last replacement, where there is one still.
    #[napi]
    pub fn roll_back(&self) -> Result<bool> {
        Ok(self.loaded()?.plugin.roll_back())
    }

    /// Watches a file; each replacement is a message.
    #[napi]
    pub fn watch(&self, ticket: f64, path: String) -> Result<NativeWatch> {
        let Loaded { plugin, desk, .. } = self.loaded()?.clone();
        let ticket: Ticket = whole(ticket);
        let watch = plugin.watch(path, move |replaced| desk.end(ticket, replaced_as(replaced)));
        Ok(NativeWatch(Some(watch.map_err(|error| napi::Error::from_reason(error.to_string()))?)))
    }

    /// What it is now.
    #[napi]
    pub fn guest(&self) -> Result<GuestGiven> {
        let plugin = &self.loaded()?.plugin;
        let guest = plugin.guest();
        let exports = plugin.exports().into_iter();
        let exports = exports.map(|name| ExportGiven { is_typed: is_typed(&guest, &name), name }).collect();
        Ok(GuestGiven {
            name: plugin.name().to_string(),
            digest: plugin.digest().to_string(),
            is_component: is_component(&guest),
            exports,
        })
    }

    /// Its digest now.
    #[napi]
    pub fn digest(&self) -> Result<String> {
        Ok(self.loaded()?.plugin.digest().to_string())
    }

    /// Lets it go, as soon as its calls have ended.
    #[napi]
    pub fn close(&mut self) {
        self.loaded = None;
    }
}

#[napi]
impl NativeWatch {
    /// Stops to watch. A replacement that is under way goes on for as long as it takes, and nobody waits for it.
    #[napi]
    pub fn stop(&mut self) {
        if let Some(watch) = self.0.take() {
            let _ = pool::spawn(async move { drop(watch) });
        }
    }
}

impl Drop for NativeWatch {
    fn drop(&mut self) {
        self.stop();
    }
}

impl NativePlugin {
    pub(crate) fn new(loaded: Loaded) -> NativePlugin {
        NativePlugin { loaded: Some(loaded), names: Vec::new() }
    }

    fn ended_quickly(&self, number: u32, input: Input, bytes: bool) -> Result<Ended> {
        let name =
            self.names.get(number as usize).ok_or_else(|| napi::Error::from_reason("no export has this number"))?;
        let answer = self.loaded()?.plugin.calling(name).answer(input);
        Ok(ended(name, answer, Wants { bytes, receipt: false }, None))
    }

    fn loaded(&self) -> Result<&Loaded> {
        self.loaded.as_ref().ok_or_else(|| napi::Error::from_reason("the plugin is closed"))
    }
}

impl Loaded {
    /// Runs a call while this thread, which is JavaScript's, waits for it.
    fn run_here(self, order: Order, serve: Serve<'_>) -> Ended {
        if !self.has_functions {
            return order.run_here(&self.plugin);
        }
        let here = Here::new();
        let route = Route::Here(here.clone());
        if !self.may_block || is_component(&self.plugin.guest()) {
            return here.drive(route.clone().along(order.run(&self.plugin, Some(route))), serving(serve));
        }
        let (sender, came) = oneshot::channel();
        let plugin = self.plugin;
        let _ = pool::spawn(async move {
            let _ = sender.send(route.clone().along(order.run(&plugin, Some(route))).await);
        });
        let lost = |_| Ended::failed(Failure::of_host("the host panicked, or has no thread for it"));
        here.drive(came, serving(serve)).unwrap_or_else(lost)
    }
}

/// How long the answer is that was put into JavaScript's scratch, or an object.
fn shortly(ended: Ended) -> Either<u32, JsEnded> {
    let length = match &ended {
        Ended { came: Ok(Some(Came::Bytes(bytes))), receipt: None } => scratch::put(bytes),
        _ => None,
    };
    length.map_or_else(|| Either::B(ended.into()), Either::A)
}

/// A text that is all there is, or an object.
fn shown<'env>(env: &'env Env, ended: Ended) -> Result<Either<JsString<'env>, JsEnded>> {
    match ended {
        Ended { came: Ok(Some(Came::Text(text))), receipt: None } => Ok(Either::A(env.create_string(text.as_str())?)),
        ended => Ok(Either::B(ended.into())),
    }
}

/// Serves what guests ask for by a function of JavaScript.
#[allow(clippy::cast_precision_loss, reason = "a deadline is known to the microsecond for centuries")]
pub(crate) fn serving(serve: Serve<'_>) -> impl FnMut(Asked) {
    move |asked| {
        let Asked { index, given, call, deadline_ns, reply, .. } = asked;
        let served = serve.call((index, given.into(), call, deadline_ns as f64).into());
        // Its call may have ended.
        let _ = reply.send(match served {
            Ok(given) => given.into(),
            Err(error) => Reply::failed(error.reason.to_string()),
        });
    }
}

fn replaced_as(replaced: std::result::Result<(), sandbar_embed::Error>) -> Ended {
    replaced.map_or_else(|error| Ended::failed(Failure::from(&error)), |()| Ended::well())
}

fn is_typed(guest: &Guest, export: &str) -> bool {
    let found = guest.summary().candidates.iter().find(|candidate| candidate.export.as_deref() == Some(export));
    found.is_none_or(|candidate| candidate.shape == Shape::Typed)
}

fn is_component(guest: &Guest) -> bool {
    guest.summary().kind == Kind::Component
}
