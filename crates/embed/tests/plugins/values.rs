//! Values that plain numbers and JSON don't tell: what lies in a module's memory, and resources of components.

use crate::world::{host, text};
use sandbar_embed::{InMemory, Outcome, Policy};
use serde_json::{Value, json};
use std::path::Path;

/// What lies where `InMemory` looks, in all three forms.
const LEAVES: &str = r#"(module
    (memory (export "memory") 1)
    (data (i32.const 16) "h\c3\a9llo")
    (data (i32.const 32) "\01\00\00\00\fe\ff\ff\ff\00\00\c0\3f")
    (data (i32.const 64) "\10\00\00\00\06\00\00\00")
    (func (export "pair") (param i32 i32) (result i32 i32) (local.get 0) (local.get 1))
    (func (export "packed") (param i32 i32) (result i64)
        (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
    (func (export "area") (param i32 i32) (result i32) i32.const 64)
    (func (export "nothing") (param i32 i32)))"#;

#[test]
fn results_in_a_modules_memory() {
    let check = |export: &str, leaves: &str, place: (u32, u32), expected: Value| {
        let leaves = InMemory::named(leaves).unwrap();
        let plugin = text(LEAVES).result(export, leaves).load().unwrap();
        assert_eq!(plugin.call::<Value>(export, &place).unwrap(), expected, "{export} {leaves:?}");
    };
    for export in ["pair", "packed", "area"] {
        check(export, "text", (16, 6), json!("héllo"));
        check(export, "bytes", (16, 6), json!({"base64": "aMOpbGxv"}));
    }
    check("pair", "i32", (32, 2), json!([1, -2]));
    check("pair", "u32", (32, 2), json!([1, 4_294_967_294_u32]));
    check("pair", "i8", (36, 2), json!([-2, -1]));
    check("packed", "u16", (32, 3), json!([1, 0, 65_534]));
    check("packed", "u64", (32, 1), json!(["18446744065119617025"]));
    check("pair", "f32", (40, 1), json!([1.5]));
    check("pair", "f64", (0, 0), json!([]));

    for (export, leaves, place, said) in [
        ("pair", "text", (65_530, 7), "7 elements at 65530"),
        ("pair", "i64", (0, u32::MAX), "4294967295 elements at 0"),
        ("pair", "text", (36, 4), "expected UTF-8"),
        ("nothing", "text", (0, 0), "which say where it lies"),
    ] {
        let plugin = text(LEAVES).result(export, InMemory::named(leaves).unwrap()).load().unwrap();
        let error = plugin.call::<Value>(export, &place).unwrap_err();
        assert!(matches!(error.outcome, Outcome::Failed { .. }), "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

fn types() -> sandbar_embed::PluginBuilder {
    host().plugin(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/target/sandbar/types.wasm"))
}

#[test]
fn resources_are_handles() {
    let plugin = types().load().unwrap();
    let one: Value = plugin.call("[constructor]counter", &json!([])).unwrap();
    let two: Value = plugin.call("sandbar:types/echo@0.1.0#[constructor]counter", &json!([])).unwrap();
    assert_ne!(one, two);
    for (counter, amount) in [(&one, 3), (&two, 5), (&one, 4)] {
        plugin.call::<()>("[method]counter.add", &json!([counter, amount])).unwrap();
    }
    let get = |counter: &Value| plugin.call::<u32>("[method]counter.get", &json!([counter]));
    assert_eq!((get(&one).unwrap(), get(&two).unwrap()), (7, 5));
    plugin.call::<()>("[resource-drop]", &json!([one])).unwrap();
    for (handle, said) in [(&one, "handle 1, which is none"), (&json!(7), "`7`"), (&json!({"handle": 99}), "handle 99")]
    {
        let error = get(handle).unwrap_err();
        assert!(matches!(error.outcome, Outcome::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let error = plugin.call::<()>("[resource-drop]", &json!([one])).unwrap_err().to_string();
    assert!(error.contains("expected a handle that is there"), "{error}");
    assert_eq!(get(&two).unwrap(), 5, "the others stay");
}

#[test]
fn handles_are_bounded_and_stay_where_they_are_held() {
    let plugin = types().limit(sandbar_embed::Resource::Memory, 64 << 20).load().unwrap();
    let made = (0..10_001).map_while(|_| plugin.call::<Value>("[constructor]counter", &json!([])).ok()).count();
    assert_eq!(made, 10_000);
    let fresh = types().policy(Policy::Fresh { sandboxes_max: 2 }).load().unwrap();
    let error = fresh.call::<Value>("[constructor]counter", &json!([])).unwrap_err().to_string();
    assert!(error.contains("which lives only inside a sandbox"), "{error}");
    let error = plugin.call::<Value>("[method]counter.nothing", &json!([])).unwrap_err().to_string();
    assert!(error.contains("[method]counter.nothing"), "{error}");
}
