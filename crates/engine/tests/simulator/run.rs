//! Runs a plan against the real engine, and notes all that can be seen from outside.

use crate::{
    canary::Canary,
    event,
    guest::Guest as Made,
    peer::{Names, Peers, Ports, Seen},
    plan::{Arrival, Ask, FolderGrant, Patience, Plan, Tenant, Threads, Weather, What},
    world::{self, World},
};
use bytes::Bytes;
use futures::future::join_all;
use http_body_util::BodyExt;
use sandbar_call::{Body, Call, CallId, Digest, GrantKind, Limits, Origin, Outcome, Receipt, Reply, Run, Settle};
use sandbar_engine::{
    Allocation, Binding, Cache, Engine, EngineConfig, Entry, EntryChoice, Guest, LoadError, Log, LogRecord, clock,
};
use sandbar_grants::{Grants, Volumes};
use std::{
    fs,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};
use tokio::time::sleep;

/// What became of a run.
pub(crate) struct Happened {
    pub(crate) calls: Vec<Called>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) log: Vec<LogRecord>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) asked: Vec<String>,
    /// Tenants whose guest was refused when it was bound.
    pub(crate) unbound: Vec<(usize, LoadError)>,
    /// What is wrong with the storage, and with the engine after the last call.
    pub(crate) faults: Vec<String>,
    pub(crate) own_bytes: Vec<u64>,
    /// Processor time of the whole process.
    pub(crate) cpu_ns: u64,
    /// The longest that a thread which wanted to sleep a millisecond overslept: how busy the machine was.
    pub(crate) lag_ns: u64,
}

/// A call as whoever made it saw it.
#[derive(Debug)]
pub(crate) struct Called {
    /// Its number, which its canary says too.
    pub(crate) number: u32,
    pub(crate) tenant: usize,
    pub(crate) arrival: usize,
    pub(crate) version: usize,
    pub(crate) digest: Digest,
    pub(crate) told: Told,
    pub(crate) from_ns: u64,
    /// When its receipt settled.
    pub(crate) to_ns: u64,
}

/// What whoever made a call was told.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// Nothing: it went away.
    Left,
    Ended(Outcome),
    Exit(i32, Bytes),
    Output(Bytes),
    Value(String),
    /// What each call in a held sandbox came to. These have no receipts.
    Held(Vec<Result<i64, Outcome>>),
    Answer {
        status: u16,
        body: Bytes,
        end: BodyEnd,
    },
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    Whole,
    Broken,
    /// Whoever read it went away.
    Left,
}

/// How long all receipts may take to come once every event was answered.
const SETTLES_NS: u64 = 60_000_000_000;
/// How long a cancelled call's guest may hold its place: it ends at its next tick.
const GIVES_WAY_NS: u64 = 20_000_000_000;

/// What the threads of a run share.
struct Shared {
    plan: Plan,
    tenants: Vec<Option<RwLock<Current>>>,
    /// Receipts, and when each settled.
    receipts: Arc<Mutex<Vec<(Receipt, u64)>>>,
    ports: Ports,
    started_ns: u64,
    expected: usize,
}

/// The version that a tenant's events go to.
struct Current {
    version: usize,
    entry: Entry,
}

/// What guests are bound with.
struct Stage {
    engine: Engine,
    world: World,
    peers: Peers,
    volumes: Volumes,
    log: Arc<Kept>,
}

#[derive(Default)]
struct Kept(Mutex<Vec<LogRecord>>);

impl Log for Kept {
    fn log(&self, record: LogRecord) {
        self.0.lock().unwrap().push(record);
    }
}

