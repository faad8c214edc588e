//! Two things at one time.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// Waits for both, whichever ends first.
pub(crate) async fn both<A, B>(one: impl IntoFuture<Output = A>, other: impl IntoFuture<Output = B>) -> (A, B) {
    let (mut one, mut other) = (pin!(one.into_future()), pin!(other.into_future()));
    let (mut first, mut second) = (None, None);
    poll_fn(|cx| {
        if first.is_none() {
            first = ready(one.as_mut().poll(cx));
        }
        if second.is_none() {
            second = ready(other.as_mut().poll(cx));
        }
        if first.is_some() && second.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (first.expect("it was waited for"), second.expect("it was waited for"))
}

/// What is there without waiting.
pub(crate) fn at_once<T>(what: impl Future<Output = T>) -> Option<T> {
    ready(pin!(what).poll(&mut Context::from_waker(Waker::noop())))
}

fn ready<T>(polled: Poll<T>) -> Option<T> {
    match polled {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
