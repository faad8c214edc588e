//! HTTP/2, in cleartext by prior knowledge.

use crate::guest::{Fixture, Guest, cancelled, config, done, mirror, silent};
use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use sandbar_call::{Body, BodyError, Reply};
use std::time::Duration;
use tokio::{net::TcpStream, task::JoinHandle};

type Connected = (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>);

async fn connect(server: &Fixture) -> Connected {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    (client, tokio::spawn(connection))
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn text(mut body: h2::RecvStream) -> (String, Option<http::HeaderMap>) {
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    (String::from_utf8(bytes).unwrap(), body.trailers().await.unwrap())
}

#[test]
fn requests_share_a_connection_and_carry_bodies_and_trailers() {
    let server = Fixture::new(config(), vec![("/mirror", mirror())]);
    run(async {
        let (client, _connection) = connect(&server).await;
        let mut client = client.ready().await.unwrap();
        let mut answers = Vec::new();
        for n in 0..10 {
            let request = Request::post(format!("http://a.b/mirror?{n}")).body(()).unwrap();
            let (answer, mut body) = client.send_request(request, false).unwrap();
            body.send_data("ab".into(), false).unwrap();
            let mut trailers = http::HeaderMap::new();
            trailers.insert("x-sum", "7".parse().unwrap());
            body.send_trailers(trailers).unwrap();
            answers.push(answer);
        }
        for (n, answer) in answers.into_iter().enumerate() {
            let (body, _) = text(answer.await.unwrap().into_body()).await;
            assert!(body.starts_with(&format!("POST /mirror?{n}\n")) && body.contains("\nhost: a.b\n"), "{body}");
            assert!(body.contains("\nx-sum: 7\n") && body.ends_with("Stream ab"), "{body}");
        }
    });
    server.receipts.wait_count(10, done);
}

#[test]
fn answers_have_trailers() {
    let guest = Guest::new(|_| async {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = [Ok::<_, BodyError>(Frame::data(Bytes::from("ab"))), Ok(Frame::trailers(trailers))];
        Reply::Http(Response::new(Body::stream(StreamBody::new(futures::stream::iter(frames)))))
    });
    let server = Fixture::new(config(), vec![("/", guest)]);
    run(async {
        let (mut client, _connection) = connect(&server).await;
        let (answer, _) = client.send_request(Request::get("http://a/").body(()).unwrap(), true).unwrap();
        let (body, trailers) = text(answer.await.unwrap().into_body()).await;
        assert_eq!((body.as_str(), trailers.unwrap()["grpc-status"].to_str().unwrap()), ("ab", "0"));
    });
}

#[test]
fn a_stream_that_is_reset_cancels_its_call_and_no_other() {
    let server = Fixture::new(config(), vec![("/silent", silent()), ("/mirror", mirror())]);
    run(async {
        let (mut client, _connection) = connect(&server).await;
        let silent = Request::get("http://a/silent").body(()).unwrap();
        let (_answer, mut body) = client.send_request(silent, true).unwrap();
        let (answer, _) = client.send_request(Request::get("http://a/mirror").body(()).unwrap(), true).unwrap();
        answer.await.unwrap();
        body.send_reset(h2::Reason::CANCEL);
        tokio::task::yield_now().await;
        let (answer, _) = client.send_request(Request::get("http://a/mirror").body(()).unwrap(), true).unwrap();
        answer.await.unwrap();
    });
    server.receipts.wait(cancelled);
    assert_eq!(server.receipts.count(done), 2);
}

#[test]
fn rapid_resets_end_the_connection() {
    let server = Fixture::new(config(), vec![("/silent", silent())]);
    let ended = run(async {
        let (mut client, connection) = connect(&server).await;
        for _ in 0..10_000 {
            let request = Request::get("http://a/silent").body(()).unwrap();
            let Ok((_, mut body)) = client.send_request(request, true) else { break };
            body.send_reset(h2::Reason::CANCEL);
            if connection.is_finished() {
                break;
            }
            // Several at a time, so that they arrive before any of them is begun.
            if body.stream_id().as_u32() % 400 == 1 {
                tokio::task::yield_now().await;
            }
        }
        drop(client);
        connection.await.unwrap()
    });
    assert!(ended.is_err(), "the server let 10,000 resets pass");
    let (opened, settled) = (server.receipts.count(|_| true), server.receipts.count(cancelled));
    assert_eq!(opened, settled);
}

#[test]
fn a_stalled_stream_is_reset_and_others_go_on() {
    let endless = Guest::new(|_| async {
        let frame = || Ok::<_, BodyError>(Frame::data(Bytes::from_static(&[b'x'; 4096])));
        Reply::Http(Response::new(Body::stream(StreamBody::new(futures::stream::repeat_with(frame)))))
    });
    let mut config = config();
    config.guards.write_timeout = Duration::from_millis(100);
    let server = Fixture::new(config, vec![("/endless", endless), ("/mirror", mirror())]);
    run(async {
        let (mut client, _connection) = connect(&server).await;
        let (stalled, _) = client.send_request(Request::get("http://a/endless").body(()).unwrap(), true).unwrap();
        // Its data is not released, so the window closes.
        let mut stalled = stalled.await.unwrap().into_body();
        while let Some(Ok(_)) = stalled.data().await {}
        server.receipts.wait(cancelled);
    });
}

#[test]
fn idle_connections_end_and_busy_ones_do_not() {
    let mut config = config();
    config.guards.idle_timeout = Duration::from_millis(100);
    let slow = Guest::new(|_| async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        crate::guest::whole("late")
    });
    let server = Fixture::new(config, vec![("/", slow)]);
    run(async {
        let (mut client, connection) = connect(&server).await;
        let (answer, _) = client.send_request(Request::get("http://a/").body(()).unwrap(), true).unwrap();
        assert_eq!(text(answer.await.unwrap().into_body()).await.0, "late");
        connection.await.unwrap().unwrap();
    });
}

#[test]
fn large_bodies_and_mismatched_hosts_are_refused() {
    let mut config = config();
    config.guards.body_bytes_max = 10;
    let server = Fixture::new(config, vec![("/", mirror())]);
    run(async {
        let (mut client, _connection) = connect(&server).await;
        let (answer, mut body) = client.send_request(Request::post("http://a/").body(()).unwrap(), false).unwrap();
        body.send_data(Bytes::from_static(&[b'x'; 100]), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 413);
        let request = Request::get("http://a/").header("host", "b").body(()).unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 400);
    });
}
