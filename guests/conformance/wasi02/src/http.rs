//! Requests that go out. `HTTP_SERVER` names a server that answers with the request as it came, byte by byte, but for
//! paths of which it makes something else; at `HTTP_DEAD` nobody listens.

use crate::{
    Case, cases,
    folder::to_the_end,
    requests::{
        answer, fetch, line, mirrored, mirrored_whole, post, request, send, send_with, server, to_server, values,
    },
};
use wasip2::{
    clocks::monotonic_clock::{now, subscribe_duration},
    http::{
        outgoing_handler::handle,
        types::{
            ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
            Scheme,
        },
    },
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
    body_that_is_too_long,
    trailers_sent,
    no_body_at_all,
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
    no_scheme,
    other_schemes,
    connect_is_refused,
    first_byte_timeout,
    between_bytes_timeout,
    waits_with_others,
    response_once,
];

fn get() {
    let (status, body) = fetch(&Method::Get, Some("/some/path"));
    assert_eq!(status, 200);
    assert_eq!(line(&body), "GET /some/path HTTP/1.1");
}

fn methods() {
    use Method::*;
    for (method, name) in [(Post, "POST"), (Put, "PUT"), (Delete, "DELETE"), (Patch, "PATCH"), (Options, "OPTIONS")] {
        assert_eq!(line(&fetch(&method, Some("/")).1), format!("{name} / HTTP/1.1"));
    }
    assert_eq!(line(&fetch(&Other("coucou".into()), Some("/")).1), "coucou / HTTP/1.1");
    let (status, body) = fetch(&Head, Some("/"));
    assert_eq!((status, body.as_slice()), (200, &b""[..]));
}

/// What the guest wrote is what the server reads.
fn paths_as_they_are() {
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
        assert_eq!(line(&fetch(&Method::Get, Some(path)).1), format!("GET {path} HTTP/1.1"));
    }
}

fn no_path() {
    assert_eq!(line(&fetch(&Method::Get, None).1), "GET / HTTP/1.1");
}

fn empty_path() {
    assert_eq!(line(&fetch(&Method::Get, Some("")).1), "GET / HTTP/1.1");
}

fn path_of_a_star() {
    assert_eq!(line(&fetch(&Method::Options, Some("*")).1), "OPTIONS * HTTP/1.1");
}

/// A query needs a path before it.
fn only_a_query() {
    assert_eq!(line(&fetch(&Method::Get, Some("?q=1")).1), "GET /?q=1 HTTP/1.1");
}

fn headers() {
    let list =
        [("x-single", "one"), ("x-multi", "first"), ("x-multi", "second"), ("x-empty", ""), ("x-odd", "a \u{e9},;=\"")];
    let fields = Fields::new();
    for (name, value) in list {
        fields.append(name, value.as_bytes()).unwrap();
    }
    let seen = mirrored(send(to_server(fields, "/")));
    for (name, value) in list {
        assert!(values(&seen, name).contains(&value.to_owned()), "`{name}: {value}` in {seen:?}");
    }
    assert_eq!(values(&seen, "x-multi"), ["first", "second"]);
}

fn host_is_the_authority() {
    assert_eq!(values(&mirrored(send(to_server(Fields::new(), "/"))), "host"), [server()]);
}

/// But for what the connection needs.
fn no_headers_are_added() {
    let seen = mirrored(send(to_server(Fields::new(), "/")));
    let added: Vec<_> = seen.iter().map(|(name, _)| name.as_str()).collect();
    for name in added {
        assert!(["host", "connection", "content-length", "transfer-encoding"].contains(&name), "{name} in {seen:?}");
    }
}

fn body_of_a_length() {
    let fields = Fields::from_list(&[("content-length".into(), b"9".to_vec())]).unwrap();
    let (seen, body) = mirrored_whole(send_with(post(fields), b"some body", None));
    assert_eq!((values(&seen, "content-length"), body.as_slice()), (vec!["9".to_owned()], &b"some body"[..]));
    assert!(values(&seen, "transfer-encoding").is_empty());
}

