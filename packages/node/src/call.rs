//! One call of a plugin, on whatever thread.

use crate::{
    desk::Desk,
    error::{self, Failure},
    host::monotonic_ns,
    route::{Along, Route, Ticket},
    values::{copied, whole},
};
use bytes::Bytes;
use napi::bindgen_prelude::{Either, Uint8Array, Uint8ArraySlice};
use sandbar_embed::{Answer, CallError, Calling, Cancel, Input, Outcome, Plugin, Receipt};
use std::{sync::Arc, time::Duration};

/// What a call is given, as JavaScript gives it: JSON or a text, or bytes.
pub(crate) type InputGiven<'a> = Either<String, Uint8ArraySlice<'a>>;

/// What is called, and with what.
pub(crate) struct Order {
    pub(crate) export: String,
    pub(crate) input: Input,
    /// How much time there is, where that is less than the plugin's limit.
    pub(crate) within: Option<Duration>,
    pub(crate) cancel: Option<Cancel>,
    pub(crate) wants: Wants,
}

/// What is wanted of a call.
#[derive(Clone, Copy)]
pub(crate) struct Wants {
    /// The answer as bytes.
    pub(crate) bytes: bool,
    /// The receipt too.
    pub(crate) receipt: bool,
}

/// How something ended.
pub(crate) struct Ended {
    pub(crate) came: Result<Option<Came>, Failure>,
    pub(crate) receipt: Option<String>,
}

/// What came of a call.
pub(crate) enum Came {
    Text(Text),
    Bytes(Bytes),
}

/// An answer that is a text.
pub(crate) enum Text {
    /// What was written to stdout, which is known to be UTF-8.
    Output(Bytes),
    Value(String),
}

/// Sees to it that JavaScript hears of the end of what it began, also where that is dropped.
pub(crate) struct Ending {
    desk: Arc<Desk>,
    ticket: Ticket,
    ended: Option<Ended>,
}

impl Order {
    /// Reads an order. `until_ns` is on the monotonic clock; zero of it and of `within_ms` is no bound.
    pub(crate) fn read(export: String, input: InputGiven<'_>, wants: u32, (within_ms, until_ns): (f64, f64)) -> Order {
        let wants = Wants { bytes: wants & 1 != 0, receipt: wants & 2 != 0 };
        let input = match input {
            Either::A(text) if wants.bytes => Input::Bytes(text.into()),
            Either::A(json) => Input::Json(json.into()),
            Either::B(bytes) => Input::Bytes(copied(&bytes)),
        };
        let own = (within_ms > 0.0).then(|| Duration::from_nanos(whole(within_ms * 1e6)));
        let left = |until_ns| Duration::from_nanos(whole(until_ns).saturating_sub(monotonic_ns()));
        let outer = (until_ns > 0.0).then(|| left(until_ns));
        let within = own.into_iter().chain(outer).min();
        Order { export, input, within, cancel: None, wants }
    }

    /// Runs the call, whose functions are asked for on this way.
    pub(crate) async fn run(self, plugin: &Plugin, route: Option<Route>) -> Ended {
        let mut calling = self.calling(plugin).gives_way();
        if let Some(route) = route {
            calling = calling.context(Along { route, cancel: self.cancel.clone() });
        }
        let (answer, receipt) = match self.wants.receipt {
            true => calling.run_async(self.input.clone()).await,
            false => (calling.answer_async(self.input.clone()).await, None),
        };
        self.ended(answer, receipt)
    }

    /// Runs the call of a plugin without functions on this thread.
    pub(crate) fn run_here(self, plugin: &Plugin) -> Ended {
        let calling = self.calling(plugin);
        let (answer, receipt) = match self.wants.receipt {
            true => calling.run(self.input.clone()),
            false => (calling.answer(self.input.clone()), None),
        };
        self.ended(answer, receipt)
    }

    fn calling<'a>(&'a self, plugin: &'a Plugin) -> Calling<'a> {
        let mut calling = plugin.calling(&self.export);
        if let Some(within) = self.within {
            calling = calling.within(within);
        }
        if let Some(cancel) = &self.cancel {
            calling = calling.cancel(cancel);
        }
        calling
    }

    fn ended(&self, mut answer: Result<Answer, CallError>, mut receipt: Option<Receipt>) -> Ended {
        if self.cancel.as_ref().is_some_and(Cancel::is_cancelled) {
            mark_cancelled(&mut answer, &mut receipt);
        }
        ended(&self.export, answer, self.wants, receipt)
    }
}

/// A function that blocked its thread gave up when its call was cancelled, which the call itself saw as its failure.
fn mark_cancelled(answer: &mut Result<Answer, CallError>, receipt: &mut Option<Receipt>) {
    let Err(CallError { outcome: outcome @ Outcome::Fault { .. }, cause, receipt: inner }) = answer else { return };
    (*outcome, *cause) = (Outcome::Cancelled, None);
    for receipt in receipt.iter_mut().chain(inner.as_deref_mut()) {
        receipt.outcome = Outcome::Cancelled;
    }
}

pub(crate) fn ended(export: &str, answer: Result<Answer, CallError>, wants: Wants, receipt: Option<Receipt>) -> Ended {
    let text = |bytes: Bytes| {
        if std::str::from_utf8(&bytes).is_ok() {
            return Ok(Came::Text(Text::Output(bytes)));
        }
        let cause = format!("the answer of `{export}` is no JSON, and no UTF-8: call it by `callBytes`");
        let receipt = receipt.clone().map(Box::new);
        Err(Failure::from(&CallError { outcome: Outcome::Done, cause: Some(cause.into()), receipt }))
    };
    let came = match answer {
        Ok(Answer::Output(bytes)) if wants.bytes => Ok(Came::Bytes(bytes)),
        Ok(Answer::Output(bytes)) => text(bytes),
        Ok(Answer::Value(text)) => Ok(Came::Text(Text::Value(text))),
        Err(error) => Err(Failure::from(&error)),
    };
    let receipt = if wants.receipt { receipt.as_ref().map(error::receipt) } else { None };
    Ended { came: came.map(Some), receipt }
}

impl Ended {
    /// It went well.
    pub(crate) fn well() -> Ended {
        Ended { came: Ok(None), receipt: None }
    }

    /// It did not.
    pub(crate) fn failed(failure: Failure) -> Ended {
        Ended { came: Err(failure), receipt: None }
    }
}

impl Text {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Text::Output(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
            Text::Value(text) => text,
        }
    }
}

impl From<Came> for Either<String, Uint8Array> {
    fn from(came: Came) -> Either<String, Uint8Array> {
        match came {
            Came::Text(Text::Value(text)) => Either::A(text),
            Came::Text(text) => Either::A(text.as_str().to_owned()),
            Came::Bytes(bytes) => Either::B(Vec::from(bytes).into()),
        }
    }
}

impl Ending {
    /// Promises an end.
    pub(crate) fn new(desk: &Arc<Desk>, ticket: Ticket) -> Ending {
        Ending { desk: desk.clone(), ticket, ended: None }
    }

    /// Tells the end.
    pub(crate) fn tell(mut self, ended: Ended) {
        self.ended = Some(ended);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let lost = || Ended::failed(Failure::of_host("the host panicked, or has no thread for it"));
        let ended = self.ended.take().unwrap_or_else(lost);
        self.desk.end(self.ticket, ended);
    }
}
