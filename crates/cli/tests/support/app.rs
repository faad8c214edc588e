//! An app under test: a folder with its manifest, the program that serves it, and the receipts that it keeps.

#![allow(dead_code, reason = "each test program uses a part of it")]

use crate::wire::{Answer, Client};
use sandbar_testkit::process::{self, Finished, Server};
use serde_json::Value;
use std::{
    ffi::OsStr,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// Bounds what ends by itself: long enough for a busy machine, short enough for whoever waits for a broken build.
pub(crate) const TIME: Duration = Duration::from_secs(60);

/// Bounds what takes milliseconds: a deadline of 300 ms has to end well within it.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// How often something is looked for.
const LOOK: Duration = Duration::from_millis(5);

/// What every app has: an admin listener, a file of receipts, and a guest that answers while others misbehave.
const HEAD: &str = "version = 1

[admin]
listen = \"127.0.0.1:0\"

[receipts]
path = \"receipts.jsonl\"
queue_max = 100000
";

/// Finds a guest: text below `guests/hostile` or `guests/wat`, or what was built from `guests`.
pub(crate) fn guest_file(file: &str) -> PathBuf {
    let folder = match file {
        _ if file.starts_with("hostile/") => "guests",
        _ if file.ends_with(".wat") => "guests/wat",
        _ => "guests/target/sandbar",
    };
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(folder).join(file);
    let path = path.canonicalize();
    path.unwrap_or_else(|error| panic!("`{file}` is not there ({error}); `cargo xtask guests` builds it"))
}

/// A guest's table. `more` is lines of TOML: `limits = { wall = "300ms" }`.
pub(crate) fn guest(name: &str, file: &str, more: &str) -> String {
    let path = if Path::new(file).is_absolute() { file.into() } else { guest_file(file) };
    format!("[guests.{name}]\npath = {path:?}\n{more}\n\n")
}

/// A route to a guest.
pub(crate) fn route(route: &str, guest: &str) -> String {
    format!("[[http]]\nroute = \"{route}\"\nguest = \"{guest}\"\n\n")
}

/// The program, with the artifacts of all tests in one cache.
pub(crate) fn sandbar() -> Command {
    let mut command = process::sandbar().unwrap();
    command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    command
}

/// Runs the program to its end.
pub(crate) fn finish<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>, stdin: &[u8]) -> Finished {
    process::run(sandbar().args(arguments), stdin, TIME).unwrap()
}

/// A folder of its own for a test, empty.
pub(crate) fn empty_folder(name: &str) -> PathBuf {
    let folder = run_folder().join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The folder of this run, so that two at one time don't meet. It stays for whoever looks for what failed, until the next run.
fn run_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let runs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runs");
        let is_over = |id: &OsStr| !Path::new("/proc").join(id).exists();
        for old in fs::read_dir(&runs).into_iter().flatten().flatten().filter(|run| is_over(&run.file_name())) {
            let _ = fs::remove_dir_all(old.path());
        }
        runs.join(std::process::id().to_string())
    })
}

/// A folder with a manifest: what every app has, and these tables.
pub(crate) fn app_folder(name: &str, tables: &str) -> PathBuf {
    let folder = empty_folder(name);
    write_manifest(&folder, tables);
    folder
}

/// Writes, or replaces, the manifest of a folder.
pub(crate) fn write_manifest(folder: &Path, tables: &str) {
    let healthy = guest("healthy", "double.wasm", "") + &route("POST /healthy", "healthy");
    fs::write(folder.join("sandbar.toml"), format!("{HEAD}\n{healthy}{tables}")).unwrap();
}

/// An app that is served until it is dropped.
pub(crate) struct App {
    pub(crate) folder: PathBuf,
    pub(crate) server: Server,
    address: SocketAddr,
    admin: SocketAddr,
    asked: AtomicU64,
}

/// What was answered to a request, and the request's id, which names its receipt.
pub(crate) struct Asked {
    pub(crate) id: String,
    pub(crate) answer: Answer,
}

impl App {
    /// Serves what every app has, and these tables.
    pub(crate) fn serve(name: &str, tables: &str) -> App {
        App::start(sandbar(), app_folder(name, tables), &[])
    }

