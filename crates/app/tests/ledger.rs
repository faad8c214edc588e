//! The ledger against a hostile disk, its readers, and the schema of what it writes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/golden.rs"]
mod golden;
#[path = "support/schema.rs"]
mod schema;

use sandbar_app::{
    ledger::{
        self, Ledger, LedgerConfig, LedgerError,
        read::{Filter, Mode, RecordError, Records},
    },
    metrics::Metrics,
};
use sandbar_call::*;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

const SOON: Duration = Duration::from_secs(10);

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sandbar-ledger-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("receipts.jsonl")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn config(path: &Path) -> LedgerConfig {
    LedgerConfig { path: Some(path.into()), retry: Duration::from_millis(10), ..LedgerConfig::default() }
}

fn open(config: LedgerConfig) -> Arc<Ledger> {
    Ledger::open(config, Arc::default()).unwrap()
}

fn receipt(count: u64, outcome: Outcome) -> Receipt {
    let settled = Arc::new(Mutex::new(None));
    let to = settled.clone();
    let heading = Heading {
        call: CallId::new(7, count),
        at_ms: 1_000 + count,
        guest: "double".into(),
        digest: Digest([7; 32]),
        shape: Shape::Function,
        origin: Origin { trigger: "http".into(), source: "POST /double".into(), event: count.to_string().into() },
    };
    let mut draft =
        Draft::open(heading, Limits::NONE, || 0, Arc::new(move |receipt| *to.lock().unwrap() = Some(receipt)));
    draft.meter().measure(Resource::Wall, 2_000_000).unwrap();
    draft.meter().charge(Resource::Memory, 65_536).unwrap();
    draft.served_by(SandboxUse { id: SandboxId(count), call: 1 });
    if count.is_multiple_of(2) {
        draft.fuel_metered();
        draft.shared(Resource::Cpu);
        draft.meter().called(GrantKind::Env);
        draft.meter().denied(Denial::new(GrantKind::Http, "GET https://a.com", "http = [\"https://a.com\"]"));
    }
    draft.settle(outcome);
    settled.lock().unwrap().take().unwrap()
}

fn settle(ledger: &Ledger, counts: std::ops::Range<u64>) {
    for count in counts {
        ledger.settle(receipt(count, Outcome::Done));
    }
    ledger.flush(SOON).unwrap();
}

/// The events of all receipts that can be read, and the errors.
fn read(path: &Path) -> (Vec<u64>, Vec<String>) {
    let (mut events, mut errors) = (Vec::new(), Vec::new());
    for record in Records::open(path, Mode::ToTheEnd).unwrap() {
        match record {
            Ok(receipt) => events.push(receipt.origin.event.parse().unwrap()),
            Err(error) => errors.push(error.to_string()),
        }
    }
    (events, errors)
}

fn every_outcome() -> Vec<Outcome> {
    let denial = Denial::new(GrantKind::Dir, "/etc", "");
    vec![
        Outcome::Done,
        Outcome::Failed { code: Some(3), message: "no\n\u{1b}[31m\0".into() },
        Outcome::Failed { code: None, message: String::new() },
        Outcome::Stopped { limit: Resource::BytesIn },
        Outcome::Trapped { message: "unreachable".into() },
        Outcome::Refused { why: Refusal::Grant { denial } },
        Outcome::Refused { why: Refusal::Busy { retry_after_s: 1 } },
        Outcome::Refused { why: Refusal::Event { message: "expected a number".into() } },
        Outcome::Refused { why: Refusal::Draining },
        Outcome::Cancelled,
        Outcome::Fault { id: "f-1".into() },
    ]
}

#[test]
fn the_schema_is_current_and_every_outcome_fits_it() {
    let schema = ledger::schema::schema();
    golden::check_json(&golden::folder("../../docs/receipt.schema.json"), &schema);
    for (count, outcome) in every_outcome().into_iter().enumerate() {
        for count in [count as u64 * 2, count as u64 * 2 + 1] {
            let line = serde_json::to_value(receipt(count, outcome.clone())).unwrap();
            schema::check(&schema, &line).unwrap_or_else(|error| panic!("{line:#}: {error}"));
        }
    }
    let mut wrong = serde_json::to_value(receipt(0, Outcome::Done)).unwrap();
    wrong["outcome"]["kind"] = "undone".into();
    assert!(schema::check(&schema, &wrong).is_err());
}

#[test]
fn receipts_are_kept_in_order_in_memory_and_on_disk() {
    let folder = Folder::new("order");
    let ledger = open(LedgerConfig { latest_max: 3, ..config(&folder.file()) });
    settle(&ledger, 0..10);
    let latest: Vec<u64> = ledger.latest(2).iter().map(|receipt| receipt.origin.event.parse().unwrap()).collect();
    assert_eq!(latest, [9, 8]);
    assert_eq!(ledger.latest(100).len(), 3);
    ledger.close(SOON).unwrap();
    assert_eq!(read(&folder.file()), ((0..10).collect(), vec![]));
    ledger.settle(receipt(10, Outcome::Done));
    let counts = ledger.counts();
    assert_eq!((counts.taken, counts.dropped_queue, counts.dropped_disk), (10, 1, 0));
    ledger.close(SOON).unwrap();
    open(config(&folder.file())).close(SOON).unwrap();
    assert_eq!(read(&folder.file()).0.len(), 10, "opening changes nothing");
}

