//! What a client sees of a reply, and what it never sees.

use crate::guest::{Fixture, Guest, cancelled, config, done, mirror, whole};
use bytes::Bytes;
use futures::StreamExt as _;
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use sandbar_call::{Body, BodyError, Outcome, Refusal, Reply, Resource};

/// A reply that streams these frames.
fn stream(answer: http::response::Builder, frames: Vec<Result<Frame<Bytes>, BodyError>>) -> Reply {
    Reply::Http(answer.body(Body::stream(StreamBody::new(futures::stream::iter(frames)))).unwrap())
}

fn data(text: &'static str) -> Result<Frame<Bytes>, BodyError> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

#[test]
fn replies_of_every_kind_are_answered() {
    let ended = |outcome: fn() -> Outcome| Guest::new(move |_| async move { Reply::Ended(outcome()) });
    let server = Fixture::new(
        config(),
        vec![
            ("/json", Guest::new(|_| async { Reply::Output(Body::from("{\"a\":1}")) })),
            ("/text", Guest::new(|_| async { Reply::Output(Body::from("hello")) })),
            ("/value", Guest::new(|_| async { Reply::Value("42".into()) })),
            ("/exit0", Guest::new(|_| async { Reply::Exit { code: 0, output: "out".into() } })),
            ("/exit1", Guest::new(|_| async { Reply::Exit { code: 1, output: "secret".into() } })),
            ("/trap", ended(|| Outcome::Trapped { message: "secret".into() })),
            ("/slow", ended(|| Outcome::Stopped { limit: Resource::Wall })),
            ("/busy", ended(|| Outcome::Refused { why: Refusal::Busy { retry_after_s: 9 } })),
            ("/gone", ended(|| Outcome::Cancelled)),
        ],
    );
    for (path, status, part) in [
        ("/json", 200, "content-type: application/json\r\n"),
        ("/text", 200, "content-type: text/plain; charset=utf-8\r\n"),
        ("/value", 200, "content-type: application/json\r\n"),
        ("/exit0", 200, "\r\n\r\nout"),
        ("/exit1", 500, "the function failed"),
        ("/trap", 500, "\"request_id\":\""),
        ("/slow", 504, "the function took too long"),
        ("/busy", 503, "retry-after: 9\r\n"),
        ("/gone", 0, ""),
        ("/none", 404, "no route takes this path"),
    ] {
        let answer = server.say(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"));
        let (found, _) = crate::guest::split(&answer);
        assert!(found == status && answer.contains(part) && !answer.contains("secret"), "{path}: {answer}");
        assert!(status == 0 || answer.contains("\r\nx-request-id: ") && answer.contains("\r\ndate: "), "{answer}");
    }
}

#[test]
fn head_is_get_without_its_body() {
    let sized = || async { stream(Response::builder().header("content-length", "4"), vec![data("bo"), data("dy")]) };
    let server = Fixture::new(
        config(),
        vec![
            ("GET /whole", Guest::new(|_| async { whole("body") })),
            ("GET /stream", Guest::new(move |_| sized())),
            (
                "GET /said",
                Guest::new(|_| async {
                    Reply::Http(Response::builder().header("content-length", "4").body(Body::Empty).unwrap())
                }),
            ),
        ],
    );
    for path in ["/whole", "/stream", "/said"] {
        let answer = server.say(format!("HEAD {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"));
        assert!(answer.contains("\r\ncontent-length: 4\r\n") && answer.ends_with("\r\n\r\n"), "{path}: {answer}");
    }
    server.receipts.wait_count(3, done);
}

#[test]
fn statuses_without_a_body_have_none() {
    let empty = |status: u16| {
        Guest::new(
            move |_| async move { Reply::Http(Response::builder().status(status).body(Body::from("body")).unwrap()) },
        )
    };
    let server = Fixture::new(config(), vec![("/204", empty(204)), ("/304", empty(304)), ("/101", empty(101))]);
    for (path, status) in [("/204", 204), ("/304", 304)] {
        assert_eq!(server.ask(&format!("GET {path} HTTP/1.1\r\n\r\n")), (status, String::new()));
    }
    assert_eq!(server.ask("GET /101 HTTP/1.1\r\n\r\n").0, 500);
    server.notices.wait(|notice| notice.contains("a status below 200 is not an answer"));
}

#[test]
fn an_answer_is_held_to_its_length() {
    let sized = |frames: fn() -> Vec<Result<Frame<Bytes>, BodyError>>| {
        Guest::new(move |_| async move { stream(Response::builder().header("content-length", "4"), frames()) })
    };
    let lies = Guest::new(|_| async {
        Reply::Http(Response::builder().header("content-length", "9").body(Body::from("body")).unwrap())
    });
    let server = Fixture::new(
        config(),
        vec![
            ("/long", sized(|| vec![data("body"), data("HTTP/1.1 200 smuggled")])),
            ("/short", sized(|| vec![data("bo")])),
            ("/fails", sized(|| vec![data("bo"), Err("broke".into())])),
            ("/lies", lies),
        ],
    );
    let get = |path| server.say(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"));
    let long = get("/long");
    assert!(!long.contains("smuggled"), "{long}");
    assert!(get("/short").len() < long.len());
    get("/fails");
    for why in ["longer than", "shorter than", "broke"] {
        server.notices.wait(|notice| notice.contains("cut") && notice.contains(why));
    }
    assert_eq!(server.ask("GET /lies HTTP/1.1\r\n\r\n").0, 500);
    assert!(server.metric("sandbar_http_requests_cut_total 3"));
}

#[test]
fn a_call_ends_well_where_its_body_ends_after_the_promised_bytes() {
    let late = Guest::new(|_| async {
        let frames = futures::stream::unfold(0, |step| async move {
            match step {
                0 => Some((data("body"), 1)),
                _ => {
                    tokio::task::yield_now().await;
                    None
                }
            }
        });
        let answer = Response::builder().header("content-length", "4");
        Reply::Http(answer.body(Body::stream(StreamBody::new(frames))).unwrap())
    });
    let server = Fixture::new(config(), vec![("/", late)]);
    assert_eq!(server.ask("GET / HTTP/1.1\r\n\r\n"), (200, "body".into()));
    server.receipts.wait(|_| true);
    assert_eq!(server.receipts.count(done), 1);
}

#[test]
fn trailers_go_to_clients_that_take_them() {
    let guest = Guest::new(|_| async {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sum", "7".parse().unwrap());
        stream(Response::builder().header("trailer", "x-sum"), vec![data("ab"), Ok(Frame::trailers(trailers))])
    });
    let server = Fixture::new(config(), vec![("/", guest)]);
    let answer = server.say("GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: close, te\r\n\r\n");
    assert!(answer.ends_with("2\r\nab\r\n0\r\nx-sum: 7\r\n\r\n"), "{answer}");
    let answer = server.say("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert!(answer.ends_with("2\r\nab\r\n0\r\n\r\n"), "{answer}");
}

#[test]
fn an_answer_streams_while_its_guest_writes() {
    let (frames, written) = futures::channel::mpsc::unbounded::<Result<Frame<Bytes>, BodyError>>();
    let written = std::sync::Mutex::new(Some(written));
    let guest = Guest::new(move |_| {
        let written = written.lock().unwrap().take().unwrap();
        async move { Reply::Http(Response::new(Body::stream(StreamBody::new(written.boxed())))) }
    });
    let server = Fixture::new(config(), vec![("/", guest)]);
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    client.until("\r\n\r\n");
    for text in ["one", "two"] {
        frames.unbounded_send(data(text)).unwrap();
        client.until(&format!("3\r\n{text}\r\n"));
    }
    drop(frames);
    client.until("0\r\n\r\n");
    server.receipts.wait(done);
}

#[test]
fn a_client_that_leaves_cancels_its_call() {
    let endless = Guest::new(|_| async {
        let frames = futures::stream::unfold(true, |first| async move {
            if !first {
                std::future::pending::<()>().await;
            }
            Some((data("x"), false))
        });
        Reply::Http(Response::new(Body::stream(StreamBody::new(frames))))
    });
    let (begun, mut begins) = futures::channel::mpsc::unbounded();
    let silent = Guest::new(move |request: http::Request<Body>| {
        begun.unbounded_send(()).unwrap();
        async move {
            // Reads the body, so that its end is seen, and never answers.
            let _ = request.into_body().collect().await;
            std::future::pending().await
        }
    });
    let server = Fixture::new(config(), vec![("/silent", silent), ("/endless", endless)]);
    let mut waiting = server.connect();
    waiting.send("GET /silent HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut writing = server.connect();
    writing.send("POST /silent HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n");
    for _ in 0..2 {
        // A call that had not begun would have no receipt.
        while begins.try_recv().is_err() {
            std::thread::yield_now();
        }
    }
    let mut reading = server.connect();
    reading.send("GET /endless HTTP/1.1\r\nhost: a\r\n\r\n");
    reading.until("1\r\nx\r\n");
    drop((waiting, reading, writing));
    server.receipts.wait_count(3, cancelled);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Fixture::new(
        config(),
        vec![(
            "/{n}",
            Guest::new(|request: http::Request<Body>| async move { whole(request.uri().path().to_owned()) }),
        )],
    );
    let requests: String = (0..50).map(|n| format!("GET /{n}; HTTP/1.1\r\nhost: a\r\n\r\n")).collect();
    let answers = server.say(requests + "GET /end; HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let found: Vec<_> = answers.split("\r\n\r\n").skip(1).map(|body| body.split(';').next().unwrap()).collect();
    let expected: Vec<_> = (0..50).map(|n| format!("/{n}")).chain(["/end".to_owned()]).collect();
    assert_eq!(found, expected);
}

#[test]
fn an_app_without_a_home_says_what_it_serves() {
    let server = Fixture::new(config(), vec![("POST /double", mirror())]);
    let (status, body) = server.ask("GET / HTTP/1.1\r\n\r\n");
    assert!(status == 200 && body.contains("curl -X POST http://test/double"), "{body}");
    let page = server.say("GET / HTTP/1.1\r\nhost: a\r\naccept: text/html\r\nconnection: close\r\n\r\n");
    assert!(page.contains("<li><h2>POST /double</h2>"), "{page}");
    let answer = server.say("GET /double HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 405") && answer.contains("\r\nallow: POST\r\n"), "{answer}");
}
