//! Where a limit stops a call, and what the receipt says it used by then: never more than the limit.

use crate::world::{MS, World, block_on, command, get, shown, stdin, typed};
use http_body_util::BodyExt;
use sandbar_call::{Event, Outcome, Receipt, Reply, Resource};
use sandbar_engine::{Allocation, Fuel, LoadError};

const LOOP: &str = r#"(module (func (export "f") (param i32)
    (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;
const SPIN: &str = r#"(module (func (export "f") (loop (br 0))))"#;
const SPIN_IN_START: &str = r#"(module (func $s (loop (br 0))) (start $s) (func (export "f")))"#;
const RECURSE: &str = r#"(module (func $f (export "f") (param i32) (result i32)
    (if (result i32) (local.get 0)
        (then (i32.add (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1)))))
        (else (i32.const 1)))))"#;

/// Grows memory page by page until it is refused, then does what its argument says: 0 returns how often it grew, else it
/// breaks.
const GROWS: &str = r#"(module (memory 1)
    (func (export "f") (param i32) (result i32) (local $pages i32)
        (block $full (loop $more
            (br_if $full (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))
            (local.set $pages (i32.add (local.get $pages) (i32.const 1)))
            (br $more)))
        (if (local.get 0) (then unreachable))
        (local.get $pages)))"#;
const GROWS_A_TABLE: &str = r#"(module (table $t 10 funcref)
    (func (export "f") (param i32) (result i32) (local $grown i32)
        (block $full (loop $more
            (br_if $full (i32.eq (table.grow $t (ref.null func) (i32.const 10)) (i32.const -1)))
            (local.set $grown (i32.add (local.get $grown) (i32.const 1)))
            (br $more)))
        (if (local.get 0) (then unreachable))
        (local.get $grown)))"#;

/// Writes 1000 bytes for ever to the descriptor of its data.
fn floods(descriptor: u32) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\10\00\00\00\e8\03\00\00")
        (func (export "_start")
            (loop (drop (call $write (i32.const {descriptor}) (i32.const 0) (i32.const 1) (i32.const 8))) (br 0))))"#
    )
}

fn stopped(resource: Resource) -> Outcome {
    Outcome::Stopped { limit: resource }
}

#[test]
fn a_limit_of_fuel_stops_a_loop_where_it_says() {
    // The loop takes 1 to enter and 6 a round. Fuel is looked at on entry and at the head of each round.
    let event = || typed(&["10"]);
    for (limit, expected) in [
        (1_000, "done fuel=61 instances=1"),
        (61, "done fuel=61 instances=1"),
        (56, "done fuel=56 instances=1"),
        (55, "stopped fuel=55 instances=1"),
        (20, "stopped fuel=20 instances=1"),
        (1, "stopped fuel=1 instances=1"),
    ] {
        let bound = World::default().with(Resource::Fuel, limit).bind(LOOP);
        for _ in 0..2 {
            let (_, receipt) = bound.call(event());
            assert_eq!(shown(&receipt), expected, "limit {limit}");
            if expected.starts_with("stopped") {
                assert_eq!(receipt.outcome, stopped(Resource::Fuel));
            }
        }
    }
}

#[test]
fn much_fuel_is_as_exact_as_little() {
    let bound = World::default().with(Resource::Fuel, 36_000_001).bind(LOOP);
    let (_, receipt) = bound.call(typed(&["6000000"]));
    assert_eq!(shown(&receipt), "done fuel=36000001 instances=1");
    let (_, receipt) = bound.call(typed(&["6000001"]));
    assert_eq!(shown(&receipt), "stopped fuel=36000001 instances=1");
}

#[test]
fn deadlines_hold_against_a_guest_that_never_yields() {
    for (guest, arguments) in [(SPIN, vec![]), (SPIN_IN_START, vec![]), (RECURSE, vec!["60"])] {
        for fuel in [Fuel::WhereLimited, Fuel::Always] {
            for (resource, field) in [(Resource::Wall, "wall"), (Resource::Cpu, "cpu")] {
                let world = World { fuel, ..World::default() }.with(resource, 30 * MS);
                let (reply, receipt) = world.bind(guest).call(typed(&arguments));
                assert!(matches!(reply, Reply::Ended(_)));
                assert_eq!(receipt.outcome, stopped(resource), "{field} {guest}");
                let used = |resource| receipt.used.get(resource).unwrap();
                assert!((30 * MS..2_000 * MS).contains(&used(Resource::Wall)), "{receipt:?}");
                assert!(used(Resource::Cpu) <= used(Resource::Wall) && used(Resource::Cpu) > MS, "{receipt:?}");
            }
        }
    }
}

