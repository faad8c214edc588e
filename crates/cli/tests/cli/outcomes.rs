//! Exit codes by outcome, and the receipt that says the same.

use crate::shell::{finish, session};
use sandbar_testkit::golden;

const CLI: &str = "guests/target/sandbar/cli-p1.wasm";

/// The receipt of a line that ends with `--receipt -`'s own line.
fn receipt(line: &str) -> serde_json::Value {
    let text = finish(line).stdout_text();
    let last = text.lines().last().unwrap_or_else(|| panic!("{line} printed nothing"));
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{line}: {error}: {last}"))
}

#[test]
fn an_exit_code_says_how_the_call_ended() {
    for (line, code, kind, detail) in [
        ("run --receipt - guests/wat/empty-command.wat", 0, "done", ""),
        (&format!("run --receipt - {CLI} exit 3"), 3, "failed", r#""code":3"#),
        (&format!("run --receipt - {CLI} exit 125"), 125, "failed", r#""code":125"#),
        ("call --receipt - guests/wat/fails.wat handle_request", 3, "failed", r#""code":3"#),
        ("run --receipt - --wall 50ms guests/hostile/spin.wat", 124, "stopped", r#""limit":"wall""#),
        ("run --receipt - --cpu 50ms guests/hostile/spin.wat", 124, "stopped", r#""limit":"cpu""#),
        ("run --receipt - --fuel 1000 guests/hostile/spin.wat", 124, "stopped", r#""limit":"fuel""#),
        ("run --receipt - --output 1KiB guests/hostile/stdout-flood.wat", 124, "stopped", r#""limit":"output""#),
        ("run --receipt - guests/hostile/unreachable.wat", 134, "trapped", "unreachable"),
        ("run --receipt - guests/target/sandbar/cli-p2.wasm random 4", 126, "refused", r#""because":"grant""#),
        ("call --receipt - guests/wat/add.wat add 1", 126, "refused", r#""because":"event""#),
    ] {
        let line = format!("sandbar {line}");
        assert_eq!(finish(&line).code(), Some(code), "{line}");
        let receipt = receipt(&line);
        assert_eq!(receipt["outcome"]["kind"], kind, "{line}");
        assert!(receipt["outcome"].to_string().contains(detail), "{line}: {receipt}");
        assert_eq!((&receipt["version"], &receipt["trigger"]), (&1.into(), &"cli".into()));
        assert_eq!(receipt["sandbox"]["call"], 1, "{line}");
    }
}

#[test]
fn what_a_call_ended_with_is_told() {
    let shown = session(&[
        "sandbar run guests/hostile/unreachable.wat",
        "sandbar run --wall 50ms guests/hostile/spin.wat",
        "sandbar --json run --wall 50ms guests/hostile/spin.wat",
        "sandbar run --fuel 1000 guests/hostile/spin.wat",
        "sandbar call guests/wat/fails.wat handle_request",
        "sandbar call guests/wat/quiet.wat handle_request",
        "sandbar call guests/hostile/escape-stderr.wat handle_request",
        "sandbar run --wall 20ms guests/hostile/spin-start.wat",
    ]);
    golden::check("tests/golden/endings.txt", &shown);
}

#[test]
fn a_receipt_goes_where_it_is_told() {
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/one-receipt.json");
    let line = format!("sandbar call --receipt {file} guests/wat/add.wat add 20 22");
    let finished = finish(&line);
    assert_eq!((finished.stdout_text().as_str(), finished.code()), ("42\n", Some(0)));
    let receipt: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!((&receipt["guest"], &receipt["shape"]), (&"add".into(), &"typed".into()));
    assert_eq!(receipt["used"]["output_bytes"], 2);

    let nowhere = finish("sandbar call --receipt /nowhere/receipt guests/wat/add.wat add 20 22");
    assert_eq!((nowhere.stdout_text().as_str(), nowhere.code()), ("42\n", Some(69)));
    assert!(nowhere.stderr_text().contains("can't write the receipt to `/nowhere/receipt`"));
}

#[test]
fn a_command_has_the_streams_and_arguments_it_was_given() {
    for (line, stdout) in [
        (format!("sandbar run {CLI} echo one 'two  three' --json -x"), "one two  three --json -x\n"),
        (format!("sandbar run --arg echo --arg first {CLI} second"), "first second\n"),
        (format!("printf 'a\\0b' | sandbar run {CLI} cat"), "a\0b"),
        (format!("sandbar run --env A=1 --env A=2 {CLI} env"), "A=2\n"),
        (format!("B=3 sandbar run --env B {CLI} env B"), "3\n"),
        (format!("sandbar run {CLI} env"), ""),
        (format!("sandbar run --dir guests/cgi::/c:ro {CLI} ls /c"), "Cargo.toml\nsrc/\n"),
        (
            r#"printf '{"name":"Ada","value":2}' | sandbar call examples/quickstart/double.wasm handle_request"#.into(),
            r#"{"message":"Hello, Ada. Your value was doubled!","processed_value":4}"#,
        ),
    ] {
        let finished = finish(&line);
        assert_eq!(finished.stdout_text(), stdout, "{line}: {}", finished.stderr_text());
    }
}

#[test]
fn a_reader_that_leaves_is_an_error_of_the_command() {
    let finished = finish(&format!("sandbar run --wall 30s {CLI} stdout 2000000000 | head -c 1000 | wc -c"));
    assert_eq!(finished.stdout_text().trim(), "1000");
    assert!(finished.wall.as_secs() < 20, "{:?}", finished.wall);
}
