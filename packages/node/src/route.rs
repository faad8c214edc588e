//! The way by which a call asks for functions of the host.
//!
//! A call carries its way with it, since a long one may move to another thread. Start code belongs to no call, so it goes by
//! what the thread that polls it was told.

use crate::{
    desk::Desk,
    here::Here,
    values::{Given, Reply},
};
use futures::channel::oneshot;
use sandbar_embed::{Cancel, HostCall};
use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
};

/// Where the functions are asked for that a guest calls.
#[derive(Clone)]
pub(crate) enum Route {
    /// At the desk of the JavaScript thread, which has other things to do meanwhile.
    Desk(Arc<Desk>, Ticket),
    /// On the JavaScript thread, which waits for the call.
    Here(Arc<Here>),
}

/// Names a call of JavaScript's own: `callSync` and whatever happens without a call have none, which is zero.
pub(crate) type Ticket = u64;

/// What a call carries for its functions.
pub(crate) struct Along {
    pub(crate) route: Route,
    /// What ends the call.
    pub(crate) cancel: Option<Cancel>,
}

/// A function of the host that a guest called.
pub(crate) struct Asked {
    /// The plugin's key, by which JavaScript knows its functions.
    pub(crate) key: u32,
    /// Which of them.
    pub(crate) index: u32,
    /// What the guest gives it.
    pub(crate) given: Given,
    /// The call's name.
    pub(crate) call: String,
    /// When the call has to have ended, in nanoseconds of the monotonic clock.
    pub(crate) deadline_ns: u64,
    /// Where the result goes.
    pub(crate) reply: oneshot::Sender<Reply>,
}

thread_local! {
    /// The routes of the calls that this thread polls, the innermost last.
    static ROUTES: RefCell<Vec<Route>> = const { RefCell::new(Vec::new()) };
}

/// A call is polled on this thread while this lives.
struct Entered;

impl Route {
    /// The route of the call that a guest serves; none where nothing of JavaScript's own began it.
    pub(crate) fn of(call: &HostCall<'_>) -> Option<Route> {
        let along = call.context_as::<Along>().map(|along| along.route.clone());
        along.or_else(|| ROUTES.with_borrow(|routes| routes.last().cloned()))
    }

    /// Runs something on this thread whose functions are asked for on this way.
    pub(crate) fn within<T>(&self, does: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        does()
    }

    /// Runs a future whose functions are asked for on this way, on whatever thread it is polled.
    pub(crate) async fn along<T>(self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let _entered = self.enter();
            future.as_mut().poll(cx)
        })
        .await
    }

    /// Asks for a function.
    pub(crate) fn ask(&self, asked: Asked) {
        match self {
            Route::Desk(desk, ticket) => desk.ask(*ticket, asked),
            Route::Here(here) => here.ask(asked),
        }
    }

    fn enter(&self) -> Entered {
        ROUTES.with_borrow_mut(|routes| routes.push(self.clone()));
        Entered
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        ROUTES.with_borrow_mut(Vec::pop);
    }
}
