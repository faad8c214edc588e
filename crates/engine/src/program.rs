//! A guest bound to its grants, limits and pool: everything that its calls share.

use crate::{
    artifact::{Code, Form},
    dialect::{self, ExtismBounds},
    drive::{LONG_USUAL_NS, Start},
    engine::Engine,
    error::LoadError,
    functions::Functions,
    interrupt::{GuestCode, Interrupts},
    limiter::Limiter,
    load::Guest,
    outgoing::Outgoing,
    pool::{Policy, Pool, PoolLimits},
    renewal::Renewal,
    sandbox::Sandbox,
    state::{State, Ticks},
    stdio::{Input, Log, LogStream, Output, Pipe},
    tap::Tap,
    tuning::Tuning,
    values::InMemory,
};
use sandbar_call::{CallId, Digest, GuestName, Limits, Meter, Resource};
use sandbar_grants::{Admitted, Network};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use wasmtime::component;
use wasmtime_wasi::WasiView;
use wasmtime_wasi_http::WasiHttpCtx;

/// What a guest is bound to.
#[derive(Clone)]
pub struct Binding {
    /// What it may touch.
    pub grants: Arc<Admitted>,
    /// How much a call or sandbox may consume.
    pub limits: Limits,
    /// Whether fuel is counted exactly. A limit of fuel counts it too.
    pub fuel: Fuel,
    /// How long a sandbox lives.
    pub policy: Policy,
    /// How many there may be.
    pub pool: PoolLimits,
    /// Where its log records go.
    pub log: Arc<dyn Log>,
    /// What a host program gives it beside.
    pub functions: Arc<Functions>,
    /// What it finds configured, where its dialect can ask.
    pub config: Arc<BTreeMap<String, String>>,
    /// What typed exports of a core module leave in its memory, by their names.
    pub results: Arc<BTreeMap<String, InMemory>>,
    /// How much it may hold beside its memory, where it is a plugin of Extism.
    pub extism: ExtismBounds,
}

impl Binding {
    /// Grants nothing: a fresh sandbox for each call, under these limits.
    pub fn new(limits: Limits, log: Arc<dyn Log>) -> Binding {
        Binding {
            grants: Arc::default(),
            limits,
            fuel: Fuel::WhereLimited,
            policy: Policy::Fresh,
            pool: PoolLimits::default(),
            log,
            functions: Arc::default(),
            config: Arc::default(),
            results: Arc::default(),
            extism: ExtismBounds::default(),
        }
    }
}

/// Whether fuel is counted exactly, which slows compute-bound guests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fuel {
    /// Only where a limit asks for it.
    #[default]
    WhereLimited,
    /// Always.
    Always,
}

/// A guest that is ready to be called.
pub struct Program {
    engine: Engine,
    wasmtime: wasmtime::Engine,
    pub(crate) name: GuestName,
    pub(crate) digest: Digest,
    tuning: Tuning,
    core_instances: u64,
    linked: Linked,
    code: Arc<Code>,
    binding: Binding,
    pool: Arc<Pool>,
    renewal: Option<Arc<Renewal>>,
    starts_idle: bool,
    waits: bool,
    /// What interrupts it, and where it can be interrupted, unless it looks at the epoch.
    interrupts: Option<(Interrupts, Arc<GuestCode>)>,
    /// For how much processor time its recent calls ran without giving way, on average.
    recent_run_ns: AtomicU64,
}

/// A guest whose imports are all provided.
pub(crate) enum Linked {
    Core(wasmtime::InstancePre<State>),
    Component(component::InstancePre<State>),
}

