//! One request from its head to its answer: checked, routed, called, answered. Runs inside its connection's task, so a
//! client that leaves drops it, and with it the guest's call.

use crate::{
    Notice,
    http::{
        Binding, Files, Home, Target, home,
        intake::take_body,
        metrics::add,
        names,
        outcome::Refusing,
        request::{admit, host_name},
        response::{AnswerBody, from_reply, seal},
        route::Lookup,
        watch::Phase,
        worker::{LocalRoutes, Peer},
    },
};
use http::{HeaderValue, Method, Request, Response, header, request::Parts};
use hyper::body::Incoming;
use sandbar_call::{Body, Call, CallId, Event, Origin, Reply, RouteMatch};
use std::{
    fmt,
    future::poll_fn,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
};

/// Nobody gets an answer: the connection or stream just ends.
#[derive(Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was cut")
    }
}

impl std::error::Error for Cut {}

/// Answers one request.
///
/// # Errors
/// [`Cut`] where the call was cancelled.
pub(crate) async fn answer(peer: Arc<Peer>, request: Request<Incoming>) -> Result<Response<AnswerBody>, Cut> {
    peer.watch.enter(Phase::Call);
    // One that came too late for the request before is not for this one.
    peer.watch.take_verdict();
    let worker = &peer.worker;
    let call = worker.next_call();
    let (mut head, body) = request.into_parts();
    let id = names::settle(&mut head.headers, call);
    let accept = head.headers.get(header::ACCEPT).cloned();
    let method = head.method.clone();

    let given = match admit(&mut head, worker.forwarding, &peer) {
        Ok(()) => serve(&peer, head, body, call, &id).await,
        Err(refusing) => Err(refusing),
    };
    let sealed = match given {
        Ok(answer) => seal(answer, &method, &id, peer.clone()).await,
        Err(refusing) => Err(refusing),
    };
    let mut answer = match sealed {
        Ok(answer) => answer,
        Err(refusing) => {
            note(&peer, &refusing, &id);
            let page = refusing.page(&id, accept.as_ref());
            let Some(page) = page else {
                add(&worker.counters.cut, 1);
                return Err(Cut);
            };
            // A page is whole and of its own length: sealing it can't fail.
            seal(page, &method, &id, peer.clone()).await.map_err(|_| Cut)?
        }
    };

    answer.headers_mut().insert(names::REQUEST_ID, id);
    if let Some(server) = &worker.server_header {
        answer.headers_mut().entry(header::SERVER).or_insert_with(|| server.clone());
    }
    if worker.draining.load(Relaxed) && !peer.is_stream() {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    worker.counters.answered(answer.status());
    Ok(answer)
}

async fn serve(
    peer: &Arc<Peer>,
    head: Parts,
    body: Incoming,
    call: CallId,
    id: &HeaderValue,
) -> Result<Response<Body>, Refusing> {
    let table = peer.worker.routes.load_full();
    let found = table.routes.lookup(&head.method, host_name(&head.headers), head.uri.path());
    match found {
        Lookup::Matched(at) => {
            let route = table.routes.routes().get(at).ok_or(Refusing::NotFound)?;
            match &route.target {
                // In a box, as all that is rare: a request's future is moved, and large ones cost.
                Target::Files(files) => {
                    Box::pin(serve_file(files, &head, route.pattern.prefix_len(head.uri.path()))).await
                }
                Target::Guest(binding) => {
                    let (body, kept_back) = take_body(&head, body, peer, body_bytes_max(binding, peer)).await?;
                    give_way().await;
                    let call = Asked { table: &table, at, binding, peer, id }.call(head, body, call)?;
                    let answer = from_reply(run(binding, call, peer).await?, binding.content_type.as_ref())?;
                    let streams = matches!(answer.body(), Body::Stream(_));
                    if let Some(kept_back) = kept_back.filter(|_| streams) {
                        Box::pin(kept_back.ask()).await;
                    }
                    Ok(answer)
                }
            }
        }
        Lookup::BadPath => Err(Refusing::BadRequest("expected a path without `.`, `..` and broken escapes")),
        Lookup::NotFound | Lookup::MethodNotAllowed(_) if asks_for_home(&table, &head) => {
            Ok(home::page(&table.routes, &head.headers, peer.tls))
        }
        Lookup::NotFound => Err(Refusing::NotFound),
        Lookup::MethodNotAllowed(allow) => Err(Refusing::MethodNotAllowed(allow)),
    }
}

fn body_bytes_max(binding: &Binding, peer: &Peer) -> u64 {
    binding.body_bytes_max.unwrap_or(peer.worker.guards.body_bytes_max)
}

async fn serve_file(files: &Files, head: &Parts, prefix_len: usize) -> Result<Response<Body>, Refusing> {
    if head.method == Method::GET || head.method == Method::HEAD {
        files.answer(head, prefix_len).await.ok_or(Refusing::NotFound)
    } else {
        Err(Refusing::MethodNotAllowed("GET, HEAD".to_owned()))
    }
}

fn asks_for_home(table: &LocalRoutes, head: &Parts) -> bool {
    table.routes.home() == Home::Listed
        && head.uri.path() == "/"
        && (head.method == Method::GET || head.method == Method::HEAD)
}

/// A request that met its route.
struct Asked<'a> {
    table: &'a LocalRoutes,
    /// The route's place in the table.
    at: usize,
    binding: &'a Binding,
    peer: &'a Peer,
    id: &'a HeaderValue,
}

