//! Calls that end well, in every way a host can talk to a plugin.

use crate::world::{POLICIES, host, on_tokio, quickstart, text};
use sandbar_embed::{Answer, GrantKind, Input, Outcome, Policy, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

#[derive(Serialize)]
struct Users {
    users: Vec<User>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct User {
    name: String,
    age: u32,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Filtered {
    filtered_users: Vec<User>,
    processed_count: u32,
}

fn users() -> Users {
    let user = |name: &str, age| User { name: name.into(), age };
    Users { users: vec![user("Ada", 36), user("Tim", 19)] }
}

#[test]
fn values_go_in_and_out_by_stdin_and_stdout_whatever_the_sandboxes() {
    for policy in POLICIES {
        let plugin = quickstart("users.wasm").policy(policy).load().unwrap();
        assert_eq!(plugin.exports(), ["transform_data"]);
        for _ in 0..3 {
            let filtered: Filtered = plugin.call("transform_data", &users()).unwrap();
            assert_eq!(filtered.filtered_users, users().users[..1]);
            assert_eq!(filtered.processed_count, 2);
        }
        let users = users();
        let asked = plugin.call_async::<Filtered>("transform_data", &users);
        assert_eq!(on_tokio(asked).unwrap().processed_count, 2, "on the runtime of an async host");
        let output = plugin.call_bytes("transform_data", &br#"{"users":[]}"#[..]).unwrap();
        assert_eq!(output, &br#"{"filtered_users":[],"processed_count":0}"#[..]);
    }
}

#[test]
fn numbers_and_lists_of_core_modules() {
    let plugin = quickstart("sensor.wasm").load().unwrap();
    assert_eq!(plugin.call::<i32>("validate_sensor_reading", &(42,)).unwrap(), 42);
    assert_eq!(plugin.call::<i32>("validate_sensor_reading", &42).unwrap(), 42, "the only argument");
    assert_eq!(plugin.call::<i32>("calculate_average", &([20, 22, 27],)).unwrap(), 23);
    let validate = plugin.typed::<i32, i32>("validate_sensor_reading").unwrap();
    assert_eq!(validate.call(7).unwrap(), 7);
    let error = plugin.typed::<i64, i32>("validate_sensor_reading").err().unwrap().to_string();
    assert!(error.contains("refused") && error.contains("type mismatch"), "{error}");
    let pooled = quickstart("sensor.wasm").policy(Policy::Fresh { sandboxes_max: 1 }).load().unwrap();
    let error = pooled.typed::<i32, i32>("validate_sensor_reading").err().unwrap().to_string();
    assert!(error.contains("only where the plugin is held"), "{error}");
}

/// A component that says how long a text is, exported by an interface.
const LENGTH: &str = r#"(component
    (core module $m
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 64)
        (func (export "length") (param i32 i32) (result i32) local.get 1))
    (core instance $m (instantiate $m))
    (func $length (param "text" string) (result u32)
        (canon lift (core func $m "length") (memory $m "memory") (realloc (func $m "realloc"))))
    (instance $texts (export "length" (func $length)))
    (export "acme:texts/measure@1.0.0" (instance $texts)))"#;

#[test]
fn typed_interfaces_of_components_by_full_or_short_name() {
    for policy in POLICIES {
        let plugin = text(LENGTH).policy(policy).load().unwrap();
        for name in ["acme:texts/measure@1.0.0#length", "length"] {
            assert_eq!(plugin.call::<u32>(name, &("four",)).unwrap(), 4, "{name}");
            assert_eq!(plugin.call::<u32>(name, &json!({"text": "by name"})).unwrap(), 7, "{name}");
        }
        let error = plugin.call::<u32>("length", &(1,)).unwrap_err();
        assert!(matches!(error.outcome, Outcome::Refused { .. }), "{error}");
        assert!(error.to_string().contains("expected `string`, found `1`"), "{error}");
        let error = plugin.call::<String>("length", &("four",)).unwrap_err();
        assert!(error.outcome == Outcome::Done && error.to_string().contains("is not what was asked for"), "{error}");
        let error = plugin.call::<u32>("width", &("four",)).unwrap_err();
        assert!(error.to_string().contains("no export `width`"), "{error}");
    }
}

/// Counts in a global how often it was called.
const COUNTS: &str = r#"(module (global $n (mut i32) (i32.const 0))
    (func (export "count") (param i32) (result i32)
        (global.set $n (i32.add (global.get $n) (local.get 0))) (global.get $n)))"#;

#[test]
fn held_sandboxes_keep_what_fresh_ones_forget() {
    let counted = |policy| {
        let plugin = text(COUNTS).policy(policy).load().unwrap();
        [1, 2, 3].map(|by| plugin.call::<i32>("count", &(by,)).unwrap())
    };
    assert_eq!(POLICIES.map(counted), [[1, 3, 6], [1, 3, 6], [1, 2, 3]]);
}

#[test]
fn every_call_ends_in_a_receipt() {
    for policy in POLICIES {
        let receipts = Arc::new(Mutex::new(Vec::new()));
        let keep = receipts.clone();
        let on_receipt = move |receipt: &sandbar_embed::Receipt| keep.lock().unwrap().push(receipt.clone());
        let plugin = quickstart("users.wasm").name("users").policy(policy).on_receipt(on_receipt).load().unwrap();
        let (answer, receipt) = plugin.calling("transform_data").run(Input::Json(b"{\"users\":[]}".as_slice().into()));
        assert!(matches!(answer, Ok(Answer::Output(_))));
        let receipt = receipt.unwrap();
        assert_eq!(&*receipt.guest, "users");
        assert_eq!((&*receipt.origin.trigger, &*receipt.origin.source), ("host", "transform_data"));
        assert_eq!(receipt.outcome, Outcome::Done);
        assert_eq!(receipt.used.get(Resource::BytesIn), Some(12));
        assert_eq!(receipt.used.get(Resource::Output), Some(41));
        assert!(receipt.grants.get(GrantKind::Stdio) > 0);
        let error = plugin.call::<Value>("transform_data", "no users").unwrap_err();
        assert!(error.is_failed(), "{error}");
        assert_eq!(error.receipt.unwrap().outcome, error.outcome);
        assert_eq!(receipts.lock().unwrap().len(), 2);
    }
}

#[test]
fn a_plugin_that_is_pooled_is_called_by_many_threads_at_once() {
    const SLOW: &str = r#"(module (import "env" "rest" (func $rest)) (func (export "run") (call $rest)))"#;
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (counted, seen) = (now.clone(), most.clone());
    let plugin = text(SLOW)
        .policy(Policy::Reused { sandboxes_max: 8, calls: 1_000, idle: Duration::from_secs(1) })
        .function("env", "rest", move |_: &mut sandbar_embed::HostCall<'_>, (): ()| {
            seen.fetch_max(counted.fetch_add(1, Relaxed) + 1, Relaxed);
            thread::sleep(Duration::from_millis(5));
            counted.fetch_sub(1, Relaxed);
        })
        .load()
        .unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| plugin.call("run", &()).unwrap()));
        }
    });
    assert!(most.load(Relaxed) > 4, "{} at one time", most.load(Relaxed));
    assert_eq!(now.load(Relaxed), 0);
}

