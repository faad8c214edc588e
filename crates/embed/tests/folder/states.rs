//! What becomes of a plugin, by what lies in the folder.

use crate::world::{Folder, approve, asked, entry, host, quickstart, state, version};
use sandbar_embed::{HostCall, Resource, folder::PluginState};
use serde_json::{Value, json};

/// Opens a folder with these files, and compares the state and the message of each plugin.
fn check(files: &[(&str, &str)], expected: &[(&str, &str)]) {
    let folder = Folder::of(files);
    folder.write("fine.wat", version(7));
    let open = folder.open();
    let found: Vec<_> = open
        .plugins()
        .into_iter()
        .filter(|entry| entry.name != "fine")
        .map(|entry| {
            assert_eq!(entry.plugin.is_some(), entry.state.is_ready(), "{}: {:?}", entry.name, entry.state);
            (entry.name.clone(), folder.plain(&entry.state))
        })
        .collect();
    let expected: Vec<_> = expected.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect();
    assert_eq!(found, expected);
    assert_eq!(asked(&open.get("fine").unwrap()), 7, "nothing of the others is its trouble");
    let surveyed = folder.builder().survey().unwrap();
    assert_eq!(surveyed.iter().filter(|entry| entry.plugin.is_some()).count(), 0, "a survey runs nothing");
}

const GUEST: &str = r#"(module (func (export "version") (param i32) (result i32) i32.const 1))"#;

#[test]
fn a_plugin_is_named_by_where_it_lies() {
    let folder = Folder::new();
    folder.write("users.wasm", quickstart("users.wasm"));
    folder.write("sensor/plugin.toml", "guest = \"bin/it.wasm\"\nversion = \"1.2.3\"");
    folder.write("sensor/bin/it.wasm", quickstart("sensor.wasm"));
    folder.write("other.plugin.toml", "description = \"Answers.\"\nname = \"other\"\nguest = \"./more/text.wat\"");
    folder.write("more/text.wat", GUEST);
    folder.write("README.md", "no plugin");
    folder.write("empty/notes.txt", "no plugin either");
    let open = folder.open();
    let names: Vec<_> = open.plugins().iter().map(|entry| format!("{} {}", entry.name, entry.version)).collect();
    assert_eq!(names, ["other 0.0.0", "sensor 1.2.3", "users 0.0.0"]);
    let answer: Value = open.get("users").unwrap().call("transform_data", &json!({"users": []})).unwrap();
    assert_eq!(answer["processed_count"], 0);
    assert_eq!(open.get("sensor").unwrap().call::<i32>("validate_sensor_reading", &(42,)).unwrap(), 42);
    assert_eq!(&*open.get("sensor").unwrap().name(), "sensor");
    assert_eq!(entry(&open, "other").description, "Answers.");
    assert!(open.get("more").is_none() && open.entry("README").is_none());
}

#[test]
fn what_a_manifest_says_wrong_is_told() {
    let broken = |manifest: &str, message: &str| {
        let told = format!("`FOLDER/a.plugin.toml`: {message}");
        check(&[("a.plugin.toml", manifest), ("a.wat", GUEST)], &[("a", &told)]);
    };
    broken("gust = \"a.wat\"", "unknown key `gust`; did you mean `guest`?");
    broken(
        "base = \"/\"",
        "unknown key `base`; expected one of name, version, guest, digest, description, requires, grants, limits, sandboxes_max, config, sandbox, fuel_metered, rebuild",
    );
    broken("guest = 1", "`guest`: expected a text, found `1`");
    broken("\n\nguest", "line 3: key with no value, expected `=`");
    broken("name = \"b\"", "`name`: expected `a`, as the plugin is named by its file, found `b`");
    broken(
        "version = \"1.2\"",
        "`version`: expected a version such as `1.2.0`, found `1.2`: unexpected end of input while parsing minor version number",
    );
    broken("digest = \"sha256:12\"", "`digest`: a digest is `sha256:` and 64 hexadecimal digits");
    broken(
        "[requires]\nb = \"^^1\"",
        "`requires`: `b`: expected a range such as `^1.2`, found `^^1`: unexpected character '^' while parsing major version number",
    );
    broken("[grants]\nhtp = []", "`grants`: unknown grant `htp`; did you mean `http`?");
    broken(
        "[grants]\nhttp = \"https://a.com\"",
        "`grants`: `http`: expected a list of texts, found `\"https://a.com\"`",
    );
    broken(
        "[grants]\nhttp = [\"ftp://a.com\"]",
        "`grants`: `ftp://a.com` is not a `http` grant: the scheme is `http`, `https` or `*`; write `[private+]SCHEME://HOST[:PORT]`, such as `https://api.example.com`",
    );
    broken("[grants]\nfunctions = [\"price\"]", "`grants`: `functions`: expected `MODULE#NAME`, found `price`");
    broken("[limits]\nwal = \"1s\"", "`limits`: unknown limit `wal`; did you mean `wall`?");
    broken(
        "[limits]\nwall = 5",
        "`limits`: `wall`: expected a duration of more than zero such as \"500ms\" or \"2s\", or \"none\", found `5`",
    );
    broken("sandboxes_max = 0", "`sandboxes_max`: expected a whole number from 1, found `0`");
}

