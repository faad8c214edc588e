//! Which sandbox serves a call, how many there are, and what is left of a call in one.

use crate::world::{MS, World, block_on, shown, stdin, typed};
use futures::{channel::oneshot, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use sandbar_call::{
    Arguments, Body, BodyError, Event, GrantKind, Outcome, Receipt, Refusal, Reply, Resource, SandboxUse,
};
use sandbar_engine::{Allocation, Policy, PoolLimits};
use std::{
    collections::HashSet,
    fs,
    time::{Duration, Instant},
};

/// Copies what it reads, once.
const COPIES: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\20\00\00\00\40\00\00\00")
    (func (export "handle") (result i32)
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
        (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))"#;

/// Counts its calls in a global, and breaks at the call that its argument names.
const COUNTS: &str = r#"(module (memory 1) (global $calls (mut i32) (i32.const 0))
    (func $start (drop (memory.grow (i32.const 1)))) (start $start)
    (func (export "count") (param i32) (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (i32.eq (global.get $calls) (local.get 0)) (then unreachable))
        (global.get $calls)))"#;

/// An event whose input comes when the test says.
fn later() -> (oneshot::Sender<()>, Event) {
    let (go, gone) = oneshot::channel();
    let frame = async { Ok::<_, BodyError>(Frame::data(gone.await.map_or("", |()| "now").into())) };
    let body = Body::stream(StreamBody::new(Box::pin(stream::once(frame))));
    (go, Event::Export { arguments: Arguments::Stdin(body), context: None })
}

fn is_busy(reply: &Reply) -> bool {
    matches!(reply, Reply::Ended(Outcome::Refused { why: Refusal::Busy { retry_after_s: 1 } }))
}

#[test]
fn a_call_over_the_bound_waits_and_is_refused_when_its_wait_is_over() {
    let pool = PoolLimits { sandboxes_max: 2, waiting_max: 1, wait: Duration::from_millis(150) };
    let bound = World { pool, ..World::default() }.bind(COPIES);
    block_on(async {
        let ((first_go, first), (second_go, second)) = (later(), later());
        let (mut first, mut second) = (bound.run(first), bound.run(second));
        assert!(futures::poll!(&mut first).is_pending() && futures::poll!(&mut second).is_pending());
        assert_eq!(bound.entry.program().load(), (2, 0));

        let started = Instant::now();
        let mut third = bound.run(stdin("x"));
        assert!(futures::poll!(&mut third).is_pending());
        assert_eq!(bound.entry.program().load(), (2, 1));
        assert!(is_busy(&bound.run(stdin("x")).await), "more than may wait are refused at once");
        assert!(started.elapsed() < Duration::from_millis(100));
        assert!(is_busy(&third.await), "and one that waited in vain too");
        assert!(started.elapsed() >= Duration::from_millis(150));
        assert_eq!(bound.entry.program().load(), (2, 0));

        let mut fourth = bound.run(stdin("x"));
        assert!(futures::poll!(&mut fourth).is_pending());
        first_go.send(()).unwrap();
        assert!(matches!(first.await, Reply::Output(_)));
        assert!(matches!(fourth.await, Reply::Output(_)), "one that waits is served when a sandbox is free");
        drop(second_go);
        assert!(matches!(second.await, Reply::Output(_)));
    });
    let receipts = bound.receipts();
    assert_eq!(receipts.len(), 5);
    let busy: Vec<_> = receipts.iter().filter(|receipt| receipt.sandbox.is_none()).collect();
    assert_eq!(busy.len(), 2);
    assert!(busy.iter().all(|receipt| shown(receipt) == "refused"), "{busy:?}");
    assert_eq!(bound.entry.program().load(), (0, 0));
}

#[test]
fn a_call_that_is_dropped_while_it_waits_leaves_its_place() {
    let pool = PoolLimits { sandboxes_max: 1, waiting_max: 1, wait: Duration::from_secs(60) };
    let bound = World { pool, ..World::default() }.bind(COPIES);
    block_on(async {
        let (_go, first) = later();
        let mut first = bound.run(first);
        assert!(futures::poll!(&mut first).is_pending());
        let mut waits = bound.run(stdin("x"));
        assert!(futures::poll!(&mut waits).is_pending());
        drop(waits);
        assert_eq!((bound.entry.program().load(), bound.receipt().outcome), ((1, 0), Outcome::Cancelled));
        drop(first);
        assert_eq!((bound.entry.program().load(), bound.receipt().outcome), ((0, 0), Outcome::Cancelled));
        assert!(matches!(bound.run(stdin("x")).await, Reply::Output(_)), "a dropped call gives its sandbox free");
    });
}

