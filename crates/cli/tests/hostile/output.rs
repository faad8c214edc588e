//! Guests that write without end or to nobody, and what they write into a log.

use crate::{
    app::{App, SOON, TIME, app_folder, ended, finish, guest, guest_file, route, sandbar, until, used},
    cases::{Case, check},
};
use sandbar_testkit::process;
use std::{
    fs, io,
    os::unix::fs::symlink,
    process::{Command, Stdio},
    thread,
};

/// The most that a process has held in memory, in bytes.
pub(crate) fn peak_bytes(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Empty writes by the million are items nowhere: not of stdout, nor of a body.
#[test]
fn empty_writes_keep_nothing() {
    let app = App::serve(
        "empty-writes",
        &[
            guest("stdout", "hostile/empty-writes.wat", ""),
            route("/stdout", "stdout"),
            guest("body", "hostile/components/empty-body-writes.wat", ""),
            route("/body", "body"),
        ]
        .concat(),
    );
    app.is_healthy();
    let before = peak_bytes(app.server.id());
    for (path, status, ends) in [("/stdout", 500, "failed"), ("/body", 200, "done")] {
        let asked = app.get(path);
        assert_eq!((asked.answer.status, ended(&app.receipt(&asked.id))), (status, ends.into()), "{path}");
        let gained = peak_bytes(app.server.id()).saturating_sub(before);
        assert!(gained < 64 << 20, "{path} took {gained} bytes");
    }
    for file in ["hostile/empty-writes.wat", "hostile/components/empty-stdout-writes.wat"] {
        let finished = finish(["run".as_ref(), guest_file(file).as_os_str()], b"");
        assert_eq!((finished.code(), finished.stdout.len()), (Some(0), 0), "{file} {}", finished.stderr_text());
    }
}

#[test]
fn endless_output_is_stopped_by_its_limit() {
    let case = |name, file, more, status, ends| Case { name, file, more, body: "", status, ends };
    check(
        "endless-output",
        "",
        &[
            case("log", "hostile/log-flood.wat", r#"limits = { log = "64KiB" }"#, 503, "stopped log"),
            case("log-bytes", "hostile/log-flood.wat", r#"limits = { bytes-out = "64KiB" }"#, 503, "stopped bytes-out"),
            // A CGI answer without the empty line that ends its head.
            case("head", "hostile/stdout-flood.wat", "", 500, "failed"),
            case(
                "function",
                "hostile/stdout-flood-function.wat",
                r#"limits = { output = "1MiB" }"#,
                503,
                "stopped output",
            ),
        ],
    );

    let flood = guest_file("hostile/stdout-flood.wat");
    let finished = finish(["run", "--output", "1MiB", flood.to_str().unwrap()], b"");
    assert_eq!((finished.code(), finished.stdout.len()), (Some(124), 1 << 20), "{}", finished.stderr_text());
}

/// A body that has begun can't become a 503: it is cut, which its client sees.
#[test]
fn a_body_without_end_is_cut() {
    let limited = r#"limits = { output = "1MiB" }"#;
    let tables = guest("big", "echo-http.wasm", limited)
        + &route("/{*path}", "big")
        + &guest("big-p3", "echo-http-p3.wasm", limited)
        + &route("p3.test/{*path}", "big-p3");
    let app = App::serve("endless-body", &tables);
    let asked = app.get("/big?bytes=10000000000");
    assert_eq!((asked.answer.status, asked.answer.whole), (200, false));
    assert!(asked.answer.body.len() <= 1 << 20, "{}", asked.answer.body.len());
    let receipt = app.receipt(&asked.id);
    assert_eq!(ended(&receipt), "stopped output", "{receipt}");

    let asked = app.ask("POST /echo", &["host: p3.test"], &vec![b'x'; 4 << 20]);
    assert_eq!((asked.answer.status, asked.answer.whole), (200, false));
    assert!(asked.answer.body.len() <= 1 << 20, "{}", asked.answer.body.len());
    assert_eq!(ended(&app.receipt(&asked.id)), "stopped output");
    app.is_healthy();
}

/// Whoever reads goes away, as `head -1` does. The guest gets an error and ends, or ends at its limit.
#[test]
fn a_closed_pipe_ends_the_run() {
    for (guest, arguments, code) in [
        ("cli-p1.wasm", "stdout 1000000000", 1),
        ("cli-p2.wasm", "stdout 1000000000", 1),
        ("hostile/stdout-flood.wat", "", 124),
    ] {
        let script = format!("{{ \"$0\" run --wall 20s \"$1\" {arguments}; echo code $? >&2; }} | head -c 10");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).arg(sandbar().get_program()).arg(guest_file(guest));
        shell.envs(sandbar().get_envs().filter_map(|(name, value)| Some((name, value?))));
        let finished = process::run(&mut shell, b"", TIME).unwrap();
        assert_eq!(finished.stdout_text(), "xxxxxxxxxx", "{guest}");
        let stderr = finished.stderr_text();
        assert!(stderr.contains(&format!("code {code}\n")) && !stderr.contains("panicked"), "{guest}: {stderr}");
        assert!(code == 124 || finished.wall < SOON, "{guest}: {:?}", finished.wall);
    }
}

/// No command breaks on a pipe that is closed before it says a word.
#[test]
fn no_command_breaks_on_a_closed_pipe() {
    let (hello, add) = (guest_file("hello.wasm"), guest_file("add.wat"));
    let (hello, add) = (hello.to_str().unwrap(), add.to_str().unwrap());
    for arguments in [
        &["inspect", hello][..],
        &["inspect", "--json", hello],
        &["inspect", "--wit", hello],
        &["compile", hello],
        &["compile", "--json", hello],
        &["call", add, "add", "1", "2"],
        &["call", "--receipt=-", add, "add", "1", "2"],
        &["schema"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut command = sandbar();
        let child = command.args(arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        drop(command);
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert!(
            !stderr.contains("panicked") && ended.status.code().is_some_and(|code| code != 101),
            "{arguments:?}: {stderr}"
        );
    }
}

/// A log that is flooded is bounded by its limit, and others' records still come.
#[test]
fn a_flooded_log_stays_bounded() {
    let tables = guest("flood", "hostile/log-flood.wat", r#"limits = { log = "64KiB", wall = "5s" }"#)
        + &route("/flood", "flood")
        + &guest("fails", "fails.wat", "")
        + &route("/fails", "fails");
    let app = App::serve("log-flood", &tables);
    thread::scope(|scope| {
        let floods: Vec<_> = (0..4).map(|_| scope.spawn(|| app.get("/flood"))).collect();
        for flood in floods {
            let receipt = app.receipt(&flood.join().unwrap().id);
            assert_eq!(ended(&receipt), "stopped log");
            assert!(used(&receipt, "log_bytes") <= 64 << 10, "{receipt}");
        }
    });
    let asked = app.ask("POST /fails", &[], b"");
    assert_eq!((asked.answer.status, ended(&app.receipt(&asked.id))), (500, "failed 3".into()));
    assert!(!asked.answer.text().contains("secret detail"));
    app.server.wait_for("fails ", SOON).unwrap();
    app.server.wait_for(": secret detail\n", SOON).unwrap();
    let lines = app.server.stderr().matches("nothing happened").count();
    assert!(lines <= 4 * (64 << 10) / 17, "{lines}");
}

/// What a guest writes to stderr is one record for each of its lines, and none drives a terminal or forges another record.
#[test]
fn a_log_record_is_one_escaped_line() {
    let panic =
        r#"grants = { args = ["panic", "\u001b[2Jfirst\nsecond\r{\"level\":\"error\"}\u202e\u2028\u009b31m"] }"#;
    let tables = guest("escape", "hostile/escape-stderr.wat", "")
        + &route("POST /escape", "escape")
        + &guest("panic", "cli-p1.wasm", panic)
        + &route("POST /panic", "panic");
    for flags in [&[][..], &["--json"]] {
        let app = App::start(sandbar(), app_folder("escapes", &tables), flags);
        let escape = app.ask("POST /escape", &[], b"");
        assert_eq!((escape.answer.status, escape.answer.text().as_str()), (200, "ok\n"));
        let panic = app.ask("POST /panic", &[], b"");
        assert_eq!((panic.answer.status, ended(&app.receipt(&panic.id))), (500, "trapped".into()));
        app.server.wait_for("trapped: ", SOON).unwrap();

        let said = app.server.stderr();
        let unsafe_character = |c: &char| {
            (c.is_control() && *c != '\n')
                || "\u{200e}\u{200f}\u{2028}\u{2029}".contains(*c)
                || ('\u{202a}'..='\u{202e}').contains(c)
        };
        assert_eq!(said.chars().find(unsafe_character), None, "{said:?}");
        let call = app.receipt(&escape.id)["call"].as_str().unwrap().to_owned();
        let records: Vec<&str> = said.lines().filter(|line| line.contains(&call)).collect();
        assert_eq!(records.len(), 7, "{records:#?}");
        let call = app.receipt(&panic.id)["call"].as_str().unwrap().to_owned();
        for text in ["first", "second"] {
            let line = said.lines().find(|line| line.contains(text)).unwrap();
            assert!(line.contains(&call), "{text}: {said}");
        }
        if !flags.is_empty() {
            for line in said.lines() {
                let record: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
                assert!(record.is_object(), "{line}");
            }
        }
    }
}

/// A full disk takes neither receipts nor log lines, which is counted and told, and stops no call.
#[test]
fn a_full_disk_stops_no_call() {
    let folder = app_folder("full-disk", "");
    symlink("/dev/full", folder.join("receipts.jsonl")).unwrap();
    let app = App::start(sandbar(), folder, &[]);
    for _ in 0..20 {
        app.is_healthy();
    }
    until("receipts that were dropped", || {
        (app.metric("sandbar_receipts_dropped_total{reason=\"disk\"}") >= 20.0).then_some(())
    });
    assert_eq!(app.metric("sandbar_calls_total{guest=\"healthy\",outcome=\"done\"}"), 20.0);
    app.server.wait_for("receipts.jsonl", SOON).unwrap();

    let (cli, add) = (guest_file("cli-p1.wasm"), guest_file("add.wat"));
    let (cli, add) = (cli.to_str().unwrap(), add.to_str().unwrap());
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    // The guest is told that stdout is full, and ends with 1.
    let told = sandbar().args(["run", cli, "stdout", "100000"]).stdout(full()).output().unwrap();
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    // What it makes of a full stderr is its own affair: Rust's `eprintln!` panics.
    for (arguments, codes) in [
        (&["run", cli, "stderr", "100000"][..], &[0, 1, 134][..]),
        (&["run", cli, "panic", "oh"], &[134]),
        (&["call", add, "add", "1", "2"], &[69]),
        (&["inspect", add], &[69]),
        (&["schema"], &[69]),
        (&["completions", "bash"], &[69]),
    ] {
        let status = sandbar().args(arguments).stdout(full()).stderr(full()).status().unwrap();
        assert!(status.code().is_some_and(|code| codes.contains(&code)), "{arguments:?}: {status}");
    }
}
