//! Calls that take long leave their thread, and are the same calls as before.

use crate::world::{MS, World, block_on, command, get, shown, typed};
use futures::future::join_all;
use http_body_util::BodyExt;
use sandbar_call::{GrantKind, Outcome, Reply, Resource};
use sandbar_engine::Allocation;
use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    thread,
    time::Duration,
};

/// Adds up to its argument, a few milliseconds for some millions.
const SUMS: &str = r#"(module (memory 1) (func (export "sum") (param i32) (result i64) (local $sum i64)
    (loop $each
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get 0))))
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if $each (local.get 0)))
    (local.get $sum)))"#;

const SPIN: &str = r#"(module (memory 1) (func (export "f") (loop (br 0))))"#;

/// Answers as CGI asks: a head and three bytes, then after a while three more.
const ANSWERS_LATE: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\09\00\00\00\20\00\00\00\03\00\00\00")
    (data (i32.const 16) "X: y\n\nabc") (data (i32.const 32) "def")
    (func $work (local $left i32) (local.set $left (i32.const 9000000))
        (loop $again (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
    (func (export "_start")
        (call $work)
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 48)))
        (call $work)
        (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 48)))))"#;

fn pooled() -> World {
    World { allocation: Allocation::Pooled { slots: 8 }, ..World::default() }
}

#[test]
fn a_long_call_gives_what_it_would_and_pays_for_it() {
    let bound = pooled().bind(SUMS);
    // Later calls of a guest that takes long start in the lane.
    for _ in 0..12 {
        let (reply, receipt) = bound.call(typed(&["9000000"]));
        assert!(matches!(reply, Reply::Value(value) if value == "40500004500000"), "{receipt:?}");
        assert_eq!(shown(&receipt), "done fuel=108000002 memory_bytes=65536 instances=1 output_bytes=14");
        assert!(receipt.used.get(Resource::Cpu) > Some(MS), "{receipt:?}");
    }
    let (reply, _) = bound.call(typed(&["4"]));
    assert!(matches!(reply, Reply::Value(value) if value == "10"));
}

#[test]
fn deadlines_hold_there() {
    let bound = pooled().with(Resource::Wall, 40 * MS).bind(SPIN);
    block_on(async {
        let calls = join_all((0..8).map(|_| bound.run(typed(&[])))).await;
        assert!(calls.iter().all(|reply| matches!(reply, Reply::Ended(Outcome::Stopped { limit: Resource::Wall }))));
    });
    assert_eq!(bound.receipts().len(), 8);
}

#[test]
fn what_is_cancelled_there_ends_and_gives_its_place_free() {
    let bound = pooled().bind(SPIN);
    for _ in 0..3 {
        block_on(async {
            let calls = join_all((0..2).map(|_| bound.run(typed(&[]))));
            assert!(tokio::time::timeout(Duration::from_millis(200), calls).await.is_err());
            // They end at their next tick.
            while bound.entry.program().load().0 > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        for receipt in bound.receipts() {
            assert_eq!(receipt.outcome, Outcome::Cancelled);
            assert!(receipt.used.get(Resource::Fuel) > Some(1000), "{receipt:?}");
        }
    }
}

#[test]
fn an_answer_from_there_streams() {
    let bound = pooled().bind(ANSWERS_LATE);
    let answer = async || {
        let Reply::Http(response) = bound.run(get("/")).await else { panic!("expected an answer") };
        assert_eq!(response.headers()["x"], "y");
        response.into_body().collect().await.unwrap().to_bytes()
    };
    block_on(async {
        for _ in 0..4 {
            assert_eq!(answer().await, "abcdef");
        }
    });
    assert!(bound.receipts().iter().all(|receipt| receipt.outcome == Outcome::Done));
    assert!(matches!(bound.call(command("")).0, Reply::Exit { code: 0, .. }));
}

/// A guest there fills the pipe of its answer while the client's thread empties it. The wake-up between the two was lost now
/// and then, and whoever waited for the answer was forgotten where the call started there: it lasted until its deadline.
#[test]
fn an_answer_from_there_that_is_larger_than_its_pipe_comes_whole() {
    const BYTES: usize = 4 << 20;
    let says = format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 2)
        (data (i32.const 0) "\10\00\00\00\06\00\00\00\00\01\00\00\00\00\01\00")
        (data (i32.const 16) "X: y\n\n")
        (func (export "_start") (local $left i32)
            (local.set $left (i32.const 9000000))
            (loop $again (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 48)))
            ;; A write may take less than it was given.
            (local.set $left (i32.const {BYTES}))
            (loop $more
                (i32.store (i32.const 12)
                    (select (local.get $left) (i32.const 65536) (i32.lt_u (local.get $left) (i32.const 65536))))
                (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 48)))
                (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.load (i32.const 48))))))))"#
    );
    let bound = pooled().with(Resource::Wall, 5_000 * MS).bind(says);
    for _ in 0..60 {
        block_on(async {
            let Reply::Http(answer) = bound.run(get("/")).await else { panic!("expected an answer") };
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), BYTES);
        });
        assert_eq!(bound.receipt().outcome, Outcome::Done);
    }
}

/// An engine ends its lane, and whoever waits for a call there was told that the host had failed.
#[test]
fn what_runs_there_when_the_engine_ends_was_cancelled() {
    let bound = pooled().bind(SPIN);
    let calls = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(60));
            bound.engine.end(Duration::ZERO);
        });
        block_on(join_all((0..2).map(|_| bound.run(typed(&[])))))
    });
    assert!(calls.iter().all(|reply| matches!(reply, Reply::Ended(Outcome::Cancelled))), "{calls:?}");
    assert!(bound.receipts().iter().all(|receipt| receipt.outcome == Outcome::Cancelled));
}

/// A guest that is stopped in the middle of its answer drops it. Seen before its end, that was taken for the guest's own doing.
#[test]
fn what_is_stopped_there_was_stopped_whatever_becomes_of_its_answer() {
    const ANSWER_BYTES: usize = 1 << 20;
    const CALLS: usize = 30;
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/target/sandbar/echo-http.wasm");
    let guest = fs::read(guest).unwrap_or_else(|error| panic!("{error}; `cargo xtask guests` builds it"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {ANSWER_BYTES}\r\n\r\n");
            // The guest goes away in the middle.
            let _ = stream.write_all(&[head.as_bytes(), &[b'x'; ANSWER_BYTES]].concat());
        }
    });
    let grants = vec![(GrantKind::Http, &*server.clone().leak())].leak();
    let world = World { grants, ..pooled() }.with(Resource::Wall, 2_000 * MS).with(Resource::BytesIn, 100_000);
    let bound = world.with(Resource::Cpu, 50 * MS).bind(guest);
    // One that takes long, so that those after it start in the lane.
    block_on(bound.run(get("/spin")));
    assert_eq!(bound.receipt().outcome, Outcome::Stopped { limit: Resource::Cpu });
    for _ in 0..CALLS {
        block_on(async {
            if let Reply::Http(answer) = bound.run(get(&format!("/fetch?url={server}/"))).await {
                assert!(answer.into_body().collect().await.is_err());
            }
        });
        assert_eq!(bound.receipt().outcome, Outcome::Stopped { limit: Resource::BytesIn });
    }
}