#[test]
fn slots_come_back_after_every_ending() {
    let pool = PoolLimits { sandboxes_max: 1, waiting_max: 0, wait: Duration::from_millis(1) };
    for allocation in [Allocation::OnDemand, Allocation::Pooled { slots: 1 }] {
        let world = World { allocation, pool, ..World::default() }.with(Resource::Wall, 200 * MS);
        let bound = world.bind(
            r#"(module (memory 1) (func (export "f") (param i32)
                (if (i32.eqz (local.get 0)) (then unreachable)) (if (i32.eq (local.get 0) (i32.const 1)) (then (loop (br 0))))))"#,
        );
        for _ in 0..3 {
            for (argument, expected) in [("0", "trapped"), ("1", "stopped"), ("2", "done"), ("x", "refused")] {
                assert_eq!(bound.call(typed(&[argument])).1.outcome.kind().key(), expected);
            }
        }
    }
}

#[test]
fn a_fresh_sandbox_serves_one_call() {
    let bound = World::default().bind(COUNTS);
    let receipts: Vec<Receipt> = (0..5)
        .map(|_| {
            let (reply, receipt) = bound.call(typed(&["0"]));
            assert!(matches!(reply, Reply::Value(count) if count == "1"), "nothing is left of the call before");
            receipt
        })
        .collect();
    assert!(receipts.iter().all(|receipt| receipt.sandbox.unwrap().call == 1));
    let ids: HashSet<_> = receipts.iter().map(|receipt| receipt.sandbox.unwrap().id).collect();
    assert_eq!(ids.len(), 5);
}

/// Calls one after the other on one runtime, and gives the answers and who served them.
fn calls(world: World, arguments: &[&str]) -> (Vec<Option<String>>, Vec<SandboxUse>, Vec<Receipt>) {
    let bound = world.export("count").bind(COUNTS);
    let answers = block_on(async {
        let mut answers = Vec::new();
        for argument in arguments {
            answers.push(match bound.run(typed(&[argument])).await {
                Reply::Value(value) => Some(value),
                _ => None,
            });
        }
        answers
    });
    let receipts = bound.receipts();
    (answers, receipts.iter().map(|receipt| receipt.sandbox.unwrap()).collect(), receipts)
}

