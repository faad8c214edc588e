//! What a plugin is loaded with, as data; and functions whose types are data too.

use crate::world::{quickstart, text};
use sandbar_embed::{
    Host, HostError, Interruption, Outcome, Resource,
    dynamic::{self, Given, Gives, Value as Passed},
};
use serde_json::{Value, json};

#[test]
fn every_option_is_taken() {
    let options = json!({
        "name": "filter", "base": ".", "config": {"color": "red"}, "rebuild": false, "fuel_metered": true,
        "grants": {"args": ["-v"], "env": ["A=b"], "dir": [".::/data:ro"], "clock": "fine", "random": true,
            "http": ["https://example.com"], "tcp": [], "udp": [], "lookup": ["*"]},
        "limits": {"wall": "2s", "memory": "16MiB", "output": 1000, "fuel": "none", "log": 0},
        "sandboxes_max": 3, "sandbox": {"reuse": 5, "idle": "1s"}, "probation": {"calls": 10, "failures": 2},
        "results": {"greet": "text"}, "state": "1KiB",
    });
    let plugin = quickstart("users.wasm").options(&options).unwrap().load().unwrap();
    assert_eq!(&*plugin.name(), "filter");
    let limits =
        [Resource::Wall, Resource::Memory, Resource::Output, Resource::Log].map(|limit| plugin.limits().most(limit));
    assert_eq!(limits, [2_000_000_000, 16 << 20, 1_000, 0]);
    plugin.call::<Value>("transform_data", &json!({"users": []})).unwrap();
}

#[test]
fn what_is_not_an_option_is_told_with_what_is() {
    for (options, said) in [
        (json!([]), "expected an object of option, found `[]`"),
        (json!({"limit": {}}), "unknown option `limit`; did you mean `limits`?"),
        (json!({"nothing": 1}), "unknown option `nothing`; expected one of name, base, grants"),
        (json!({"limits": {"wall": 2}}), "`limits`: `wall`: expected a duration of more than zero"),
        (json!({"limits": {"memory": "1.5GiB"}}), "`limits`: `memory`: expected a number of bytes"),
        (json!({"limits": {"memori": 1}}), "unknown limit `memori`; did you mean `memory`?"),
        (json!({"grants": {"htpp": []}}), "unknown grant `htpp`; did you mean `http`?"),
        (json!({"grants": {"env": "A=b"}}), "`grants`: `env`: expected a list of texts, found `\"A=b\"`"),
        (json!({"grants": {"random": "yes"}}), "`grants`: `random`: expected `true` or `false`"),
        (json!({"sandbox": "warm"}), "`sandbox`: expected \"held\", \"fresh\""),
        (json!({"sandbox": {"reuse": 0}}), "`sandbox`: expected a whole number from 1"),
        (json!({"sandbox": {"reuse": 1, "idel": "1s"}}), "did you mean `idle`?"),
        (json!({"results": {"greet": "string"}}), "unknown kind of result `string`; expected one of text, bytes"),
        (json!({"config": {"a": 1}}), "`config`: `a`: expected a text, found `1`"),
        (json!({"probation": {"calls": 1}}), "expected the key `failures`"),
        (json!({"state": "much"}), "`state`: expected a number of bytes, or a size such as `64KiB`, found `\"much\"`"),
    ] {
        let error = quickstart("users.wasm").options(&options).unwrap_err().to_string();
        assert!(error.contains(said), "{options}: {error}");
    }
    let error = quickstart("users.wasm").options(&json!({"grants": {"http": ["nowhere"]}})).unwrap().load();
    assert!(error.unwrap_err().to_string().contains("nowhere"), "an entry's form is told when it is loaded");
}

/// Hands on what it gets.
const HANDS_ON: &str = r#"(module
    (import "env" "f" (func $f (param i32 i64 f64 i32 i32 i32) (result i64)))
    (import "env" "plain" (func $plain (param i32 f32) (result f32)))
    (memory (export "memory") 1) (data (i32.const 8) "text")
    (func (export "hands_on") (param i32) (result i64)
        (call $f (local.get 0) (i64.const -5) (f64.const 1.5) (i32.const 8) (i32.const 4) (i32.const 1)))
    (func (export "plain") (param i32) (result f32) (call $plain (local.get 0) (f32.const 2.5))))"#;

