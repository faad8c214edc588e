//! One connection: TLS, then HTTP/1.1 or HTTP/2, until it ends, times out or is asked to.

use crate::{
    Notice,
    http::{
        Guards, Tls,
        answer::answer,
        metrics::add,
        socket::{Protocol, Socket, Stream},
        watch::Phase,
        worker::Peer,
    },
};
use hyper::{
    body::Incoming,
    rt::Executor,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::net::TcpStream;

/// hyper's own bound on headers. Setting any makes it fill and copy its tables for each request, half as much work again
/// as the rest of it.
const HYPER_HEADERS_MAX: usize = 100;
/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// The most bytes of a body, or of answers, that an HTTP/1 connection buffers.
const BUFFER_BYTES: usize = 128 * 1024;
/// Streams that a client opened and reset before they were answered; over it the connection ends (CVE-2023-44487).
const RESETS_MAX: usize = 32;

/// A connection on its way to a worker.
pub(crate) struct Arrival {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) address: Option<SocketAddr>,
}

/// Serves a connection to its end. Errors end it: they are the client's, and what was asked has settled its receipts.
pub(crate) async fn serve(peer: Arc<Peer>, stream: std::net::TcpStream, tls: Option<Arc<Tls>>) {
    let Ok(stream) = prepare(stream) else { return };
    let stream = match tls {
        None => Stream::Tcp(stream),
        Some(tls) => match tls.acceptor.accept(stream).await {
            Ok(stream) => {
                peer.watch.enter(Phase::Fresh);
                Stream::Tls(Box::new(stream))
            }
            Err(error) => {
                add(&peer.worker.counters.handshake_errors, 1);
                (peer.worker.notices)(Notice::HandshakeFailed { peer: peer.address, error });
                return;
            }
        },
    };
    match Socket::open(stream, peer.clone()).await {
        Ok((socket, Protocol::Http1)) => serve_http1(socket, peer).await,
        Ok((socket, Protocol::Http2)) => serve_http2(socket, peer).await,
        Err(_) => {}
    }
}

fn prepare(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    TcpStream::from_std(stream)
}

async fn serve_http1(socket: Socket, peer: Arc<Peer>) {
    let asked = peer.clone();
    let service = service_fn(move |request| answer(asked.clone(), request));
    let mut connection = pin!(http1_builder(&peer.worker.guards).serve_connection(TokioIo::new(socket), service));
    let mut closing = false;
    let ended = poll_fn(|cx| {
        if !closing && peer.watch.is_closing() {
            closing = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    });
    // An error was answered where the protocol has an answer for it.
    let _ = ended.await;
}

/// The bounds of an HTTP/1 connection.
///
/// Without `pipeline_flush`: hyper then keeps an answer back while unread bytes are there, also when they never make a
/// request, and loses it when they are a bad one.
fn http1_builder(guards: &Guards) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None) // Its watch has it, without a timer for each request.
        .max_header_size(guards.head_bytes_max)
        .max_buf_size(guards.head_bytes_max.max(BUFFER_BYTES));
    if guards.headers_max != HYPER_HEADERS_MAX {
        builder.max_headers(guards.headers_max);
    }
    builder
}

async fn serve_http2(socket: Socket, peer: Arc<Peer>) {
    let streams = Streams { next: Arc::default() };
    let (asked, opened) = (peer.clone(), streams.clone());
    let service = service_fn(move |request: http::Request<Incoming>| {
        let stream = asked.stream();
        opened.next(stream.clone());
        answer(stream, request)
    });
    let mut connection =
        pin!(http2_builder(streams, &peer.worker.guards).serve_connection(TokioIo::new(socket), service));
    let mut closing = false;
    let ended = poll_fn(|cx| {
        if !closing && peer.watch.is_closing() {
            closing = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    });
    let _ = ended.await;
}

/// The bounds of an HTTP/2 connection. `h2` has those on `CONTINUATION`, empty frames and settings built in.
fn http2_builder(streams: Streams, guards: &Guards) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(guards.streams_max)
        .max_header_list_size(u32::try_from(guards.head_bytes_max).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(RESETS_MAX)
        .max_send_buf_size(guards.stream_buffer_bytes_max)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// Runs the streams of one connection, each under its own watch.
///
/// hyper makes a stream's future with the service and hands it here in the same step, so the stream that was opened last is
/// the one that the future belongs to.
#[derive(Clone)]
struct Streams {
    next: Arc<Mutex<Option<Arc<Peer>>>>,
}

impl Streams {
    fn next(&self, stream: Arc<Peer>) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
    }
}

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, future: F) {
        let stream = self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        match stream {
            Some(stream) => stream.spawn(async move { drop(future.await) }, || {}),
            None => drop(tokio::spawn(future)),
        }
    }
}