impl Engine {
    /// Binds a guest: compiles it, unless an artifact is there, and provides its imports.
    ///
    /// # Errors
    /// The guest does not compile, imports something unknown, or starts with more than its limits.
    pub fn bind(&self, guest: &Guest, binding: Binding) -> Result<Arc<Program>, LoadError> {
        let summary = guest.summary();
        fits(&binding.limits, Resource::Memory, summary.memory_min_bytes)?;
        fits(&binding.limits, Resource::Tables, summary.table_min)?;
        let core_instances = u64::from(summary.core_instances);
        fits(&binding.limits, Resource::Instances, core_instances)?;
        let fuel = binding.fuel == Fuel::Always || binding.limits.get(Resource::Fuel).is_some();
        let tuning = self.tuning(summary.needs, fuel);
        let wasmtime = self.tuned(tuning)?;
        let code = self.code(guest, tuning)?;
        let interrupts = self.interrupts(tuning)?.map(|interrupts| (interrupts, code.places()));
        let linked = match &code.form {
            Form::Module(module) => {
                let linker = self.linkers().module(&wasmtime, tuning, &binding.grants)?;
                Linked::Core(dialect::link_module(linker, module, &binding)?)
            }
            Form::Component(component) => {
                let linker = self.linkers().component(&wasmtime, tuning, &binding.grants)?;
                Linked::Component(dialect::link_component(linker, component, &binding)?)
            }
        };
        let waits = match &code.form {
            Form::Module(module) => dialect::waits(module, &binding),
            Form::Component(_) => true,
        };
        let starts_idle = Renewal::is_possible(&linked) && !summary.reserved;
        let renews = binding.policy == Policy::Fresh && tuning.renews() && starts_idle;
        let renewal = renews.then(|| Renewal::of(&linked)).flatten().map(Arc::new);
        let pool = Pool::new(binding.policy, binding.pool, self.room(), renewal.clone());
        let (name, digest) = (guest.name().clone(), guest.digest());
        Ok(Arc::new(Program {
            engine: self.clone(),
            wasmtime,
            name,
            digest,
            tuning,
            core_instances,
            linked,
            code,
            binding,
            pool,
            renewal,
            starts_idle,
            waits,
            interrupts,
            recent_run_ns: AtomicU64::new(0),
        }))
    }
}

