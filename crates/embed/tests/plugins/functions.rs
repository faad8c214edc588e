//! Functions that a host gives to its plugins.

use crate::world::{POLICIES, on_tokio, text};
use sandbar_embed::{
    Denial, Function, GrantKind, HostCall, HostError, LogLevel, Number, Outcome, Plugin, Policy, Resource,
};
use std::{
    sync::{Arc, Mutex, OnceLock},
    thread,
    time::{Duration, Instant},
};

/// Says hello to the host, and adds what it gets for it to its argument.
const CALLS: &str = r#"(module
    (import "env" "say" (func $say (param i32 i32 i64) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "hello")
    (func (export "run") (param i32) (result i32)
        (i32.add (local.get 0) (call $say (i32.const 16) (i32.const 5) (i64.const -7)))))"#;

#[test]
fn a_core_module_calls_a_closure_with_typed_arguments() {
    for policy in POLICIES {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let keep = heard.clone();
        let logged = Arc::new(Mutex::new(Vec::new()));
        let log = logged.clone();
        let plugin = text(CALLS)
            .policy(policy)
            .function("env", "say", move |call: &mut HostCall<'_>, (text, number): (String, i64)| {
                let who = call.context_as::<&str>().copied().unwrap_or("nobody");
                keep.lock().unwrap().push(format!("{text} {number} of {who}"));
                call.log(LogLevel::Debug, "heard\x1b").map(|()| 100)
            })
            .log(move |record| log.lock().unwrap().push((record.level, record.message)))
            .load()
            .unwrap();
        assert_eq!(plugin.calling("run").context("Ada").call::<i32>(&(1,)).unwrap(), 101);
        assert_eq!(plugin.call::<i32>("run", &(2,)).unwrap(), 102);
        assert_eq!(*heard.lock().unwrap(), ["hello -7 of Ada", "hello -7 of nobody"], "{policy:?}");
        assert_eq!(logged.lock().unwrap()[0], (LogLevel::Debug, "heard\\u{1b}".to_owned()));
        let (_, receipt) = plugin.calling("run").run(sandbar_embed::Input::Json(b"[1]".as_slice().into()));
        let receipt = receipt.unwrap();
        assert_eq!(receipt.grants.get(GrantKind::Functions), 1);
        assert_eq!(receipt.used.get(Resource::Log), Some(6));
        assert_eq!(receipt.used.get(Resource::BytesOut), Some(11), "the text that it read, and the log");
    }
    let plugin = text(CALLS).function("env", "say", |_: &mut HostCall<'_>, (_, _): (String, i64)| 5).load().unwrap();
    let run = plugin.typed::<i32, i32>("run").unwrap();
    assert_eq!(run.call(1).unwrap(), 6, "without a fiber");
}

#[test]
fn a_core_module_calls_a_closure_that_waits() {
    for policy in POLICIES {
        let plugin = text(CALLS)
            .policy(policy)
            .async_function("env", "say", |_: &mut HostCall<'_>, (text, number): (String, i64)| async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                text.len() as i32 - number as i32
            })
            .load()
            .unwrap();
        assert_eq!(plugin.call::<i32>("run", &(1,)).unwrap(), 13, "{policy:?}");
        assert_eq!(on_tokio(plugin.call_async::<i32>("run", &(1,))).unwrap(), 13, "{policy:?}");
        let error = plugin.calling("run").within(Duration::from_millis(3)).call::<i32>(&(1,)).unwrap_err();
        assert_eq!(error.outcome, Outcome::Stopped { limit: Resource::Wall }, "{policy:?}");
    }
}

/// A component that says hello to an interface of the host.
const COMPONENT: &str = r#"(component
    (import "acme:log/sink@1.2.0" (instance $sink
        (export "write" (func (param "text" string) (param "level" u8) (result (tuple u32 bool))))))
    (core module $libc (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
    (core instance $libc (instantiate $libc))
    (core func $write (canon lower (func $sink "write") (memory $libc "memory") (realloc (func $libc "realloc"))))
    (core module $m
        (import "host" "write" (func $write (param i32 i32 i32 i32)))
        (import "libc" "memory" (memory 1))
        (data (i32.const 16) "hello")
        (func (export "run") (result i32)
            (call $write (i32.const 16) (i32.const 5) (i32.const 3) (i32.const 64))
            (i32.add (i32.load (i32.const 64)) (i32.load8_u (i32.const 68)))))
    (core instance $m (instantiate $m
        (with "host" (instance (export "write" (func $write)))) (with "libc" (instance $libc))))
    (func (export "run") (result u32) (canon lift (core func $m "run"))))"#;

#[test]
fn a_component_calls_a_closure_by_its_interface() {
    for policy in POLICIES {
        for interface in ["acme:log/sink@1.2.0", "acme:log/sink"] {
            let sync = text(COMPONENT).policy(policy).interface_function(
                interface,
                "write",
                |_: &mut HostCall<'_>, (text, level): (String, u8)| {
                    assert_eq!(text, "hello");
                    Ok::<_, HostError>((u32::from(level) + 40, true))
                },
            );
            assert_eq!(sync.load().unwrap().call::<u32>("run", &()).unwrap(), 44, "{policy:?}");
            let later = text(COMPONENT).policy(policy).async_interface_function(
                interface,
                "write",
                |_: &mut HostCall<'_>, (_, level): (String, u8)| async move {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    Ok::<_, HostError>((u32::from(level), false))
                },
            );
            assert_eq!(later.load().unwrap().call::<u32>("run", &()).unwrap(), 3, "{policy:?}");
        }
        let wrong = text(COMPONENT).policy(policy).interface_function(
            "acme:log/sink",
            "write",
            |_: &mut HostCall<'_>, _: (String, u8)| Ok::<_, HostError>("not a pair"),
        );
        let error = wrong.load().unwrap().call::<u32>("run", &()).unwrap_err().to_string();
        assert!(error.contains("the result of `acme:log/sink@1.2.0#write`: expected `tuple<u32, bool>`"), "{error}");
    }
}