#[test]
fn what_cannot_be_loaded_is_told() {
    for (files, expected) in [
        (&[("a.wat", "(module")][..], &[("a", "the guest is no WebAssembly text: expected `)`")][..]),
        (&[("a.plugin.toml", "sandbox = \"kept\""), ("a.wat", GUEST)], &[("a", "")]),
        (&[("a.plugin.toml", "guest = \"gone.wasm\"")], &[("a", "`FOLDER/gone.wasm`: entity not found")]),
        (&[("a.plugin.toml", "")], &[("a", "`FOLDER/a.wasm`: entity not found")]),
        (&[("a b.wat", GUEST)], &[("a b", "`a b` is no name of a plugin: up to 64 letters, digits, `-` and `_`")]),
        (
            &[("a.wat", GUEST), ("a.wasm", GUEST)],
            &[("a", "`FOLDER/a.wasm` and `FOLDER/a.wat` are one plugin by their names; remove one")],
        ),
        (
            &[("a.plugin.toml", "guest = \"a.wat\""), ("a.wat", GUEST), ("a/plugin.toml", "")],
            &[("a", "`FOLDER/a/plugin.toml` and `FOLDER/a.plugin.toml` are one plugin by their names; remove one")],
        ),
    ] {
        let folder = Folder::of(files);
        let open = folder.open();
        for (name, message) in expected {
            let PluginState::Broken(error) = entry(&open, name).state else { panic!("{name}") };
            let told = folder.plain(&error);
            assert!(message.is_empty() || told.starts_with(message), "expected {message}, found {told}");
        }
    }
}

#[test]
fn plugins_come_after_those_that_they_require() {
    let manifest =
        |version: &str, requires: &str| format!("guest = \"g.wat\"\nversion = \"{version}\"\n[requires]\n{requires}");
    let [base, near, far] =
        [manifest("1.4.0", ""), manifest("0.1.0", "base = \"^1.2\""), manifest("0.1.0", "base = \"^2\"")];
    let [gone, after, circle, back, alone] = [
        manifest("1.0.0", "nothing = \"*\""),
        manifest("1.0.0", "far = \"*\""),
        manifest("1.0.0", "ring = \"*\""),
        manifest("1.0.0", "turn = \"*\""),
        manifest("1.0.0", "alone = \"*\""),
    ];
    let ring = "plugins require each other in a circle: ring > turn > ring";
    let files = [
        ("g.wat", GUEST),
        ("base.plugin.toml", &base),
        ("near.plugin.toml", &near),
        ("far.plugin.toml", &far),
        ("gone.plugin.toml", &gone),
        ("after.plugin.toml", &after),
        ("turn.plugin.toml", &circle),
        ("ring.plugin.toml", &back),
        ("alone.plugin.toml", &alone),
    ];
    let states = [
        ("after", "it requires `far` *, which is not there or not ready"),
        ("alone", "plugins require each other in a circle: alone > alone"),
        ("base", "ready"),
        ("far", "it requires `base` ^2, and there is 1.4.0"),
        ("g", "ready"),
        ("gone", "it requires `nothing` *, which is not there or not ready"),
        ("near", "ready"),
        ("ring", ring),
        ("turn", ring),
    ];
    check(&files, &states);
}

