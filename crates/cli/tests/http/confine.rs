//! A server that left itself only what its app names: it serves, compiles, reads and writes that, and nothing else.

use crate::app::{App, app_folder, guest, route, sandbar, until, write_manifest};
use sandbar_testkit::process::Signal;
use std::fs;

#[test]
fn a_confined_server_has_what_its_app_names_and_no_more() {
    let folder = app_folder("confined", "");
    let outside = folder.with_extension("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::create_dir_all(folder.join("files")).unwrap();
    fs::write(folder.join("files/a.txt"), "here\n").unwrap();
    fs::write(folder.join("yes.wat"), YES).unwrap();
    fs::write(outside.join("yes.wat"), YES).unwrap();
    let files = "[[http]]\nroute = \"GET /files/{*rest}\"\nfiles = \"files\"\n";
    let tables = |path: &str| guest("yes", path, "") + &route("POST /yes", "yes") + files;
    write_manifest(&folder, &tables(folder.join("yes.wat").to_str().unwrap()));
    let app = App::start(sandbar(), folder.clone(), &["--confine"]);

    assert_eq!(app.ask("POST /yes", &[], b"").answer.text(), "yes");
    assert_eq!(app.get("/files/a.txt").answer.text(), "here\n");
    let kernel = fs::read_to_string(format!("/proc/{}/status", app.server.id())).unwrap();
    assert!(kernel.contains("NoNewPrivs:\t1\n") && kernel.contains("Seccomp:\t2\n"), "{kernel}");

    if app.server.stderr().contains("no Landlock") {
        return;
    }
    write_manifest(&folder, &tables(outside.join("yes.wat").to_str().unwrap()));
    app.server.signal(Signal::HUP).unwrap();
    let said =
        until("the reload to fail", || Some(app.server.stderr()).filter(|said| said.contains("ermission denied")));
    assert!(said.contains("yes.wat"), "{said}");
    assert_eq!(app.ask("POST /yes", &[], b"").answer.text(), "yes");
}

/// A function that writes a word to stdout.
const YES: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\03\00\00\00")
  (data (i32.const 16) "yes")
  (func (export "handle_request")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;
