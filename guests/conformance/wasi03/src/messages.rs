//! Requests, responses and options of `wasi:http` as they are put together, before anything is sent.

use crate::{Case, cases, refused};
use wasip3::{
    http::types::{Fields, Method, Request, RequestOptions, Response, Scheme},
    wit_future,
};

pub(crate) const CASES: &[Case] = cases![
    request_defaults,
    methods,
    methods_by_name,
    methods_of_other_names,
    methods_of_odd_names,
    methods_that_are_none,
    schemes,
    schemes_of_other_names,
    schemes_of_odd_names,
    schemes_in_any_case,
    schemes_that_are_none,
    paths,
    paths_of_every_character,
    paths_that_are_none,
    paths_with_delimiters,
    path_that_is_empty,
    path_that_is_empty_of_options,
    paths_that_are_relative,
    path_of_a_star,
    no_path,
    authorities,
    authorities_that_are_none,
    authorities_of_odd_ports,
    headers_are_fixed,
    headers_are_what_was_given,
    response_defaults,
    statuses,
    statuses_that_are_none,
    options,
    options_of_a_request,
    no_options_of_a_request,
];

const TOKEN: &str = "!#$%&'*+-.^_`|~";

fn request() -> Request {
    with(Fields::new(), None)
}

fn with(headers: Fields, options: Option<RequestOptions>) -> Request {
    let (_, no_trailers) = wit_future::new(|| Ok(None));
    Request::new(headers, None, no_trailers, options).0
}

fn response() -> Response {
    let (_, no_trailers) = wit_future::new(|| Ok(None));
    Response::new(Fields::new(), None, no_trailers).0
}

fn up_to_400() -> impl Iterator<Item = char> {
    '\0'..'\u{400}'
}

async fn request_defaults() {
    let request = request();
    assert!(matches!(request.get_method(), Method::Get) && request.get_options().is_none());
    assert!(request.get_path_with_query().is_none() && request.get_scheme().is_none());
    assert!(request.get_authority().is_none());
}

async fn methods() {
    use Method::*;
    let request = request();
    for method in [Get, Head, Post, Put, Delete, Connect, Options, Trace, Patch] {
        request.set_method(&method).unwrap();
        assert_eq!(format!("{:?}", request.get_method()), format!("{method:?}"));
    }
}

/// A name that WASI has a case for is that case.
async fn methods_by_name() {
    let request = request();
    for name in ["Get", "Head", "Post", "Put", "Delete", "Connect", "Options", "Trace", "Patch"] {
        request.set_method(&Method::Other(name.to_uppercase())).unwrap();
        assert_eq!(format!("{:?}", request.get_method()), format!("Method::{name}"));
    }
}

async fn methods_of_other_names() {
    let request = request();
    let odd = "#$%&'";
    let names = up_to_400().filter(|&c| (c.is_ascii_alphanumeric() || TOKEN.contains(c)) && !odd.contains(c));
    for name in names.map(String::from).chain(["get", "coucou", "PROPFIND"].map(String::from)) {
        request.set_method(&Method::Other(name.clone())).unwrap_or_else(|()| panic!("`{name}` is a method"));
        assert!(matches!(request.get_method(), Method::Other(found) if found == name), "{name}");
    }
}

async fn methods_of_odd_names() {
    let request = request();
    for name in ["#", "$", "%", "&", "'"] {
        request.set_method(&Method::Other(name.into())).unwrap_or_else(|()| panic!("`{name}` is a method"));
    }
}

async fn methods_that_are_none() {
    let request = request();
    request.set_method(&Method::Other("coucou".into())).unwrap();
    let characters = up_to_400().filter(|&c| !(c.is_ascii_alphanumeric() || TOKEN.contains(c)));
    for name in characters.map(String::from).chain(["", "A B", "A\n"].map(String::from)) {
        assert_eq!(request.set_method(&Method::Other(name.clone())), Err(()), "`{}`", name.escape_debug());
        assert!(matches!(request.get_method(), Method::Other(name) if name == "coucou"), "a refusal changes nothing");
    }
}

async fn schemes() {
    let request = request();
    for (scheme, expected) in [
        (Scheme::Http, "Scheme::Http"),
        (Scheme::Https, "Scheme::Https"),
        (Scheme::Other("http".into()), "Scheme::Http"),
        (Scheme::Other("https".into()), "Scheme::Https"),
    ] {
        request.set_scheme(Some(&scheme)).unwrap();
        assert_eq!(format!("{:?}", request.get_scheme().unwrap()), expected);
    }
    request.set_scheme(None).unwrap();
    assert!(request.get_scheme().is_none());
}

