//! Requests that go out. `HTTP_SERVER` names a server that answers with the request as it came, byte by byte, but for
//! paths of which it makes something else; at `HTTP_DEAD` nobody listens.

use crate::{
    Case,
    both::{at_once, both},
    cases, refused,
    requests::{answered, fetch, post, request, send, to_server, values, variable, with_options},
};
use wasip3::{
    clocks::monotonic_clock::{now, wait_for},
    http::types::{ErrorCode, Fields, Method, Request, RequestOptions, Response, Scheme},
    wit_future,
};

pub(crate) const CASES: &[Case] = cases![
    get,
    methods,
    paths_as_they_are,
    no_path,
    empty_path,
    path_of_a_star,
    only_a_query,
    headers,
    host_is_the_authority,
    no_headers_are_added,
    body_of_a_length,
    body_without_a_length,
    body_that_is_too_short,
    trailers_sent,
    trailers_that_fail,
    no_body_at_all,
    sent,
    sent_to_nobody,
    statuses,
    chunks,
    trailers_received,
    response_headers,
    informational,
    cut_off,
    nobody_listens,
    no_such_name,
    no_possible_name,
    no_authority,
    other_schemes,
    connect_is_refused,
    first_byte_timeout,
    between_bytes_timeout,
    two_at_one_time,
    response_not_read,
];

async fn get() {
    let answer = fetch(&Method::Get, Some("/some/path")).await;
    assert_eq!((answer.status, answer.line().as_str()), (200, "GET /some/path HTTP/1.1"));
    assert!(answer.trailers.is_none(), "none were sent");
}

async fn methods() {
    use Method::*;
    for (method, name) in [(Post, "POST"), (Put, "PUT"), (Delete, "DELETE"), (Patch, "PATCH"), (Options, "OPTIONS")] {
        assert_eq!(fetch(&method, Some("/")).await.line(), format!("{name} / HTTP/1.1"));
    }
    assert_eq!(fetch(&Other("coucou".into()), Some("/")).await.line(), "coucou / HTTP/1.1");
    let answer = fetch(&Head, Some("/")).await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b""[..]));
}

/// What the guest wrote is what the server reads.
async fn paths_as_they_are() {
    for path in [
        "/plain?x=1",
        "/multi?b=2&a=1&a=2&c=",
        "/pct%2Fsegment?q=a%20b",
        "/%e4%BD",
        "/a/../b/./c//d",
        "//double",
        "/?",
        "/a;b=c,d/(e)!$'*+@:~",
    ] {
        assert_eq!(fetch(&Method::Get, Some(path)).await.line(), format!("GET {path} HTTP/1.1"));
    }
}

async fn no_path() {
    assert_eq!(fetch(&Method::Get, None).await.line(), "GET / HTTP/1.1");
}

async fn empty_path() {
    assert_eq!(fetch(&Method::Get, Some("")).await.line(), "GET / HTTP/1.1");
}

async fn path_of_a_star() {
    assert_eq!(fetch(&Method::Options, Some("*")).await.line(), "OPTIONS * HTTP/1.1");
}

/// A query needs a path before it.
async fn only_a_query() {
    assert_eq!(fetch(&Method::Get, Some("?q=1")).await.line(), "GET /?q=1 HTTP/1.1");
}

async fn headers() {
    let list =
        [("x-single", "one"), ("x-multi", "first"), ("x-multi", "second"), ("x-empty", ""), ("x-odd", "a \u{e9},;=\"")];
    let fields = Fields::new();
    for (name, value) in list {
        fields.append(name, value.as_bytes()).unwrap();
    }
    let seen = answered(send(to_server(fields, "/").0).await).await.fields();
    for (name, value) in list {
        assert!(values(&seen, name).contains(&value.to_owned()), "`{name}: {value}` in {seen:?}");
    }
    assert_eq!(values(&seen, "x-multi"), ["first", "second"]);
    assert!(values(&seen, "x-absent").is_empty());
}

async fn host_is_the_authority() {
    let seen = answered(send(to_server(Fields::new(), "/").0).await).await.fields();
    assert_eq!(values(&seen, "host"), [variable("HTTP_SERVER")]);
}

