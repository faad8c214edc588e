//! Everything that guests share: Wasmtime's engines, the watchdog, the artifact cache and the compiler.

use crate::{
    artifact::{Artifacts, Code, Form, Key, adopt},
    compile::Compiler,
    dialect::Linkers,
    error::LoadError,
    inspect::Needs,
    interrupt::{self, Interruption, Interrupts, TICKER},
    known::Known,
    lane::Lane,
    load::Guest,
    room::Room,
    ticker::{TICK, Ticker, Ticking, TickingHere},
    tuning::{Allocation, Tuning},
};
use sandbar_grants::{HttpClient, Resolver, SystemResolver};
use std::{
    env,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Where sandboxes get their memory.
    pub allocation: Allocation,
    /// The artifact cache, if there is one.
    pub cache: Option<Cache>,
    /// Who compiles.
    pub compiler: Compiler,
    /// How guests that run are interrupted, where they can be in either way.
    pub interruption: Interruption,
}

impl Default for EngineConfig {
    /// Sandboxes as they are needed, compiled in this process, and nothing kept.
    fn default() -> EngineConfig {
        EngineConfig {
            allocation: Allocation::OnDemand,
            cache: None,
            compiler: Compiler::InProcess,
            interruption: Interruption::default(),
        }
    }
}

/// The artifact cache.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Its folder, which only this user may write to.
    pub folder: PathBuf,
    /// The most bytes of artifacts that stay in it.
    pub bytes_max: u64,
}

/// The most bytes of artifacts that the user's cache keeps.
const CACHE_BYTES_MAX: u64 = 2 << 30;

impl Cache {
    /// The user's: `$XDG_CACHE_HOME/sandbar`, or `~/.cache/sandbar`; none where there is no home.
    pub fn of_user() -> Option<Cache> {
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
        Some(Cache { folder: base.join("sandbar"), bytes_max: CACHE_BYTES_MAX })
    }
}

/// Runs guests. Clones share everything.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    config: EngineConfig,
    tuned: [OnceLock<wasmtime::Engine>; Tuning::COUNT],
    interrupts: [OnceLock<Interrupts>; Tuning::COUNT],
    /// Whether guests can be interrupted by signals.
    signals: bool,
    tuning: Mutex<()>,
    artifacts: Option<Artifacts>,
    known: Known,
    linkers: Linkers,
    ticker: Ticker,
    resolver: Arc<dyn Resolver>,
    http: HttpClient,
    room: Arc<Room>,
    /// Where many calls share threads.
    lane: Option<Arc<Lane>>,
}

impl Engine {
    /// Sets an engine up.
    ///
    /// # Errors
    /// The cache's folder can't be used, or no thread can be started.
    pub fn new(config: EngineConfig) -> Result<Engine, LoadError> {
        Engine::with_resolver(config, Arc::new(SystemResolver::default()))
    }

