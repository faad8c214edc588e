//! The native peer of the benches: what the quickstart's two measured routes cost without a sandbox, and what a long body costs
//! that goes back as it comes (`POST /echo`).
//!
//! One current-thread runtime a core, each with its own `SO_REUSEPORT` listener, and the timeouts that a guarded server
//! has. It listens on a free port of 127.0.0.1 and prints its address on stderr.

#![forbid(unsafe_code)]

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header::CONTENT_TYPE, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_BYTES_MAX: usize = 1024 * 1024;
const BACKLOG: u32 = 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    match serve_on_all_cores() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("native: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve_on_all_cores() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let first = runtime.block_on(async { listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))) })?;
    let address = first.local_addr()?;

    let cores = thread::available_parallelism().context("cannot count the cores")?.get();
    for _ in 1..cores {
        // Ends with the program, which ends by a signal.
        thread::spawn(move || {
            if let Err(error) = serve_on_one_core(address) {
                eprintln!("native: {error:#}");
            }
        });
    }
    eprintln!("native serves http://{address}/");
    runtime.block_on(serve(first));
    Ok(())
}

fn serve_on_one_core(address: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        serve(listen(address)?).await;
        Ok(())
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn serve(listener: TcpListener) {
    loop {
        match listener.accept().await {
            // A connection owns its task and ends with its peer or by its header timeout.
            Ok((stream, _)) => drop(tokio::spawn(connection(stream))),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn connection(stream: TcpStream) {
    // Without it small answers only wait longer.
    let _ = stream.set_nodelay(true);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    // A peer that leaves is its own affair.
    let _ = serving.await;
}

/// An answer that is made here, or the request's body.
type Answer = Response<Either<Full<Bytes>, Incoming>>;

async fn answer(request: Request<Incoming>) -> Result<Answer, Infallible> {
    let path = request.uri().path();
    Ok(match (request.method(), path.strip_prefix("/hello/")) {
        (&Method::GET, Some(name)) => text(StatusCode::OK, format!("Hello, {name}!\n")),
        (&Method::POST, None) if path == "/double" => match double(request.into_body()).await {
            Ok(json) => respond(StatusCode::OK, "application/json", json.into()),
            Err(error) => text(StatusCode::BAD_REQUEST, format!("{error:#}\n")),
        },
        (&Method::POST, None) if path == "/echo" => Response::new(Either::Right(request.into_body())),
        _ => text(StatusCode::NOT_FOUND, "nothing here\n".to_owned()),
    })
}

#[derive(Deserialize)]
struct Order {
    name: String,
    value: i64,
}

#[derive(Serialize)]
struct Doubled {
    message: String,
    processed_value: i64,
}

/// Does what the guest `double` does.
async fn double(body: Incoming) -> Result<Vec<u8>> {
    let collected = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let bytes = collected.map_err(anyhow::Error::from_boxed)?.to_bytes();
    let order: Order = serde_json::from_slice(&bytes)?;
    let doubled = Doubled {
        message: format!("Hello, {}. Your value was doubled!", order.name),
        processed_value: order.value.checked_mul(2).context("the value is too large to double")?,
    };
    Ok(serde_json::to_vec(&doubled)?)
}

fn text(status: StatusCode, text: String) -> Answer {
    respond(status, "text/plain; charset=utf-8", text.into())
}

fn respond(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    response
}
