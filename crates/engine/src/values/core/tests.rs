use super::*;
use crate::values::{ArgumentSpace, PlaceError};
use wasmtime::{Config, Engine, Instance, Module, Store, Strategy};

fn signature(params: &str, results: &str) -> CoreSignature {
    let text = format!("(module (func (export \"f\") (param {params}) (result {results}) unreachable))");
    let module = Module::new(&Engine::default(), &text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    CoreSignature::of("f", module.get_export("f").unwrap().unwrap_func())
}

fn from_json(signature: &CoreSignature, text: &str) -> Result<Vec<CoreArgument>, ValueError> {
    signature.arguments(Given::Json(text.as_bytes()))
}

fn from_words(signature: &CoreSignature, words: &[&str]) -> Result<Vec<CoreArgument>, ValueError> {
    let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
    signature.arguments(Given::Wave(&words))
}

/// Writes a plan in one line: a value as its text, bytes as `bytes/align#elements`.
fn shown(plan: &[CoreArgument]) -> String {
    let each = plan.iter().map(|argument| match argument {
        CoreArgument::Value(value) => {
            signature("", "").result_text(std::slice::from_ref(value), Notation::Wave, 99).unwrap()
        }
        CoreArgument::Bytes { bytes, align, elements } => format!("{bytes:?}/{align}#{elements}"),
    });
    each.collect::<Vec<_>>().join(" ")
}

fn message(result: Result<Vec<CoreArgument>, ValueError>) -> String {
    let error = result.unwrap_err();
    match &error.hint {
        Some(hint) => format!("{error}; hint: {hint}"),
        None => error.to_string(),
    }
}

#[test]
fn numbers_lists_and_strings_become_a_plan() {
    let json = [
        ("", "", ""),
        ("i32", "[42]", "42"),
        ("i32", "[-2147483648]", "-2147483648"),
        ("i32", "[4294967295]", "-1"),
        ("i32", "[20.0]", "20"),
        ("i64", "[-1]", "-1"),
        ("i64", r#"["18446744073709551615"]"#, "-1"),
        ("f32 f64", r#"[1.5,"NaN"]"#, "1.5 nan"),
        ("v128", r#"["0xff"]"#, "\"0x000000000000000000000000000000ff\""),
        ("i32 i32", "[1,2]", "1 2"),
        ("i32 i32", "[[20,22,-1]]", "[20, 0, 0, 0, 22, 0, 0, 0, 255, 255, 255, 255]/4#3"),
        ("i32 i32", "[[]]", "[]/4#0"),
        ("i32 i32", r#"["hé"]"#, "[104, 195, 169]/1#3"),
        ("i32 i32", r#"[{"utf8":"hi"}]"#, "[104, 105]/1#2"),
        ("i32 i32", r#"[{"base64":"AQI="}]"#, "[1, 2]/1#2"),
        ("i32 i32", r#"[{"u8":[1,255]}]"#, "[1, 255]/1#2"),
        ("i32 i32", r#"[{"i16":[-2]}]"#, "[254, 255]/2#1"),
        ("i32 i32", r#"[{"u32":[4294967295]}]"#, "[255, 255, 255, 255]/4#1"),
        ("i32 i32", r#"[{"i64":["-2"]}]"#, "[254, 255, 255, 255, 255, 255, 255, 255]/8#1"),
        ("i32 i32", r#"[{"f32":[1.5]}]"#, "[0, 0, 192, 63]/4#1"),
        ("i32 i32", r#"[{"f64":[1]}]"#, "[0, 0, 0, 0, 0, 0, 240, 63]/8#1"),
        ("i64 i32 i32 i32", r#"[7,"a",9]"#, "7 [97]/1#1 9"),
    ];
    for (params, given, plan) in json {
        assert_eq!(shown(&from_json(&signature(params, ""), given).unwrap()), plan, "{params}: {given}");
    }
    let words: [(&str, &[&str], &str); 9] = [
        ("i32 i32", &["1", "-2"], "1 -2"),
        ("i32", &["0xffffffff"], "-1"),
        ("i64", &["9223372036854775807"], "9223372036854775807"),
        ("f64 f32", &["inf", "nan"], "inf nan"),
        ("v128", &["0x0123456789abcdef0123456789abcdef"], "\"0x0123456789abcdef0123456789abcdef\""),
        ("i32 i32", &["[1]"], "[1, 0, 0, 0]/4#1"),
        ("i32 i32", &["hello"], "[104, 101, 108, 108, 111]/1#5"),
        ("i32 i32", &["\"42\""], "[52, 50]/1#2"),
        ("i32 i32", &["true"], "[116, 114, 117, 101]/1#4"),
    ];
    for (params, given, plan) in words {
        assert_eq!(shown(&from_words(&signature(params, ""), given).unwrap()), plan, "{params}: {given:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    const PAIR: &str = "a list or string takes two `i32`, a pointer and a length";
    let cases = [
        (
            "i32",
            "[4294967296]",
            format!(
                "argument 1 of `f`: expected `i32`, from -2147483648 to 4294967295, found `4294967296`; hint: the function is `f(i32)`; {PAIR}"
            ),
        ),
        (
            "i32",
            "[1.5]",
            format!(
                "argument 1 of `f`: expected `i32`, from -2147483648 to 4294967295, found `1.5`; hint: the function is `f(i32)`; {PAIR}"
            ),
        ),
        (
            "i64",
            r#"["x"]"#,
            format!(
                "argument 1 of `f`: expected `i64`, from -9223372036854775808 to 18446744073709551615, found the string `x`; hint: the function is `f(i64)`; {PAIR}"
            ),
        ),
        (
            "i32",
            "[[1]]",
            format!(
                "argument 1 of `f`: expected `i32, i32`, a pointer and a length, for a list or string, found an array of 1 element for `i32`; hint: the function is `f(i32)`; {PAIR}"
            ),
        ),
        (
            "i64 i32",
            r#"[{"u8":[1]}]"#,
            format!(
                "argument 1 of `f`: expected `i32, i32`, a pointer and a length, for a list or string, found an object of 1 key for `i64, i32`; hint: the function is `f(i64, i32)`; {PAIR}"
            ),
        ),
        (
            "i32 i32",
            "[[1,1.5]]",
            format!(
                "`[1]` in argument 1 of `f`: expected `i32`, found `1.5`; hint: the function is `f(i32, i32)`; {PAIR}"
            ),
        ),
        (
            "i32 i32",
            r#"[{"u8":[256]}]"#,
            format!(
                "`[0]` in argument 1 of `f`: expected `u8`, found `256`; hint: the function is `f(i32, i32)`; {PAIR}"
            ),
        ),
        (
            "i32 i32",
            r#"[{"u128":[1]}]"#,
            format!(
                "argument 1 of `f`: expected `u8`, `i8`, `u16`, `i16`, `u32`, `i32`, `u64`, `i64`, `f32` or `f64` over a list, found `u128`; hint: the function is `f(i32, i32)`; {PAIR}"
            ),
        ),
        (
            "i32 i32",
            r#"[{"utf8":1}]"#,
            format!(
                "argument 1 of `f`: expected a list, a string, or one of them under `utf8`, `base64` or the type of its elements, found an object of 1 key; hint: the function is `f(i32, i32)`; {PAIR}"
            ),
        ),
        (
            "externref",
            "[null]",
            format!(
                "argument 1 of `f`: expected a number, found a parameter of type `(ref null extern)`, which lives only inside a sandbox; hint: the function is `f((ref null extern))`; {PAIR}"
            ),
        ),
        (
            "i32 i32",
            "[1]",
            format!(
                "arguments of `f(i32, i32)`: expected values for 2 parameters, found 1 argument; hint: {PAIR}: `[[1, 2, 3]]`"
            ),
        ),
        ("i32", "[1,2]", "arguments of `f(i32)`: expected values for 1 parameter, found 2 arguments".to_owned()),
        ("i32", r#"{"a":1}"#, "arguments of `f`: expected an array of arguments, found an object of 1 key".to_owned()),
    ];
    for (params, given, expected) in cases {
        assert_eq!(message(from_json(&signature(params, ""), given)), expected, "{params}: {given}");
    }
    assert_eq!(
        message(from_words(&signature("i32 i32", ""), &["[1,"])),
        "arguments of `f`: expected JSON, found `[1,` (EOF while parsing a value at line 1 column 3)"
    );
}

#[test]
fn results_are_written_by_their_count() {
    let cases: [(&[Val], &str, &str); 8] = [
        (&[], "null", ""),
        (&[Val::I32(-1)], "-1", "-1"),
        (&[Val::I64(1 << 53)], "9007199254740992", "9007199254740992"),
        (&[Val::I64(-(1 << 53) - 1)], "\"-9007199254740993\"", "-9007199254740993"),
        (&[Val::F32(0.1f32.to_bits())], "0.1", "0.1"),
        (&[Val::F64(f64::NAN.to_bits())], "\"NaN\"", "nan"),
        (
            &[Val::V128(V128::from(1))],
            "\"0x00000000000000000000000000000001\"",
            "\"0x00000000000000000000000000000001\"",
        ),
        (&[Val::I32(1), Val::F64(2.5f64.to_bits())], "[1,2.5]", "(1, 2.5)"),
    ];
    let signature = signature("", "");
    for (results, json, wave) in cases {
        assert_eq!(signature.result_text(results, Notation::Json, 99).unwrap(), json);
        assert_eq!(signature.result_text(results, Notation::Wave, 99).unwrap(), wave);
    }
    let error = signature.result_text(&[Val::ExternRef(None)], Notation::Json, 99).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the result of `f`: expected a value that text can carry, found a reference, which lives only inside a sandbox"
    );
    assert_eq!(signature.result_text(&[Val::I32(100)], Notation::Json, 2).unwrap_err().kind, ValueErrorKind::TooLarge);
}

fn space(module: &str) -> Result<(Store<()>, Instance, ArgumentSpace), PlaceError> {
    let engine = Engine::new(Config::new().strategy(Strategy::Cranelift)).unwrap();
    let module = Module::new(&engine, module).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = now(Instance::new_async(&mut store, &module, &[])).unwrap();
    let space = ArgumentSpace::of(&mut store, &instance)?;
    Ok((store, instance, space))
}

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Sums `len` numbers at `ptr`.
const SUM: &str = r#"(func (export "sum") (param $at i32) (param $len i32) (result i32) (local $sum i32)
    (block $done (loop $next
        (br_if $done (i32.eqz (local.get $len)))
        (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $len (i32.sub (local.get $len) (i32.const 1)))
        (br $next)))
    (local.get $sum))"#;

#[test]
fn bytes_land_in_grown_pages_where_the_guest_has_no_allocator() {
    let (mut store, instance, mut space) = space(&format!("(module (memory (export \"memory\") 1 4) {SUM})")).unwrap();
    let sum = instance.get_typed_func::<(u32, u32), i32>(&mut store, "sum").unwrap();
    let mut place = |space: &mut ArgumentSpace, bytes: &[u8], align| now(space.place(&mut store, bytes, align));
    assert_eq!(place(&mut space, &[], 4).unwrap(), 4, "nothing to place needs no page");
    for _ in 0..1000 {
        space.clear();
        assert_eq!(place(&mut space, &[7], 1).unwrap(), 65536);
        assert_eq!(place(&mut space, &[20, 0, 0, 0, 22, 0, 0, 0], 4).unwrap(), 65540);
        assert_eq!(place(&mut space, &[0; 65536], 8).unwrap(), 65552, "the pages join");
    }
    assert!(matches!(place(&mut space, &[0; 3 * 65536], 8), Err(PlaceError::Grow(_))), "the maximum is 4 pages");
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    assert_eq!(memory.size(&store), 3);
    assert_eq!(now(sum.call_async(&mut store, (65540, 2))).unwrap(), 42);
    // The guest grows too: what comes next does not join.
    memory.grow(&mut store, 1).unwrap();
    assert!(matches!(now(space.place(&mut store, &[0; 65536], 8)), Err(PlaceError::Grow(_))));
}

#[test]
fn a_memory_of_no_pages_gives_no_null() {
    let (mut store, _, mut space) = space("(module (memory (export \"m\") 0))").unwrap();
    assert_eq!(now(space.place(&mut store, &[1, 2], 1)).unwrap(), 1);
    assert_eq!(now(space.place(&mut store, &[1; 65533], 1)).unwrap(), 3);
    assert_eq!(now(space.place(&mut store, &[1; 8], 8)).unwrap(), 65536);
}

#[test]
fn a_guests_allocator_is_asked_and_not_trusted() {
    // The allocator, what becomes of 8 bytes that are to be aligned to 8.
    let cases = [
        (
            "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.mul (local.get 2) (i32.const 4)))",
            "32",
        ),
        ("(func (export \"malloc\") (param i32) (result i32) (i32.const 33))", "40"),
        ("(func (export \"alloc\") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))", "16"),
        ("(func (export \"malloc\") (param i64) (result i32) (i32.const 16))", "65536"),
        (
            "(func (export \"malloc\") (param i32) (result i32) (i32.const 0))",
            "the guest's allocator `malloc` has no room for 8 bytes",
        ),
        (
            "(func (export \"allocate\") (param i32) (result i32) unreachable)",
            "the guest's allocator `allocate` failed",
        ),
        (
            "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 12))",
            "the guest's allocator `cabi_realloc` gave a bad pointer: expected 8 aligned bytes inside a memory of 65536, found 0xc",
        ),
        (
            "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 65532))",
            "the guest's allocator `cabi_realloc` gave a bad pointer: expected 8 aligned bytes inside a memory of 65536, found 0xfffc",
        ),
        (
            "(func (export \"malloc\") (param i32) (result i32) (i32.const -8))",
            "the guest's allocator `malloc` gave a bad pointer: expected 8 aligned bytes inside a memory of 65536, found 0xfffffff8",
        ),
        (
            "(func (export \"malloc\") (param i32) (result i32) (i32.const -1))",
            "the guest's allocator `malloc` has no room for 8 bytes",
        ),
    ];
    for (allocator, expected) in cases {
        let (mut store, _, mut space) = space(&format!("(module (memory (export \"memory\") 1) {allocator})")).unwrap();
        let placed = now(space.place(&mut store, &[1; 8], 8));
        assert_eq!(
            placed.map_or_else(|error| error.to_string(), |pointer| pointer.to_string()),
            expected,
            "{allocator}"
        );
    }
}

#[test]
fn a_guest_needs_one_memory_of_32_bits() {
    let cases = [
        ("(module)", "expected an exported `memory` for a list or string, found none"),
        ("(module (memory 1))", "expected an exported `memory` for a list or string, found none"),
        (
            "(module (memory (export \"a\") 1) (memory (export \"b\") 1))",
            "expected an exported `memory` for a list or string, found none",
        ),
        (
            "(module (memory (export \"memory\") i64 1))",
            "expected a memory of 32-bit addresses, found one of 64-bit addresses",
        ),
    ];
    for (module, expected) in cases {
        assert_eq!(space(module).map(|_| ()).unwrap_err().to_string(), expected, "{module}");
    }
}