    /// Sets an engine up whose guests look names up here, so that a test can be the name server.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn with_resolver(config: EngineConfig, resolver: Arc<dyn Resolver>) -> Result<Engine, LoadError> {
        let setup = |error: std::io::Error| LoadError::Setup(error.to_string());
        let artifacts = config.cache.as_ref().map(|Cache { folder, bytes_max }| {
            Artifacts::open(folder, *bytes_max).map_err(|error| match error.raw_os_error() {
                Some(_) => LoadError::Cache { folder: folder.clone(), error },
                // It could be kept there, and must not.
                None => setup(error),
            })
        });
        let artifacts = artifacts.transpose()?;
        let ticker = Ticker::start().map_err(setup)?;
        let slots = match config.allocation {
            Allocation::Pooled { slots } => slots as usize,
            Allocation::OnDemand => Semaphore::MAX_PERMITS,
        };
        let lane = (slots < Semaphore::MAX_PERMITS).then(Arc::default);
        let room = Arc::new(Room::new(slots));
        // A host program may need both signals itself.
        let signals = config.interruption == Interruption::Signals && interrupt::install().is_ok();
        let tuned = [const { OnceLock::new() }; Tuning::COUNT];
        Ok(Engine(Arc::new(Shared {
            config,
            tuned,
            interrupts: [const { OnceLock::new() }; Tuning::COUNT],
            signals,
            tuning: Mutex::new(()),
            artifacts,
            known: Known::default(),
            linkers: Linkers::default(),
            ticker,
            http: HttpClient::resolving(resolver.clone()),
            resolver,
            room,
            lane,
        })))
    }

    /// The code of a guest: what somebody has, from the cache, or compiled now.
    pub(crate) fn code(&self, guest: &Guest, tuning: Tuning) -> Result<Arc<Code>, LoadError> {
        self.0.known.codes.get_or_make((guest.digest(), tuning), || self.load_code(guest, tuning))
    }

    fn load_code(&self, guest: &Guest, tuning: Tuning) -> Result<Code, LoadError> {
        let engine = self.tuned(tuning)?;
        let key = Key::new(guest.digest(), tuning, &engine);
        let component = guest.is_component();
        if let Some(code) = self.0.artifacts.as_ref().and_then(|artifacts| artifacts.load(key, &engine, component)) {
            return Ok(code);
        }
        let artifact = guest.compiling(|| self.0.config.compiler.compile(tuning, component, guest.bytes()))?;
        let kept = self.0.artifacts.as_ref().map(|artifacts| artifacts.keep(key, &artifact, &engine, component));
        match kept {
            Some(Ok(code)) => Ok(code),
            // A full disk is no reason not to serve.
            Some(Err(_)) | None => Ok(adopt(&artifact, &engine, component)?),
        }
    }

    /// Compiles a guest into the cache ahead of time, unless it is there, and tells the artifact's file.
    ///
    /// # Errors
    /// The guest does not compile.
    pub fn prepare(&self, guest: &Guest, fuel: bool) -> Result<Option<PathBuf>, LoadError> {
        let tuning = self.tuning(guest.summary().needs, fuel);
        self.code(guest, tuning)?;
        let key = Key::new(guest.digest(), tuning, &self.tuned(tuning)?);
        Ok(self.0.artifacts.as_ref().map(|artifacts| artifacts.path(key)))
    }

    /// What a guest needs of Wasmtime's engine. References of garbage collection may only be moved where the compiler knows of
    /// it, and tasks may not wait everywhere: such guests look at the epoch.
    pub(crate) fn tuning(&self, needs: Needs, fuel: bool) -> Tuning {
        let Needs { concurrency, gc, .. } = needs;
        Tuning { fuel, concurrency, gc, epochs: concurrency || gc || !self.0.signals }
    }

    /// Wasmtime's engine for a tuning, made when first asked for.
    pub(crate) fn tuned(&self, tuning: Tuning) -> Result<wasmtime::Engine, LoadError> {
        let Some(cell) = self.0.tuned.get(tuning.index()) else {
            return Err(LoadError::Setup("no such tuning".into()));
        };
        let _one_at_a_time = self.0.tuning.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = cell.get() {
            return Ok(engine.clone());
        }
        let engine = tuning.engine(self.0.config.allocation).map_err(|error| LoadError::Setup(format!("{error:#}")))?;
        self.0.ticker.add(engine.weak());
        Ok(cell.get_or_init(|| engine).clone())
    }

    /// What interrupts guests of a tuning, unless they look at the epoch.
    pub(crate) fn interrupts(&self, tuning: Tuning) -> Result<Option<Interrupts>, LoadError> {
        let Some(cell) = self.0.interrupts.get(tuning.index()).filter(|_| !tuning.epochs) else {
            return Ok(None);
        };
        if let Some(interrupts) = cell.get() {
            return Ok(Some(interrupts.clone()));
        }
        let setup = |error: wasmtime::Error| LoadError::Setup(format!("{error:#}"));
        let code = self.code(&Guest::from_bytes("ticker", TICKER)?, tuning)?;
        let Form::Module(ticker) = &code.form else {
            return Err(LoadError::Setup("the ticker is no module".into()));
        };
        let interrupts = Interrupts::new(&self.tuned(tuning)?, ticker).map_err(setup)?;
        Ok(Some(cell.get_or_init(|| interrupts).clone()))
    }

    /// What guests were loaded that somebody uses still.
    pub(crate) fn known(&self) -> &Known {
        &self.0.known
    }

    /// What guests of each kind can import from WASI.
    pub(crate) fn linkers(&self) -> &Linkers {
        &self.0.linkers
    }

    /// The slow lane, if calls share threads here.
    pub(crate) fn lane(&self) -> Option<Arc<Lane>> {
        self.0.lane.clone()
    }

    /// Ends what calls still do after their answers, once they had so much time. Blocks. No call starts after this.
    pub fn end(&self, within: Duration) {
        let until = Instant::now().checked_add(within);
        while self.0.ticker.running() > 0 && until.is_none_or(|until| Instant::now() < until) {
            thread::sleep(TICK);
        }
        if let Some(lane) = &self.0.lane {
            lane.end();
        }
    }

    /// The room for sandboxes, over all guests.
    pub(crate) fn room(&self) -> Arc<Room> {
        self.0.room.clone()
    }

    /// What looks up names for guests.
    pub(crate) fn resolver(&self) -> Arc<dyn Resolver> {
        self.0.resolver.clone()
    }

    /// What sends requests for guests.
    pub(crate) fn http_client(&self) -> HttpClient {
        self.0.http.clone()
    }

    /// Keeps epochs moving while a call runs.
    pub(crate) fn ticking(&self) -> Ticking {
        self.0.ticker.enter()
    }

    /// The same, for a call on this thread.
    pub(crate) fn ticking_here(&self) -> TickingHere<'_> {
        self.0.ticker.enter_here()
    }
}
