use super::*;
use wasmtime::{
    Config, Engine,
    component::{Component, types::ComponentItem, wasm_wave},
};

const TEXT_BYTES_MAX: usize = 1 << 20;

/// The types that tests speak of by name: a component names each of its records, variants, enums and flags.
const TYPES: &str = r#"
    (type $point' (record (field "x" s32) (field "y" s32) (field "label" (option string))))
    (import "point" (type $point (eq $point')))
    (type $bare' (record (field "some" (option u8))))
    (import "bare" (type $bare (eq $bare')))
    (type $shape' (variant (case "dot") (case "circle" f64) (case "line" (tuple $point $point)) (case "none" u8)))
    (import "shape" (type $shape (eq $shape')))
    (type $color' (enum "red" "green" "true"))
    (import "color" (type $color (eq $color')))
    (type $mode' (flags "read" "write" "some"))
    (import "mode" (type $mode (eq $mode')))
    (import "file" (type $file (sub resource)))
"#;

fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.wasm_component_model_map(true);
    config.wasm_component_model_fixed_length_lists(true);
    config.wasm_component_model_error_context(true);
    Engine::new(&config).unwrap()
}

fn signature(types: &str, function: &str) -> ComponentSignature {
    let engine = engine();
    let text = format!("(component {TYPES} {types} (import \"f\" (func {function})))");
    let component = Component::new(&engine, &text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let ty = component.component_type();
    match ty.get_import(&engine, "f").map(|item| item.ty) {
        Some(ComponentItem::ComponentFunc(ty)) => ComponentSignature::of("f", &ty),
        _ => panic!("no function: {text}"),
    }
}

/// A function that takes and gives one value of a type.
fn echo(types: &str, ty: &str) -> ComponentSignature {
    signature(types, &format!("(param \"x\" {ty}) (result {ty})"))
}

fn message(result: Result<impl std::fmt::Debug, ValueError>) -> String {
    let error = result.unwrap_err();
    match &error.hint {
        Some(hint) => format!("{error}; hint: {hint}"),
        None => error.to_string(),
    }
}

fn from_json(signature: &ComponentSignature, text: &str) -> Result<Vec<Val>, ValueError> {
    signature.arguments(Given::Json(text.as_bytes()), None)
}

fn from_words(signature: &ComponentSignature, words: &[&str]) -> Result<Vec<Val>, ValueError> {
    let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
    signature.arguments(Given::Wave(&words), None)
}

fn to_text(signature: &ComponentSignature, values: &[Val], notation: Notation) -> String {
    signature.result_text(values, notation, TEXT_BYTES_MAX, &mut None).unwrap()
}

#[test]
fn every_type_is_read_from_and_written_as_json_and_wave() {
    // Type, JSON, WAVE: both are written as they were read.
    let cases = [
        ("bool", "true", "true"),
        ("s8", "-128", "-128"),
        ("u8", "255", "255"),
        ("s16", "-32768", "-32768"),
        ("u16", "65535", "65535"),
        ("s32", "-2147483648", "-2147483648"),
        ("u32", "4294967295", "4294967295"),
        ("s64", "9007199254740992", "9007199254740992"),
        ("s64", r#""-9223372036854775808""#, "-9223372036854775808"),
        ("u64", r#""18446744073709551615""#, "18446744073709551615"),
        ("u64", r#""9007199254740993""#, "9007199254740993"),
        ("float32", "0.1", "0.1"),
        ("float32", "3.4028235e38", "340282350000000000000000000000000000000"),
        ("float32", r#""NaN""#, "nan"),
        ("float32", r#""-Infinity""#, "-inf"),
        ("float64", "-0.0", "-0"),
        ("float64", "1e-7", "0.0000001"),
        ("float64", r#""Infinity""#, "inf"),
        ("float64", r#""NaN""#, "nan"),
        ("char", r#""ü""#, "'ü'"),
        ("char", r#""\"""#, r#"'\"'"#),
        ("string", r#""a \"b\" \\ \n \u0000 ☃""#, r#""a \"b\" \\ \n \u{0} ☃""#),
        ("string", r#""""#, r#""""#),
        ("(list u8)", "[1,2,255]", "[1, 2, 255]"),
        ("(list string)", "[]", "[]"),
        ("(list u16 3)", "[1,2,3]", "[1, 2, 3]"),
        ("(tuple u8 string)", r#"[1,"a"]"#, r#"(1, "a")"#),
        ("$point", r#"{"x":1,"y":-2,"label":"a"}"#, r#"{x: 1, y: -2, label: some("a")}"#),
        ("$point", r#"{"x":1,"y":-2,"label":null}"#, "{x: 1, y: -2}"),
        ("$bare", r#"{"some":3}"#, "{some: some(3)}"),
        ("$bare", r#"{"some":null}"#, "{:}"),
        ("$shape", r#""dot""#, "dot"),
        ("$shape", r#"{"circle":1.5}"#, "circle(1.5)"),
        ("$shape", r#"{"none":1}"#, "%none(1)"),
        ("$color", r#""green""#, "green"),
        ("$color", r#""true""#, "%true"),
        ("$mode", r#"["read","some"]"#, "{read, some}"),
        ("$mode", "[]", "{}"),
        ("(option u8)", "5", "some(5)"),
        ("(option u8)", "null", "none"),
        ("(option $bare)", r#"{"some":1}"#, "some({some: some(1)})"),
        ("(option (option u8))", "null", "none"),
        ("(option (option u8))", r#"{"some":null}"#, "some(none)"),
        ("(option (option u8))", r#"{"some":5}"#, "some(some(5))"),
        ("(option (option (option u8)))", r#"{"some":{"some":null}}"#, "some(some(none))"),
        ("(result u8 (error string))", r#"{"ok":1}"#, "ok(1)"),
        ("(result u8 (error string))", r#"{"err":"no"}"#, r#"err("no")"#),
        ("(result)", r#"{"ok":null}"#, "ok"),
        ("(result (error u8))", r#"{"ok":null}"#, "ok"),
        ("(result (error u8))", r#"{"err":1}"#, "err(1)"),
        ("(map string u8)", r#"{"a":1,"b":2}"#, r#"[("a", 1), ("b", 2)]"#),
        ("(map string u8)", "{}", "[]"),
        ("(map u8 string)", r#"[[1,"a"],[2,"b"]]"#, r#"[(1, "a"), (2, "b")]"#),
        ("(map u8 string)", "[]", "[]"),
        ("(list (option $shape))", r#"[null,"dot",{"circle":0.0}]"#, "[none, some(dot), some(circle(0))]"),
    ];
    for (ty, json, wave) in cases {
        let signature = echo("", ty);
        let read = from_json(&signature, &format!("[{json}]")).unwrap_or_else(|error| panic!("{ty} {json}: {error}"));
        assert_eq!(to_text(&signature, &read, Notation::Json), json, "{ty}");
        assert_eq!(to_text(&signature, &read, Notation::Wave), wave, "{ty}");
        assert_eq!(from_words(&signature, &[wave]).unwrap(), read, "{ty} {wave}");
        serde_json::from_str::<Value>(json).unwrap();
        if !ty.contains("map") {
            assert_eq!(wasm_wave::to_string(&read[0]).unwrap(), wave, "{ty}: not as wasm-wave writes it");
        }
    }
}

#[test]
fn other_ways_to_write_the_same_value_are_accepted() {
    // Type, what a caller may write, how it is written back.
    let json = [
        ("u8", "20.0", "20"),
        ("u8", "2e1", "20"),
        ("s8", "-0", "0"),
        ("u64", "18446744073709551615", r#""18446744073709551615""#),
        ("u64", r#""7""#, "7"),
        ("float64", "1", "1.0"),
        ("float64", r#""nan""#, r#""NaN""#),
        ("float32", r#""-inf""#, r#""-Infinity""#),
        ("(list u8)", r#"{"base64":"AQL/"}"#, "[1,2,255]"),
        ("(list u8)", r#"{"base64":""}"#, "[]"),
        ("(list u8 3)", r#"{"base64":"AQL_"}"#, "[1,2,255]"),
        ("$point", r#"{"y":2,"x":1}"#, r#"{"x":1,"y":2,"label":null}"#),
        ("$shape", r#"{"dot":null}"#, r#""dot""#),
        ("(result)", r#""err""#, r#"{"err":null}"#),
        ("(map string u8)", r#"[["b",1],["a",2]]"#, r#"{"b":1,"a":2}"#),
    ];
    for (ty, given, written) in json {
        let signature = echo("", ty);
        let read = from_json(&signature, &format!("[{given}]")).unwrap_or_else(|error| panic!("{ty} {given}: {error}"));
        assert_eq!(to_text(&signature, &read, Notation::Json), written, "{ty} {given}");
    }
    let words = [
        ("string", "world", r#""world""#),
        ("string", "two words", r#""two words""#),
        ("string", "42", r#""42""#),
        ("string", "true", r#""true""#),
        ("string", "", r#""""#),
        ("string", r#""quoted""#, r#""quoted""#),
        ("char", "x", "'x'"),
        ("char", r#""x""#, "'x'"),
        ("(option string)", "world", r#"some("world")"#),
        ("(option string)", "none", "none"),
        ("(option string)", "null", "none"),
        ("(option u8)", "5", "some(5)"),
        ("(result u8)", "5", "ok(5)"),
        ("$color", "red", "red"),
        ("$color", r#""red""#, "red"),
        ("$mode", r#"["read"]"#, "{read}"),
        ("$point", r#"{"x":1,"y":2}"#, "{x: 1, y: 2}"),
        ("$bare", "{}", "{:}"),
        ("(tuple u8 u8)", "[1,2]", "(1, 2)"),
        ("(map string u8)", "{a: 1}", r#"[("a", 1)]"#),
        ("float64", r#""Infinity""#, "inf"),
        ("float64", "1e3", "1000"),
    ];
    for (ty, given, written) in words {
        let signature = echo("", ty);
        let read = from_words(&signature, &[given]).unwrap_or_else(|error| panic!("{ty} {given}: {error}"));
        assert_eq!(to_text(&signature, &read, Notation::Wave), written, "{ty} {given}");
    }
}

#[test]
fn what_is_not_of_the_type_is_refused_in_words() {
    let json = [
        ("u8", "256", "argument 1 `x` of `f`: expected `u8`, found `256`; hint: write it as `42`"),
        ("u8", "-1", "argument 1 `x` of `f`: expected `u8`, found `-1`; hint: write it as `42`"),
        ("u8", "1.5", "argument 1 `x` of `f`: expected `u8`, found `1.5`; hint: write it as `42`"),
        ("u8", r#""1""#, "argument 1 `x` of `f`: expected `u8`, found the string `1`; hint: write it as `42`"),
        (
            "s64",
            "9223372036854775808",
            "argument 1 `x` of `f`: expected `s64`, found `9223372036854775808`; hint: write it as `42`",
        ),
        ("float32", "1e39", "argument 1 `x` of `f`: expected `f32`, found `1e+39`; hint: write it as `1.5`"),
        ("bool", "null", "argument 1 `x` of `f`: expected `bool`, found `null`; hint: write it as `true`"),
        ("char", r#""ab""#, "argument 1 `x` of `f`: expected `char`, found the string `ab`; hint: write it as `\"x\"`"),
        ("string", "1", "argument 1 `x` of `f`: expected `string`, found `1`; hint: write it as `\"text\"`"),
        (
            "(list u8)",
            r#"[1,"\u001b[31m"]"#,
            "`[1]` in argument 1 `x` of `f`: expected `u8`, found the string `\\u{1b}[31m`; hint: write it as `[42]`",
        ),
        (
            "(list u8)",
            r#"{"base64":"?"}"#,
            "argument 1 `x` of `f`: expected base64, found `?`; hint: write it as `[42]`",
        ),
        (
            "(list u8 2)",
            "[1]",
            "argument 1 `x` of `f`: expected `list<u8, 2>`, found a list of 1 element; hint: write it as `[42,42]`",
        ),
        (
            "(tuple u8 u8)",
            "[1]",
            "argument 1 `x` of `f`: expected `tuple<u8, u8>`, found an array of 1 element; hint: write it as `[42,42]`",
        ),
        (
            "$point",
            r#"{"x":1}"#,
            "argument 1 `x` of `f`: expected a field `y: s32`, found none of that name; hint: write it as `{\"x\":42,\"y\":42,\"label\":\"text\"}`",
        ),
        (
            "$point",
            r#"{"x":1,"y":2,"z":3}"#,
            "argument 1 `x` of `f`: expected the fields `x`, `y`, `label`, found a field `z`; hint: write it as `{\"x\":42,\"y\":42,\"label\":\"text\"}`",
        ),
        (
            "$color",
            r#""blue""#,
            "argument 1 `x` of `f`: expected `enum { red, green, true }`, found the string `blue`; hint: write it as `\"red\"`",
        ),
        (
            "$mode",
            r#"["exec"]"#,
            "argument 1 `x` of `f`: expected `flags { read, write, some }`, found a flag `exec`; hint: write it as `[\"read\"]`",
        ),
        (
            "$shape",
            r#""circle""#,
            "argument 1 `x` of `f`: expected `circle` with a payload of type `f64`, found none; hint: write it as `\"dot\"`",
        ),
        (
            "$shape",
            r#"{"dot":1}"#,
            "argument 1 `x` of `f`: expected `dot` without a payload, found `1`; hint: write it as `\"dot\"`",
        ),
        (
            "(list $shape)",
            r#"[{"line":[{"x":1,"y":1},{"x":1,"y":true}]}]"#,
            "`[0].line[1].y` in argument 1 `x` of `f`: expected `s32`, found `true`; hint: write it as `[\"dot\"]`",
        ),
        (
            "(option (option u8))",
            "5",
            "argument 1 `x` of `f`: expected `option<option<u8>>`, found `5`; hint: write it as `{\"some\":42}`",
        ),
        (
            "(result u8)",
            "5",
            "argument 1 `x` of `f`: expected `result<u8>`, found `5`; hint: write it as `{\"ok\":42}`",
        ),
        (
            "(map u8 u8)",
            "[[1]]",
            "`[0]` in argument 1 `x` of `f`: expected a pair of a key and a value, found an array of 1 element; hint: write it as `[[42,42]]`",
        ),
        (
            "(map string u8)",
            r#"{"a":-1}"#,
            "`[\"a\"]` in argument 1 `x` of `f`: expected `u8`, found `-1`; hint: write it as `{\"text\":42}`",
        ),
        (
            "(own $file)",
            "1",
            "argument 1 `x` of `f`: expected a type that text can carry, found a parameter of type `own<resource>`, which lives only inside a sandbox",
        ),
        (
            "(stream u8)",
            "[]",
            "argument 1 `x` of `f`: expected a type that text can carry, found a parameter of type `stream<u8>`, which lives only inside a sandbox",
        ),
        (
            "(future)",
            "null",
            "argument 1 `x` of `f`: expected a type that text can carry, found a parameter of type `future`, which lives only inside a sandbox",
        ),
        (
            "error-context",
            "null",
            "argument 1 `x` of `f`: expected a type that text can carry, found a parameter of type `error-context`, which lives only inside a sandbox",
        ),
    ];
    for (ty, given, expected) in json {
        let signature = signature("", &format!("(param \"x\" {ty})"));
        assert_eq!(message(from_json(&signature, &format!("[{given}]"))), expected, "{ty} {given}");
    }
    let words = [
        ("u8", "ten", "argument 1 `x` of `f`: expected `u8`, found `ten`; hint: write it as 42"),
        (
            "u8",
            "0x1f",
            "argument 1 `x` of `f`: expected a value in WAVE or JSON, found `0x1f` (trailing characters after value at byte 1); hint: write it as 42",
        ),
        (
            "string",
            r#""open"#,
            "argument 1 `x` of `f`: expected a value in WAVE or JSON, found `\"open` (invalid token at byte 0); hint: write it as text",
        ),
        (
            "$point",
            r#"{"x":1}"#,
            "argument 1 `x` of `f`: expected a field `y: s32`, found none of that name; hint: write it as '{x: 42, y: 42, label: some(\"text\")}'",
        ),
        (
            "$point",
            "{x: 1, y: zwei}",
            "`y` in argument 1 `x` of `f`: expected `s32`, found `zwei`; hint: write it as '{x: 42, y: 42, label: some(\"text\")}'",
        ),
        ("char", "ab", "argument 1 `x` of `f`: expected `char`, found `ab`; hint: write it as x"),
        (
            "(borrow $file)",
            "1",
            "argument 1 `x` of `f`: expected a type that text can carry, found a parameter of type `borrow<resource>`, which lives only inside a sandbox",
        ),
    ];
    for (ty, given, expected) in words {
        let signature = signature("", &format!("(param \"x\" {ty})"));
        assert_eq!(message(from_words(&signature, &[given])), expected, "{ty} {given}");
    }
}

#[test]
fn arguments_are_counted_and_named() {
    let two = signature("", r#"(param "a" u32) (param "b" $color) (result u32)"#);
    assert_eq!(two.to_string(), "f(a: u32, b: enum { red, green, true }) -> u32");
    assert_eq!(from_json(&two, r#"{"b":"red","a":1}"#).unwrap(), from_words(&two, &["1", "red"]).unwrap());
    let options = signature("", r#"(param "a" u32) (param "b" (option u8)) (param "c" (option u8))"#);
    let none = [Val::U32(1), Val::Option(None), Val::Option(None)];
    assert_eq!(from_json(&options, "[1]").unwrap(), none);
    assert_eq!(from_json(&options, r#"{"a":1}"#).unwrap(), none);
    assert_eq!(from_words(&options, &["1"]).unwrap(), none);
    let no = signature("", "");
    assert!(from_json(&no, " ").unwrap().is_empty() && from_json(&no, "{}").unwrap().is_empty());
    assert_eq!(no.result_text(&[], Notation::Json, 4, &mut None).unwrap(), "null");
    assert_eq!(no.result_text(&[], Notation::Wave, 0, &mut None).unwrap(), "");
    let cases = [
        (
            &two,
            "[1]",
            "arguments of `f(a: u32, b: enum { red, green, true }) -> u32`: expected 2 arguments, found 1; hint: write them as `[42, \"red\"]`",
        ),
        (
            &two,
            "",
            "arguments of `f(a: u32, b: enum { red, green, true }) -> u32`: expected 2 arguments, found 0; hint: write them as `[42, \"red\"]`",
        ),
        (
            &two,
            r#"{"a":1}"#,
            "arguments of `f(a: u32, b: enum { red, green, true }) -> u32`: expected 2 arguments, found none for `b`; hint: write them as `[42, \"red\"]`",
        ),
        (
            &two,
            r#"{"c":1}"#,
            "arguments of `f(a: u32, b: enum { red, green, true }) -> u32`: expected 2 arguments, found an argument `c`; hint: write them as `[42, \"red\"]`",
        ),
        (
            &two,
            "7",
            "arguments of `f`: expected an array of arguments, or an object by parameter name, found `7`; hint: write them as `[42, \"red\"]`",
        ),
        (&two, "[1", "arguments of `f`: expected JSON, found `[1` (EOF while parsing a list at line 1 column 2)"),
        (&no, "[1]", "arguments of `f()`: expected 0 arguments, found 1"),
    ];
    for (signature, given, expected) in cases {
        assert_eq!(message(from_json(signature, given)), expected, "{given}");
    }
    assert_eq!(
        message(from_words(&two, &["1"])),
        "arguments of `f(a: u32, b: enum { red, green, true }) -> u32`: expected 2 arguments, found 1; hint: write them as 42 red"
    );
}

/// A caller chooses the text: however long, deep or crowded it is, it costs little and overflows nothing.
#[test]
fn hostile_texts_are_refused_within_bounds() {
    let list = signature("", r#"(param "x" (list u8))"#);
    let text = signature("", r#"(param "x" string)"#);
    let many = format!("[[{}1]]", "1,".repeat(super::super::VALUES_MAX));
    let base64 = format!(r#"[{{"base64":"{}"}}]"#, "A".repeat(2 << 20));
    let long = format!("[\"{}\"]", "a".repeat(super::super::JSON_BYTES_MAX));
    for (signature, given) in [(&list, "[".repeat(1_000_000)), (&list, many), (&list, base64), (&text, long)] {
        assert_eq!(from_json(signature, &given).unwrap_err().kind, ValueErrorKind::TooLarge);
    }
    // Commas and brackets inside a string are text.
    let commas = format!(r#"["{}\\\""]"#, "[,".repeat(super::super::VALUES_MAX));
    assert_eq!(from_json(&text, &commas).unwrap().len(), 1);
    for open in ["[", "(", "some(", "ok(", "a(", "{a:", "[{a:(", "{\"a\":"] {
        let deep = open.repeat(100_000);
        assert!(from_words(&list, &[&deep]).is_err(), "{open}");
    }
    let quoted = format!("\"{}\"", "a\\n".repeat(300_000));
    assert_eq!(from_words(&text, &[&quoted]).unwrap().len(), 1);
    // wasm-wave's lexer goes from state to state by calls: none of them may stay on the stack.
    for run in [" ", "a", "7", "a-", "//\n", " \n", "\\u{1}", "%", "\"", "'", "ü"] {
        let long = run.repeat((WAVE_BYTES_MAX - 1) / run.len());
        let _ = from_words(&list, &[&long]);
        let _ = from_words(&list, &[&format!("\"{long}")]);
    }
    assert_eq!(from_words(&text, &[&"a".repeat(WAVE_BYTES_MAX + 1)]).unwrap_err().kind, ValueErrorKind::TooLarge);
    let names: String = (0..2000).fold(String::new(), |names, index| names + &format!(" \"c{index}\""));
    let crowded =
        signature(&format!("(type $e' (enum {names})) (import \"e\" (type $e (eq $e')))"), "(param \"x\" (list $e))");
    let cases = format!("[[{}\"c0\"]]", "\"c1999\",".repeat(10_000));
    assert_eq!(from_json(&crowded, &cases).unwrap_err().kind, ValueErrorKind::TooLarge);
    // A type that fills a book is shown by its beginning, and has no example.
    assert!(crowded.to_string().len() < 400, "{crowded}");
    let wide = echo("", "(list u8 100000)");
    assert_eq!(wide.call_example(Notation::Json), None);
}

#[test]
fn a_result_longer_than_its_bound_is_refused() {
    let signature = echo("", "string");
    let value = [Val::String("a".repeat(100))];
    for notation in [Notation::Json, Notation::Wave] {
        let error = signature.result_text(&value, notation, 101, &mut None).unwrap_err();
        assert_eq!(error.kind, ValueErrorKind::TooLarge);
        assert_eq!(error.to_string(), "the result of `f`: expected at most 101 bytes of text, found more");
        assert_eq!(signature.result_text(&value, notation, 102, &mut None).unwrap().len(), 102);
    }
}

/// serde_json reads floats one unit in the last place off unless its feature `float_roundtrip` is on, as the workspace has it.
#[test]
fn floats_in_json_are_read_exactly() {
    let signature = echo("", "float64");
    for float in [1.0957997799696825e199, 5e-324, f64::MIN_POSITIVE, f64::MAX, 0.1 + 0.2] {
        assert_eq!(from_json(&signature, &format!("[{float:?}]")).unwrap(), [Val::Float64(float)]);
    }
}

/// Builds random types and random values of them: what is written reads back as the same value, in both notations.
#[test]
fn random_values_of_random_types_make_the_round_trip() {
    let mut random = Random(0x5eed);
    for _ in 0..150 {
        let mut types = String::new();
        let ty = random.ty(&mut types, 4);
        let signature = echo(&types, &ty);
        let component_type = signature.result.clone().unwrap();
        for _ in 0..30 {
            let value = [random.value(&component_type)];
            let json = to_text(&signature, &value, Notation::Json);
            assert_eq!(from_json(&signature, &format!("[{json}]")).unwrap(), value, "{ty}: {json}");
            let wave = to_text(&signature, &value, Notation::Wave);
            assert_eq!(from_words(&signature, &[&wave]).unwrap(), value, "{ty}: {wave}");
        }
        let example = signature.call_example(Notation::Json);
        if let Some(example) = example {
            from_json(&signature, &example).unwrap();
        }
    }
}

/// A linear congruential generator (Knuth's MMIX): its numbers are the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % bound
    }

    fn bits(&mut self) -> u64 {
        // Half of them small or extreme, where the edges are.
        match self.below(4) {
            0 => self.below(3),
            1 => u64::MAX - self.below(3),
            _ => (self.below(1 << 31) << 33) ^ self.below(1 << 31),
        }
    }

    fn ty(&mut self, types: &mut String, depth: u32) -> String {
        const SCALARS: [&str; 13] =
            ["bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "float32", "float64", "char", "string"];
        let kind = self.below(if depth == 0 { 13 } else { 26 }) as usize;
        if let Some(scalar) = SCALARS.get(kind) {
            return (*scalar).to_owned();
        }
        let several = 1 + self.below(3);
        let inner: Vec<_> = (0..several).map(|_| self.ty(types, depth - 1)).collect();
        let first = &inner[0];
        let named = |types: &mut String, ty: String| {
            let id = types.lines().count();
            writeln!(types, "(type $t{id}' {ty}) (import \"t{id}\" (type $t{id} (eq $t{id}')))").unwrap();
            format!("$t{id}")
        };
        let each = |open: &str, close: &str| -> String {
            inner
                .iter()
                .enumerate()
                .fold(String::new(), |all, (index, ty)| all + &format!(" {open} \"n{index}\" {ty}{close}"))
        };
        match kind {
            13 | 14 => format!("(list {first})"),
            15 => format!("(list {first} {several})"),
            16 => format!("(tuple {})", inner.join(" ")),
            17 | 18 => format!("(option {first})"),
            19 => format!("(result {first})"),
            20 => format!("(result {first} (error string))"),
            21 => format!("(map {} {first})", SCALARS[1 + self.below(8) as usize]),
            22 => format!("(map string {first})"),
            23 => named(types, format!("(record{})", each("(field", ")"))),
            24 => named(types, format!("(variant (case \"some\"){})", each("(case", ")"))),
            _ if several == 1 => named(types, "(enum \"ok\" \"b\")".to_owned()),
            _ => named(types, "(flags \"none\" \"b\" \"c\")".to_owned()),
        }
    }

    fn value(&mut self, ty: &Type) -> Val {
        match ty {
            Type::Bool => Val::Bool(self.below(2) == 0),
            Type::S8 => Val::S8(self.bits() as i8),
            Type::U8 => Val::U8(self.bits() as u8),
            Type::S16 => Val::S16(self.bits() as i16),
            Type::U16 => Val::U16(self.bits() as u16),
            Type::S32 => Val::S32(self.bits() as i32),
            Type::U32 => Val::U32(self.bits() as u32),
            Type::S64 => Val::S64(self.bits() as i64),
            Type::U64 => Val::U64(self.bits()),
            Type::Float32 => Val::Float32(f32::from_bits(self.bits() as u32)),
            Type::Float64 => Val::Float64(f64::from_bits(self.bits())),
            Type::Char => Val::Char(self.char()),
            Type::String => Val::String((0..self.below(6)).map(|_| self.char()).collect()),
            Type::List(list) => Val::List((0..self.below(4)).map(|_| self.value(&list.ty())).collect()),
            Type::FixedLengthList(list) => {
                Val::FixedLengthList((0..list.len()).map(|_| self.value(&list.ty())).collect())
            }
            Type::Tuple(tuple) => Val::Tuple(tuple.types().map(|ty| self.value(&ty)).collect()),
            Type::Map(map) => {
                // Keys in order and once, since JSON objects keep neither order nor doubles.
                let mut entries: Vec<_> =
                    (0..self.below(3)).map(|_| (self.value(&map.key()), self.value(&map.value()))).collect();
                if matches!(map.key(), Type::String) {
                    let key = |entry: &(Val, Val)| match &entry.0 {
                        Val::String(key) => key.clone(),
                        _ => unreachable!(),
                    };
                    entries.sort_by_key(key);
                    entries.dedup_by_key(|entry| key(entry));
                }
                Val::Map(entries)
            }
            Type::Record(record) => {
                Val::Record(record.fields().map(|field| (field.name.to_owned(), self.value(&field.ty))).collect())
            }
            Type::Variant(variant) => {
                let case = variant.cases().nth(self.below(variant.cases().len() as u64) as usize).unwrap();
                Val::Variant(case.name.to_owned(), case.ty.map(|ty| Box::new(self.value(&ty))))
            }
            Type::Enum(cases) => {
                Val::Enum(cases.names().nth(self.below(cases.names().len() as u64) as usize).unwrap().to_owned())
            }
            Type::Flags(flags) => Val::Flags(flags.names().filter(|_| self.below(2) == 0).map(str::to_owned).collect()),
            Type::Option(option) => Val::Option((self.below(3) > 0).then(|| Box::new(self.value(&option.ty())))),
            Type::Result(result) => match self.below(2) {
                0 => Val::Result(Ok(result.ok().map(|ty| Box::new(self.value(&ty))))),
                _ => Val::Result(Err(result.err().map(|ty| Box::new(self.value(&ty))))),
            },
            _ => unreachable!(),
        }
    }

    fn char(&mut self) -> char {
        match self.below(3) {
            0 => char::from(self.below(128) as u8),
            1 => char::from_u32(self.below(0x0011_0000) as u32).unwrap_or('\u{fffd}'),
            _ => ['"', '\\', '\'', '\n', '\u{301}', '\u{202e}', '😂', '\u{7f}'][self.below(8) as usize],
        }
    }
}
