use super::*;
use sandbar_call::{GrantKind, Shape};
use std::{borrow::Cow, fmt::Write as _};

const MODULE: &str = r#"(module
    (type $pair (func (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
    (import "env" "table" (table 2 4 funcref))
    (memory (export "memory") 1 3) (table 5 funcref) (global (export "g") (mut i64) (i64.const 0))
    (data (i32.const 0) "hello") (elem (table 1) (i32.const 0) func 1)
    (func $run (export "handle_request") (result i32) (local f64) i32.const 0)
    (func (export "sum") (type $pair) local.get 0))"#;

const COMPONENT: &str = r#"(component
    (import "demo:kinds/types@1.0.0" (instance $types
        (type $r (record (field "x" s32) (field "type" (option f32))))
        (export "point" (type $point (eq $r)))
        (export "handle" (type $handle (sub resource)))
        (type $v (variant (case "none") (case "at" $point)))
        (export "place" (type $place (eq $v)))
        (type $e (enum "red" "green"))
        (export "colour" (type (eq $e)))
        (type $f (flags "read" "write"))
        (export "access" (type (eq $f)))
        (type $l (list $point))
        (export "points" (type $points (eq $l)))
        (export "line" (type (eq $points)))
        (export "[constructor]handle" (func (param "at" $place) (result (own $handle))))
        (export "[method]handle.move" (func (param "self" (borrow $handle)) (param "to" $points) (result bool)))
        (export "[static]handle.find" (func (param "name" string) (result (result (own $handle) (error string)))))
        (export "swap" (func (param "pair" (tuple u8 char)) (result (result (error u16)))))))
    (alias export $types "point" (type $point))
    (alias export $types "handle" (type $handle))
    (import "demo:kinds/user@1.0.0" (instance
        (alias outer 1 $point (type $outer))
        (export "dot" (type $dot (eq $outer)))
        (export "draw" (func (param "dots" (list $dot))))))
    (import "other:user/near" (instance
        (alias outer 1 $handle (type $outer))
        (export "handle" (type $handle (eq $outer)))
        (export "hold" (func (param "it" (borrow $handle))))))
    (import "log" (func (param "text" string)))
    (core module $m (func (export "add") (param i32 i32) (result i32) local.get 0) (memory 2))
    (core instance $i (instantiate $m))
    (func $add (param "a" s32) (param "b" s32) (result s32) (canon lift (core func $i "add")))
    (export "add" (func $add))
    (instance $calc (export "add" (func $add)))
    (export "demo:kinds/calc@1.0.0" (instance $calc)))"#;

const WIT: &str = "package root:component;

world root {
  import demo:kinds/types@1.0.0;
  import demo:kinds/user@1.0.0;
  import other:user/near;
  import log: func(text: string);

  export add: func(a: s32, b: s32) -> s32;
  export demo:kinds/calc@1.0.0;
}

package demo:kinds@1.0.0 {
  interface types {
    record point {
      x: s32,
      %type: option<f32>,
    }
    resource handle {
      constructor(at: place);
      move: func(to: points) -> bool;
      find: static func(name: string) -> result<handle, string>;
    }
    variant place {
      none,
      at(point),
    }
    enum colour {
      red,
      green,
    }
    flags access {
      read,
      write,
    }
    type points = list<point>;
    type line = points;
    swap: func(pair: tuple<u8, char>) -> result<_, u16>;
  }
  interface user {
    use types.{point as dot};
    draw: func(dots: list<dot>);
  }
  interface calc {
    add: func(a: s32, b: s32) -> s32;
  }
}

package other:user {
  interface near {
    use demo:kinds/types@1.0.0.{handle};
    hold: func(it: borrow<handle>);
  }
}
";

fn bytes(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn with_start(more: &str) -> String {
    format!(r#"(module (func (export "_start")) {more})"#)
}

fn exporting(interfaces: &[&str]) -> String {
    let mut text = "(component (instance $i)".to_owned();
    for interface in interfaces {
        write!(text, r#" (export "{interface}" (instance $i))"#).unwrap();
    }
    text + ")"
}

fn line(candidate: &Candidate) -> String {
    let or = candidate.or.map(|or| format!(" or {}", or.key())).unwrap_or_default();
    format!("{}{or} {}", candidate.shape.key(), candidate.export.as_deref().unwrap_or("(any)"))
}

#[test]
fn finds_shapes() {
    let wasi = r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#;
    let answer = r#"(func (export "answer") (result i32) i32.const 42)"#;
    let sum = r#"(func (export "sum") (param i32 i64) (result f64) f64.const 0)"#;
    let tools = r#"(func (export "malloc") (param i32) (result i32) local.get 0) (func (export "__wasm_call_ctors"))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) local.get 0) (func (export "_initialize"))"#;
    let vector = r#"(func (export "v") (param v128)) (func (export "r") (param externref))"#;
    let two = r#"(func (export "a")) (func (export "b") (result i32) i32.const 0)"#;
    let cases: &[(String, &[&str], &str)] = &[
        (format!("(module {answer})"), &["typed or function answer"], "typed or function answer"),
        (format!("(module {wasi} {answer})"), &["function or typed answer"], "function or typed answer"),
        (format!("(module {tools} {answer})"), &["function or typed answer"], "function or typed answer"),
        (
            format!("(module {wasi} {sum} {answer})"),
            &["function or typed answer", "typed sum"],
            "function or typed answer",
        ),
        (format!("(module {wasi} {two})"), &["function or typed a", "function or typed b"], "ambiguous"),
        (format!("(module {two})"), &["typed or function a", "typed or function b"], "typed (any)"),
        (format!("(module {sum})"), &["typed sum"], "typed sum"),
        (format!("(module {tools} {vector} (memory (export \"memory\") 1))"), &[], "nothing"),
        ("(module)".into(), &[], "nothing"),
        (with_start(""), &["command _start"], "command _start"),
        (with_start(sum), &["command _start", "typed sum"], "command _start"),
        (with_start(answer), &["command _start", "function or typed answer"], "ambiguous"),
        ("(module (func (export \"_start\") (param i32)))".into(), &[], "nothing"),
        ("(component)".into(), &[], "nothing"),
        (
            exporting(&["wasi:http/incoming-handler@0.2.12"]),
            &["http wasi:http/incoming-handler@0.2.12"],
            "http wasi:http/incoming-handler@0.2.12",
        ),
        (exporting(&["wasi:http/handler@0.3.2"]), &["http wasi:http/handler@0.3.2"], "http wasi:http/handler@0.3.2"),
        (exporting(&["wasi:http/handler@0.2.0"]), &[], "nothing"),
        (exporting(&["wasi:cli/run@0.2.0"]), &["command wasi:cli/run@0.2.0"], "command wasi:cli/run@0.2.0"),
        (exporting(&["wasi:cli/run@0.3.0-rc-2025-09-16"]), &[], "nothing"),
        (
            exporting(&["wasi:cli/run@0.3.0", "wasi:http/handler@0.3.0"]),
            &["http wasi:http/handler@0.3.0", "command wasi:cli/run@0.3.0"],
            "ambiguous",
        ),
        (COMPONENT.into(), &["typed add", "typed demo:kinds/calc@1.0.0#add"], "typed (any)"),
    ];
    for (text, expected, chosen) in cases {
        let candidates = summary(&bytes(text)).unwrap().candidates;
        assert_eq!(candidates.iter().map(line).collect::<Vec<_>>(), *expected, "{text}");
        assert_eq!(candidates, inspect(&bytes(text)).unwrap().summary.candidates, "{text}");
        let choice = match choose(&candidates, None, None) {
            Ok(candidate) => line(&candidate),
            Err(ShapeError::Nothing) => "nothing".into(),
            Err(ShapeError::Missing { .. }) => "missing".into(),
            Err(ShapeError::Ambiguous { .. }) => "ambiguous".into(),
        };
        assert_eq!(choice, *chosen, "{text}");
    }
}

#[test]
fn chooses_what_is_asked_for() {
    let text = with_start(
        r#"(func (export "a")) (func (export "b")) (func (export "sum") (param i32) (result i32) local.get 0)"#,
    );
    let candidates = summary(&bytes(&text)).unwrap().candidates;
    let cases: &[(Option<Shape>, Option<&str>, &str)] = &[
        (
            None,
            None,
            "the guest can be called in several ways, found command `_start`, function `a`, function `b` | \
            say which one is meant: `shape = \"command\"` or `export = \"a\"` or `export = \"b\"`",
        ),
        (Some(Shape::Command), None, "command _start"),
        (
            Some(Shape::Function),
            None,
            "the guest can be called in several ways, found function `a`, function `b` | \
            say which one is meant: `export = \"a\"` or `export = \"b\"`",
        ),
        (Some(Shape::Function), Some("b"), "function or typed b"),
        (Some(Shape::Typed), Some("b"), "typed or function b"),
        (Some(Shape::Typed), None, "typed (any)"),
        (None, Some("b"), "function or typed b"),
        (None, Some("sum"), "typed sum"),
        (
            Some(Shape::Http),
            None,
            "the guest has no export of shape `http` to call, found command `_start`, \
            function `a`, function `b`, typed `sum` | say which one is meant: `shape = \"command\"` or \
            `export = \"a\"` or `export = \"b\"` or `shape = \"typed\"`",
        ),
        (
            Some(Shape::Function),
            Some("sum"),
            "the guest has no export `sum` of shape `function` to call, found \
            command `_start`, function `a`, function `b`, typed `sum` | say which one is meant: \
            `shape = \"command\"` or `export = \"a\"` or `export = \"b\"` or `shape = \"typed\"`",
        ),
    ];
    for (shape, export, expected) in cases {
        let found = match choose(&candidates, *shape, *export) {
            Ok(candidate) => line(&candidate),
            Err(error) => format!("{error} | {}", error.hint().unwrap()),
        };
        assert_eq!(found, *expected, "{shape:?} {export:?}");
    }
}

#[test]
fn maps_imports_to_grants() {
    use GrantKind::{Args, Clock, Dir, Env, Http, Lookup, Random, Stdio, Tcp, Udp};
    let cases: &[(&str, &str, bool, &[GrantKind])] = &[
        ("wasi_snapshot_preview1", "path_open", true, &[Dir]),
        ("wasi_snapshot_preview1", "fd_readdir", true, &[Dir]),
        ("wasi_snapshot_preview1", "fd_read", true, &[Stdio]),
        ("wasi_snapshot_preview1", "fd_prestat_get", true, &[Dir]),
        ("wasi_snapshot_preview1", "fd_close", true, &[]),
        ("wasi_unstable", "random_get", true, &[Random]),
        ("wasi_snapshot_preview1", "clock_time_get", true, &[Clock]),
        ("wasi_snapshot_preview1", "args_get", true, &[Args]),
        ("wasi_snapshot_preview1", "environ_sizes_get", true, &[Env]),
        ("wasi_snapshot_preview1", "sock_send", true, &[Tcp]),
        ("wasi_snapshot_preview1", "proc_exit", true, &[]),
        ("wasi_snapshot_preview1", "path_teleport", false, &[]),
        ("env", "path_open", false, &[]),
        ("", "wasi:filesystem/types@0.2.6", true, &[Dir]),
        ("", "wasi:sockets/tcp-create-socket@0.2.0", true, &[Tcp]),
        ("", "wasi:sockets/udp@0.2.0", true, &[Udp]),
        ("", "wasi:sockets/types@0.3.0", true, &[Tcp, Udp]),
        ("", "wasi:sockets/ip-name-lookup@0.3.0", true, &[Lookup]),
        ("", "wasi:http/outgoing-handler@0.2.3", true, &[Http]),
        ("", "wasi:http/client@0.3.0", true, &[Http]),
        ("", "wasi:http/client@0.2.0", false, &[]),
        ("", "wasi:random/random@0.2.3", true, &[Random]),
        ("", "wasi:random/insecure@0.2.3", true, &[]),
        ("", "wasi:clocks/wall-clock@0.2.3", true, &[Clock]),
        ("", "wasi:cli/environment@0.2.3", true, &[Args, Env]),
        ("", "wasi:cli/stdout@0.3.0", true, &[Stdio]),
        ("", "wasi:io/poll@0.2.3", true, &[]),
        ("", "wasi:io/poll@0.3.0", false, &[]),
        ("", "wasi:io/poll@1.0.0", false, &[]),
        ("", "wasi:keyvalue/store@0.2.0", false, &[]),
        ("", "demo:own/thing", false, &[]),
    ];
    for (module, name, known, grants) in cases {
        let text = if module.is_empty() {
            format!(r#"(component (import "{name}" (instance)))"#)
        } else {
            format!(r#"(module (import "{module}" "{name}" (func)))"#)
        };
        let imports = inspect(&bytes(&text)).unwrap().imports;
        let [import] = imports.as_slice() else { panic!("{text}") };
        assert_eq!((import.known, import.grants), (*known, *grants), "{module} {name}: {}", import.note);
    }
}

#[test]
fn finds_needs_and_dialects() {
    let none = Needs::default();
    let (gc, concurrency) = (Needs { gc: true, ..none }, Needs { concurrency: true, ..none });
    let simd = Needs { simd: true, ..none };
    let (memory64, threads) = (Needs { memory64: true, ..none }, Needs { threads: true, ..none });
    let cases: &[(&str, Needs, Dialect)] = &[
        ("(module (table 1 funcref) (elem func))", none, Dialect::Core),
        ("(module (import \"wasi_unstable\" \"proc_exit\" (func (param i32))))", none, Dialect::Wasi01),
        ("(module (func (export \"_start\")))", none, Dialect::Wasi01),
        ("(module (type (struct)))", gc, Dialect::Core),
        ("(module (type (array i8)))", gc, Dialect::Core),
        ("(module (tag))", gc, Dialect::Core),
        ("(module (import \"a\" \"b\" (tag)))", gc, Dialect::Core),
        ("(module (func (param externref)))", gc, Dialect::Core),
        ("(module (func (local exnref)))", gc, Dialect::Core),
        ("(module (global anyref (ref.null any)))", gc, Dialect::Core),
        ("(module (table 1 externref))", gc, Dialect::Core),
        ("(module (type $f (func)) (func (param (ref null $f))))", gc, Dialect::Core),
        ("(component (core type (sub (func))))", gc, Dialect::Wasi02),
        ("(module (func (local v128)))", simd, Dialect::Core),
        ("(module (memory i64 1))", memory64, Dialect::Core),
        ("(module (table i64 1 funcref))", memory64, Dialect::Core),
        ("(module (memory 1 1 shared))", threads, Dialect::Core),
        ("(module (memory 1) (memory 1))", Needs { multi_memory: true, ..none }, Dialect::Core),
        ("(component (core module (memory 1)) (core module (memory 1)))", none, Dialect::Wasi02),
        ("(component (core module (type (struct))))", gc, Dialect::Wasi02),
        ("(component (component (core module (func (local v128)))))", simd, Dialect::Wasi02),
        ("(component (core type (module (import \"a\" \"b\" (func (param externref))))))", gc, Dialect::Wasi02),
        ("(component (import \"wasi:cli/types@0.3.0\" (instance)))", concurrency, Dialect::Wasi03),
        ("(component (import \"a\" (func async)))", concurrency, Dialect::Wasi03),
        ("(component (type (instance (type (stream u8)))))", concurrency, Dialect::Wasi03),
        ("(component (type (component (type (instance (type (future)))))))", concurrency, Dialect::Wasi03),
        ("(component (core func (canon waitable-set.new)))", concurrency, Dialect::Wasi03),
        (COMPONENT, none, Dialect::Wasi02),
        (MODULE, none, Dialect::Wasi01),
    ];
    for (text, needs, dialect) in cases {
        let summary = summary(&bytes(text)).unwrap();
        assert_eq!((summary.needs, summary.dialect), (*needs, *dialect), "{text}");
    }
}

#[test]
fn reports_a_module_and_a_component() {
    let module = inspect(&bytes(MODULE)).unwrap();
    let exports: Vec<_> = module.exports.iter().map(|export| format!("{}: {}", export.name, export.ty)).collect();
    let expected = [
        "memory: memory, 1 to 3 pages",
        "g: mutable global i64",
        "handle_request: () -> i32",
        "sum: (i32, i32) -> i32",
    ];
    assert_eq!(exports, expected);
    assert_eq!(module.imports[1].ty, "table of funcref, 2 to 4 elements");
    let summary = &module.summary;
    assert_eq!((summary.memory_min_bytes, summary.memory_max_bytes), (1 << 16, Some(3 << 16)));
    assert_eq!((summary.table_min, summary.tables, summary.memories, summary.core_instances), (5, 1, 1, 1));
    assert_eq!((module.imports_total, module.exports_total, module.names, module.debug_info), (2, 4, true, false));
    let json = serde_json::to_value(&module).unwrap();
    assert_eq!(json["kind"], "core");
    assert_eq!(json["dialect"], "wasi-0.1");
    assert_eq!(json["candidates"][0]["shape"], "function");
    assert_eq!(json["imports"][0]["grants"][0], "stdio");
    assert!(json["digest"].as_str().unwrap().starts_with("sha256:"));

    let component = inspect(&bytes(COMPONENT)).unwrap();
    let exports: Vec<_> = component.exports.iter().map(|export| format!("{}: {}", export.name, export.ty)).collect();
    let expected = ["add: func(a: s32, b: s32) -> s32", "demo:kinds/calc@1.0.0#add: func(a: s32, b: s32) -> s32"];
    assert_eq!(exports, expected);
    assert_eq!(component.imports[0].ty, "interface of 4 functions");
    assert_eq!(component.imports[3].ty, "func(text: string)");
    assert_eq!(component.wit.unwrap(), WIT);
    assert_eq!((component.summary.memory_min_bytes, component.summary.core_instances), (2 << 16, 1));
    assert_eq!(component.summary.memory_max_bytes, None);
}

#[test]
fn reads_text_or_says_where_it_is_wrong() {
    let text = "(module (func (export \"a\")))";
    let binary_form = binary(Cow::Borrowed(text.as_bytes())).unwrap();
    assert_eq!(summary(&binary_form).unwrap().digest, summary(&bytes(text)).unwrap().digest);
    assert!(matches!(binary(Cow::Borrowed(&binary_form)).unwrap(), Cow::Borrowed(_)));
    let long = format!("(module {}", "a".repeat(100_000));
    let nested = "(".repeat(1_000_000);
    let empty = "the guest is empty, expected WebAssembly: a binary, which starts with `00 61 73 6d`, or its text";
    let cases: &[(&[u8], &str)] = &[
        (b"", empty),
        (b"\x7fELF\x02\xff", "found `7f 45 4c 46 02 ff`"),
        (b"(module\n  (fun))", "line:column 2:4"),
        (b"hello", "the guest is no WebAssembly text: "),
        (b"(module \x1b[31m)", "the guest is no WebAssembly text: "),
        (long.as_bytes(), "the guest is no WebAssembly text: "),
        (nested.as_bytes(), "the guest is no WebAssembly text: "),
    ];
    for (bytes, expected) in cases {
        let message = binary(Cow::Borrowed(bytes)).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(message.len() < 2_000 && !message.contains('\x1b'), "{message}");
    }
    let large = vec![b' '; TEXT_BYTES_MAX as usize + 1];
    assert!(matches!(binary(Cow::Owned([b"(", large.as_slice()].concat())), Err(Malformed::LargeText { .. })));
}

/// Whatever the bytes are, the answer is a value, and an error shows nothing that drives a terminal.
fn survives(bytes: &[u8]) {
    for error in [summary(bytes).err(), inspect(bytes).err()].into_iter().flatten() {
        assert!(!error.to_string().contains(|c: char| c.is_control()), "{error}");
    }
    let _ = binary(Cow::Borrowed(bytes));
}

#[test]
fn survives_every_truncation_and_every_changed_byte() {
    for text in [MODULE, COMPONENT] {
        let whole = bytes(text);
        for end in 0..whole.len() {
            survives(&whole[..end]);
        }
        for at in 0..whole.len() {
            for byte in [0, 1, 0x40, 0x41, 0x42, 0x7f, 0x80, 0xff, whole[at] ^ 1, whole[at] ^ 0x80] {
                let mut changed = whole.clone();
                changed[at] = byte;
                survives(&changed);
            }
        }
    }
    let cut = summary(&bytes(MODULE)[..20]).unwrap_err();
    assert!(matches!(cut, Malformed::Invalid { offset, .. } if offset > 0), "{cut}");
    assert!(matches!(summary(&vec![0; GUEST_BYTES_MAX as usize + 1]), Err(Malformed::Large { .. })));
}

/// An unsigned number as WebAssembly writes it.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], leb(content.len()).as_slice(), content].concat()
}

const COMPONENT_HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

#[test]
fn lists_no_more_than_its_bounds() {
    let mut text = "(module (func $f (param i32))".to_owned();
    for index in 0..200_000 {
        write!(text, r#"(export "f{index}" (func $f))"#).unwrap();
    }
    let module = inspect(&bytes(&(text + ")"))).unwrap();
    assert_eq!((module.exports.len(), module.exports_total), (LISTED_MAX, 200_000));
    assert_eq!(module.summary.candidates.len(), CANDIDATES_MAX);
    let error = choose(&module.summary.candidates, Some(Shape::Http), None).unwrap_err();
    assert!(error.to_string().len() < 1_000 && error.to_string().ends_with(" and 9990 more"), "{error}");

    let long = "n".repeat(50_000);
    let text = format!("(module (func (export \"{long}\")) (func (export \"\\1b[2J\")) (func (export \"ok\")))");
    let module = inspect(&bytes(&text)).unwrap();
    assert!(module.exports.iter().all(|export| export.name.len() < 600 && !export.name.contains('\x1b')));
    assert_eq!(module.summary.candidates.iter().map(line).collect::<Vec<_>>(), ["typed or function ok"]);

    let mut many = b"\0asm\x01\0\0\0".to_vec();
    for index in 0..3_000 {
        let name = format!("{index}");
        many.extend(section(0, &[leb(name.len()), name.into_bytes()].concat()));
    }
    let producer =
        [b"\x09producers\x01\x08language".as_slice(), &leb(5_000), b"\x01a\x011".repeat(5_000).as_slice()].concat();
    many.extend(section(0, &producer));
    many.extend(section(0, b"\x0b.debug_info"));
    let module = inspect(&many).unwrap();
    assert_eq!(module.sections.len(), LISTED_MAX + 1);
    assert_eq!(module.producers.len(), 1);
    assert!(module.debug_info && !module.names);

    let sections = [b"\0asm\x01\0\0\0".to_vec(), section(0, b"\x01a").repeat(100_001)].concat();
    assert!(matches!(summary(&sections), Err(Malformed::Invalid { .. })));
    let import = |index: usize| [&[0], leb(7).as_slice(), format!("a{index:06}").as_bytes(), &[1, 0]].concat();
    let imports = [leb(100_001), (0..100_001).flat_map(import).collect()].concat();
    let component = [COMPONENT_HEADER, &section(7, b"\x01\x40\0\x01\0"), &section(10, &imports)].concat();
    assert!(matches!(summary(&component), Err(Malformed::Invalid { .. })));
}

/// `wasmparser` reads types of components recursively and without a limit, so that a small file of types in types ended
/// the process by overflowing its stack.
#[test]
fn refuses_deep_nesting_of_components_and_types() {
    let mut component = COMPONENT_HEADER.to_vec();
    for _ in 0..150 {
        component = [COMPONENT_HEADER, &section(4, &component)].concat();
    }
    assert!(matches!(summary(&component), Err(Malformed::Deep { .. })));
    for opening in [b"\x41\x01\x01", b"\x42\x01\x01"] {
        let types = [leb(1), opening.repeat(1_000_000), b"\x7f".to_vec()].concat();
        let component = [COMPONENT_HEADER, &section(7, &types)].concat();
        assert!(matches!(summary(&component), Err(Malformed::Deep { .. })));
        assert!(matches!(inspect(&component), Err(Malformed::Deep { .. })));
    }
    let types = [leb(1), b"\x42\x01\x01".repeat(NESTING_MAX - 1), b"\x7f".to_vec()].concat();
    inspect(&[COMPONENT_HEADER, &section(7, &types)].concat()).unwrap();
}

/// `wit-parser` follows the packages of a component without end where two of them use each other.
#[test]
fn prints_packages_that_use_each_other() {
    let component = r#"(component
        (import "a:a/one" (instance $one (type $r (record (field "x" u8))) (export "t" (type (eq $r)))))
        (alias export $one "t" (type $t))
        (import "b:b/two" (instance $two (alias outer 1 $t (type $o)) (export "t" (type (eq $o)))))
        (alias export $two "t" (type $u))
        (import "a:a/three" (instance (alias outer 1 $u (type $o)) (export "t" (type (eq $o))))))"#;
    let wit = inspect(&bytes(component)).unwrap().wit.unwrap();
    assert!(wit.contains("use b:b/two.{t};") && wit.contains("use a:a/one.{t};"), "{wit}");
}

/// A few bytes of types can say far more text than there is memory.
#[test]
fn cuts_types_and_wit_that_are_too_long() {
    let mut types = "(type $t0 (tuple u8 u8))".to_owned();
    for index in 1..11 {
        let inner = index - 1;
        write!(types, "(type $t{index} (tuple $t{inner} $t{inner}))").unwrap();
    }
    let mut text = format!("(component {types} (type $f (func (param \"a\" $t10)))");
    for index in 0..200 {
        write!(text, r#" (import "f{index}" (func (type $f)))"#).unwrap();
    }
    let component = inspect(&bytes(&(text + ")"))).unwrap();
    assert!(component.imports[0].ty.len() < TYPE_BYTES_MAX + 10 && component.imports[0].ty.ends_with('…'));
    let wit = component.wit.unwrap();
    assert!(wit.len() < WIT_BYTES_MAX + 100 && wit.ends_with("// cut here: the rest would be too long\n"));

    let mut text = "(component (type $f (func)) (type $i (instance".to_owned();
    for index in 0..1_000 {
        write!(text, r#" (export "f{index}" (func (type 0)))"#).unwrap();
    }
    text = text.replacen("(instance", "(instance (alias outer 1 $f (type))", 1) + "))";
    for index in 0..200 {
        write!(
            text,
            r#" (import "a:a/i{index}" (instance $i{index} (type $i))) (export "a:b/i{index}" (instance $i{index}))"#
        )
        .unwrap();
    }
    let component = inspect(&bytes(&(text + ")"))).unwrap();
    assert_eq!(component.exports.len(), LISTED_MAX);
    assert!(component.exports_total <= 1_000_000);
    assert!(component.wit.unwrap().len() < WIT_BYTES_MAX + 100);
}
