//! A `wasi:http` handler, of WASI 0.2 and 0.3.

use super::{
    Target,
    exchange::{Charged, Exchange, Frames},
};
use crate::{
    entry::{AsyncCall, Ended, Inner, Work},
    program::{Program, Streams},
    sandbox::Sandbox,
};
use bytes::Bytes;
use http::{Request, Response, Uri, header::HOST, uri};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use sandbar_call::{Body, BodyError, Reply, Resource, RouteMatch};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};
use tokio::sync::oneshot;
use wasmtime::{Result, bail};
use wasmtime_wasi_http::{
    Error, WasiBody, WasiHttpView,
    p2::bindings::http::types::Scheme,
    p3::{
        Request as Request03,
        bindings::{ServiceIndices, http::types::ErrorCode as ErrorCode03},
    },
};

/// Answers a request.
pub(crate) async fn answer(entry: Arc<Inner>, mut work: Work, request: Request<Body>) -> Reply {
    let sandbox = match work.sandbox(Streams::PIPED).await {
        Ok(sandbox) => sandbox,
        Err(outcome) => return work.end(outcome),
    };
    let method = request.method().clone();
    let meter = work.meter().clone();
    // Over the limit the meter has the call stopped: here, when the guest next waits, or at its next tick.
    let request = request.map(|body| {
        body.map_frame(move |frame| {
            let _ = meter.charge(Resource::BytesIn, frame.data_ref().map_or(0, Bytes::len) as u64);
            frame
        })
    });
    let answered = Answered::default();
    let call = HttpCall { entry, request, answered: answered.clone() };
    let guest = work.drive(sandbox, call);
    let head = Box::new(move |cx: &mut Context<'_>| answered.take(cx));
    Exchange::new(work, guest, head, Charged::WhenRead).answer(&method).await
}

/// Where the guest's answer is put for whoever waits for it, on this thread or another.
#[derive(Clone, Default)]
struct Answered(Arc<Mutex<(Option<Answer>, Option<Waker>)>>);

/// A response, or what the guest answered instead.
type Answer = Result<Response<WasiBody>, String>;

impl Answered {
    fn put(&self, answer: Answer) {
        let mut answered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answered.0 = Some(answer);
        if let Some(waker) = answered.1.take() {
            waker.wake();
        }
    }

    fn take(&self, cx: &Context<'_>) -> Option<Result<Response<Frames>, String>> {
        let mut answered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(answer) = answered.0.take() else {
            answered.1 = Some(cx.waker().clone());
            return None;
        };
        Some(answer.map(|response| response.map(|body| Box::pin(body.map_err(BodyError::from)) as Frames)))
    }
}

struct HttpCall<B> {
    entry: Arc<Inner>,
    request: Request<B>,
    answered: Answered,
}

impl<B> AsyncCall<()> for HttpCall<B>
where
    B: http_body::Body<Data = Bytes, Error = BodyError> + Send + 'static,
{
    async fn call(self, _: &Program, sandbox: &mut Sandbox) -> Result<Ended<()>> {
        let HttpCall { entry, request, answered } = self;
        let tls = request.extensions().get::<RouteMatch>().is_some_and(|matched| matched.tls);
        match &entry.target {
            Target::Http02(indices) => {
                let instance = sandbox.component()?;
                let store = &mut sandbox.store;
                let proxy = match sandbox.proxy.take() {
                    Some(proxy) => proxy,
                    None => Box::new(indices.load(&mut *store, &instance)?),
                };
                let scheme = if tls { Scheme::Https } else { Scheme::Http };
                let mut http = store.data_mut().http();
                let request = http.new_incoming_request(scheme, request.map(|body| body.map_err(body_error)))?;
                let out = http.new_response_outparam_from_callback(move |answer| {
                    answered.put(answer.map_err(|code| format!("the guest answered with the error `{code:?}`")));
                })?;
                proxy.wasi_http_incoming_handler().call_handle(store, request, out).await?;
                sandbox.proxy = Some(proxy);
            }
            Target::Http03(indices) => {
                // In a box: what moves with every other request would be twice as large.
                Box::pin(handle_03(indices, sandbox, request, tls, answered)).await?;
            }
            Target::CoreFunction { .. }
            | Target::ComponentFunction { .. }
            | Target::ResourceDrop
            | Target::Command02(_)
            | Target::Command03(_) => bail!("expected a `wasi:http` handler"),
        }
        Ok(Ended::done(()))
    }
}

/// Runs a handler of WASI 0.3 until it has written its answer, and that was read.
async fn handle_03<B>(
    indices: &ServiceIndices,
    sandbox: &mut Sandbox,
    request: Request<B>,
    tls: bool,
    answered: Answered,
) -> Result<()>
where
    B: http_body::Body<Data = Bytes, Error = BodyError> + Send + 'static,
{
    let instance = sandbox.component()?;
    let service = indices.load(&mut sandbox.store, &instance)?;
    let request = absolute(request, tls)?.map(|body| body.map_err(body_error));
    let (request, sent) = Request03::from_http(sandbox.store.data_mut().http().hooks, request);
    let handled = sandbox.store.run_concurrent(async |accessor| {
        let (unread, read) = oneshot::channel();
        let answer = match service.handle(accessor, request).await? {
            Ok(response) => accessor
                .with(|store| response.into_http(store, sent))
                .map(|response| response.map(|body| WasiBody::new(UntilRead { body, unread: Some(unread) })))
                .map_err(|error| format!("{error:#}")),
            Err(code) => {
                // There is no body to be read.
                drop(unread);
                Err(error_message(&code))
            }
        };
        answered.put(answer);
        // The handler has returned, and goes on to write its body.
        std::future::poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
        // What it has written reaches the reader through the store, its trailers last.
        let _ = read.await;
        wasmtime::error::Ok(())
    });
    handled.await?
}

/// A body whose channel closes once it was read to its end, or dropped.
struct UntilRead {
    body: WasiBody,
    unread: Option<oneshot::Sender<Infallible>>,
}

impl http_body::Body for UntilRead {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(None | Some(Err(_))) = polled {
            self.unread = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn error_message(code: &ErrorCode03) -> String {
    format!("the guest answered with the error `{code:?}`")
}

fn body_error(error: BodyError) -> Error {
    match error.downcast::<hyper::Error>() {
        Ok(error) => Error::Hyper(*error),
        Err(error) => Error::InternalError(Some(error.to_string())),
    }
}

/// Gives a request the scheme and authority that WASI 0.3 reads off its URI.
fn absolute<B>(mut request: Request<B>, tls: bool) -> Result<Request<B>> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(if tls { uri::Scheme::HTTPS } else { uri::Scheme::HTTP });
    if parts.authority.is_none() {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        parts.authority = Some(host.parse().or_else(|_| "localhost".parse())?);
    }
    parts.path_and_query.get_or_insert(uri::PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts)?;
    Ok(request)
}
