//! The account: every request against its receipt, and all receipts against the metrics.

use crate::{
    app::{App, SOON, ended},
    ask::NONE,
    client::Asked,
    receipts::Receipts,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    thread,
    time::{Duration, Instant},
};

/// How often is looked whether a receipt has come.
const LOOK: Duration = Duration::from_millis(20);

/// What was asked and written down until now. What is settled is forgotten, but for its sums.
pub(crate) struct Account {
    receipts: Receipts,
    /// Receipts of requests that are not settled, by their ids: guest, and how it ended.
    open: HashMap<String, Vec<(String, String)>>,
    /// Sums of receipts, as the metrics should have them.
    calls: Counts,
    stopped: Counts,
    written: u64,
    /// Answers by the class of their status, as clients saw them.
    answered: Counts,
    /// Requests whose clients left: the server may have answered them or not.
    left: u64,
}

/// Counts by the values of their labels.
type Counts = BTreeMap<String, u64>;

impl Account {
    pub(crate) fn of(app: &App) -> Account {
        Account {
            receipts: Receipts::follow(&app.folder),
            open: HashMap::new(),
            calls: Counts::new(),
            stopped: Counts::new(),
            written: 0,
            answered: Counts::new(),
            left: 0,
        }
    }

    /// Requests that are settled.
    pub(crate) fn requests(&self) -> u64 {
        self.left + self.answered.values().sum::<u64>()
    }

    /// Takes in the receipts that were written since the last time.
    pub(crate) fn read(&mut self) {
        for receipt in self.receipts.read() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let (guest, outcome) = (text(&receipt["guest"]), &receipt["outcome"]);
            add(&mut self.calls, format!("{guest} {}", text(&outcome["kind"])));
            if let Some(limit) = outcome.get("limit") {
                add(&mut self.stopped, format!("{guest} {}", text(limit)));
            }
            self.written += 1;
            self.open.entry(text(&receipt["event"])).or_default().push((guest, ended(&receipt)));
        }
    }

    /// Holds all that was asked against all that was written, on a server that is idle. Gives what does not fit.
    pub(crate) fn settle(&mut self, app: &App, asked: &[Asked]) -> Vec<String> {
        self.wait(app, asked);
        let mut wrong: Vec<_> = asked.iter().filter_map(|asked| asked.wrong.clone()).collect();
        for asked in asked {
            let receipts = self.open.remove(&asked.id).unwrap_or_default();
            let how = match receipts.as_slice() {
                [] => NONE.to_owned(),
                [(guest, how)] if guest == asked.ask.guest => how.clone(),
                others => format!("{others:?}"),
            };
            if !asked.may_end(&how) {
                wrong.push(format!("`{}` ({}) was answered {} and is: {how}", asked.id, asked.ask.line, asked.status));
            }
            match asked.status {
                0 => self.left += 1,
                status => add(&mut self.answered, format!("{}xx", status / 100)),
            }
        }
        wrong.extend(self.open.drain().map(|(id, receipts)| format!("nobody asked `{id}`, which is: {receipts:?}")));
        wrong.extend(self.differs(&app.admin("/metrics").text()));
        wrong
    }

    /// Waits until there is a receipt of each request that has to have one, and of all that the ledger took.
    fn wait(&mut self, app: &App, asked: &[Asked]) {
        let start = Instant::now();
        while start.elapsed() < SOON {
            self.read();
            let is_due = |asked: &&Asked| !asked.may_end(NONE) && !self.open.contains_key(&asked.id);
            let taken = samples(&app.admin("/metrics").text(), "sandbar_receipts_total");
            if taken.get("") == Some(&self.written) && !asked.iter().any(|asked| is_due(&asked)) {
                return;
            }
            thread::sleep(LOOK);
        }
    }

    /// Where the metrics say another thing than the receipts and the clients.
    fn differs(&self, metrics: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let total: Counts = [(String::new(), self.written)].into();
        for (name, expected) in [
            ("sandbar_calls_total", &self.calls),
            ("sandbar_stopped_total", &self.stopped),
            ("sandbar_receipts_total", &total),
            ("sandbar_receipts_dropped_total", &Counts::new()),
        ] {
            let found = samples(metrics, name);
            if found != *expected {
                wrong.push(format!("`{name}` is {found:?}, and the receipts are {expected:?}"));
            }
        }
        let found = samples(metrics, "sandbar_http_requests_total");
        let classes = found.keys().chain(self.answered.keys());
        let of = |counts: &Counts, class: &str| counts.get(class).copied().unwrap_or_default();
        let over = classes.map(|class| of(&found, class).checked_sub(of(&self.answered, class)));
        if over.clone().any(|over| over.is_none()) || found.values().sum::<u64>() > self.requests() {
            let left = self.left;
            wrong.push(format!(
                "`sandbar_http_requests_total` is {found:?}; seen were {:?}, {left} left",
                self.answered
            ));
        }
        wrong
    }
}

fn add(counts: &mut Counts, key: String) {
    *counts.entry(key).or_default() += 1;
}

/// The samples of a metric that are not 0, by the values of their labels.
pub(crate) fn samples(metrics: &str, name: &str) -> Counts {
    let of_name = metrics.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
    let values = of_name.filter(|(labels, _)| labels.is_empty() || labels.starts_with('{'));
    let values = values.map(|(labels, value)| {
        let labels: Vec<_> = labels.split('"').skip(1).step_by(2).collect();
        (labels.join(" "), value.parse().unwrap())
    });
    values.filter(|(_, value)| *value != 0).collect()
}