async fn schemes_of_other_names() {
    let request = request();
    let letters = up_to_400().filter(char::is_ascii_alphabetic).map(String::from);
    for name in letters.chain(["ws", "wss", "ftp"].map(String::from)) {
        request.set_scheme(Some(&Scheme::Other(name.clone()))).unwrap();
        assert!(matches!(request.get_scheme(), Some(Scheme::Other(found)) if found == name), "{name}");
    }
}

/// RFC 3986, section 3.1: digits and `+-.` come after a letter.
async fn schemes_of_odd_names() {
    let request = request();
    for name in ["git+ssh", "a1", "a-b", "a.b"] {
        request.set_scheme(Some(&Scheme::Other(name.into()))).unwrap_or_else(|()| panic!("`{name}` is a scheme"));
    }
    for name in ["+", "-", ".", "1", "~", "1a"] {
        assert_eq!(request.set_scheme(Some(&Scheme::Other(name.into()))), Err(()), "{name}");
    }
}

async fn schemes_in_any_case() {
    let request = request();
    request.set_scheme(Some(&Scheme::Other("HTTPS".into()))).unwrap();
    assert!(matches!(request.get_scheme(), Some(Scheme::Https)), "{:?}", request.get_scheme());
}

async fn schemes_that_are_none() {
    let request = request();
    let characters = up_to_400().filter(|&c| !c.is_ascii_alphanumeric() && !"+-.~".contains(c));
    for name in characters.map(String::from).chain(["", "a b", "a:", "http:"].map(String::from)) {
        assert_eq!(request.set_scheme(Some(&Scheme::Other(name.clone()))), Err(()), "`{}`", name.escape_debug());
    }
}

/// Paths stay as they were written.
async fn paths() {
    let request = request();
    for path in ["/", "/a/b/c", "/a/../../bar", "//", "/?foo", "/?a=1&a=2&b=", "/pct%2Fsegment?q=a%20b", "/%e4%BD"] {
        request.set_path_with_query(Some(path)).unwrap();
        assert_eq!(request.get_path_with_query().as_deref(), Some(path));
    }
}

/// RFC 3986, section 3.3, and what is beyond ASCII, which happens.
async fn paths_of_every_character() {
    let request = request();
    let valid = |&c: &char| c.is_ascii_alphanumeric() || "-._~%!$&'()*+,;=:@".contains(c) || c >= '\u{80}';
    for path in up_to_400().filter(valid).map(|c| format!("/{c}")) {
        request.set_path_with_query(Some(&path)).unwrap_or_else(|()| panic!("`{path}` is a path"));
        assert_eq!(request.get_path_with_query(), Some(path));
    }
}

async fn paths_that_are_none() {
    let request = request();
    for c in ('\0'..='\x20').chain(['<', '>', '`']) {
        let path = format!("/{c}");
        assert_eq!(request.set_path_with_query(Some(&path)), Err(()), "`{}`", path.escape_debug());
    }
}

/// Characters that delimit something else don't belong into a path; one that begins a fragment ends none.
async fn paths_with_delimiters() {
    let request = request();
    for c in "\"{|}^[]\\".chars() {
        let path = format!("/{c}");
        assert_eq!(request.set_path_with_query(Some(&path)), Err(()), "`{path}`");
    }
    assert_eq!(request.set_path_with_query(Some("/a#b")), Err(()));
}

/// An empty path is the root.
async fn path_that_is_empty() {
    let request = request();
    request.set_path_with_query(Some("")).unwrap();
    assert_eq!(request.get_path_with_query().as_deref(), Some("/"));
}

/// But for `OPTIONS`, where it is the whole server.
async fn path_that_is_empty_of_options() {
    let request = request();
    request.set_method(&Method::Options).unwrap();
    request.set_path_with_query(Some("")).unwrap();
}

/// What is relative to something else is kept as it is.
async fn paths_that_are_relative() {
    let request = request();
    for path in ["a/b/c", "../..", "?foo"] {
        request.set_path_with_query(Some(path)).unwrap_or_else(|()| panic!("`{path}` can be set"));
        assert_eq!(request.get_path_with_query().as_deref(), Some(path));
    }
}

async fn path_of_a_star() {
    let request = request();
    request.set_method(&Method::Options).unwrap();
    request.set_path_with_query(Some("*")).unwrap();
    assert_eq!(request.get_path_with_query().as_deref(), Some("*"));
}

