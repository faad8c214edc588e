//! What can't be read, or is too much.

use sandbar_bindings::{Error, Language, Way, guest, wit, wit_text};
use std::fmt::Write;

fn component(text: &str) -> Result<sandbar_bindings::World, Error> {
    guest(&wat::parse_str(text).unwrap(), "guest", |_| Some(Way::Typed))
}

fn told(error: Error) -> String {
    error.to_string()
}

#[test]
fn what_is_wrong_is_told() {
    let read = |bytes: &[u8]| told(guest(bytes, "guest", |_| Some(Way::Typed)).unwrap_err());
    assert_eq!(read(b"hello"), "expected a component or a module: found neither");
    assert!(read(b"\0asm\x01\0\0\0\x01\xff").starts_with("expected a component or a module: unexpected end"));
    assert!(read(b"\0asm\x0d\0\x01\0\x07\xff").starts_with("expected a component or a module: "));

    let two = "package a:b; world one {} world two {}";
    assert_eq!(told(wit_text(two, Some("three")).unwrap_err()), "no world `three`, found `one`, `two`");
    assert_eq!(told(wit_text(two, None).unwrap_err()), "expected one world, found `one`, `two`");
    assert_eq!(told(wit_text("package a:b;", None).unwrap_err()), "expected one world, found none");
    assert!(wit_text(two, Some("a:b/one")).is_ok());
    let broken = told(wit_text("package a:b; world one { export f: fun(); }", None).unwrap_err());
    assert!(broken.starts_with("the WIT can't be read: ") && broken.contains("world.wit:1:"), "{broken}");
    assert!(matches!(wit("nowhere", None), Err(Error::File(..))));
}

#[test]
fn a_long_tuple_has_no_form_in_rust_alone() {
    let types = vec!["u8"; 13].join(", ");
    let world = wit_text(&format!("package a:b; world one {{ export f: func(a: tuple<{types}>); }}"), None).unwrap();
    assert!(told(world.write(Language::Rust).unwrap_err()).contains("a tuple of more than 12 types"));
    assert!(world.write(Language::TypeScript).is_ok() && world.write(Language::Python).is_ok());
}

/// Types that are made of each other, each of the one before it.
fn chain(length: usize) -> String {
    let mut text = "package a:b; world one { type t0 = u8;".to_owned();
    for index in 1..length {
        write!(text, "type t{index} = list<t{}>;", index - 1).unwrap();
    }
    write!(text, "export f: func(a: t{}); }}", length - 1).unwrap();
    text
}

#[test]
fn types_that_lie_too_deep_in_each_other_are_refused() {
    assert!(wit_text(&chain(50), None).is_ok());
    let error = told(wit_text(&chain(30_000), None).unwrap_err());
    assert_eq!(error, "the guest's types are too many: expected at most 100 in each other");
    let deep =
        format!("package a:b; world one {{ export f: func(a: {}u8{}); }}", "list<".repeat(10_000), ">".repeat(10_000));
    assert!(matches!(wit_text(&deep, None), Err(Error::Wit(_))));
}

#[test]
fn a_few_bytes_that_say_very_much_are_refused() {
    let mut text = "package a:b; world one { type t0 = u8;".to_owned();
    // Names are written once, so only what has none grows.
    let ty = (0..20).fold("u8".to_owned(), |ty, _| if ty.len() < 400_000 { format!("tuple<{ty}, {ty}>") } else { ty });
    write!(text, "export f: func(a: {ty}); }}").unwrap();
    assert!(text.len() < 1 << 20);
    let outcome = wit_text(&text, None).and_then(|world| world.write(Language::TypeScript));
    assert!(outcome.is_ok_and(|text| text.len() < 4 << 20));

    let mut text = "(component (type $t0 (tuple u8 u8))".to_owned();
    for index in 1..18 {
        write!(text, "(type $t{index} (tuple $t{} $t{}))", index - 1, index - 1).unwrap();
    }
    text.push_str("(import \"f\" (func $f (param \"a\" $t17))) (export \"g\" (func $f)))");
    let error = told(component(&text).unwrap_err());
    assert!(error.contains("200000 parts") || error.contains("type size exceeds"), "{error}");
}

#[test]
fn components_in_each_other_are_bounded() {
    // A type of a component that holds one, and so on; text of it would be read recursively.
    let types = [vec![1], b"\x41\x01\x01".repeat(100_000), b"\x7f".to_vec()].concat();
    let mut length = Vec::new();
    let mut rest = types.len();
    while rest > 0 {
        length.push((rest & 0x7f) as u8 | if rest > 0x7f { 0x80 } else { 0 });
        rest >>= 7;
    }
    let binary = [b"\0asm\x0d\0\x01\0\x07".to_vec(), length, types].concat();
    let error = told(guest(&binary, "guest", |_| Some(Way::Typed)).unwrap_err());
    assert_eq!(error, "the guest's types are too many: expected at most 100 in each other");
}

/// A valid component may use a package that uses its own.
#[test]
fn packages_that_use_each_other_are_read() {
    let text = r#"(component
        (import "a:a/one" (instance $one (type $p (record (field "x" u8))) (export "p" (type (eq $p)))))
        (alias export $one "p" (type $p))
        (import "b:b/two" (instance $two (alias outer 1 $p (type $p)) (export "q" (type (eq $p)))))
        (alias export $two "q" (type $q))
        (import "a:a/three" (instance $three
            (alias outer 1 $q (type $q0)) (export "r" (type $q (eq $q0))) (export "f" (func (param "a" $q) (result $q)))))
        (alias export $three "f" (func $f))
        (export "g" (func $f)))"#;
    let text = component(text).unwrap().write(Language::TypeScript).unwrap();
    assert!(text.contains("g: (a: P) => P;") || text.contains("\"g\": (a: P) => P;"), "{text}");
}

/// Whatever the bytes are, what is written is a file or an error.
#[test]
fn broken_components_are_read_or_refused() {
    let text = include_str!("../../../embed/tests/bindings/hooks.wat");
    let whole = wat::parse_str(text).unwrap();
    let mut random = sandbar_testkit::random::Random::new(7);
    let mut read = 0;
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..random.between(1..=3) {
            let at = random.between(0..=bytes.len() as u64 - 1) as usize;
            bytes[at] = random.between(0..=255) as u8;
        }
        let Ok(world) = guest(&bytes, "guest", |_| Some(Way::Typed)) else { continue };
        read += 1;
        for language in [Language::TypeScript, Language::Python, Language::Rust] {
            assert!(world.write(language).is_ok());
        }
    }
    assert!(read > 100, "{read}");
}
