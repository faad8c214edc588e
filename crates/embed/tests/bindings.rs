//! Rust that was written from a guest's types, compiled here and called: its values go through a real component and back.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends loudly")]

use sandbar_bindings::{Language, Way, guest};
use sandbar_embed::{Host, HostCall, HostError, Interruption, Outcome, Plugin, inspect};
use sandbar_testkit::golden;
use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

#[allow(unreachable_pub, reason = "a test has no public part")]
mod types {
    include!("golden/types.rs.txt");
}
#[allow(unreachable_pub, reason = "a test has no public part")]
mod hooks {
    include!("golden/hooks.rs.txt");
}

/// What the writer's own tests write, with what every file ends with: it is enough that it compiles.
macro_rules! compiles {
    ($($name:ident: $file:literal;)+) => {$(
        #[allow(dead_code, unreachable_pub, reason = "it is enough that it compiles")]
        mod $name {
            include!(concat!("../../bindings/tests/golden/", $file));
            include!("../../bindings/src/rust/support/values.rs");
            include!("../../bindings/src/rust/support/arguments.rs");
        }
    )+};
}

compiles! {
    everything: "everything.rs.txt";
    keywords: "keywords.rs.txt";
    module: "module.rs.txt";
    empty: "empty.rs.txt";
}

use types::{Access, Colour, Drawing, Layer, Point, Shape, Types};

fn types_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/target/sandbar/types.wasm")
}

const HOOKS: &[u8] = include_bytes!("bindings/hooks.wat");

fn host() -> Host {
    Host::builder().interruption(Interruption::Epochs).build().unwrap()
}

fn types() -> Types {
    Types(host().plugin(types_path()).load().unwrap())
}

fn written(bytes: &[u8], name: &str) -> String {
    let binary = inspect::binary(Cow::Borrowed(bytes)).unwrap();
    let way = |export: &str| (!export.starts_with("wasi:")).then_some(Way::Typed);
    guest(&binary, name, way).unwrap().write(Language::Rust).unwrap()
}

#[test]
fn what_is_compiled_here_is_what_is_written() {
    golden::check("tests/golden/types.rs.txt", &written(&std::fs::read(types_path()).unwrap(), "types"));
    golden::check("tests/golden/hooks.rs.txt", &written(HOOKS, "hooks"));
}

#[test]
fn values_of_each_type_come_back() {
    let types = types();
    assert_eq!(types.add(2, 40).unwrap(), 42);
    assert_eq!(types.greet("Ada").unwrap(), "Hello, Ada!");
    assert!(types.echo_bool(true).unwrap());
    assert_eq!(types.echo_s8(i8::MIN).unwrap(), i8::MIN);
    assert_eq!(types.echo_s16(i16::MIN).unwrap(), i16::MIN);
    assert_eq!(types.echo_s32(i32::MIN).unwrap(), i32::MIN);
    assert_eq!(types.echo_u8(u8::MAX).unwrap(), u8::MAX);
    assert_eq!(types.echo_u16(u16::MAX).unwrap(), u16::MAX);
    assert_eq!(types.echo_u32(u32::MAX).unwrap(), u32::MAX);
    for number in [0, 1, 1 << 53, (1 << 53) + 1, u64::MAX] {
        assert_eq!(types.echo_u64(number).unwrap(), number);
    }
    for number in [i64::MIN, -(1 << 53) - 1, -1, 0, i64::MAX] {
        assert_eq!(types.echo_s64(number).unwrap(), number);
    }
    for number in [0.1, -0.0, f32::MAX, f32::MIN_POSITIVE, f32::INFINITY, f32::NEG_INFINITY, 3.0] {
        assert_eq!(types.echo_f32(number).unwrap().to_bits(), number.to_bits());
    }
    for number in [0.1, -0.0, f64::MAX, 5e-324, f64::INFINITY, f64::NEG_INFINITY, 3.0] {
        assert_eq!(types.echo_f64(number).unwrap().to_bits(), number.to_bits());
    }
    assert!(types.echo_f32(f32::NAN).unwrap().is_nan() && types.echo_f64(f64::NAN).unwrap().is_nan());
    assert_eq!(types.echo_char('ü').unwrap(), 'ü');
    assert_eq!(types.echo_string("a\"\n\0ü😀").unwrap(), "a\"\n\0ü😀");
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(types.echo_bytes(&bytes).unwrap(), bytes);
    assert_eq!(types.echo_strings(&["a".to_owned(), String::new()]).unwrap(), ["a", ""]);
    assert_eq!(types.echo_option(&Some(5)).unwrap(), Some(5));
    assert_eq!(types.echo_option(&None).unwrap(), None);
    assert_eq!(types.echo_result(&Ok("a".to_owned())).unwrap(), Ok("a".to_owned()));
    assert_eq!(types.echo_result(&Err(7)).unwrap(), Err(7));
    assert_eq!(types.echo_empty_result(&Err(())).unwrap(), Err(()));
    assert_eq!(types.echo_tuple(&(1, "a".to_owned())).unwrap(), (1, "a".to_owned()));
}