impl Asked<'_> {
    fn call(&self, head: Parts, body: Body, id: CallId) -> Result<Call, Refusing> {
        let local = self.table.bindings.get(self.at).ok_or(Refusing::NotFound)?;
        let mut request = Request::new(body);
        *request.method_mut() = head.method;
        *request.uri_mut() = head.uri;
        *request.version_mut() = head.version;
        *request.headers_mut() = head.headers;
        if self.binding.wants_match {
            let matched = self.matched(request.uri().path());
            matched.and_then(|matched| request.extensions_mut().insert(matched));
        }
        let origin = Origin {
            trigger: self.table.trigger.clone(),
            source: local.source.clone(),
            event: self.id.to_str().unwrap_or_default().into(),
        };
        Ok(Call { id, origin, event: Event::Http(request), receipts: local.receipts.clone() })
    }

    fn matched(&self, path: &str) -> Option<RouteMatch> {
        let pattern = &self.table.routes.routes().get(self.at)?.pattern;
        Some(RouteMatch {
            pattern: pattern.text.clone(),
            prefix_len: pattern.prefix_len(path),
            captures: pattern.captures(path),
            peer: self.peer.address,
            tls: self.peer.tls,
        })
    }
}

/// Lets the worker's other ready tasks go first: requests that came together are all read before the first guest runs, so
/// that the code of each step stays in the processor's caches.
async fn give_way() {
    let mut gave_way = false;
    let turn = poll_fn(|cx| {
        if std::mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    turn.await;
}

/// Runs a call until it replies or a verdict on its request's body ends it, which cancels it.
async fn run(binding: &Binding, call: Call, peer: &Peer) -> Result<Reply, Refusing> {
    let mut running = binding.run.run(call);
    let reply = poll_fn(|cx| {
        let polled = running.as_mut().poll(cx);
        match peer.watch.take_verdict() {
            Some(verdict) => Poll::Ready(Err(Refusing::from(verdict))),
            None => polled.map(Ok),
        }
    });
    reply.await
}

/// Tells the log about an answer that was refused, and the socket that more of the request may come.
fn note(peer: &Peer, refusing: &Refusing, id: &HeaderValue) {
    match refusing {
        Refusing::BadAnswer(why) => {
            let request = id.to_str().unwrap_or_default().into();
            (peer.worker.notices)(Notice::AnswerRefused { request, why });
        }
        Refusing::TooLarge | Refusing::BodyTimeout => peer.watch.linger(),
        Refusing::BadRequest(_)
        | Refusing::NotFound
        | Refusing::MethodNotAllowed(_)
        | Refusing::NotImplemented
        | Refusing::Misdirected
        | Refusing::ServerOptions
        | Refusing::Ended(_) => {}
    }
}
