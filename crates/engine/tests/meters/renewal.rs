//! A fresh sandbox is as it was instantiated, whether it is a new one or an earlier one that was renewed.

use crate::world::{World, typed};
use sandbar_call::{Outcome, Reply, SandboxUse, Shape};
use sandbar_engine::{Allocation, EntryChoice};
use std::collections::HashSet;

/// A guest whose export `look` tells what it finds, and then changes it.
struct Case {
    name: &'static str,
    guest: &'static str,
    found: &'static str,
    /// Whether its sandboxes are renewed: otherwise each call has a new one.
    renewed: bool,
}

const CASES: &[Case] = &[
    Case {
        name: "globals of every type",
        guest: r#"(module (memory 1)
            (global $a (mut i32) (i32.const 7)) (global $b (mut i64) (i64.const -5)) (global $c (mut f32) (f32.const 1.5))
            (global $d (mut f64) (f64.const 2.25)) (global $e (mut v128) (v128.const i32x4 1 2 3 4))
            (func (export "look") (result i64)
                (i64.add (i64.extend_i32_s (global.get $a)) (i64.add (global.get $b)
                    (i64.add (i64.trunc_f32_s (f32.mul (global.get $c) (f32.const 100)))
                        (i64.add (i64.trunc_f64_s (f64.mul (global.get $d) (f64.const 10000)))
                            (i64.extend_i32_u (i32x4.extract_lane 2 (global.get $e)))))))
                (global.set $a (i32.const 9)) (global.set $b (i64.const 9)) (global.set $c (f32.const 9))
                (global.set $d (f64.const 9)) (global.set $e (v128.const i32x4 9 9 9 9))))"#,
        found: "22655",
        renewed: true,
    },
    Case {
        name: "pages of data, of zeros, and the last bytes of the memory",
        guest: r#"(module (memory 3) (data (i32.const 4090) "abcdefghijkl")
            (func (export "look") (result i64) (local $at i32) (local $sum i64)
                (loop $each
                    (local.set $sum (i64.add (local.get $sum) (i64.load (local.get $at))))
                    (i64.store (local.get $at) (i64.const -1))
                    (local.set $at (i32.add (local.get $at) (i32.const 8)))
                    (br_if $each (i32.lt_u (local.get $at) (i32.const 196608))))
                (local.get $sum)))"#,
        found: "7378533151134083175",
        renewed: true,
    },
    Case {
        name: "more regions of pages than the kernel tells at one time",
        guest: r#"(module (memory 32)
            (func (export "look") (result i32) (local $at i32) (local $sum i32)
                (loop $each
                    (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
                    (i32.store (local.get $at) (i32.const 1))
                    (local.set $at (i32.add (local.get $at) (i32.const 8192)))
                    (br_if $each (i32.lt_u (local.get $at) (i32.const 2097152))))
                (local.get $sum)))"#,
        found: "0",
        renewed: true,
    },
    Case {
        name: "memory that has grown",
        guest: r#"(module (memory 1) (func (export "look") (result i32) (memory.size) (drop (memory.grow (i32.const 1)))))"#,
        found: "1",
        renewed: false,
    },
    Case {
        name: "a table that is changed",
        guest: r#"(module (memory 1) (table 1 funcref) (elem declare func $look)
            (func $look (export "look") (result i32) (ref.is_null (table.get 0 (i32.const 0)))
                (table.set 0 (i32.const 0) (ref.func $look))))"#,
        found: "1",
        renewed: false,
    },
    Case {
        name: "a segment that is dropped",
        guest: r#"(module (memory 1) (data $once "x")
            (func (export "look") (result i32)
                (memory.init $once (i32.const 0) (i32.const 0) (i32.const 1)) (data.drop $once) (i32.load8_u (i32.const 0))))"#,
        found: "120",
        renewed: false,
    },
    Case {
        name: "start code",
        guest: r#"(module (memory 1) (global $g (mut i32) (i32.const 0))
            (func $start (global.set $g (i32.add (global.get $g) (i32.const 1)))) (start $start)
            (func (export "look") (result i32) (global.get $g) (call $start)))"#,
        found: "1",
        renewed: false,
    },
    Case {
        name: "what a reactor does first, which it does again",
        guest: r#"(module (memory 1) (global $g (mut i32) (i32.const 0))
            (func (export "_initialize")
                (global.set $g (i32.add (global.get $g) (i32.const 1)))
                (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 10))))
            (func (export "look") (result i32) (i32.add (global.get $g) (i32.load (i32.const 0)))))"#,
        found: "11",
        renewed: true,
    },
    Case {
        name: "a guest that claims to put itself back",
        guest: r#"(module (memory (export "sandbar-memory") 1) (global $g (mut i32) (i32.const 0))
            (func (export "sandbar-restore"))
            (func (export "look") (result i32) (global.get $g) (global.set $g (i32.const 5)) (i32.store (i32.const 0) (i32.const 1))))"#,
        found: "0",
        renewed: false,
    },
    Case {
        name: "a component's memory and globals, and the order in which it gave its handles back",
        guest: include_str!("renewal/handles.wat"),
        found: "123",
        renewed: true,
    },
    Case { name: "a handle that is left over", guest: include_str!("renewal/leak.wat"), found: "1", renewed: false },
];

