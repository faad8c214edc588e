//! What a user reads when something does not fit: a golden file for each kind of thing.

use crate::shell::{root, session};
use sandbar_testkit::golden;

fn check(name: &str, lines: &[&str]) {
    golden::check(format!("tests/golden/messages/{name}.txt"), &session(lines));
}

#[test]
fn missing() {
    check(
        "missing",
        &[
            "sandbar run nowhere.wasm",
            "sandbar call nowhere.wasm f",
            "sandbar inspect nowhere.wasm",
            "sandbar compile nowhere.wasm",
            "sandbar up nowhere.wasm",
            "sandbar up nowhere",
            "sandbar receipts nowhere",
            "sandbar receipts examples/quickstart",
            "sandbar --json run nowhere.wasm",
            "sandbar --json up nowhere",
        ],
    );
}

#[test]
fn no_wasm() {
    check(
        "no-wasm",
        &[
            "sandbar run Cargo.toml",
            "sandbar inspect Cargo.toml",
            "sandbar run /dev/null",
            "sandbar inspect /bin/sh",
            r#"printf '(module (func (export "f") (result i32) i32.cnst 1))' > "$XDG_CACHE_HOME/bad.wat"; cd "$XDG_CACHE_HOME"; sandbar inspect bad.wat"#,
            r#"printf '(module (func (export "f") (result i32) i64.const 1))' > "$XDG_CACHE_HOME/bad.wat"; cd "$XDG_CACHE_HOME"; sandbar call bad.wat f"#,
            r#"printf '\0asm\1\0\0\0\1\377' > "$XDG_CACHE_HOME/cut.wasm"; cd "$XDG_CACHE_HOME"; sandbar inspect cut.wasm"#,
        ],
    );
}

#[test]
fn shapes() {
    check(
        "shapes",
        &[
            "sandbar up guests/wat/two-shapes.wat",
            "sandbar run guests/wat/two-shapes.wat",
            "sandbar call guests/wat/two-shapes.wat nothing",
            "sandbar run guests/wat/add.wat",
            "sandbar call guests/wat/add.wat ad 1 2",
            "sandbar call examples/quickstart/hello.wasm handle",
            "echo '(module)' > \"$XDG_CACHE_HOME/empty.wat\"; cd \"$XDG_CACHE_HOME\"; sandbar run empty.wat",
        ],
    );
}

#[test]
fn imports() {
    check("imports", &["sandbar run guests/wat/unknown-import.wat", "sandbar up guests/wat/unknown-import.wat"]);
}

