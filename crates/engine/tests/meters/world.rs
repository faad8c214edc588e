//! A guest, what it is bound to, and what comes of calling it.

use sandbar_call::{
    Arguments, Body, Call, CallId, Event, GrantKind, Limits, Notation, Origin, Receipt, Reply, Resource, Run, Running,
    Settle, Stdio,
};
use sandbar_engine::{
    Allocation, Binding, Engine, EngineConfig, Entry, EntryChoice, Fuel, Guest, LoadError, Log, LogRecord, Policy,
    PoolLimits,
};
use sandbar_grants::{Grants, Volumes};
use std::{
    future::Future,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

pub(crate) const MS: u64 = 1_000_000;

/// What a guest is bound to. The default grants nothing, counts fuel, and bounds only wall time.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) allocation: Allocation,
    pub(crate) fuel: Fuel,
    pub(crate) limits: Limits,
    pub(crate) grants: &'static [(GrantKind, &'static str)],
    pub(crate) policy: Policy,
    pub(crate) pool: PoolLimits,
    pub(crate) choice: EntryChoice,
}

impl Default for World {
    fn default() -> World {
        World {
            allocation: Allocation::OnDemand,
            fuel: Fuel::Always,
            limits: Limits::NONE.with(Resource::Wall, 20_000 * MS),
            grants: &[],
            policy: Policy::Fresh,
            pool: PoolLimits::default(),
            choice: EntryChoice::default(),
        }
    }
}

impl World {
    pub(crate) fn with(mut self, resource: Resource, most: u64) -> World {
        self.limits = self.limits.with(resource, most);
        self
    }

    pub(crate) fn policy(self, policy: Policy) -> World {
        World { policy, ..self }
    }

    pub(crate) fn export(mut self, name: &str) -> World {
        self.choice.export = Some(name.into());
        self
    }

    /// Binds a guest that is given as text, or as it was built.
    pub(crate) fn bind(&self, guest: impl AsRef<[u8]>) -> Bound {
        self.try_bind(guest).unwrap()
    }

    pub(crate) fn try_bind(&self, guest: impl AsRef<[u8]>) -> Result<Bound, LoadError> {
        let guest = Guest::from_bytes("guest", guest.as_ref().to_vec())?;
        let mut grants = Grants::default();
        for (kind, entry) in self.grants {
            grants.add(*kind, entry)?;
        }
        let log = Arc::new(Kept::default());
        let binding = Binding {
            grants: Arc::new(grants.admit(Path::new("."), &|_| None, &Volumes::default())?),
            fuel: self.fuel,
            policy: self.policy,
            pool: self.pool,
            ..Binding::new(self.limits.clone(), log.clone())
        };
        let config = EngineConfig { allocation: self.allocation, ..EngineConfig::default() };
        let engine = Engine::new(config)?;
        let entry = engine.bind(&guest, binding)?.entry(&guest, self.choice.clone())?;
        Ok(Bound { engine, entry, receipts: Arc::default(), log })
    }
}

/// A guest that is ready to be called.
pub(crate) struct Bound {
    pub(crate) engine: Engine,
    pub(crate) entry: Entry,
    receipts: Arc<Mutex<Vec<Receipt>>>,
    log: Arc<Kept>,
}

impl Bound {
    /// The same program by another of its exports.
    pub(crate) fn of_export(&self, guest: impl AsRef<[u8]>, export: &str) -> Bound {
        let guest = Guest::from_bytes("guest", guest.as_ref().to_vec()).unwrap();
        let choice = EntryChoice { export: Some(export.into()), ..EntryChoice::default() };
        let entry = self.entry.program().entry(&guest, choice).unwrap();
        Bound { engine: self.engine.clone(), entry, receipts: Arc::default(), log: self.log.clone() }
    }

    /// Starts a call.
    pub(crate) fn run(&self, event: Event) -> Running<'_> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let keep = self.receipts.clone();
        let receipts: Arc<dyn Settle> = Arc::new(move |receipt: Receipt| keep.lock().unwrap().push(receipt));
        let id = CallId::new(0, NEXT.fetch_add(1, Relaxed));
        let origin = Origin { trigger: "test".into(), source: "meters".into(), event: id.to_string().into() };
        self.entry.run(Call { id, origin, event, receipts })
    }

    /// Makes a call on a runtime of its own, and gives its answer and its one receipt.
    pub(crate) fn call(&self, event: Event) -> (Reply, Receipt) {
        let reply = block_on(self.run(event));
        (reply, self.receipt())
    }

    /// The one receipt that has settled since this was last asked.
    pub(crate) fn receipt(&self) -> Receipt {
        let mut receipts = self.receipts();
        assert_eq!(receipts.len(), 1, "a call ends in one receipt: {receipts:?}");
        receipts.remove(0)
    }

    /// The receipts that have settled since this was last asked.
    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        std::mem::take(&mut self.receipts.lock().unwrap())
    }

    /// The messages of the log since this was last asked.
    pub(crate) fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.0.lock().unwrap())
    }
}

#[derive(Default)]
struct Kept(Mutex<Vec<String>>);

impl Log for Kept {
    fn log(&self, record: LogRecord) {
        self.0.lock().unwrap().push(record.message);
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Calls a typed export with texts.
pub(crate) fn typed(arguments: &[&str]) -> Event {
    let texts = arguments.iter().map(ToString::to_string).collect();
    Event::Export { arguments: Arguments::Texts { texts, result: Notation::Wave }, context: None }
}

/// Calls a function with this on stdin.
pub(crate) fn stdin(input: &'static str) -> Event {
    Event::Export { arguments: Arguments::Stdin(input.into()), context: None }
}

/// Runs a command with this on stdin.
pub(crate) fn command(input: &'static str) -> Event {
    Event::Command { args: vec!["guest".into()], stdio: Stdio::Piped(input.into()) }
}

/// Asks a guest on a route.
pub(crate) fn get(path: &str) -> Event {
    Event::Http(http::Request::get(path).header("host", "localhost").body(Body::Empty).unwrap())
}

/// A receipt without what differs from run to run: outcome, amounts and uses of grants.
pub(crate) fn shown(receipt: &Receipt) -> String {
    let mut words = vec![receipt.outcome.kind().key().to_owned()];
    for &resource in Resource::ALL {
        let amount = receipt.used.get(resource).filter(|amount| *amount > 0);
        match resource {
            Resource::Wall => assert!(amount.is_some(), "time is always metered: {receipt:?}"),
            Resource::Cpu => assert!(amount.is_some() || receipt.sandbox.is_none(), "{receipt:?}"),
            _ => words.extend(amount.map(|amount| format!("{}={amount}", resource.field()))),
        }
    }
    let uses = GrantKind::ALL.iter().map(|kind| (kind.key(), receipt.grants.get(*kind)));
    words.extend(uses.filter(|(_, count)| *count > 0).map(|(key, count)| format!("{key}:{count}")));
    words.join(" ")
}