#[test]
fn a_function_that_fails_panics_or_refuses_ends_the_call_and_says_why() {
    type Does = fn(&mut HostCall<'_>, (u32, u32, i64)) -> Result<i32, HostError>;
    let cases: [(&str, Does, &str); 4] = [
        ("fault", |_, _| Err("the disk is full".into()), "the host's function `env.say` failed: the disk is full"),
        ("fault", |_, _| panic!("at the {}", "disk"), "it panicked: at the disk"),
        ("refused", |_, _| Err(HostError::Denied(Denial::new(GrantKind::Functions, "the disk", ""))), "the disk"),
        ("fault", |call, _| call.read(u32::MAX, 2).map(|_| 0), "of its memory of 65536 bytes"),
    ];
    for policy in POLICIES {
        for (kind, does, why) in cases {
            let plugin = text(CALLS).policy(policy).function("env", "say", does).load().unwrap();
            for _ in 0..2 {
                let error = plugin.call::<i32>("run", &(1,)).unwrap_err();
                assert_eq!(error.outcome.kind().key(), kind, "{error} {policy:?}");
                assert!(error.to_string().contains(why), "{error} {policy:?}");
                let receipt = error.receipt.unwrap();
                assert!(
                    !serde_json::to_string(&receipt).unwrap().contains("disk is full"),
                    "a receipt tells no secrets"
                );
                assert_eq!(receipt.denials.len(), usize::from(kind == "refused"));
            }
            if policy == Policy::Held {
                let run = plugin.typed::<i32, i32>("run").unwrap();
                assert_eq!(run.call(1).unwrap_err().outcome.kind().key(), kind);
            }
        }
    }
}

/// A guest of which something waits, as nearly all of WASI does, was trapped by a call with types.
#[test]
fn a_typed_call_of_a_guest_that_may_wait() {
    let waits = r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32))) (memory (export "memory") 1)
        (func (export "run") (param i32) (result i32) (i32.add (call $yield) (local.get 0))))"#;
    let plugin = text(waits).load().unwrap();
    let run = plugin.typed::<i32, i32>("run").unwrap();
    assert_eq!((run.call(1).unwrap(), run.call(2).unwrap()), (1, 2));
    let plugin = text(CALLS)
        .async_function("env", "say", |_: &mut HostCall<'_>, (_, _): (String, i64)| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            1
        })
        .load()
        .unwrap();
    assert_eq!(plugin.typed::<i32, i32>("run").unwrap().call(1).unwrap(), 2);
}

/// Waits for so many milliseconds, and gives whether nothing interrupted that.
fn is_left_alone(wait_ms: i64) -> bool {
    let nanoseconds = rustix::thread::Timespec { tv_sec: 0, tv_nsec: wait_ms * 1_000_000 };
    matches!(rustix::thread::nanosleep(&nanoseconds), rustix::thread::NanosleepRelativeResult::Ok)
}