fn body_without_a_length() {
    let (seen, body) = mirrored_whole(send_with(post(Fields::new()), b"some body", None));
    assert_eq!(values(&seen, "transfer-encoding"), ["chunked"]);
    assert!(values(&seen, "content-length").is_empty());
    assert_eq!(body, b"9\r\nsome body\r\n0\r\n\r\n");
}

fn body_that_is_too_short() {
    let fields = Fields::from_list(&[("content-length".into(), b"10".to_vec())]).unwrap();
    let request = post(fields);
    let body = request.body().unwrap();
    let _pending = handle(request, None).unwrap();
    body.write().unwrap().blocking_write_and_flush(b"short").unwrap();
    let finished = OutgoingBody::finish(body, None);
    assert!(matches!(finished, Err(ErrorCode::HttpRequestBodySize(_))), "{finished:?}");
}

fn body_that_is_too_long() {
    let fields = Fields::from_list(&[("content-length".into(), b"3".to_vec())]).unwrap();
    let request = post(fields);
    let body = request.body().unwrap();
    let _pending = handle(request, None).unwrap();
    let stream = body.write().unwrap();
    let written = stream.blocking_write_and_flush(b"too long");
    drop(stream);
    assert!(written.is_err() || OutgoingBody::finish(body, None).is_err());
}

fn trailers_sent() {
    let fields = Fields::from_list(&[("trailer".into(), b"x-sum".to_vec())]).unwrap();
    let trailers = Fields::from_list(&[("x-sum".into(), b"abc".to_vec())]).unwrap();
    let (seen, body) = mirrored_whole(send_with(post(fields), b"some body", Some(trailers)));
    assert_eq!(values(&seen, "transfer-encoding"), ["chunked"]);
    assert_eq!(body, b"9\r\nsome body\r\n0\r\nx-sum: abc\r\n\r\n");
}

fn no_body_at_all() {
    let (seen, body) = mirrored_whole(send(to_server(Fields::new(), "/")));
    assert!(values(&seen, "transfer-encoding").is_empty() && body.is_empty(), "{seen:?}");
}

fn statuses() {
    for status in [200, 201, 204, 299, 301, 304, 404, 418, 500, 599] {
        assert_eq!(fetch(&Method::Get, Some(&format!("/status/{status}"))).0, status);
    }
}

fn chunks() {
    assert_eq!(fetch(&Method::Get, Some("/chunked")).1, b"onetwothree");
}

fn trailers_received() {
    let response = send(to_server(Fields::new(), "/trailers"));
    let body = response.consume().unwrap();
    assert_eq!(to_the_end(&body.stream().unwrap()), b"payload");
    let trailers = IncomingBody::finish(body);
    trailers.subscribe().block();
    let trailers = trailers.get().unwrap().unwrap().unwrap().expect("trailers were sent");
    assert_eq!((trailers.get("x-checksum"), trailers.get("x-parts")), (vec![b"abc123".to_vec()], vec![b"1".to_vec()]));
}

fn response_headers() {
    let headers = send(to_server(Fields::new(), "/headers")).headers();
    assert_eq!(headers.get("x-multi"), [b"first".to_vec(), b"second".to_vec()]);
    assert_eq!(headers.get("x-empty"), [b""]);
    assert_eq!(headers.get("x-bytes"), [b"caf\xE9"]);
    assert!(headers.delete("x-multi").is_err(), "what came is fixed");
}

/// What comes before the answer is not the answer.
fn informational() {
    let (status, body) = fetch(&Method::Get, Some("/early"));
    assert_eq!((status, body.as_slice()), (200, &b"late"[..]));
}

/// An end before the end is an error, and not a short body.
fn cut_off() {
    let response = send(to_server(Fields::new(), "/cut"));
    assert_eq!(response.status(), 200);
    let body = response.consume().unwrap();
    let stream = body.stream().unwrap();
    let mut read = Vec::new();
    let error = loop {
        match stream.blocking_read(100) {
            Ok(bytes) => read.extend(bytes),
            Err(error) => break error,
        }
    };
    assert_eq!(read, b"abc");
    assert!(format!("{error:?}").contains("LastOperationFailed"), "{error:?}");
}

