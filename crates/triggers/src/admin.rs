//! The admin listener: health, readiness, metrics and the latest receipts, apart from what the app serves.
//!
//! It has a thread and a runtime of its own, so that it answers while every worker is busy, and listens on loopback unless
//! told otherwise. There it answers only to a `Host` that is an address or `localhost`: a web page that makes its own name
//! point at 127.0.0.1 gets nothing. Elsewhere whoever reaches it may read receipts: keep it off public networks.

use crate::{
    Notice, Notices,
    http::{BindError, escaped},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use sandbar_call::{OutcomeKind, Receipt};
use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

/// Connections open at one time; more wait.
const CONNECTIONS_MAX: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest life of a connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
const ACCEPT_WAIT: Duration = Duration::from_millis(100);
/// How many receipts are shown when not told, and at most.
const RECEIPTS: usize = 100;
const RECEIPTS_MAX: usize = 1000;

/// What the admin listener shows. Called from its thread: it may take a moment.
pub trait Admin: Send + Sync {
    /// Whether the app takes new calls.
    fn is_ready(&self) -> bool;
    /// Appends all metrics in the Prometheus text format.
    fn metrics(&self, out: &mut String);
    /// The latest receipts, the newest first.
    fn receipts(&self, filter: &ReceiptFilter) -> Vec<Receipt>;
}

/// Which receipts are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptFilter {
    /// At most this many: 1 to 1000.
    pub latest: usize,
    /// Of this guest only.
    pub guest: Option<String>,
    /// With this outcome only.
    pub outcome: Option<OutcomeKind>,
}

/// A running admin listener. It ends when this is dropped.
#[derive(Debug)]
pub struct AdminHandle {
    address: SocketAddr,
    _ends: watch::Sender<()>,
}

impl AdminHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Listens and serves on a thread of its own.
///
/// # Errors
/// An address that can't be had, or a thread that the system does not give.
pub fn serve(listen: SocketAddr, admin: Arc<dyn Admin>, notices: Notices) -> Result<AdminHandle, BindError> {
    let failed = |error| BindError { address: listen, error };
    let (runtime, listener, address) = bind(listen).map_err(failed)?;
    let (ends, ended) = watch::channel(());
    thread::Builder::new()
        .name("admin".into())
        .spawn(move || {
            runtime.block_on(accept(listener, Page { admin, local: address.ip().is_loopback() }, notices, ended))
        })
        .map_err(failed)?;
    Ok(AdminHandle { address, _ends: ends })
}

fn bind(listen: SocketAddr) -> io::Result<(Runtime, TcpListener, SocketAddr)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(listen))?;
    let address = listener.local_addr()?;
    Ok((runtime, listener, address))
}

async fn accept(listener: TcpListener, page: Page, notices: Notices, mut ended: watch::Receiver<()>) {
    let page = Arc::new(page);
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let serving = async {
        loop {
            let Ok(seat) = seats.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(attend(stream, page.clone(), seat))),
                Err(error) => {
                    notices(Notice::AcceptFailed { error, wait: ACCEPT_WAIT });
                    tokio::time::sleep(ACCEPT_WAIT).await;
                }
            }
        }
    };
    tokio::select! {
        () = serving => {}
        _ = ended.changed() => {}
    }
}

async fn attend(stream: TcpStream, page: Arc<Page>, _seat: OwnedSemaphorePermit) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = page.answer(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // How it ends is the client's affair.
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
}

struct Page {
    admin: Arc<dyn Admin>,
    /// Whether it listens on loopback.
    local: bool,
}

type Answer = Response<Full<Bytes>>;