#[test]
fn what_is_asked_for_has_to_be_approved() {
    let ask = |table: &str, missing: &str| {
        let manifest = format!("guest = \"a.wat\"\n{table}");
        check(&[("a.plugin.toml", &manifest), ("a.wat", GUEST)], &[("a", &format!("not approved: {missing}"))]);
    };
    ask(
        "[grants]\nhttp = [\"https://a.com\"]\nrandom = true",
        "`grants.http = [\"https://a.com\"]`, `grants.random = true`",
    );
    ask("[grants]\nclock = \"fine\"", "`grants.clock = \"fine\"`");
    ask("[grants]\nfunctions = [\"env#price\"]", "`grants.functions = [\"env#price\"]`");
    ask("[limits]\nwall = \"30s\"\nmemory = \"1GiB\"", "`limits.memory = \"1GiB\"`, `limits.wall = \"30s\"`");
    ask("[limits]\nwall = \"none\"", "`limits.wall = \"none\"`");
    ask("sandboxes_max = 17", "`sandboxes_max = 17`");
    let usual = "guest = \"a.wat\"\nsandboxes_max = 16\n[grants]\nclock = \"coarse\"\nrandom = false\nhttp = []\n[limits]\n\
        wall = \"10s\"\nfuel = 1000000\n[config]\nmode = \"x\"";
    check(&[("a.plugin.toml", usual), ("a.wat", GUEST)], &[("a", "ready")]);
}

#[test]
fn what_is_approved_is_what_a_plugin_gets() {
    const SHOP: &str = r#"(module (import "env" "price" (func $price (param i64) (result f64)))
        (func (export "total") (param i64) (result f64) (f64.mul (f64.const 2) (call $price (local.get 0))))
        (func (export "spin") (loop (br 0))))"#;
    let folder = Folder::of(&[
        ("shop.wat", SHOP),
        ("shop.plugin.toml", "guest = \"shop.wat\"\n[grants]\nfunctions = [\"env#price\"]\n[limits]\nwall = \"50ms\""),
        ("typo.plugin.toml", "guest = \"shop.wat\"\n[grants]\nfunctions = [\"env#prize\"]"),
        ("none.wat", SHOP),
    ]);
    let price = |_: &mut HostCall<'_>, (article,): (i64,)| article as f64;
    let open = folder.builder().function("env", "price", price).open(host()).unwrap();
    assert_eq!((state(&open, "shop"), state(&open, "none")), ("not-approved", "broken"));
    approve(&open, "shop");
    let shop = open.get("shop").unwrap();
    assert_eq!(shop.call::<f64>("total", &(3,)).unwrap(), 6.0);
    assert_eq!(shop.limits().get(Resource::Wall), Some(50_000_000));
    assert!(shop.call::<()>("spin", &()).is_err());
    approve(&open, "typo");
    let told = entry(&open, "typo").state.to_string();
    assert_eq!(told, "the host has no function `env#prize`; did you mean `env#price`?");
}

#[test]
fn the_limits_of_a_folder_are_those_of_a_plugin_by_itself() {
    let folder = Folder::of(&[("a.wat", GUEST)]);
    let alone = host().plugin(GUEST.as_bytes()).load().unwrap();
    assert_eq!(folder.open().get("a").unwrap().limits(), alone.limits());
    let tight = folder.builder().limit(Resource::Wall, 1_000_000_000).open(host()).unwrap();
    assert_eq!(tight.get("a").unwrap().limits().get(Resource::Wall), Some(1_000_000_000));
    folder.write("a.plugin.toml", "guest = \"a.wat\"\n[limits]\nwall = \"2s\"");
    tight.refresh().unwrap();
    assert_eq!(state(&tight, "a"), "not-approved");
}

#[test]
fn the_host_has_the_last_word() {
    let folder = Folder::of(&[("a.wat", GUEST), ("a.plugin.toml", "guest = \"a.wat\"\n[limits]\nwall = \"5s\"")]);
    let each = |entry: &sandbar_embed::folder::PluginEntry, builder: sandbar_embed::PluginBuilder| {
        assert_eq!((entry.name.as_str(), entry.plugin.is_none()), ("a", true));
        builder.limit(Resource::Wall, 1_000_000_000)
    };
    let open = folder.builder().each(each).open(host()).unwrap();
    assert_eq!(open.get("a").unwrap().limits().get(Resource::Wall), Some(1_000_000_000));
    let refusing = folder.builder().each(|_, builder| builder.self_test(|_| Err("no".into()))).open(host()).unwrap();
    assert_eq!(entry(&refusing, "a").state.to_string(), "the plugin did not pass its self-test: no");
}
