//! A new version while requests come in: none is lost, and each is answered by one version.

use crate::{
    app::{App, TIME, app_folder, guest, route, sandbar, until, write_manifest},
    wire::Client,
};
use sandbar_testkit::process::Signal;
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
};

/// A command that answers with this word, by CGI.
fn says(word: &str) -> String {
    let answer = format!("Content-Type: text/plain\n\n{word}\n");
    let data: String = answer.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\{:02x}\00\00\00")
  (data (i32.const 16) "{data}")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#,
        answer.len()
    )
}

/// Asks on and on, on kept connections and on new ones, while `meanwhile` runs. Gives how many answers there were.
fn under_load(app: &App, meanwhile: impl FnOnce()) -> usize {
    let (ends, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for kept in [true, true, false] {
            let (ends, answers) = (&ends, &answers);
            scope.spawn(move || {
                let mut client = app.connect();
                while !ends.load(SeqCst) {
                    if !kept {
                        client = app.connect();
                    }
                    let said = ask(&mut client);
                    assert!(
                        said.starts_with("HTTP/1.1 200 OK\r\n") && (said.contains("one\n") || said.contains("two\n")),
                        "{said}"
                    );
                    answers.fetch_add(1, SeqCst);
                }
            });
        }
        meanwhile();
        ends.store(true, SeqCst);
    });
    answers.load(SeqCst)
}

fn ask(client: &mut Client) -> String {
    assert!(client.send(b"GET /says HTTP/1.1\r\nhost: a\r\n\r\n"));
    client.until("\r\n\r\n") + &client.until("\n")
}

fn answer(app: &App) -> String {
    app.get("/says").answer.text()
}

fn write_guest(folder: &Path, word: &str) {
    fs::write(folder.join("says.wat"), says(word)).unwrap();
}

fn tables(folder: &Path) -> String {
    guest("says", folder.join("says.wat").to_str().unwrap(), "") + &route("/says", "says")
}

#[test]
fn a_signal_takes_a_new_version_over_without_losing_a_request() {
    let folder = app_folder("sighup", "");
    write_guest(&folder, "one");
    write_manifest(&folder, &tables(&folder));
    let app = App::start(sandbar(), folder, &[]);
    assert_eq!(answer(&app), "one\n");
    let answers = under_load(&app, || {
        for (round, word) in ["two", "one"].repeat(5).into_iter().enumerate() {
            write_guest(&app.folder, word);
            app.server.signal(Signal::HUP).unwrap();
            until("a new version", || {
                (app.server.stderr().matches("the new version serves").count() == round + 1).then_some(())
            });
            assert_eq!(answer(&app), format!("{word}\n"), "round {round}");
        }
    });
    assert!(answers > 20, "{answers}");
    let receipts = until("all receipts", || Some(app.receipts()).filter(|receipts| receipts.len() >= answers));
    assert!(receipts.iter().all(|receipt| receipt["outcome"]["kind"] == "done"));
}

#[test]
fn a_file_that_changes_is_taken_over_by_itself() {
    let folder = app_folder("watch", "");
    write_guest(&folder, "one");
    write_manifest(&folder, &tables(&folder));
    let app = App::start(sandbar(), folder, &["--watch"]);
    let becomes = |word: &str| until(&format!("`{word}`"), || (answer(&app) == format!("{word}\n")).then_some(()));
    becomes("one");
    under_load(&app, || {
        // In place, and by a rename over it, as editors and compilers do.
        write_guest(&app.folder, "two");
        becomes("two");
        fs::write(app.folder.join("aside"), says("one")).unwrap();
        fs::rename(app.folder.join("aside"), app.folder.join("says.wat")).unwrap();
        becomes("one");
        // One that is broken is told, and the old one serves on.
        fs::write(app.folder.join("says.wat"), "(module").unwrap();
        app.server.wait_for("the old one goes on", TIME).unwrap();
        assert_eq!(answer(&app), "one\n");
        write_guest(&app.folder, "two");
        becomes("two");
    });
    // The manifest too, and a guest that only the new one names.
    let more = tables(&app.folder) + &guest("hello", "hello.wasm", "") + &route("GET /hello/{name}", "hello");
    write_manifest(&app.folder, &more);
    until("a new route", || (app.get("/hello/new").answer.text() == "Hello, new!\n").then_some(()));
    write_manifest(&app.folder, "[srever]\n");
    app.server.wait_for("did you mean", TIME).unwrap();
    assert_eq!(app.get("/hello/still").answer.text(), "Hello, still!\n");
}

/// One guest file without a manifest is watched as well.
#[test]
fn a_single_guest_is_watched() {
    let folder = crate::app::empty_folder("watch-guest");
    write_guest(&folder, "one");
    let mut command = sandbar();
    command.arg("up").arg(folder.join("says.wat")).args(["--listen=127.0.0.1:0", "--watch"]);
    let server = sandbar_testkit::process::Server::start(command).unwrap();
    let answer = || {
        let mut client = Client::connect(server.address());
        ask(&mut client)
    };
    until("one", || answer().contains("one\n").then_some(()));
    write_guest(&folder, "two");
    until("two", || answer().contains("two\n").then_some(()));
}

/// What only a restart brings into force is said.
#[test]
fn what_needs_a_restart_is_said() {
    let folder = app_folder("restart", "");
    let app = App::start(sandbar(), folder, &[]);
    write_manifest(&app.folder, "[server]\nworkers = 1\n\n[pool]\nsandboxes_max = 5\n\n");
    app.server.signal(Signal::HUP).unwrap();
    app.server.wait_for("`[server]` changed, which needs a restart", TIME).unwrap();
    app.is_healthy();
}
