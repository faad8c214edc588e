//! A log processor: records come in by HTTP, go through a chain of plugins that nobody here has to trust, and come out as the
//! plugins leave them.
//!
//! ```sh
//! plugin-host PLUGINS [ADDRESS]
//! ```
//!
//! PLUGINS is a folder. Each `NAME.wasm` in it is a plugin, in the order of their names, with what it may touch and use in
//! `NAME.json` beside it. A plugin exports `transform`: a record as JSON comes on its stdin, and it writes the record as it should
//! go on, or `null` to drop it. Replace a file, and the next record meets the new plugin.

mod chain;
mod page;

use anyhow::{Context, Result};
use chain::Chain;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use sandbar_embed::Host;
use std::{convert::Infallible, env, sync::Arc};
use tokio::net::TcpListener;

/// The most bytes of records in one request.
const RECORDS_BYTES_MAX: usize = 16 << 20;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let folder = arguments.next().context("expected a folder of plugins: plugin-host PLUGINS [ADDRESS]")?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());

    // Loading compiles, which takes its time.
    let chain = tokio::task::spawn_blocking(move || Chain::load(&Host::new()?, folder.as_ref())).await??;
    let chain = Arc::new(chain);
    let listener = TcpListener::bind(&address).await.with_context(|| format!("can't listen on `{address}`"))?;
    eprintln!("see http://{}, and post records to /logs", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let chain = chain.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request| answer(&chain, request));
            if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await {
                eprintln!("a connection ended: {error}");
            }
        });
    }
}

async fn answer(chain: &Chain, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, content_type, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => (StatusCode::OK, "text/html; charset=utf-8", page::of(chain)),
        (&Method::POST, "/logs") => match Limited::new(request.into_body(), RECORDS_BYTES_MAX).collect().await {
            Ok(body) => logs(chain, &body.to_bytes()).await,
            Err(error) => (StatusCode::BAD_REQUEST, "text/plain", format!("the records can't be read: {error}\n")),
        },
        _ => (StatusCode::NOT_FOUND, "text/plain", "there is `GET /` and `POST /logs`\n".into()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}

/// Takes JSON lines, and gives those that are left.
async fn logs(chain: &Chain, body: &[u8]) -> (StatusCode, &'static str, String) {
    let mut answer = String::new();
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        match serde_json::from_slice(line) {
            Ok(record) => {
                if let Some(record) = chain.process(record).await {
                    answer += &format!("{record}\n");
                }
            }
            Err(error) => {
                let line = String::from_utf8_lossy(line);
                return (StatusCode::BAD_REQUEST, "text/plain", format!("`{line}` is no record: {error}\n"));
            }
        }
    }
    (StatusCode::OK, "application/jsonl", answer)
}
