//! What a plugin has beside functions of its host: a log, state, other plugins.

use crate::world::{POLICIES, host};
use sandbar_embed::{GrantKind, LogLevel, Outcome, State};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// Counts in its state, under the key `n`: one byte.
const COUNTS: &str = r#"(module
    (import "sandbar" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "sandbar" "state_set" (func $set (param i32 i32 i32 i32) (result i32)))
    (import "sandbar" "state_delete" (func $delete (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "n")
    (func (export "count") (param i32) (result i32)
        (drop (call $get (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 1)))
        (i32.store8 (i32.const 8) (i32.add (i32.load8_u (i32.const 8)) (local.get 0)))
        (if (call $set (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 1)) (then (unreachable)))
        (i32.load8_u (i32.const 8)))
    (func (export "length") (param i32) (result i32)
        (call $get (i32.const 0) (i32.const 1) (i32.const 8) (local.get 0)))
    (func (export "fill") (param i32) (result i32)
        (call $set (i32.const 0) (i32.const 1) (i32.const 0) (local.get 0)))
    (func (export "forget") (param i32) (result i32)
        (call $delete (i32.const 0) (i32.const 1))))"#;

#[test]
fn state_stays_between_calls_and_over_replacements() {
    for policy in POLICIES {
        let state = State::bounded(1_000);
        let plugin = host().plugin(COUNTS.as_bytes()).policy(policy).state(&state).load().unwrap();
        for expected in [2, 4, 6] {
            assert_eq!(plugin.call::<i32>("count", &(2,)).unwrap(), expected, "{policy:?}");
        }
        plugin.replace(COUNTS.as_bytes()).unwrap();
        assert_eq!(plugin.call::<i32>("count", &(2,)).unwrap(), 8, "{policy:?}");
        assert_eq!(state.get("n").as_deref(), Some(&[8][..]));
        assert_eq!(plugin.call::<i32>("fill", &(2_000,)).unwrap(), -1, "there is no room");
        assert_eq!(plugin.call::<i32>("fill", &(500,)).unwrap(), 0);
        assert_eq!(plugin.call::<i32>("length", &(10,)).unwrap(), 500, "a buffer that is too small");
        assert_eq!(plugin.call::<i32>("forget", &(0,)).unwrap(), 1);
        assert_eq!(plugin.call::<i32>("length", &(0,)).unwrap(), -1);
        assert!(state.keys().is_empty() && state.set("n", &[0; 935]) && !state.set("m", &[]));
        let (_, receipt) = plugin.calling("forget").run(sandbar_embed::Input::Json("[0]".into()));
        assert_eq!(receipt.unwrap().grants.get(GrantKind::State), 1);
    }
    let error = host().plugin(COUNTS.as_bytes()).load().unwrap_err().to_string();
    assert!(error.contains("state_get"), "it is not granted: {error}");
}

/// Calls `double` of the plugin named `other` with `[21]`, and gives the answer's length and what it begins with.
const ASKS: &str = r#"(module
    (import "sandbar" "plugin_call" (func $call (param i32 i32 i32 i32 i32 i32) (result i64)))
    (import "sandbar" "plugin_answer" (func $answer (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "otherdouble[21]fail")
    (func (export "ask") (param i32) (result i64) (local $length i64)
        (local.set $length (call $call (i32.const 0) (i32.const 5) (i32.const 5) (i32.const 6) (i32.const 11) (i32.const 4)))
        (drop (call $answer (i32.const 100) (i32.const 100)))
        (i64.or (i64.shl (local.get $length) (i64.const 32)) (i64.load16_u (i32.const 100))))
    (func (export "stranger") (param i32) (result i64)
        (call $call (i32.const 0) (i32.const 4) (i32.const 5) (i32.const 6) (i32.const 11) (i32.const 4)))
    (func (export "nothing") (param i32) (result i32) (call $answer (i32.const 0) (i32.const 1))))"#;

#[test]
fn plugins_call_those_that_they_are_granted() {
    let double = r#"(module (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))"#;
    for policy in POLICIES {
        let other = host().plugin(double.as_bytes()).policy(policy).load().unwrap();
        let asks = host().plugin(ASKS.as_bytes()).policy(policy).may_call("other", &other).load().unwrap();
        let answer = i64::from(u16::from_le_bytes(*b"42"));
        assert_eq!(asks.call::<i64>("ask", &(0,)).unwrap(), (2 << 32) | answer, "{policy:?}");

        let error = asks.call::<i64>("stranger", &(0,)).unwrap_err();
        assert!(matches!(error.outcome, Outcome::Refused { .. }), "{error}");
        let receipt = error.receipt.unwrap();
        assert_eq!((receipt.denials[0].grant, &*receipt.denials[0].asked), (GrantKind::Plugins, "othe#double"));
        let error = asks.call::<i32>("nothing", &(0,)).unwrap_err().to_string();
        assert!(error.contains("there is no answer of another plugin"), "{error}");

        // What becomes of the other one is an answer.
        other.replace(&br#"(module (func (export "double") (param i32) (result i32) unreachable))"#[..]).unwrap();
        let trapped = asks.call::<i64>("ask", &(0,)).unwrap();
        assert!(trapped >> 32 < -1, "{trapped}");
    }
}

#[test]
fn plugins_that_call_each_other_come_to_an_end() {
    // One asks the other, which asks the first of all, which is held.
    let first = host().plugin(ASKS.as_bytes()).load().unwrap_err().to_string();
    assert!(first.contains("plugin_call"), "it is not granted: {first}");
    let last = host()
        .plugin(&br#"(module (func (export "double") (param i32) (result i32) local.get 0))"#[..])
        .load()
        .unwrap();
    let asks = r#""double") (param i32) (result i64)"#;
    let chained = ASKS.replace(r#""ask") (param i32) (result i64)"#, asks);
    let chain = (0..12)
        .fold(last, |next, _| host().plugin(chained.clone().into_bytes()).may_call("other", &next).load().unwrap());
    let came = chain.call::<i64>("double", &(0,)).unwrap();
    assert_ne!(came, 0, "the call that lies too deep is an answer to the one before it");
}

#[test]
fn every_plugin_has_a_log() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keep = heard.clone();
    let plugin = r#"(module
        (import "env" "host_log" (func $log (param i32 i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "hot")
        (func (export "tell") (param i32) (call $log (local.get 0) (i32.const 0) (i32.const 3))))"#;
    let plugin = host()
        .plugin(plugin.as_bytes())
        .log(move |record| keep.lock().unwrap().push((record.level, record.message)))
        .load()
        .unwrap();
    for level in [2, 3, 99] {
        plugin.call::<()>("tell", &json!([level])).unwrap();
    }
    let levels = [LogLevel::Info, LogLevel::Warn, LogLevel::Error].map(|level| (level, "hot".to_owned()));
    assert_eq!(*heard.lock().unwrap(), levels);
}
