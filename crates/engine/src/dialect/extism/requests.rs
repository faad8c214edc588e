//! Requests of a plugin, by the HTTP grant.

use super::{EXTISM_MODULE, block, here, put};
use crate::{outcome::Denied, state::State};
use bytes::Bytes;
use http::Request;
use sandbar_call::{Body, Meter};
use sandbar_grants::{Admitted, HttpClient, HttpError};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};
use wasmtime::{AsContextMut, Caller, Linker, Result, format_err};

/// A request as plugins write it.
#[derive(Deserialize)]
struct Asked {
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    method: Option<String>,
}

/// What is left of the last answer for a plugin to ask for.
#[derive(Default)]
pub(super) struct Answered {
    status: u16,
    /// As JSON.
    headers: Vec<u8>,
}

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(
        EXTISM_MODULE,
        "http_request",
        |mut caller: Caller<'_, State>, (request, body): (i64, i64)| {
            Box::new(async move {
                caller.data_mut().serves();
                let request = request_of(&caller, request, body)?;
                let bytes_max = usize::try_from(here(caller.data())?.bounds.answer_bytes).unwrap_or(usize::MAX);
                let parts = caller.data().outgoing.parts();
                let (answered, body) = send(parts, request, bytes_max).await?;
                if let Some(extism) = &mut caller.data_mut().extism {
                    extism.answered = answered;
                }
                if body.is_empty() { Ok(0) } else { put(&mut caller.as_context_mut(), &body) }
            })
        },
    )?;
    linker.func_wrap(EXTISM_MODULE, "http_status_code", |mut caller: Caller<'_, State>| -> Result<i32> {
        caller.data_mut().serves();
        Ok(here(caller.data())?.answered.status.into())
    })?;
    linker.func_wrap(EXTISM_MODULE, "http_headers", |mut caller: Caller<'_, State>| -> Result<i64> {
        caller.data_mut().serves();
        let headers = here(caller.data())?.answered.headers.clone();
        if headers.is_empty() { Ok(0) } else { put(&mut caller.as_context_mut(), &headers) }
    })?;
    Ok(())
}

fn request_of(caller: &Caller<'_, State>, request: i64, body: i64) -> Result<Request<Body>> {
    let asked: Asked = serde_json::from_slice(block(caller, request)?)
        .map_err(|error| format_err!("the plugin's request is not what Extism says: {error}"))?;
    let mut request = Request::builder().method(asked.method.as_deref().unwrap_or("GET")).uri(asked.url);
    for (name, value) in &asked.headers {
        request = request.header(name, value);
    }
    let body = if body == 0 { Body::Empty } else { Body::Whole(Bytes::copy_from_slice(block(caller, body)?)) };
    request.body(body).map_err(|error| format_err!("the plugin's request can't be sent: {error}"))
}

async fn send(
    (client, grants, meter): (HttpClient, Arc<Admitted>, Arc<Meter>),
    request: Request<Body>,
    bytes_max: usize,
) -> Result<(Answered, Bytes)> {
    let response = client.fetch(&grants.http, meter, request, bytes_max).await.map_err(failed)?;
    let (head, body) = response.into_parts();
    let headers: BTreeMap<&str, String> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let headers = serde_json::to_vec(&headers)?;
    Ok((Answered { status: head.status.as_u16(), headers }, body))
}

/// Ends the call: a plugin's interface has no error for it.
fn failed(error: HttpError) -> wasmtime::Error {
    match error {
        HttpError::Denied(denial) => Denied(*denial).into(),
        HttpError::ConnectionLimit(stop) | HttpError::BodyLimit(stop) => stop.into(),
        error => format_err!("the plugin's request failed: {error}"),
    }
}
