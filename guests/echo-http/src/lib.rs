//! An HTTP guest for WASI 0.2 with a path for each thing a server has to get right.
//!
//! | path | answer |
//! |---|---|
//! | `/env` | the environment, one JSON object a line |
//! | `/headers` | the request's headers, `name: value` a line |
//! | `/fetch?url=URL` | what a GET of URL answers, or 502 with why it was refused |
//! | `/status/CODE` | that status |
//! | `/stream?n=N&ms=MS` | N chunks, each flushed, with a pause before the next |
//! | `/big?bytes=N` | N bytes |
//! | `/sleep?ms=MS` | after that time |
//! | `/spin`, `/panic`, `/nothing` | never; a trap; returns without a response |
//! | `/twice` | promises 5 bytes and writes 9 |
//! | any other | the request's body as it arrives, and its trailers |

use std::env;
use std::io::{self, Write};

use serde_json::json;
use wasip2::clocks::monotonic_clock;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingRequest, IncomingResponse, OutgoingBody, OutgoingRequest,
    OutgoingResponse, ResponseOutparam, Scheme,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

const CHUNK_BYTES: usize = 64 * 1024;

struct EchoHttp;

wasip2::http::proxy::export!(EchoHttp);

impl Guest for EchoHttp {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path {
            "/env" => respond(outparam, 200, write_env),
            "/headers" => respond(outparam, 200, |out| write_headers(&request.headers(), out)),
            "/fetch" => fetch(&text(query, "url"), outparam),
            "/stream" => respond(outparam, 200, |out| write_chunks(number(query, "n"), number(query, "ms"), out)),
            "/big" => respond(outparam, 200, |out| write_bytes(number(query, "bytes"), out)),
            "/sleep" => {
                sleep_ms(number(query, "ms"));
                respond(outparam, 200, |out| out.write_all(b"slept\n"));
            }
            "/spin" => loop {
                std::hint::spin_loop();
            },
            "/panic" => panic!("panicked, as asked"),
            "/nothing" => {}
            "/twice" => promise_less_than_written(outparam),
            _ => match path.strip_prefix("/status/").map(str::parse) {
                Some(code) => respond(outparam, code.unwrap_or(400), |_| Ok(())),
                None => echo(request, outparam),
            },
        }
    }
}

/// Streams the request's body back as it arrives, and passes its trailers on.
fn echo(request: IncomingRequest, outparam: ResponseOutparam) {
    let headers = Fields::new();
    // HTTP/1.1 sends only the trailers that the head announces.
    for name in ["content-type", "trailer"] {
        headers.set(name, &request.headers().get(name)).unwrap();
    }
    let body = send_head(outparam, 200, headers);

    let incoming = request.consume().unwrap();
    let (input, mut output) = (incoming.stream().unwrap(), body.write().unwrap());
    let copied = copy(&input, &mut output);
    drop((input, output));
    // A body that is dropped instead of finished tells the client that it is cut short.
    if copied.is_err() {
        return;
    }

    let trailers = IncomingBody::finish(incoming);
    trailers.subscribe().block();
    if let Some(Ok(Ok(received))) = trailers.get() {
        let _ = OutgoingBody::finish(body, received.map(|fields| fields.clone()));
    }
}

/// Answers with what a GET of `url` answers.
fn fetch(url: &str, outparam: ResponseOutparam) {
    let response = match get(url) {
        Ok(response) => response,
        Err(error) => return respond(outparam, 502, |out| writeln!(out, "{error:?}")),
    };
    let incoming = response.consume().unwrap();
    let input = incoming.stream().unwrap();
    respond(outparam, response.status(), |out| copy(&input, out));
}

fn get(url: &str) -> Result<IncomingResponse, ErrorCode> {
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        _ => return Err(ErrorCode::HttpRequestUriInvalid),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));

    let request = OutgoingRequest::new(Fields::new());
    let invalid = |()| ErrorCode::HttpRequestUriInvalid;
    request.set_scheme(Some(&scheme)).map_err(invalid)?;
    request.set_authority(Some(authority)).map_err(invalid)?;
    request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })).map_err(invalid)?;

    let response = outgoing_handler::handle(request, None)?;
    response.subscribe().block();
    response.get().expect("it is ready").expect("it is taken once")
}

fn write_env(out: &mut OutputStream) -> io::Result<()> {
    env::vars().try_for_each(|(name, value)| writeln!(out, "{}", json!({ name: value })))
}

fn write_headers(headers: &Fields, out: &mut OutputStream) -> io::Result<()> {
    for (name, value) in headers.entries() {
        writeln!(out, "{name}: {}", String::from_utf8_lossy(&value))?;
    }
    Ok(())
}

fn write_chunks(count: u64, pause_ms: u64, out: &mut OutputStream) -> io::Result<()> {
    for index in 0..count {
        writeln!(out, "chunk {index}")?;
        out.flush()?;
        sleep_ms(pause_ms);
    }
    Ok(())
}

fn write_bytes(bytes: u64, out: &mut OutputStream) -> io::Result<()> {
    io::copy(&mut io::Read::take(io::repeat(b'x'), bytes), out)?;
    Ok(())
}

fn promise_less_than_written(outparam: ResponseOutparam) {
    let headers = Fields::new();
    headers.set("content-length", &[b"5".to_vec()]).unwrap();
    let body = send_head(outparam, 200, headers);
    let _ = body.write().unwrap().write_all(b"nine byte");
    let _ = OutgoingBody::finish(body, None);
}

/// Answers with a head, and then with what `write` writes.
fn respond(outparam: ResponseOutparam, status: u16, write: impl FnOnce(&mut OutputStream) -> io::Result<()>) {
    let body = send_head(outparam, status, Fields::new());
    let mut out = body.write().unwrap();
    let written = write(&mut out);
    drop(out);
    if written.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
}

fn send_head(outparam: ResponseOutparam, status: u16, headers: Fields) -> OutgoingBody {
    let response = OutgoingResponse::new(headers);
    if response.set_status_code(status).is_err() {
        response.set_status_code(400).unwrap();
    }
    let body = response.body().unwrap();
    ResponseOutparam::set(outparam, Ok(response));
    body
}

/// Copies chunk by chunk, so that memory stays small however long the body is.
fn copy(input: &InputStream, output: &mut OutputStream) -> io::Result<()> {
    loop {
        match input.blocking_read(CHUNK_BYTES as u64) {
            Ok(chunk) => output.write_all(&chunk)?,
            Err(StreamError::Closed) => return Ok(()),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(io::Error::other(error.to_debug_string()));
            }
        }
    }
}

fn sleep_ms(ms: u64) {
    monotonic_clock::subscribe_duration(ms.saturating_mul(1_000_000)).block();
}

/// Gives a query parameter with its `%XX` decoded; empty where there is none.
fn text(query: &str, name: &str) -> String {
    let value = query.split('&').filter_map(|pair| pair.split_once('=')).find(|pair| pair.0 == name);
    percent_decode(value.map_or("", |pair| pair.1))
}

fn number(query: &str, name: &str) -> u64 {
    text(query, name).parse().unwrap_or(0)
}

fn percent_decode(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                decoded.extend(&part.as_bytes()[2..]);
            }
            None => {
                decoded.push(b'%');
                decoded.extend(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