#[test]
fn growth_over_a_limit_fails_and_what_breaks_on_it_was_stopped() {
    let page = 65536;
    for allocation in [Allocation::OnDemand, Allocation::Pooled { slots: 2 }] {
        let memory = World { allocation, ..World::default() }.with(Resource::Memory, 5 * page).bind(GROWS);
        let (reply, receipt) = memory.call(typed(&["0"]));
        assert!(matches!(reply, Reply::Value(pages) if pages == "4"));
        assert_eq!((receipt.outcome, receipt.used.get(Resource::Memory)), (Outcome::Done, Some(5 * page)));
        let (_, receipt) = memory.call(typed(&["1"]));
        assert_eq!((receipt.outcome, receipt.used.get(Resource::Memory)), (stopped(Resource::Memory), Some(5 * page)));

        let tables = World { allocation, ..World::default() }.with(Resource::Tables, 55).bind(GROWS_A_TABLE);
        let (reply, receipt) = tables.call(typed(&["0"]));
        assert!(matches!(reply, Reply::Value(grown) if grown == "4"));
        assert_eq!((receipt.outcome, receipt.used.get(Resource::Tables)), (Outcome::Done, Some(50)));
        assert_eq!(tables.call(typed(&["1"])).1.outcome, stopped(Resource::Tables));
    }
}

#[test]
fn a_guest_that_starts_over_its_limits_is_not_bound() {
    for (resource, most, guest, expected) in [
        (Resource::Memory, 65536, r#"(module (memory 2) (func (export "f")))"#, ("memory", 131_072, 65536)),
        (Resource::Tables, 9, r#"(module (table 10 funcref) (func (export "f")))"#, ("tables", 10, 9)),
    ] {
        let refused = World::default().with(resource, most).try_bind(guest).err().unwrap();
        let LoadError::TooLarge { limit, needs, most } = refused else { panic!("{refused:?}") };
        assert_eq!((limit, needs, most), expected);
    }
}

#[test]
fn floods_stop_at_their_limit() {
    for (descriptor, resource, field) in
        [(1, Resource::Output, "output_bytes=2500"), (2, Resource::Log, "log_bytes=2500"), (1, Resource::BytesOut, "")]
    {
        let world = World::default().with(resource, 2500);
        let (_, receipt) = world.bind(floods(descriptor)).call(command(""));
        assert_eq!(receipt.outcome, stopped(resource));
        assert_eq!(receipt.used.get(resource), Some(2500));
        assert!(shown(&receipt).contains(field), "{receipt:?}");
    }
}

#[test]
fn a_body_that_floods_is_cut_at_its_limit() {
    let guest = floods(1)
        .replace("(func (export \"_start\")", "(data (i32.const 16) \"X: y\\n\\n\")\n(func (export \"_start\")");
    let bound = World::default().with(Resource::Output, 1 << 20).bind(&guest);
    let (sent, receipt) = block_on(async {
        let Reply::Http(answer) = bound.run(get("/")).await else { panic!("expected an answer") };
        let (mut body, mut sent) = (answer.into_body(), 0);
        let error = loop {
            match body.frame().await.unwrap() {
                Ok(frame) => sent += frame.data_ref().unwrap().len(),
                Err(error) => break error,
            }
        };
        assert!(!error.to_string().is_empty());
        drop(body);
        (sent, bound.receipt())
    });
    assert_eq!(receipt.outcome, stopped(Resource::Output));
    assert!(sent <= 1 << 20 && sent > 1 << 19, "{sent}");
    assert_eq!(receipt.used.get(Resource::Output), Some(1 << 20));
}

#[test]
fn what_enters_a_guest_is_bounded() {
    let reads = r#"(module
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\20\00\00\00\40\00\00\00")
        (func (export "handle") (result i32) (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4))))"#;
    let bound = World::default().with(Resource::BytesIn, 5).bind(reads);
    assert_eq!(bound.call(stdin("12345")).1.outcome, Outcome::Done);
    let over = bound.call(stdin("123456")).1;
    assert_eq!((&over.outcome, over.used.get(Resource::BytesIn)), (&stopped(Resource::BytesIn), Some(5)));
}

#[test]
fn a_result_over_the_limit_is_not_given() {
    let guest = r#"(module (func (export "f") (result i64) i64.const 1234567))"#;
    let called = |most| World::default().with(Resource::Output, most).bind(guest).call(typed(&[]));
    assert!(matches!(called(7).0, Reply::Value(value) if value == "1234567"));
    let (reply, Receipt { outcome, .. }) = called(6);
    assert!(matches!(reply, Reply::Ended(_)));
    assert_eq!(outcome, stopped(Resource::Output));
}

#[test]
fn instances_are_bounded() {
    let component = r#"(component
        (core module $m (memory 1) (func (export "f") (result i32) (i32.const 1)))
        (core instance $a (instantiate $m)) (core instance $b (instantiate $m)) (core instance $c (instantiate $m))
        (func (export "f") (result s32) (canon lift (core func $c "f"))))"#;
    let world = |most| World::default().with(Resource::Instances, most);
    assert_eq!(
        shown(&world(3).bind(component).call(typed(&[])).1),
        "done fuel=2 memory_bytes=196608 instances=3 output_bytes=1"
    );
    let refused = world(2).try_bind(component).err().unwrap();
    assert!(matches!(refused, LoadError::TooLarge { limit: "instances", needs: 3, most: 2 }), "{refused:?}");
}

/// Keeps the table of this file honest: one limit that is not met changes nothing.
#[test]
fn a_limit_that_is_not_met_changes_nothing() {
    let event: fn() -> Event = || typed(&["10"]);
    let world = Resource::ALL.iter().fold(World::default(), |world, &resource| world.with(resource, 60_000 * MS));
    assert_eq!(shown(&world.bind(LOOP).call(event()).1), "done fuel=61 instances=1");
}
