//! What an operator does to a server under load: end it, and give it another version.

use crate::{
    app::{App, SOON, TIME, app_folder, empty_folder, ended, guest, route, sandbar, until, used, write_manifest},
    wire::Client,
};
use sandbar_testkit::process::Signal;
use std::{
    fs,
    net::TcpStream,
    process::Command,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

fn echo() -> String {
    guest("echo", "echo-http.wasm", "limits = { wall = \"60s\", cpu = \"60s\" }") + &route("/{*path}", "echo")
}

fn calls(app: &App, count: f64) {
    until("so many calls", || (app.metric("sandbar_pool_calls{guest=\"echo\"}") == count).then_some(()));
}

#[test]
fn a_server_that_is_told_to_end_finishes_its_calls() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut app = App::serve("drain", &("[server]\ndrain = \"30s\"\n\n".to_owned() + &echo()));
        let ending = AtomicBool::new(false);
        thread::scope(|scope| {
            let (app, ending) = (&app, &ending);
            let long: Vec<_> = (0..4).map(|_| scope.spawn(move || app.get("/sleep?ms=3000"))).collect();
            let stream = scope.spawn(move || app.get("/stream?n=30&ms=100"));
            calls(app, 5.0);
            let mut idle = app.connect();
            idle.send(b"GET /status/200 HTTP/1.1\r\nhost: a\r\n\r\n");
            idle.until("\r\n\r\n");
            // Clients that ask on and on: each is answered whole, or, once it ends, not at all.
            let asking: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(move || {
                        while let Ok(stream) = TcpStream::connect(app.address()) {
                            drop(stream);
                            let Some(asked) = try_ask(app) else { return };
                            assert!(asked == (200, true) || ending.load(SeqCst) && asked.0 == 0, "{asked:?}");
                        }
                    })
                })
                .collect();

            ending.store(true, SeqCst);
            app.server.signal(signal).unwrap();
            until("an end of readiness", || (app.admin("/ready").status == 503).then_some(()));
            assert_eq!(app.admin("/health").status, 200);
            assert!(long.iter().all(|long| !long.is_finished()));
            assert_eq!(idle.rest(), b"", "an idle connection ends at once");
            for long in long {
                let asked = long.join().unwrap();
                assert_eq!((asked.answer.status, asked.answer.text().as_str()), (200, "slept\n"));
            }
            let streamed = stream.join().unwrap().answer;
            assert!(streamed.whole && streamed.text().ends_with("chunk 29\n"));
            asking.into_iter().for_each(|asking| asking.join().unwrap());
        });
        assert_eq!(app.server.wait(TIME).unwrap().code(), Some(0), "{}", app.server.stderr());
        assert!(!app.server.stderr().contains("cut"), "{}", app.server.stderr());
        let receipts = app.receipts();
        let not_done: Vec<_> = receipts.iter().filter(|receipt| ended(receipt) != "done").collect();
        assert!(receipts.len() >= 5 && not_done.is_empty(), "{not_done:?}");
    }
}

