//! Answers a request of WASI 0.3 with what it is told of it, as `service02` does, and to the same wishes.

use wasip3::clocks::monotonic_clock::now;
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, HeaderError, Method, Request, Response, Scheme};
use wasip3::{spawn_local, wit_future, wit_stream};

struct Service;

wasip3::http::service::export!(Service);

impl Guest for Service {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let header = |name: &str| String::from_utf8(request.get_headers().get(name).pop().unwrap_or_default()).unwrap();
        compute(header("x-after").parse().unwrap_or(0));
        let asked = header("x-answer");
        let (word, number) = asked.split_once(' ').unwrap_or((&asked, ""));
        Ok(match word {
            "status" => answer(number.parse().unwrap(), &[], b"", None),
            "headers" => {
                let odd: &[u8] = b"caf\xE9 \t\xFF";
                let headers = [("x-multi", &b"first"[..]), ("x-multi", b"second"), ("x-empty", b""), ("x-odd", odd)];
                answer(200, &headers, b"", None)
            }
            "length" => answer(200, &[("content-length", b"5")], b"hello", None),
            "trailers" => {
                let trailers = fields(&[("x-checksum", b"abc123")]);
                answer(200, &[("trailer", b"x-checksum")], b"hello", Some(trailers))
            }
            "early" => answer(200, &[], b"early", None),
            "error" => {
                return Err(ErrorCode::InternalError(Some("as asked".into())));
            }
            "checks" => {
                check(&request);
                answer(200, &[], b"all hold", None)
            }
            _ => {
                let told = describe(request).await;
                answer(200, &[], told.as_bytes(), None)
            }
        })
    }
}

async fn describe(request: Request) -> String {
    let mut told = format!("method {}\n", method(request.get_method()));
    if let Some(scheme) = request.get_scheme() {
        told += &format!("scheme {}\n", scheme_name(scheme));
    }
    if let Some(authority) = request.get_authority() {
        told += &format!("authority {}\n", authority.escape_default());
    }
    if let Some(path) = request.get_path_with_query() {
        told += &format!("path {}\n", path.escape_default());
    }
    for (name, value) in request.get_headers().copy_all() {
        told += &format!("header {name}: {}\n", value.escape_ascii());
    }
    let (consumed, consumption) = wit_future::new(|| Ok(()));
    let (body, trailers) = Request::consume_body(request, consumption);
    told += &format!("body {}\n", body.collect().await.escape_ascii());
    for (name, value) in trailers.await.unwrap().iter().flat_map(Fields::copy_all) {
        told += &format!("trailer {name}: {}\n", value.escape_ascii());
    }
    // A host that doesn't wait for it has dropped it.
    let _ = consumed.write(Ok(())).await;
    told
}

fn check(request: &Request) {
    let headers = request.get_headers();
    let immutable = |result: Result<(), HeaderError>| assert!(matches!(result, Err(HeaderError::Immutable)));
    immutable(headers.set("x-new", &[b"x".to_vec()]));
    immutable(headers.append("x-answer", b"x"));
    immutable(headers.delete("x-answer"));
    let copied = headers.clone();
    copied.delete("x-answer").unwrap();
    assert!(headers.has("X-Answer") && !copied.has("x-answer"));
    assert!(request.get_options().is_none(), "options are of requests that go out");

    let (response, _) = Response::new(Fields::new(), None, wit_future::new(|| Ok(None)).1);
    assert_eq!(response.get_status_code(), 200);
    assert!(response.set_status_code(1000).is_err() && response.set_status_code(99).is_err());
    immutable(response.get_headers().set("x-new", &[b"x".to_vec()]));
}

/// Keeps the processor, as one that waits would not.
fn compute(ms: u64) {
    let start = now();
    while now() - start < ms * 1_000_000 {}
}

fn answer(status: u16, headers: &[(&str, &[u8])], body: &[u8], trailers: Option<Fields>) -> Response {
    let (end, trailers_later) = wit_future::new(|| Ok(None));
    let (mut sender, contents) = wit_stream::new();
    let contents = (!body.is_empty()).then_some(contents);
    let (response, _) = Response::new(fields(headers), contents, trailers_later);
    response.set_status_code(status).unwrap();
    let body = body.to_vec();
    spawn_local(async move {
        if !body.is_empty() {
            sender.write_all(body).await;
        }
        drop(sender);
        // Nobody may be there to read it any more.
        let _ = end.write(Ok(trailers)).await;
    });
    response
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
