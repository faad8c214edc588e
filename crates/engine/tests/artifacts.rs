//! The artifact cache: a guest is compiled once, and only what this user's own Sandbar wrote is loaded.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test ends loudly")]

use sandbar_call::{
    Arguments, Call, CallId, Event, Limits, Notation, Origin, Outcome, Receipt, Reply, Resource, Run, Settle,
};
use sandbar_engine::{
    Binding, Cache, CompileError, Compiler, Engine, EngineConfig, EntryChoice, Guest, LoadError, Log, LogRecord,
    Progress,
};
use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

const PLENTY: u64 = 1 << 30;

struct Silent;

impl Log for Silent {
    fn log(&self, _: LogRecord) {}
}

/// Counts how often a guest was compiled.
#[derive(Default)]
struct Compiled(AtomicUsize);

impl Compiled {
    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Progress for Compiled {
    fn compiling(&self, guest: &str) {
        assert!(guest.starts_with("guest"), "{guest}");
    }

    fn compiled(&self, _: &str) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A folder for one test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sandbar-artifacts-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Folder(path)
    }

    fn open(&self, bytes_max: u64) -> Result<Engine, LoadError> {
        let cache = Some(Cache { folder: self.0.clone(), bytes_max });
        Engine::new(EngineConfig { cache, ..EngineConfig::default() })
    }

    fn engine(&self) -> Engine {
        self.open(PLENTY).unwrap()
    }

    /// The names of its files with this ending.
    fn files(&self, ending: &str) -> Vec<PathBuf> {
        let all = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = all.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
        files.sort();
        files
    }

    fn setup_error(&self) -> String {
        match self.open(PLENTY).err().expect("an error") {
            LoadError::Setup(message) => message,
            LoadError::Cache { error, .. } => error.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A guest whose export `f` gives a number.
fn guest(number: i32, compiled: &Arc<Compiled>) -> Guest {
    let text = format!(r#"(module (func (export "f") (result i32) i32.const {number}))"#);
    Guest::from_bytes(format!("guest-{number}"), text).unwrap().with_progress(compiled.clone())
}

fn component(compiled: &Arc<Compiled>) -> Guest {
    let text = r#"(component
        (core module $m (func (export "f") (result i32) i32.const 7))
        (core instance $i (instantiate $m))
        (func (export "f") (result s32) (canon lift (core func $i "f"))))"#;
    Guest::from_bytes("guest-component", text.as_bytes().to_vec()).unwrap().with_progress(compiled.clone())
}

/// Binds a guest, calls `f`, and gives its answer.
fn answer(engine: &Engine, guest: &Guest) -> String {
    let binding = Binding::new(Limits::NONE.with(Resource::Wall, 20_000_000_000), Arc::new(Silent));
    let entry = engine.bind(guest, binding).unwrap().entry(guest, EntryChoice::default()).unwrap();
    let receipts: Arc<dyn Settle> = Arc::new(|receipt: Receipt| assert_eq!(receipt.outcome, Outcome::Done));
    let origin = Origin { trigger: "test".into(), source: "artifacts".into(), event: "1".into() };
    let arguments = Arguments::Texts { texts: Vec::new(), result: Notation::Json };
    let call = Call { id: CallId::new(0, 1), origin, event: Event::Export { arguments, context: None }, receipts };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match runtime.block_on(entry.run(call)) {
        Reply::Value(value) => value,
        other => panic!("{other:?}"),
    }
}

/// Beside the guests' artifacts there is that of the module which interrupts them, where signals do.
const INTERRUPTS: usize = cfg!(all(target_os = "linux", target_arch = "x86_64")) as usize;

#[test]
fn a_guest_is_compiled_once() {
    let (folder, compiled) = (Folder::new("once"), Arc::<Compiled>::default());
    for (guest, expected) in [(guest(42, &compiled), "42"), (component(&compiled), "7")] {
        let before = compiled.count();
        let first = folder.engine();
        let path = first.prepare(&guest, false).unwrap().unwrap();
        assert_eq!(path.parent(), Some(folder.0.as_path()));
        assert_eq!(compiled.count(), before + 1);
        for engine in [first, folder.engine(), folder.engine()] {
            assert_eq!(engine.prepare(&guest, false).unwrap().as_deref(), Some(path.as_path()));
            assert_eq!(answer(&engine, &guest), expected);
        }
        assert_eq!(compiled.count(), before + 1, "another engine finds what the first one compiled");
        assert_ne!(folder.engine().prepare(&guest, true).unwrap().as_deref(), Some(path.as_path()));
        assert_eq!(compiled.count(), before + 2, "with exact fuel it is another artifact");
    }
    assert_eq!((folder.files("cwasm").len(), folder.files("new").len()), (4 + INTERRUPTS, 0));
}

#[test]
fn without_a_cache_each_engine_compiles() {
    let compiled = Arc::<Compiled>::default();
    let config = || EngineConfig::default();
    for round in 1..=2 {
        let engine = Engine::new(config()).unwrap();
        assert_eq!(engine.prepare(&guest(1, &compiled), false).unwrap(), None);
        assert_eq!(compiled.count(), round);
    }
}

#[test]
fn only_the_user_can_read_what_is_kept() {
    let (folder, compiled) = (Folder::new("modes"), Arc::<Compiled>::default());
    let artifact = folder.engine().prepare(&guest(1, &compiled), false).unwrap().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&folder.0), 0o700);
    assert_eq!(mode(&artifact), 0o600);
    assert_eq!(mode(&folder.0.join("secret")), 0o600);
}

#[test]
fn what_was_forged_cut_or_is_stale_is_compiled_again() {
    let (folder, compiled) = (Folder::new("forged"), Arc::<Compiled>::default());
    let (one, two) = (guest(1, &compiled), guest(2, &compiled));
    let path = folder.engine().prepare(&one, false).unwrap().unwrap();
    let other = folder.engine().prepare(&two, false).unwrap().unwrap();
    let good = fs::read(&path).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let end = good.len();
    let no_tag = [&good[..end - 32], &[0; 32]].concat();
    let longer = [&good[..], b"more"].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("its first byte", flipped(0)),
        ("a byte in the middle", flipped(end / 2)),
        ("the last byte of its code", flipped(end - 41)),
        ("what it says it is", flipped(end - 40)),
        ("its hash", flipped(end - 1)),
        ("a hash of zeroes", no_tag),
        ("bytes after its end", longer),
        ("nothing", Vec::new()),
        ("one byte", vec![0]),
        ("half of it", good[..end / 2].to_vec()),
        ("all but its last byte", good[..end - 1].to_vec()),
        ("only its end", good[end - 40..].to_vec()),
        ("the artifact of another guest", fs::read(other).unwrap()),
    ];
    let engine = folder.engine();
    for (what, bytes) in cases {
        let before = compiled.count();
        // As a forger would: a new file in its place, since the old one may be mapped.
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        for engine in [&engine, &folder.engine()] {
            assert_eq!(answer(engine, &one), "1", "{what}");
        }
        assert_eq!(compiled.count(), before + 1, "{what} was taken for the artifact");
        assert_eq!(fs::read(&path).unwrap(), good, "{what} is replaced");
    }
}