/// Signals that interrupt guests interrupted what functions of the host had the system do: `nanosleep`, `poll` and others end
/// with `EINTR` then.
#[test]
fn no_signal_interrupts_a_function_of_the_host_and_deadlines_hold() {
    const LOOPS: &str = r#"(module
        (import "env" "wait" (func $wait (result i32)))
        (func (export "run") (param i32) (result i32) (local $alone i32)
            (loop $again
                (local.set $alone (i32.add (local.get $alone) (call $wait)))
                (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (local.get $alone)))"#;
    let spin = text(r#"(module (func (export "spin") (param i32) (loop (br 0))))"#);
    let spin = spin.within(Duration::from_millis(5)).load().unwrap();
    for policy in POLICIES {
        let spin = spin.clone();
        let plugin = text(LOOPS).policy(policy).within(Duration::from_millis(200));
        let plugin = plugin.function("env", "wait", move |call: &mut HostCall<'_>, (): ()| {
            // What is logged goes to the host program too, and back to this function.
            call.log(LogLevel::Info, "waits").unwrap();
            let before = is_left_alone(4);
            // A plugin that is called from there is interrupted, and what comes after it is not.
            let stopped = spin.call::<()>("spin", &(1,)).is_err();
            i32::from(before && stopped && is_left_alone(4))
        });
        let plugin = plugin.load().unwrap();
        assert_eq!(plugin.call::<i32>("run", &(5,)).unwrap(), 5, "{policy:?}");
        // Hardly a signal would find the guest in its own code.
        let error = plugin.call::<i32>("run", &(0,)).unwrap_err();
        assert_eq!(error.outcome, Outcome::Stopped { limit: Resource::Wall }, "{policy:?}");
        assert!(error.receipt.unwrap().used.get(Resource::Wall).is_some_and(|ns| ns < 1_000_000_000), "{policy:?}");
    }
    let later = text(LOOPS).async_function("env", "wait", |_: &mut HostCall<'_>, (): ()| async { is_left_alone(4) });
    assert_eq!(later.load().unwrap().call::<i32>("run", &(5,)).unwrap(), 5);
}

#[test]
fn a_function_that_blocks_past_the_deadline_ends_the_call_when_it_comes_back() {
    for policy in POLICIES {
        let plugin = text(CALLS)
            .policy(policy)
            .within(Duration::from_millis(20))
            .function("env", "say", |_: &mut HostCall<'_>, _: (String, i64)| {
                thread::sleep(Duration::from_millis(60));
                1
            })
            .load()
            .unwrap();
        let began = Instant::now();
        let error = plugin.call::<i32>("run", &(1,)).unwrap_err();
        assert_eq!(error.outcome, Outcome::Stopped { limit: Resource::Wall }, "{policy:?}");
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}

#[test]
fn a_function_can_call_another_plugin_and_not_the_one_that_waits_for_it() {
    for policy in POLICIES {
        let adds = text(
            r#"(module (func (export "add") (param i32 i32) (result i32)
            (i32.add (local.get 0) (local.get 1))))"#,
        );
        let adds = adds.policy(policy).load().unwrap();
        let itself: Arc<OnceLock<Plugin>> = Arc::default();
        let again = itself.clone();
        let plugin = text(CALLS)
            .policy(policy)
            .within(Duration::from_secs(2))
            .function("env", "say", move |call: &mut HostCall<'_>, (_, number): (String, i64)| {
                match call.context_as::<bool>() {
                    Some(true) => again.get().unwrap().call::<i32>("run", &(1,)).map_err(|error| error.to_string()),
                    _ => adds.call::<i32>("add", &(number as i32, 20)).map_err(|error| error.to_string()),
                }
            })
            .load()
            .unwrap();
        itself.set(plugin.clone()).unwrap();
        assert_eq!(plugin.call::<i32>("run", &(1,)).unwrap(), 14, "{policy:?}");
        let again = plugin.calling("run").context(true).call::<i32>(&(1,));
        match policy {
            Policy::Held => {
                let error = again.unwrap_err().to_string();
                assert!(error.contains("the plugin is in a call that this call is part of"), "{error}");
            }
            // Another sandbox serves the inner one.
            Policy::Reused { .. } | Policy::Fresh { .. } => assert_eq!(again.unwrap(), 1 + 1 + 13),
        }
    }
}

