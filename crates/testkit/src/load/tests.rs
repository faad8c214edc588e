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

fn target(address: SocketAddr) -> Target {
    Target { address, request: request("test", "/", None), connections: 4, rate: None, expected: None }
}

/// Asks one target for a while.
fn ask(target: Target) -> Result<Summary> {
    let mut summaries = run(&Plan { targets: vec![target], duration: Duration::from_millis(200) })?;
    Ok(summaries.remove(0))
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn answers_are_counted() {
    let address = serve(|_| OK);
    let summary = ask(Target { expected: Some(b"ok".to_vec()), ..target(address) }).unwrap();
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
    let summary = ask(target(address)).unwrap();
    assert!(summary.requests > 0 && summary.errors > 0, "{summary:?}");
    assert_eq!(summary.first_error.as_deref(), Some("status 503"));
}

#[test]
fn a_closing_server_is_asked_again() {
    let address = serve(|_| "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    let summary = ask(target(address)).unwrap();
    assert!(summary.requests > 10 && summary.reconnects > 10, "{summary:?}");
    assert_eq!(summary.errors, 0, "{summary:?}");
}

#[test]
fn a_wrong_first_answer_is_refused() {
    let address = serve(|_| "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno");
    let error = ask(Target { expected: Some(b"ok".to_vec()), ..target(address) }).unwrap_err();
    assert_eq!(error.to_string(), "expected the answer `ok`, found `no`");
    let address = serve(|_| "HTTP/1.1 404 None\r\ncontent-length: 2\r\n\r\nno");
    assert_eq!(ask(target(address)).unwrap_err().to_string(), "expected status 200, found 404: no");
}

#[test]
fn a_rate_is_kept_and_not_exceeded() {
    let summary = ask(Target { rate: Some(500.0), ..target(serve(|_| OK)) }).unwrap();
    assert_eq!((summary.requests, summary.errors), (100, 0), "{summary:?}");
}

#[test]
fn connections_take_turns() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let counts = Arc::new([const { AtomicU64::new(0) }; 5]);
    let counted = Arc::clone(&counts);
    // Ends with the test program.
    thread::spawn(move || {
        for (number, mut stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let counted = Arc::clone(&counted);
            thread::spawn(move || {
                while let Ok(1..) = stream.read(&mut [0; 4096]) {
                    counted[number].fetch_add(1, Ordering::Relaxed);
                    stream.write_all(OK.as_bytes()).unwrap();
                }
            });
        }
    });
    ask(Target { rate: Some(200.0), ..target(address) }).unwrap();
    let counts: Vec<u64> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    assert_eq!(counts[0], 1, "the first answer is checked over a connection of its own");
    assert!(counts[1..].iter().all(|count| *count >= 5), "{counts:?}");
}

#[test]
fn a_server_that_stalls_is_charged_for_what_came_meanwhile() {
    // The first question is the check before the run. One in the run stalls, and with one connection all the others wait.
    let address = serve(|asked| {
        if asked == 1 {
            thread::sleep(Duration::from_millis(120));
        }
        OK
    });
    let summary = ask(Target { rate: Some(1000.0), connections: 1, ..target(address) }).unwrap();
    assert_eq!(summary.requests, 200, "{summary:?}");
    assert!(summary.max_ns >= 120_000_000, "{summary:?}");
    assert!(summary.p50_ns >= 10_000_000, "more than half were due while it stalled: {summary:?}");
}

#[test]
fn what_is_never_answered_is_missed() {
    let address = serve(|asked| {
        if asked == 5 {
            thread::sleep(Duration::from_secs(60));
        }
        OK
    });
    let summary = ask(Target { rate: Some(100.0), connections: 1, ..target(address) }).unwrap();
    assert_eq!((summary.requests, summary.errors), (4, 16), "{summary:?}");
    assert_eq!(summary.first_error.as_deref(), Some("no answer in time"));
    assert!(summary.p99_ns >= 2_000_000_000, "{summary:?}");
}

#[test]
fn a_connection_that_is_closed_while_idle_is_replaced() {
    let address = serve(|asked| if asked == 0 { OK } else { "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nclose" });
    let summary = ask(Target { rate: Some(50.0), connections: 1, ..target(address) }).unwrap();
    // Where the machine is busy, the end may come only when the next request is on its way, which is an error.
    assert_eq!(summary.requests + summary.errors, 10, "{summary:?}");
    assert!(summary.requests > 0 && summary.reconnects > 0, "{summary:?}");
}

#[test]
fn several_targets_are_asked_at_one_time() {
    let (fast, paced) = (serve(|_| OK), serve(|_| OK));
    let targets = vec![target(fast), Target { rate: Some(100.0), connections: 2, ..target(paced) }];
    let summaries = run(&Plan { targets, duration: Duration::from_millis(200) }).unwrap();
    assert!(summaries[0].requests > 20 && summaries[1].requests == 20, "{summaries:?}");
}
