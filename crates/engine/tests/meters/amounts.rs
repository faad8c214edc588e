//! Exact amounts, the same every time and wherever a sandbox gets its memory.

use crate::world::{World, block_on, command, get, shown, stdin, typed};
use http_body_util::BodyExt as _;
use sandbar_call::{Event, GrantKind, Reply, Resource, Running};
use sandbar_engine::{Allocation, Fuel, Policy};
use std::collections::BTreeSet;

struct Case {
    name: &'static str,
    guest: &'static str,
    event: fn() -> Event,
    grants: &'static [(GrantKind, &'static str)],
    /// Outcome, amounts and uses of grants, without times.
    expected: &'static str,
}

const NONE: &[(GrantKind, &str)] = &[];

/// Every function costs one to enter, and so does each cheap instruction; those that only shape control or drop a value are free.
const TYPED: &[Case] = &[
    Case {
        name: "an empty function",
        guest: r#"(module (func (export "f")))"#,
        event: || typed(&[]),
        grants: NONE,
        expected: "done fuel=1 instances=1",
    },
    Case {
        name: "three instructions and a result of one digit",
        guest: r#"(module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))"#,
        event: || typed(&["2", "3"]),
        grants: NONE,
        expected: "done fuel=4 instances=1 output_bytes=1",
    },
    Case {
        name: "what only shapes control is free",
        guest: r#"(module (func (export "f") nop block loop nop end end i32.const 1 drop return))"#,
        event: || typed(&[]),
        grants: NONE,
        expected: "done fuel=2 instances=1",
    },
    Case {
        name: "a call enters another function",
        guest: r#"(module (func $g nop) (func (export "f") call $g call $g))"#,
        event: || typed(&[]),
        grants: NONE,
        expected: "done fuel=43 instances=1",
    },
    Case {
        name: "a loop of ten rounds of five instructions",
        guest: r#"(module (func (export "f") (param i32)
            (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
        event: || typed(&["10"]),
        grants: NONE,
        expected: "done fuel=61 instances=1",
    },
    Case {
        name: "the branch that is taken",
        guest: r#"(module (func (export "f") (param i32) (result i32)
            (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.add (i32.const 2) (i32.const 3))))))"#,
        event: || typed(&["0"]),
        grants: NONE,
        expected: "done fuel=8 instances=1 output_bytes=1",
    },
    Case {
        name: "start code is part of the call",
        guest: r#"(module (global $g (mut i32) (i32.const 0)) (func $s (global.set $g (i32.const 7))) (start $s)
            (func (export "f") (result i32) global.get $g))"#,
        event: || typed(&[]),
        grants: NONE,
        // Wasmtime wraps the start function into one that calls it: 2 more.
        expected: "done fuel=7 instances=1 output_bytes=1",
    },
    Case {
        name: "memory at its peak",
        guest: r#"(module (memory 1) (func (export "f") (result i32) (memory.grow (i32.const 3))))"#,
        event: || typed(&[]),
        grants: NONE,
        expected: "done fuel=257 memory_bytes=262144 instances=1 output_bytes=1",
    },
    Case {
        name: "elements of tables",
        guest: r#"(module (table 5 funcref) (table 2 funcref)
            (func (export "f") (result i32) (table.grow 1 (ref.null func) (i32.const 4))))"#,
        event: || typed(&[]),
        grants: NONE,
        // An element that is written costs one, as a byte does below.
        expected: "done fuel=274 table_elements=11 instances=1 output_bytes=1",
    },
    Case {
        name: "instructions on a range cost what they write",
        guest: r#"(module (memory 1) (func (export "f")
            (memory.fill (i32.const 0) (i32.const 7) (i32.const 1000))
            (memory.copy (i32.const 2000) (i32.const 0) (i32.const 500))))"#,
        event: || typed(&[]),
        grants: NONE,
        expected: "done fuel=1567 memory_bytes=65536 instances=1",
    },
    Case {
        name: "a list is copied into fresh pages",
        guest: r#"(module (memory (export "memory") 1)
            (func (export "second") (param i32 i32) (result i32) (i32.load offset=4 (local.get 0))))"#,
        event: || typed(&["[20, 22, 27]"]),
        grants: NONE,
        expected: "done fuel=5 memory_bytes=131072 instances=1 output_bytes=2 in_bytes=12",
    },
    Case {
        name: "a component, without what its own adapters cost",
        guest: r#"(component
            (core module $m (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
            (core instance $i (instantiate $m))
            (func (export "add") (param "a" s32) (param "b" s32) (result s32) (canon lift (core func $i "add"))))"#,
        event: || typed(&["20", "22"]),
        grants: NONE,
        expected: "done fuel=4 instances=1 output_bytes=2",
    },
];

