//! Clients that take too long, send too much or lie.

use crate::guest::{Fixture, Guest, cancelled, config, mirror};
use bytes::Bytes;
use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;
use sandbar_call::{Body, BodyError, Reply};
use sandbar_triggers::http::{Guards, ServerConfig};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(100);

fn guarded(change: impl FnOnce(&mut Guards)) -> ServerConfig {
    let mut config = config();
    change(&mut config.guards);
    config
}

#[test]
fn slow_heads_and_silent_connections_end() {
    let server = Fixture::new(guarded(|guards| guards.header_timeout = SHORT), vec![("/", mirror())]);
    assert_eq!(server.connect().rest(), "");
    assert_eq!(server.say("GET / HTTP/1.1\r\nhost:"), "");
    assert_eq!(server.say("PRI * HTTP/2.0\r\n"), "");
    // The head of a second request on a connection counts anew.
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    client.until("Empty ");
    client.send("GET / HT");
    assert_eq!(client.rest(), "");
    assert!(server.metric("sandbar_http_timeouts_total{bound=\"header\"} 4"));
}

#[test]
fn idle_connections_end() {
    let server = Fixture::new(guarded(|guards| guards.idle_timeout = SHORT), vec![("/", mirror())]);
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    client.until("Empty ");
    assert_eq!(client.rest(), "");
    assert!(server.metric("sandbar_http_timeouts_total{bound=\"idle\"} 1"));
}

#[test]
fn slow_bodies_are_told_so_and_their_calls_cancelled() {
    let server = Fixture::new(guarded(|guards| guards.body_timeout = SHORT), vec![("/", mirror())]);
    // A small one never reaches its guest.
    let answer = server.say("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nab");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(server.receipts.count(|_| true), 0);
    let answer = server.say("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    server.receipts.wait(cancelled);
}

#[test]
fn slow_readers_are_cut() {
    let endless = Guest::new(|_| async {
        let frame = || Ok::<_, BodyError>(Frame::data(Bytes::from_static(&[b'x'; 65536])));
        let frames = futures::stream::repeat_with(frame);
        Reply::Http(Response::new(Body::stream(StreamBody::new(frames))))
    });
    let server = Fixture::new(guarded(|guards| guards.write_timeout = SHORT), vec![("/", endless)]);
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    server.receipts.wait(cancelled);
    assert!(server.metric("sandbar_http_timeouts_total{bound=\"write\"} 1"));
}

#[test]
fn header_bombs_are_refused() {
    let change = |guards: &mut Guards| {
        guards.head_bytes_max = 8192;
        guards.headers_max = 20;
    };
    let server = Fixture::new(guarded(change), vec![("/", mirror())]);
    let many: String = (0..21).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = format!("x: {}\r\n", "y".repeat(10_000));
    for headers in [many, long] {
        let answer = server.say(format!("GET / HTTP/1.1\r\nhost: a\r\n{headers}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let answer = server.say(format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "y".repeat(70_000)));
    assert!(answer.starts_with("HTTP/1.1 414 ") || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(server.receipts.count(|_| true), 0);
}

#[test]
fn large_bodies_are_refused_by_their_length_and_on_their_way() {
    let server = Fixture::new(guarded(|guards| guards.body_bytes_max = 10), vec![("/", mirror())]);
    let answer = server.say("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("connection: close"), "{answer}");
    assert_eq!(server.receipts.count(|_| true), 0);
    let chunk = format!("8\r\n{}\r\n", "x".repeat(8));
    let answer = server
        .say(format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}{chunk}0\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    server.receipts.wait(|_| true);
    // One that sends on still gets its answer.
    let megabyte = "x".repeat(1 << 20);
    let answer = server.say(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{megabyte}", 1 << 20));
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn ambiguous_framing_is_refused() {
    let server = Fixture::new(config(), vec![("/", mirror())]);
    for headers in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
        "content-length: 5, 6\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: gzip\r\n",
    ] {
        let answer = server.say(format!("POST / HTTP/1.1\r\nhost: a\r\n{headers}\r\n0\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{headers:?}: {answer}");
    }
    // With both, the chunks count and nothing after them is taken for another request.
    let answer = server.say(
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 50\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
         0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n",
    );
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(!answer.contains("content-length: 50"), "{answer}");
}

#[test]
fn broken_bodies_cancel_their_call() {
    let server = Fixture::new(config(), vec![("/", mirror())]);
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = server.say(format!("{head}2\r\nab\r\nx\r\n"));
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("not well formed"), "{answer}");
}

#[test]
fn connections_over_the_cap_are_told_so() {
    let server = Fixture::new(guarded(|guards| guards.connections_max = 2), vec![("/", mirror())]);
    let mut first = server.connect();
    first.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    first.until("Empty ");
    let mut second = server.connect();
    second.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    second.until("Empty ");
    let answer = server.say("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1"), "{answer}");
    server.notices.wait(|notice| notice.starts_with("2 connections are open"));
    drop((first, second));
    while server.handle.connections() > 0 {
        std::thread::yield_now();
    }
    assert_eq!(server.ask("GET / HTTP/1.1\r\n\r\n").0, 200);
}

/// Runs the next test in a process of its own that may open few files.
#[cfg(unix)]
#[test]
fn a_server_without_descriptors_goes_on_when_it_has_some() {
    let status = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 48; exec \"$0\" --exact abuse::without_descriptors --ignored"])
        .arg(std::env::current_exe().unwrap())
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
}

#[test]
#[ignore = "needs a low limit of open files, which the test above gives it"]
fn without_descriptors() {
    let server = Fixture::new(config(), vec![("/", mirror())]);
    let mut clients = Vec::new();
    while let Ok(client) = std::net::TcpStream::connect(server.address()) {
        clients.push(client);
    }
    server.notices.wait(|notice| notice.starts_with("accepting failed, trying again in 5 ms: "));
    drop(clients);
    assert_eq!(server.ask("GET / HTTP/1.1\r\n\r\n").0, 200);
}