impl Page {
    fn answer<B>(&self, request: &Request<B>) -> Answer {
        if self.local && !names_an_address(request.headers()) {
            return text(StatusCode::MISDIRECTED_REQUEST, "expected `Host` to be an address or `localhost`\n");
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "expected GET\n");
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match request.uri().path() {
            "/" => typed(StatusCode::OK, "text/html; charset=utf-8", index()),
            "/health" => text(StatusCode::OK, "ok\n"),
            "/ready" if self.admin.is_ready() => text(StatusCode::OK, "ready\n"),
            "/ready" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            "/metrics" => {
                let mut metrics = String::new();
                self.admin.metrics(&mut metrics);
                typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", metrics)
            }
            "/receipts" => match ReceiptFilter::parse(request.uri().query().unwrap_or_default()) {
                Ok(filter) => receipts(&self.admin.receipts(&filter)),
                Err(why) => text(StatusCode::BAD_REQUEST, &format!("{why}\n")),
            },
            _ => text(StatusCode::NOT_FOUND, "nothing here; `/` lists what there is\n"),
        }
    }
}

fn receipts(receipts: &[Receipt]) -> Answer {
    match serde_json::to_string(receipts) {
        Ok(json) => typed(StatusCode::OK, "application/json", json + "\n"),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("receipts can't be written: {error}\n")),
    }
}

impl ReceiptFilter {
    /// Reads the query of `/receipts`: `n`, `guest`, `outcome`, each once.
    fn parse(query: &str) -> Result<ReceiptFilter, String> {
        let mut filter = ReceiptFilter { latest: RECEIPTS, guest: None, outcome: None };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = unescape(value).ok_or_else(|| format!("`{value}` is not percent-encoded text"))?;
            match key {
                _ if value.is_empty() => {}
                "n" => {
                    let count = value.parse().ok().filter(|count| (1..=RECEIPTS_MAX).contains(count));
                    filter.latest =
                        count.ok_or_else(|| format!("expected `n` from 1 to {RECEIPTS_MAX}, found `{value}`"))?;
                }
                "guest" => filter.guest = Some(value),
                "outcome" => filter.outcome = Some(outcome(&value)?),
                _ => return Err(format!("expected `n`, `guest` or `outcome`, found `{key}`")),
            }
        }
        Ok(filter)
    }
}

fn outcome(name: &str) -> Result<OutcomeKind, String> {
    OutcomeKind::ALL.iter().copied().find(|kind| kind.key() == name).ok_or_else(|| {
        let known: Vec<&str> = OutcomeKind::ALL.iter().map(|kind| kind.key()).collect();
        format!("expected an outcome ({}), found `{name}`", known.join(", "))
    })
}

/// Reads a value of a query, where `+` is a space.
fn unescape(value: &str) -> Option<String> {
    let value = value.replace('+', " ");
    let bytes = crate::http::decode(&value)?.into_owned();
    String::from_utf8(bytes).ok()
}

/// Whether the `Host` is an address or `localhost`.
fn names_an_address(headers: &HeaderMap) -> bool {
    crate::http::host_name(headers).is_some_and(|host| {
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
    })
}

fn index() -> String {
    let rows: String = [
        ("health", "whether the process is alive"),
        ("ready", "whether it takes new calls; 503 while it starts or drains"),
        ("metrics", "counters and histograms, in the Prometheus text format"),
        ("receipts?n=100&guest=&outcome=", "the latest receipts as JSON, by guest and outcome"),
    ]
    .iter()
    .map(|(path, what)| {
        let path = escaped(path);
        format!("<li><a href=\"/{path}\">/{path}</a> — {what}</li>\n")
    })
    .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Sandbar admin</title>\n\
         <style>:root{{color-scheme:light dark}}body{{font:16px/1.6 system-ui,sans-serif;max-width:40rem;margin:3rem auto;\
         padding:0 1rem}}</style>\n<h1>Sandbar admin</h1>\n<ul>\n{rows}</ul>\n</html>\n"
    )
}

fn text(status: StatusCode, text: &str) -> Answer {
    typed(status, "text/plain; charset=utf-8", text.to_owned())
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

#[cfg(test)]
mod tests;
