//! What `inspect` and `receipts` say.

use crate::shell::{finish, session};
use sandbar_testkit::golden;

#[test]
fn guests_are_described() {
    for (name, guest) in [
        ("sensor", "examples/quickstart/sensor.wasm"),
        ("double", "examples/quickstart/double.wasm"),
        ("hello", "examples/quickstart/hello.wasm"),
        ("two-shapes", "guests/wat/two-shapes.wat"),
        ("unknown-import", "guests/wat/unknown-import.wat"),
        ("add", "guests/wat/add.wat"),
        ("many-memories", "guests/hostile/components/many-memories.wat"),
    ] {
        let text = session(&[&format!("sandbar inspect {guest}")]);
        golden::check(format!("tests/golden/inspect/{name}.txt"), &text);
        let json = finish(&format!("sandbar inspect --json {guest}")).stdout_text();
        golden::check(format!("tests/golden/inspect/{name}.json"), &json);
    }
}

#[test]
fn a_component_has_wit_and_a_module_has_none() {
    let hello = finish("sandbar inspect --wit examples/quickstart/hello.wasm").stdout_text();
    golden::check("tests/golden/inspect/hello.wit", &hello);
    golden::check("tests/golden/inspect/no-wit.txt", &session(&["sandbar inspect --wit guests/wat/add.wat"]));
}

/// Guests that are built on each machine are not the same bytes everywhere: only what their sources say is compared.
#[test]
fn what_a_built_guest_exports_is_what_its_wit_says() {
    let report = finish("sandbar inspect --json guests/target/sandbar/types.wasm").stdout_text();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let exports: String = report["exports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|export| format!("{}: {}\n", export["name"].as_str().unwrap(), export["type"].as_str().unwrap()))
        .collect();
    golden::check("tests/golden/inspect/types-exports.txt", &exports);
}

#[test]
fn receipts_are_printed_and_filtered() {
    let file = "crates/cli/tests/cli/receipts.jsonl";
    let line = |flags: &str| format!("sandbar receipts {flags} {file}");
    let lines = [
        "",
        "--guest hello",
        "--outcome trapped --outcome stopped",
        "--trigger cli",
        "--since 1s",
        "--json --guest double",
    ]
    .map(|flags| line(flags).replace("  ", " "));
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let torn = format!(
        "head -c 700 {file} > \"$XDG_CACHE_HOME/torn.jsonl\"; cd \"$XDG_CACHE_HOME\"; sandbar receipts torn.jsonl"
    );
    let newer = format!(
        "sed 's/\"version\":1/\"version\":2/' {file} | head -n 1 > \"$XDG_CACHE_HOME/newer.jsonl\"; cd \"$XDG_CACHE_HOME\"; sandbar receipts newer.jsonl"
    );
    lines.extend([torn.as_str(), &newer]);
    golden::check("tests/golden/receipts.txt", &session(&lines));
}

#[test]
fn a_guest_is_compiled_ahead() {
    let line = "XDG_CACHE_HOME=$(mktemp -d) && export XDG_CACHE_HOME && sandbar --json compile --fuel-metered \
                guests/wat/add.wat && ls \"$XDG_CACHE_HOME/sandbar\" && rm -r \"$XDG_CACHE_HOME\"";
    let text = finish(line).stdout_text();
    let (lines, files): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('{'));
    let lines: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["fuel_metered"] == true).collect::<Vec<_>>(), [false, true]);
    for line in &lines {
        let artifact = line["artifact"].as_str().unwrap();
        assert!(files.iter().any(|file| artifact.ends_with(file)), "{text}");
        assert!(line["digest"].as_str().unwrap().starts_with("sha256:"));
    }
    assert_eq!(files.len(), 3, "two artifacts and the secret: {text}");
}
