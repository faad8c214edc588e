//! Ending and replacing while clients are there.

use crate::guest::{Fixture, Guest, cancelled, config, done, mirror, route, split, whole};
use sandbar_triggers::http::{Drained, Home, Routes};
use std::{
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

const LONG: Duration = Duration::from_secs(60);

/// A guest that says when it began and answers when it is told to.
fn gated() -> (Guest, futures::channel::mpsc::UnboundedReceiver<()>, futures::channel::oneshot::Sender<()>) {
    let (begun, begins) = futures::channel::mpsc::unbounded();
    let (open, opened) = futures::channel::oneshot::channel::<()>();
    let opened = Mutex::new(Some(opened));
    let guest = Guest::new(move |_| {
        let opened = opened.lock().unwrap().take();
        begun.unbounded_send(()).unwrap();
        async move {
            if let Some(opened) = opened {
                opened.await.unwrap();
            }
            whole("finished")
        }
    });
    (guest, begins, open)
}

fn wait_for(mut begins: futures::channel::mpsc::UnboundedReceiver<()>) {
    while begins.try_recv().is_err() {
        thread::yield_now();
    }
}

#[test]
fn what_was_asked_is_answered_and_nothing_new_is_taken() {
    let (guest, begins, open) = gated();
    let server = Fixture::new(config(), vec![("/", guest), ("/mirror", mirror())]);
    let mut idle = server.connect();
    idle.send("GET /mirror HTTP/1.1\r\nhost: a\r\n\r\n");
    idle.until("Empty ");
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    wait_for(begins);
    let handle = server.handle.clone();
    let draining = thread::spawn(move || handle.drain(LONG));
    // The idle one ends at once, and nobody new gets in.
    assert_eq!(idle.rest(), "");
    assert!(!server.handle.is_ready());
    while TcpStream::connect(server.address()).is_ok() {
        thread::yield_now();
    }
    open.send(()).unwrap();
    let answer = client.rest();
    assert!(answer.contains("connection: close") && answer.ends_with("finished"), "{answer}");
    assert_eq!(draining.join().unwrap(), Drained { cut: 0 });
}

#[test]
fn what_is_left_at_the_deadline_is_cut_and_its_call_cancelled() {
    let (guest, begins, _open) = gated();
    let server = Fixture::new(config(), vec![("/", guest)]);
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    wait_for(begins);
    let handle = server.handle.clone();
    let draining = thread::spawn(move || handle.drain(LONG));
    while server.handle.is_ready() {
        thread::yield_now();
    }
    // A second drain with less time ends the first one too.
    assert_eq!(server.handle.drain(Duration::from_millis(50)), Drained { cut: 1 });
    draining.join().unwrap();
    assert_eq!(client.rest(), "");
    server.receipts.wait(cancelled);
}

#[test]
fn draining_under_load_loses_no_request_that_was_sent() {
    let server = Fixture::new(config(), vec![("/", mirror())]);
    let (stop, answered, address) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), server.address());
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (stop, answered) = (stop.clone(), answered.clone());
            thread::spawn(move || {
                let mut lost = 0;
                while !stop.load(SeqCst) {
                    let Ok(stream) = TcpStream::connect(address) else { break };
                    match exchange(stream) {
                        Some(answer) if split(&answer).0 == 200 => drop(answered.fetch_add(1, SeqCst)),
                        // The connection was made after the socket had closed.
                        None => {}
                        Some(_) => lost += 1,
                    }
                }
                lost
            })
        })
        .collect();
    while answered.load(SeqCst) < 100 {
        thread::yield_now();
    }
    assert_eq!(server.handle.drain(LONG), Drained { cut: 0 });
    stop.store(true, SeqCst);
    assert_eq!(clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>(), 0);
    assert_eq!(server.receipts.count(done), server.receipts.count(|_| true));
    assert!(server.receipts.count(done) >= answered.load(SeqCst));
}

/// One request on a connection of its own; `None` where the connection gave nothing at all.
fn exchange(mut stream: TcpStream) -> Option<String> {
    use std::io::{Read as _, Write as _};
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    (!answer.is_empty()).then_some(answer)
}

#[test]
fn routes_are_replaced_without_losing_a_request() {
    let say = |text: &'static str| Guest::new(move |_| async move { whole(text) });
    let (gated, begins, open) = gated();
    let server = Fixture::new(config(), vec![("/", say("0")), ("/gated", gated)]);
    let mut old = server.connect();
    old.send("GET /gated HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    wait_for(begins);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, mut client) = (stop.clone(), server.connect());
            thread::spawn(move || {
                let mut answers = 0;
                while !stop.load(SeqCst) {
                    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
                    let head = client.until("\r\n\r\n");
                    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
                    let mut body = [0];
                    std::io::Read::read_exact(&mut client.stream, &mut body).unwrap();
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    for round in 0..200 {
        let text = if round % 2 == 0 { "1" } else { "2" };
        let routes = vec![route("/", say(text), server.receipts.clone())];
        server.handle.swap(&Arc::new(Routes::build("next", Home::Hidden, routes).unwrap()));
        thread::yield_now();
    }
    stop.store(true, SeqCst);
    let answers: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    server.receipts.wait_count(answers, done);
    assert_eq!(server.ask("GET / HTTP/1.1\r\n\r\n"), (200, "2".into()));
    assert_eq!(server.ask("GET /gated HTTP/1.1\r\n\r\n").0, 404);
    // What began on the old routes ends on them.
    open.send(()).unwrap();
    assert!(old.rest().ends_with("finished"));
}