#[test]
fn every_call_finds_what_the_first_one_found() {
    for Case { name, guest, found, renewed } in CASES {
        let world = World { allocation: Allocation::Pooled { slots: 4 }, ..World::default() };
        let choice = EntryChoice { shape: Some(Shape::Typed), export: Some("look".into()), content_type: None };
        let bound = World { choice, ..world }.bind(guest);
        let mut sandboxes = HashSet::new();
        for call in 0..6 {
            let (reply, receipt) = bound.call(typed(&[]));
            let Reply::Value(value) = reply else { panic!("{name}, call {call}: {receipt:?}") };
            assert_eq!(value, *found, "{name}, call {call}");
            assert_eq!(receipt.outcome, Outcome::Done);
            let Some(SandboxUse { id, call: 1 }) = receipt.sandbox else { panic!("{name}: {receipt:?}") };
            assert!(sandboxes.insert(id), "{name}: a sandbox of its own for each call");
        }
        // The first call shows that the guest is called at all, the second makes the image.
        assert_eq!(bound.entry.program().renewed(), if *renewed { 5 } else { 0 }, "{name}");
    }
}

/// A function of this body traps after a number that is found in the binary.
const TRAPS: &str = "(drop (i32.const 0x0badbad)) unreachable";

#[test]
fn a_trap_is_told_by_its_place_in_the_file() {
    let function = format!(
        r#"(global (mut i32) (i32.const 0)) (func $given_up {TRAPS})
        (func (export "look") (result i32) (call $given_up) (i32.const 0))"#
    );
    let module = format!(r#"(module (memory 1) {function})"#);
    let component = format!(
        r#"(component
            (core module $first (memory (export "memory") 1) (global (mut i32) (i32.const 0)) (func (export "f")))
            (core instance (instantiate $first))
            (core module $second {function})
            (core instance $instance (instantiate $second))
            (func $look (result u32) (canon lift (core func $instance "look")))
            (export "look" (func $look)))"#
    );
    for guest in [module, component] {
        let binary = wat::parse_str(&guest).unwrap();
        // The constant, `drop`, and then `unreachable`.
        let constant = [0x41, 0xad, 0xb7, 0xeb, 0x05, 0x1a, 0x00];
        let found = binary.windows(constant.len()).position(|bytes| bytes == constant).unwrap() + 6;
        let choice = EntryChoice { shape: Some(Shape::Typed), export: Some("look".into()), content_type: None };
        let bound = World { choice, ..World::default() }.bind(&guest);
        let (_, receipt) = bound.call(typed(&[]));
        let Outcome::Trapped { message } = &receipt.outcome else { panic!("{receipt:?}") };
        let told = format!("{found:#8x} - ");
        assert!(message.lines().any(|line| line.contains(&told) && line.contains("given_up")), "{told}: {message}");
    }
}
