//! One version of a plugin: a guest that is bound, its exports, and its sandbox where it is held.

use crate::{
    CallError, Error, Host,
    holder::{Holder, Taken},
    overheard::Overheard,
    source::Source,
    terms::{Policy, Rebuild, Terms},
};
use sandbar_call::{Outcome, Refusal, Resource, Shape};
use sandbar_engine::{Binding, Entry, EntryChoice, Guest, Held, PoolLimits, Program};
use sandbar_grants::Volumes;
use std::{
    collections::HashMap,
    env,
    pin::pin,
    sync::{Arc, PoisonError, RwLock, atomic::AtomicU32},
    time::Duration,
};

/// Calls of one plugin that wait for a sandbox at one time.
const WAITING_MAX: u32 = 1_024;
/// How long a call waits for one, unless it may not take that long itself.
const CALL_WAIT_MAX: Duration = Duration::from_secs(86_400);
/// How long a plugin that is held waits for the host to have room for its sandbox. Others that are held do not make way.
const HOLD_WAIT: Duration = Duration::from_secs(1);

/// One version of a plugin.
pub(crate) struct Version {
    pub(crate) guest: Guest,
    pub(crate) program: Arc<Program>,
    pub(crate) overheard: Arc<Overheard>,
    entries: RwLock<HashMap<Box<str>, Entry>>,
    holder: Option<Holder>,
    rebuild: Rebuild,
    /// Calls of it that ended, and those of them that did not end well, while it is on probation.
    pub(crate) calls: AtomicU32,
    pub(crate) failures: AtomicU32,
}

impl Version {
    /// Loads a version: compiles it unless that was done before, and starts it where it is held.
    pub(crate) fn load(host: &Host, source: &Source, terms: &Terms) -> Result<Version, Error> {
        let guest = source.guest(host, terms)?;
        let host_env = |name: &str| env::var(name).ok();
        let grants = terms.grants.admit(&terms.base, &host_env, &Volumes::default())?;
        let wall = Duration::from_nanos(terms.limits.most(Resource::Wall));
        let (policy, sandboxes_max, wait) = match terms.policy {
            Policy::Held => (sandbar_engine::Policy::Held, 1, HOLD_WAIT),
            Policy::Reused { sandboxes_max, calls, idle } => {
                (sandbar_engine::Policy::Reused { calls, idle }, sandboxes_max, CALL_WAIT_MAX)
            }
            Policy::Fresh { sandboxes_max } => (sandbar_engine::Policy::Fresh, sandboxes_max, CALL_WAIT_MAX),
        };
        let overheard = Arc::new(Overheard::new(terms.log.clone()));
        let binding = Binding {
            grants: Arc::new(grants),
            limits: terms.limits.clone(),
            fuel: terms.fuel,
            policy,
            pool: PoolLimits { sandboxes_max, waiting_max: WAITING_MAX, wait: wait.min(wall) },
            log: overheard.clone(),
            functions: Arc::new(terms.functions.clone()),
            config: Arc::new(terms.config.clone()),
            results: Arc::new(terms.results.clone()),
            extism: terms.extism,
        };
        let program = host.engine().bind(&guest, binding)?;
        let holder = match terms.policy {
            Policy::Held => Some(Holder::new(host.block_on(pin!(program.hold())).map_err(Error::Start)?)),
            Policy::Reused { .. } | Policy::Fresh { .. } => None,
        };
        let rebuild = terms.rebuild;
        let (entries, calls, failures) = (RwLock::default(), AtomicU32::new(0), AtomicU32::new(0));
        Ok(Version { guest, program, overheard, entries, holder, rebuild, calls, failures })
    }

    /// Finds an export: by its name, or where a component has it in one interface only, by the name there.
    pub(crate) fn entry(&self, name: &str) -> Result<Entry, CallError> {
        if let Some(entry) = self.entries.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(entry.clone());
        }
        let choice = || EntryChoice { export: Some(self.full_name(name).to_owned()), ..EntryChoice::default() };
        let member = self.member(name).map(Ok);
        let entry = member.unwrap_or_else(|| self.program.entry(&self.guest, choice()));
        let entry = entry.map_err(|error| refused(error.to_string()))?;
        if !matches!(entry.shape(), Shape::Function | Shape::Typed) {
            return Err(refused(format!("`{name}` is no function that a host calls")));
        }
        self.entries.write().unwrap_or_else(PoisonError::into_inner).insert(name.into(), entry.clone());
        Ok(entry)
    }

    /// Finds a function of a resource, such as `[method]basket.add`, by its full name or where one exported interface has it.
    fn member(&self, name: &str) -> Option<Entry> {
        let (interface, function) = name.rsplit_once('#').map_or((None, name), |(of, it)| (Some(of), it));
        if !function.starts_with('[') {
            return None;
        }
        if let Ok(entry) = self.program.member(name) {
            return Some(entry);
        }
        let candidates = self.guest.summary().candidates.iter().filter(|_| interface.is_none());
        let mut interfaces: Vec<&str> =
            candidates.filter_map(|candidate| Some(candidate.export.as_deref()?.rsplit_once('#')?.0)).collect();
        interfaces.dedup();
        let mut found = interfaces.iter().filter_map(|of| self.program.member(&format!("{of}#{function}")).ok());
        found.next().filter(|_| found.next().is_none())
    }

    fn full_name<'a>(&'a self, name: &'a str) -> &'a str {
        let exports = self.guest.summary().candidates.iter().filter_map(|candidate| candidate.export.as_deref());
        let mut inside = exports.clone().filter(|export| export.rsplit_once('#').is_some_and(|(_, it)| it == name));
        match (inside.next(), inside.next()) {
            (Some(one), None) if !exports.into_iter().any(|export| export == name) => one,
            _ => name,
        }
    }

    /// The names of what a host can call.
    pub(crate) fn exports(&self) -> Vec<String> {
        let callable = |shape| matches!(shape, Shape::Function | Shape::Typed);
        let candidates = self.guest.summary().candidates.iter().filter(|candidate| callable(candidate.shape));
        candidates.filter_map(|candidate| candidate.export.clone()).collect()
    }

    pub(crate) fn holder(&self) -> Option<&Holder> {
        self.holder.as_ref()
    }

    /// The sandbox that was taken, or another where it is gone.
    pub(crate) async fn held<'a>(&self, taken: &'a mut Taken<'_>) -> Result<&'a mut Held, Outcome> {
        if !taken.held.as_ref().is_some_and(|held| held.is_fit()) {
            if self.rebuild == Rebuild::Never {
                let message = "the plugin ended with an earlier call that did not end well".into();
                return Err(Outcome::Refused { why: Refusal::Event { message } });
            }
            // First of all the old one goes: there may be room for just one.
            taken.held = None;
            taken.held = Some(Box::new(self.program.hold().await?));
        }
        taken.held.as_deref_mut().ok_or(Outcome::Cancelled)
    }
}

pub(crate) fn refused(message: String) -> CallError {
    CallError::new(Outcome::Refused { why: Refusal::Event { message } })
}
