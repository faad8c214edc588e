//! What guests do in their folders, and what the receipt says of it: quotas, denials, counts, handles.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends loudly")]

use sandbar_call::{
    Body, Call, CallId, Denial, Event, GrantKind, Limits, Origin, Outcome, Receipt, Reply, Resource, Run, Settle, Stdio,
};
use sandbar_engine::{Binding, Engine, EngineConfig, EntryChoice, Guest, LoadError, Log, LogRecord};
use sandbar_grants::{Grants, Volumes};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

struct Silent;

impl Log for Silent {
    fn log(&self, _: LogRecord) {}
}

/// A folder of a test, with what it grants and what bounds it. It goes away with the test.
struct World {
    base: PathBuf,
    limits: Limits,
}

impl World {
    fn new(name: &str) -> World {
        let base = std::env::temp_dir().join(format!("sandbar-files-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        fs::create_dir_all(base.join("data")).unwrap();
        World { base: base.canonicalize().unwrap(), limits: Limits::NONE.with(Resource::Wall, 20_000_000_000) }
    }

    fn data(&self, name: &str) -> PathBuf {
        self.base.join("data").join(name)
    }

    fn bind(&self, guest: &Guest, dirs: &[&str]) -> Result<Arc<sandbar_engine::Program>, LoadError> {
        let mut grants = Grants::default();
        for dir in dirs {
            grants.add(GrantKind::Dir, dir).unwrap();
        }
        let grants = grants.admit(&self.base, &|_| None, &Volumes::default()).unwrap();
        let config = EngineConfig::default();
        let binding = Binding { grants: Arc::new(grants), ..Binding::new(self.limits.clone(), Arc::new(Silent)) };
        Engine::new(config).unwrap().bind(guest, binding)
    }

    /// Runs a command to its end.
    fn run(&self, guest: &Guest, dirs: &[&str], args: &[&str]) -> (Vec<u8>, Receipt) {
        let program = self.bind(guest, dirs).unwrap();
        let entry = program.entry(guest, EntryChoice::default()).unwrap();
        let settled: Arc<Mutex<Option<Receipt>>> = Arc::default();
        let keep = settled.clone();
        let receipts: Arc<dyn Settle> = Arc::new(move |receipt: Receipt| *keep.lock().unwrap() = Some(receipt));
        let call = Call {
            id: CallId::new(0, 1),
            origin: Origin { trigger: "test".into(), source: "files".into(), event: "1".into() },
            event: Event::Command {
                args: [&["guest"], args].concat().iter().map(ToString::to_string).collect(),
                stdio: Stdio::Piped(Body::Empty),
            },
            receipts,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let output = match runtime.block_on(entry.run(call)) {
            Reply::Exit { output, .. } => output.to_vec(),
            _ => Vec::new(),
        };
        let receipt = settled.lock().unwrap().take().unwrap();
        (output, receipt)
    }

    /// Runs what a module does with WASI 0.1, and gives the errno of each step.
    fn errnos(&self, dirs: &[&str], steps: &[Step]) -> (Vec<u8>, Receipt) {
        let guest = Guest::from_bytes("steps", module(steps, "wasi_snapshot_preview1")).unwrap();
        self.run(&guest, dirs, &[])
    }

    fn denials(&self, receipt: &Receipt) -> Vec<(String, String)> {
        let plain = |text: &str| text.replace(self.base.to_str().unwrap(), "BASE");
        receipt.denials.iter().map(|Denial { asked, allow, .. }| (plain(asked), plain(allow))).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// One thing that a module does with the folder that is its file descriptor 3, or with the file that it opened last.
enum Step {
    Open(&'static str, Flags),
    Write(u32),
    WriteAt(u32, u64),
    SetSize(u64),
    MakeDir(&'static str),
    Link(&'static str, &'static str),
    Symlink(&'static str, &'static str),
    Rename(&'static str, &'static str),
    /// To the folder that is file descriptor 4.
    Move(&'static str),
    Unlink(&'static str),
    /// Makes the last file file descriptor 3, in place of the folder.
    Renumber,
}

/// `oflags`, whether it writes, `fdflags`.
type Flags = (u32, bool, u32);

const READ: Flags = (0, false, 0);
const CREATE: Flags = (1, true, 0);
const CREATE_NEW: Flags = (1 | 4, true, 0);
const TRUNCATE: Flags = (8, true, 0);
const APPEND: Flags = (1, true, 1);

const OK: u8 = 0;
const DQUOT: u8 = 19;
const PERM: u8 = 63;
const XDEV: u8 = 75;

/// A module that does the steps and writes the errno of each to stdout.
fn module(steps: &[Step], wasi: &str) -> String {
    let (mut data, mut body, mut end) = (String::new(), String::new(), 8192);
    let mut text = |text: &str| {
        data.push_str(&format!("(data (i32.const {end}) \"{text}\")\n"));
        let at = format!("(i32.const {end}) (i32.const {})", text.len());
        end += text.len();
        at
    };
    for step in steps {
        let call = match step {
            Step::Open(path, (oflags, writes, fdflags)) => format!(
                "call $open (i32.const 3) (i32.const 1) {} (i32.const {oflags}) (i64.const {}) (i64.const 0) \
                 (i32.const {fdflags}) (i32.const 0)",
                text(path),
                if *writes { 64 | 2 } else { 2 },
            ),
            Step::Write(length) => format!("call $writes (i32.const {length})"),
            Step::WriteAt(length, offset) => format!("call $writes_at (i32.const {length}) (i64.const {offset})"),
            Step::SetSize(size) => format!("call $set_size (i32.load (i32.const 0)) (i64.const {size})"),
            Step::MakeDir(path) => format!("call $make_dir (i32.const 3) {}", text(path)),
            Step::Link(from, to) => {
                format!("call $link (i32.const 3) (i32.const 0) {} (i32.const 3) {}", text(from), text(to))
            }
            Step::Symlink(to, path) => format!("call $symlink {} (i32.const 3) {}", text(to), text(path)),
            Step::Rename(from, to) => format!("call $rename (i32.const 3) {} (i32.const 3) {}", text(from), text(to)),
            Step::Move(path) => format!("call $rename (i32.const 3) {0} (i32.const 4) {0}", text(path)),
            Step::Unlink(path) => format!("call $unlink (i32.const 3) {}", text(path)),
            Step::Renumber => "call $renumber_last".to_string(),
        };
        body.push_str(&format!("(call $say ({call}))\n"));
    }
    format!(
        r#"(module
  (import "{wasi}" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "{wasi}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "{wasi}" "fd_pwrite" (func $pwrite (param i32 i32 i32 i64 i32) (result i32)))
  (import "{wasi}" "fd_filestat_set_size" (func $set_size (param i32 i64) (result i32)))
  (import "{wasi}" "path_create_directory" (func $make_dir (param i32 i32 i32) (result i32)))
  (import "{wasi}" "path_link" (func $link (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "{wasi}" "path_symlink" (func $symlink (param i32 i32 i32 i32 i32) (result i32)))
  (import "{wasi}" "path_rename" (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "{wasi}" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
  (import "{wasi}" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
  (memory (export "memory") 4)
  {data}
  ;; 0: the file that was opened last. 8: two empty buffers and a full one. 40: what was written.
  (func $vectors (param $length i32)
    (i32.store (i32.const 24) (i32.const 65536))
    (i32.store (i32.const 28) (local.get $length)))
  (func $writes (param $length i32) (result i32)
    (call $vectors (local.get $length))
    (call $write (i32.load (i32.const 0)) (i32.const 8) (i32.const 3) (i32.const 40)))
  (func $writes_at (param $length i32) (param $offset i64) (result i32)
    (call $vectors (local.get $length))
    (call $pwrite (i32.load (i32.const 0)) (i32.const 8) (i32.const 3) (local.get $offset) (i32.const 40)))
  (func $renumber_last (result i32)
    (call $renumber (i32.load (i32.const 0)) (i32.const 3))
    (i32.store (i32.const 0) (i32.const 3)))
  (func $say (param $errno i32)
    (i32.store8 (i32.const 48) (local.get $errno))
    (i32.store (i32.const 56) (i32.const 48))
    (i32.store (i32.const 60) (i32.const 1))
    (drop (call $write (i32.const 1) (i32.const 56) (i32.const 1) (i32.const 64))))
  (func (export "_start") {body}))"#
    )
}

use Step::{Link, MakeDir, Move, Open, Rename, Renumber, SetSize, Symlink, Unlink, Write, WriteAt};

#[test]
fn a_quota_bounds_every_way_to_grow() {
    let entry = 256;
    for (name, quota, steps, expected) in [
        (
            "write",
            entry + 8192,
            vec![Open("a", CREATE), Write(4096), Write(8192), Write(4096)],
            vec![OK, OK, DQUOT, OK],
        ),
        ("overwrite", entry + 1000, vec![Open("a", CREATE), Write(900), WriteAt(900, 0)], vec![OK, OK, OK]),
        ("hole", entry + 1000, vec![Open("a", CREATE), WriteAt(1, 5000), WriteAt(1, 999)], vec![OK, DQUOT, OK]),
        ("append", entry + 1000, vec![Open("a", APPEND), Write(600), WriteAt(600, 0)], vec![OK, OK, DQUOT]),
        ("size", entry + 1000, vec![Open("a", CREATE), SetSize(1001), SetSize(1000)], vec![OK, DQUOT, OK]),
        ("entries", 2 * entry, vec![Open("a", CREATE), MakeDir("b"), MakeDir("c")], vec![OK, OK, DQUOT]),
        ("new", 2 * entry, vec![Open("a", CREATE), Open("b", CREATE_NEW), Open("c", CREATE_NEW)], vec![OK, OK, DQUOT]),
        ("again", entry, vec![Open("a", CREATE), Open("a", CREATE), Open("b", CREATE)], vec![OK, OK, DQUOT]),
        ("link", 2 * entry, vec![Open("a", CREATE), Symlink("a", "s"), Symlink("a", "t")], vec![OK, OK, DQUOT]),
        ("hard-link", entry, vec![Open("a", CREATE), Link("a", "b")], vec![OK, DQUOT]),
        ("renumber", entry + 10, vec![Open("a", CREATE), Renumber, Write(10), Write(1)], vec![OK, OK, OK, DQUOT]),
    ] {
        let world = World::new(&format!("quota-{name}"));
        let (errnos, receipt) = world.errnos(&[&format!("data::/data,quota={quota}")], &steps);
        assert_eq!((errnos, &receipt.outcome), (expected, &Outcome::Done), "{name}");
    }
}

#[test]
fn a_quota_holds_for_wasi_00_too() {
    let world = World::new("quota-00");
    let guest = Guest::from_bytes("old", module(&[Open("a", CREATE), Write(2000)], "wasi_unstable")).unwrap();
    assert_eq!(world.run(&guest, &["data::/data,quota=1000"], &[]).0, [OK, DQUOT]);
}

#[test]
fn what_is_removed_or_cut_gives_its_room_back() {
    let world = World::new("room");
    let steps = [
        Open("a", CREATE),
        Write(4096),
        Open("b", CREATE),
        Write(4096),
        Unlink("a"),
        Write(4096),
        Open("b", TRUNCATE),
        Write(4096),
        Rename("b", "c"),
    ];
    let (errnos, receipt) = world.errnos(&["data::/data,quota=5000"], &steps);
    assert_eq!(errnos, [OK, OK, OK, DQUOT, OK, OK, OK, OK, OK]);
    assert_eq!(receipt.used.get(Resource::BytesOut), Some(3 * 4096 + 9));
    assert_eq!(receipt.grants.get(GrantKind::Dir), 3);
    assert_eq!(fs::read(world.data("c")).unwrap().len(), 4096);
}

#[test]
fn nothing_moves_from_one_volume_to_another() {
    let world = World::new("move");
    fs::create_dir_all(world.base.join("other")).unwrap();
    fs::write(world.data("big"), [0; 9000]).unwrap();
    let dirs = ["data::/data", "other::/other,quota=1000"];
    assert_eq!(world.errnos(&dirs, &[Move("big")]).0, [XDEV]);
    assert_eq!(world.errnos(&["data::/data", "other::/other"], &[Move("big")]).0, [OK]);
}

#[test]
fn a_read_only_folder_says_what_would_allow_a_write() {
    let world = World::new("read-only");
    fs::write(world.data("a"), "text").unwrap();
    let steps = [
        Open("a", READ),
        Open("a", CREATE),
        Open("a", TRUNCATE),
        SetSize(0),
        MakeDir("d"),
        Rename("a", "b"),
        Unlink("a"),
        Symlink("a", "s"),
    ];
    let (errnos, receipt) = world.errnos(&["data::/data:ro"], &steps);
    assert_eq!(errnos, [OK, PERM, PERM, PERM, PERM, PERM, PERM, PERM]);
    let allow = "dir = [\"BASE/data::/data\"]";
    let asked =
        ["write /data/a", "truncate /data/…", "create /data/d", "rename /data/a", "remove /data/a", "create /data/s"];
    let expected: Vec<_> = asked.iter().map(|asked| (asked.to_string(), allow.to_string())).collect();
    assert_eq!(world.denials(&receipt), expected);
    assert_eq!(fs::read(world.data("a")).unwrap(), b"text");
    assert_eq!(receipt.grants.get(GrantKind::Dir), 1);
}

#[test]
fn a_path_that_leads_outside_is_a_denial_that_no_grant_lifts() {
    let world = World::new("outside");
    fs::write(world.base.join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(world.base.join("secret"), world.data("link")).unwrap();
    std::os::unix::fs::symlink("../made", world.data("dangling")).unwrap();
    let steps = [
        Open("../secret", READ),
        Open("/etc/passwd", READ),
        Open("link", READ),
        Open("dangling", CREATE),
        MakeDir("../d"),
        Symlink("/etc", "s"),
        Rename("../secret", "mine"),
        Link("../secret", "mine"),
        Unlink("x/../../secret"),
    ];
    let (errnos, receipt) = world.errnos(&["data::/data"], &steps);
    // The last one fails at `x`, which is not there.
    assert_eq!(errnos, [PERM, PERM, PERM, PERM, PERM, PERM, PERM, PERM, 44]);
    let asked = [
        "read /data/../secret",
        "read /etc/passwd",
        "read /data/link",
        "write /data/dangling",
        "create /data/../d",
        "link to /etc",
        "rename /data/../secret",
        "link /data/../secret",
    ];
    let expected: Vec<_> = asked.iter().map(|asked| (asked.to_string(), String::new())).collect();
    assert_eq!(world.denials(&receipt), expected);
    assert!(!world.base.join("made").exists());
}

#[test]
fn files_without_end_stop_at_the_limit_of_handles() {
    let mut world = World::new("handles");
    world.limits = world.limits.clone().with(Resource::Handles, 20);
    fs::write(world.data("a"), "").unwrap();
    let steps: Vec<Step> = (0..30).map(|_| Open("a", READ)).collect();
    for dirs in [["data::/data"], ["data::/data,quota=1000"]] {
        let (_, receipt) = world.errnos(&dirs, &steps);
        assert_eq!(receipt.outcome, Outcome::Stopped { limit: Resource::Handles });
        assert_eq!(receipt.used.get(Resource::Handles), Some(20));
    }
    let (_, receipt) = world.errnos(&["data::/data"], &[Open("a", READ), Open("a", READ)]);
    assert_eq!(receipt.used.get(Resource::Handles), Some(6), "three streams, a folder and two files");
}

/// A guest of `guests/`, where those are built.
fn built(name: &str) -> Option<Guest> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/target/sandbar").join(name);
    path.exists().then(|| Guest::from_file(name, &path).unwrap())
}

#[test]
fn commands_of_wasi_01_and_02_are_held_alike() {
    for name in ["cli-p1.wasm", "cli-p2.wasm"] {
        let Some(guest) = built(name) else { continue };
        let world = World::new(&format!("cli-{name}"));
        fs::write(world.base.join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink("../secret", world.data("out")).unwrap();
        let quota = ["data::/data,quota=100KiB"];
        for (dirs, args, done, denied) in [
            (&quota, vec!["write", "/data/a", "text"], true, ""),
            (&quota, vec!["append", "/data/a", "90000"], true, ""),
            (&quota, vec!["append", "/data/a", "20000"], false, ""),
            (&quota, vec!["truncate", "/data/a", "200000"], false, ""),
            (&quota, vec!["rm", "/data/a"], true, ""),
            (&quota, vec!["append", "/data/b", "100000"], true, ""),
            (&quota, vec!["write", "/data/b", "short"], true, ""),
            (&quota, vec!["append", "/data/c", "90000"], true, ""),
            (&quota, vec!["rename", "/data/c", "/data/d"], true, ""),
            (&["data::/data:ro"], vec!["read", "/data/b"], true, ""),
            (&["data::/data:ro"], vec!["write", "/data/b", "x"], false, "write /data/b"),
            (&["data::/data:ro"], vec!["mkdir", "/data/e"], false, "create /data/e"),
            (&["data::/data:ro"], vec!["rm", "/data/b"], false, "remove /data/b"),
            (&["data::/data"], vec!["read", "/data/out"], false, "read /data/out"),
            (&["data::/data"], vec!["read", "/data/../secret"], false, "read /data/../secret"),
        ] {
            let (_, receipt) = world.run(&guest, dirs, &args);
            assert_eq!(receipt.outcome == Outcome::Done, done, "{name} {args:?} {receipt:?}");
            let denials = world.denials(&receipt);
            assert_eq!(denials.first().map_or("", |(asked, _)| asked), denied, "{name} {args:?}");
        }
        let (text, receipt) = world.run(&guest, &["data::/data"], &["read", "/data/b"]);
        assert_eq!((text.as_slice(), receipt.used.get(Resource::BytesIn)), (&b"short"[..], Some(5)), "{name}");
        assert_eq!(receipt.grants.get(GrantKind::Dir), 1);
    }
}

#[test]
fn open_files_of_a_component_stop_at_the_limit_of_handles() {
    let Some(guest) = built("cli-p2.wasm") else { return };
    let mut world = World::new("handles-02");
    world.limits = world.limits.clone().with(Resource::Handles, 50);
    fs::write(world.data("a"), "").unwrap();
    let (_, receipt) = world.run(&guest, &["data::/data"], &["open-many", "/data/a", "100"]);
    assert_eq!(receipt.outcome, Outcome::Stopped { limit: Resource::Handles });
    assert_eq!(receipt.used.get(Resource::Handles), Some(50));
}

#[test]
fn an_address_is_looked_up_without_a_grant_and_a_name_is_not() {
    let Some(guest) = built("cli-p2.wasm") else { return };
    let world = World::new("lookup");
    assert_eq!(world.run(&guest, &[], &["lookup", "192.0.2.7"]).0, b"192.0.2.7\n");
    let (_, receipt) = world.run(&guest, &[], &["lookup", "example.com"]);
    assert_eq!(world.denials(&receipt), [("example.com".to_string(), "lookup = [\"example.com\"]".to_string())]);
}

#[test]
fn a_poll_of_a_million_is_bounded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/hostile/poll-many.wat");
    let guest = Guest::from_file("poll-many", &path).unwrap();
    let world = World::new("poll");
    let started = std::time::Instant::now();
    let (_, receipt) = world.run(&guest, &[], &[]);
    assert_eq!(receipt.outcome, Outcome::Stopped { limit: Resource::Handles });
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn an_unknown_import_is_named_with_what_would_help() {
    let world = World::new("imports");
    for (guest, import, message) in [
        (
            r#"(module (import "env" "log" (func (param i32 i64) (result f32))))"#,
            "env.log",
            "the guest expects a function `(i32, i64) -> (f32)`, and nobody provides it",
        ),
        (
            r#"(module (import "wasi_snapshot_preview1" "fd_dup" (func (param i32) (result i32))))"#,
            "wasi_snapshot_preview1.fd_dup",
            "and WASI 0.1 has no such function",
        ),
        (
            r#"(module (import "wasi_snapshot_preview1" "fd_close" (func (param i64) (result i32))))"#,
            "wasi_snapshot_preview1.fd_close",
            "the guest expects a function `(i64) -> (i32)`, and it is another: types incompatible",
        ),
        (
            r#"(component (import "wasi:cli/environment@0.9.0" (instance (export "get-environment" (func)))))"#,
            "wasi:cli/environment@0.9.0",
            "this host has WASI 0.2.12 and 0.3.0, not 0.9.0",
        ),
        (
            r#"(component (import "wasi:cli/environment@0.2.0" (instance (export "no-such" (func)))))"#,
            "wasi:cli/environment@0.2.0#no-such",
            "this host has WASI 0.2.12, which has nothing of this name",
        ),
        (
            r#"(component (import "wasi:nn/graph@0.2.0" (instance (export "load" (func)))))"#,
            "wasi:nn/graph@0.2.0",
            "this host has no `wasi:nn`; it has cli, clocks, ",
        ),
        (
            r#"(component (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u32))))))"#,
            "wasi:random/random@0.2.0#get-random-u64",
            "which differs: ",
        ),
        (
            r#"(component (import "acme:queue/send" (instance (export "send" (func)))))"#,
            "acme:queue/send#send",
            "nobody provides it",
        ),
    ] {
        let guest = Guest::from_bytes("imports", guest).unwrap();
        let Err(LoadError::Import { import: found, message: said }) = world.bind(&guest, &[]) else {
            panic!("{import} was provided");
        };
        assert_eq!(found, import);
        assert!(said.contains(message), "{said}");
    }
}
