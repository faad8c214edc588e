//! Requests and answers that stream, with all that belongs to them, for each kind of HTTP guest.

use crate::{
    app::{App, ended, guest, route, used},
    curl::curl,
    wire::read_answer,
};
use std::fs;

/// The guests that are `wasi:http`, of either version: one that greets, one that gives back.
const GUESTS: [(&str, &str, &str); 2] =
    [("p2", "hello.wasm", "echo-http.wasm"), ("p3", "hello-p3.wasm", "echo-http-p3.wasm")];

/// Serves each below a host of its own: `p2.test`, `p3.test`.
fn serve(name: &str) -> App {
    let tables = GUESTS.map(|(version, hello, echo)| {
        [
            guest(&format!("hello-{version}"), hello, ""),
            route(&format!("GET {version}.test/hello/{{name}}"), &format!("hello-{version}")),
            guest(&format!("echo-{version}"), echo, ""),
            route(&format!("{version}.test/{{*path}}"), &format!("echo-{version}")),
        ]
        .concat()
    });
    App::serve(name, &tables.concat())
}

fn host(version: &str) -> String {
    format!("host: {version}.test")
}

#[test]
fn a_handler_answers() {
    let app = serve("answers");
    for (version, ..) in GUESTS {
        let asked = app.ask("GET /hello/Ada%20L?x=1", &[&host(version)], b"");
        assert_eq!((asked.answer.status, asked.answer.text().as_str()), (200, "Hello, Ada L!\n"), "{version}");
        assert_eq!(asked.answer.header("content-type"), Some("text/plain; charset=utf-8"));
        let receipt = app.receipt(&asked.id);
        assert_eq!((ended(&receipt).as_str(), &receipt["shape"]), ("done", &"http".into()));
        assert_eq!(
            (&receipt["trigger"], &receipt["source"]),
            (&"http".into(), &format!("GET {version}.test/hello/{{name}}").into())
        );
        assert_eq!(used(&receipt, "output_bytes"), 14, "{receipt}");

        for status in [200, 204, 299, 304, 404, 599] {
            let asked = app.ask(&format!("GET /status/{status}"), &[&host(version)], b"");
            assert_eq!((asked.answer.status, asked.answer.body.len()), (status, 0), "{version}");
            assert_eq!(ended(&app.receipt(&asked.id)), "done", "the status is the guest's own: {version} {status}");
        }
        let panics = app.ask("GET /panic", &[&host(version)], b"");
        assert_eq!((panics.answer.status, ended(&app.receipt(&panics.id))), (500, "trapped".into()), "{version}");
        assert!(!panics.answer.text().contains("panicked"), "{}", panics.answer.text());
    }
}

/// A chunk that the guest has written is there before the guest goes on.
#[test]
fn an_answer_streams() {
    let app = serve("streams-out");
    let mut client = app.connect();
    client.send(
        b"GET /stream?n=4&ms=1500 HTTP/1.1\r\nhost: p2.test\r\nx-request-id: stream\r\nconnection: close\r\n\r\n",
    );
    let begun = client.until("chunk");
    assert!(begun.starts_with("HTTP/1.1 200 "), "{begun}");
    assert!(app.receipts().is_empty(), "the call goes on");
    let answer = read_answer(&[begun.into_bytes(), client.rest()].concat());
    assert!(answer.whole && answer.text() == "chunk 0\nchunk 1\nchunk 2\nchunk 3\n", "{}", answer.text());
    assert_eq!(ended(&app.receipt("stream")), "done");
}

/// What a client sends comes back before the client has sent the rest.
#[test]
fn a_request_and_its_answer_stream_at_once() {
    let app = serve("streams-both");
    for (host, path) in [("p2.test", "/echo"), ("p3.test", "/echo"), ("p3.test", "/through")] {
        let id = format!("{host}{path}");
        let mut client = app.connect();
        client.send(
            format!("POST {path} HTTP/1.1\r\nhost: {host}\r\nx-request-id: {id}\r\ntransfer-encoding: chunked\r\n\r\n")
                .as_bytes(),
        );
        for word in ["first", "other", "third"] {
            client.send(format!("5\r\n{word}\r\n").as_bytes());
            client.until(word);
        }
        client.send(b"0\r\n\r\n");
        client.until("0\r\n\r\n");
        let receipt = app.receipt(&id);
        assert_eq!(ended(&receipt), "done");
        assert_eq!((used(&receipt, "in_bytes"), used(&receipt, "output_bytes")), (15, 15), "{receipt}");
    }
}

