//! What a plugin is loaded with: where it comes from, what it may touch and use, and how its sandboxes live.

use crate::{
    Error, Host, Plugin,
    functions::{self, AsyncHostFunction, CoreArguments, CoreResult, HostFunction},
    others::{self, Others},
    replace::Probation,
    source::Source,
    state::{self, State},
};
use sandbar_call::{GrantKind, Limits, Receipt, Resource};
use sandbar_engine::{
    ExtismBounds, Fuel, Function, Functions, HostCall, HostError, InMemory, Log, LogRecord, MEMORY_BYTES_MAX,
};
use sandbar_grants::{GrantError, Grants};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How a plugin's sandboxes live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// One sandbox that is there from the start and keeps what the plugin keeps. Calls wait for each other.
    #[default]
    Held,
    /// Up to so many sandboxes at one time, each of them for so many calls one after the other.
    Reused {
        /// Sandboxes at one time.
        sandboxes_max: u32,
        /// Calls that one serves.
        calls: u64,
        /// How long one stays that is not called.
        idle: Duration,
    },
    /// A new sandbox for each call, up to so many at one time.
    Fresh {
        /// Sandboxes at one time.
        sandboxes_max: u32,
    },
}

/// What happens after a call that ended a held sandbox: it trapped, was stopped, refused or cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rebuild {
    /// The next call gets a new one, which starts as the first did.
    #[default]
    BeforeNextCall,
    /// Every later call is refused.
    Never,
}

/// What a plugin is about to be loaded with.
pub struct PluginBuilder {
    pub(crate) host: Host,
    pub(crate) source: Source,
    pub(crate) terms: Terms,
    problem: Option<GrantError>,
}

/// What a plugin is loaded with, also each time that it is replaced.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) grants: Grants,
    pub(crate) base: PathBuf,
    pub(crate) limits: Limits,
    pub(crate) fuel: Fuel,
    pub(crate) functions: Functions,
    pub(crate) others: Others,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) results: BTreeMap<String, InMemory>,
    pub(crate) extism: ExtismBounds,
    pub(crate) policy: Policy,
    pub(crate) rebuild: Rebuild,
    pub(crate) probation: Probation,
    pub(crate) self_test: Option<SelfTest>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) receipts: Option<Receipts>,
}

/// Tries a version before it takes calls.
pub(crate) type SelfTest = Arc<dyn Fn(&Plugin) -> Result<(), String> + Send + Sync>;

/// Takes the receipt of each call.
pub(crate) type Receipts = Arc<dyn Fn(&Receipt) + Send + Sync>;

/// What each call of a plugin may use, unless its host says otherwise.
pub(crate) fn usual_limits() -> Limits {
    Limits::NONE
        .with(Resource::Wall, 10_000_000_000)
        .with(Resource::Memory, 256 << 20)
        .with(Resource::Tables, 100_000)
        .with(Resource::Instances, 100)
        .with(Resource::Handles, 1_000)
        .with(Resource::Output, 64 << 20)
        .with(Resource::Log, 1 << 20)
}

impl PluginBuilder {
    pub(crate) fn new(host: Host, source: Source) -> PluginBuilder {
        let terms = Terms {
            name: None,
            grants: Grants::default(),
            base: PathBuf::from("."),
            limits: usual_limits(),
            fuel: Fuel::WhereLimited,
            functions: functions::built_in(),
            others: Others::new(),
            config: BTreeMap::new(),
            results: BTreeMap::new(),
            extism: ExtismBounds::default(),
            policy: Policy::Held,
            rebuild: Rebuild::BeforeNextCall,
            probation: Probation::default(),
            self_test: None,
            log: Arc::new(Unheard),
            receipts: None,
        };
        let builder = PluginBuilder { host, source: source.clone(), terms, problem: None };
        match source {
            Source::Extism(manifest) => manifest.on(builder),
            Source::File(_) | Source::Bytes(_) | Source::Guest(_) => builder,
        }
    }