#[test]
fn values_of_types_with_names_come_back() {
    let types = types();
    let point = Point { x: -1, y: 2 };
    assert_eq!(types.echo_record(&point).unwrap(), point);
    let line = Shape::Line((point.clone(), point));
    for shape in [Shape::Dot, Shape::Circle(f64::INFINITY), line.clone(), Shape::Label("a".to_owned())] {
        assert_eq!(types.echo_variant(&shape).unwrap(), shape);
    }
    assert_eq!(types.echo_enum(&Colour::Green).unwrap(), Colour::Green);
    let access = Access { read: true, execute: true, ..Access::default() };
    assert_eq!(types.echo_flags(&access).unwrap(), access);
    let layer = Layer { name: "a".to_owned(), colour: Some(Colour::Blue), shapes: vec![line, Shape::Dot] };
    let empty = Layer { name: String::new(), colour: None, shapes: Vec::new() };
    let drawing = Drawing { title: "b".to_owned(), layers: vec![layer, empty] };
    assert_eq!(types.echo_nested(&drawing).unwrap(), drawing);
}

#[test]
fn resources_are_handles_with_a_type() {
    let types = types();
    let [one, two] = [types.new_counter().unwrap(), types.new_counter().unwrap()];
    types.counter_add(&one, 40).unwrap();
    types.counter_add(&one, 2).unwrap();
    assert_eq!((types.counter_get(&one).unwrap(), types.counter_get(&two).unwrap()), (42, 0));
    types.drop_counter(one.clone()).unwrap();
    assert!(matches!(types.counter_get(&one).unwrap_err().outcome, Outcome::Refused { .. }));
    assert_eq!(types.counter_get(&two).unwrap(), 0);
}

#[tokio::test]
async fn async_hosts_wait_for_them() {
    let types = types();
    assert_eq!(types.greet_async("Ada").await.unwrap(), "Hello, Ada!");
    assert_eq!(types.echo_u64_async(u64::MAX).await.unwrap(), u64::MAX);
}

#[test]
fn a_call_that_ends_otherwise_is_an_error_with_a_receipt() {
    // Another plugin than the types are of: it has no such export, or gives something else.
    let other = |wat: &'static str| Types(host().plugin(wat.as_bytes()).load().unwrap());
    let error = other("(module (func (export \"x\")))").greet("Ada").unwrap_err();
    assert!(matches!(error.outcome, Outcome::Refused { .. }), "{error}");
    let error =
        other("(module (func (export \"add\") (param i32 i32) (result i32) unreachable))").add(1, 2).unwrap_err();
    assert!(matches!(error.outcome, Outcome::Trapped { .. }) && error.receipt.is_some(), "{error}");
    let wide = "(module (func (export \"add\") (param i32 i32) (result i64) i64.const -1))";
    assert_eq!(other(wide).add(1, 2).unwrap(), -1);
    let many = "(module (func (export \"add\") (param i32 i32) (result i32 i32) i32.const 1 i32.const 2))";
    let error = other(many).add(1, 2).unwrap_err();
    assert!(error.to_string().starts_with("the answer of `add` is not what was asked for"), "{error}");
}

/// What the guest writes goes here.
#[derive(Default)]
struct Sink {
    entries: Mutex<Vec<hooks::Entry>>,
    calls: AtomicU64,
}

impl hooks::Imports for Arc<Sink> {
    fn write(&self, _: &mut HostCall<'_>, entry: hooks::Entry) -> Result<Result<u64, String>, HostError> {
        self.calls.fetch_add(1, Relaxed);
        match entry.text.as_str() {
            "fail" => Err("the disk is gone".into()),
            "panic" => panic!("the disk is on fire"),
            "" => Ok(Err("there is nothing to write".to_owned())),
            _ => {
                let written_at = entry.written_at;
                self.entries.lock().unwrap().push(entry);
                Ok(Ok(written_at))
            }
        }
    }
}

#[test]
fn functions_of_the_host_have_types_too() {
    let sink = Arc::new(Sink::default());
    let host = host();
    let plugin: Plugin = hooks::with_imports(host.plugin(HOOKS), sink.clone()).load().unwrap();
    let hooks = hooks::Hooks(plugin);
    let entry = |text: &str| hooks::Entry { text: text.to_owned(), written_at: u64::MAX };
    assert_eq!(hooks.forward(&entry("one")).unwrap(), Ok(u64::MAX));
    assert_eq!(hooks.forward(&entry("")).unwrap(), Err("there is nothing to write".to_owned()));
    assert_eq!(*sink.entries.lock().unwrap(), [entry("one")]);
    for (text, cause) in [("fail", "the disk is gone"), ("panic", "the disk is on fire")] {
        let error = hooks.forward(&entry(text)).unwrap_err();
        assert!(matches!(error.outcome, Outcome::Fault { .. }) && error.to_string().contains(cause), "{error}");
    }
    // A held sandbox that ended with a call is another one by the next.
    assert_eq!(hooks.forward(&entry("two")).unwrap(), Ok(u64::MAX));
    assert_eq!(sink.calls.load(Relaxed), 5);
}