#[test]
fn grants() {
    let with = |flag: &str| format!("sandbar run {flag} guests/wat/empty-command.wat");
    let lines = [
        "--dir nowhere::/data",
        "--dir crates::data",
        "--dir crates::/data:xx",
        "--dir crates::/data,quota=much",
        "--dir crates::/data --dir docs::/data",
        "--env =value",
        "--env NOT_SET_HERE",
        "--clock medium",
        "--allow-http example.com",
        "--allow-http ftp://example.com",
        "--allow-tcp example.com",
        "--allow-tcp example.com:many",
        "--allow-udp 10.0.0.0/33:1",
        "--allow-lookup 'a b'",
    ]
    .map(with);
    check("grants", &lines.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn limits() {
    let with = |flag: &str| format!("sandbar run {flag} guests/wat/empty-command.wat");
    let lines = [
        "--wall 5",
        "--wall 0s",
        "--cpu soon",
        "--fuel lots",
        "--fuel -1",
        "--memory 1XB",
        "--memory 1KiB",
        "--handles 1.5",
        "--fuel 1000 --fuel 2000",
    ]
    .map(with);
    check("limits", &lines.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn arguments() {
    check(
        "arguments",
        &[
            "sandbar call guests/wat/add.wat add 1",
            "sandbar call guests/wat/add.wat add 1 2 3",
            "sandbar call guests/wat/add.wat add 1 x",
            "sandbar call guests/wat/add.wat add 1 3000000000",
            "sandbar call guests/wat/add.wat sum64 1 1.5",
            "sandbar call guests/wat/add.wat scale '\"a' 1",
            "sandbar call guests/wat/string.wat count_vowels",
            "sandbar call examples/quickstart/sensor.wasm calculate_average '[1, 2.5]'",
            "sandbar call examples/quickstart/double.wasm handle_request 1",
            "sandbar --json call guests/wat/add.wat add 1",
        ],
    );
}

#[test]
fn apps() {
    check(
        "apps",
        &[
            "sandbar up rustfmt.toml",
            "sandbar up --wall 1s examples/quickstart",
            "sandbar up --random examples/quickstart",
            "sandbar up --listen 192.0.2.1:80 examples/quickstart",
            "sandbar --json up --listen 192.0.2.1:80 examples/quickstart",
        ],
    );
}

#[test]
fn denials() {
    let guest = "guests/target/sandbar/cli-p2.wasm";
    let line = |word: &str| format!("sandbar run {guest} {word}");
    let lines =
        ["random 4", "lookup example.com", "tcp 127.0.0.1:9", "udp 127.0.0.1:9", "read /etc/passwd", "env HOME"]
            .map(line);
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let json = format!("sandbar --json run {guest} random 4");
    let folder = format!("sandbar run --dir docs::/docs:ro {guest} write /docs/new text");
    let outside = format!("sandbar run --dir docs::/docs:ro {guest} read /docs/../Cargo.toml");
    lines.extend([json.as_str(), &folder, &outside]);
    check("denials", &lines);
}

#[test]
fn types() {
    check(
        "types",
        &[
            "sandbar types examples/quickstart/users.wasm --ts",
            "sandbar types examples/quickstart/users.wasm",
            "sandbar types examples/quickstart/users.wasm --ts --py",
            "sandbar types examples/quickstart/users.wasm --rust --world users",
            "sandbar types nowhere.wasm --ts",
            "sandbar types Cargo.toml --ts",
            "sandbar types guests/types/wit --ts --world shapes",
            "printf 'package a:b; world one {} world two {}' > \"$XDG_CACHE_HOME/two.wit\"; cd \"$XDG_CACHE_HOME\"; sandbar types two.wit --ts",
            "printf 'package a:b; world one { export f: fun(); }' > \"$XDG_CACHE_HOME/bad.wit\"; cd \"$XDG_CACHE_HOME\"; sandbar types bad.wit --ts",
            "sandbar types guests/wat/add.wat --ts --output \"$XDG_CACHE_HOME/add.d.ts\"; grep add \"$XDG_CACHE_HOME/add.d.ts\"",
            "sandbar types guests/wat/add.wat --ts --output /nowhere/add.d.ts",
        ],
    );
}

#[test]
fn plugins() {
    // A folder of plugins, made anew: `price` asks for something, `broken` is wrong, `users` has no manifest.
    let made = [
        "cd \"$XDG_CACHE_HOME\" && rm -rf shelf key key.pub other other.pub && mkdir shelf",
        "cp \"$OLDPWD/examples/quickstart/users.wasm\" shelf && cp \"$OLDPWD/examples/quickstart/sensor.wasm\" shelf/price.wasm",
        "printf 'version = \"1.2.0\"\\n[grants]\\nrandom = true\\n[limits]\\nwall = \"1m\"\\n' > shelf/price.plugin.toml",
        "printf 'gest = 1' > shelf/broken.plugin.toml",
    ];
    let seeded = |line: &str| format!("cd \"$XDG_CACHE_HOME\"; {line}");
    let lines = [
        made.join(" && "),
        seeded("sandbar plugins keygen key"),
        seeded("sandbar plugins keygen key"),
        seeded("sandbar plugins keygen other"),
        seeded("sandbar plugins list shelf"),
        seeded("sandbar plugins list nowhere"),
        seeded("sandbar plugins list shelf --signed --key key.pub"),
        seeded("sandbar plugins list shelf --signed"),
        seeded("sandbar plugins list shelf --key key"),
        seeded("sandbar plugins approve shelf prices"),
        seeded("sandbar plugins approve shelf broken"),
        seeded("sandbar plugins approve shelf price --later --key key.pub"),
        seeded("sandbar plugins approve shelf price"),
        seeded("cat shelf/plugins.approved.toml"),
        seeded("sandbar plugins list shelf"),
        seeded("sandbar plugins sign shelf/users.wasm --key key"),
        seeded("sandbar plugins sign shelf/price.plugin.toml --key key --embed"),
        seeded("sandbar plugins sign shelf/users.wasm --key key.pub"),
        seeded("sandbar plugins verify shelf/price.wasm --key key.pub"),
        seeded("sandbar plugins verify shelf/price.wasm --key other.pub"),
        seeded("sandbar plugins list shelf --signed --key key.pub"),
        seeded("sandbar plugins approve shelf price --later --key key.pub"),
        seeded("sandbar plugins disable shelf users"),
        seeded("cat shelf/plugins.approved.toml"),
        seeded("chmod 644 key; sandbar plugins sign shelf/users.wasm --key key"),
        seeded("printf x >> shelf/users.wasm.sig; sandbar plugins verify shelf/users.wasm --key key.pub"),
        seeded("rm shelf/users.wasm.sig; sandbar plugins verify shelf/users.wasm --key key.pub"),
        seeded("sandbar --json plugins list shelf"),
    ];
    let shown = session(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    golden::check("tests/golden/messages/plugins.txt", &without_keys(&shown));
}

/// Writes `<key>` for ids of keys, 16 hexadecimal digits, which differ from run to run; and `CACHE` for where all this lies.
fn without_keys(text: &str) -> String {
    let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache").display().to_string();
    let text = text.replace(&cache.replace(root().to_str().unwrap(), "ROOT"), "CACHE");
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let mut shown = String::new();
    for part in text.split_inclusive(|c| !is_word(c)) {
        let word = part.trim_end_matches(|c| !is_word(c));
        let is_key = word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        shown.push_str(&if is_key { part.replace(word, "<key>") } else { part.to_owned() });
    }
    shown
}
