//! Requests, responses and options of `wasi:http` as they are put together, before anything is sent.

use crate::{Case, cases, fields::is};
use wasip2::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, OutgoingResponse, RequestOptions, Scheme};

pub(crate) const CASES: &[Case] = cases![
    request_defaults,
    methods,
    methods_of_other_names,
    methods_that_are_none,
    schemes,
    paths,
    paths_that_are_none,
    no_path,
    authorities,
    authorities_that_are_none,
    headers_are_fixed,
    body_once,
    response_defaults,
    statuses,
    statuses_that_are_none,
    options,
];

fn request() -> OutgoingRequest {
    OutgoingRequest::new(Fields::new())
}

fn request_defaults() {
    let request = request();
    assert!(matches!(request.method(), Method::Get));
    assert!(request.path_with_query().is_none() && request.scheme().is_none() && request.authority().is_none());
}

fn methods() {
    use Method::*;
    let request = request();
    for method in [Get, Head, Post, Put, Delete, Connect, Options, Trace, Patch] {
        request.set_method(&method).unwrap();
        assert_eq!(format!("{:?}", request.method()), format!("{method:?}"));
    }
}

fn methods_of_other_names() {
    let request = request();
    let characters = ('\0'..'\u{400}').filter(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(*c));
    for name in characters.map(String::from).chain(["get", "coucou", "PROPFIND"].map(String::from)) {
        request.set_method(&Method::Other(name.clone())).unwrap_or_else(|()| panic!("`{name}` is a method"));
        assert!(matches!(request.method(), Method::Other(found) if found == name), "{name}");
    }
}

fn methods_that_are_none() {
    let request = request();
    let characters = ('\0'..'\u{400}').filter(|c| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(*c)));
    for name in characters.map(String::from).chain(["", "A B", "A\n"].map(String::from)) {
        assert_eq!(request.set_method(&Method::Other(name.clone())), Err(()), "`{}`", name.escape_debug());
        assert!(matches!(request.method(), Method::Get), "a refusal changes nothing");
    }
}

fn schemes() {
    let request = request();
    for (scheme, expected) in [
        (Scheme::Http, "Scheme::Http"),
        (Scheme::Https, "Scheme::Https"),
        (Scheme::Other("ws".into()), "Scheme::Other(\"ws\")"),
    ] {
        request.set_scheme(Some(&scheme)).unwrap();
        assert_eq!(format!("{:?}", request.scheme().unwrap()), expected);
    }
    request.set_scheme(None).unwrap();
    assert!(request.scheme().is_none());
}

/// Paths stay as they were written.
fn paths() {
    let request = request();
    for path in ["/", "/a/b", "/a/../../b", "//", "/?a=1&a=2&b=", "/pct%2Fsegment?q=a%20b", "/a;b=c,d/(e)!$'*+@:~"] {
        request.set_path_with_query(Some(path)).unwrap();
        assert_eq!(request.path_with_query().as_deref(), Some(path));
    }
}

fn paths_that_are_none() {
    let request = request();
    for path in ["/a b", "/a\n", "/a\r\nx: y", "/\0", "/a\tb"] {
        assert_eq!(request.set_path_with_query(Some(path)), Err(()), "`{}`", path.escape_debug());
    }
}

fn no_path() {
    let request = request();
    request.set_path_with_query(Some("/a")).unwrap();
    request.set_path_with_query(None).unwrap();
    assert!(request.path_with_query().is_none());
}

fn authorities() {
    let request = request();
    for authority in
        ["1.2.3.4", "example.com", "localhost:80", "user:pass%20@example.com:80", "[::1]:80", "[2001:db8::1]"]
    {
        request.set_authority(Some(authority)).unwrap();
        assert_eq!(request.authority().as_deref(), Some(authority));
    }
    request.set_authority(None).unwrap();
    assert!(request.authority().is_none());
}

fn authorities_that_are_none() {
    let request = request();
    for authority in ["", " ", "::", ":@", "@@", "#", "a b", "a/b", "a\nb", "["] {
        assert_eq!(request.set_authority(Some(authority)), Err(()), "`{}`", authority.escape_debug());
    }
}

/// Once they belong to a request or response, headers don't change.
fn headers_are_fixed() {
    let fields = || Fields::from_list(&[("a".into(), b"1".to_vec())]).unwrap();
    let (request, response) = (OutgoingRequest::new(fields()), OutgoingResponse::new(fields()));
    for headers in [request.headers(), response.headers()] {
        assert_eq!(headers.get("a"), [b"1"]);
        is(headers.append("a", b"2"), "Immutable", "append");
        is(headers.set("a", &[]), "Immutable", "set");
        is(headers.delete("a"), "Immutable", "delete");
        let own = headers.clone();
        own.append("a", b"2").unwrap();
        assert_eq!((own.get("a").len(), headers.get("a").len()), (2, 1));
    }
}

fn body_once() {
    let request = request();
    let body = request.body().unwrap();
    assert!(request.body().is_err());
    let stream = body.write().unwrap();
    assert!(body.write().is_err());
    drop(stream);
    OutgoingBody::finish(body, None).unwrap();
}

fn response_defaults() {
    assert_eq!(OutgoingResponse::new(Fields::new()).status_code(), 200);
}

fn statuses() {
    let response = OutgoingResponse::new(Fields::new());
    for status in [100, 101, 200, 204, 299, 304, 404, 418, 451, 500, 511, 599] {
        response.set_status_code(status).unwrap();
        assert_eq!(response.status_code(), status);
    }
}

fn statuses_that_are_none() {
    let response = OutgoingResponse::new(Fields::new());
    for status in [0, 42, 99, 1000, u16::MAX] {
        assert_eq!(response.set_status_code(status), Err(()), "{status}");
    }
}

fn options() {
    let options = RequestOptions::new();
    assert!(options.connect_timeout().is_none() && options.first_byte_timeout().is_none());
    assert!(options.between_bytes_timeout().is_none());
    options.set_connect_timeout(Some(1_000_000)).unwrap();
    options.set_first_byte_timeout(Some(2_000_000)).unwrap();
    options.set_between_bytes_timeout(Some(3_000_000)).unwrap();
    assert_eq!((options.connect_timeout(), options.first_byte_timeout()), (Some(1_000_000), Some(2_000_000)));
    assert_eq!(options.between_bytes_timeout(), Some(3_000_000));
    options.set_connect_timeout(None).unwrap();
    assert_eq!(options.connect_timeout(), None);
}
