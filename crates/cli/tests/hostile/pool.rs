//! One call more than the pool holds.

use crate::app::{App, ended, guest, route, until};
use std::thread;

#[test]
fn a_call_over_the_pool_waits_its_turn_and_is_then_told_when_to_try_again() {
    let impatient = "sandboxes_max = 1\nwait = \"300ms\"";
    let patient = "sandboxes_max = 1\nwait = \"60s\"";
    let app = App::serve(
        "pool",
        &[
            guest("impatient", "echo-http.wasm", impatient),
            route("impatient.test/{*path}", "impatient"),
            guest("patient", "echo-http.wasm", patient),
            route("patient.test/{*path}", "patient"),
        ]
        .concat(),
    );
    let host = |guest: &str| format!("host: {guest}.test");
    let sleep = |guest: &str, ms: u32| app.ask(&format!("GET /sleep?ms={ms}"), &[&host(guest)], b"");
    let busy = |guest: &str| {
        let name = format!("sandbar_pool_calls{{guest=\"{guest}\"}}");
        until("a busy pool", || (app.metric(&name) == 1.0).then_some(()));
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| sleep("impatient", 4000));
        busy("impatient");
        let second = sleep("impatient", 0);
        assert!(!first.is_finished());
        assert_eq!(second.answer.status, 503);
        assert_eq!(second.answer.header("retry-after"), Some("1"));
        let receipt = app.receipt(&second.id);
        assert_eq!(ended(&receipt), "refused busy");
        assert!(receipt.get("sandbox").is_none(), "it never had one: {receipt}");
        // It is this guest that is busy, and no other.
        app.is_healthy();
        assert_eq!(first.join().unwrap().answer.status, 200);

        let first = scope.spawn(|| sleep("patient", 1000));
        busy("patient");
        let second = sleep("patient", 0);
        assert_eq!(second.answer.status, 200);
        assert_eq!(first.join().unwrap().answer.status, 200);
    });
    assert_eq!(sleep("impatient", 0).answer.status, 200);
}

/// The bound over all guests holds too, and so does the one on calls that wait.
#[test]
fn the_pool_of_the_app_is_bounded_and_so_are_those_that_wait() {
    let app = App::serve(
        "pool-of-all",
        &[
            "[pool]\nsandboxes_max = 1\nwaiting_max = 1\nwait = \"60s\"\n\n".to_owned(),
            guest("one", "echo-http.wasm", ""),
            route("one.test/{*path}", "one"),
            guest("two", "echo-http.wasm", ""),
            route("two.test/{*path}", "two"),
        ]
        .concat(),
    );
    let sleep = |host: &str, ms: u32| app.ask(&format!("GET /sleep?ms={ms}"), &[host], b"");
    let metric = |name: &str| until(name, || (app.metric(name) == 1.0).then_some(()));
    thread::scope(|scope| {
        let first = scope.spawn(|| sleep("host: one.test", 3000));
        metric("sandbar_pool_calls{guest=\"one\"}");
        let waits = scope.spawn(|| sleep("host: two.test", 0));
        metric("sandbar_pool_waiting{guest=\"two\"}");
        let refused = sleep("host: two.test", 0);
        assert_eq!((refused.answer.status, ended(&app.receipt(&refused.id))), (503, "refused busy".into()));
        assert!(!waits.is_finished(), "it waits for the other guest's sandbox");
        assert_eq!(first.join().unwrap().answer.status, 200);
        assert_eq!(waits.join().unwrap().answer.status, 200);
    });
}
