//! What an operator sees: health, readiness, metrics, receipts.

use crate::{
    app::{App, TIME, app_folder, ended, finish, guest, route, sandbar, until},
    wire::Client,
};
use sandbar_testkit::process::{self, Signal};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

/// An app that has served calls of three guests, which ended in three ways.
fn served(name: &str) -> App {
    let tables = guest("fails", "fails.wat", "")
        + &route("POST /fails", "fails")
        + &guest("spin", "hostile/spin.wat", "limits = { fuel = 1000 }")
        + &route("/spin", "spin")
        + &guest("echo", "echo-http.wasm", "")
        + &route("/{*path}", "echo");
    let app = App::serve(name, &tables);
    for _ in 0..3 {
        app.is_healthy();
    }
    app.ask("POST /fails", &[], b"");
    app.get("/spin");
    let denied = app.get("/fetch?url=http://example.com/");
    app.receipt(&denied.id);
    until("six receipts", || (app.receipts().len() == 6).then_some(()));
    app
}

#[test]
fn the_admin_listener_answers() {
    let app = served("admin");
    assert_eq!((app.admin("/health").text().as_str(), app.admin("/health").status), ("ok\n", 200));
    assert_eq!((app.admin("/ready").text().as_str(), app.admin("/ready").status), ("ready\n", 200));
    assert_eq!(app.admin("/nothing").status, 404);
    assert_eq!(app.get("/health").answer.status, 200, "the app's own paths are the guest's");

    for (name, expected) in [
        ("sandbar_calls_total{guest=\"healthy\",outcome=\"done\"}", 3.0),
        ("sandbar_calls_total{guest=\"fails\",outcome=\"failed\"}", 1.0),
        ("sandbar_stopped_total{guest=\"spin\",limit=\"fuel\"}", 1.0),
        ("sandbar_call_seconds_count{guest=\"healthy\"}", 3.0),
        ("sandbar_fuel_total{guest=\"spin\"}", 1000.0),
        ("sandbar_denials_total{guest=\"echo\",grant=\"http\"}", 1.0),
        ("sandbar_pool_calls{guest=\"healthy\"}", 0.0),
        ("sandbar_receipts_dropped_total{reason=\"queue\"}", 0.0),
    ] {
        assert_eq!(app.metric(name), expected, "{name}");
    }
    let metrics = app.admin("/metrics");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = metrics.text();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit_once(' ').unwrap().1;
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn the_latest_receipts_are_there_as_json() {
    let app = served("admin-receipts");
    let receipts =
        |query: &str| -> Vec<Value> { serde_json::from_str(&app.admin(&format!("/receipts{query}")).text()).unwrap() };
    let all = receipts("");
    assert_eq!(all.len(), 6);
    assert_eq!(all[0]["guest"], "echo", "the newest first");
    let mut in_file = app.receipts();
    in_file.reverse();
    assert_eq!(all, in_file, "memory and file hold the same");
    assert_eq!(receipts("?n=2").len(), 2);
    assert_eq!(receipts("?guest=healthy").len(), 3);
    assert_eq!(receipts("?outcome=stopped").iter().map(ended).collect::<Vec<_>>(), ["stopped fuel"]);
    assert_eq!(receipts("?guest=healthy&outcome=failed").len(), 0);
    for query in ["?n=0", "?n=x", "?outcome=fine", "?who=me"] {
        assert_eq!(app.admin(&format!("/receipts{query}")).status, 400, "{query}");
    }
}

/// A page in a browser that makes its own name point here gets nothing, and nobody writes.
#[test]
fn the_admin_listener_is_for_those_who_name_it() {
    let app = served("admin-names");
    let said = app.server.stderr();
    let address = said.split_once("admin on http://").unwrap().1.lines().next().unwrap().parse().unwrap();
    let ask = |method: &str, host: &str| {
        let mut client = Client::connect(address);
        client.send(format!("{method} /receipts HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes());
        client.answer()
    };
    for (host, status) in
        [("127.0.0.1", 200), ("localhost:1", 200), ("[::1]", 200), ("evil.test", 421), ("127.0.0.1.evil.test", 421)]
    {
        let answer = ask("GET", host);
        assert_eq!(answer.status, status, "{host}");
        assert!(status == 200 || !answer.text().contains("guest"), "{host}: {}", answer.text());
    }
    let post = ask("POST", "127.0.0.1");
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn receipts_are_printed_and_filtered() {
    let app = served("receipts");
    let print = |more: &[&str]| -> Vec<String> {
        let arguments = ["receipts".as_ref(), app.folder.as_os_str()].into_iter().chain(more.iter().map(AsRef::as_ref));
        let finished = finish(arguments, b"");
        assert_eq!(finished.code(), Some(0), "{finished:?}");
        finished.stdout_text().lines().map(str::to_owned).collect()
    };
    let all = print(&[]);
    assert_eq!(all.len(), 6);
    assert!(all[0].contains("done") && all[0].contains("healthy") && all[0].contains("POST /healthy"), "{}", all[0]);
    let json: Vec<Value> = print(&["--json"]).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json, app.receipts());
    assert_eq!(print(&["--guest", "healthy"]).len(), 3);
    assert_eq!(print(&["--outcome", "failed", "--outcome", "stopped"]).len(), 2);
    assert_eq!(print(&["--trigger", "http"]).len(), 6);
    assert_eq!(print(&["--trigger", "queue"]).len(), 0);
    assert_eq!(print(&["--since", "10m"]).len(), 6);
    assert_eq!(print(&["--since", "1ms"]).len(), 0);
    // The file itself, or the manifest, means the same.
    for path in ["receipts.jsonl", "sandbar.toml"] {
        let finished = finish(["receipts".as_ref(), app.folder.join(path).as_os_str()], b"");
        assert_eq!(finished.stdout_text().lines().count(), 6, "{path}");
    }

    // A line that is torn is told, and the others are printed.
    let file = app.folder.join("receipts.jsonl");
    let mut text = fs::read_to_string(&file).unwrap();
    text.insert_str(text.find('\n').unwrap() + 1, "{\"version\":1,\n");
    let torn = app.folder.join("torn.jsonl");
    fs::write(&torn, text).unwrap();
    let finished = finish(["receipts".as_ref(), torn.as_os_str()], b"");
    assert_eq!((finished.code(), finished.stdout_text().lines().count()), (Some(65), 6), "{finished:?}");
    assert!(finished.stderr_text().contains("torn.jsonl") && finished.stderr_text().contains('2'), "{finished:?}");

    for (arguments, code) in [
        (&["receipts", "/nowhere.jsonl"][..], 66),
        (&["receipts", "--outcome", "fine"], 2),
        (&["receipts", "--since", "yesterday"], 2),
    ] {
        assert_eq!(finish(arguments, b"").code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn receipts_are_followed_through_rotations() {
    let folder = app_folder("follow", "");
    let manifest = fs::read_to_string(folder.join("sandbar.toml")).unwrap();
    let rotating = manifest
        .replace("path = \"receipts.jsonl\"\n", "path = \"receipts.jsonl\"\nrotate_bytes = \"4KiB\"\nkeep = 2\n");
    fs::write(folder.join("sandbar.toml"), rotating).unwrap();
    let app = App::start(sandbar(), folder, &[]);
    let mut command = sandbar();
    command.args(["receipts", "--follow", "--json"]).arg(&app.folder).stdout(Stdio::piped());
    let mut follows = command.spawn().unwrap();
    let mut lines = BufReader::new(follows.stdout.take().unwrap()).lines();
    for round in 0..4 {
        let ids: Vec<String> = (0..5).map(|_| app.ask("POST /healthy", &[], br#"{"name":"A","value":1}"#).id).collect();
        for id in ids {
            let line = lines.next().unwrap().unwrap();
            let receipt: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(receipt["event"], id.as_str(), "round {round}: in their order, none lost, none twice");
        }
    }
    follows.kill().unwrap();
    follows.wait().unwrap();
    assert!(app.folder.join("receipts.jsonl.1").is_file());
    assert!(app.metric("sandbar_receipts_rotations_total") >= 1.0);
    let kept = fs::read_dir(&app.folder)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("receipts"))
        .count();
    assert!(kept <= 3, "{kept}");
}

/// Receipts that wait to be written are written when the server ends.
#[test]
fn the_last_receipts_are_written_at_the_end() {
    let mut app = App::serve("last-receipts", "");
    for _ in 0..50 {
        app.is_healthy();
    }
    app.server.signal(Signal::TERM).unwrap();
    assert_eq!(app.server.wait(TIME).unwrap().code(), Some(0));
    assert_eq!(app.receipts().len(), 50);
}

/// A file of receipts that can't be had is an error at the start, with what to do.
#[test]
fn a_file_of_receipts_that_can_t_be_had_is_an_error() {
    let folder = app_folder("no-receipts", "");
    fs::create_dir(folder.join("receipts.jsonl")).unwrap();
    let mut up = sandbar();
    let finished = process::run(up.arg("up").arg(&folder).arg("--listen=127.0.0.1:0"), b"", TIME).unwrap();
    assert_eq!(finished.code(), Some(69), "{finished:?}");
    assert!(finished.stderr_text().contains("receipts.jsonl"), "{finished:?}");
}