pub(crate) fn run(plan: &Plan) -> Happened {
    let (cpu_before, lag) = (process_cpu_ns(), Lag::start());
    let names = Arc::new(Names::default());
    let stage = Stage {
        engine: Engine::with_resolver(config(plan), names.clone()).unwrap(),
        world: World::new(plan.tenants.len()),
        peers: Peers::start(),
        volumes: Volumes::default(),
        log: Arc::default(),
    };
    let mut unbound = Vec::new();
    let mut tenants = Vec::new();
    for (at, tenant) in plan.tenants.iter().enumerate() {
        tenants.push(match stage.bind(at, tenant, 0) {
            Ok(entry) => Some(RwLock::new(Current { version: 0, entry })),
            Err(error) => {
                unbound.push((at, error));
                None
            }
        });
    }
    let has_receipt = |arrival: &&Arrival| tenants[arrival.tenant].is_some() && !matches!(arrival.ask, Ask::Hold(_));
    let expected = plan.arrivals.iter().filter(has_receipt).count();
    let shared = Arc::new(Shared {
        plan: plan.clone(),
        tenants,
        receipts: Arc::default(),
        ports: stage.peers.ports().clone(),
        started_ns: clock::monotonic_ns(),
        expected,
    });
    let over = AtomicBool::new(false);
    let (calls, mut faults) = thread::scope(|scope| {
        scope.spawn(|| stage.let_weather(&shared));
        scope.spawn(|| stage.let_slow_file_answer(&over));
        let calls = work(&shared);
        let faults = idle(&shared);
        stage.engine.end(Duration::from_secs(1));
        over.store(true, Relaxed);
        (calls, faults)
    });
    faults.extend(stage.world.faults(plan.tenants.len()));
    let mut calls = calls;
    let settled = std::mem::take(&mut *shared.receipts.lock().unwrap());
    for call in &mut calls {
        let receipt = settled.iter().find(|(receipt, _)| receipt.call == shared.id(call.number));
        call.to_ns = receipt.map_or(u64::MAX, |(_, at_ns)| *at_ns);
    }
    drop(shared);
    Happened {
        calls,
        receipts: settled.into_iter().map(|(receipt, _)| receipt).collect(),
        log: std::mem::take(&mut stage.log.0.lock().unwrap()),
        seen: stage.peers.seen(),
        asked: names.asked(),
        unbound,
        faults,
        own_bytes: (0..plan.tenants.len()).map(|tenant| stage.world.own_bytes(tenant)).collect(),
        cpu_ns: process_cpu_ns() - cpu_before,
        lag_ns: lag.end(),
    }
}

fn config(plan: &Plan) -> EngineConfig {
    static CACHE: OnceLock<std::path::PathBuf> = OnceLock::new();
    let folder =
        CACHE.get_or_init(|| std::env::temp_dir().join(format!("sandbar-simulator-{}-cache", std::process::id())));
    let allocation = plan.slots.map_or(Allocation::OnDemand, |slots| Allocation::Pooled { slots });
    let cache = Some(Cache { folder: folder.clone(), bytes_max: 256 << 20 });
    EngineConfig { allocation, cache, ..EngineConfig::default() }
}

impl Stage {
    /// Binds a version of a tenant's guest.
    fn bind(&self, at: usize, tenant: &Tenant, version: usize) -> Result<Entry, LoadError> {
        let name = format!("tenant-{at}");
        let guest = match &tenant.versions[version] {
            Made::Steps(steps) => Guest::from_bytes(name, steps.text().into_bytes())?,
            Made::Built(built) => {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/target/sandbar");
                Guest::from_file(name, &folder.join(built.file()))
                    .unwrap_or_else(|error| panic!("{error}; `cargo xtask guests` builds it"))
            }
        };
        let limits = tenant.limits.iter().fold(Limits::NONE, |limits, (resource, most)| limits.with(*resource, *most));
        let binding = Binding {
            grants: Arc::new(self.grants(at, tenant)?.admit(Path::new("/"), &|_| None, &self.volumes)?),
            fuel: tenant.fuel,
            policy: tenant.policy,
            pool: tenant.pool,
            ..Binding::new(limits, self.log.clone())
        };
        self.engine.bind(&guest, binding)?.entry(&guest, EntryChoice::default())
    }

    fn grants(&self, at: usize, tenant: &Tenant) -> Result<Grants, LoadError> {
        let mut grants = Grants::default();
        let of = &tenant.grants;
        for folder in &of.folders {
            let entry = match folder {
                FolderGrant::Own(quota) => {
                    let quota = quota.map(|bytes| format!(",quota={bytes}")).unwrap_or_default();
                    format!("{}::/data{quota}", self.world.own(at).display())
                }
                FolderGrant::Shared => format!("{}::/shared:ro", self.world.shared().display()),
            };
            grants.add(GrantKind::Dir, &entry)?;
        }
        for number in 0..of.args {
            grants.add(GrantKind::Args, &format!("-{number}"))?;
        }
        if of.env {
            grants.add(GrantKind::Env, &format!("K={}", Canary::of_tenant(u8::try_from(at).unwrap())))?;
        }
        if of.random {
            grants.add(GrantKind::Random, "true")?;
        }
        if of.fine_clock {
            grants.add(GrantKind::Clock, "fine")?;
        }
        for (host, manner) in &of.http {
            grants.add(GrantKind::Http, &host.http_entry(self.peers.ports()[manner]))?;
        }
        for manner in &of.tcp {
            grants.add(GrantKind::Tcp, &format!("127.0.0.1:{}", self.peers.ports()[manner]))?;
        }
        for host in &of.lookup {
            grants.add(GrantKind::Lookup, host.text())?;
        }
        Ok(grants)
    }

