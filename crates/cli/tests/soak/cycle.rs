//! A cycle: a load with misfortunes, then quiet, then every check.

use crate::{
    account::{Account, samples},
    app::{App, TIME, empty_folder, guest_file, sandbar, until},
    ask::HEALTHY,
    client::{Asked, ask_on},
    held::{Held, entries},
    operator::{Act, Done, Over, take_said},
    version::{FILES, Version, write_number},
};
use sandbar_testkit::process::{Signal, run};
use sandbar_testkit::random::Random;
use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::AtomicBool,
    thread,
    time::{Duration, Instant},
};

/// Clients at one time. The first asks the healthy guest only.
const CLIENTS: usize = 6;

/// How long clients ask in a cycle: a fraction of all time, within bounds.
const LOAD: [Duration; 2] = [Duration::from_millis(1500), Duration::from_secs(10)];
const LOADS: u32 = 20;

/// The pause between two things that the operator does.
const PAUSE: Duration = Duration::from_millis(250);

/// Idle sandboxes are gone by then: they wait for a second, and are looked for once a second.
const IDLE: Duration = Duration::from_millis(2500);

/// By how much memory may grow: over many cycles by a tenth, or this where it is more; over a few by what there is to warm up.
const GROWTH_BYTES: u64 = 8 << 20;
const WARMING_BYTES: u64 = 64 << 20;
const CYCLES_MANY: usize = 16;

/// A server, and what is known of it.
pub(crate) struct Soak {
    app: App,
    seed: u64,
    random: Random,
    load: Duration,
    account: Account,
    done: Done,
    cache: PathBuf,
    /// Artifacts that were there at the beginning.
    artifacts: Vec<PathBuf>,
    /// What was held after the first cycle, and after the last.
    first: Option<Held>,
    last: Option<Held>,
    /// Resident bytes after each cycle.
    resident: Vec<u64>,
}

impl Soak {
    /// Serves the app.
    pub(crate) fn start(seed: u64, whole: Duration) -> Soak {
        let folder = empty_folder("soak");
        let cache = folder.join("cache");
        fill(&cache);
        write_number(&folder);
        Version::standard().write(&folder, "");
        let app = App::start(caching(&cache), folder, &[]);
        let cache = cache.join("sandbar");
        Soak {
            seed,
            random: Random::new(seed),
            load: (whole / LOADS).clamp(LOAD[0], LOAD[1]),
            account: Account::of(&app),
            done: Done::default(),
            artifacts: entries(&cache),
            cache,
            first: None,
            last: None,
            resident: Vec::new(),
            app,
        }
    }

    pub(crate) fn cycles(&self) -> usize {
        self.resident.len()
    }

    pub(crate) fn cycle(&mut self) {
        let asked = self.load();
        self.done.replace(&self.app, &Version::standard());
        until("an idle server", || {
            let metrics = self.app.admin("/metrics").text();
            let busy = ["sandbar_http_connections_open", "sandbar_pool_calls", "sandbar_pool_waiting"];
            busy.iter().all(|name| samples(&metrics, name).is_empty()).then_some(())
        });
        let mut wrong = self.account.settle(&self.app, &asked);
        thread::sleep(IDLE);
        take_said(&self.app);
        wrong.extend(self.hold());
        wrong.extend(self.keeps());
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Clients ask while the operator does each thing, once at least.
    fn load(&mut self) -> Vec<Asked> {
        let start = Instant::now();
        let ends = AtomicBool::new(false);
        let number = self.cycles();
        thread::scope(|scope| {
            // Also where the operator panics.
            let over = Over(&ends);
            let clients: Vec<_> = (0..CLIENTS)
                .map(|n| {
                    let (app, ends, random) = (&self.app, &ends, self.random.fork());
                    scope.spawn(move || {
                        ask_on(app, &format!("{number}-{n}"), (n == 0).then_some(&HEALTHY), random, ends)
                    })
                })
                .collect();
            for (done, act) in Act::ALL.into_iter().cycle().enumerate() {
                if done >= Act::ALL.len() && start.elapsed() >= self.load {
                    break;
                }
                self.done.act(act, &self.app, &mut self.random);
                self.account.read();
                thread::sleep(PAUSE);
            }
            drop(over);
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        })
    }

    /// Notes what the process holds, and tells what is more than after the first cycle.
    fn hold(&mut self) -> Vec<String> {
        let id = self.app.server.id();
        let first = self.first.get_or_insert_with(|| Held::of(id));
        let (held, more) = Held::until_as(id, first);
        self.resident.push(held.resident_bytes);
        self.last = Some(held);
        more
    }

    /// Tells what the cache has that nobody compiled, or lacks.
    fn keeps(&self) -> Option<String> {
        let new: Vec<_> = entries(&self.cache).into_iter().filter(|file| !self.artifacts.contains(file)).collect();
        let compiled = self.done.compiled;
        (new.len() != compiled || new.iter().any(|file| is_new(file)))
            .then(|| format!("{compiled} guests were compiled, and the cache has {new:?}"))
    }

    /// Ends the server, and compares its memory.
    pub(crate) fn end(mut self) {
        self.app.server.signal(Signal::TERM).unwrap();
        let status = self.app.server.wait(TIME).unwrap();
        let said = take_said(&self.app);
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(self.done.killed > 0, "no compiler was killed");
        let count = self.resident.len();
        let quarter = (count / 4).max(1);
        let early = median(&self.resident[count / 4..][..quarter]);
        let late = median(&self.resident[count - quarter..]);
        eprintln!("{} MiB resident in the second quarter of cycles, {} in the last", early >> 20, late >> 20);
        let slack = if count < CYCLES_MANY { WARMING_BYTES } else { GROWTH_BYTES.max(early / 10) };
        assert!(late <= early + slack, "resident bytes grew from {early} to {late}: {:?}", self.resident);
    }

    /// How it goes, for people.
    pub(crate) fn shown(&self) -> String {
        let Done { reloads, killed, .. } = self.done;
        let held = self.last.as_ref().map_or_else(String::new, Held::shown);
        let (requests, cycles) = (self.account.requests(), self.cycles());
        format!("{requests} requests in {cycles} cycles, {reloads} reloads, {killed} compilers killed; {held}")
    }
}

impl Drop for Soak {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the seed was {}, the cycle {}, the app {:?}", self.seed, self.cycles(), self.app.folder);
        }
    }
}

/// Makes a cache with what takes long to compile, out of one that stays: a server that starts has less time than all of it
/// takes on a machine that is busy.
fn fill(cache: &Path) {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("soak-cache");
    for file in FILES {
        let finished = run(caching(&kept).arg("compile").arg(guest_file(file)), b"", TIME).unwrap();
        assert_eq!(finished.code(), Some(0), "{}", finished.stderr_text());
    }
    let folder = cache.join("sandbar");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).unwrap();
    // What another soak writes there at this time is not whole.
    for file in entries(&kept.join("sandbar")).into_iter().filter(|file| !is_new(file)) {
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
}

/// Whether a file of a cache is still being written.
fn is_new(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "new")
}

/// The program with a cache of its own.
fn caching(cache: &Path) -> Command {
    let mut command = sandbar();
    command.env("XDG_CACHE_HOME", cache);
    command
}

fn median(values: &[u64]) -> u64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    values[values.len() / 2]
}
