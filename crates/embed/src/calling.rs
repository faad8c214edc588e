//! One call of a plugin: what it is called with, what ends it, and what it comes to.

use crate::{
    Answer, CallError, Plugin,
    holder::{Holder, Taken},
    version::{Version, refused},
};
use bytes::Bytes;
use futures::future::FutureExt;
use sandbar_call::{
    Arguments, Body, Call, CallId, Context, Event, Origin, Outcome, Receipt, Reply, Resource, Run, Settle, Shape,
};
use sandbar_engine::{Cancel, Entry, HeldCall};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    any::Any,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

/// A call that is about to be made.
#[derive(Clone)]
pub struct Calling<'a> {
    plugin: &'a Plugin,
    export: &'a str,
    context: Option<Context>,
    cancel: Option<Cancel>,
    within: Option<Duration>,
    gives_way: bool,
    wants_receipt: bool,
}

/// What a function is called with.
#[derive(Clone, Debug)]
pub enum Input {
    /// Bytes on stdin.
    Bytes(Bytes),
    /// JSON: on stdin of a function over stdin and stdout, otherwise an array of arguments, an object of them by name, or the
    /// only one.
    Json(Bytes),
}

/// What a call came to.
pub(crate) struct Ended {
    pub(crate) answer: Result<Answer, CallError>,
    pub(crate) receipt: Option<Receipt>,
}

impl<'a> Calling<'a> {
    pub(crate) fn new(plugin: &'a Plugin, export: &'a str) -> Calling<'a> {
        Calling { plugin, export, context: None, cancel: None, within: None, gives_way: false, wants_receipt: false }
    }

    /// Gives functions of the host something of this call, [`crate::HostCall::context_as`].
    #[must_use]
    pub fn context(self, context: impl Any + Send + Sync) -> Calling<'a> {
        Calling { context: Some(Arc::new(context)), ..self }
    }

    /// Lets it be cancelled from any thread: this call, and no other that was not given the same.
    #[must_use]
    pub fn cancel(self, cancel: &Cancel) -> Calling<'a> {
        Calling { cancel: Some(cancel.clone()), ..self }
    }

    /// Gives it so much wall time, where that is less than the plugin's limit.
    #[must_use]
    pub fn within(self, time: Duration) -> Calling<'a> {
        Calling { within: Some(time), ..self }
    }

    /// Lets a guest that is held, and computes, give way after about a millisecond, so that whoever polls can do something else
    /// meanwhile, or go on on another thread. Others do so without being asked.
    #[must_use]
    pub fn gives_way(self) -> Calling<'a> {
        Calling { gives_way: true, ..self }
    }

    /// Calls with values, and blocks this thread; see [`Plugin::call`].
    ///
    /// # Errors
    /// As [`Plugin::call`].
    pub fn call<R: DeserializeOwned>(self, arguments: &(impl Serialize + ?Sized)) -> Result<R, CallError> {
        let plugin = self.plugin;
        plugin.0.host.block_on(pin!(self.call_here(arguments)))
    }

    /// Calls with values; see [`Plugin::call_async`].
    ///
    /// # Errors
    /// As [`Plugin::call`].
    pub async fn call_async<R: DeserializeOwned>(self, arguments: &(impl Serialize + ?Sized)) -> Result<R, CallError> {
        let plugin = self.plugin;
        plugin.0.host.driving(self.call_here(arguments)).await
    }

    async fn call_here<R: DeserializeOwned>(self, arguments: &(impl Serialize + ?Sized)) -> Result<R, CallError> {
        let json = serde_json::to_vec(arguments)
            .map_err(|error| refused(format!("the arguments can't be written: {error}")))?;
        let Ended { answer, receipt } = self.plugin.run(&self, Input::Json(json.into())).await;
        let read = match &answer? {
            Answer::Output(bytes) if bytes.is_empty() => serde_json::from_str("null"),
            Answer::Output(bytes) => serde_json::from_slice(bytes),
            Answer::Value(text) => serde_json::from_str(text),
        };
        read.map_err(|error| CallError {
            outcome: Outcome::Done,
            cause: Some(format!("the answer of `{}` is not what was asked for: {error}", self.export).into()),
            receipt: receipt.map(Box::new),
        })
    }

    /// Calls with bytes, and blocks this thread; see [`Plugin::call_bytes`].
    ///
    /// # Errors
    /// As [`Plugin::call`].
    pub fn bytes(self, input: impl Into<Bytes>) -> Result<Bytes, CallError> {
        let (plugin, input) = (self.plugin, input.into());
        plugin.0.host.block_on(pin!(self.bytes_here(input)))
    }

    /// Calls with bytes; see [`Plugin::call_bytes_async`].
    ///
    /// # Errors
    /// As [`Plugin::call`].
    pub async fn bytes_async(self, input: impl Into<Bytes>) -> Result<Bytes, CallError> {
        let (plugin, input) = (self.plugin, input.into());
        plugin.0.host.driving(self.bytes_here(input)).await
    }

    async fn bytes_here(self, input: Bytes) -> Result<Bytes, CallError> {
        self.answer_here(Input::Bytes(input)).await.map(Answer::into_bytes)
    }

    /// Calls, and blocks this thread. Where the call ends well no receipt is made, unless somebody hears of all.
    ///
    /// # Errors
    /// As [`Plugin::call`].
    pub fn answer(self, input: Input) -> Result<Answer, CallError> {
        let plugin = self.plugin;
        plugin.0.host.block_on(pin!(self.answer_here(input)))
    }

    /// As [`Calling::answer`], for async hosts.
    ///
    /// # Errors
    /// As [`Plugin::call`].
    pub async fn answer_async(self, input: Input) -> Result<Answer, CallError> {
        let plugin = self.plugin;
        plugin.0.host.driving(self.answer_here(input)).await
    }

    async fn answer_here(self, input: Input) -> Result<Answer, CallError> {
        self.plugin.run(&self, input).await.answer
    }

    /// Calls, blocks this thread, and gives the receipt too; there is none where no call could begin.
    pub fn run(self, input: Input) -> (Result<Answer, CallError>, Option<Receipt>) {
        let calling = Calling { wants_receipt: true, ..self };
        let Ended { answer, receipt } = calling.plugin.0.host.block_on(pin!(calling.plugin.run(&calling, input)));
        (answer, receipt)
    }

    /// As [`Calling::run`], for async hosts.
    pub async fn run_async(self, input: Input) -> (Result<Answer, CallError>, Option<Receipt>) {
        let calling = Calling { wants_receipt: true, ..self };
        let host = &calling.plugin.0.host;
        let Ended { answer, receipt } = host.driving(calling.plugin.run(&calling, input)).await;
        (answer, receipt)
    }
}