#[test]
fn files_are_rotated_by_size_and_bounded() {
    let folder = Folder::new("rotate");
    let line = serde_json::to_vec(&receipt(10, Outcome::Done)).unwrap().len() as u64 + 1;
    let ledger = open(LedgerConfig { rotate_bytes: line * 2 + line / 2, keep: 2, ..config(&folder.file()) });
    settle(&ledger, 10..25);
    ledger.close(SOON).unwrap();
    assert_eq!(ledger.counts().dropped_disk, 0);
    assert!(ledger.counts().rotations >= 6);
    let (events, errors) = read(&folder.file());
    assert_eq!(errors, Vec::<String>::new());
    let first = 25 - events.len() as u64;
    assert_eq!(events, (first..25).collect::<Vec<_>>());
    let files = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap());
    let sizes: Vec<u64> = files.map(|entry| entry.metadata().unwrap().len()).collect();
    assert_eq!(sizes.len(), 3);
    assert!(sizes.iter().all(|&bytes| bytes <= line * 2 + line / 2));
}

#[test]
fn a_torn_last_line_is_cut_off_and_a_whole_one_kept() {
    let folder = Folder::new("torn");
    let ledger = open(config(&folder.file()));
    settle(&ledger, 0..3);
    ledger.close(SOON).unwrap();
    let whole = fs::read(folder.file()).unwrap();

    fs::write(folder.file(), &whole[..whole.len() - 20]).unwrap();
    let (events, errors) = read(&folder.file());
    assert_eq!(events, [0, 1]);
    assert!(errors[0].contains("receipts.jsonl:3 is not a whole receipt"), "{errors:?}");
    let reports = Arc::new(Mutex::new(Vec::new()));
    let to = reports.clone();
    let report = Arc::new(move |error: &LedgerError| to.lock().unwrap().push(error.to_string()));
    let ledger = open(LedgerConfig { report, ..config(&folder.file()) });
    settle(&ledger, 5..6);
    ledger.close(SOON).unwrap();
    assert_eq!(read(&folder.file()), (vec![0, 1, 5], vec![]));
    assert!(reports.lock().unwrap()[0].contains("was torn"));

    fs::write(folder.file(), &whole[..whole.len() - 1]).unwrap();
    let ledger = open(config(&folder.file()));
    settle(&ledger, 5..6);
    ledger.close(SOON).unwrap();
    assert_eq!(read(&folder.file()), (vec![0, 1, 2, 5], vec![]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_receipts_and_heals() {
    let folder = Folder::new("full");
    std::os::unix::fs::symlink("/dev/full", folder.file()).unwrap();
    let reports = Arc::new(Mutex::new(Vec::new()));
    let to = reports.clone();
    let report = Arc::new(move |error: &LedgerError| to.lock().unwrap().push(error.to_string()));
    let ledger = open(LedgerConfig { report, ..config(&folder.file()) });
    for count in 0..5 {
        settle(&ledger, count..count + 1);
        std::thread::sleep(Duration::from_millis(15));
    }
    assert_eq!((ledger.counts().taken, ledger.counts().dropped_disk), (5, 5));
    assert_eq!(ledger.latest(9).len(), 5);
    let path = folder.file().display().to_string();
    assert_eq!(*reports.lock().unwrap(), [format!("can't write the receipts file `{path}`")], "told once a minute");
    fs::remove_file(folder.file()).unwrap();
    std::thread::sleep(Duration::from_millis(15));
    settle(&ledger, 5..8);
    ledger.close(SOON).unwrap();
    assert_eq!(ledger.counts().dropped_disk, 5);
    assert_eq!(read(&folder.file()), (vec![5, 6, 7], vec![]));
}

#[test]
fn a_file_that_is_moved_away_is_begun_anew() {
    let folder = Folder::new("moved");
    let ledger = open(config(&folder.file()));
    settle(&ledger, 0..1);
    fs::rename(folder.file(), folder.0.join("elsewhere")).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    settle(&ledger, 1..2);
    ledger.close(SOON).unwrap();
    assert_eq!(read(&folder.file()).0, [1]);
}

#[test]
fn a_path_that_can_not_be_a_file_is_an_error() {
    let folder = Folder::new("path");
    let error = Ledger::open(config(&folder.0), Arc::default()).unwrap_err();
    assert!(matches!(error, LedgerError::File { doing: "open", .. }), "{error:?}");
    let missing = Records::open(&folder.0.join("none"), Mode::ToTheEnd).unwrap_err();
    assert!(matches!(missing, RecordError::File { .. }));
}

#[test]
fn what_does_not_fit_the_queue_is_counted() {
    let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(0);
    let stopped = Mutex::new(stopped);
    let folder = Folder::new("overflow");
    fs::write(folder.file(), "torn").unwrap();
    // The writer is held up in its report of dropped receipts.
    let report = Arc::new(move |error: &LedgerError| {
        if matches!(error, LedgerError::QueueFull { .. }) {
            let _ = stopped.lock().unwrap().recv();
        }
    });
    let ledger = open(LedgerConfig { queue_max: 8, report, ..config(&folder.file()) });
    let mut settled = 0;
    let until = Instant::now() + SOON;
    while ledger.counts().dropped_queue < 100 && Instant::now() < until {
        ledger.settle(receipt(settled, Outcome::Done));
        settled += 1;
    }
    drop(stop);
    ledger.flush(SOON).unwrap();
    ledger.close(SOON).unwrap();
    let counts = ledger.counts();
    assert!(counts.dropped_queue >= 100);
    assert_eq!(counts.taken + counts.dropped_queue, settled, "every receipt is somewhere");
    assert_eq!(read(&folder.file()).0.len() as u64, counts.taken);
}

#[test]
fn a_reader_follows_through_rotations_and_torn_lines() {
    let folder = Folder::new("follow");
    let mut records = Records::open(&folder.file(), Mode::Follow).unwrap();
    assert!(records.next().is_none(), "there is no file yet");
    let line = serde_json::to_vec(&receipt(10, Outcome::Done)).unwrap().len() as u64 + 1;
    let ledger = open(LedgerConfig { rotate_bytes: line * 3 + line / 2, keep: 9, ..config(&folder.file()) });
    let mut events: Vec<u64> = Vec::new();
    for batch in 0..5 {
        settle(&ledger, 10 + batch * 4..14 + batch * 4);
        events.extend(records.by_ref().map(|record| record.unwrap().origin.event.parse::<u64>().unwrap()));
        assert_eq!(events.len() as u64, (batch + 1) * 4);
    }
    assert_eq!(events, (10..30).collect::<Vec<_>>());
    ledger.close(SOON).unwrap();
    fs::OpenOptions::new().append(true).open(folder.file()).unwrap().write_all(b"{\"version\":1,").unwrap();
    assert!(records.next().is_none(), "a line that is being written is waited for");
    let ledger = open(config(&folder.file()));
    settle(&ledger, 30..31);
    assert_eq!(&*records.next().unwrap().unwrap().origin.event, "30");
}

#[test]
fn filters_pick_receipts() {
    let done = receipt(5, Outcome::Done);
    let filter = Filter {
        guest: Some("double".into()),
        outcomes: vec![OutcomeKind::Done],
        trigger: Some("http".into()),
        since_ms: Some(1_005),
    };
    assert!(Filter::default().wants(&done) && filter.wants(&done));
    assert!(!Filter { guest: Some("other".into()), ..filter.clone() }.wants(&done));
    assert!(!Filter { outcomes: vec![OutcomeKind::Trapped], ..filter.clone() }.wants(&done));
    assert!(!Filter { trigger: Some("cli".into()), ..filter.clone() }.wants(&done));
    assert!(!Filter { since_ms: Some(1_006), ..filter }.wants(&done));
}

#[test]
fn metrics_are_the_sum_of_receipts() {
    let metrics = Arc::new(Metrics::default());
    let ledger = Ledger::open(LedgerConfig::default(), metrics.clone()).unwrap();
    for (count, outcome) in every_outcome().into_iter().enumerate() {
        ledger.settle(receipt(count as u64, outcome));
    }
    ledger.flush(SOON).unwrap();
    golden::check(&golden::folder("tests/metrics.txt"), &metrics.render(&ledger.counts()));
}

/// Prints what settling costs the calling thread at 25,000 receipts a second: `cargo test -- --ignored`.
#[test]
#[ignore = "a measurement"]
fn settling_is_cheap() {
    let folder = Folder::new("bench");
    let ledger = open(config(&folder.file()));
    let receipts: Vec<Receipt> = (0..50_000).map(|count| receipt(count, Outcome::Done)).collect();
    let (mut cost, mut worst) = (Duration::ZERO, Duration::ZERO);
    let start = Instant::now();
    for (at, receipt) in receipts.into_iter().enumerate() {
        while start.elapsed() < Duration::from_micros(40) * at as u32 {}
        let before = Instant::now();
        ledger.settle(receipt);
        let took = before.elapsed();
        cost += took;
        worst = worst.max(took);
    }
    ledger.close(SOON).unwrap();
    println!("{:?} a receipt, at worst {worst:?}; {:?}", cost / 50_000, ledger.counts());
}
