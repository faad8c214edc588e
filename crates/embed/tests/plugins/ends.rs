//! Calls that don't end well: each ends itself and nothing else.

use crate::world::{POLICIES, on_tokio, quickstart, text};
use sandbar_embed::{Calling, Cancel, Error, Host, Interruption, Outcome, Policy, Rebuild, Refusal, Resource};
use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

/// Loops, traps, asks for memory, and answers.
const HOSTILE: &str = r#"(module (memory (export "memory") 1)
    (func (export "spin") (param i32) (loop (br 0)))
    (func (export "trap") (param i32) unreachable)
    (func $deep (export "deep") (param i32) (call $deep (local.get 0)))
    (func (export "grow") (param i32) (result i32)
        (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable)
    (func (export "answer") (param i32) (result i32) local.get 0))"#;

/// Most that a call may take here that is ended after some milliseconds.
const SOON: Duration = Duration::from_secs(5);

/// A held guest that computes gives way where it is asked to, and goes on where it was.
#[test]
fn a_held_guest_gives_way_where_it_is_asked_to() {
    for interruption in [Interruption::Epochs, Interruption::Signals] {
        gives_way(&Host::builder().cache(None).interruption(interruption).build().unwrap());
    }
}

fn gives_way(host: &Host) {
    let text = r#"(module (func (export "work") (param i32) (result i32)
        (loop $more (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 7)))"#;
    let plugin = host.plugin(text.as_bytes().to_vec()).load().unwrap();
    let polls = |calling: Calling<'_>| {
        let mut future = pin!(calling.call_async::<i32>(&(100_000_000,)));
        let mut polls = 1;
        loop {
            if let Poll::Ready(came) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                assert_eq!(came.unwrap(), 7);
                return polls;
            }
            polls += 1;
        }
    };
    for _ in 0..3 {
        assert_eq!(polls(plugin.calling("work")), 1);
        let gave_way = polls(plugin.calling("work").gives_way());
        assert!((3..1_000).contains(&gave_way), "{gave_way}");
        assert_eq!(plugin.typed::<i32, i32>("work").unwrap().call(1_000).unwrap(), 7);
    }
}

#[test]
fn each_limit_ends_that_call_and_the_next_is_answered() {
    let within = Duration::from_millis(30);
    for policy in POLICIES {
        let limited = || text(HOSTILE).policy(policy).limit(Resource::Memory, 1 << 20);
        for (plugin, export, expected) in [
            (limited().within(within), "spin", "stopped wall"),
            (limited().limit(Resource::Cpu, 10_000_000), "spin", "stopped cpu"),
            (limited().limit(Resource::Fuel, 1_000_000), "spin", "stopped fuel"),
            (limited(), "grow", "stopped memory"),
            (limited(), "trap", "trapped"),
            (limited(), "deep", "trapped"),
        ] {
            let plugin = plugin.load().unwrap();
            for _ in 0..3 {
                let error = plugin.call::<()>(export, &(1,)).unwrap_err();
                assert_eq!(told(&error.outcome), expected, "{export} {policy:?}");
                assert_eq!(error.receipt.unwrap().outcome, error.outcome);
                assert_eq!(plugin.call::<i32>("answer", &(5,)).unwrap(), 5, "after {export} {policy:?}");
            }
        }
    }
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Stopped { limit } => format!("stopped {}", limit.key()),
        outcome => outcome.kind().key().to_owned(),
    }
}

#[test]
fn a_call_is_cancelled_from_another_thread_and_its_sibling_is_not() {
    for policy in POLICIES {
        let plugin = text(HOSTILE).policy(policy).within(SOON).load().unwrap();
        let sibling = text(HOSTILE).policy(policy).within(Duration::from_millis(200)).load().unwrap();
        let cancel = Cancel::new();
        thread::scope(|scope| {
            let other = scope.spawn(|| sibling.call::<()>("spin", &(1,)).unwrap_err().outcome);
            let began = Instant::now();
            let ended = scope.spawn(|| plugin.calling("spin").cancel(&cancel).call::<()>(&(1,)).unwrap_err());
            thread::sleep(Duration::from_millis(20));
            cancel.cancel();
            let error = ended.join().unwrap();
            assert_eq!(error.outcome, Outcome::Cancelled, "{policy:?}");
            assert_eq!(error.receipt.unwrap().outcome, Outcome::Cancelled);
            assert!(began.elapsed() < Duration::from_secs(2), "{policy:?}: {:?}", began.elapsed());
            assert_eq!(other.join().unwrap(), Outcome::Stopped { limit: Resource::Wall }, "by its own deadline");
        });
        assert_eq!(plugin.call::<i32>("answer", &(5,)).unwrap(), 5);
        let error = plugin.calling("answer").cancel(&cancel).call::<i32>(&(5,)).unwrap_err();
        assert_eq!(error.outcome, Outcome::Cancelled, "it was cancelled before");
    }
}

#[test]
fn a_future_that_is_dropped_ends_its_call() {
    for policy in POLICIES {
        let plugin = text(HOSTILE).policy(policy).within(SOON).load().unwrap();
        on_tokio(async {
            let spin = plugin.calling("spin").within(Duration::from_millis(20));
            // Where the guest does not give way, the call's own time ends it.
            let ended = tokio::time::timeout(Duration::from_millis(5), spin.call_async::<()>(&(1,))).await;
            assert!(ended.is_err() || matches!(ended, Ok(Err(ref error)) if told(&error.outcome) == "stopped wall"));
            assert_eq!(plugin.call_async::<i32>("answer", &(5,)).await.unwrap(), 5);
        });
    }
}