#[test]
fn artifacts_of_another_secret_are_compiled_again() {
    let (folder, compiled) = (Folder::new("secret"), Arc::<Compiled>::default());
    let guest = guest(3, &compiled);
    folder.engine().prepare(&guest, false).unwrap();
    fs::remove_file(folder.0.join("secret")).unwrap();
    let engine = folder.engine();
    assert_eq!(fs::read(folder.0.join("secret")).unwrap().len(), 32);
    assert_eq!(answer(&engine, &guest), "3");
    assert_eq!(compiled.count(), 2);
    assert_eq!(answer(&folder.engine(), &guest), "3");
    assert_eq!(compiled.count(), 2);
}

#[test]
fn a_malformed_secret_is_named() {
    let folder = Folder::new("malformed");
    folder.engine();
    for bytes in [&b""[..], b"short", &[0; 33]] {
        fs::write(folder.0.join("secret"), bytes).unwrap();
        let error = folder.setup_error();
        assert!(error.contains("secret` is not a secret of 32 bytes; delete it"), "{error}");
    }
    fs::remove_file(folder.0.join("secret")).unwrap();
    folder.engine();
    assert_eq!(folder.files("new").len(), 0);
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let folder = Folder::new("shared");
    for (mode, may) in [(0o777, false), (0o720, false), (0o702, false), (0o755, true), (0o700, true)] {
        fs::create_dir_all(&folder.0).unwrap();
        fs::set_permissions(&folder.0, Permissions::from_mode(mode)).unwrap();
        if may {
            folder.engine();
        } else {
            let error = folder.setup_error();
            assert!(error.contains("can be written by others; expected a folder of mode 0700"), "{error}");
        }
    }
    // Only root can give a folder away, and only then is there something to refuse.
    if std::os::unix::fs::chown(&folder.0, Some(65534), None).is_ok() {
        assert!(folder.setup_error().contains("can be written by others"));
    }
}

#[test]
fn a_folder_that_can_not_be_made_is_an_error() {
    let folder = Folder::new("file");
    fs::write(&folder.0, "a file").unwrap();
    assert!(!folder.setup_error().is_empty());
    fs::remove_file(&folder.0).unwrap();
}

#[test]
fn a_guest_is_served_though_its_artifact_can_not_be_kept() {
    let (folder, compiled) = (Folder::new("lost"), Arc::<Compiled>::default());
    let (engine, guest) = (folder.engine(), guest(5, &compiled));
    // A folder in the artifact's place can neither be read nor replaced.
    let path = engine.prepare(&guest, false).unwrap().unwrap();
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("full"), "").unwrap();
    assert_eq!(answer(&engine, &guest), "5");
    fs::remove_dir_all(&folder.0).unwrap();
    assert_eq!(answer(&engine, &guest), "5");
    assert_eq!(compiled.count(), 3);
}