/// But for what the connection needs.
async fn no_headers_are_added() {
    let seen = answered(send(to_server(Fields::new(), "/").0).await).await.fields();
    for (name, _) in &seen {
        let known = ["host", "connection", "content-length", "transfer-encoding"];
        assert!(known.contains(&name.as_str()), "{name} in {seen:?}");
    }
}

async fn body_of_a_length() {
    let fields = Fields::from_list(&[("content-length".into(), b"9".to_vec())]).unwrap();
    let (request, sent) = post(fields, b"some body", Ok(None));
    let answer = answered(send(request).await).await;
    assert_eq!(values(&answer.fields(), "content-length"), ["9"]);
    assert!(values(&answer.fields(), "transfer-encoding").is_empty());
    assert_eq!(answer.mirrored_body(), b"some body");
    sent.await.unwrap();
}

async fn body_without_a_length() {
    let (request, sent) = post(Fields::new(), b"some body", Ok(None));
    let answer = answered(send(request).await).await;
    assert_eq!(values(&answer.fields(), "transfer-encoding"), ["chunked"]);
    assert!(values(&answer.fields(), "content-length").is_empty());
    assert_eq!(answer.mirrored_body(), b"9\r\nsome body\r\n0\r\n\r\n");
    sent.await.unwrap();
}

async fn body_that_is_too_short() {
    let fields = Fields::from_list(&[("content-length".into(), b"10".to_vec())]).unwrap();
    let (request, sent) = post(fields, b"short", Ok(None));
    let (answer, sent) = both(send(request), sent).await;
    assert!(answer.is_err(), "a request that never ended is not answered");
    assert!(sent.is_err());
}

async fn trailers_sent() {
    let fields = Fields::from_list(&[("trailer".into(), b"x-sum".to_vec())]).unwrap();
    let trailers = Fields::from_list(&[("x-sum".into(), b"abc".to_vec())]).unwrap();
    let (request, sent) = post(fields, b"some body", Ok(Some(trailers)));
    let answer = answered(send(request).await).await;
    assert_eq!(values(&answer.fields(), "transfer-encoding"), ["chunked"]);
    assert_eq!(answer.mirrored_body(), b"9\r\nsome body\r\n0\r\nx-sum: abc\r\n\r\n");
    sent.await.unwrap();
}

/// A request whose trailers turn out to be an error is broken off.
async fn trailers_that_fail() {
    let fields = Fields::from_list(&[("trailer".into(), b"x-sum".to_vec())]).unwrap();
    let (request, _sent) = post(fields, b"partial", Err(ErrorCode::InternalError(None)));
    assert!(send(request).await.is_err());
}

async fn no_body_at_all() {
    let answer = answered(send(to_server(Fields::new(), "/").0).await).await;
    assert!(values(&answer.fields(), "transfer-encoding").is_empty() && answer.mirrored_body().is_empty());
}

/// The future of a request says that it was sent.
async fn sent() {
    let (request, sent) = to_server(Fields::new(), "/");
    answered(send(request).await).await;
    sent.await.unwrap();
}

/// Or that it was not.
async fn sent_to_nobody() {
    for authority in [variable("HTTP_DEAD"), "nowhere.invalid:80".into()] {
        let (request, sent) = request(Fields::new(), &authority, Some("/"));
        assert!(send(request).await.is_err());
        assert!(sent.await.is_err(), "`{authority}` got nothing");
    }
}

async fn statuses() {
    for status in [200, 201, 204, 299, 301, 304, 404, 418, 500, 599] {
        assert_eq!(fetch(&Method::Get, Some(&format!("/status/{status}"))).await.status, status);
    }
}

async fn chunks() {
    let answer = fetch(&Method::Get, Some("/chunked")).await;
    assert_eq!(answer.body, b"onetwothree");
    assert!(answer.trailers.is_none());
}

async fn trailers_received() {
    let answer = fetch(&Method::Get, Some("/trailers")).await;
    assert_eq!(answer.body, b"payload");
    let trailers = answer.trailers.expect("trailers were sent");
    let entry = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    let mut trailers = trailers.copy_all();
    trailers.sort();
    assert_eq!(trailers, [entry("x-checksum", b"abc123"), entry("x-parts", b"1")]);
}

