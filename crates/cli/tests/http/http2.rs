//! HTTP/2 in cleartext by prior knowledge, with the clients that speak it.

use crate::{
    app::{App, ended, guest, route, until},
    curl::{curl, nghttp, status},
};
use std::fs;

fn serve(name: &str, server: &str) -> App {
    let tables = [
        server.to_owned(),
        guest("hello", "hello.wasm", ""),
        route("GET /hello/{name}", "hello"),
        guest("hello3", "hello-p3.wasm", ""),
        route("GET hello3.test/hello/{name}", "hello3"),
        guest("cgi", "cgi.wasm", ""),
        route("/cgi/{*path}", "cgi"),
        guest("echo3", "echo-http-p3.wasm", ""),
        route("POST /through", "echo3"),
        guest("echo", "echo-http.wasm", ""),
        route("/{*path}", "echo"),
    ];
    App::serve(name, &tables.concat())
}

#[test]
fn every_kind_of_guest_answers_over_http2() {
    let app = serve("http2", "");
    let url = |path: &str| format!("http://{}{path}", app.address());
    const H2: &str = "--http2-prior-knowledge";
    let head = curl(&[H2, "-i", &url("/hello/Ada")]);
    assert!(head.starts_with("HTTP/2 200") && head.ends_with("Hello, Ada!\n"), "{head}");
    let cgi = curl(&[H2, "-d", "body", &url("/cgi/a?b=c")]);
    assert!(
        cgi.contains("SERVER_PROTOCOL=HTTP/2.0\n") && cgi.contains("QUERY_STRING=b=c\n") && cgi.ends_with("\n\nbody"),
        "{cgi}"
    );
    assert_eq!(
        curl(&[H2, "-d", r#"{"name":"A","value":1}"#, &url("/healthy")]),
        r#"{"message":"Hello, A. Your value was doubled!","processed_value":2}"#
    );
    assert!(curl(&[H2, "-I", &url("/hello/Ada")]).starts_with("HTTP/2 200"));
    for (code, path) in [(500, "/panic"), (418, "/cgi/teapot"), (204, "/status/204"), (599, "/status/599")] {
        assert_eq!(status(&[H2, &url(path)]), code, "{path}");
    }
}

#[test]
fn another_client_agrees() {
    let app = serve("nghttp", "");
    let url = |path: &str| format!("http://{}{path}", app.address());
    for host in ["hello.test", "hello3.test"] {
        assert_eq!(
            nghttp(&["-H", &format!(":authority: {host}"), &url("/hello/nghttp")]),
            "Hello, nghttp!\n",
            "{host}"
        );
    }
    // Many at once on one connection; pieces of their answers may come in any order.
    let said = nghttp(&["-m", "50", &url("/hello/many")]);
    assert_eq!(["Hello, ", "many!\n"].map(|piece| said.matches(piece).count()), [50, 50], "{said}");
    assert_eq!(said.len(), 50 * "Hello, many!\n".len(), "{said}");

    let body = app.folder.join("body");
    fs::write(&body, vec![b'x'; 300_000]).unwrap();
    let body = body.to_str().unwrap();
    for path in ["/echo", "/through"] {
        let said = nghttp(&["-v", "-d", body, "-H", "te: trailers", "--trailer", "x-sum: 42", &url(path)]);
        assert!(said.contains(":status: 200") && said.contains("x-sum: 42"), "{path}: {said}");
        let received: Vec<&str> =
            said.lines().filter(|line| line.contains("recv (") && line.contains("x-sum: 42")).collect();
        assert_eq!(received.len(), 1, "{path}: {said}");
        assert_eq!(nghttp(&["-d", body, &url(path)]).len(), 300_000, "{path}");
    }
}

/// One stream more than a connection may have is refused, in the way that lets its client ask again.
#[test]
fn streams_over_the_bound_are_refused() {
    let app = serve("streams", "[server]\nstreams_max = 5\n\n");
    let said = nghttp(&["-v", "-m", "8", &format!("http://{}/hello/many", app.address())]);
    assert_eq!((said.matches(":status: 200").count(), said.matches("REFUSED_STREAM").count()), (5, 3), "{said}");
}

/// A stream that its client gives up is a call that is cancelled; others on the connection go on.
#[test]
fn a_stream_that_is_given_up_is_cancelled() {
    let app = serve("http2-leaves", "");
    let url = format!("http://{}/sleep?ms=50000", app.address());
    let mut curl = std::process::Command::new("curl");
    curl.args(["-s", "--http2-prior-knowledge", "--max-time", "1", "-H", "x-request-id: leaves", &url]);
    assert_eq!(curl.status().unwrap().code(), Some(28));
    assert_eq!(ended(&app.receipt("leaves")), "cancelled");
    until("an idle pool", || (app.metric("sandbar_pool_calls{guest=\"echo\"}") == 0.0).then_some(()));
}

/// A body that its client does not read is cut in time, by flow control and not by the socket.
#[test]
fn a_stream_that_is_not_read_is_cut() {
    let app = serve("http2-unread", "[server]\nwrite_timeout = \"300ms\"\n\n");
    let mut client = app.connect();
    // A preface, settings with a window of nothing, and a GET of `/big?bytes=9999999` by a literal header list.
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    client.send(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    let literal = |index: u8, value: &str| [&[index, value.len() as u8], value.as_bytes()].concat();
    let id = [&[0x00, 12], b"x-request-id".as_slice(), &[6], b"unread"].concat();
    let list = [&[0x82, 0x86][..], &literal(0x04, "/big?bytes=9999999"), &literal(0x01, "a.test"), &id].concat();
    client.send(&[&[0, 0, list.len() as u8, 1, 5, 0, 0, 0, 1], list.as_slice()].concat());
    assert_eq!(ended(&app.receipt("unread")), "cancelled");
    assert!(app.metric("sandbar_http_timeouts_total{bound=\"write\"}") >= 1.0);
    app.is_healthy();
}
