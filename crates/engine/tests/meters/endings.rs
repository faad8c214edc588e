//! How calls end: one outcome and one receipt each, whatever became of the call.

use crate::world::{MS, World, block_on, command, get, shown, stdin, typed};
use futures::FutureExt;
use http_body_util::BodyExt;
use sandbar_call::{Body, Event, GrantKind, Outcome, OutcomeKind, Receipt, Refusal, Reply, Resource};
use sandbar_engine::Policy;
use std::time::Duration;

const SPIN: &str = r#"(module (func (export "f") (loop (br 0))))"#;

/// A command that ends with a code.
fn exits(code: i32) -> String {
    format!(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const {code})) unreachable))"#
    )
}

/// Answers a head and three bytes as CGI asks, and then never ends.
const NEVER_ENDS: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\09\00\00\00")
    (data (i32.const 16) "X: y\n\nabc")
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (loop (br 0))))"#;

const RANDOM: &str = r#"(module (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start") (drop (call $random (i32.const 0) (i32.const 8)))))"#;

fn message(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed { message, .. } | Outcome::Trapped { message } => message,
        Outcome::Refused { why: Refusal::Event { message } } => message,
        Outcome::Refused { why: Refusal::Grant { denial } } => &denial.allow,
        Outcome::Stopped { limit } => limit.key(),
        Outcome::Done | Outcome::Cancelled | Outcome::Fault { .. } | Outcome::Refused { .. } => "",
    }
}

#[test]
fn every_ending_has_its_outcome() {
    use OutcomeKind::{Done, Failed, Refused, Stopped, Trapped};
    let function =
        |body: &str| format!(r#"(module (memory 1) (table 1 funcref) (func (export "f") (result i32) {body}))"#);
    let wasi = |body: &str| {
        format!(
            r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
            (memory (export "memory") 1) (func (export "handle") (result i32) {body}))"#
        )
    };
    let cases: Vec<(String, Event, OutcomeKind, &str)> = vec![
        (exits(0), command(""), Done, ""),
        (function("i32.const 1"), typed(&[]), Done, ""),
        (exits(7), command(""), Failed, "ended with code 7"),
        (wasi("i32.const 0"), stdin(""), Done, "hint: "),
        (wasi("i32.const 3"), stdin(""), Failed, "returned 3"),
        (wasi("i32.const -1"), get("/"), Failed, "returned -1"),
        (function("unreachable"), typed(&[]), Trapped, "wasm `unreachable` instruction executed"),
        (function("(i32.div_u (i32.const 1) (i32.const 0))"), typed(&[]), Trapped, "integer divide by zero"),
        (function("(i32.load (i32.const 65533))"), typed(&[]), Trapped, "out of bounds memory access"),
        (function("(call_indirect (result i32) (i32.const 0))"), typed(&[]), Trapped, "uninitialized element"),
        (function("call 0"), typed(&[]), Trapped, "call stack exhausted"),
        (function("i32.const 1"), typed(&["2"]), Refused, "expected"),
        (function("i32.const 1"), command(""), Refused, "expected a command, found a guest of shape `typed`"),
        (wasi("i32.const 0"), typed(&["2"]), Refused, "the export takes stdin, not arguments"),
        (function("i32.const 1"), stdin("2"), Refused, "the export takes typed arguments, not stdin"),
        (exits(0), typed(&[]), Refused, "expected an export, found a `command`"),
        (RANDOM.into(), command(""), Refused, "random = true"),
        (SPIN.into(), typed(&[]), Stopped, "wall"),
        (exits(0), get("/"), Failed, "the command answered nothing"),
    ];
    for (guest, event, kind, said) in cases {
        let bound = World::default().with(Resource::Wall, 50 * MS).bind(&guest);
        let (_, receipt) = bound.call(event);
        assert_eq!(receipt.outcome.kind(), kind, "{guest}: {receipt:?}");
        let logged = bound.log();
        assert_eq!(
            logged.len(),
            usize::from(!said.is_empty()),
            "one record where there is something to say: {logged:?}"
        );
        let told = if kind == Done { logged.concat() } else { message(&receipt.outcome).to_owned() };
        assert!(told.contains(said), "{guest}: {:?}", receipt.outcome);
    }
}

#[test]
fn a_denial_names_the_line_that_would_allow_it() {
    let (_, receipt) = World::default().bind(RANDOM).call(command(""));
    let Outcome::Refused { why: Refusal::Grant { denial } } = &receipt.outcome else { panic!("{receipt:?}") };
    assert_eq!((denial.grant, denial.allow.as_str()), (GrantKind::Random, "random = true"));
    assert_eq!(receipt.denials, std::slice::from_ref(denial));
    assert_eq!(receipt.grants.get(GrantKind::Random), 0);
}