#[test]
fn what_does_not_fit_the_import_is_told_when_the_plugin_is_loaded() {
    let error = |builder: sandbar_embed::PluginBuilder| builder.load().unwrap_err().to_string();
    let wrong = error(text(CALLS).function("env", "say", |_: &mut HostCall<'_>, (): ()| 1));
    assert!(
        wrong.contains("the guest expects `(i32, i32, i64) -> (i32)`, and the host's function is `() -> (i32)`"),
        "{wrong}"
    );
    let values = Function::default().values(|_, _| Ok("1".into()));
    assert!(error(text(CALLS).add("env", "say", values)).contains("to components only"));
    let numbers = Function::default().numbers(None, |_, _, _| Ok(()));
    assert!(error(text(COMPONENT).add("acme:log/sink", "write", numbers)).contains("to core modules only"));
}

#[test]
fn a_function_without_a_signature_goes_by_the_import() {
    let dynamic = Function::default().numbers(None, |_, params, results| {
        assert_eq!(params, [Number::I32(16), Number::I32(5), Number::I64(-7)]);
        results[0] = Number::I32(params.len() as i32);
        Ok(())
    });
    assert_eq!(text(CALLS).add("env", "say", dynamic).load().unwrap().call::<i32>("run", &(1,)).unwrap(), 4);
    let wrong = Function::default().numbers(None, |_, _, results| {
        results[0] = Number::F64(1.0);
        Ok(())
    });
    let error = text(CALLS).add("env", "say", wrong).load().unwrap().call::<i32>("run", &(1,)).unwrap_err();
    assert!(error.to_string().contains("it gave [F64(1.0)] where `() -> (i32)` is expected"), "{error}");
}

#[test]
fn a_storm_of_calls_to_the_host_is_stopped_like_anything_else() {
    const STORM: &str = r#"(module (import "env" "nothing" (func $nothing))
        (func (export "run") (param i32) (loop (call $nothing) (br 0))))"#;
    for policy in POLICIES {
        let plugin = text(STORM)
            .policy(policy)
            .within(Duration::from_millis(30))
            .function("env", "nothing", |_: &mut HostCall<'_>, (): ()| ())
            .load()
            .unwrap();
        let error = plugin.call::<()>("run", &(1,)).unwrap_err();
        assert_eq!(error.outcome, Outcome::Stopped { limit: Resource::Wall }, "{policy:?}");
        assert!(error.receipt.unwrap().grants.get(GrantKind::Functions) > 100);
    }
}

/// Calls the host all the time.
const ALWAYS: &str = r#"(module (import "env" "say" (func $say (param i32 i32 i64) (result i32)))
    (memory (export "memory") 1)
    (func (export "run") (param i32) (result i32)
        (loop (br_if 0 (call $say (i32.const 0) (i32.const 0) (i64.const 1)))) i32.const 0))"#;

/// Ticks go to the innermost call on a thread: an outer one that made short ones all the time, or one that never ended, was not
/// ended by its own deadline.
#[test]
fn a_call_that_waits_for_another_plugin_ends_in_time() {
    for policy in POLICIES {
        for (export, argument) in [("answer", 1), ("spin", 1)] {
            let inner = text(
                r#"(module (func (export "spin") (param i32) (result i32) (loop (br 0)) unreachable)
                (func (export "answer") (param i32) (result i32) local.get 0))"#,
            );
            let inner = inner.within(Duration::from_secs(60)).load().unwrap();
            let typed = inner.typed::<i32, i32>(export).unwrap();
            let plugin = text(ALWAYS)
                .policy(policy)
                .within(Duration::from_millis(40))
                .function("env", "say", move |_: &mut HostCall<'_>, _: (u32, u32, i64)| {
                    typed.call(argument).map_err(|error| error.to_string())
                })
                .load()
                .unwrap();
            let began = Instant::now();
            let error = plugin.call::<i32>("run", &(1,)).unwrap_err();
            assert_eq!(error.outcome, Outcome::Stopped { limit: Resource::Wall }, "{export} {policy:?}");
            assert!(began.elapsed() < Duration::from_secs(10), "{export} {policy:?}");
        }
    }
}

#[test]
fn typed_calls_do_not_lie_in_each_other_without_end() {
    let chain: Arc<Mutex<Vec<sandbar_embed::TypedFunction<i32, i32>>>> = Arc::default();
    for _ in 0..6 {
        let links = chain.clone();
        let plugin = text(CALLS)
            .function("env", "say", move |_: &mut HostCall<'_>, _: (u32, u32, i64)| {
                let next = links.lock().unwrap().pop();
                next.map_or(Ok(1), |next| next.call(1).map_err(|error| error.to_string()))
            })
            .load()
            .unwrap();
        let typed = plugin.typed::<i32, i32>("run").unwrap();
        chain.lock().unwrap().push(typed);
    }
    let first = chain.lock().unwrap().pop().unwrap();
    let error = first.call(1).unwrap_err().to_string();
    assert!(error.contains("too many calls lie in each other on this thread"), "{error}");
}

/// What was said of a typed call that failed was logged as of the call before it, and not told to who made it.
#[test]
fn a_typed_call_is_not_taken_for_the_one_before() {
    let records = Arc::new(Mutex::new(Vec::new()));
    let keep = records.clone();
    let plugin = text(CALLS)
        .function("env", "say", |call: &mut HostCall<'_>, _: (u32, u32, i64)| {
            call.context_as::<bool>().map(|_| 1).ok_or("there is no context")
        })
        .log(move |record| keep.lock().unwrap().push(record))
        .load()
        .unwrap();
    let run = plugin.typed::<i32, i32>("run").unwrap();
    assert_eq!(plugin.calling("run").context(true).call::<i32>(&(1,)).unwrap(), 2);
    let error = run.call(1).unwrap_err().to_string();
    assert!(error.contains("there is no context"), "{error}");
    let records = records.lock().unwrap();
    assert_eq!(records[0].call, sandbar_embed::CallId::default(), "{records:?}");
}