async fn no_path() {
    let request = request();
    request.set_path_with_query(Some("/a")).unwrap();
    request.set_path_with_query(None).unwrap();
    assert!(request.get_path_with_query().is_none());
}

async fn authorities() {
    let request = request();
    for authority in [
        "1.2.3.4",
        "example.com",
        "localhost",
        "1.2.3.4:80",
        "example.com:80",
        "user@1.2.3.4:80",
        "user:pass@localhost:80",
        "user:pass%20@localhost:80",
        "[::1]:80",
        "[2001:db8::1]",
    ] {
        request.set_authority(Some(authority)).unwrap();
        assert_eq!(request.get_authority().as_deref(), Some(authority));
    }
    request.set_authority(None).unwrap();
    assert!(request.get_authority().is_none());
}

async fn authorities_that_are_none() {
    let request = request();
    for authority in ["::", ":@", "@@", "@:", " ", "", "#", "[", "a b", "a/b", "a\nb"] {
        assert_eq!(request.set_authority(Some(authority)), Err(()), "`{}`", authority.escape_debug());
    }
}

async fn authorities_of_odd_ports() {
    let request = request();
    for authority in ["localhost:what", "localhost:99999", "localhost:-1"] {
        assert_eq!(request.set_authority(Some(authority)), Err(()), "{authority}");
    }
}

/// Once they belong to a request or response, headers don't change.
async fn headers_are_fixed() {
    for headers in [request().get_headers(), response().get_headers()] {
        refused(headers.append("last-modified", b"x"), &["Immutable"]);
        refused(headers.set("last-modified", &[]), &["Immutable"]);
        refused(headers.delete("last-modified"), &["Immutable"]);
        refused(headers.get_and_delete("last-modified"), &["Immutable"]);
        headers.clone().append("last-modified", b"x").unwrap();
    }
}

async fn headers_are_what_was_given() {
    let headers = Fields::new();
    headers.append("content-type", b"!!!! invalid").unwrap();
    headers.append("last-modified", b"whatever").unwrap();
    let expected = headers.copy_all();
    assert_eq!(with(headers, None).get_headers().copy_all(), expected);
}

async fn response_defaults() {
    assert_eq!(response().get_status_code(), 200);
}

async fn statuses() {
    let response = response();
    for status in (100..=103).chain(200..=208).chain(300..=308).chain(400..=418).chain([421, 451, 500, 511, 599]) {
        response.set_status_code(status).unwrap();
        assert_eq!(response.get_status_code(), status);
    }
}

async fn statuses_that_are_none() {
    let response = response();
    for status in [0, 42, 69, 99, 600, 1000, 65_535] {
        assert_eq!(response.set_status_code(status), Err(()), "{status}");
    }
}

async fn options() {
    let options = RequestOptions::new();
    assert_eq!(times(&options), (None, None, None));
    options.set_connect_timeout(Some(1_000_000)).unwrap();
    options.set_first_byte_timeout(Some(2_000_000)).unwrap();
    options.set_between_bytes_timeout(Some(3_000_000)).unwrap();
    assert_eq!(times(&options), (Some(1_000_000), Some(2_000_000), Some(3_000_000)));
    let clone = options.clone();
    clone.set_connect_timeout(Some(4_000_000)).unwrap();
    options.set_first_byte_timeout(None).unwrap();
    assert_eq!(times(&options), (Some(1_000_000), None, Some(3_000_000)));
    assert_eq!(times(&clone), (Some(4_000_000), Some(2_000_000), Some(3_000_000)));
}

async fn options_of_a_request() {
    let options = RequestOptions::new();
    options.set_connect_timeout(Some(1_000_000)).unwrap();
    let got = with(Fields::new(), Some(options)).get_options().unwrap();
    assert_eq!(times(&got), (Some(1_000_000), None, None));
    refused(got.set_connect_timeout(Some(1)), &["Immutable"]);
    refused(got.set_first_byte_timeout(Some(1)), &["Immutable"]);
    refused(got.set_between_bytes_timeout(Some(1)), &["Immutable"]);
}

async fn no_options_of_a_request() {
    assert!(request().get_options().is_none());
}

fn times(options: &RequestOptions) -> (Option<u64>, Option<u64>, Option<u64>) {
    (options.get_connect_timeout(), options.get_first_byte_timeout(), options.get_between_bytes_timeout())
}
