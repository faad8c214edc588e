//! Files of the host's own that can't be written, or only in part.

use crate::{
    app::{App, TIME, app_folder, empty_folder, finish, guest_file, sandbar, until},
    wire::Client,
};
use sandbar_testkit::process::{self, Signal};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// The most bytes that a file may have where the system holds files to it: what goes beyond is written in part, as on a disk
/// that gets full.
const FILE_BYTES: u64 = 8 << 10;

/// The program, whose files can't grow beyond that.
fn short_of_disk() -> Command {
    let program = sandbar();
    let mut shell = Command::new("bash");
    let line = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", FILE_BYTES >> 10);
    shell.args(["-c", &line]).arg(program.get_program());
    shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

fn ledger(folder: &Path) -> PathBuf {
    folder.join("receipts.jsonl")
}

/// What a ledger holds, where every line is a receipt.
fn lines(folder: &Path) -> usize {
    let said = finish(["receipts".as_ref(), ledger(folder).as_os_str()], b"");
    assert_eq!(said.code(), Some(0), "{}", said.stderr_text());
    let text = fs::read_to_string(ledger(folder)).unwrap();
    assert!(text.ends_with('\n'), "the last line is whole");
    text.lines().count()
}

/// A write that is cut short leaves no half of a receipt: what does not fit is counted as dropped, and calls go on.
#[test]
fn a_disk_that_gets_full_tears_no_receipt() {
    let app = App::start(short_of_disk(), app_folder("short-of-disk", ""), &[]);
    const CALLS: usize = 100;
    // Half a line may be seen until it is cut off.
    let written = || fs::read_to_string(ledger(&app.folder)).unwrap().matches('\n').count();
    app.is_healthy();
    until("a receipt that fits", || (written() == 1).then_some(()));
    for _ in 1..CALLS {
        app.is_healthy();
    }
    let dropped = || app.metric("sandbar_receipts_dropped_total{reason=\"disk\"}") as usize;
    until("a word on each receipt", || (written() + dropped() == CALLS).then_some(()));
    assert!(lines(&app.folder) > 0 && dropped() > 0);
    assert!(fs::metadata(ledger(&app.folder)).unwrap().len() <= FILE_BYTES);
    app.is_healthy();
}

/// A process that is killed while it writes leaves a ledger that the next one repairs: what was there stays, and what comes
/// follows.
#[test]
fn a_torn_ledger_is_repaired_by_the_next_start() {
    let folder = app_folder("torn", "");
    let mut app = App::start(sandbar(), folder.clone(), &[]);
    for _ in 0..20 {
        app.is_healthy();
    }
    until("twenty receipts", || (app.receipts().len() == 20).then_some(()));
    // Some are under way.
    let mut client: Client = app.connect();
    client.send(b"POST /healthy HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{");
    app.server.signal(Signal::KILL).unwrap();
    app.server.wait(TIME).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(ledger(&folder)).unwrap();
    file.write_all(br#"{"version":1,"call":"c93ff6dab5c240a6"#).unwrap();

    let app = App::start(sandbar(), folder.clone(), &[]);
    app.server.wait_for("was torn; 37 bytes were cut off", TIME).unwrap();
    app.is_healthy();
    until("one more receipt", || (app.receipts().len() == 21).then_some(()));
    assert_eq!(lines(&folder), 21);
}

/// Where artifacts can't be kept, guests run all the same, and nothing half-written is taken for an artifact later.
#[test]
fn a_cache_that_can_t_be_written_stops_no_guest() {
    let cache = empty_folder("no-cache");
    let cache = cache.to_str().unwrap();
    let guest = guest_file("add.wat");
    // The last finds what the others left.
    for (cache, mut command) in
        [("/proc/none", sandbar()), (cache, short_of_disk()), (cache, short_of_disk()), (cache, sandbar())]
    {
        command.env("XDG_CACHE_HOME", cache).arg("call").arg(&guest).args(["add", "1", "2"]);
        let called = process::run(&mut command, b"", TIME).unwrap();
        let warned = called.stderr_text().contains("can't keep artifacts in `/proc/none/sandbar`");
        assert_eq!(
            (called.code(), called.stdout_text().as_str()),
            (Some(0), "3\n"),
            "{cache}: {}",
            called.stderr_text()
        );
        assert_eq!(warned, cache.starts_with("/proc"), "{}", called.stderr_text());
    }
}
