//! Answers a request of WASI 0.2 with what it is told of it, line by line: `method GET`, `scheme http`, `authority …`,
//! `path …` with its query, `header NAME: VALUE`, `body …`, `trailer NAME: VALUE`. What it isn't told has no line; bytes
//! that are no printable ASCII are escaped.
//!
//! The header `x-answer` asks for another answer:
//!
//! | value | answer |
//! |---|---|
//! | `status N` | that status, no body |
//! | `headers` | two of one name, one that is empty, one of odd bytes |
//! | `length` | a body whose length it says |
//! | `trailers` | a body with trailers |
//! | `early` | an answer before the body is read |
//! | `error` | an error instead of an answer |
//! | `checks` | what holds for every request that comes, or a trap |
//!
//! `x-after: N` has it compute for N milliseconds before.

use wasip2::clocks::monotonic_clock::now;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    ErrorCode, Fields, HeaderError, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse,
    ResponseOutparam, Scheme,
};
use wasip2::io::streams::StreamError;

struct Service;

wasip2::http::proxy::export!(Service);

impl Guest for Service {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let header = |name: &str| String::from_utf8(request.headers().get(name).pop().unwrap_or_default()).unwrap();
        compute(header("x-after").parse().unwrap_or(0));
        let asked = header("x-answer");
        let (word, number) = asked.split_once(' ').unwrap_or((&asked, ""));
        match word {
            "status" => answer(outparam, number.parse().unwrap(), &[], b"", None),
            "headers" => {
                let odd: &[u8] = b"caf\xE9 \t\xFF";
                let headers = [("x-multi", &b"first"[..]), ("x-multi", b"second"), ("x-empty", b""), ("x-odd", odd)];
                answer(outparam, 200, &headers, b"", None);
            }
            "length" => answer(outparam, 200, &[("content-length", b"5")], b"hello", None),
            "trailers" => {
                let trailers = fields(&[("x-checksum", b"abc123")]);
                answer(outparam, 200, &[("trailer", b"x-checksum")], b"hello", Some(trailers));
            }
            "early" => answer(outparam, 200, &[], b"early", None),
            "error" => {
                ResponseOutparam::set(outparam, Err(ErrorCode::InternalError(Some("as asked".into()))));
            }
            "checks" => {
                check(&request);
                answer(outparam, 200, &[], b"all hold", None);
            }
            _ => {
                let told = describe(request);
                answer(outparam, 200, &[], told.as_bytes(), None);
            }
        }
    }
}

fn describe(request: IncomingRequest) -> String {
    let mut told = format!("method {}\n", method(request.method()));
    if let Some(scheme) = request.scheme() {
        told += &format!("scheme {}\n", scheme_name(scheme));
    }
    if let Some(authority) = request.authority() {
        told += &format!("authority {}\n", authority.escape_default());
    }
    if let Some(path) = request.path_with_query() {
        told += &format!("path {}\n", path.escape_default());
    }
    for (name, value) in request.headers().entries() {
        told += &format!("header {name}: {}\n", value.escape_ascii());
    }
    let body = request.consume().unwrap();
    told += &format!("body {}\n", read(&body).escape_ascii());
    let trailers = IncomingBody::finish(body);
    trailers.subscribe().block();
    for (name, value) in trailers.get().unwrap().unwrap().unwrap().iter().flat_map(Fields::entries) {
        told += &format!("trailer {name}: {}\n", value.escape_ascii());
    }
    told
}

fn check(request: &IncomingRequest) {
    let headers = request.headers();
    let immutable = |result: Result<(), HeaderError>| assert!(matches!(result, Err(HeaderError::Immutable)));
    immutable(headers.set("x-new", &[b"x".to_vec()]));
    immutable(headers.append("x-answer", b"x"));
    immutable(headers.delete("x-answer"));
    let copied = headers.clone();
    copied.delete("x-answer").unwrap();
    assert!(headers.has("X-Answer") && !copied.has("x-answer"));

    let body = request.consume().unwrap();
    assert!(request.consume().is_err());
    let stream = body.stream().unwrap();
    assert!(body.stream().is_err());
    drop(stream);

    let response = OutgoingResponse::new(Fields::new());
    assert_eq!(response.status_code(), 200);
    assert!(response.set_status_code(1000).is_err() && response.set_status_code(99).is_err());
    immutable(response.headers().set("x-new", &[b"x".to_vec()]));
    let body = response.body().unwrap();
    assert!(response.body().is_err());
    let stream = body.write().unwrap();
    assert!(body.write().is_err());
    drop(stream);
}

fn read(body: &IncomingBody) -> Vec<u8> {
    let stream = body.stream().unwrap();
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => return bytes,
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Keeps the processor, as one that waits would not.
fn compute(ms: u64) {
    let start = now();
    while now() - start < ms * 1_000_000 {}
}

fn answer(outparam: ResponseOutparam, status: u16, headers: &[(&str, &[u8])], body: &[u8], trailers: Option<Fields>) {
    let response = OutgoingResponse::new(fields(headers));
    response.set_status_code(status).unwrap();
    let out = response.body().unwrap();
    ResponseOutparam::set(outparam, Ok(response));
    if !body.is_empty() {
        let stream = out.write().unwrap();
        body.chunks(4096).for_each(|chunk| stream.blocking_write_and_flush(chunk).unwrap());
    }
    OutgoingBody::finish(out, trailers).unwrap();
}

fn fields(entries: &[(&str, &[u8])]) -> Fields {
    let entries: Vec<_> = entries.iter().map(|(name, value)| (name.to_string(), value.to_vec())).collect();
    Fields::from_list(&entries).unwrap()
}

fn method(method: Method) -> String {
    let name = match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => return format!("other {name}"),
    };
    name.into()
}

fn scheme_name(scheme: Scheme) -> String {
    match scheme {
        Scheme::Http => "http".into(),
        Scheme::Https => "https".into(),
        Scheme::Other(name) => format!("other {name}"),
    }
}