fn nobody_listens() {
    let request = request(Fields::new(), &std::env::var("HTTP_DEAD").unwrap(), Some("/"));
    is_error(answer(request, None), &["ConnectionRefused"]);
}

fn no_such_name() {
    is_error(
        answer(request(Fields::new(), "nowhere.invalid:80", Some("/")), None),
        &["DnsError", "DestinationNotFound"],
    );
}

/// A name has labels of 63 characters at most, so this is none.
fn no_possible_name() {
    let name = format!("{}.invalid:80", "n".repeat(64));
    let errors = ["DnsError", "DestinationNotFound", "HttpRequestUriInvalid"];
    is_error(answer(request(Fields::new(), &name, Some("/")), None), &errors);
}

fn no_authority() {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).unwrap();
    request.set_path_with_query(Some("/")).unwrap();
    is_error(answer(request, None), &["HttpRequestUriInvalid"]);
}

/// Without a scheme the host says what it takes; it sends it, or refuses it.
fn no_scheme() {
    let request = OutgoingRequest::new(Fields::new());
    request.set_authority(Some(&server())).unwrap();
    request.set_path_with_query(Some("/")).unwrap();
    if let Err(error) = answer(request, None) {
        let known = [
            "TlsProtocolError",
            "TlsCertificateError",
            "TlsAlertReceived",
            "HttpRequestUriInvalid",
            "HttpProtocolError",
            "ConnectionTerminated",
        ];
        assert!(known.iter().any(|known| format!("{error:?}").contains(known)), "{error:?}");
    }
}

fn other_schemes() {
    let request = request(Fields::new(), &server(), Some("/"));
    request.set_scheme(Some(&Scheme::Other("ftp".into()))).unwrap();
    is_error(answer(request, None), &["HttpProtocolError", "HttpRequestUriInvalid", "HttpRequestDenied"]);
}

fn connect_is_refused() {
    let request = request(Fields::new(), &server(), None);
    request.set_method(&Method::Connect).unwrap();
    let answered = answer(request, None).map(|response| response.status());
    assert!(answered.is_err() || answered.is_ok_and(|status| status >= 400));
}

fn first_byte_timeout() {
    let options = RequestOptions::new();
    options.set_first_byte_timeout(Some(200_000_000)).unwrap();
    let start = now();
    is_error(
        answer(to_server(Fields::new(), "/silent"), Some(options)),
        &["ConnectionReadTimeout", "HttpResponseTimeout", "ConnectionTimeout"],
    );
    assert!(now() - start < 20_000_000_000);
}

fn between_bytes_timeout() {
    let options = RequestOptions::new();
    options.set_between_bytes_timeout(Some(200_000_000)).unwrap();
    let response = answer(to_server(Fields::new(), "/stalls"), Some(options)).unwrap();
    let body = response.consume().unwrap();
    let stream = body.stream().unwrap();
    assert_eq!(stream.blocking_read(100).unwrap(), b"abc");
    assert!(stream.blocking_read(100).is_err());
}

/// An answer that is waited for together with a clock.
fn waits_with_others() {
    let pending = handle(to_server(Fields::new(), "/silent"), None).unwrap();
    assert!(pending.get().is_none());
    let timer = subscribe_duration(100_000_000);
    assert_eq!(wasip2::io::poll::poll(&[&pending.subscribe(), &timer]), [1]);
}

fn response_once() {
    let pending = handle(to_server(Fields::new(), "/"), None).unwrap();
    pending.subscribe().block();
    let response = pending.get().unwrap().unwrap().unwrap();
    assert!(matches!(pending.get(), Some(Err(()))), "an answer is given once");
    let body = response.consume().unwrap();
    assert!(response.consume().is_err());
    let stream = body.stream().unwrap();
    assert!(body.stream().is_err());
    drop(stream);
}

#[track_caller]
fn is_error(answer: Result<IncomingResponse, ErrorCode>, expected: &[&str]) {
    match answer {
        Ok(response) => panic!("expected {expected:?}, and {} was answered", response.status()),
        Err(error) => {
            let found = format!("{error:?}");
            assert!(expected.iter().any(|expected| found.contains(expected)), "expected {expected:?}, found {found}");
        }
    }
}
