//! `wasi:http` 0.2: what outgoing requests are sent to.

use crate::{dialect::target, state::State};
use wasmtime::{
    Result, StoreContextMut,
    component::{Linker, Resource},
};
use wasmtime_wasi_http::{
    WasiHttpView,
    p2::{
        bindings::http::{
            outgoing_handler::Host as _,
            types::{ErrorCode, FutureIncomingResponse, Method, RequestOptions, Scheme},
        },
        types::HostOutgoingRequest,
    },
};

type Store<'a> = StoreContextMut<'a, State>;
type Request = Resource<HostOutgoingRequest>;
/// What `handle` answers.
type Handled = std::result::Result<Resource<FutureIncomingResponse>, ErrorCode>;

/// Lays it over wasmtime-wasi-http's functions.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    let mut types = linker.instance("wasi:http/types@0.2.12")?;
    types.func_wrap(
        "[method]outgoing-request.set-path-with-query",
        |mut store: Store<'_>, (request, text): (Request, Option<String>)| {
            let request = store.data_mut().http().table.get_mut(&request)?;
            let path = text.map(|text| target::path(&text).map(str::to_owned).ok_or(())).transpose();
            Ok((path.map(|path| request.path_with_query = path),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-scheme",
        |mut store: Store<'_>, (request, scheme): (Request, Option<Scheme>)| {
            let request = store.data_mut().http().table.get_mut(&request)?;
            Ok((scheme.map(named).transpose().map(|scheme| request.scheme = scheme),))
        },
    )?;
    linker.instance("wasi:http/outgoing-handler@0.2.12")?.func_wrap(
        "handle",
        |mut store: Store<'_>, (request, options): (Request, Option<Resource<RequestOptions>>)| {
            Ok((handle(store.data_mut(), request, options)?,))
        },
    )
}

fn named(scheme: Scheme) -> std::result::Result<Scheme, ()> {
    let Scheme::Other(text) = scheme else { return Ok(scheme) };
    match target::scheme(&text).ok_or(())? {
        target::Scheme::Http => Ok(Scheme::Http),
        target::Scheme::Https => Ok(Scheme::Https),
        target::Scheme::Other => Ok(Scheme::Other(text)),
    }
}

fn handle(state: &mut State, request: Request, options: Option<Resource<RequestOptions>>) -> Result<Handled> {
    let mut http = state.http();
    let asked = http.table.get_mut(&request)?;
    let method = if matches!(asked.method, Method::Options) { http::Method::OPTIONS } else { http::Method::GET };
    let Some(path) = target::sent(asked.path_with_query.as_deref(), &method) else {
        http.table.delete(request)?;
        return Ok(Err(ErrorCode::HttpRequestUriInvalid));
    };
    asked.path_with_query = Some(path.as_str().to_owned());
    match http.handle(request, options) {
        Ok(coming) => Ok(Ok(coming)),
        Err(error) => error.downcast().map(Err),
    }
}