#[test]
fn a_calls_own_time_can_be_less_than_the_plugins() {
    for policy in POLICIES {
        let plugin = text(HOSTILE).policy(policy).within(SOON).load().unwrap();
        let error = plugin.calling("spin").within(Duration::from_millis(20)).call::<()>(&(1,)).unwrap_err();
        assert_eq!(told(&error.outcome), "stopped wall", "{policy:?}");
        assert_eq!(told(&error.receipt.unwrap().outcome), "stopped wall", "{policy:?}");
    }
}

#[test]
fn deadlines_hold_while_a_plugin_starts() {
    let within = Duration::from_millis(50);
    for (start, wat) in [
        ("start", r#"(module (func $s (loop (br 0))) (start $s) (func (export "f") (param i32)))"#),
        (
            "_initialize",
            r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
                (func (export "_initialize") (loop (br 0))) (func (export "f") (param i32)))"#,
        ),
        (
            "a component's",
            r#"(component (core module $m (func $s (loop (br 0))) (start $s) (func (export "f")))
                (core instance $m (instantiate $m)) (func (export "f") (canon lift (core func $m "f"))))"#,
        ),
    ] {
        let began = Instant::now();
        match text(wat).within(within).load() {
            Err(Error::Start(outcome)) => assert_eq!(told(&outcome), "stopped wall", "{start}"),
            other => panic!("{start}: {other:?}"),
        }
        for policy in [POLICIES[1], POLICIES[2]] {
            let plugin = text(wat).within(within).policy(policy).load().unwrap();
            let error = plugin.call::<()>("f", &[1; 0]).unwrap_err();
            assert_eq!(told(&error.outcome), "stopped wall", "{start} {policy:?}");
        }
        assert!(began.elapsed() < SOON, "{start}");
    }
}

#[test]
fn a_plugin_that_loops_where_arguments_are_placed_is_stopped() {
    let wat = r#"(module (memory (export "memory") 1)
        (func (export "malloc") (param i32) (result i32) (loop (br 0)) unreachable)
        (func (export "f") (param i32 i32) (result i32) local.get 1))"#;
    for policy in POLICIES {
        let plugin = text(wat).policy(policy).within(Duration::from_millis(30)).load().unwrap();
        let error = plugin.call::<i32>("f", &("text",)).unwrap_err();
        assert_eq!(told(&error.outcome), "stopped wall", "{policy:?}");
    }
}

#[test]
fn a_typed_call_that_does_not_end_well_is_followed_by_one_that_does() {
    let plugin = text(HOSTILE).within(Duration::from_millis(20)).load().unwrap();
    let [spin, trap, answer] = ["spin", "trap", "answer"].map(|name| (name, &plugin));
    let spin = spin.1.typed::<i32, ()>(spin.0).unwrap();
    let trap = trap.1.typed::<i32, ()>(trap.0).unwrap();
    let answer = answer.1.typed::<i32, i32>(answer.0).unwrap();
    for at in 0..3 {
        assert_eq!(answer.call(at).unwrap(), at);
        assert_eq!(told(&spin.call(at).unwrap_err().outcome), "stopped wall");
        assert_eq!(told(&trap.call(at).unwrap_err().outcome), "trapped");
    }
}

#[test]
fn a_plugin_that_is_not_rebuilt_stays_ended() {
    let plugin = text(HOSTILE).rebuild(Rebuild::Never).load().unwrap();
    assert_eq!(plugin.call::<i32>("answer", &(1,)).unwrap(), 1);
    let error = plugin.call::<()>("trap", &(1,)).unwrap_err().to_string();
    assert_eq!(error, "the plugin trapped: wasm trap: wasm `unreachable` instruction executed");
    let error = plugin.call::<i32>("answer", &(1,)).unwrap_err();
    assert!(matches!(error.outcome, Outcome::Refused { why: Refusal::Event { .. } }), "{error}");
    assert!(error.to_string().contains("ended with an earlier call"), "{error}");
}

#[test]
fn a_guest_that_fails_by_itself_keeps_its_sandbox() {
    let plugin = quickstart("users.wasm").rebuild(Rebuild::Never).load().unwrap();
    for _ in 0..3 {
        assert!(plugin.call::<()>("transform_data", "no users").unwrap_err().is_failed());
        assert!(plugin.call_bytes("transform_data", &br#"{"users":[]}"#[..]).is_ok());
    }
}

#[test]
fn many_plugins_that_are_stopped_leave_nothing_behind() {
    let host = Host::builder().cache(None).sandboxes_max(4).build().unwrap();
    let plugin = |policy| {
        let wat = HOSTILE.as_bytes().to_vec();
        host.plugin(wat).policy(policy).within(SOON).load().unwrap()
    };
    let plugins = [plugin(Policy::Held), plugin(Policy::Fresh { sandboxes_max: 2 })];
    for at in 0..200 {
        let plugin = &plugins[at % 2];
        let spin = plugin.calling("spin").within(Duration::from_millis(3)).call::<()>(&(1,));
        assert_eq!(told(&spin.unwrap_err().outcome), "stopped wall");
    }
    // Each of these takes a sandbox, of four.
    for _ in 0..20 {
        let held = plugin(Policy::Held);
        assert_eq!(held.call::<i32>("answer", &(1,)).unwrap(), 1);
    }
}
