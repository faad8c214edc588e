//! An HTTP guest for WASI 0.2: greets by path and streams its answer.
//!
//! `GET /hello/Ada%20L` answers `Hello, Ada L!`. The head is sent before the body is written, so
//! the client sees the response begin while the guest still works.

use std::io::Write;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Hello;

wasip2::http::proxy::export!(Hello);

impl Guest for Hello {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let mut name = name_in(&path);
        name.extend(b"!\n");

        let headers = Fields::new();
        headers.set("content-type", &[b"text/plain; charset=utf-8".to_vec()]).unwrap();
        let response = OutgoingResponse::new(headers);
        let body = response.body().unwrap();
        ResponseOutparam::set(outparam, Ok(response));

        // A write fails when the client has gone away; there is nobody left to tell.
        let mut stream = body.write().unwrap();
        let _ = stream.write_all(b"Hello, ").and_then(|()| stream.write_all(&name));
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}

/// Finds NAME in `/hello/NAME?query`; `world` where there is none.
fn name_in(path_with_query: &str) -> Vec<u8> {
    let path = path_with_query.split('?').next().unwrap_or_default();
    match path.strip_prefix("/hello/") {
        Some(name) if !name.is_empty() => percent_decode(name.as_bytes()),
        _ => b"world".to_vec(),
    }
}

/// Turns each `%XX` into its byte and leaves everything else as it is.
fn percent_decode(mut text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    while let [first, rest @ ..] = text {
        let escaped = match text {
            [b'%', high, low, rest @ ..] => hex(*high).zip(hex(*low)).map(|(h, l)| (h << 4 | l, rest)),
            _ => None,
        };
        let (byte, rest) = escaped.unwrap_or((*first, rest));
        decoded.push(byte);
        text = rest;
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