#[test]
fn large_bodies_go_both_ways() {
    let app = serve("large-both");
    let file = app.folder.join("large");
    let body: Vec<u8> = (0..20_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(&file, &body).unwrap();
    let back = app.folder.join("back");
    for (host, path) in [("p2.test", "echo"), ("p3.test", "echo"), ("p3.test", "through")] {
        for version in ["--http1.1", "--http2-prior-knowledge"] {
            let url = format!("http://{}/{path}", app.address());
            let data = format!("@{}", file.display());
            let arguments =
                [version, "-H", &format!("host: {host}"), "--data-binary", &data, "-o", back.to_str().unwrap(), &url];
            curl(&arguments);
            assert!(fs::read(&back).unwrap() == body, "{host} {path} {version}");
        }
    }
}

/// Calls whose answers ended with trailers were cancelled, by their receipts: who sends a body drops it at its trailers and
/// does not ask whether that was all.
#[test]
fn trailers_go_both_ways() {
    let app = serve("trailers");
    for (host, path) in [("p2.test", "/echo"), ("p3.test", "/echo"), ("p3.test", "/through")] {
        let ask = |te: &str| {
            let mut client = app.connect();
            let id = format!("{host}{path}{}", te.len());
            let head =
                format!("POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nx-request-id: {id}\r\n{te}");
            client.send(head.as_bytes());
            client.send(b"trailer: x-sum, x-more\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 42\r\nx-more: yes\r\n\r\n");
            let answer = client.answer();
            assert_eq!(ended(&app.receipt(&id)), "done", "{id}");
            answer
        };
        let answer = ask("te: trailers\r\n");
        assert_eq!((answer.status, answer.text().as_str()), (200, "body"), "{host}{path}");
        let sent = [("x-sum".to_owned(), "42".to_owned()), ("x-more".to_owned(), "yes".to_owned())];
        assert!(sent.iter().all(|trailer| answer.trailers.contains(trailer)), "{host}{path}: {answer:?}");
        // A client that does not ask for trailers gets none.
        let answer = ask("");
        assert!(answer.whole && answer.trailers.is_empty(), "{host}{path}: {answer:?}");
    }
}

/// `HEAD` gets the head of the answer to `GET`, and the call ends well all the same.
#[test]
fn head_has_no_body() {
    let app = serve("head");
    for (version, ..) in GUESTS {
        for path in ["/hello/world", "/echo"] {
            let asked = app.ask(&format!("HEAD {path}"), &[&host(version)], b"");
            assert_eq!((asked.answer.status, asked.answer.body.len()), (200, 0), "{version} {path}");
            assert_eq!(ended(&app.receipt(&asked.id)), "done", "{version} {path}");
        }
        let head = curl(&["-I", "-H", &host(version), &format!("http://{}/hello/world", app.address())]);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("content-type: text/plain"), "{head}");
    }
}

/// Sends a head that waits for `100 Continue`, then the body, and gives the status of the answer.
fn ask_and_wait(app: &App, path: &str, host: &str, body: &str) -> u16 {
    let mut client = app.connect();
    let length = body.len();
    client.send(
        format!("POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nexpect: 100-continue\r\n").as_bytes(),
    );
    client.send(format!("content-length: {length}\r\n\r\n").as_bytes());
    client.until("HTTP/1.1 100 Continue\r\n\r\n");
    client.send(body.as_bytes());
    client.answer().status
}

/// A body that waits for `100 Continue` is asked for where somebody will read it.
#[test]
fn a_client_that_waits_is_told_to_continue() {
    let app = serve("continue");
    assert_eq!(ask_and_wait(&app, "/healthy", "any.test", r#"{"name":"Ada","value":21}"#), 200);
    // One that nobody will read is not asked for.
    let mut client = app.connect();
    client.send(b"POST /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 9999999\r\n\r\n");
    let said = String::from_utf8(client.rest()).unwrap();
    assert!(said.starts_with("HTTP/1.1 404 "), "{said}");
    let body = "x".repeat(100_000);
    let echoed = curl(&[
        "-H",
        "expect: 100-continue",
        "-H",
        &host("p2"),
        "-d",
        &body,
        &format!("http://{}/echo", app.address()),
    ]);
    assert!(echoed == body);
}

/// Also where the guest begins its answer before it reads.
#[test]
fn a_client_that_waits_is_told_so_before_the_answer_begins() {
    let app = serve("continue-streams");
    for host in ["p2.test", "p3.test"] {
        assert_eq!(ask_and_wait(&app, "/echo", host, "hello"), 200, "{host}");
    }
}

/// Several requests on one connection are answered in their order.
#[test]
fn requests_are_pipelined_in_order() {
    let app = serve("pipeline");
    let mut client = app.connect();
    for (n, close) in [(201, "keep-alive"), (202, "keep-alive"), (203, "close")] {
        client.send(format!("GET /status/{n} HTTP/1.1\r\nhost: p2.test\r\nconnection: {close}\r\n\r\n").as_bytes());
    }
    let said = String::from_utf8(client.rest()).unwrap();
    let places = [201, 202, 203].map(|status| said.find(&format!("HTTP/1.1 {status} ")).unwrap());
    assert!(places.is_sorted(), "{said}");
    // An old client gets an old answer.
    let mut old = app.connect();
    old.send(b"GET /hello/old HTTP/1.0\r\nhost: p2.test\r\n\r\n");
    let said = String::from_utf8(old.rest()).unwrap();
    assert!(said.starts_with("HTTP/1.0 200 OK\r\n") && said.ends_with("Hello, old!\n"), "{said}");
}
