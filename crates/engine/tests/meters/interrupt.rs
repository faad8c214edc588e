//! Guests that are interrupted all the time, anywhere in their code, come to what they would have come to.

use crate::world::{MS, World, block_on, stdin, typed};
use sandbar_call::{GrantKind, Outcome, Reply, Resource};
use sandbar_engine::{Allocation, Fuel, Policy, tick_threads};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

/// Functions whose frames change in every way that a call can change them: results on the stack, tail calls to functions with
/// more and with fewer parameters, calls through a table, and recursion.
const FRAMES: &str = r#"(module
    (type $many (func (param i64)
        (result i64 f64 i64 f64 i64 f64 i64 f64 i64 f64 i64 f64 i64 f64 i64 f64 i64 f64 i64 f64)))
    (table 2 2 funcref) (elem (i32.const 0) $many $many)
    (table $other 64 1000 funcref)
    (memory 4 8)
    (func (export "bulk") (param $left i32) (result i64) (local $sum i64) (local $half f64)
        (loop $again
            (local.set $half (f64.add (local.get $half) (f64.const 0.5)))
            (memory.fill (i32.const 64) (local.get $left) (i32.const 60000))
            (memory.copy (i32.const 70000) (i32.const 100) (i32.const 50000))
            (memory.copy (i32.const 70001) (i32.const 70000) (i32.const 50000))
            (table.fill $other (i32.const 0) (ref.func $many) (i32.const 60))
            (local.set $sum (i64.add (local.get $sum) (i64.add (i64.load (i32.const 120000))
                (i64.extend_i32_u (i32.add (memory.grow (i32.const 0)) (table.grow $other (ref.null func) (i32.const 0)))))))
            (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (i64.add (local.get $sum) (i64.trunc_f64_s (local.get $half))))
    (func $many (type $many)
        (local.get 0) (f64.const 1.5) (local.get 0) (f64.const 2.5) (local.get 0) (f64.const 3.5)
        (local.get 0) (f64.const 4.5)
        (local.get 0) (f64.const 5.5) (local.get 0) (f64.const 6.5) (local.get 0) (f64.const 7.5) (local.get 0) (f64.const 8.5)
        (local.get 0) (f64.const 9.5) (i64.const 1) (f64.const 0.5))
    (func (export "many") (param $left i32) (result i64) (local $halves f64) (local $sum i64)
        (loop $again
            (call_indirect (type $many) (i64.extend_i32_u (local.get $left)) (i32.and (local.get $left) (i32.const 1)))
            local.get $halves f64.add local.set $halves local.get $sum i64.add local.set $sum
            local.get $halves f64.add local.set $halves local.get $sum i64.add local.set $sum
            local.get $halves f64.add local.set $halves local.get $sum i64.add local.set $sum
            local.get $halves f64.add local.set $halves local.get $sum i64.add local.set $sum
            local.get $halves f64.add local.set $halves local.get $sum i64.add local.set $sum
            local.get $halves f64.add local.set $halves local.get $sum i64.add local.set $sum
            local.get $halves f64.add local.set $halves local.get $sum i64.add local.set $sum
            local.get $halves f64.add local.set $halves local.get $sum i64.add local.set $sum
            local.get $halves f64.add local.set $halves local.get $sum i64.add local.set $sum
            local.get $halves f64.add local.set $halves local.get $sum i64.add local.set $sum
            (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (i64.add (local.get $sum) (i64.trunc_f64_s (local.get $halves))))
    (func (export "cheap") (param $left i32) (result i64) (local $sum i64)
        (loop $again
            (memory.fill (i32.const 0) (local.get $left) (i32.const 1))
            (local.set $sum (i64.add (local.get $sum) (i64.load (i32.const 0))))
            (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (memory.grow (i32.const 0)))))
            (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (local.get $sum))
    (func $few (param $left i64) (param $sum i64) (result i64)
        (if (i64.eqz (local.get $left)) (then (return (local.get $sum))))
        (return_call $lots (i64.sub (local.get $left) (i64.const 1)) (local.get $sum)
            (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6) (i64.const 7) (i64.const 8)))
    (func $lots (param $left i64) (param $sum i64) (param i64 i64 i64 i64 i64 i64 i64 i64) (result i64)
        (return_call $few (local.get $left) (i64.add (local.get $sum)
            (i64.add (i64.add (i64.add (local.get 2) (local.get 3)) (i64.add (local.get 4) (local.get 5)))
                (i64.add (i64.add (local.get 6) (local.get 7)) (i64.add (local.get 8) (local.get 9)))))))
    (func (export "tail") (param $left i32) (result i64)
        (call $few (i64.extend_i32_u (local.get $left)) (i64.const 0)))
    (func $fib (export "fib") (param $n i32) (result i64)
        (if (result i64) (i32.lt_u (local.get $n) (i32.const 2))
            (then (i64.extend_i32_u (local.get $n)))
            (else (i64.add (call $fib (i32.sub (local.get $n) (i32.const 1)))
                (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
    (func $deep (export "deep") (param $n i32) (result i64)
        (i64.add (call $deep (i32.add (local.get $n) (i32.const 1))) (i64.const 1))))"#;

const CALLS: [(&str, u32); 5] =
    [("many", 100_000), ("tail", 2_000_000), ("fib", 28), ("bulk", 5_000), ("cheap", 2_000_000)];

fn kernels() -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/target/sandbar/kernels.wasm");
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}\nhint: cargo xtask guests", file.display()))
}

/// Interrupts whoever runs, as often as it can, and tells how often that was.
fn interrupting<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let interrupts = scope.spawn(|| {
            let mut sent = 0;
            while !ends.load(Relaxed) {
                sent += tick_threads();
                // Who starts to run guests needs the list of those who do.
                thread::sleep(Duration::from_micros(5));
            }
            sent
        });
        let came_to = catch_unwind(AssertUnwindSafe(run));
        ends.store(true, Relaxed);
        (came_to.unwrap_or_else(|panic| resume_unwind(panic)), interrupts.join().unwrap())
    })
}

/// What calls come to where nothing interrupts them.
fn on_wasmtime(guest: &[u8], calls: &[(&str, u32)]) -> Vec<u64> {
    let engine = wasmtime::Engine::default();
    let module = wasmtime::Module::new(&engine, guest).unwrap();
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
    let call = |(name, argument): &(&str, u32)| {
        instance.get_typed_func::<u32, u64>(&mut store, name).unwrap().call(&mut store, *argument).unwrap()
    };
    calls.iter().map(call).collect()
}

#[test]
fn a_guest_that_is_interrupted_anywhere_comes_to_the_same() {
    // A tenth of what the bench lets them do.
    let of_kernels: Vec<_> = kernels::KERNELS.iter().map(|(name, _, size)| (*name, size.div_ceil(10))).collect();
    for (guest, calls) in [(FRAMES.as_bytes().to_vec(), &CALLS[..]), (kernels(), &of_kernels)] {
        let expected = on_wasmtime(&guest, calls);
        for fuel in [Fuel::WhereLimited, Fuel::Always] {
            let world = World { fuel, allocation: Allocation::Pooled { slots: 2 }, ..World::default() };
            let bound = world.export(calls[0].0).bind(&guest);
            let mut held = block_on(bound.entry.program().hold()).unwrap();
            let (_, sent) = interrupting(|| {
                for ((name, argument), expected) in calls.iter().zip(&expected) {
                    let function = held.typed::<u32, u64>(name).unwrap();
                    assert_eq!(held.call(&function, *argument).unwrap(), *expected, "`{name}`, held");
                    let (reply, receipt) = bound.of_export(&guest, name).call(typed(&[&argument.to_string()]));
                    let Reply::Value(value) = reply else { panic!("`{name}`: {receipt:?}") };
                    assert_eq!(value, expected.cast_signed().to_string(), "`{name}`");
                }
            });
            assert!(cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) || sent > 100, "{sent} interrupts");
        }
    }
}

#[test]
fn a_guest_without_stack_left_is_interrupted_too() {
    let bound = World::default().policy(Policy::Held).export("deep").bind(FRAMES);
    interrupting(|| {
        for _ in 0..50 {
            let (_, receipt) = bound.call(typed(&["0"]));
            let Outcome::Trapped { message } = &receipt.outcome else { panic!("{receipt:?}") };
            assert!(message.contains("call stack exhausted"), "{message}");
        }
    });
}

/// What is stopped in the middle of a function leaves nothing half done that others could meet.
#[test]
fn calls_that_are_stopped_anywhere_leave_the_others_alone() {
    let world = World { allocation: Allocation::Pooled { slots: 4 }, ..World::default() };
    let stopped = world.clone().with(Resource::Wall, 2 * MS).export("tail").bind(FRAMES);
    let other = world.export("fib").bind(FRAMES);
    let (stops, _) = interrupting(|| {
        let stops = (0..100).filter(|_| {
            let (_, receipt) = stopped.call(typed(&["100000000"]));
            let (reply, _) = other.call(typed(&["15"]));
            assert!(matches!(reply, Reply::Value(value) if value == "610"));
            receipt.outcome == Outcome::Stopped { limit: Resource::Wall }
        });
        stops.count()
    });
    assert_eq!(stops, 100);
}
/// A component whose resources have a destructor, which the runtime calls from within the call that drops them, and which calls
/// the host itself.
const DROPS: &str = r#"(component
    (core module $ends (memory 1) (global $ended (mut i64) (i64.const 0))
        (func (export "end") (param i32)
            (memory.fill (i32.const 0) (i32.const 7) (i32.const 9))
            (global.set $ended (i64.add (global.get $ended) (i64.extend_i32_u (memory.grow (i32.const 0))))))
        (func (export "ended") (result i64) (global.get $ended)))
    (core instance $ends (instantiate $ends))
    (type $thing (resource (rep i32) (dtor (func $ends "end"))))
    (core func $new (canon resource.new $thing))
    (core func $drop (canon resource.drop $thing))
    (core module $makes
        (import "" "new" (func $new (param i32) (result i32)))
        (import "" "drop" (func $drop (param i32)))
        (import "" "ended" (func $ended (result i64)))
        (func (export "f") (param $left i32) (result i64)
            (loop $again
                (call $drop (call $new (i32.const 1)))
                (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
            (call $ended)))
    (core instance $makes (instantiate $makes (with "" (instance
        (export "new" (func $new)) (export "drop" (func $drop)) (export "ended" (func $ends "ended"))))))
    (func (export "f") (param "times" u32) (result u64) (canon lift (core func $makes "f"))))"#;

#[test]
fn calls_of_the_host_within_calls_of_the_host_are_interrupted_too() {
    let bound = World::default().bind(DROPS);
    interrupting(|| {
        for _ in 0..10 {
            let (reply, receipt) = bound.call(typed(&["100000"]));
            assert!(matches!(reply, Reply::Value(value) if value == "100000"), "{receipt:?}");
        }
    });
}

/// One call, by its place in the code and on the stack, goes to the host and then to a function that calls the host.
#[test]
fn what_was_a_call_of_the_host_is_not_taken_for_one() {
    const BOTH: &str = r#"(module (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (type $random (func (param i32 i32) (result i32)))
        (memory (export "memory") 1) (table 2 funcref) (elem (i32.const 0) $random $calls)
        (global $calls (mut i32) (i32.const 0))
        (func $calls (type $random) (local $before i32)
            (local.set $before (global.get $calls))
            (drop (call $random (local.get 0) (local.get 1)))
            (global.set $calls (i32.add (local.get $before) (i32.const 1)))
            (call $random (local.get 0) (local.get 1)))
        (func (export "f") (local $left i32)
            (local.set $left (i32.const 100000))
            (loop $again
                (drop (call_indirect (type $random) (i32.const 0) (i32.const 0) (i32.and (local.get $left) (i32.const 1))))
                (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
            (if (i32.ne (global.get $calls) (i32.const 50000)) (then (unreachable)))))"#;
    let world = World { fuel: Fuel::WhereLimited, grants: &[(GrantKind::Random, "true")], ..World::default() };
    let bound = world.bind(BOTH);
    interrupting(|| {
        for _ in 0..10 {
            let (_, receipt) = bound.call(stdin(""));
            assert_eq!(receipt.outcome, Outcome::Done);
        }
    });
}

/// A function that makes a tail call with more arguments than it has itself moves its frame first. A call that was stopped in
/// the middle of that ended the process: its frame pointer led to what another function had left on the stack.
#[test]
fn a_guest_is_not_stopped_while_it_moves_a_frame() {
    let locals: String = (0..8).map(|at| format!("(local $l{at} i64)")).collect();
    let loads: String =
        (0..8).map(|at| format!("(local.set $l{at} (i64.load offset={} (i32.const 0)))", at * 8)).collect();
    let sum = (0..8).fold("(i64.const 0)".to_owned(), |sum, at| format!("(i64.add {sum} (local.get $l{at}))"));
    let guest = format!(
        r#"(module (memory 1) (table 1 funcref) (elem (i32.const 0) $nothing)
        (func $nothing)
        (func $six (param i64 i64 i64 i64 i64 i64) (result i64) (local.get 0))
        (func $one (param i64) (result i64)
            (return_call $six (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0)))
        (func $leaves (param i64) (result i64) {locals} {loads} (call $nothing) {sum})
        (func (export "f") (loop $again
            (drop (call $leaves (i64.const 0))) (drop (call $one (i64.const 0)))
            (drop (call $leaves (i64.const 0))) (drop (call $one (i64.const 0)))
            (br $again))))"#
    );
    let bound = World { fuel: Fuel::WhereLimited, ..World::default() }.with(Resource::Wall, 2 * MS).bind(guest);
    interrupting(|| {
        for _ in 0..300 {
            let (_, receipt) = bound.call(typed(&[]));
            assert_eq!(receipt.outcome, Outcome::Stopped { limit: Resource::Wall });
        }
    });
}

/// Signals hardly ever find such guests in their own code. Their deadlines did not hold, and nobody else had their thread.
#[test]
fn a_guest_that_has_the_host_do_everything_gives_way_and_is_stopped() {
    let guest = |does: &str| {
        format!(
            r#"(module (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
            (memory (export "memory") 512) (func (export "f") (loop $again {does} (br $again))))"#
        )
    };
    for (does, fuel) in [
        ("(memory.fill (i32.const 0) (i32.const 7) (i32.const 0x400000))", Fuel::WhereLimited),
        ("(memory.fill (i32.const 0) (i32.const 7) (i32.const 0x400000))", Fuel::Always),
        ("(memory.copy (i32.const 0) (i32.const 0x1000000) (i32.const 0x400000))", Fuel::WhereLimited),
        ("(drop (call $random (i32.const 0) (i32.const 0x100000)))", Fuel::WhereLimited),
    ] {
        let world = World { fuel, grants: &[(GrantKind::Random, "true")], ..World::default() };
        let bound = world.with(Resource::Wall, 1_000 * MS).bind(guest(does));
        block_on(async {
            let mut call = bound.run(stdin(""));
            for _ in 0..5 {
                assert!(futures::poll!(&mut call).is_pending(), "{does}");
            }
            call.await
        });
        assert_eq!(bound.receipt().outcome, Outcome::Stopped { limit: Resource::Wall }, "{does}");
        if !does.contains("random") {
            let mut held = block_on(bound.entry.program().hold()).unwrap();
            let f = held.typed::<(), ()>("f").unwrap();
            assert_eq!(held.call(&f, ()).unwrap_err(), Outcome::Stopped { limit: Resource::Wall }, "{does}");
        }
    }
}

/// What compiled code does by itself when an instance is made is no function of the guest's: a component that consisted of it was
/// met by no signal, and had its thread until it was made.
#[test]
fn a_component_that_only_copies_its_data_gives_way_and_is_stopped() {
    let instances = "(core instance (instantiate $copies (with \"\" (instance $holds))))".repeat(600);
    let guest = format!(
        r#"(component
            (core module $holds (memory (export "m") 64) (global (export "at") i32 (i32.const 16)) (func (export "f")))
            (core instance $holds (instantiate $holds))
            (core module $copies (import "" "m" (memory 64)) (import "" "at" (global i32))
                (data (offset (global.get 0)) "{}"))
            {instances}
            (func (export "f") (canon lift (core func $holds "f"))))"#,
        "a".repeat(4_000_000)
    );
    let world = World { fuel: Fuel::WhereLimited, ..World::default() };
    let bound = world.bind(&guest);
    let gives_way = block_on(async {
        let mut call = bound.run(typed(&[]));
        let mut times = 0;
        while times < 5 && futures::poll!(&mut call).is_pending() {
            times += 1;
        }
        times
    });
    assert_eq!(gives_way, 5);
    let bound = world.with(Resource::Wall, 20 * MS).bind(&guest);
    assert_eq!(bound.call(typed(&[])).1.outcome, Outcome::Stopped { limit: Resource::Wall });
}

/// A typed call in a held sandbox was charged no processor time until it was over.
#[test]
fn a_limit_of_processor_time_holds_in_a_typed_call() {
    let bound = World::default().with(Resource::Cpu, 10 * MS).bind(r#"(module (func (export "f") (loop (br 0))))"#);
    let mut held = block_on(bound.entry.program().hold()).unwrap();
    let f = held.typed::<(), ()>("f").unwrap();
    assert_eq!(held.call(&f, ()).unwrap_err(), Outcome::Stopped { limit: Resource::Cpu });
}