fn values(texts: &[Option<&str>]) -> Vec<Option<String>> {
    texts.iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn a_reused_sandbox_serves_as_many_calls_as_it_may() {
    let reused = Policy::Reused { calls: 3, idle: Duration::from_secs(60) };
    for allocation in [Allocation::OnDemand, Allocation::Pooled { slots: 4 }] {
        let world = World { allocation, ..World::default() }.policy(reused);
        let (answers, used, receipts) = calls(world, &["0"; 5]);
        assert_eq!(answers, values(&[Some("1"), Some("2"), Some("3"), Some("1"), Some("2")]));
        assert_eq!(used.iter().map(|sandbox| sandbox.call).collect::<Vec<_>>(), [1, 2, 3, 1, 2]);
        assert!(used[0].id == used[2].id && used[2].id != used[3].id && used[3].id == used[4].id);
        // The start code runs once: 5 for it, and 10 for each call. The memory that is there counts in each.
        let shown: Vec<_> = receipts.iter().map(shown).collect();
        assert_eq!(shown[0], "done fuel=271 memory_bytes=131072 instances=1 output_bytes=1");
        assert_eq!(shown[1], "done fuel=12 memory_bytes=131072 instances=1 output_bytes=1");
        assert_eq!((&shown[1], &shown[0]), (&shown[2], &shown[3]));
    }
}

#[test]
fn a_trap_ends_the_sandbox_and_no_other_call() {
    for policy in [Policy::Held, Policy::Reused { calls: 100, idle: Duration::from_secs(60) }] {
        let (answers, used, receipts) = calls(World::default().policy(policy), &["0", "0", "3", "0"]);
        assert_eq!(answers, values(&[Some("1"), Some("2"), None, Some("1")]));
        assert_eq!(receipts[2].outcome.kind().key(), "trapped");
        assert_eq!(used.iter().map(|sandbox| sandbox.call).collect::<Vec<_>>(), [1, 2, 3, 1]);
        assert!(used[2].id != used[3].id);
    }
}

#[test]
fn a_held_sandbox_stays() {
    let (answers, used, _) = calls(World::default().policy(Policy::Held), &["0"; 20]);
    assert_eq!(answers[19].as_deref(), Some("20"));
    assert!(used.iter().all(|sandbox| sandbox.id == used[0].id));
}

#[test]
fn a_reused_sandbox_goes_when_it_was_idle_for_long() {
    let reused = Policy::Reused { calls: 100, idle: Duration::from_millis(50) };
    let bound = World::default().policy(reused).export("count").bind(COUNTS);
    block_on(async {
        let mut answers = Vec::new();
        for pause_ms in [0, 0, 150] {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            let Reply::Value(value) = bound.run(typed(&["0"])).await else { panic!("expected a value") };
            answers.push(value);
        }
        assert_eq!(answers, ["1", "2", "1"]);
    });
}

#[test]
fn calls_at_one_time_have_a_sandbox_each() {
    let bound = World::default().policy(Policy::Held).bind(COPIES);
    block_on(async {
        let ((a_go, a), (b_go, b)) = (later(), later());
        let (mut a, mut b) = (bound.run(a), bound.run(b));
        assert!(futures::poll!(&mut a).is_pending() && futures::poll!(&mut b).is_pending());
        a_go.send(()).unwrap();
        b_go.send(()).unwrap();
        for reply in [a.await, b.await] {
            assert!(matches!(reply, Reply::Output(Body::Whole(bytes)) if bytes == "now"));
        }
    });
    let receipts = bound.receipts();
    assert!(receipts[0].sandbox.unwrap().id != receipts[1].sandbox.unwrap().id);
}

#[test]
fn whoever_holds_a_sandbox_calls_it_metered() {
    let world = World::default().with(Resource::Fuel, 1_000).export("count");
    let bound = world.bind(COUNTS);
    let program = bound.entry.program();
    let mut held = block_on(program.hold()).unwrap();
    held.time_calls();
    let count = held.typed::<i32, i32>("count").unwrap();
    for expected in 1..=3 {
        assert_eq!(held.call(&count, 0).unwrap(), expected);
        assert_eq!(held.meter().used(Resource::Fuel), 12);
        assert_eq!(held.meter().used(Resource::Memory), 2 * 65536);
        assert!(held.meter().used(Resource::Wall) > 0);
    }
    assert_eq!(held.call(&count, 4).unwrap_err().kind().key(), "trapped");
    assert!(held.typed::<i64, i64>("count").is_err());

    let spin = World::default().with(Resource::Wall, 30 * MS).bind(r#"(module (func (export "f") (loop (br 0))))"#);
    let mut held = block_on(spin.entry.program().hold()).unwrap();
    let f = held.typed::<(), ()>("f").unwrap();
    assert_eq!(held.call(&f, ()).unwrap_err(), Outcome::Stopped { limit: Resource::Wall });
}

/// A folder that was granted may be gone. That was told as a trap of the guest, of which nothing had run, and logged nowhere.
#[test]
fn a_sandbox_that_can_t_be_made_is_no_trap_of_its_guest() {
    let folder = std::env::temp_dir().join(format!("sandbar-held-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let grants = vec![(GrantKind::Dir, &*format!("{}::/data", folder.display()).leak())].leak();
    let bound = World { grants, ..World::default() }.export("count").bind(COUNTS);
    assert!(block_on(bound.entry.program().hold()).is_ok());
    assert!(bound.log().is_empty());
    fs::remove_dir(&folder).unwrap();
    let refused = block_on(bound.entry.program().hold()).err();
    assert!(matches!(refused, Some(Outcome::Fault { .. })), "{refused:?}");
    let log = bound.log();
    assert!(log.len() == 1 && log[0].starts_with("fault: no sandbox can be held: "), "{log:?}");
}

#[test]
fn slots_are_shared_by_all_guests_of_an_engine() {
    let pool = PoolLimits { sandboxes_max: 10, waiting_max: 10, wait: Duration::from_millis(50) };
    let bound = World { allocation: Allocation::Pooled { slots: 1 }, pool, ..World::default() }.bind(COPIES);
    block_on(async {
        let (_go, first) = later();
        let mut first = bound.run(first);
        assert!(futures::poll!(&mut first).is_pending());
        assert!(is_busy(&bound.run(stdin("x")).await));
    });
}

/// What was held was no sandbox of the engine's by its count: calls that came while there was room were refused at once, by the
/// memory that was not there, and did not wait.
#[test]
fn a_sandbox_that_is_held_has_a_slot() {
    let pool = PoolLimits { sandboxes_max: 10, waiting_max: 10, wait: Duration::from_millis(50) };
    let bound = World { allocation: Allocation::Pooled { slots: 1 }, pool, ..World::default() }.bind(COPIES);
    block_on(async {
        let held = bound.entry.program().hold().await.unwrap();
        assert_eq!(bound.entry.program().load(), (1, 0));
        let second = bound.entry.program().hold().await.err();
        assert_eq!(second, Some(Outcome::Refused { why: Refusal::Busy { retry_after_s: 1 } }));
        let mut call = bound.run(stdin("x"));
        assert!(futures::poll!(&mut call).is_pending());
        drop(held);
        assert!(matches!(call.await, Reply::Output(_)));
    });
}

/// Such a guest is refused when it is instantiated, and its receipt named a sandbox, which there was not, and said that its fuel was counted.
#[test]
fn a_guest_that_takes_more_than_its_slot_has_no_sandbox() {
    let bound = World { allocation: Allocation::Pooled { slots: 1 }, ..World::default() }
        .with(Resource::Fuel, 1_000)
        .bind(r#"(module (memory 1) (memory 1) (memory 1) (func (export "f")))"#);
    let (reply, receipt) = bound.call(typed(&[]));
    assert!(is_busy(&reply), "{receipt:?}");
    assert_eq!((receipt.sandbox, receipt.used.get(Resource::Fuel)), (None, None));
}
