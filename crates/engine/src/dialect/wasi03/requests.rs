//! `wasi:http` 0.3: what outgoing requests are sent to, and whether they were.

use crate::{
    dialect::{answer, target},
    state::State,
};
use http::{header::HOST, uri::PathAndQuery};
use std::{future::Future, pin::Pin};
use tokio::sync::oneshot;
use wasmtime::{
    AsContextMut, Result, StoreContextMut,
    component::{Accessor, Linker, Resource},
};
use wasmtime_wasi_http::{
    Error, WasiHttp, WasiHttpView,
    p3::{
        Request, Response,
        bindings::http::{
            client::HostWithStore,
            types::{ErrorCode, Scheme},
        },
    },
};

type Store<'a> = StoreContextMut<'a, State>;
type Answer<T> = Result<std::result::Result<T, ErrorCode>>;
/// Whether a request was sent, once that is known.
type Sent = Pin<Box<dyn Future<Output = std::result::Result<(), Error>> + Send>>;

/// Lays it over wasmtime-wasi-http's functions.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    let mut types = linker.instance("wasi:http/types@0.3.0")?;
    types.func_wrap(
        "[method]request.set-path-with-query",
        |mut store: Store<'_>, (request, text): (Resource<Request>, Option<String>)| {
            let request = store.data_mut().http().table.get_mut(&request)?;
            let path = text.map(|text| target::path(&text).and_then(kept).ok_or(())).transpose();
            Ok((path.map(|path| request.path_with_query = path),))
        },
    )?;
    types.func_wrap(
        "[method]request.get-path-with-query",
        |mut store: Store<'_>, (request,): (Resource<Request>,)| {
            let request = store.data_mut().http().table.get(&request)?;
            Ok((request.path_with_query.as_ref().map(|path| shown(path).to_owned()),))
        },
    )?;
    types.func_wrap(
        "[method]request.set-scheme",
        |mut store: Store<'_>, (request, scheme): (Resource<Request>, Option<Scheme>)| {
            let request = store.data_mut().http().table.get_mut(&request)?;
            Ok((scheme.map(named).transpose().map(|scheme| request.scheme = scheme),))
        },
    )?;
    linker.instance("wasi:http/client@0.3.0")?.func_wrap_concurrent(
        "send",
        |store: &Accessor<State>, (request,): (Resource<Request>,)| {
            Box::pin(async move { Ok((send(store, request).await?,)) })
        },
    )
}

/// What stands before a path that is relative, which `PathAndQuery` would not take. No request that came in begins so.
const RELATIVE: &str = "?\u{ffff}";

fn kept(path: &str) -> Option<PathAndQuery> {
    match path.as_bytes().first() {
        Some(b'/' | b'?') => path.parse().ok(),
        _ if path == "*" => path.parse().ok(),
        _ => format!("{RELATIVE}{path}").parse().ok(),
    }
}

fn shown(path: &PathAndQuery) -> &str {
    path.as_str().strip_prefix(RELATIVE).unwrap_or(path.as_str())
}

fn named(scheme: Scheme) -> std::result::Result<http::uri::Scheme, ()> {
    let text = match scheme {
        Scheme::Http => return Ok(http::uri::Scheme::HTTP),
        Scheme::Https => return Ok(http::uri::Scheme::HTTPS),
        Scheme::Other(text) => text,
    };
    match target::scheme(&text).ok_or(())? {
        target::Scheme::Http => Ok(http::uri::Scheme::HTTP),
        target::Scheme::Https => Ok(http::uri::Scheme::HTTPS),
        target::Scheme::Other => text.parse().map_err(|_| ()),
    }
}

/// Sends a request. wasmtime-wasi-http tells the guest that a request was sent even where nobody took it
/// (<https://github.com/bytecodealliance/wasmtime/issues/14112>), so it gets another one in its place, with the same body, and
/// what the guest is told of its own is decided here.
async fn send(store: &Accessor<State>, request: Resource<Request>) -> Answer<Resource<Response>> {
    let (tell, told) = oneshot::channel::<Sent>();
    let told = async move {
        match told.await {
            Ok(sent) => sent.await,
            Err(_) => Err(Error::ConnectionTerminated),
        }
    };
    let (request, sent) = match store.with(|mut store| forwarded(store.as_context_mut(), request, told))? {
        Ok(forwarded) => forwarded,
        Err(code) => return Ok(Err(code)),
    };
    let inner = store.with_getter::<WasiHttp>(State::http);
    let answered = answer(<WasiHttp as HostWithStore<State>>::send(&inner, request).await)?;
    let _ = tell.send(match &answered {
        Ok(_) => sent,
        Err(code) => Box::pin(std::future::ready(Err(Error::from(code.clone())))),
    });
    Ok(answered)
}

/// The same request, with what it is sent to. Nothing is sent where that names nothing.
fn forwarded(
    mut store: Store<'_>,
    request: Resource<Request>,
    told: impl Future<Output = std::result::Result<(), Error>> + Send + 'static,
) -> Answer<(Resource<Request>, Sent)> {
    let mut request = store.data_mut().http().table.delete(request)?;
    let target = target::sent(request.path_with_query.as_ref().map(shown), &request.method);
    request.path_with_query.clone_from(&target);
    let (request, options) = match answer(request.into_http(store.as_context_mut(), told))? {
        Ok(request) => request,
        Err(code) => return Ok(Err(code)),
    };
    if target.is_none() {
        return Ok(Err(ErrorCode::HttpRequestUriInvalid));
    }
    let (mut head, body) = request.into_parts();
    head.headers.remove(HOST);
    let http = store.data_mut().http();
    let (mut request, sent) = Request::from_http(http.hooks, http::Request::from_parts(head, body));
    request.options = options;
    Ok(Ok((http.table.push(request)?, Box::pin(sent))))
}
