//! Modules that a manifest of Extism links are one plugin.

use crate::world::{POLICIES, host};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sandbar_embed::{ExtismManifest, GrantKind, HostCall, Policy};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// What is linked to a plugin: a kit of its own, with memory, a table, start code, and functions of Extism's kernel.
const COUNTER: &str = r#"(module
    (import "extism:host/env" "length" (func $length (param i64) (result i64)))
    (import "extism:host/user" "greeting" (func $greeting (param i64) (result i64)))
    (memory 1) (data (i32.const 0) "\07") (data $more "\05")
    (global $total (export "total") (mut i64) (i64.const 0)) (global $from i64 (i64.const 30))
    (table 2 funcref) (elem (i32.const 1) $add)
    (type $adds (func (param i64)))
    (func $start (memory.init $more (i32.const 1) (i32.const 0) (i32.const 1)) (global.set $total (global.get $from)))
    (start $start)
    (func (export "_initialize") (global.set $total (i64.add (global.get $total) (i64.const 100))))
    (func $add (type $adds) (global.set $total (i64.add (global.get $total) (local.get 0))))
    (func (export "count") (param $block i64) (result i64)
        (call_indirect (type $adds) (call $length (call $greeting (local.get $block))) (i32.const 1))
        (i64.add (global.get $total)
            (i64.extend_i32_u (i32.add (i32.load8_u (i32.const 0)) (i32.load8_u (i32.const 1)))))))"#;