/// `_start` says hello on stdout (1) and oh on stderr (2).
const SAYS: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\20\00\00\00\05\00\00\00\30\00\00\00\03\00\00\00")
    (data (i32.const 32) "hello")
    (data (i32.const 48) "oh\n")
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
        (drop (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 16)))))"#;

/// Copies up to 64 bytes of stdin to stdout, in two reads: the second finds the end.
const COPIES: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\20\00\00\00\40\00\00\00")
    (func (export "handle") (result i32)
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 4) (i32.const 64))
        (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4))))"#;

/// Answers as CGI asks, nine bytes of head and two of body.
const CGI: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\08\00\00\00")
    (data (i32.const 16) "X: y\n\nhi")
    (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// Reads the coarse clock twice and random bytes once.
const ASKS: &str = r#"(module
    (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (drop (call $time (i32.const 0) (i64.const 1) (i32.const 0)))
        (drop (call $time (i32.const 1) (i64.const 1) (i32.const 0)))
        (drop (call $random (i32.const 0) (i32.const 32)))))"#;

const WASI: &[Case] = &[
    Case {
        name: "stdout is output, stderr is log, both leave the guest",
        guest: SAYS,
        event: || command(""),
        grants: NONE,
        expected: "done fuel=6057 memory_bytes=65536 instances=1 output_bytes=5 log_bytes=3 out_bytes=8 stdio:2",
    },
    Case {
        name: "stdin enters the guest",
        guest: COPIES,
        event: || stdin("12345"),
        grants: NONE,
        expected: "done fuel=9086 memory_bytes=65536 instances=1 output_bytes=5 in_bytes=5 out_bytes=5 stdio:2",
    },
    Case {
        name: "an answer by CGI is counted once",
        guest: CGI,
        event: || get("/"),
        grants: NONE,
        expected: "done fuel=3033 memory_bytes=65536 instances=1 output_bytes=8 out_bytes=8 stdio:1",
    },
    Case {
        name: "uses of grants",
        guest: ASKS,
        event: || command(""),
        grants: &[(GrantKind::Random, "true")],
        expected: "done fuel=9709 memory_bytes=65536 instances=1 clock:2 random:1",
    },
];

#[test]
fn amounts_are_exact() {
    let mut wrong = Vec::new();
    for case in TYPED.iter().chain(WASI) {
        for allocation in [Allocation::OnDemand, Allocation::Pooled { slots: 4 }] {
            let world = World { allocation, grants: case.grants, ..World::default() };
            let bound = world.bind(case.guest);
            // In new sandboxes, and in those that were renewed.
            for _ in 0..4 {
                let found = shown(&bound.call((case.event)()).1);
                if found != case.expected {
                    wrong.push(format!(
                        "{} ({allocation:?}):\n  expected {}\n  found    {found}",
                        case.name, case.expected
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn fuel_is_counted_only_where_it_is_asked_for() {
    let loops = TYPED[4].guest;
    let event = || typed(&["10"]);
    let without = World { fuel: Fuel::WhereLimited, ..World::default() };
    assert_eq!(without.bind(loops).call(event()).1.used.get(Resource::Fuel), None);
    let limited = without.with(Resource::Fuel, 1000);
    assert_eq!(limited.bind(loops).call(event()).1.used.get(Resource::Fuel), Some(61));
}

/// A sandbox that is made ready to be renewed has instructions of its own to run, and so has one that is renewed.
#[test]
fn fuel_is_the_same_in_every_sandbox() {
    let event = |name| if name == "hello" { get("/") } else { stdin(r#"{"name":"Ada","value":21}"#) };
    for name in ["hello", "double"] {
        let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/quickstart");
        let guest = std::fs::read(format!("{quickstart}/{name}.wasm")).unwrap();
        let mut found = BTreeSet::new();
        for allocation in [Allocation::OnDemand, Allocation::Pooled { slots: 4 }] {
            for policy in [Policy::Fresh, Policy::Held] {
                let bound = World { allocation, policy, ..World::default() }.bind(&guest);
                let calls = if policy == Policy::Fresh { 5 } else { 1 };
                for _ in 0..calls {
                    block_on(answered(bound.run(event(name))));
                    found.extend(bound.receipts().iter().map(|receipt| receipt.used.get(Resource::Fuel)));
                }
            }
        }
        assert_eq!(found.len(), 1, "{found:?}");
    }
}

/// Waits for a call's answer, to its end.
async fn answered(call: Running<'_>) {
    match call.await {
        Reply::Http(response) => drop(response.into_body().collect().await.unwrap()),
        Reply::Output(output) => drop(output.collect().await.unwrap()),
        other => panic!("{other:?}"),
    }
}
