//! The host as its users meet it: records in, records out, a plugin replaced meanwhile, and the page.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends loudly")]

use sandbar_testkit::process::{Server, program, run};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

/// A folder with the plugins of the example, under the names that order them.
fn plugins() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sandbar-plugin-host-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (name, guest) in [("10-level", "log-level"), ("20-redact", "log-redact"), ("30-region", "log-region")] {
        fs::copy(guest_file(guest), folder.join(format!("{name}.wasm"))).unwrap();
    }
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins");
    fs::create_dir_all(folder.join("regions")).unwrap();
    for file in ["30-region.json", "regions/eu-north"] {
        fs::copy(ours.join(file), folder.join(file)).unwrap();
    }
    folder
}

fn guest_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/target/sandbar").join(format!("{name}.wasm"))
}

fn curl(arguments: &[&str]) -> String {
    let finished = run(Command::new("curl").args(["-sS"]).args(arguments), b"", Duration::from_secs(20)).unwrap();
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr_text());
    finished.stdout_text()
}

const RECORDS: &str = r#"{"message": "error: login of ada@example.com from 192.0.2.7"}
{"message": "debug: nothing of note"}
{"message": "all is well", "level": "info"}
"#;

#[test]
fn records_go_through_a_chain_whose_plugins_are_replaced_meanwhile() {
    let folder = plugins();
    let mut command = Command::new(program("plugin-host").unwrap());
    command.arg(&folder).arg("127.0.0.1:0").env("XDG_CACHE_HOME", folder.join("cache"));
    let host = Server::start(command).unwrap();
    let post = |records: &str| curl(&["--data-binary", records, &host.url("/logs")]);
    let expected = r#"{"level":"error","message":"error: login of *** from ***","region":"Europe, north"}
{"level":"info","message":"all is well","region":"Europe, north"}
"#;
    assert_eq!(post(RECORDS), expected);
    let page = curl(&[&host.url("/")]);
    for shown in ["10-level", "3 done", "2 done", "/regions/last", "allow: <code>dir = ["] {
        assert!(page.contains(shown), "`{shown}` is not on the page:\n{page}");
    }

    // One that traps is passed by, and one that can't be loaded changes nothing.
    let trap = r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
        (func (export "transform") unreachable))"#;
    fs::write(folder.join("20-redact.wasm"), trap).unwrap();
    until(|| post(RECORDS).contains("ada@example.com"));
    assert!(curl(&[&host.url("/")]).contains("trapped"));
    fs::write(folder.join("20-redact.wasm"), "no plugin").unwrap();
    until(|| curl(&[&host.url("/")]).contains("not replaced: "));
    fs::copy(guest_file("log-redact"), folder.join("20-redact.wasm")).unwrap();
    until(|| post(RECORDS) == expected);
    assert_eq!(post("no record"), "`no record` is no record: expected ident at line 1 column 2\n");
    fs::remove_dir_all(folder).unwrap();
}

fn until(mut is: impl FnMut() -> bool) {
    for _ in 0..400 {
        if is() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("it did not come to that in 20 s");
}
