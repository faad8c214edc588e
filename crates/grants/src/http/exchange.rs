//! One request and its response on one connection, over HTTP/1.1 or HTTP/2.
//!
//! No task is spawned: what moves the bytes is a future that the caller owns. It is driven here until the response begins, and
//! by the caller after that; dropping it closes the connection.

use super::{HttpError, body::Outgoing};
use ::http::{Request, Response};
use futures::{
    Stream, StreamExt,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    stream::FuturesUnordered,
};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
    rt::Executor,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    future::{Future, poll_fn, ready},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

/// What moves the bytes of an exchange, until both bodies are through. To be polled beside the bodies; dropping it closes the
/// connection.
pub type Exchange = Pin<Box<dyn Future<Output = Result<(), HttpError>> + Send>>;

/// The largest head of a response, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Sends a request over HTTP/1.1.
pub(super) async fn http1<T>(
    stream: T,
    request: Request<Outgoing>,
    first_byte: Duration,
) -> Result<(Response<Incoming>, Exchange), HttpError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(HttpError::of_exchange)?;
    let exchange = Box::pin(async move { connection.await.map_err(HttpError::of_exchange) });
    respond(sender.send_request(request), exchange, first_byte).await
}

/// Sends a request over HTTP/2.
pub(super) async fn http2<T>(
    stream: T,
    request: Request<Outgoing>,
    first_byte: Duration,
) -> Result<(Response<Incoming>, Exchange), HttpError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (tasks, started) = unbounded();
    let (mut sender, connection) = http2::Builder::new(Tasks(tasks))
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(HttpError::of_exchange)?;
    let connection = async move { connection.await.map_err(HttpError::of_exchange) };
    respond(sender.send_request(request), Box::pin(drive(connection, started)), first_byte).await
}

/// Drives an exchange until its response begins.
async fn respond(
    response: impl Future<Output = hyper::Result<Response<Incoming>>>,
    mut exchange: Exchange,
    first_byte: Duration,
) -> Result<(Response<Incoming>, Exchange), HttpError> {
    let mut response = pin!(response);
    let mut ended = None;
    let begun = poll_fn(|cx| {
        if ended.is_none()
            && let Poll::Ready(result) = exchange.as_mut().poll(cx)
        {
            ended = Some(result);
        }
        response.as_mut().poll(cx)
    });
    match timeout(first_byte, begun).await {
        Err(_) => Err(HttpError::ResponseTimeout),
        Ok(Ok(response)) => {
            let exchange = match ended {
                Some(result) => Box::pin(ready(result)),
                None => exchange,
            };
            Ok((response, exchange))
        }
        // The connection knows better than the request that was cut off with it.
        Ok(Err(error)) => Err(match ended {
            Some(Err(why)) if error.is_canceled() => why,
            _ => HttpError::of_exchange(error),
        }),
    }
}

/// Where the library starts the tasks of an HTTP/2 connection: beside it, in the same future. There are as many as the one
/// request needs.
#[derive(Clone)]
struct Tasks(UnboundedSender<Task>);

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        // It fails only when the exchange has been dropped, and the task with it.
        let _ = self.0.unbounded_send(Box::pin(task));
    }
}

/// Drives an HTTP/2 connection and its tasks, and ends when all have ended.
async fn drive(
    connection: impl Future<Output = Result<(), HttpError>>,
    mut started: UnboundedReceiver<Task>,
) -> Result<(), HttpError> {
    let mut connection = pin!(connection);
    let mut running = FuturesUnordered::new();
    let mut ended = None;
    poll_fn(|cx| {
        if ended.is_none()
            && let Poll::Ready(result) = connection.as_mut().poll(cx)
        {
            ended = Some(result);
        }
        loop {
            while let Poll::Ready(Some(task)) = Pin::new(&mut started).poll_next(cx) {
                running.push(task);
            }
            match running.poll_next_unpin(cx) {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        match ended.is_some() && running.is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    ended.unwrap_or(Ok(()))
}
