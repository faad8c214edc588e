//! Functions of the host that are JavaScript's.
//!
//! Most of them let the guest's call wait, which takes no thread. Two kinds need the guest's own state to give their result: one
//! without a form, whose result's type only the guest's import tells, and one that gives a block. These block the thread, so
//! the JavaScript thread itself never runs a plugin that has one.

use crate::{
    desk::Desk,
    form,
    host::monotonic_ns,
    route::{Along, Asked, Route},
    values::{Given, Reply, Value},
};
use futures::{FutureExt, channel::oneshot, future::BoxFuture};
use napi_derive::napi;
use sandbar_embed::{
    Cancel, Function, HostCall, HostError, PluginBuilder, Resource,
    dynamic::{self, Form, Kind},
};
use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

/// A function of JavaScript, but for itself: its place in the list is its name there.
#[napi(object)]
pub struct FunctionGiven {
    /// The module of a core import, or the interface of a component's.
    pub module: String,
    /// Its name there.
    pub name: String,
    /// What it takes and gives, for core modules.
    pub form: Option<String>,
}

/// What asks JavaScript for the functions of one plugin.
#[derive(Clone)]
struct Asking {
    /// For what has no call of its own: start code when a file changed.
    desk: Arc<Desk>,
    key: u32,
    index: u32,
}

/// What came of asking: a reply that is on its way, and what it has to be charged to.
type Awaited = BoxFuture<'static, Result<Option<Value>, HostError>>;

/// Gives a plugin the functions of JavaScript.
///
/// # Errors
/// A form can't be read.
pub(crate) fn add(
    mut builder: PluginBuilder,
    functions: &[FunctionGiven],
    desk: &Arc<Desk>,
    key: u32,
) -> Result<PluginBuilder, String> {
    for (index, FunctionGiven { module, name, form }) in functions.iter().enumerate() {
        let form = form.as_deref().map(str::parse::<Form>).transpose();
        let form = form.map_err(|error| format!("the function `{name}` of `{module}`: {error}"))?;
        let asking = Asking { desk: desk.clone(), key, index: u32::try_from(index).unwrap_or(u32::MAX) };
        builder = builder.add(module, name, function(form, asking));
    }
    Ok(builder)
}

/// Whether a core module's call may block its thread for a function.
pub(crate) fn may_block(functions: &[FunctionGiven]) -> bool {
    let blocks = |form: &Option<String>| match form.as_deref().map(str::parse::<Form>) {
        Some(Ok(form)) => form.result() == Some(Kind::Block),
        Some(Err(_)) | None => true,
    };
    functions.iter().any(|function| blocks(&function.form))
}

fn function(form: Option<Form>, asking: Asking) -> Function {
    let of_component = asking.clone();
    let values = Function::default().values_later(move |call, arguments| {
        let reply = of_component.ask(call, Given::Json(arguments.to_owned()));
        Box::pin(async move {
            match reply.await? {
                None => Ok("null".to_owned()),
                Some(Value::Text(json)) => Ok(json),
                Some(_) => Err("it gave a plain value, and its guest expects JSON".into()),
            }
        })
    });
    let signature = form.as_ref().map(Form::signature);
    match form {
        Some(form) if form.result() != Some(Kind::Block) => values.numbers_later(signature, move |call, params| {
            let reply = form::values(Some(&form), call, params).map(|values| asking.ask(call, Given::Values(values)));
            let form = form.clone();
            Box::pin(async move { form.numbers(form::given(reply?.await?)?) })
        }),
        form => values.numbers(signature, move |call, params, results| {
            let reply = asking.ask(call, Given::Values(form::values(form.as_ref(), call, params)?));
            dynamic::give(form.as_ref(), call, form::given(blocked(call, reply)?)?, results)
        }),
    }
}

impl Asking {
    fn ask(&self, call: &mut HostCall<'_>, given: Given) -> Awaited {
        let (sender, reply) = oneshot::channel();
        let asked = Asked {
            key: self.key,
            index: self.index,
            given,
            call: call.id().to_string(),
            deadline_ns: call.deadline_ns(),
            reply: sender,
        };
        let (meter, cancel) = (call.meter(), cancel_of(call));
        Route::of(call).unwrap_or_else(|| Route::Desk(self.desk.clone(), 0)).ask(asked);
        async move {
            let gone = |_| Reply::failed("the JavaScript thread has ended");
            let Reply { value, log_bytes } = reply.await.unwrap_or_else(gone);
            if log_bytes > 0 {
                meter.charge(Resource::Log, log_bytes)?;
                meter.charge(Resource::BytesOut, log_bytes)?;
            }
            if is_cancelled(cancel.as_ref()) { Err(CANCELLED.into()) } else { value }
        }
        .boxed()
    }
}

/// Blocks this thread for a reply, and no longer than the call may take.
fn blocked(call: &HostCall<'_>, mut reply: Awaited) -> Result<Option<Value>, HostError> {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let (mut cx, cancel) = (Context::from_waker(&waker), cancel_of(call));
    loop {
        if let Poll::Ready(value) = reply.as_mut().poll(&mut cx) {
            return value;
        }
        let left = Duration::from_nanos(call.deadline_ns().saturating_sub(monotonic_ns()));
        if left.is_zero() {
            return Err(HostError::Stopped(call.meter().stop(Resource::Wall)));
        }
        if is_cancelled(cancel.as_ref()) {
            return Err(CANCELLED.into());
        }
        woken.wait(left.min(LOOK));
    }
}

/// What ends a call from outside.
fn cancel_of(call: &HostCall<'_>) -> Option<Cancel> {
    call.context_as::<Along>().and_then(|along| along.cancel.clone())
}

fn is_cancelled(cancel: Option<&Cancel>) -> bool {
    cancel.is_some_and(Cancel::is_cancelled)
}

/// Ends the call, which is told as cancelled.
const CANCELLED: &str = "its call was cancelled before it came back";

/// How often a thread that is blocked looks whether its call was cancelled.
const LOOK: Duration = Duration::from_millis(5);

/// Whether a thread that is blocked was woken.
#[derive(Default)]
struct Woken {
    is_woken: Mutex<bool>,
    changed: Condvar,
}

impl Woken {
    fn wait(&self, time: Duration) {
        let is_woken = self.is_woken.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = self.changed.wait_timeout_while(is_woken, time, |is_woken| !*is_woken);
        *waits.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        *self.is_woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}
