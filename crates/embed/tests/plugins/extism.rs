//! A plugin made with Extism's kit runs as it is.

use crate::world::{POLICIES, host};
use sandbar_embed::{Error, ExtismManifest, GrantKind, HostCall, LogLevel, Outcome, PluginBuilder, Policy, Resource};
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

fn guest() -> PluginBuilder {
    host().plugin(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/target/sandbar/extism.wasm"))
}

/// The plugin, with a function that all of it needs to be linked.
fn plugin() -> PluginBuilder {
    guest().function("extism:host/user", "greeting", |_: &mut HostCall<'_>, (name,): (i64,)| name)
}

#[test]
fn input_output_and_variables() {
    for policy in POLICIES {
        let plugin = plugin().policy(policy).load().unwrap();
        let counted = |text: &str| plugin.call_bytes("count_vowels", text.as_bytes().to_vec()).unwrap();
        assert_eq!(counted("hello world"), r#"{"count":3,"total":3}"#);
        let total = if policy == (Policy::Fresh { sandboxes_max: 4 }) { 2 } else { 5 };
        assert_eq!(counted("again"), format!(r#"{{"count":3,"total":{}}}"#, total + 1), "{policy:?}");
        for length in [0, 1, 7, 8, 9, 1_000, 65_536, 3 << 20] {
            let sent: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            assert_eq!(plugin.call_bytes("echo", sent.clone()).unwrap(), sent, "{length} bytes");
        }
    }
}

#[test]
fn configuration_errors_and_the_log() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keep = heard.clone();
    let log = move |record: sandbar_embed::LogRecord| keep.lock().unwrap().push((record.level, record.message));
    let plugin = plugin().config("color", "red").log(log).load().unwrap();
    assert_eq!(plugin.call_bytes("configured", "color").unwrap(), "red");
    assert_eq!(plugin.call_bytes("configured", "size").unwrap(), "nothing");
    let error = plugin.call::<()>("fail", &json!({"name": "Ada"})).unwrap_err();
    assert_eq!(error.outcome, Outcome::Failed { code: Some(7), message: "no such thing: Ada".into() });
    assert_eq!(plugin.call_bytes("configured", "color").unwrap(), "red", "it goes on");
    plugin.call_bytes("logs", "me").unwrap();
    let heard = heard.lock().unwrap();
    for (level, message) in [(LogLevel::Trace, "trace me"), (LogLevel::Info, "info me"), (LogLevel::Warn, "error me")] {
        assert!(heard.iter().any(|(of, said)| *of == level && said.contains(message)), "{heard:?}");
    }
}

#[test]
fn blocks_are_taken_freed_and_taken_again() {
    let plugin = plugin().limit(Resource::Memory, 4 << 20).load().unwrap();
    for _ in 0..20 {
        assert_eq!(plugin.call_bytes("blocks", "5000").unwrap(), "0 kept");
    }
}

/// Does to each of the functions that stand where they are called what a kit does, and more.
const INLINE: &str = r#"(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_u8 (param i64) (result i32)))
  (import "extism:host/env" "input_load_u64" (func $input_u64 (param i64) (result i64)))
  (import "extism:host/env" "load_u8" (func $load_u8 (param i64) (result i32)))
  (import "extism:host/env" "load_u64" (func $load_u64 (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (memory (export "memory") 1)
  (table funcref (elem $tail $load_u8))
  (func $tail (param i64) (result i32) (return_call $input_u8 (local.get 0)))
  ;; By eights, then the rest by ones, last of all through a table.
  (func (export "echo") (result i32) (local $at i64) (local i32 f32) (local $to i64) (local $end i64)
    (local.set $end (call $length))
    (local.set $to (call $alloc (local.get $end)))
    (block $done (loop $more
      (br_if $done (i64.gt_u (i64.add (local.get $at) (i64.const 8)) (local.get $end)))
      (call $store_u64 (i64.add (local.get $to) (local.get $at)) (call $input_u64 (local.get $at)))
      (local.set $at (i64.add (local.get $at) (i64.const 8)))
      (br $more)))
    (block $done (loop $more
      (br_if $done (i64.ge_u (local.get $at) (local.get $end)))
      (call $store_u8 (i64.add (local.get $to) (local.get $at))
        (call_indirect (param i64) (result i32) (local.get $at) (i32.const 0)))
      (local.set $at (i64.add (local.get $at) (i64.const 1)))
      (br $more)))
    (call $output (local.get $to) (local.get $end))
    (i32.const 0))
  ;; Behind the end of the input there is nothing, and what was stored is there.
  (func (export "edges") (result i32) (local $block i64)
    (if (i64.ne (i64.const 0) (call $input_u64 (i64.sub (call $length) (i64.const 7)))) (then unreachable))
    (if (call $input_u8 (call $length)) (then unreachable))
    (if (call $input_u8 (i64.const -1)) (then unreachable))
    (if (i64.ne (i64.const 0) (call $input_u64 (i64.const -9))) (then unreachable))
    (local.set $block (call $alloc (i64.const 16)))
    (call $store_u64 (local.get $block) (i64.const 0x1122334455667788))
    (call $store_u8 (i64.add (local.get $block) (i64.const 1)) (i32.const 0xabcd))
    (if (i64.ne (call $load_u64 (local.get $block)) (i64.const 0x112233445566cd88)) (then unreachable))
    (if (i32.ne (call_indirect (param i64) (result i32) (local.get $block) (i32.const 1)) (i32.const 0x88)) (then unreachable))
    (i32.const 0))
  (func (export "outside") (result i32)
    (nop)
    (drop (call $load_u64 (i64.const 0xfffffff0)))
    (i32.const 0)))"#;

#[test]
fn short_functions_of_the_kernel_stand_where_they_are_called() {
    let many = format!("(func (local {}) (drop (call $load_u8 (i64.const 0))))", "i32 ".repeat(50_000));
    let with_many = format!("{}{many})", &INLINE[..INLINE.len() - 1]);
    for text in [INLINE, &with_many] {
        let plugin = host().plugin(text.as_bytes().to_vec()).load().unwrap();
        for length in [0, 1, 7, 8, 9, 63, 1_000, 65_536] {
            let sent: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            assert_eq!(plugin.call_bytes("echo", sent.clone()).unwrap(), sent, "{length} bytes");
        }
        plugin.call_bytes("edges", "some input").unwrap();
        let error = format!("{:?}", plugin.call_bytes("outside", "").unwrap_err().outcome);
        // Told where the guest's own file has the call, or just behind it.
        let at = plugin.guest().bytes().windows(6).position(|bytes| bytes == [0x42, 0xf0, 0xff, 0xff, 0xff, 0x0f]);
        let at = at.unwrap() + 6;
        let told = (at..=at + 2).find(|at| error.contains(&format!("0x{at:x}")));
        assert!(told.is_some(), "{error}, and the call is at {at:#x}");
    }
}

#[test]
fn limits_hold() {
    let stopped = |limit| Outcome::Stopped { limit };
    let plugin = plugin().limit(Resource::Memory, 16 << 20).within(Duration::from_millis(500)).load().unwrap();
    let error = plugin.call_bytes("echo", vec![1; 32 << 20]).unwrap_err();
    assert_eq!(error.outcome, stopped(Resource::Memory));
    assert_eq!(plugin.call_bytes("spin", "").unwrap_err().outcome, stopped(Resource::Wall));
    let error = plugin.call_bytes("keep", "2000000").unwrap_err();
    assert!(error.to_string().contains("the plugin's variables have at most"), "{error}");
    assert_eq!(plugin.call_bytes("echo", "still here").unwrap(), "still here");
}

/// Answers one request whose body is of five bytes, and gives what it was.
fn answering(answer: &'static str) -> (String, JoinHandle<(String, [u8; 5])>) {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", server.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        use std::io::{BufRead, BufReader, Read, Write};
        let (stream, _) = server.accept().unwrap();
        let mut reader = BufReader::new(&stream);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            reader.read_until(b'\n', &mut head).unwrap();
        }
        let mut body = [0; 5];
        reader.read_exact(&mut body).unwrap();
        (&stream).write_all(format!("HTTP/1.1 {answer}").as_bytes()).unwrap();
        (String::from_utf8(head).unwrap().to_lowercase(), body)
    });
    (origin, serving)
}

#[test]
fn requests_by_the_grant_and_no_others() {
    let (origin, serving) = answering("201 Created\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nthere");
    let url = format!("{origin}/there");
    // What a plugin of Rust asks headers by is seeded.
    let granted = plugin().grant(GrantKind::Http, &origin).grant(GrantKind::Random, "true").load().unwrap();
    assert_eq!(granted.call_bytes("ask", url.clone()).unwrap(), "201 text/plain there");
    let (head, body) = serving.join().unwrap();
    assert!(head.starts_with("post /there http/1.1\r\n") && head.contains("x-from: plugin"), "{head}");
    assert_eq!(&body, b"hello");

    let error = plugin().load().unwrap().call_bytes("ask", url.clone()).unwrap_err();
    assert!(matches!(error.outcome, Outcome::Refused { .. }), "{error}");
    let receipt = error.receipt.unwrap();
    assert!(receipt.denials[0].allow.contains("http = ["), "{receipt:?}");
}

#[test]
fn functions_of_the_host_take_and_give_blocks() {
    let greeting = |call: &mut HostCall<'_>, (name,): (i64,)| {
        let greeting = [b"hello, ", call.block(name)?].concat();
        call.new_block(&greeting)
    };
    let plugin = guest().function("extism:host/user", "greeting", greeting).load().unwrap();
    for name in ["Ada", "Tim"] {
        assert_eq!(plugin.call_bytes("greet", name).unwrap(), format!("hello, {name}!"));
    }
}

/// What languages with a runtime of their own export, is called once, before anything else.
#[test]
fn runtimes_are_started_once() {
    for (export, params) in [("hs_init", "(param i32 i32)"), ("_initialize", ""), ("__wasm_call_ctors", "")] {
        let plugin = format!(
            r#"(module
                (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
                (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
                (import "extism:host/env" "output_set" (func $output (param i64 i64)))
                (global $starts (mut i32) (i32.const 48))
                (func (export "{export}") {params} (global.set $starts (i32.add (global.get $starts) (i32.const 1))))
                (func (export "starts") (result i32) (local $block i64)
                    (local.set $block (call $alloc (i64.const 1)))
                    (call $store (local.get $block) (global.get $starts))
                    (call $output (local.get $block) (i64.const 1))
                    (i32.const 0)))"#
        );
        let plugin = host().plugin(plugin.into_bytes()).load().unwrap();
        assert_eq!(plugin.call_bytes("starts", "").unwrap(), "1", "{export}");
        assert_eq!(plugin.call_bytes("starts", "").unwrap(), "1", "{export}");
    }
}

#[test]
fn manifests_are_read_and_what_is_not_there_is_said() {
    let folder = std::env::temp_dir().join(format!("sandbar-extism-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/target/sandbar/extism.wasm");
    std::fs::copy(guest, folder.join("vowels.wasm")).unwrap();
    let load = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        let greeting = |_: &mut HostCall<'_>, (name,): (i64,)| name;
        host()
            .plugin(ExtismManifest::read(folder.join(name))?)
            .function("extism:host/user", "greeting", greeting)
            .load()
    };
    let json = r#"{"wasm": [{"path": "vowels.wasm", "name": "main"}], "memory": {"max_pages": 256},
        "config": {"color": "red"}, "allowed_hosts": ["*.example.com"], "allowed_paths": {"ro:.": "/data"}, "timeout_ms": 300}"#;
    let toml = "timeout_ms = 300\nallowed_hosts = [\"*.example.com\"]\n[[wasm]]\npath = \"vowels.wasm\"\n\
        [memory]\nmax_pages = 256\n[config]\ncolor = \"red\"\n[allowed_paths]\n\"ro:.\" = \"/data\"\n";
    for (name, text) in [("plugin.json", json), ("plugin.toml", toml)] {
        let plugin = load(name, text).unwrap();
        assert_eq!(&*plugin.name(), "vowels", "{name}");
        assert_eq!(plugin.call_bytes("configured", "color").unwrap(), "red", "{name}");
        let stopped = |limit| Outcome::Stopped { limit };
        assert_eq!(plugin.call_bytes("echo", vec![1; 32 << 20]).unwrap_err().outcome, stopped(Resource::Memory));
        assert_eq!(plugin.call_bytes("spin", "").unwrap_err().outcome, stopped(Resource::Wall), "{name}");
        let refused = plugin.call_bytes("ask", "http://example.org/").unwrap_err().receipt.unwrap();
        assert!(refused.denials[0].allow.contains("example.org"), "{refused:?}");
    }
    let bounded = r#"{"wasm": [{"path": "vowels.wasm"}], "allowed_hosts": ["127.0.0.1"],
        "memory": {"max_var_bytes": 500, "max_http_response_bytes": 5}}"#;
    let plugin = load("bounded.json", bounded).unwrap();
    let error = plugin.call_bytes("keep", "1000").unwrap_err();
    assert!(error.to_string().contains("the plugin's variables have at most 500 bytes"), "{error}");
    plugin.call_bytes("keep", "100").unwrap();
    let (origin, serving) = answering("200 OK\r\ncontent-length: 6\r\n\r\nlarger");
    let error = plugin.call_bytes("ask", origin).unwrap_err();
    assert!(error.to_string().contains("the response's body has more than 5 bytes"), "{error}");
    serving.join().unwrap();
    for (text, said) in [
        ("{", "EOF"),
        (r#"{"wasm": []}"#, "expected a module under `wasm`, found none"),
        (r#"{"wasm": [{"path": "vowels.wasm"}, {"path": "b"}]}"#, "can't read the module"),
        (r#"{"wasm": [{"path": "nowhere.wasm"}]}"#, "nowhere.wasm"),
        (
            r#"{"wasm": [{"path": "vowels.wasm", "hash": "00"}]}"#,
            "expected a module whose `hash` is `00`, found `sha256:",
        ),
        // The crate that Extism's own SDKs read manifests by takes this for bytes that lie there.
        (r#"{"wasm": [{"data": {"ptr": 8, "len": 8}}]}"#, "expected a string"),
        (r#"{"wasm": [{"data": "AGFzbQ?"}]}"#, "`data`: expected base64"),
        (r#"{"wasm": [{"path": "vowels.wasm", "data": ""}]}"#, "a module has one of `path`, `data` and `url`"),
        (
            r#"{"wasm": [{"url": "http://me:secret@127.0.0.1:1/a.wasm"}]}"#,
            "the module `127.0.0.1:1/a.wasm`: a user can't stand",
        ),
        (r#"{"wasm": [{"url": "ftp://example.com/a.wasm"}]}"#, "expected an address such as `https://"),
        (
            r#"{"wasm": [{"url": "http://127.0.0.1:1/a.wasm?key=secret"}]}"#,
            "can't download the module `http://127.0.0.1:1/a.wasm`: the server refused",
        ),
        (r#"{"wasm": [{"path": "vowels.wasm"}], "allowed_hosts": ["a b"]}"#, "a b"),
        (r#"{"wasm": [{"path": "vowels.wasm"}], "timeout": 5}"#, "unknown field `timeout`"),
    ] {
        let error = load("wrong.json", text).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// A server that answers requests one after the other, each with what is for its path, and tells their heads.
fn serving(answers: Vec<(String, Vec<u8>)>) -> (String, JoinHandle<Vec<String>>) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", server.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let answer = |(head, body): (String, Vec<u8>)| {
            let (stream, _) = server.accept().unwrap();
            let lines = BufReader::new(&stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
            let asked = lines.collect::<Vec<_>>().join("\n").to_lowercase();
            (&stream)
                .write_all(format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes())
                .unwrap();
            let _ = (&stream).write_all(&body);
            asked
        };
        answers.into_iter().map(answer).collect()
    });
    (origin, serving)
}

#[test]
fn modules_are_downloaded_and_redirects_lead_to_public_places() {
    let wasm =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/target/sandbar/extism.wasm")).unwrap();
    let load = |origin: &str| {
        let wasm = json!([{"url": format!("{origin}/vowels.wasm?v=1"), "headers": {"authorization": "Bearer canary"}}]);
        let manifest = ExtismManifest::from_json(&json!({"wasm": wasm, "config": {"color": "red"}}).to_string())?;
        host()
            .plugin(manifest)
            .function("extism:host/user", "greeting", |_: &mut HostCall<'_>, (name,): (i64,)| name)
            .load()
    };
    let (origin, asked) = serving(vec![("302 Found\r\nlocation: /there".into(), vec![]), ("200 OK".into(), wasm)]);
    let plugin = load(&origin).unwrap();
    assert_eq!((&*plugin.name(), plugin.call_bytes("configured", "color").unwrap().as_ref()), ("vowels", &b"red"[..]));
    let asked = asked.join().unwrap();
    assert!(asked[0].starts_with("get /vowels.wasm?v=1 ") && asked[0].contains("bearer canary"), "{asked:?}");
    assert!(asked[1].starts_with("get /there ") && asked[1].contains("bearer canary"), "{asked:?}");

    let failed = |head: String| {
        let (origin, asked) = serving(vec![(head, vec![])]);
        let error: Error = load(&origin).unwrap_err();
        asked.join().unwrap();
        error.to_string()
    };
    for elsewhere in ["http://localhost:1/a.wasm", "//169.254.169.254/a.wasm", "http://[::1]:1/a.wasm"] {
        let error = failed(format!("302 Found\r\nlocation: {elsewhere}"));
        assert!(error.contains("is not granted"), "{elsewhere}: {error}");
    }
    assert!(failed("404 Not Found".into()).contains("the server answered `404 Not Found`"));
    let error = failed("200 OK".into());
    assert!(error.contains("the guest is empty"), "{error}");
}
