//! Fields: the headers and trailers of `wasi:http`.

use crate::{Case, cases, refused};
use wasip3::http::types::Fields;

pub(crate) const CASES: &[Case] = cases![
    empty,
    set_get_and_delete,
    several_values,
    names_of_any_case,
    names_as_they_were_written,
    clones_are_their_own,
    names_that_are_valid,
    names_that_are_not,
    values_that_are_valid,
    values_that_are_not,
    forbidden,
    forbidden_in_any_case,
];

/// Fields about the connection, which is not the guest's.
const FORBIDDEN: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "host",
];

async fn empty() {
    for fields in [Fields::new(), Fields::from_list(&[]).unwrap(), Fields::new().clone()] {
        assert!(!fields.has("foo") && fields.get("foo").is_empty() && fields.copy_all().is_empty());
        fields.delete("foo").unwrap();
    }
}

async fn set_get_and_delete() {
    let fields = Fields::from_list(&[entry("foo", "bar")]).unwrap();
    assert!(fields.has("foo"));
    assert_eq!(fields.get("foo"), [b"bar"]);
    fields.set("foo", &[b"new".to_vec()]).unwrap();
    assert_eq!(fields.copy_all(), [entry("foo", "new")]);
    assert_eq!(fields.get_and_delete("foo").unwrap(), [b"new"]);
    assert!(!fields.has("foo") && fields.get_and_delete("foo").unwrap().is_empty());
    fields.set("foo", &[]).unwrap();
    assert!(!fields.has("foo"), "to set no value is to delete");
}

async fn several_values() {
    let fields = Fields::new();
    fields.set("foo", &[b"one".to_vec(), b"two".to_vec()]).unwrap();
    fields.append("foo", b"three").unwrap();
    fields.append("other", b"x").unwrap();
    assert_eq!(fields.get("foo"), [&b"one"[..], b"two", b"three"]);
    assert_eq!(fields.copy_all().len(), 4);
    let list = [entry("a", "1"), entry("b", "2"), entry("a", "3")];
    assert_eq!(Fields::from_list(&list).unwrap().get("a"), [b"1", b"3"]);
}

async fn names_of_any_case() {
    let fields = Fields::new();
    fields.append("Foo", b"one").unwrap();
    fields.append("fOO", b"two").unwrap();
    assert!(fields.has("foo") && fields.has("FOO"));
    assert_eq!(fields.get("FOO"), [b"one", b"two"]);
    fields.delete("fOo").unwrap();
    assert!(fields.copy_all().is_empty());
}

/// A name that is known in one case is told as it was set first.
async fn names_as_they_were_written() {
    let fields = Fields::new();
    fields.append("Foo-Bar", b"one").unwrap();
    fields.append("foo-bar", b"two").unwrap();
    let all = fields.copy_all();
    assert_eq!([&all[0].0, &all[1].0], ["Foo-Bar", "Foo-Bar"]);
}

async fn clones_are_their_own() {
    let fields = Fields::from_list(&[entry("foo", "bar")]).unwrap();
    let clone = fields.clone();
    fields.delete("foo").unwrap();
    assert_eq!(clone.get("foo"), [b"bar"]);
}

/// RFC 9110, section 5.6.2: a token.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

async fn names_that_are_valid() {
    let characters = ('\0'..'\u{400}').filter(|&c| is_token(c)).map(String::from);
    for name in characters.chain(["kebab-case-1".into(), "f".repeat(1024)]) {
        let fields = Fields::new();
        assert!(!fields.has(&name) && fields.get(&name).is_empty());
        fields.set(&name, &[b"1".to_vec()]).unwrap();
        fields.append(&name, b"2").unwrap();
        assert_eq!(fields.get(&name), [b"1", b"2"], "{name}");
        assert!(Fields::from_list(&[entry(&name, "1")]).unwrap().has(&name));
    }
}

async fn names_that_are_not() {
    let characters = ('\0'..'\u{400}').filter(|&c| !is_token(c)).map(String::from);
    for name in characters.chain(["", "voilà", "two words", " a", "a ", "a:", "\"a\""].map(String::from)) {
        let fields = Fields::new();
        assert!(!fields.has(&name) && fields.get(&name).is_empty());
        refused(fields.set(&name, &[b"x".to_vec()]), &["InvalidSyntax"]);
        refused(fields.append(&name, b"x"), &["InvalidSyntax"]);
        refused(fields.delete(&name), &["InvalidSyntax"]);
        refused(fields.get_and_delete(&name), &["InvalidSyntax"]);
        refused(Fields::from_list(&[entry(&name, "x")]), &["InvalidSyntax"]);
        assert!(fields.copy_all().is_empty());
    }
}

async fn values_that_are_valid() {
    let bytes = (0..=255).filter(|&byte| is_value(byte)).map(|byte| vec![b'a', byte, b'z']);
    for value in bytes.chain([b"".to_vec(), vec![b'f'; 1024]]) {
        let fields = Fields::new();
        fields.set("foo", std::slice::from_ref(&value)).unwrap();
        fields.append("foo", &value).unwrap();
        assert_eq!(fields.get("foo"), [value.clone(), value]);
    }
}

async fn values_that_are_not() {
    for byte in (0..=255).filter(|&byte| !is_value(byte)) {
        let value = [b'a', byte, b'z'];
        let fields = Fields::new();
        refused(fields.set("foo", &[value.to_vec()]), &["InvalidSyntax"]);
        refused(fields.append("foo", &value), &["InvalidSyntax"]);
        refused(Fields::from_list(&[("foo".into(), value.to_vec())]), &["InvalidSyntax"]);
        assert!(fields.copy_all().is_empty());
    }
}

/// RFC 9110, section 5.5: visible, blank, or no ASCII.
fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7F)
}

async fn forbidden() {
    FORBIDDEN.into_iter().for_each(is_forbidden);
}

async fn forbidden_in_any_case() {
    for name in FORBIDDEN {
        is_forbidden(&name.to_uppercase());
        let words = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
        is_forbidden(&words.collect::<Vec<_>>().join("-"));
    }
}

#[track_caller]
fn is_forbidden(name: &str) {
    let fields = Fields::new();
    refused(fields.set(name, &[b"x".to_vec()]), &["Forbidden"]);
    refused(fields.append(name, b"x"), &["Forbidden"]);
    refused(Fields::from_list(&[entry(name, "x")]), &["Forbidden"]);
    assert!(!fields.has(name));
}

fn entry(name: &str, value: &str) -> (String, Vec<u8>) {
    (name.into(), value.into())
}