    /// Names it, in receipts and log records. Otherwise it is named by its file.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> PluginBuilder {
        self.terms.name = Some(name.into());
        self
    }

    /// Grants it one thing, in the form that `docs/grants.md` has for the kind. An entry that is not in that form is told when
    /// it is loaded.
    #[must_use]
    pub fn grant(mut self, kind: GrantKind, entry: &str) -> PluginBuilder {
        if let Err(problem) = self.terms.grants.add(kind, entry) {
            self.problem.get_or_insert(problem);
        }
        self
    }

    /// Sees granted folders from this one, and not from the folder that the host runs in.
    #[must_use]
    pub fn base(mut self, folder: impl AsRef<Path>) -> PluginBuilder {
        self.terms.base = folder.as_ref().to_path_buf();
        self
    }

    /// Bounds what each call may use of something, in its unit: bytes, nanoseconds or a count.
    #[must_use]
    pub fn limit(mut self, resource: Resource, most: u64) -> PluginBuilder {
        let most = if resource == Resource::Memory { most.min(MEMORY_BYTES_MAX) } else { most };
        self.terms.limits = self.terms.limits.with(resource, most);
        self
    }

    /// Counts fuel exactly, also where it is not bounded.
    #[must_use]
    pub fn count_fuel(mut self) -> PluginBuilder {
        self.terms.fuel = Fuel::Always;
        self
    }

    /// Bounds the wall time of each call.
    #[must_use]
    pub fn within(self, time: Duration) -> PluginBuilder {
        self.limit(Resource::Wall, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Says how its sandboxes live.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> PluginBuilder {
        self.terms.policy = policy;
        self
    }

    /// Says what happens after a call that ended a held sandbox.
    #[must_use]
    pub fn rebuild(mut self, rebuild: Rebuild) -> PluginBuilder {
        self.terms.rebuild = rebuild;
        self
    }

    /// Tries each version before it takes calls, the first one too. What the test says against it is in the error.
    #[must_use]
    pub fn self_test(mut self, test: impl Fn(&Plugin) -> Result<(), String> + Send + Sync + 'static) -> PluginBuilder {
        self.terms.self_test = Some(Arc::new(test));
        self
    }

    /// Says how long a new version is watched after it replaced another.
    #[must_use]
    pub fn probation(mut self, probation: Probation) -> PluginBuilder {
        self.terms.probation = probation;
        self
    }

    /// Configures something, where the plugin's dialect can ask for it.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> PluginBuilder {
        self.terms.config.insert(key.into(), value.into());
        self
    }

    /// Says what a typed export of a core module leaves in its memory, which its type does not tell, as `docs/values.md` says.
    #[must_use]
    pub fn result(mut self, export: impl Into<String>, leaves: InMemory) -> PluginBuilder {
        self.terms.results.insert(export.into(), leaves);
        self
    }

    /// Bounds what a plugin of Extism may hold beside its memory.
    #[must_use]
    pub fn extism_bounds(mut self, bounds: ExtismBounds) -> PluginBuilder {
        self.terms.extism = bounds;
        self
    }

    /// Gives a core module a function. It takes numbers, and texts and bytes as a pointer and a length:
    ///
    /// ```no_run
    /// # let host = sandbar_embed::Host::new()?;
    /// use sandbar_embed::{HostCall, LogLevel};
    /// let plugin = host.plugin("filter.wasm")
    ///     .function("env", "host_log", |call: &mut HostCall<'_>, (level, text): (i32, String)| {
    ///         call.log(if level > 2 { LogLevel::Warn } else { LogLevel::Info }, &text)
    ///     })
    ///     .load()?;
    /// # Ok::<(), sandbar_embed::Error>(())
    /// ```
    #[must_use]
    pub fn function<A: CoreArguments, R: CoreResult>(
        self,
        module: &str,
        name: &str,
        function: impl HostFunction<A, R>,
    ) -> PluginBuilder {
        self.add(module, name, crate::functions::core(function))
    }

    /// Gives a core module a function that waits.
    #[must_use]
    pub fn async_function<A: CoreArguments, R: CoreResult + Send + 'static>(
        self,
        module: &str,
        name: &str,
        function: impl AsyncHostFunction<A, R>,
    ) -> PluginBuilder {
        self.add(module, name, crate::functions::core_async(function))
    }

    /// Gives a component a function of an interface that it imports, such as `acme:log/sink`. Values travel as `docs/values.md`
    /// says, by way of `serde`; the arguments are a tuple.
    #[must_use]
    pub fn interface_function<A, R, E>(
        self,
        interface: &str,
        name: &str,
        function: impl Fn(&mut HostCall<'_>, A) -> Result<R, E> + Send + Sync + 'static,
    ) -> PluginBuilder
    where
        A: DeserializeOwned,
        R: Serialize,
        E: Into<HostError>,
    {
        self.add(interface, name, crate::functions::values(function))
    }

    /// Gives a component a function that waits.
    #[must_use]
    pub fn async_interface_function<A, R, E, F>(
        self,
        interface: &str,
        name: &str,
        function: impl Fn(&mut HostCall<'_>, A) -> F + Send + Sync + 'static,
    ) -> PluginBuilder
    where
        A: DeserializeOwned,
        R: Serialize,
        E: Into<HostError>,
        F: Future<Output = Result<R, E>> + Send + 'static,
    {
        self.add(interface, name, crate::functions::values_async(function))
    }

    /// Lets it keep keys and values between its calls, as `docs/embed.md` says: a grant. Others may share it.
    #[must_use]
    pub fn state(mut self, state: &State) -> PluginBuilder {
        state::add(&mut self.terms.functions, state);
        self
    }

    /// Lets it call another plugin by this name, as `docs/embed.md` says: a grant.
    #[must_use]
    pub fn may_call(mut self, name: impl Into<String>, plugin: &Plugin) -> PluginBuilder {
        self.terms.others.insert(name.into(), plugin.clone());
        others::add(&mut self.terms.functions, &self.terms.others);
        self
    }

    /// Gives it a function in any form.
    #[must_use]
    pub fn add(mut self, module: &str, name: &str, function: Function) -> PluginBuilder {
        self.terms.functions.add(module, name, function);
        self
    }

    /// Tells what it says, and what is said of it. The log must not block.
    #[must_use]
    pub fn log(mut self, log: impl Fn(LogRecord) + Send + Sync + 'static) -> PluginBuilder {
        self.terms.log = Arc::new(Heard(log));
        self
    }

    /// Tells the receipt of each call, on the thread that ends it.
    #[must_use]
    pub fn on_receipt(mut self, receipts: impl Fn(&Receipt) + Send + Sync + 'static) -> PluginBuilder {
        self.terms.receipts = Some(Arc::new(receipts));
        self
    }

    /// Loads the plugin: compiles it unless that was done before, and starts it where it is held.
    ///
    /// # Errors
    /// It can't be read or compiled, imports what nobody gives it, starts with more than its limits allow, or its start code
    /// did not end well.
    pub fn load(self) -> Result<Plugin, Error> {
        if let Some(problem) = self.problem {
            return Err(problem.into());
        }
        Plugin::load(self.host, self.source, self.terms)
    }
}

impl fmt::Debug for PluginBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginBuilder")
            .field("name", &self.terms.name)
            .field("limits", &self.terms.limits)
            .finish_non_exhaustive()
    }
}

struct Unheard;

impl Log for Unheard {
    fn log(&self, _: LogRecord) {}
}

struct Heard<F>(F);

impl<F: Fn(LogRecord) + Send + Sync> Log for Heard<F> {
    fn log(&self, record: LogRecord) {
        (self.0)(record);
    }
}