impl Program {
    pub(crate) fn engine(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    pub(crate) fn host(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn tuning(&self) -> Tuning {
        self.tuning
    }

    /// Core instances that each of its sandboxes has.
    pub(crate) fn core_instances(&self) -> u64 {
        self.core_instances
    }

    pub(crate) fn linked(&self) -> &Linked {
        &self.linked
    }

    /// Its code.
    pub(crate) fn code(&self) -> &Arc<Code> {
        &self.code
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Where its next call starts.
    pub(crate) fn start(&self) -> Start {
        match self.engine.lane() {
            None => Start::Here,
            Some(lane) if self.recent_run_ns.load(Relaxed) > LONG_USUAL_NS => Start::Away(lane),
            Some(lane) => Start::HereFirst(lane),
        }
    }

    /// Notes for how much processor time a call ran without giving way. Of calls that end together some may go uncounted.
    pub(crate) fn ran(&self, run_ns: u64) {
        let recent = self.recent_run_ns.load(Relaxed);
        self.recent_run_ns.store(recent - recent / 8 + run_ns / 8, Relaxed);
    }

    /// Whether it is certain that none of its own code runs before its export is called.
    pub(crate) fn starts_idle(&self) -> bool {
        self.starts_idle
    }

    /// Whether something that it imports may make it wait.
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }

    /// What interrupts it, and where it can be interrupted, unless it looks at the epoch.
    pub(crate) fn interrupts(&self) -> Option<&(Interrupts, Arc<GuestCode>)> {
        self.interrupts.as_ref()
    }

    /// How its sandboxes are renewed, if they can be.
    pub(crate) fn renewal(&self) -> Option<&Renewal> {
        self.renewal.as_deref()
    }

    /// How often a fresh sandbox was an earlier one, made as it was in the beginning.
    pub fn renewed(&self) -> u64 {
        self.renewal.as_ref().map_or(0, |renewal| renewal.renewed())
    }

    /// What it is bound to.
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// The guest's name.
    pub fn name(&self) -> &GuestName {
        &self.name
    }

    /// The guest's digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Calls that run now, and calls that wait for a sandbox.
    pub fn load(&self) -> (u32, u32) {
        self.pool.load()
    }

    /// Makes a sandbox for a call. None of the guest's code has run in it.
    pub(crate) fn sandbox(
        &self,
        call: CallId,
        meter: &Arc<Meter>,
        streams: Streams<'_>,
    ) -> wasmtime::Result<Box<Sandbox>> {
        Ok(Box::new(Sandbox::new(self, self.state(call, meter, streams)?)))
    }

    /// Makes all that lives as long as a sandbox and lies outside of its instance.
    pub(crate) fn state(&self, call: CallId, meter: &Arc<Meter>, streams: Streams<'_>) -> wasmtime::Result<State> {
        let tap = Tap::new(meter.clone());
        let grants = self.binding.grants.clone();
        let (stdin, stdout) = (Input::new(tap.clone()), Pipe::default());
        let stderr = LogStream::new(self.binding.log.clone(), self.name.clone(), tap.clone(), call);
        let network = Arc::new(Network::open(grants.clone(), self.engine.resolver()));
        let mut wasi = dialect::context(&grants, &network, &tap)?;
        wasi.args(streams.args).envs(streams.env);
        if streams.host {
            dialect::host_stdio(&mut wasi, &tap);
        } else {
            wasi.stdin(stdin.clone()).stdout(Output::new(stdout.clone(), tap.clone())).stderr(stderr.clone());
        }
        let files = dialect::Files::new(&grants);
        let mut wasi = wasi.build_p1();
        let table = wasi.ctx().table;
        table.set_max_capacity(self.handles_max().min(table.max_capacity()));
        let mut state = State {
            wasi,
            http: WasiHttpCtx::new(),
            outgoing: Outgoing::new(self.engine.http_client(), grants.clone(), tap.clone()),
            limiter: Limiter::new(tap.clone(), meter),
            tap,
            grants,
            network,
            files,
            listings: dialect::Listings::default(),
            stdin,
            stdout,
            stderr,
            call,
            context: None,
            cancel: None,
            started_ns: None,
            deadline_ns: u64::MAX,
            ticks: Ticks::Yield,
            fuel: None,
            host_calls: Vec::new(),
            piped: !streams.host,
            streams_moved: false,
            seed: None,
            memory: None,
            extism: None,
            tap_holders: 0,
        };
        state.tap_holders = state.tap.holders();
        Ok(state)
    }

    /// Most resources that a sandbox has at one time.
    pub(crate) fn handles_max(&self) -> usize {
        usize::try_from(self.binding.limits.most(Resource::Handles)).unwrap_or(usize::MAX)
    }

    /// Takes a sandbox after a call that ended well: for another, or to be dropped.
    pub(crate) async fn give_back(&self, mut sandbox: Box<Sandbox>) {
        if self.pool.keeps(sandbox.calls()) {
            self.pool.give_back(sandbox);
        } else if let Some(renewal) = &self.renewal
            && sandbox.renew(self).await
        {
            renewal.count();
            self.pool.give_back(sandbox);
        }
    }
}

/// Where a sandbox's standard streams lead, and what only a command gets, which is fixed when its sandbox is made.
#[derive(Clone, Copy)]
pub(crate) struct Streams<'a> {
    /// Whether they are those of this process.
    pub(crate) host: bool,
    /// Arguments, the program's name first.
    pub(crate) args: &'a [String],
    /// Environment variables beside the granted ones.
    pub(crate) env: &'a [(String, String)],
}

impl Streams<'static> {
    /// Piped, without arguments.
    pub(crate) const PIPED: Streams<'static> = Streams { host: false, args: &[], env: &[] };
}

fn fits(limits: &Limits, resource: Resource, needs: u64) -> Result<(), LoadError> {
    let most = limits.most(resource);
    if needs > most { Err(LoadError::TooLarge { limit: resource.key(), needs, most }) } else { Ok(()) }
}
