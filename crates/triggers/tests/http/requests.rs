//! What a guest sees of a request, and what it never sees.

use crate::guest::{Fixture, Guest, config, done, id_of, mirror, whole};
use sandbar_call::{Body, RouteMatch};
use sandbar_triggers::http::{ForwardedForm, Forwarding, Incoming};

#[test]
fn a_request_reaches_its_guest_and_ends_in_a_receipt() {
    let server = Fixture::new(config(), vec![("POST /mirror/{name}", mirror())]);
    let (status, body) = server.ask(
        "POST /mirror/a?q=1 HTTP/1.1\r\nx-request-id: id-7\r\ncontent-length: 5\r\nkeep-alive: 3\r\nx-forwarded-for: \
         6.6.6.6\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\nhello",
    );
    assert_eq!(status, 200);
    let expected = "POST /mirror/a?q=1\nx-request-id: id-7\ncontent-length: 5\nhost: test\n\
                    traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n\n\
                    Whole(5 bytes) hello";
    assert_eq!(body, expected);
    server.receipts.wait(|receipt| {
        done(receipt)
            && &*receipt.origin.trigger == "http"
            && &*receipt.origin.source == "POST /mirror/{name}"
            && &*receipt.origin.event == "id-7"
    });
    assert!(server.metric("sandbar_http_requests_total{class=\"2xx\"} 1"));
}

#[test]
fn a_request_without_names_gets_those_of_its_call() {
    let server = Fixture::new(config(), vec![("/mirror", mirror())]);
    let answer = server.say("GET /mirror HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-request-id: a b\r\n\r\n");
    server.receipts.wait(done);
    server.receipts.wait(|receipt| {
        let call = id_of(receipt).to_string();
        answer.contains(&format!("\r\nx-request-id: {call}\r\n"))
            && answer.contains(&format!("\nx-request-id: {call}\n"))
            && answer.contains(&format!("\ntraceparent: 00-{call}-"))
            && *receipt.origin.event == *call
    });
}

#[test]
fn a_guest_that_wants_it_gets_its_match() {
    let guest = Guest::new(|request: http::Request<Body>| async move {
        let found = request.extensions().get::<RouteMatch>().unwrap();
        let captures: Vec<_> = found.captures.iter().map(|(name, text)| format!("{name}={text}")).collect();
        whole(format!("{} {} {} {}", found.pattern, found.prefix_len, captures.join(","), found.peer.is_some()))
    });
    let server = Fixture::new(config(), vec![("/cgi/{name}/{*path}", guest)]);
    let (_, body) = server.ask("GET /cgi/a%20b/x/y HTTP/1.1\r\n\r\n");
    assert_eq!(body, "/cgi/{name}/{*path} 10 name=a b,path=x/y true");
}

#[test]
fn bodies_come_whole_when_small_and_as_a_stream_when_not() {
    let server = Fixture::new(config(), vec![("/mirror", mirror())]);
    let large = "x".repeat(100_000);
    for (request, expected) in [
        ("POST /mirror HTTP/1.1\r\n\r\n".to_owned(), "Empty ".to_owned()),
        ("POST /mirror HTTP/1.1\r\ncontent-length: 0\r\n\r\n".to_owned(), "Empty ".to_owned()),
        ("POST /mirror HTTP/1.1\r\ncontent-length: 2\r\n\r\nab".to_owned(), "Whole(2 bytes) ab".to_owned()),
        (
            "POST /mirror HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n".to_owned(),
            "Stream abc".to_owned(),
        ),
        (format!("POST /mirror HTTP/1.1\r\ncontent-length: {}\r\n\r\n{large}", large.len()), format!("Stream {large}")),
    ] {
        let (status, body) = server.ask(&request);
        assert_eq!((status, body.split_once("\n\n").unwrap().1), (200, expected.as_str()));
    }
}

#[test]
fn trailers_of_a_request_reach_its_guest() {
    let server = Fixture::new(config(), vec![("/mirror", mirror())]);
    let mut client = server.connect();
    client.send(
        "POST /mirror HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
         2\r\nab\r\n0\r\nx-sum: 7\r\n\r\n",
    );
    let answer = client.rest();
    assert!(answer.contains("\nx-sum: 7\n") && answer.ends_with("Stream ab"), "{answer}");
}

#[test]
fn continue_is_sent_when_the_body_is_read_and_not_before() {
    let refuses = Guest::new(|_| async { whole("no need") });
    let server = Fixture::new(config(), vec![("/read", mirror()), ("/refuse", refuses)]);
    let head = "HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n";
    let mut client = server.connect();
    client.send(format!("POST /read {head}"));
    assert_eq!(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ab");
    assert!(client.rest().ends_with(" ab"));
    let answer = server.say(format!("POST /refuse {head}"));
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("no need"), "{answer}");
}

#[test]
fn odd_targets_are_settled_or_refused() {
    let server = Fixture::new(config(), vec![("/mirror", mirror()), ("GET only.me/x", mirror())]);
    for (request, status, part) in [
        ("GET http://abs.olute/mirror?a HTTP/1.1\r\nhost: other\r\n", 200, "GET /mirror?a\nhost: abs.olute\n"),
        ("GET http://only.me:80/x HTTP/1.1\r\nhost: other\r\n", 200, "GET /x\n"),
        ("GET /x HTTP/1.1\r\nhost: ONLY.me:8080\r\n", 200, "GET /x\n"),
        ("GET /x HTTP/1.1\r\nhost: other\r\n", 404, "no route takes this path"),
        ("OPTIONS * HTTP/1.1\r\nhost: a\r\n", 204, ""),
        ("GET * HTTP/1.1\r\nhost: a\r\n", 400, ""),
        ("CONNECT a.b:443 HTTP/1.1\r\nhost: a.b:443\r\n", 501, "not implemented"),
        ("GET /mirror HTTP/1.1\r\n", 400, "expected a `Host`"),
        ("GET /mirror HTTP/1.1\r\nhost: a\r\nhost: a\r\n", 400, "found several"),
        ("GET /mirror HTTP/1.0\r\n", 200, "GET /mirror\n"),
        ("GET /../mirror HTTP/1.1\r\nhost: a\r\n", 400, "expected a path"),
        ("GET /%2e%2e/mirror HTTP/1.1\r\nhost: a\r\n", 400, "expected a path"),
    ] {
        let answer = server.say(format!("{request}connection: close\r\n\r\n"));
        let (found, body) = crate::guest::split(&answer);
        assert!(found == status && body.contains(part), "{request:?}: {answer}");
    }
}

#[test]
fn guests_are_told_about_clients_by_choice() {
    let mut config = config();
    config.forwarding = Forwarding { incoming: Incoming::Kept, add: Some(ForwardedForm::Rfc7239) };
    let server = Fixture::new(config, vec![("/mirror", mirror())]);
    let (_, body) = server.ask("GET /mirror HTTP/1.1\r\nforwarded: for=1.2.3.4\r\n\r\n");
    let expected = "forwarded: for=1.2.3.4\nforwarded: for=127.0.0.1;host=\"test\";proto=http\n";
    assert!(body.contains(expected), "{body}");
}