/// One short request; `None` where nobody listens any more.
fn try_ask(app: &App) -> Option<(u16, bool)> {
    let address = app.address();
    TcpStream::connect(address).ok()?;
    let mut client = std::panic::catch_unwind(|| Client::connect(address)).ok()?;
    client.send(b"GET /status/200 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let answer = client.answer();
    Some((answer.status, answer.whole))
}

/// Calls that go on past the drain time are cut, and so is everything at a second signal. Their receipts say so.
#[test]
fn what_does_not_end_in_time_is_cut() {
    for (drain, signals) in [("500ms", 1), ("60s", 2)] {
        let mut app = App::serve("cut", &(format!("[server]\ndrain = \"{drain}\"\n\n") + &echo()));
        thread::scope(|scope| {
            let app = &app;
            let asked: Vec<_> = ["/sleep?ms=50000", "/spin", "/stream?n=1000&ms=50"]
                .map(|path| scope.spawn(move || app.get(path)))
                .into();
            calls(app, 3.0);
            for _ in 0..signals {
                app.server.signal(Signal::TERM).unwrap();
                until("an end of readiness", || (TcpStream::connect(app.address()).is_err()).then_some(()));
            }
            for asked in asked {
                let answer = asked.join().unwrap().answer;
                assert!(!answer.whole || answer.status == 0, "{answer:?}");
            }
        });
        assert_eq!(app.server.wait(SOON).unwrap().code(), Some(0), "{}", app.server.stderr());
        assert!(app.server.stderr().contains("3 connections were cut"), "{}", app.server.stderr());
        let ends: Vec<_> = app.receipts().iter().map(ended).collect();
        assert_eq!(ends, ["cancelled"; 3]);
    }
}

/// A version that is wrong in any way changes nothing and is told; one that is right takes over.
#[test]
fn a_bad_version_keeps_the_old_one() {
    let one = echo();
    let two = guest("hello", "hello.wasm", "") + &route("GET /hello/{name}", "hello");
    let folder = app_folder("reload", &one);
    let scrap = empty_folder("reload-guests");
    let garbage = scrap.join("garbage.wasm");
    fs::write(&garbage, "no guest").unwrap();
    let mut command = sandbar();
    command.env("SANDBAR_COMPILE_SECONDS", "1");
    let app = App::start(command, folder, &[]);
    let with = |more: &str| one.clone() + more;
    let mut kept = 0;
    for (tables, says) in [
        (with("[[http]"), "expected"),
        (with("[srever]\n"), "did you mean"),
        (with(&guest("large", "hostile/big-initial.wat", "")) + &route("/large", "large"), "4294967296"),
        (with(&guest("import", "unknown-import.wat", "")) + &route("/import", "import"), "env.missing"),
        (with(&guest("garbage", garbage.to_str().unwrap(), "")) + &route("/garbage", "garbage"), "no WebAssembly"),
        (with("[guests.missing]\npath = \"missing.wasm\"\n\n") + &route("/missing", "missing"), "missing.wasm"),
        (with(&route("/{*other}", "echo")), "/{*other}"),
        (with(&route("nowhere", "echo")), "nowhere"),
        (with(&route("/x", "nobody")), "nobody"),
        (with(&guest("shapes", "two-shapes.wat", "")) + &route("/shapes", "shapes"), "shapes"),
        (
            with(&guest("env", "echo-http.wasm", "grants = { env = [\"SANDBAR_NOT_SET\"] }")) + &route("/env", "env"),
            "SANDBAR_NOT_SET",
        ),
        (
            with(&guest("dir", "echo-http.wasm", "grants = { dir = [\"nowhere::/data\"] }")) + &route("/dir", "dir"),
            "nowhere",
        ),
    ] {
        let said = app.server.stderr().len();
        write_manifest(&app.folder, &tables);
        app.server.signal(Signal::HUP).unwrap();
        kept += 1;
        until("a notice", || (app.server.stderr().matches("the old one goes on").count() == kept).then_some(()));
        until(&format!("`{says}` in {}", app.server.stderr()), || {
            app.server.stderr()[said..].contains(says).then_some(())
        });
        assert_eq!(app.get("/status/201").answer.status, 201, "{says}");
        assert_eq!(app.admin("/ready").status, 200, "{says}");
    }

    // A call in flight ends on the version that it began with, and the next one meets the new one.
    thread::scope(|scope| {
        let slow = scope.spawn(|| app.get("/stream?n=30&ms=100"));
        calls(&app, 1.0);
        write_manifest(&app.folder, &two);
        app.server.signal(Signal::HUP).unwrap();
        app.server.wait_for("the new version serves", TIME).unwrap();
        assert_eq!(app.get("/hello/new").answer.text(), "Hello, new!\n");
        assert_eq!(app.get("/status/201").answer.status, 404);
        assert!(!slow.is_finished());
        let slow = slow.join().unwrap();
        assert!(slow.answer.whole && slow.answer.text().ends_with("chunk 29\n"));
        assert_eq!(ended(&app.receipt(&slow.id)), "done");
    });
    fs::remove_file(app.folder.join("sandbar.toml")).unwrap();
    app.server.signal(Signal::HUP).unwrap();
    until("a notice", || (app.server.stderr().matches("the old one goes on").count() == kept + 1).then_some(()));
    assert_eq!(app.get("/hello/still").answer.text(), "Hello, still!\n");
}

/// The time of day goes back by a day while calls run: receipts say so, and nothing else follows it.
#[test]
fn a_clock_that_jumps_back_moves_no_deadline() {
    const CLOCK: &str = r#"
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>
        int clock_gettime(clockid_t id, struct timespec *now) {
            long failed = syscall(SYS_clock_gettime, id, now);
            if (!failed && id == CLOCK_REALTIME && !access(getenv("JUMPED"), F_OK)) now->tv_sec -= 24 * 60 * 60;
            return failed;
        }
    "#;
    let spin = guest("spin", "hostile/spin.wat", "limits = { wall = \"300ms\" }") + &route("/spin", "spin");
    let folder = app_folder("clock", &(echo() + &spin));
    let [source, library, jumped] = ["clock.c", "clock.so", "jumped"].map(|name| folder.join(name));
    fs::write(&source, CLOCK).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status().unwrap();
    assert!(compiled.success());
    let mut command = sandbar();
    command.env("LD_PRELOAD", &library).env("JUMPED", &jumped);
    let app = App::start(command, folder, &[]);

    let at_ms = |id: &str| app.receipt(id)["at_ms"].as_u64().unwrap();
    let before = app.get("/status/201");
    thread::scope(|scope| {
        let slow = scope.spawn(|| app.get("/stream?n=10&ms=100"));
        calls(&app, 1.0);
        fs::write(&jumped, "").unwrap();
        let after = app.get("/status/201");
        assert!(at_ms(&after.id) + 23 * 60 * 60 * 1000 < at_ms(&before.id), "it did not jump");
        let slow = slow.join().unwrap();
        assert!(slow.answer.whole && slow.answer.text().ends_with("chunk 9\n"));
        assert_eq!(ended(&app.receipt(&slow.id)), "done");
        // Whose time began before the jump, and whose after it.
        for id in [slow.id, app.get("/spin").id] {
            let wall = Duration::from_nanos(used(&app.receipt(&id), "wall_ns"));
            assert!(wall >= Duration::from_millis(300) && wall < SOON, "{id}: {wall:?}");
        }
    });
    assert_eq!(ended(&app.receipt_of("spin", "stopped wall")), "stopped wall");
    app.is_healthy();
}

/// A thousand calls of each bad kind leave nothing behind: no descriptor, and no more memory than a few calls.
#[test]
fn a_thousand_bad_calls_leave_nothing() {
    let bad = |name: &str, file: &str, more: &str| guest(name, file, more) + &route(&format!("/{name}"), name);
    let tables = [
        "[pool]\nsandboxes_max = 8\n\n".to_owned(),
        bad("trap", "hostile/unreachable.wat", ""),
        bad("long", "hostile/spin.wat", "limits = { wall = \"50ms\" }"),
        bad("recurse", "hostile/recurse.wat", ""),
        bad("fuel", "hostile/spin.wat", "limits = { fuel = 1000 }"),
        bad("handles", "hostile/components/lots-of-handles.wat", "limits = { handles = 50 }"),
        bad("fails", "fails.wat", "limits = { log = \"1KiB\" }"),
        bad("memory", "hostile/grow-bomb.wat", "limits = { memory = \"2MiB\" }"),
        guest("echo", "echo-http.wasm", ""),
        route("echo.test/{*path}", "echo"),
    ]
    .concat();
    let folder = app_folder("thousand", &tables);
    let manifest = fs::read_to_string(folder.join("sandbar.toml")).unwrap();
    let manifest = manifest.replace("path = \"receipts.jsonl\"\n", "path = \"receipts.jsonl\"\nlatest_max = 10\n");
    fs::write(folder.join("sandbar.toml"), manifest).unwrap();
    let app = App::start(sandbar(), folder, &[]);
    let repeat = |count: usize| {
        for _ in 0..count {
            for path in ["/trap", "/recurse", "/fuel", "/handles", "/fails", "/memory"] {
                let status = app.ask(&format!("POST {path}"), &[], b"").answer.status;
                assert!(status == 500 || status == 503, "{path} {status}");
            }
            let denied = app.ask("GET /fetch?url=http://127.0.0.1/", &["host: echo.test"], b"");
            assert_eq!(denied.answer.status, 502);
            let mut leaves = app.connect();
            leaves.send(b"GET /stream?n=9&ms=1000 HTTP/1.1\r\nhost: echo.test\r\n\r\n");
            leaves.until("chunk");
        }
        until("an idle server", || {
            let open = app.metric("sandbar_http_connections_open");
            let calls = app.metric("sandbar_pool_calls{guest=\"echo\"}");
            (open == 0.0 && calls == 0.0).then_some(())
        });
    };
    // What is started when it is first needed, such as the slow lane, stays.
    assert_eq!(app.ask("POST /long", &[], b"").answer.status, 504);
    repeat(50);
    let before = held(app.server.id());
    repeat(1000);
    until("as many descriptors as before", || (held(app.server.id()).0 <= before.0).then_some(()));
    let after = held(app.server.id());
    assert!(after.1 <= before.1 + (16 << 20), "resident bytes: {} and then {}", before.1, after.1);
    app.is_healthy();
}

/// Descriptors, and resident bytes, of a process.
fn held(id: u32) -> (usize, u64) {
    let descriptors = fs::read_dir(format!("/proc/{id}/fd")).unwrap().count();
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    (descriptors, line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024)
}