#[test]
fn a_call_that_was_refused_before_it_had_a_sandbox_has_a_receipt() {
    let (reply, receipt) = World::default().bind(SPIN).call(command(""));
    assert!(matches!(reply, Reply::Ended(Outcome::Refused { .. })));
    assert_eq!((receipt.sandbox, receipt.used.get(Resource::Fuel)), (None, None));
    assert_eq!((&*receipt.origin.trigger, &*receipt.origin.source), ("test", "meters"));
}

#[test]
fn a_call_that_is_dropped_was_cancelled_and_knows_what_it_used() {
    let bound = World::default().bind(SPIN);
    block_on(async {
        let call = bound.run(typed(&[]));
        assert!(tokio::time::timeout(Duration::from_millis(30), call).await.is_err());
    });
    let receipt = bound.receipt();
    assert_eq!(receipt.outcome, Outcome::Cancelled);
    assert!(receipt.used.get(Resource::Fuel) > Some(1000), "{receipt:?}");
    assert!(receipt.used.get(Resource::Cpu) > Some(MS), "{receipt:?}");
    assert_eq!(receipt.sandbox.map(|sandbox| sandbox.call), Some(1));
    assert!(bound.log().is_empty(), "whoever went away needs no word");
}

#[test]
fn a_call_that_is_dropped_before_it_was_polled_was_cancelled() {
    let bound = World::default().bind(SPIN);
    drop(bound.run(typed(&[])));
    let receipt = bound.receipt();
    assert_eq!((receipt.outcome, receipt.sandbox), (Outcome::Cancelled, None));
}

/// Takes the head and the first frame of an answer that never ends.
async fn first_frame(reply: Reply) -> Body {
    let Reply::Http(answer) = reply else { panic!("expected an answer, found {reply:?}") };
    assert_eq!(answer.headers().get("x").unwrap(), "y");
    let mut body = answer.into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.data_ref().unwrap(), "abc");
    body
}

#[test]
fn an_answer_that_is_dropped_while_it_streams_was_cancelled() {
    let bound = World::default().bind(NEVER_ENDS);
    let receipt = block_on(async {
        let body = first_frame(bound.run(get("/")).await).await;
        assert!(bound.receipts().is_empty(), "the call lasts as long as its body");
        drop(body);
        bound.receipt()
    });
    assert_eq!(receipt.outcome, Outcome::Cancelled);
    assert_eq!(receipt.used.get(Resource::Output), Some(9));
    assert!(receipt.used.get(Resource::Fuel) > Some(1000), "{receipt:?}");
}

#[test]
fn an_answer_that_is_stopped_while_it_streams_ends_with_an_error() {
    let bound = World::default().with(Resource::Wall, 60 * MS).bind(NEVER_ENDS);
    block_on(async {
        let mut body = first_frame(bound.run(get("/")).await).await;
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().now_or_never().flatten().is_none());
    });
    let receipt = bound.receipt();
    assert_eq!(receipt.outcome, Outcome::Stopped { limit: Resource::Wall });
    assert_eq!(receipt.used.get(Resource::Output), Some(9));
}

#[test]
fn a_client_is_told_nothing_of_a_failure() {
    let fails = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\10\00\00\00\06\00\00\00\18\00\00\00\05\00\00\00")
        (data (i32.const 16) "secret")
        (data (i32.const 24) "told\n")
        (func (export "handle") (result i32)
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
            (drop (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 32)))
            (i32.const 3)))"#;
    let bound = World::default().bind(fails);
    let (reply, receipt) = bound.call(get("/"));
    assert!(matches!(reply, Reply::Ended(Outcome::Failed { code: Some(3), .. })), "{reply:?}");
    assert_eq!(
        shown(&receipt),
        "failed fuel=6061 memory_bytes=65536 instances=1 output_bytes=6 log_bytes=5 out_bytes=11 stdio:2"
    );
    assert_eq!(bound.log(), ["told", "failed: returned 3"]);
}

/// Nobody reads the stdout of a typed export. What it wrote was kept, and it waited for ever once that was too much.
#[test]
fn what_nobody_reads_holds_nobody_up() {
    let says = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 2)
        (data (i32.const 0) "\00\01\00\00\00\00\01\00")
        (func (export "say") (param i32) (result i32)
            (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))"#;
    for policy in [Policy::Fresh, Policy::Held] {
        let bound = World::default().policy(policy).with(Resource::Wall, 2_000 * MS).bind(says);
        block_on(async {
            for _ in 0..20 {
                assert!(matches!(bound.run(typed(&["0"])).await, Reply::Value(errno) if errno == "0"));
                assert_eq!(bound.receipt().used.get(Resource::Output), Some(65_536 + 1));
            }
        });
    }
}

#[test]
fn a_receipt_reads_back() {
    for guest in [SPIN, RANDOM] {
        let event = if guest == SPIN { typed(&[]) } else { command("") };
        let (_, receipt) = World::default().with(Resource::Wall, 20 * MS).bind(guest).call(event);
        let text = serde_json::to_string(&receipt).unwrap();
        assert_eq!(serde_json::from_str::<Receipt>(&text).unwrap(), receipt);
    }
}