#[test]
fn calls_of_a_held_plugin_wait_for_each_other() {
    let plugin = text(COUNTS).load().unwrap();
    let count = plugin.typed::<i32, i32>("count").unwrap();
    thread::scope(|scope| {
        for at in 0..4 {
            let (plugin, count) = (&plugin, &count);
            scope.spawn(move || {
                for _ in 0..500 {
                    if at % 2 == 0 {
                        count.call(1).unwrap();
                    } else {
                        plugin.call::<i32>("count", &(1,)).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(count.call(0).unwrap(), 2_000);
}

#[test]
fn a_host_that_goes_while_nothing_runs_takes_no_time() {
    let host = sandbar_embed::Host::builder().cache(None).sandboxes_max(2).build().unwrap();
    let plugin = host.plugin(COUNTS.as_bytes().to_vec()).load().unwrap();
    drop(host);
    assert_eq!(plugin.call::<i32>("count", &(1,)).unwrap(), 1, "a plugin keeps its host");
    let began = Instant::now();
    drop(plugin);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_nobody_gives_is_told_with_its_name() {
    let error = text(r#"(module (import "env" "missing" (func (param i32))) (func (export "f")))"#).load().unwrap_err();
    let error = error.to_string();
    assert!(error.contains("`env.missing`") && error.contains("nobody provides it"), "{error}");
    let error = host().plugin("no/such.wasm").load().unwrap_err().to_string();
    assert!(error.contains("can't read `no/such.wasm`"), "{error}");
    let error = text("(module)").grant(GrantKind::Http, "not a url").load().unwrap_err().to_string();
    assert!(error.contains("is not a `http` grant"), "{error}");
}

#[test]
fn a_typed_call_has_a_receipt_where_somebody_wants_it() {
    let receipts = Arc::new(Mutex::new(Vec::new()));
    let keep = receipts.clone();
    let plugin = text(COUNTS).on_receipt(move |receipt| keep.lock().unwrap().push(receipt.clone())).load().unwrap();
    let count = plugin.typed::<i32, i32>("count").unwrap();
    (0..3).for_each(|_| drop(count.call(1).unwrap().to_string()));
    let receipts = receipts.lock().unwrap();
    assert_eq!(receipts.len(), 3);
    assert!(receipts.iter().all(|receipt| receipt.used.get(Resource::Wall) > Some(0)), "{receipts:?}");
    assert_eq!(receipts[2].sandbox.unwrap().call, 3);
}