    /// Serves the app of a folder.
    pub(crate) fn start(mut command: Command, folder: PathBuf, flags: &[&str]) -> App {
        command.arg("up").arg(&folder).args(["--listen", "127.0.0.1:0"]).args(flags);
        let server = Server::start(command).unwrap();
        const ADMIN: &str = "admin on http://";
        server.wait_for(ADMIN, TIME).unwrap();
        let said = server.stderr();
        let (address, admin) = (address_after(&said, "://"), address_after(&said, ADMIN));
        App { folder, server, address, admin, asked: AtomicU64::new(0) }
    }

    /// Where it listens; with TLS too.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request, `GET /path`, on a connection of its own, and reads its answer.
    pub(crate) fn ask(&self, line: &str, headers: &[&str], body: &[u8]) -> Asked {
        let id =
            format!("{}-{}", line.replace(|c: char| !c.is_ascii_alphanumeric(), "-"), self.asked.fetch_add(1, Relaxed));
        let mut client = self.connect();
        let mut head = format!("{line} HTTP/1.1\r\nconnection: close\r\nx-request-id: {id}\r\n");
        if !headers.iter().any(|header| header.starts_with("host:")) {
            head += &format!("host: {}\r\n", self.address);
        }
        if !body.is_empty() || line.starts_with("POST") {
            head += &format!("content-length: {}\r\n", body.len());
        }
        headers.iter().for_each(|header| head += &format!("{header}\r\n"));
        client.send(head.as_bytes());
        client.send(b"\r\n");
        client.send(body);
        Asked { id, answer: client.answer() }
    }

    pub(crate) fn get(&self, path: &str) -> Asked {
        self.ask(&format!("GET {path}"), &[], b"")
    }

    /// Asks the healthy guest, which has to answer rightly.
    pub(crate) fn is_healthy(&self) {
        let answer = self.ask("POST /healthy", &[], br#"{"name":"Ada","value":21}"#).answer;
        let right = r#"{"message":"Hello, Ada. Your value was doubled!","processed_value":42}"#;
        assert_eq!((answer.status, answer.text().as_str()), (200, right));
    }

    /// Opens a connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Asks the admin listener.
    pub(crate) fn admin(&self, path: &str) -> Answer {
        let mut client = Client::connect(self.admin);
        client.send(format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.admin).as_bytes());
        client.answer()
    }

    /// The value of a metric, by its name with its labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.admin("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("there is no metric `{name}` in:\n{text}")).parse().unwrap()
    }

    /// All receipts until now.
    pub(crate) fn receipts(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.join("receipts.jsonl")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits for the receipt of a request.
    pub(crate) fn receipt(&self, id: &str) -> Value {
        until(&format!("a receipt of `{id}`"), || self.receipts().into_iter().find(|receipt| receipt["event"] == id))
    }

    /// Waits for a receipt of a guest that ended so.
    pub(crate) fn receipt_of(&self, guest: &str, how: &str) -> Value {
        until(&format!("a receipt of `{guest}`, `{how}`, in {:?}", self.folder), || {
            self.receipts().into_iter().find(|receipt| receipt["guest"] == guest && ended(receipt) == how)
        })
    }
}

fn address_after(said: &str, before: &str) -> SocketAddr {
    let address = said.split_once(before).unwrap().1;
    let end = address.find(|c: char| !(c.is_ascii_digit() || ".:".contains(c))).unwrap_or(address.len());
    address[..end].parse().unwrap()
}

/// Waits until there is something.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < TIME, "there is no {what} after {TIME:?}");
        thread::sleep(LOOK);
    }
}

/// How a receipt says that its call ended: `done`, `failed 3`, `stopped wall`, `refused busy`, …
pub(crate) fn ended(receipt: &Value) -> String {
    let outcome = &receipt["outcome"];
    let detail = ["limit", "code"].iter().find_map(|key| outcome.get(key).filter(|value| !value.is_null()));
    let detail = detail.or(outcome["why"].get("because"));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    detail.map_or_else(|| text(&outcome["kind"]), |detail| format!("{} {}", text(&outcome["kind"]), text(detail)))
}

/// How much a receipt says was used.
pub(crate) fn used(receipt: &Value, field: &str) -> u64 {
    receipt["used"][field].as_u64().unwrap_or_default()
}
