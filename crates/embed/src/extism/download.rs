//! Downloads a module: whoever wrote the manifest says from where, so what it names may also be in the host's own network.
//! Where that redirects to has been said by somebody else, and has to be public.

use super::manifest::Wasm;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header::LOCATION};
use sandbar_call::{Body, GrantKind, Limits, Meter};
use sandbar_engine::inspect::GUEST_BYTES_MAX;
use sandbar_grants::{Grants, HttpClient, Volumes};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How often one request may be sent elsewhere.
const REDIRECTS_MAX: usize = 10;
/// How long all of it may take: a server that gives a byte now and then would hold whoever loads the plugin for weeks.
const TIME_MAX: Duration = Duration::from_secs(300);
/// Every server that is public.
const PUBLIC: &str = "*://*:*";

/// Downloads a module, by the request that its manifest describes.
pub(super) async fn download(url: &str, asked: &Wasm) -> Result<Bytes, String> {
    let came = timeout(TIME_MAX, follow(url, asked)).await;
    came.map_err(|_| format!("it took longer than {} minutes", TIME_MAX.as_secs() / 60))?
}

async fn follow(url: &str, asked: &Wasm) -> Result<Bytes, String> {
    let client = HttpClient::system();
    let from = uri(url)?;
    let mut at = from.clone();
    for _ in 0..=REDIRECTS_MAX {
        let is_asked = origin(&at) == origin(&from);
        let method = asked.method.as_deref().unwrap_or("GET").parse::<Method>();
        let method = method.map_err(|_| "the method is none of HTTP's".to_owned())?;
        let mut request = Request::builder().method(method).uri(at.clone());
        // They may hold what only the one who was meant may know.
        for (name, value) in asked.headers.iter().filter(|_| is_asked) {
            request = request.header(name, value);
        }
        let request = request.body(Body::Empty).map_err(|error| error.to_string())?;
        let grant = if is_asked { format!("private+{}", origin(&at)) } else { PUBLIC.into() };
        let response = send(&client, &grant, request).await?;
        match response.status() {
            StatusCode::OK => return Ok(response.into_body()),
            status if status.is_redirection() && response.headers().contains_key(LOCATION) => {
                at = redirected(&at, &response)?;
            }
            status => return Err(format!("the server answered `{status}`")),
        }
    }
    Err(format!("it was redirected more than {REDIRECTS_MAX} times"))
}

async fn send(client: &HttpClient, grant: &str, request: Request<Body>) -> Result<Response<Bytes>, String> {
    let mut grants = Grants::default();
    grants.add(GrantKind::Http, grant).map_err(|error| error.to_string())?;
    let admitted = grants.admit(Path::new("."), &|_| None, &Volumes::default()).map_err(|error| error.to_string())?;
    let meter = Arc::new(Meter::new(Limits::NONE));
    let bytes_max = usize::try_from(GUEST_BYTES_MAX).unwrap_or(usize::MAX);
    let fetched = client.fetch(&admitted.http, meter, request, bytes_max).await;
    fetched.map_err(|error| error.to_string())
}

fn uri(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|_| format!("`{}` is no address", text.escape_debug()))?;
    match (uri.scheme_str(), uri.authority()) {
        // What would tell it would be the error, with the password in it.
        (_, Some(authority)) if authority.as_str().contains('@') => {
            Err("a user can't stand before the host; give `headers` with `authorization` instead".into())
        }
        (Some("http" | "https"), Some(_)) => Ok(uri),
        _ => Err("expected an address such as `https://example.com/plugin.wasm`".into()),
    }
}

fn origin(uri: &Uri) -> String {
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    format!("{}://{authority}", uri.scheme_str().unwrap_or_default())
}

/// Where a response leads, seen from where it came from.
fn redirected(at: &Uri, response: &Response<Bytes>) -> Result<Uri, String> {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok()).unwrap_or_default();
    match location {
        path if path.starts_with("//") => uri(&format!("{}:{path}", at.scheme_str().unwrap_or_default())),
        path if path.starts_with('/') => uri(&format!("{}{path}", origin(at))),
        whole => uri(whole),
    }
}