    /// Lets the weather of a run happen, each piece in its time.
    fn let_weather(&self, shared: &Shared) {
        let mut weather = shared.plan.weather.clone();
        weather.sort_by_key(|weather| weather.at);
        for Weather { at, what } in weather {
            thread::sleep(at.saturating_sub(shared.passed()));
            match what {
                What::Replace(tenant) => self.replace(shared, tenant),
                What::FolderGone(tenant, pause) => {
                    let _ = fs::remove_dir_all(self.world.own(tenant));
                    thread::sleep(pause);
                    fs::create_dir_all(self.world.own(tenant)).unwrap();
                }
                What::FolderEmptied(tenant) => {
                    for entry in fs::read_dir(self.world.own(tenant)).into_iter().flatten().flatten() {
                        let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
                    }
                }
                What::FolderFilled(tenant) => {
                    let _ = fs::write(self.world.own(tenant).join("filled"), vec![b'.'; 2 << 20]);
                }
                What::EngineEnds => self.engine.end(Duration::from_millis(5)),
            }
        }
    }

    /// Lets the slow file answer now and then, also to those whose calls are long over.
    fn let_slow_file_answer(&self, over: &AtomicBool) {
        let mut answered_ns = clock::monotonic_ns();
        while !over.load(Relaxed) {
            thread::sleep(Duration::from_millis(5));
            if clock::monotonic_ns() > answered_ns + world::SLOW_NS {
                self.world.let_slow_file_answer();
                answered_ns = clock::monotonic_ns();
            }
        }
        self.world.let_slow_file_answer();
    }

    fn replace(&self, shared: &Shared, at: usize) {
        let Some(current) = &shared.tenants[at] else { return };
        let tenant = &shared.plan.tenants[at];
        let next = (current.read().unwrap().version + 1) % tenant.versions.len();
        // One that is not bound leaves the one before in its place, as a reload does.
        if let Ok(entry) = self.bind(at, tenant, next) {
            *current.write().unwrap() = Current { version: next, entry };
        }
    }
}

/// Makes every call of a run, on its threads.
fn work(shared: &Arc<Shared>) -> Vec<Called> {
    let arrivals: Vec<usize> = (0..shared.plan.arrivals.len())
        .filter(|at| shared.tenants[shared.plan.arrivals[*at].tenant].is_some())
        .collect();
    match shared.plan.threads {
        Threads::OwnRuntimes(count) => thread::scope(|scope| {
            let share = |worker: usize| arrivals.iter().copied().skip(worker).step_by(count).collect::<Vec<_>>();
            let worker = |worker: usize| {
                let mine = share(worker);
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(async {
                        let calls = join_all(mine.iter().map(|at| shared.arrive(*at))).await;
                        shared.settled().await;
                        calls
                    })
                })
            };
            let workers: Vec<_> = (0..count).map(worker).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        }),
        Threads::Stealing(count) => {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(count).enable_all().build().unwrap();
            runtime.block_on(async {
                let tasks = arrivals.iter().map(|at| {
                    let (shared, at) = (shared.clone(), *at);
                    tokio::spawn(async move { shared.arrive(at).await })
                });
                let calls = join_all(tasks.collect::<Vec<_>>()).await;
                shared.settled().await;
                calls.into_iter().map(Result::unwrap).collect()
            })
        }
    }
}

/// Waits until no call runs any more, and tells what still does.
fn idle(shared: &Shared) -> Vec<String> {
    let until = clock::monotonic_ns() + GIVES_WAY_NS;
    let busy = || {
        let programs = shared.tenants.iter().flatten().map(|current| current.read().unwrap().entry.program().clone());
        programs
            .filter(|program| program.load() != (0, 0))
            .map(|program| program.name().to_string())
            .collect::<Vec<_>>()
    };
    while !busy().is_empty() && clock::monotonic_ns() < until {
        thread::sleep(Duration::from_millis(1));
    }
    busy().into_iter().map(|name| format!("`{name}` still runs or waits after its last call")).collect()
}

impl Shared {
    fn passed(&self) -> Duration {
        Duration::from_nanos(clock::monotonic_ns() - self.started_ns)
    }

