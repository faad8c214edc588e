//! How long a sandbox lives: for a call, for some, or until the app ends.

use crate::app::{App, ended, guest, route, until};
use serde_json::Value;
use std::{collections::HashSet, thread, time::Duration};

/// The sandbox of a receipt, and which call in it this was.
fn sandbox(receipt: &Value) -> (u64, u64) {
    (receipt["sandbox"]["id"].as_u64().unwrap(), receipt["sandbox"]["call"].as_u64().unwrap())
}

#[test]
fn each_policy_holds_for_each_shape() {
    let guests = [
        ("function", "double.wasm", "POST /{policy}/function", r#"{"name":"A","value":1}"#),
        ("hello", "hello.wasm", "GET /{policy}/hello", ""),
        ("hello3", "hello-p3.wasm", "GET /{policy}/hello3", ""),
        ("typed", "sensor.wasm", "POST /{policy}/typed", "[[1]]"),
    ];
    let policies = [("fresh", ""), ("reused", "sandbox = { reuse = 3 }"), ("held", "sandbox = \"held\"")];
    let mut tables = String::new();
    for (policy, more) in policies {
        for (name, file, pattern, _) in guests {
            let (name, pattern) = (format!("{policy}-{name}"), pattern.replace("{policy}", policy));
            let export = if name.ends_with("typed") { "export = \"calculate_average\"\n" } else { "" };
            tables += &(guest(&name, file, &format!("{export}{more}")) + &route(&pattern, &name));
        }
    }
    let app = App::serve("policies", &tables);
    for (policy, _) in policies {
        for (name, _, pattern, body) in guests {
            let line = pattern.replace("{policy}", policy);
            let served: Vec<_> = (0..7)
                .map(|_| {
                    let asked = app.ask(&line, &[], body.as_bytes());
                    assert_eq!(asked.answer.status, 200, "{policy} {name}: {}", asked.answer.text());
                    let receipt = app.receipt(&asked.id);
                    assert_eq!(ended(&receipt), "done", "{receipt}");
                    sandbox(&receipt)
                })
                .collect();
            let calls: Vec<u64> = served.iter().map(|(_, call)| *call).collect();
            let sandboxes = served.iter().map(|(id, _)| id).collect::<HashSet<_>>().len();
            let expected: (&[u64], usize) = match policy {
                "fresh" => (&[1; 7], 7),
                "reused" => (&[1, 2, 3, 1, 2, 3, 1], 3),
                _ => (&[1, 2, 3, 4, 5, 6, 7], 1),
            };
            assert_eq!((calls.as_slice(), sandboxes), expected, "{policy} {name}");
        }
    }
}

/// A sandbox serves one call at a time: two calls at once have two.
#[test]
fn calls_at_once_have_sandboxes_of_their_own() {
    let tables =
        guest("echo", "echo-http.wasm", "sandbox = { reuse = 100, idle = \"500ms\" }") + &route("/{*path}", "echo");
    let app = App::serve("at-once", &tables);
    let ids: HashSet<u64> = thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| app.get("/sleep?ms=1500"))).collect();
        asking.into_iter().map(|asking| sandbox(&app.receipt(&asking.join().unwrap().id)).0).collect()
    });
    assert_eq!(ids.len(), 4);
    // One that waits too long for its next call goes; a new one comes.
    until("a new sandbox", || {
        thread::sleep(Duration::from_millis(1000));
        let (id, call) = sandbox(&app.receipt(&app.get("/status/200").id));
        (call == 1 && !ids.contains(&id)).then_some(())
    });
    // A trap ends its own sandbox and no other.
    let first = sandbox(&app.receipt(&app.get("/status/200").id));
    assert_eq!(app.get("/panic").answer.status, 500);
    let second = sandbox(&app.receipt(&app.get("/status/200").id));
    assert!(first.0 != second.0 && second.1 == 1, "{first:?} {second:?}");
}

/// What one call used is its own, also where it shares a sandbox with those before it.
#[test]
fn a_receipt_counts_its_own_call_only() {
    let more = "sandbox = \"held\"\nfuel_metered = true\nexport = \"calculate_average\"";
    let app = App::serve("own-use", &(guest("sensor", "sensor.wasm", more) + &route("POST /average", "sensor")));
    let ask = |body: &[u8]| app.receipt(&app.ask("POST /average", &[], body).id)["used"]["fuel"].as_u64().unwrap();
    let (short, long) = (ask(b"[[1]]"), ask(format!("[[{}1]]", "1,".repeat(1000)).as_bytes()));
    assert!(long > short + 1000, "{short} {long}");
    assert_eq!((ask(b"[[1]]"), ask(b"[[2]]")), (short, short), "fuel is exact");
}