/// The plugin: it counts the bytes of its input, and gives what the counter says as a block of eight bytes.
const MAIN: &str = r#"(module
    (import "counter" "count" (func $count (param i64) (result i64)))
    (import "counter" "total" (global $total (mut i64)))
    (import "extism:host/env" "input_offset" (func $input (result i64)))
    (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
    (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
    (import "extism:host/env" "output_set" (func $output (param i64 i64)))
    (memory (export "memory") 1) (data (i32.const 0) "\63")
    (func (export "run") (result i32) (local $block i64)
        (local.set $block (call $alloc (i64.const 8)))
        (call $store (local.get $block) (call $count (call $input)))
        (global.set $total (i64.add (global.get $total) (i64.const 1000)))
        (call $output (local.get $block) (i64.const 8))
        (i32.const 0)))"#;

#[test]
fn modules_are_linked_into_one_plugin() {
    let described = |modules: &[(&str, &str)]| {
        let wasm = |(name, text): &(&str, &str)| json!({"name": name, "data": BASE64_STANDARD.encode(text)});
        let manifest = json!({"wasm": modules.iter().map(wasm).collect::<Vec<_>>()});
        host().plugin(ExtismManifest::from_json(&manifest.to_string()).unwrap())
    };
    let load = |modules: &[(&str, &str)]| {
        described(modules).function("extism:host/user", "greeting", |_: &mut HostCall<'_>, (name,): (i64,)| name).load()
    };
    for modules in [[("counter", COUNTER), ("plugin", MAIN)], [("main", MAIN), ("counter", COUNTER)]] {
        for policy in POLICIES {
            let plugin = described(&modules)
                .policy(policy)
                .function("extism:host/user", "greeting", |_: &mut HostCall<'_>, (name,): (i64,)| name)
                .load()
                .unwrap();
            let counted = |text: &'static str| {
                u64::from_le_bytes(plugin.call_bytes("run", text).unwrap().as_ref().try_into().unwrap())
            };
            assert_eq!(counted("abc"), 30 + 100 + 3 + 12, "{policy:?}");
            let kept = if matches!(policy, Policy::Fresh { .. }) { 0 } else { 1_003 };
            assert_eq!(counted("de"), 30 + 100 + 2 + 12 + kept, "{policy:?}");
        }
    }
    let plugin = load(&[("counter", COUNTER), ("plugin", MAIN)]).unwrap();
    assert_eq!(plugin.exports(), ["run"], "of the plugin's own module only");
    let wasi = r#"(module (import "wasi_unstable" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
        (memory 1) (func (export "count") (param i64) (result i64) (local.get 0)) (global (export "total") (mut i64) (i64.const 0)))"#;
    let circle = r#"(module (import "circle" "f" (func $f)) (export "f" (func $f)))"#;
    let other = r#"(module (func (export "count")) (global (export "total") (mut i64) (i64.const 0)))"#;
    let broken = r#"(module (func (export "count") (result i64) i32.const 0))"#;
    let wrong: [(&[(&str, &str)], &str); 7] = [
        (&[("counter", broken), ("plugin", MAIN)], "malformed: type mismatch"),
        (
            &[("counter", "(module)"), ("plugin", MAIN)],
            "imports `count` of the module `counter`, which exports no such thing",
        ),
        (&[("counter", COUNTER), ("counter", COUNTER), ("plugin", MAIN)], "two modules have the name `counter`"),
        (&[("counter", wasi), ("plugin", MAIN)], "the linked module `counter` imports `wasi_unstable`"),
        (&[("circle", circle), ("plugin", MAIN)], "modules import from each other in a circle"),
        (&[("counter", other), ("plugin", MAIN)], "imports `count` of the module `counter` as `"),
        (&[("counter", "(component)"), ("plugin", MAIN)], "`counter` is a component"),
    ];
    for (modules, said) in wrong {
        let error = load(modules).unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
}

/// WASI of a linked module looked at the memory of the plugin's own module.
#[test]
fn each_linked_module_has_wasi_for_its_own_memory() {
    const NAMED: &str = r#"(module
        (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $folder (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (memory (export "memory") 1) (data (i32.const 512) "said of $NAME\n") (data (i32.const 600) "a.txt")
        (func $well (param i32) (if (local.get 0) (then unreachable)))
        (func (export "$NAME") (result i64)
            (call $well (call $sizes (i32.const 0) (i32.const 4)))
            (call $well (call $environ (i32.const 8) (i32.const 64)))
            (i32.store (i32.const 32) (i32.const 512)) (i32.store (i32.const 36) (i32.const $LENGTH))
            (call $well (call $write (i32.const 2) (i32.const 32) (i32.const 1) (i32.const 40)))
            (call $well (call $random (i32.const 700) (i32.const 8)))
            (call $well (call $time (i32.const 0) (i64.const 0) (i32.const 720)))
            (call $well (call $yield))
            (call $well (call $open (i32.const 3) (i32.const 0) (i32.const 600) (i32.const 5) (i32.const 0) (i64.const 2) (i64.const 0)
                (i32.const 0) (i32.const 48)))
            (i32.store (i32.const 32) (i32.const 128)) (i32.store (i32.const 36) (i32.const 8))
            (call $well (call $read (i32.load (i32.const 48)) (i32.const 32) (i32.const 1) (i32.const 40)))
            (if (i64.eqz (i64.load (i32.const 720))) (then unreachable))
            ;; The first byte of the environment, and of the file.
            (i64.add (i64.mul (i64.load8_u (i32.const 64)) (i64.const 1000)) (i64.load8_u (i32.const 128)))))"#;
    const PLUGIN: &str = r#"(module (import "one" "one" (func $one (result i64))) (import "two" "two" (func $two (result i64)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 8) "\10\00\00\00\07\00\00\00plugin\n")
        (func (export "run") (param i32) (result i64)
            (drop (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 40)))
            (i64.add (i64.mul (call $one) (i64.const 1000000)) (call $two))))"#;
    let folder = std::env::temp_dir().join(format!("sandbar-linked-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.txt"), "Zebra").unwrap();
    let named = |name: &str| {
        let length = format!("said of {name}\n").len().to_string();
        BASE64_STANDARD.encode(NAMED.replace("$NAME", name).replace("$LENGTH", &length))
    };
    let manifest = json!({"wasm": [
        {"name": "one", "data": named("one")}, {"name": "two", "data": named("two")},
        {"name": "main", "data": BASE64_STANDARD.encode(PLUGIN)},
    ]});
    for policy in POLICIES {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        let plugin = host()
            .plugin(ExtismManifest::from_json(&manifest.to_string()).unwrap())
            .policy(policy)
            .grant(GrantKind::Env, "NAME=x")
            .grant(GrantKind::Random, "true")
            .grant(GrantKind::Dir, &format!("{}::/:ro", folder.display()))
            .log(move |record| heard.lock().unwrap().push(record.message))
            .load()
            .unwrap();
        let each = i64::from(b'N') * 1_000 + i64::from(b'Z');
        for _ in 0..2 {
            assert_eq!(plugin.call::<i64>("run", &(0,)).unwrap(), each * 1_000_000 + each, "{policy:?}");
            assert_eq!(said.lock().unwrap().split_off(0), ["plugin", "said of one", "said of two"]);
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