/// Runs a call of a version to its end.
pub(crate) async fn run(plugin: &Plugin, version: &Version, calling: &Calling<'_>, input: Input) -> Ended {
    if !plugin.0.host.is_here() {
        let message = "this process was forked from the one that made the host: make another host here";
        return Ended { answer: Err(refused(message.into())), receipt: None };
    }
    let id = plugin.0.host.next_call();
    let entered = version.entry(calling.export).and_then(|entry| Ok((arguments(entry.shape(), input)?, entry)));
    let (arguments, entry) = match entered {
        Ok(entered) => entered,
        Err(error) => return Ended { answer: Err(error), receipt: None },
    };
    let (ended, receipt) = match version.holder() {
        Some(holder) => held(plugin, version, holder, (&entry, arguments), (calling, id)).await,
        None => pooled(&entry, arguments, (calling, id)).await,
    };
    if let (Some(receipts), Some(receipt)) = (&plugin.0.terms.receipts, &receipt) {
        receipts(receipt);
    }
    let answer = ended.map_err(|outcome| {
        let cause = matches!(outcome, Outcome::Fault { .. }).then(|| version.overheard.of(id)).flatten();
        CallError { outcome, cause, receipt: receipt.clone().map(Box::new) }
    });
    Ended { answer, receipt }
}

fn arguments(shape: Shape, input: Input) -> Result<Arguments, CallError> {
    match (shape, input) {
        (Shape::Typed, Input::Json(json)) => Ok(Arguments::Json(match json.trim_ascii_start().first() {
            Some(b'[' | b'{') | None => json,
            _ if json.trim_ascii() == b"null" => Bytes::from_static(b"[]"),
            Some(_) => [b"[", json.as_ref(), b"]"].concat().into(),
        })),
        (Shape::Typed, Input::Bytes(_)) => {
            Err(refused("the function takes arguments, which are written as JSON, and no bytes".into()))
        }
        (_, Input::Bytes(input) | Input::Json(input)) => Ok(Arguments::Stdin(Body::Whole(input))),
    }
}

