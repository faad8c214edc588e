//! Hostile guests as data: asked all at once, while a healthy guest of the same app has to answer.

use crate::app::{App, ended, guest, route, used};
use serde_json::Value;
use std::thread;

/// One guest, one request to it, and how that has to end.
pub(crate) struct Case {
    /// The guest's name and path.
    pub(crate) name: &'static str,
    pub(crate) file: &'static str,
    /// Lines of its table.
    pub(crate) more: &'static str,
    pub(crate) body: &'static str,
    /// The status that the client gets.
    pub(crate) status: u16,
    /// How the receipt says that the call ended.
    pub(crate) ends: &'static str,
}

/// Asks each guest once, all at the same time, and checks how it ended. Gives the receipts, in the order of the cases.
pub(crate) fn check(app: &str, tables: &str, cases: &[Case]) -> Vec<Value> {
    let guests =
        cases.iter().map(|case| guest(case.name, case.file, case.more) + &route(&format!("/{}", case.name), case.name));
    let app = App::serve(app, &(tables.to_owned() + &guests.collect::<String>()));
    let asked = thread::scope(|scope| {
        let ask = |case: &Case| app.ask(&format!("POST /{}", case.name), &[], case.body.as_bytes());
        let asking: Vec<_> = cases.iter().map(|case| scope.spawn(move || ask(case))).collect();
        loop {
            app.is_healthy();
            assert_eq!(app.admin("/health").status, 200);
            if asking.iter().all(|asking| asking.is_finished()) {
                return asking.into_iter().map(|asking| asking.join().unwrap()).collect::<Vec<_>>();
            }
        }
    });
    app.is_healthy();

    let mut wrong = Vec::new();
    let mut receipts = Vec::new();
    for (case, asked) in cases.iter().zip(asked) {
        let receipt = app.receipt(&asked.id);
        let found = (asked.answer.status, ended(&receipt));
        if found != (case.status, case.ends.to_owned()) {
            let expected = (case.status, case.ends);
            wrong.push(format!("{}: expected {expected:?}, found {found:?}: {receipt}", case.name));
        }
        let answer = asked.answer.text();
        if answer.contains("wasm") || answer.contains("backtrace") {
            wrong.push(format!("{}: its client sees the inside: {answer}", case.name));
        }
        // The slack is one instruction that takes long, on a machine that is busy.
        assert!(used(&receipt, "wall_ns") < 20_000_000_000, "{receipt}");
        receipts.push(receipt);
    }
    assert!(wrong.is_empty(), "{}\nthe log:\n{}", wrong.join("\n"), app.server.stderr());
    receipts
}