async fn response_headers() {
    let headers = send(to_server(Fields::new(), "/headers").0).await.unwrap().get_headers();
    assert_eq!(headers.get("x-multi"), [b"first".to_vec(), b"second".to_vec()]);
    assert_eq!(headers.get("x-empty"), [b""]);
    assert_eq!(headers.get("x-bytes"), [b"caf\xE9"]);
    refused(headers.delete("x-multi"), &["Immutable"]);
}

/// What comes before the answer is not the answer.
async fn informational() {
    let answer = fetch(&Method::Get, Some("/early")).await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"late"[..]));
}

/// An end before the end is an error, and not a short body.
async fn cut_off() {
    let response = send(to_server(Fields::new(), "/cut").0).await.unwrap();
    let (_, consumed) = wit_future::new(|| Ok(()));
    let (body, trailers) = Response::consume_body(response, consumed);
    assert_eq!(body.collect().await, b"abc");
    assert!(trailers.await.is_err());
}

async fn nobody_listens() {
    let (request, _sent) = request(Fields::new(), &variable("HTTP_DEAD"), Some("/"));
    refused(send(request).await, &["ConnectionRefused"]);
}

async fn no_such_name() {
    let (request, _sent) = request(Fields::new(), "nowhere.invalid:80", Some("/"));
    refused(send(request).await, &["DnsError", "DestinationNotFound"]);
}

/// A name has labels of 63 characters at most, so this is none.
async fn no_possible_name() {
    let (request, _sent) = request(Fields::new(), &format!("{}.invalid:80", "n".repeat(64)), Some("/"));
    refused(send(request).await, &["DnsError", "DestinationNotFound", "HttpRequestUriInvalid"]);
}

async fn no_authority() {
    let (_, no_trailers) = wit_future::new(|| Ok(None));
    let (request, _sent) = Request::new(Fields::new(), None, no_trailers, None);
    request.set_scheme(Some(&Scheme::Http)).unwrap();
    request.set_path_with_query(Some("/")).unwrap();
    refused(send(request).await, &["HttpRequestUriInvalid"]);
}

async fn other_schemes() {
    let (request, _sent) = to_server(Fields::new(), "/");
    request.set_scheme(Some(&Scheme::Other("ftp".into()))).unwrap();
    refused(send(request).await, &["HttpProtocolError", "HttpRequestUriInvalid", "HttpRequestDenied"]);
}

async fn connect_is_refused() {
    let (request, _sent) = to_server(Fields::new(), "/");
    request.set_method(&Method::Connect).unwrap();
    let answered = send(request).await.map(|response| response.get_status_code());
    assert!(answered.is_err() || answered.is_ok_and(|status| status >= 400));
}

async fn first_byte_timeout() {
    let options = RequestOptions::new();
    options.set_first_byte_timeout(Some(200_000_000)).unwrap();
    let start = now();
    let answer = send(with_options("/silent", options)).await;
    refused(answer, &["ConnectionReadTimeout", "HttpResponseTimeout", "ConnectionTimeout"]);
    assert!(now() - start < 20_000_000_000);
}

async fn between_bytes_timeout() {
    let options = RequestOptions::new();
    options.set_between_bytes_timeout(Some(200_000_000)).unwrap();
    let response = send(with_options("/stalls", options)).await.unwrap();
    let (_, consumed) = wit_future::new(|| Ok(()));
    let (body, trailers) = Response::consume_body(response, consumed);
    assert_eq!(body.collect().await, b"abc");
    assert!(trailers.await.is_err());
}

async fn two_at_one_time() {
    let silent = send(to_server(Fields::new(), "/silent").0);
    let mut silent = Box::pin(silent);
    let (one, other) = both(fetch(&Method::Get, Some("/one")), fetch(&Method::Get, Some("/other"))).await;
    assert_eq!((one.line().as_str(), other.line().as_str()), ("GET /one HTTP/1.1", "GET /other HTTP/1.1"));
    wait_for(1_000_000).await;
    assert!(at_once(silent.as_mut()).is_none(), "nothing is answered there");
}

async fn response_not_read() {
    for _ in 0..20 {
        drop(send(to_server(Fields::new(), "/chunked").0).await.unwrap());
    }
    assert_eq!(fetch(&Method::Get, Some("/")).await.status, 200);
}