#[test]
fn engines_at_once_share_one_folder() {
    const ENGINES: usize = 8;
    let (folder, compiled) = (Folder::new("at-once"), Arc::<Compiled>::default());
    for round in 0..5 {
        let guests: Vec<Guest> = (0..3).map(|at| guest(round * 3 + at, &compiled)).collect();
        let start = Barrier::new(ENGINES);
        thread::scope(|scope| {
            for shift in 0..ENGINES {
                let (guests, folder, start) = (&guests, &folder, &start);
                scope.spawn(move || {
                    start.wait();
                    let engine = folder.engine();
                    for at in 0..guests.len() {
                        let guest = &guests[(at + shift) % guests.len()];
                        assert_eq!(format!("guest-{}", answer(&engine, guest)), **guest.name());
                    }
                });
            }
        });
        assert_eq!((folder.files("cwasm").len(), folder.files("new").len()), (guests.len() + INTERRUPTS, 0));
        let before = compiled.count();
        let engine = folder.engine();
        guests.iter().for_each(|guest| drop(engine.prepare(guest, false).unwrap()));
        assert_eq!(compiled.count(), before, "what the threads left behind is good");
        // The next round starts with a folder that is not there, so that the secret is raced for too.
        fs::remove_dir_all(&folder.0).unwrap();
    }
}

#[test]
fn the_least_recently_used_go_first() {
    let (folder, compiled) = (Folder::new("trim"), Arc::<Compiled>::default());
    let guests: Vec<Guest> = (0..5).map(|number| guest(number, &compiled)).collect();
    let prepare = |engine: &Engine, at: usize| {
        // Times of files are what the order is known from.
        thread::sleep(Duration::from_millis(20));
        engine.prepare(&guests[at], false).unwrap().unwrap()
    };
    let roomy = folder.engine();
    let paths: Vec<PathBuf> = (0..4).map(|at| prepare(&roomy, at)).collect();
    let size = fs::metadata(&paths[0]).unwrap().len();
    // The oldest is used again, so that the second is now the least recently used.
    prepare(&roomy, 0);
    assert_eq!(compiled.count(), 4);

    let narrow = folder.open(size * 3 + size / 2).unwrap();
    let fifth = prepare(&narrow, 4);
    let mut expected = vec![paths[0].clone(), paths[3].clone(), fifth];
    expected.sort();
    assert_eq!(folder.files("cwasm"), expected);
    assert_eq!(answer(&narrow, &guests[1]), "1", "what is gone is compiled again");
    assert_eq!(compiled.count(), 6);

    let none = folder.open(0).unwrap();
    assert_eq!(answer(&none, &guests[2]), "2", "a guest is served even where nothing may stay");
    assert_eq!(folder.files("cwasm").len(), 0);
}

/// A compiler that is this script.
fn script(folder: &Folder, text: &str, time: Duration) -> Engine {
    fs::create_dir_all(&folder.0).unwrap();
    let program = folder.0.join("compiler.sh");
    fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o700)).unwrap();
    let compiler = Compiler::Child { program, memory_bytes: PLENTY, time };
    Engine::new(EngineConfig { compiler, ..EngineConfig::default() }).unwrap()
}

#[test]
fn a_compiler_that_breaks_is_an_error_that_says_how() {
    let (folder, compiled) = (Folder::new("compiler"), Arc::<Compiled>::default());
    // Larger than a pipe holds, so that a compiler that does not read makes whoever writes wait.
    let text = format!(r#"(module (memory 8) (data (i32.const 0) "{}"))"#, "x".repeat(300_000));
    let guest = Guest::from_bytes("guest-large", text).unwrap().with_progress(compiled);
    let minute = Duration::from_secs(60);
    for (text, time, expected) in [
        ("exit 3", minute, "the compiler ended early: exit status: 3"),
        ("cat > /dev/null; kill -9 $$", minute, "the compiler ended early: signal: 9"),
        ("cat > /dev/null; printf '\\001no such thing'; exit 1", minute, "the guest is not valid: no such thing"),
        ("cat > /dev/null", minute, "the compiler ended early"),
        ("cat > /dev/null; printf '\\000no artifact'", minute, "the compiler ended early"),
        ("cat > /dev/null; printf '\\000'; exit 1", minute, "the compiler ended early"),
        ("exec sleep 60", Duration::from_millis(200), "compiling took longer than"),
    ] {
        let started = Instant::now();
        let error = script(&folder, text, time).prepare(&guest, false).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(30), "{text}");
        assert!(matches!(error, LoadError::Compile(_)), "{error:?}");
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
    let nowhere = Compiler::Child { program: folder.0.join("nowhere"), memory_bytes: PLENTY, time: minute };
    let config = EngineConfig { compiler: nowhere, ..EngineConfig::default() };
    let error = Engine::new(config).unwrap().prepare(&guest, false).unwrap_err();
    assert!(matches!(error, LoadError::Compile(CompileError::Process(_))), "{error:?}");
}
