//! Typed calls from the command line: every type of value, in WAVE and in JSON, given back by `guests/types`.

use crate::shell::finish;

const GUEST: &str = "guests/target/sandbar/types.wasm";

/// An export, an argument in either notation, and the result in both.
struct Case(&'static str, &'static [&'static str], &'static str, &'static str);

const CASES: &[Case] = &[
    Case("echo-bool", &["true"], "true", "true"),
    Case("echo-s8", &["-128"], "-128", "-128"),
    Case("echo-s16", &["-32768"], "-32768", "-32768"),
    Case("echo-s32", &["-2147483648"], "-2147483648", "-2147483648"),
    Case("echo-s64", &["-9223372036854775808"], "-9223372036854775808", "\"-9223372036854775808\""),
    Case("echo-u8", &["255"], "255", "255"),
    Case("echo-u16", &["65535"], "65535", "65535"),
    Case("echo-u32", &["4294967295"], "4294967295", "4294967295"),
    Case("echo-u64", &["18446744073709551615"], "18446744073709551615", "\"18446744073709551615\""),
    Case("echo-f32", &["1.5", "15e-1"], "1.5", "1.5"),
    Case("echo-f32", &["nan", "\"NaN\""], "nan", "\"NaN\""),
    Case("echo-f64", &["-inf", "\"-Infinity\""], "-inf", "\"-Infinity\""),
    Case("echo-f64", &["0.1"], "0.1", "0.1"),
    Case("echo-char", &["'x'", "\"x\"", "x"], "'x'", "\"x\""),
    Case("echo-char", &["'\\u{1F600}'", "\"😀\""], "'😀'", "\"😀\""),
    Case("echo-string", &["\"a \\\"b\\\"\\n\"", "a \"b\"\n"], "\"a \\\"b\\\"\\n\"", "\"a \\\"b\\\"\\n\""),
    Case("echo-string", &["plain text"], "\"plain text\"", "\"plain text\""),
    Case("echo-bytes", &["[0, 1, 255]", "{\"base64\": \"AAH/\"}"], "[0, 1, 255]", "[0,1,255]"),
    Case("echo-bytes", &["[]"], "[]", "[]"),
    Case("echo-strings", &["[\"a\", \"b\"]", "[\"a\",\"b\"]"], "[\"a\", \"b\"]", "[\"a\",\"b\"]"),
    Case("echo-option", &["some(5)", "5"], "some(5)", "5"),
    Case("echo-option", &["none", "null"], "none", "null"),
    Case("echo-result", &["ok(\"fine\")", "{\"ok\": \"fine\"}"], "ok(\"fine\")", "{\"ok\":\"fine\"}"),
    Case("echo-result", &["err(7)", "{\"err\": 7}"], "err(7)", "{\"err\":7}"),
    Case("echo-empty-result", &["ok", "{\"ok\": null}"], "ok", "{\"ok\":null}"),
    Case("echo-empty-result", &["err", "{\"err\": null}"], "err", "{\"err\":null}"),
    Case("echo-tuple", &["(1, \"a\")", "[1, \"a\"]"], "(1, \"a\")", "[1,\"a\"]"),
    Case("echo-record", &["{x: 1, y: -2}", "{\"y\": -2, \"x\": 1}"], "{x: 1, y: -2}", "{\"x\":1,\"y\":-2}"),
    Case("echo-variant", &["dot", "\"dot\""], "dot", "\"dot\""),
    Case("echo-variant", &["circle(1.5)", "{\"circle\": 1.5}"], "circle(1.5)", "{\"circle\":1.5}"),
    Case(
        "echo-variant",
        &["line(({x: 1, y: 2}, {x: 3, y: 4}))", "{\"line\": [{\"x\": 1, \"y\": 2}, {\"x\": 3, \"y\": 4}]}"],
        "line(({x: 1, y: 2}, {x: 3, y: 4}))",
        "{\"line\":[{\"x\":1,\"y\":2},{\"x\":3,\"y\":4}]}",
    ),
    Case("echo-enum", &["green", "\"green\""], "green", "\"green\""),
    Case("echo-flags", &["{read, execute}", "[\"read\", \"execute\"]"], "{read, execute}", "[\"read\",\"execute\"]"),
    Case("echo-flags", &["{}", "[]"], "{}", "[]"),
    Case(
        "echo-nested",
        &[
            "{title: \"t\", layers: [{name: \"n\", colour: some(red), shapes: [dot, label(\"l\")]}]}",
            "{\"title\": \"t\", \"layers\": [{\"name\": \"n\", \"colour\": \"red\", \"shapes\": [\"dot\", {\"label\": \"l\"}]}]}",
        ],
        "{title: \"t\", layers: [{name: \"n\", colour: some(red), shapes: [dot, label(\"l\")]}]}",
        "{\"title\":\"t\",\"layers\":[{\"name\":\"n\",\"colour\":\"red\",\"shapes\":[\"dot\",{\"label\":\"l\"}]}]}",
    ),
];

/// A word that the shell passes on as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn call(flags: &str, export: &str, arguments: &[&str]) -> String {
    let arguments: Vec<_> = arguments.iter().map(|argument| quoted(argument)).collect();
    // After `--`, since `-inf` would be taken for a flag.
    let line = format!("sandbar call {flags} {GUEST} {} -- {}", quoted(export), arguments.join(" "));
    let finished = finish(&line);
    assert_eq!(finished.code(), Some(0), "{line}: {}", finished.stderr_text());
    finished.stdout_text()
}

#[test]
fn every_type_goes_in_and_comes_back() {
    let mut wrong = Vec::new();
    for Case(name, arguments, wave, json) in CASES {
        let export = format!("sandbar:types/echo@0.1.0#{name}");
        for argument in *arguments {
            for (flags, expected) in [("", wave), ("--json", json)] {
                let found = call(flags, &export, &[argument]);
                if found != format!("{expected}\n") {
                    wrong.push(format!("{name} {argument} {flags}: expected {expected}, found {found}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn functions_of_the_world_are_called_by_their_name() {
    assert_eq!(call("", "add", &["20", "22"]), "42\n");
    assert_eq!(call("", "add", &["-5", "-6"]), "-11\n");
    assert_eq!(call("", "greet", &["World"]), "\"Hello, World!\"\n");
    assert_eq!(call("--json", "greet", &["\"Ada\""]), "\"Hello, Ada!\"\n");
}

#[test]
fn core_exports_take_numbers_lists_and_text() {
    for (line, expected) in [
        ("sandbar call guests/wat/add.wat add 1 -2", "-1\n"),
        ("sandbar call guests/wat/add.wat sum64 9223372036854775807 1", "-9223372036854775808\n"),
        ("sandbar call guests/wat/add.wat scale 1.5 2", "3\n"),
        ("sandbar call --json guests/wat/add.wat scale 1.5 2", "3.0\n"),
        ("sandbar call guests/wat/string.wat count_vowels 'hello world'", "3\n"),
        ("sandbar call examples/quickstart/sensor.wasm calculate_average '[20, 22, 27]'", "23\n"),
        ("sandbar call examples/quickstart/sensor.wasm validate_sensor_reading 101", "-1\n"),
    ] {
        let finished = finish(line);
        assert_eq!(finished.stdout_text(), expected, "{line}: {}", finished.stderr_text());
    }
}
