//! Clients that take too long, send too much, lie, or leave.

use crate::app::{App, SOON, app_folder, ended, guest, route, sandbar, until};
use std::{process::Command, thread, time::Duration};

/// Timeouts that a test can wait for.
const SHORT: &str = "[server]
header_timeout = \"300ms\"
body_timeout = \"300ms\"
idle_timeout = \"300ms\"
write_timeout = \"300ms\"

";

fn echo() -> String {
    guest("echo", "echo-http.wasm", "") + &route("/{*path}", "echo")
}

/// The guests that stream, each under a host of its own.
fn streaming() -> String {
    [("p2.test", "echo-http.wasm"), ("p3.test", "echo-http-p3.wasm"), ("cgi.test", "cgi.wasm")]
        .map(|(host, file)| {
            let name = host.trim_end_matches(".test");
            guest(name, file, "") + &route(&format!("{host}/{{*path}}"), name)
        })
        .concat()
}

#[test]
fn slow_and_silent_clients_are_let_go() {
    let app = App::serve("slow", &(SHORT.to_owned() + &echo()));
    let count = |bound: &str, expected: f64| {
        let name = format!("sandbar_http_timeouts_total{{bound=\"{bound}\"}}");
        until(&name, || (app.metric(&name) >= expected).then_some(()));
    };
    // Headers: none, some, and one byte after the other.
    assert_eq!(app.connect().rest(), b"");
    let mut some = app.connect();
    some.send(b"GET / HTTP/1.1\r\nhost: a\r\nx-");
    assert_eq!(some.rest(), b"");
    let mut drips = app.connect();
    let mut dripped = 0;
    while drips.send(b"x") && dripped < 1000 {
        dripped += 1;
        thread::sleep(Duration::from_millis(20));
    }
    assert!(dripped < 1000, "it was never let go");
    count("header", 3.0);

    // A small body is awaited before there is a call; a large one ends the call that it was for.
    let mut small = app.connect();
    small.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf");
    assert_eq!(small.answer().status, 408);
    assert_eq!(app.receipts().len(), 0);
    let mut large = app.connect();
    large.send(
        b"POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nx-request-id: large\r\n\r\n4\r\nhalf\r\n",
    );
    assert!(!large.answer().whole);
    assert_eq!(ended(&app.receipt("large")), "cancelled");
    count("body", 2.0);

    // A reader that takes nothing of what is written to it.
    let mut reader = app.connect();
    reader.send(b"GET /big?bytes=60000000 HTTP/1.1\r\nhost: a\r\nx-request-id: reader\r\n\r\n");
    assert_eq!(ended(&app.receipt("reader")), "cancelled");
    count("write", 1.0);

    // A connection that is kept and not used.
    let mut idle = app.connect();
    idle.send(b"GET /status/204 HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(idle.rest().starts_with(b"HTTP/1.1 204 "));
    count("idle", 1.0);
    app.is_healthy();
}

/// Hundreds of slow clients hold connections and no sandboxes: others are served meanwhile.
#[test]
fn slow_clients_hold_no_sandbox() {
    let app = App::serve("many-slow", &("[pool]\nsandboxes_max = 2\n\n".to_owned() + &echo()));
    let slow: Vec<_> = (0..300)
        .map(|n| {
            let mut client = app.connect();
            client.send(b"POST /healthy HTTP/1.1\r\nhost: a\r\n");
            if n % 2 == 0 {
                client.send(b"content-length: 40\r\n\r\n{");
            }
            client
        })
        .collect();
    for _ in 0..10 {
        app.is_healthy();
    }
    assert_eq!(app.receipts().iter().filter(|receipt| ended(receipt) != "done").count(), 0);
    drop(slow);
}

#[test]
fn header_bombs_are_refused() {
    let limits = "[server]\nheader_bytes_max = \"8KiB\"\nheaders_max = 20\n\n";
    let app = App::serve("bombs", &(limits.to_owned() + &echo()));
    let many: Vec<String> = (0..30).map(|n| format!("x-{n}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = format!("x: {}", "y".repeat(10_000));
    assert_eq!(app.ask("GET /", &many, b"").answer.status, 431);
    assert_eq!(app.ask("GET /", &[&long], b"").answer.status, 431);
    let status = app.get(&format!("/{}", "y".repeat(70_000))).answer.status;
    assert!(matches!(status, 414 | 431), "{status}");
    assert_eq!(app.receipts().len(), 0);

    let mut endless = app.connect();
    endless.send(b"GET / HTTP/1.1\r\nhost: a\r\nx: ");
    let mut sent = 0;
    while endless.send(&[b'y'; 4096]) && sent < 64 << 20 {
        sent += 4096;
    }
    assert!(sent < 64 << 20, "it took {sent} bytes of one header");
    app.is_healthy();
}

#[test]
fn large_bodies_are_refused() {
    let app = App::serve("large", &("[server]\nbody_bytes_max = \"100KiB\"\n\n".to_owned() + &echo()));
    assert_eq!(app.ask("POST /", &[], &vec![b'x'; 100 << 10]).answer.body.len(), 100 << 10);
    assert_eq!(app.ask("POST /", &[], &vec![b'x'; 1 << 20]).answer.status, 413);
    // Without a length it shows on the way; the answer has begun by then and is cut.
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let body = chunk.repeat(4) + "0\r\n\r\n";
    let mut client = app.connect();
    client.send(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    client.send(body.as_bytes());
    let answer = client.answer();
    assert!(answer.status == 413 || !answer.whole, "{} {}", answer.status, answer.body.len());
}

/// Two lengths, a wrong one, or a length beside chunks: refused, or read as chunks only. Nothing is taken for a second request.
#[test]
fn ambiguous_requests_are_one_request_or_none() {
    let app = App::serve("ambiguous", &echo());
    for headers in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 6\r\n",
        "content-length: +5\r\n",
        "content-length: 0x5\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "host: b\r\ncontent-length: 0\r\n",
        " x: folded\r\ncontent-length: 0\r\n",
        "x : spaced\r\ncontent-length: 0\r\n",
    ] {
        let mut client = app.connect();
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n0\r\n\r\n").as_bytes());
        client.finish();
        let answer = client.answer();
        assert_eq!(answer.status, 400, "{headers:?}: {answer:?}");
    }
    for headers in
        ["content-length: 50\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: chunked\r\ncontent-length: 0\r\n"]
    {
        let mut client = app.connect();
        let smuggled = "0\r\n\r\nGET /status/299 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        client.send(
            format!("POST /status/200 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n{smuggled}").as_bytes(),
        );
        client.finish();
        let said = String::from_utf8(client.rest()).unwrap();
        assert!(said.matches("HTTP/1.1 ").count() == 1 && !said.contains(" 299 "), "{headers:?}: {said}");
    }
}

/// A guest that writes another number of bytes than it promised: its client never takes them for an answer that is whole.
#[test]
fn a_guests_wrong_length_is_never_believed() {
    let app = App::serve("lengths", &echo());
    let mut client = app.connect();
    client.send(
        b"GET /twice HTTP/1.1\r\nhost: a\r\n\r\nGET /status/204 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    );
    let said = String::from_utf8(client.rest()).unwrap();
    assert!(!said.contains("nine byte"), "{said}");
    let first = crate::wire::read_answer(said.as_bytes());
    assert!(first.status == 500 || !first.whole, "{said}");
    // A guest that returns without an answer is one that failed.
    let nothing = app.get("/nothing");
    assert_eq!((nothing.answer.status, ended(&app.receipt(&nothing.id))), (500, "failed".into()));
}

#[test]
fn a_client_that_leaves_cancels_its_call() {
    let app = App::serve("leaving", &(echo() + &streaming()));
    let chunks = "GET /stream?n=100000&ms=20 HTTP/1.1\r\nhost: a\r\nx-request-id: download\r\n\r\n";
    let mut download = app.connect();
    download.send(chunks.as_bytes());
    download.until("chunk");
    drop(download);
    assert_eq!(ended(&app.receipt("download")), "cancelled");

    for host in ["p2.test", "p3.test", "cgi.test"] {
        let id = format!("upload-{host}");
        let mut upload = app.connect();
        let head =
            format!("POST /echo HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\nx-request-id: {id}\r\n\r\n");
        upload.send(head.as_bytes());
        upload.send(b"6\r\nhello\n\r\n");
        upload.until("hello");
        drop(upload);
        assert_eq!(ended(&app.receipt(&id)), "cancelled", "{host}");
    }

    // A function, whose client leaves before its body is there.
    let mut function = app.connect();
    function.send(b"POST /healthy HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\nx-request-id: function\r\n\r\n{");
    until("a call", || (app.metric("sandbar_pool_calls{guest=\"healthy\"}") == 1.0).then_some(()));
    drop(function);
    assert_eq!(ended(&app.receipt("function")), "cancelled");
    until("an idle pool", || (app.metric("sandbar_pool_calls{guest=\"healthy\"}") == 0.0).then_some(()));
    app.is_healthy();
}

/// One that leaves while it waits for a sandbox gives its place up.
#[test]
fn a_client_that_leaves_the_queue_is_no_longer_in_it() {
    let tables = guest("echo", "echo-http.wasm", "sandboxes_max = 1\nwait = \"60s\"") + &route("/{*path}", "echo");
    let app = App::serve("queue", &tables);
    let waiting = |count: f64| {
        until("a queue", || (app.metric("sandbar_pool_waiting{guest=\"echo\"}") == count).then_some(()));
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| app.get("/sleep?ms=4000"));
        until("a busy pool", || (app.metric("sandbar_pool_calls{guest=\"echo\"}") == 1.0).then_some(()));
        let mut second = app.connect();
        second.send(b"GET /status/200 HTTP/1.1\r\nhost: a\r\nx-request-id: second\r\n\r\n");
        waiting(1.0);
        drop(second);
        waiting(0.0);
        assert!(!first.is_finished());
        let receipt = app.receipt("second");
        assert_eq!(ended(&receipt), "cancelled");
        assert!(receipt.get("sandbox").is_none(), "{receipt}");
        assert_eq!(first.join().unwrap().answer.status, 200);
    });
    assert_eq!(app.get("/status/201").answer.status, 201);
}

/// More connections than the cap are told so, and the listener goes on when there is room.
#[test]
fn connections_over_the_cap_are_told_so() {
    let app = App::serve("cap", &("[server]\nconnections_max = 3\n\n".to_owned() + &echo()));
    let held: Vec<_> = (0..3)
        .map(|_| {
            let mut client = app.connect();
            client.send(b"GET /status/200 HTTP/1.1\r\nhost: a\r\n\r\n");
            client.until("\r\n\r\n");
            client
        })
        .collect();
    let over = app.get("/status/200").answer;
    assert_eq!((over.status, over.header("retry-after")), (503, Some("1")));
    app.server.wait_for("3 connections are open", SOON).unwrap();
    drop(held);
    until("room", || (app.metric("sandbar_http_connections_open") == 0.0).then_some(()));
    app.is_healthy();
}

/// Without descriptors for new connections a server waits, and goes on when it has some.
#[test]
fn a_server_without_descriptors_goes_on_when_it_has_some() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 128; exec \"$0\" \"$@\""]).arg(sandbar().get_program());
    command.envs(sandbar().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let app = App::start(command, app_folder("descriptors", &echo()), &[]);
    app.is_healthy();
    // The kernel takes connections that nobody has accepted yet.
    let clients: Vec<_> = (0..300).map(|_| app.connect()).collect();
    app.server.wait_for("accepting failed, trying again", SOON).unwrap();
    drop(clients);
    app.is_healthy();
}