#[test]
fn functions_by_forms_that_are_data() {
    let returning = |gives: Gives| {
        let form = "(u32, i64, f64, text, bool) -> i64".parse().unwrap();
        let function = dynamic::function(Some(form), move |_, given| {
            let Given::Values(values) = given else { return Err("expected values".into()) };
            let expected = [
                Passed::Uint(u64::from(u32::MAX)),
                Passed::Int(-5),
                Passed::Float(1.5),
                Passed::Text("text".into()),
                Passed::Bool(true),
            ];
            if values == expected { Ok(gives.clone()) } else { Err(HostError::Failed(format!("{values:?}"))) }
        });
        let plain = dynamic::function(None, |_, given| match given {
            Given::Values(values) => Ok(Gives::Value(values[1].clone())),
            Given::Json(_) => Err("expected values".into()),
        });
        text(HANDS_ON).add("env", "f", function).add("env", "plain", plain).load().unwrap()
    };
    for (gives, came) in [
        (Passed::Int(-7), json!(-7)),
        (Passed::Uint(u64::MAX), json!(-1)),
        (Passed::Float(3.0), json!(3)),
        (Passed::Bool(true), json!(1)),
    ] {
        let plugin = returning(Gives::Value(gives));
        assert_eq!(plugin.call::<Value>("hands_on", &(-1,)).unwrap(), came);
        assert_eq!(plugin.call::<f32>("plain", &(1,)).unwrap(), 2.5);
    }
    for (gives, said) in [
        (Gives::Value(Passed::Float(0.5)), "it gave 0.5, and its guest expects `i64`"),
        (Gives::Value(Passed::Text("x".into())), "it gave a text, and its guest expects `i64`"),
        (Gives::Nothing, "it gave nothing, and its guest expects `i64`"),
    ] {
        let error = returning(gives).call::<Value>("hands_on", &(-1,)).unwrap_err();
        assert!(matches!(error.outcome, Outcome::Fault { .. }) && error.to_string().contains(said), "{error}");
    }
    for (form, said) in [
        ("i32", "expected a form such as `(i32, text) -> i64`, found `i32`"),
        ("(string)", "unknown type `string`; expected one of i32, u32"),
        ("() -> text", "can't give `text` to a core module"),
        ("() i32", "expected a form"),
    ] {
        let error = form.parse::<dynamic::Form>().unwrap_err().to_string();
        assert!(error.contains(said), "{form}: {error}");
    }
}

#[test]
fn deadlines_hold_by_epochs_too() {
    let host = Host::builder().cache(None).sandboxes_max(4).interruption(Interruption::Epochs).build().unwrap();
    let spin = r#"(module (func (export "spin") (param i32) (loop (br 0))) (func (export "add") (param i32) (result i32) local.get 0))"#;
    let plugin = host.plugin(spin.as_bytes()).options(&json!({"limits": {"wall": "50ms"}})).unwrap().load().unwrap();
    for _ in 0..3 {
        let error = plugin.call::<()>("spin", &(1,)).unwrap_err();
        assert_eq!(error.outcome, Outcome::Stopped { limit: Resource::Wall });
        assert_eq!(plugin.call::<i32>("add", &(4,)).unwrap(), 4);
    }
}

#[test]
fn a_function_gives_one_value_at_most() {
    let two = r#"(module (import "env" "two" (func $two (result i32 i32)))
        (func (export "ask") (param i32) (result i32) (call $two) drop))"#;
    let function = dynamic::function(None, |_, _| Ok(Gives::Value(Passed::Int(1))));
    let error = text(two).add("env", "two", function).load().unwrap().call::<i32>("ask", &(0,)).unwrap_err();
    assert!(error.to_string().contains("it gives one value at most, and its guest expects 2"), "{error}");
}
