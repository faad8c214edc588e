//! What one sandbox leaves behind and what one tenant is told: no other ever sees it.

use crate::app::{App, SOON, app_folder, ended, finish, guest, guest_file, route, sandbar, write_manifest};
use sandbar_testkit::process::Signal;
use std::fs;

/// A body for the canary, and what it then says; `t` makes it trap after it has left something.
const LEAVE: &[u8] = b"x";
const TRAP: &[u8] = b"t";

#[test]
fn a_fresh_sandbox_has_nothing_of_another() {
    // Few slots, so that the next sandbox lies where the last one was.
    let tables = "[pool]\nsandboxes_max = 2\n\n".to_owned()
        + &guest("canary", "hostile/canary.wat", "")
        + &route("/canary", "canary")
        + &guest("other", "hostile/canary.wat", "")
        + &route("/other", "other");
    let app = App::serve("canary", &tables);
    for body in [LEAVE, TRAP, LEAVE, LEAVE, TRAP, TRAP, LEAVE] {
        for path in ["POST /canary", "POST /other"] {
            let asked = app.ask(path, &[], body);
            let expected = if body == TRAP { (500, "trapped") } else { (200, "done") };
            let receipt = app.receipt(&asked.id);
            assert_eq!((asked.answer.status, ended(&receipt).as_str()), expected);
            assert_eq!(receipt["sandbox"]["call"], 1);
            assert_eq!(asked.answer.text() == "clean\n", body == LEAVE, "{}", asked.answer.text());
        }
    }
}

/// Who chooses to reuse a sandbox keeps what was left in it, until it is replaced; a trap replaces it at once.
#[test]
fn a_reused_sandbox_keeps_what_was_left_until_it_is_replaced() {
    let tables = guest("reused", "hostile/canary.wat", "sandbox = { reuse = 3 }\n")
        + &route("/reused", "reused")
        + &guest("held", "hostile/canary.wat", "sandbox = \"held\"\n")
        + &route("/held", "held");
    let app = App::serve("reused", &tables);
    for (path, calls) in [
        (
            "POST /reused",
            [("clean", 1), ("DIRTY", 2), ("DIRTY", 3), ("clean", 1), ("trap", 2), ("clean", 1), ("DIRTY", 2)],
        ),
        (
            "POST /held",
            [("clean", 1), ("DIRTY", 2), ("DIRTY", 3), ("DIRTY", 4), ("trap", 5), ("clean", 1), ("DIRTY", 2)],
        ),
    ] {
        let mut sandboxes = Vec::new();
        for (says, call) in calls {
            let asked = app.ask(path, &[], if says == "trap" { TRAP } else { LEAVE });
            let receipt = app.receipt(&asked.id);
            if says == "trap" {
                assert_eq!((asked.answer.status, ended(&receipt).as_str()), (500, "trapped"));
            } else {
                assert_eq!((asked.answer.text().trim(), ended(&receipt).as_str()), (says, "done"), "{path} {call}");
            }
            assert_eq!(receipt["sandbox"]["call"], call, "{path}: {receipt}");
            if call == 1 {
                sandboxes.push(receipt["sandbox"]["id"].clone());
            }
            assert_eq!(receipt["sandbox"]["id"], *sandboxes.last().unwrap());
        }
        sandboxes.dedup();
        assert_eq!(sandboxes.len(), if path.ends_with("held") { 2 } else { 3 });
    }
}

/// A tenant's environment is seen by its own guest, and stands in no page, log, metric or receipt.
#[test]
fn the_environment_of_a_tenant_stays_its_own() {
    let tables = |alpha: &str| {
        [
            guest("alpha", "echo-http.wasm", &format!("limits = {{ wall = \"300ms\" }}\n{alpha}")),
            route("alpha.test/{*path}", "alpha"),
            guest("beta", "echo-http.wasm", r#"grants = { env = ["TOKEN=beta-secret", "HOST_TOKEN"] }"#),
            route("beta.test/{*path}", "beta"),
            guest("cgi", "cgi.wasm", r#"grants = { env = ["HTTP_TOKEN=gamma-secret"] }"#),
            route("cgi.test/{*path}", "cgi"),
        ]
        .concat()
    };
    let folder = app_folder("tenants", &tables(r#"grants = { env = ["TOKEN=alpha-secret"] }"#));
    let mut command = sandbar();
    command.env("HOST_TOKEN", "host-secret").env("HOST_OTHER", "other-secret");
    let app = App::start(command, folder, &[]);
    let env = |host: &str| app.ask("GET /env", &[host], b"").answer.text();
    assert_eq!(env("host: alpha.test"), "{\"TOKEN\":\"alpha-secret\"}\n");
    assert_eq!(env("host: beta.test"), "{\"TOKEN\":\"beta-secret\"}\n{\"HOST_TOKEN\":\"host-secret\"}\n");
    let cgi = app.get("/");
    assert!(!cgi.answer.text().contains("secret"), "{}", cgi.answer.text());

    for (line, status) in [
        ("GET /panic", 500),
        ("GET /nothing", 500),
        ("GET /spin", 504),
        ("GET /fetch?url=http://127.0.0.1/", 502),
        ("GET /%zz", 400),
    ] {
        let asked = app.ask(line, &["host: alpha.test"], b"");
        assert_eq!(asked.answer.status, status, "{line}");
        assert!(!asked.answer.text().contains("secret"), "{line}: {}", asked.answer.text());
    }

    // A manifest that is wrong beside the secret: the log shows the place and not the secret.
    write_manifest(&app.folder, &tables(r#"grants = { env = ["TOKEN=alpha-secret", 5] }"#));
    app.server.signal(Signal::HUP).unwrap();
    app.server.wait_for("the old one goes on", SOON).unwrap();
    app.server.wait_for("TOKEN=", SOON).unwrap();
    app.is_healthy();

    app.receipt_of("healthy", "done");
    for said in [
        app.server.stderr(),
        fs::read_to_string(app.folder.join("receipts.jsonl")).unwrap(),
        app.admin("/receipts?n=1000").text(),
        app.admin("/metrics").text(),
        app.admin("/").text(),
        app.get("/").answer.text(),
    ] {
        assert!(!said.is_empty() && !said.contains("secret"), "{said}");
    }
}

#[test]
fn clocks_are_coarse_unless_granted_fine() {
    for file in ["cli-p1.wasm", "cli-p2.wasm"] {
        let guest = guest_file(file);
        let read = |flags: &[&str]| {
            let finished = finish(["run"].iter().chain(flags).chain([&guest.to_str().unwrap(), &"clock"]), b"");
            assert_eq!(finished.code(), Some(0), "{}", finished.stderr_text());
            let text = finished.stdout_text();
            let step = text.lines().find_map(|line| line.strip_prefix("monotonic_step_ns=")).unwrap();
            (step.parse::<u64>().unwrap(), text.contains("wall_whole_ms=true"))
        };
        let (step, whole) = read(&[]);
        assert!(step > 0 && step % 1_000_000 == 0 && whole, "{file}: {step} {whole}");
        let fine = (0..20).map(|_| read(&["--clock", "fine"]).0).min();
        assert!(fine.is_some_and(|step| step < 1_000_000), "{file}: {fine:?}");
    }
}