type Came = (Result<Answer, Outcome>, Option<Receipt>);

async fn held(
    plugin: &Plugin,
    version: &Version,
    holder: &Holder,
    (entry, arguments): (&Entry, Arguments),
    (calling, id): (&Calling<'_>, CallId),
) -> Came {
    let wall = Duration::from_nanos(plugin.0.terms.limits.most(Resource::Wall));
    let wait = calling.within.map_or(wall, |within| within.min(wall));
    let mut taken = match cancelled(calling.cancel.as_ref(), pin!(holder.take(wait))).await {
        Some(Ok(taken)) => taken,
        Some(Err(outcome)) => return (Err(outcome), None),
        None => return (Err(Outcome::Cancelled), None),
    };
    let held = match cancelled(calling.cancel.as_ref(), pin!(on(holder, pin!(version.held(&mut taken))))).await {
        Some(Ok(held)) => held,
        Some(Err(outcome)) => return (Err(outcome), None),
        None => return (Err(Outcome::Cancelled), None),
    };
    let call = HeldCall {
        id,
        context: calling.context.clone(),
        cancel: calling.cancel.clone(),
        within: calling.within,
        gives_way: calling.gives_way,
    };
    let answer = on(holder, pin!(held.run(entry, arguments, call))).await;
    let wanted = calling.wants_receipt || answer.is_err() || plugin.0.terms.receipts.is_some();
    let receipt = wanted.then(|| {
        let outcome = answer.as_ref().map_or_else(Clone::clone, |_| Outcome::Done);
        held.receipt(entry.shape(), origin(calling.export, id), outcome)
    });
    (answer, receipt)
}

/// Runs what a held guest does, and notes on which thread that is.
pub(crate) async fn on<T>(holder: &Holder, mut future: Pin<&mut impl Future<Output = T>>) -> T {
    poll_fn(|cx| {
        let _running = Taken::running(holder);
        future.as_mut().poll(cx)
    })
    .await
}

async fn pooled(entry: &Entry, arguments: Arguments, (calling, id): (&Calling<'_>, CallId)) -> Came {
    let kept = Arc::new(Kept::default());
    let call = Call {
        id,
        origin: origin(calling.export, id),
        event: Event::Export { arguments, context: calling.context.clone() },
        receipts: kept.clone(),
    };
    let running = entry.run(call).map(|reply| match reply {
        Reply::Output(Body::Whole(bytes)) => Ok(Answer::Output(bytes)),
        Reply::Output(_) => Ok(Answer::Output(Bytes::new())),
        Reply::Value(text) => Ok(Answer::Value(text)),
        Reply::Ended(outcome) => Err(outcome),
        Reply::Http(_) | Reply::Exit { .. } => Err(Outcome::Done),
    });
    let ended = match calling.within {
        None => cancelled(calling.cancel.as_ref(), pin!(running)).await,
        Some(within) => {
            let stopped = |_| Err(Outcome::Stopped { limit: Resource::Wall });
            let in_time = tokio::time::timeout(within, running).map(|ended| ended.unwrap_or_else(stopped));
            cancelled(calling.cancel.as_ref(), pin!(in_time)).await
        }
    };
    let answer = ended.unwrap_or(Err(Outcome::Cancelled));
    let receipt = kept.take().map(|receipt| match &answer {
        // Its own time was up, which the call itself saw as being dropped.
        Err(outcome @ Outcome::Stopped { .. }) => Receipt { outcome: outcome.clone(), ..receipt },
        _ => receipt,
    });
    (answer, receipt)
}

pub(crate) fn origin(export: &str, id: CallId) -> Origin {
    Origin { trigger: "host".into(), source: export.into(), event: id.to_string().into() }
}

/// Runs a future to its end, unless it is cancelled before.
async fn cancelled<T>(cancel: Option<&Cancel>, mut future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let Some(cancel) = cancel else { return Some(future.await) };
    poll_fn(|cx| {
        if cancel.poll(cx) {
            return Poll::Ready(None);
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Keeps the receipt of one call.
#[derive(Default)]
struct Kept(Mutex<Option<Receipt>>);

impl Kept {
    fn take(&self) -> Option<Receipt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Settle for Kept {
    fn settle(&self, receipt: Receipt) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(receipt);
    }
}
