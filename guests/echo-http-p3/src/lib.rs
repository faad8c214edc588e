//! The HTTP guest `echo-http` for WASI 0.3, with the paths where 0.3 differs.
//!
//! | path | answer |
//! |---|---|
//! | `/fetch?url=URL` | what a GET of URL answers, or 502 with why it was refused |
//! | `/status/CODE` | that status |
//! | `/spin`, `/panic` | never; a trap |
//! | `/through` | the request's body and trailers, handed back unread |
//! | any other | the request's body, read and written as it arrives, and its trailers |

use wasip3::exports::http::handler::Guest;
use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Fields, Request, Response, Scheme, Trailers};
use wasip3::wit_bindgen::rt::async_support::{FutureReader, StreamReader, StreamResult};
use wasip3::{spawn_local, wit_future, wit_stream};

const CHUNK_BYTES: usize = 64 * 1024;

type Contents = Option<StreamReader<u8>>;
type TrailersReader = FutureReader<Result<Option<Trailers>, ErrorCode>>;

struct EchoHttp;

wasip3::http::service::export!(EchoHttp);

impl Guest for EchoHttp {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Ok(match path {
            "/fetch" => fetch(&percent_decode(query.strip_prefix("url=").unwrap_or_default())).await,
            "/spin" => loop {
                std::hint::spin_loop();
            },
            "/panic" => panic!("panicked, as asked"),
            "/through" => {
                let headers = headers_of(&request);
                let (contents, trailers) = consume(request);
                respond(200, headers, Some(contents), trailers)
            }
            _ => match path.strip_prefix("/status/").map(str::parse) {
                Some(code) => respond(code.unwrap_or(400), Fields::new(), None, no_trailers()),
                None => {
                    let headers = headers_of(&request);
                    let (contents, trailers) = consume(request);
                    respond(200, headers, Some(copy(contents)), trailers)
                }
            },
        })
    }
}

/// Answers with what a GET of `url` answers.
async fn fetch(url: &str) -> Response {
    match get(url).await {
        Ok(response) => {
            let status = response.get_status_code();
            let (_, consumed) = wit_future::new(|| Ok(()));
            let (contents, trailers) = Response::consume_body(response, consumed);
            respond(status, Fields::new(), Some(copy(contents)), trailers)
        }
        Err(error) => {
            let (mut body, contents) = wit_stream::new();
            spawn_local(async move {
                body.write_all(format!("{error:?}\n").into_bytes()).await;
            });
            respond(502, Fields::new(), Some(contents), no_trailers())
        }
    }
}

async fn get(url: &str) -> Result<Response, ErrorCode> {
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        _ => return Err(ErrorCode::HttpRequestUriInvalid),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));

    let (request, _sent) = Request::new(Fields::new(), None, no_trailers(), None);
    let invalid = |()| ErrorCode::HttpRequestUriInvalid;
    request.set_scheme(Some(&scheme)).map_err(invalid)?;
    request.set_authority(Some(authority)).map_err(invalid)?;
    request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })).map_err(invalid)?;
    client::send(request).await
}

fn respond(status: u16, headers: Fields, contents: Contents, trailers: TrailersReader) -> Response {
    let (response, _sent) = Response::new(headers, contents, trailers);
    if response.set_status_code(status).is_err() {
        response.set_status_code(400).unwrap();
    }
    response
}

/// Keeps the headers that say what the body is. HTTP/1.1 sends only the trailers that the head announces.
fn headers_of(request: &Request) -> Fields {
    let headers = Fields::new();
    for name in ["content-type", "trailer"] {
        headers.set(name, &request.get_headers().get(name)).unwrap();
    }
    headers
}

fn consume(request: Request) -> (StreamReader<u8>, TrailersReader) {
    let (_, consumed) = wit_future::new(|| Ok(()));
    Request::consume_body(request, consumed)
}

/// Copies chunk by chunk in a task of its own, until either side ends.
fn copy(mut from: StreamReader<u8>) -> StreamReader<u8> {
    let (mut to, copied) = wit_stream::new();
    spawn_local(async move {
        let mut buffer = Vec::with_capacity(CHUNK_BYTES);
        loop {
            let (result, chunk) = from.read(buffer).await;
            buffer = to.write_all(chunk).await;
            if !buffer.is_empty() || result == StreamResult::Dropped {
                break;
            }
        }
    });
    copied
}

fn no_trailers() -> TrailersReader {
    wit_future::new(|| Ok(None)).1
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
