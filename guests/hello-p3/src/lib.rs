//! The HTTP guest `hello` for WASI 0.3: greets by path and streams its answer.
//!
//! Returning sends the head. A task that outlives the return writes the body.

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{spawn_local, wit_future, wit_stream};

struct Hello;

wasip3::http::service::export!(Hello);

impl Guest for Hello {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let mut name = name_in(&path);
        name.extend(b"!\n");

        let headers = Fields::new();
        headers.set("content-type", &[b"text/plain; charset=utf-8".to_vec()]).unwrap();
        let (mut body, contents) = wit_stream::new();
        let (_, no_trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(headers, Some(contents), no_trailers);

        // What is left unwritten is left because the client has gone away.
        spawn_local(async move {
            body.write_all(b"Hello, ".to_vec()).await;
            body.write_all(name).await;
        });
        Ok(response)
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
