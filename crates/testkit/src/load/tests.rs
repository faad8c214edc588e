//! The load generator against servers of a few lines.

use super::*;
use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// Serves each connection on a thread of its own: `answer` gets the number of the request and gives bytes, and the
/// connection closes after an answer that says so.
fn serve(answer: fn(u64) -> &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the test program.
    thread::spawn(move || {
        let asked = Arc::<AtomicU64>::default();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let asked = Arc::clone(&asked);
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer) {
                    let answer = answer(asked.fetch_add(1, Ordering::Relaxed));
                    if stream.write_all(answer.as_bytes()).is_err() || answer.contains("close") {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn plan(address: SocketAddr) -> Plan {
    Plan {
        address,
        request: request("test", "/", None),
        connections: 4,
        duration: Duration::from_millis(200),
        expected: None,
    }
}

#[test]
fn answers_are_counted() {
    let address = serve(|_| "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let summary = run(&Plan { expected: Some(b"ok".to_vec()), ..plan(address) }).unwrap();
    assert!(summary.requests > 50, "{summary:?}");
    assert_eq!((summary.errors, summary.reconnects), (0, 0));
    assert!(summary.p50_ns > 0 && summary.p50_ns <= summary.p99_ns && summary.p99_ns <= summary.max_ns);
}

#[test]
fn other_statuses_are_errors() {
    let address = serve(|asked| match asked % 3 {
        0 | 1 => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        _ => "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n",
    });
    let summary = run(&plan(address)).unwrap();
    assert!(summary.requests > 0 && summary.errors > 0, "{summary:?}");
    assert_eq!(summary.first_error.as_deref(), Some("status 503"));
}

#[test]
fn a_closing_server_is_asked_again() {
    let address = serve(|_| "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    let summary = run(&plan(address)).unwrap();
    assert!(summary.requests > 10 && summary.reconnects > 10, "{summary:?}");
    assert_eq!(summary.errors, 0, "{summary:?}");
}

#[test]
fn a_wrong_first_answer_is_refused() {
    let address = serve(|_| "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno");
    let error = run(&Plan { expected: Some(b"ok".to_vec()), ..plan(address) }).unwrap_err();
    assert_eq!(error.to_string(), "expected the answer `ok`, found `no`");
    let address = serve(|_| "HTTP/1.1 404 None\r\ncontent-length: 2\r\n\r\nno");
    assert_eq!(run(&plan(address)).unwrap_err().to_string(), "expected status 200, found 404: no");
}