    /// Waits until every call has its receipt, also those that go on after their answer.
    async fn settled(&self) {
        let until = clock::monotonic_ns() + SETTLES_NS;
        while self.receipts.lock().unwrap().len() < self.expected && clock::monotonic_ns() < until {
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn id(&self, number: u32) -> CallId {
        CallId::new(self.plan.seed, u64::from(number))
    }

    /// Makes one call, as patiently as its plan says.
    async fn arrive(&self, at: usize) -> Called {
        let arrival = &self.plan.arrivals[at];
        sleep(arrival.at.saturating_sub(self.passed())).await;
        let number = u32::try_from(at).unwrap() + 1;
        let (version, entry) = {
            let current = self.tenants[arrival.tenant].as_ref().unwrap().read().unwrap();
            (current.version, current.entry.clone())
        };
        let digest = entry.program().digest();
        let from_ns = clock::monotonic_ns();
        let told = self.call(number, arrival, &entry).await;
        Called { number, tenant: arrival.tenant, arrival: at, version, digest, told, from_ns, to_ns: 0 }
    }

    async fn call(&self, number: u32, arrival: &Arrival, entry: &Entry) -> Told {
        let (keep, id) = (self.receipts.clone(), self.id(number));
        let receipts: Arc<dyn Settle> =
            Arc::new(move |receipt: Receipt| keep.lock().unwrap().push((receipt, clock::monotonic_ns())));
        let origin = Origin { trigger: "simulator".into(), source: "run".into(), event: number.to_string().into() };
        let canary = Canary::of_call(u8::try_from(arrival.tenant).unwrap(), number);
        if let Ask::Hold(count) = arrival.ask {
            return hold(entry, canary, count).await;
        }
        let event = event::of(arrival, &self.plan.tenants[arrival.tenant], canary, &self.ports);
        let running = entry.run(Call { id, origin, event, receipts });
        match arrival.patience {
            Patience::Unpolled => Told::Left,
            Patience::Leaves(after) => {
                tokio::time::timeout(after, async { told(running.await, arrival.patience).await })
                    .await
                    .unwrap_or(Told::Left)
            }
            Patience::Stays | Patience::Slow(_) | Patience::TakesFrames(_) => {
                told(running.await, arrival.patience).await
            }
        }
    }
}

/// Calls a typed guest in a sandbox that is held, until it does not end well.
async fn hold(entry: &Entry, canary: Canary, count: u32) -> Told {
    let mut held = match entry.program().hold().await {
        Ok(held) => held,
        Err(outcome) => return Told::Held(vec![Err(outcome)]),
    };
    let run = held.typed::<(i64, i64), i64>("run").unwrap();
    let [low, high] = canary.numbers();
    let mut results = Vec::new();
    for _ in 0..count {
        results.push(held.call(&run, (low, high)));
        if results.last().is_some_and(Result::is_err) {
            break;
        }
    }
    Told::Held(results)
}

async fn told(reply: Reply, patience: Patience) -> Told {
    match reply {
        Reply::Ended(outcome) => Told::Ended(outcome),
        Reply::Exit { code, output } => Told::Exit(code, output),
        Reply::Value(value) => Told::Value(value),
        Reply::Output(body) => Told::Output(body.collect().await.map(|body| body.to_bytes()).unwrap_or_default()),
        Reply::Http(response) => {
            let status = response.status().as_u16();
            let (body, end) = read(response.into_body(), patience).await;
            Told::Answer { status, body, end }
        }
    }
}

async fn read(mut body: Body, patience: Patience) -> (Bytes, BodyEnd) {
    let (mut read, mut frames) = (Vec::new(), 0);
    loop {
        match patience {
            Patience::TakesFrames(most) if frames == most => return (read.into(), BodyEnd::Left),
            Patience::Slow(pause) => sleep(pause).await,
            Patience::Stays | Patience::Unpolled | Patience::Leaves(_) | Patience::TakesFrames(_) => {}
        }
        match body.frame().await {
            None => return (read.into(), BodyEnd::Whole),
            Some(Err(_)) => return (read.into(), BodyEnd::Broken),
            Some(Ok(frame)) => read.extend_from_slice(&frame.into_data().unwrap_or_default()),
        }
        frames += 1;
    }
}

fn process_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// Measures how late threads wake up, which no deadline can be better than.
struct Lag {
    ended: Arc<AtomicBool>,
    longest_ns: Arc<AtomicU64>,
    thread: thread::JoinHandle<()>,
}

impl Lag {
    fn start() -> Lag {
        let (ended, longest_ns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (until, longest) = (ended.clone(), longest_ns.clone());
        let thread = thread::spawn(move || {
            while !until.load(Relaxed) {
                let before_ns = clock::monotonic_ns();
                thread::sleep(Duration::from_millis(1));
                longest.fetch_max((clock::monotonic_ns() - before_ns).saturating_sub(1_000_000), Relaxed);
            }
        });
        Lag { ended, longest_ns, thread }
    }

    fn end(self) -> u64 {
        self.ended.store(true, Relaxed);
        let _ = self.thread.join();
        self.longest_ns.load(Relaxed)
    }
}
