//! Guests that never end, and those that wait for ever.

use crate::{
    app::{App, SOON, ended, finish, guest, guest_file, route, until, used},
    cases::{Case, check},
};
use std::thread;

const WALL: &str = r#"limits = { wall = "300ms" }"#;

#[test]
fn what_never_ends_is_stopped_wherever_it_runs() {
    let case = |name, file, more, body, status, ends| Case { name, file, more, body, status, ends };
    check(
        "endless",
        "[server]\nworkers = 2\n",
        &[
            case("loop", "hostile/spin.wat", WALL, "", 504, "stopped wall"),
            case("cpu", "hostile/spin.wat", r#"limits = { cpu = "300ms" }"#, "", 504, "stopped cpu"),
            case("fuel", "hostile/spin.wat", "limits = { fuel = 1000000 }", "", 503, "stopped fuel"),
            case("start", "hostile/spin-start.wat", WALL, "", 504, "stopped wall"),
            case("initialize", "hostile/spin-init.wat", WALL, "", 504, "stopped wall"),
            case("realloc", "hostile/spin-realloc.wat", WALL, "[[1, 2, 3]]", 504, "stopped wall"),
            case("component-init", "hostile/components/spin-component-init.wat", WALL, "", 504, "stopped wall"),
            case("component-realloc", "hostile/components/spin-lowering.wat", WALL, r#"["text"]"#, 504, "stopped wall"),
            case("sleep", "hostile/sleep-forever.wat", WALL, "", 504, "stopped wall"),
            case("poll-never", "hostile/components/poll-never.wat", WALL, "", 504, "stopped wall"),
            case("table-grow", "hostile/table-bomb.wat", WALL, "", 504, "stopped wall"),
            case("http", "echo-http.wasm", WALL, "", 200, "done"),
        ],
    );
}

/// One instruction that writes a gigabyte can't be interrupted, and the next one is not begun.
#[test]
fn long_instructions_are_stopped_between_them() {
    let more = "limits = { wall = \"300ms\", memory = \"1GiB\" }";
    let fill = Case { name: "fill", file: "hostile/fill.wat", more, body: "", status: 504, ends: "stopped wall" };
    check("fill", "", &[fill]);
}

/// A list of a million things to wait for ends at the limit of handles, before the host has made a million of anything.
#[test]
fn a_million_things_to_wait_for_are_refused() {
    let poll = Case {
        name: "poll-many",
        file: "hostile/poll-many.wat",
        more: r#"limits = { wall = "5s" }"#,
        body: "",
        status: 503,
        ends: "stopped handles",
    };
    check("poll-many", "", &[poll]);
}

/// On every worker there is more than one loop, and all else goes on: others answer, deadlines hold, health and metrics show.
#[test]
fn loops_on_every_worker_stop_nobody_else() {
    let app = App::serve(
        "loops",
        &["[server]\nworkers = 2\n\n".to_owned()]
            .into_iter()
            .chain([
                guest("spin", "hostile/spin.wat", r#"limits = { wall = "5s" }"#),
                route("/spin", "spin"),
                guest("sleep", "hostile/sleep-forever.wat", WALL),
                route("/sleep", "sleep"),
                guest("echo", "echo-http.wasm", ""),
                route("/{*path}", "echo"),
            ])
            .collect::<String>(),
    );
    thread::scope(|scope| {
        let spins: Vec<_> = (0..8).map(|_| scope.spawn(|| app.get("/spin"))).collect();
        until("a pool with eight loops", || (app.metric("sandbar_pool_calls{guest=\"spin\"}") == 8.0).then_some(()));
        for _ in 0..10 {
            app.is_healthy();
            assert_eq!(app.get("/status/201").answer.status, 201);
            assert_eq!(app.admin("/health").status, 200);
            assert_eq!(app.admin("/ready").status, 200);
        }
        let asleep = app.get("/sleep");
        assert_eq!((asleep.answer.status, ended(&app.receipt(&asleep.id))), (504, "stopped wall".into()));
        assert!(spins.iter().all(|spin| !spin.is_finished()), "the loops were to run meanwhile");

        for spin in spins {
            let spin = spin.join().unwrap();
            let receipt = app.receipt(&spin.id);
            assert_eq!((spin.answer.status, ended(&receipt)), (504, "stopped wall".into()));
            assert!(used(&receipt, "wall_ns") >= 5_000_000_000, "{receipt}");
        }
    });
}

/// Calls of the host without a loop around them, by a tree of calls, end like a loop.
#[test]
fn a_storm_of_host_calls_is_stopped() {
    let storm = guest_file("hostile/recursion-host-storm.wat");
    let storm = storm.to_str().unwrap();
    for (flags, ends) in [
        (&["--wall", "300ms"][..], "wall"),
        (&["--cpu", "300ms"], "cpu"),
        (&["--fuel", "100000"], "fuel"),
        (&["--output", "1000"], "output"),
    ] {
        let arguments = ["run"].iter().chain(flags).chain([&storm]);
        let finished = finish(arguments, b"");
        assert_eq!(finished.code(), Some(124), "{flags:?} {}", finished.stderr_text());
        assert!(
            finished.stderr_text().contains(&format!("its limit of `{ends}` is used up")),
            "{}",
            finished.stderr_text()
        );
        assert!(finished.wall < SOON, "{flags:?} took {:?}", finished.wall);
    }
}
