//! A function of a held core module that takes and gives numbers, without JSON and without a fiber.

use crate::{
    CallError, Plugin,
    calling::{on, origin},
    holder::Taken,
    version::{Version, refused},
};
use sandbar_call::{CallId, Outcome, Receipt, Resource, Shape};
use sandbar_engine::{Params, Results, Typed};
use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

/// A function with its type. It is looked up again by itself where the plugin was replaced or its sandbox is another.
pub struct TypedFunction<P, R> {
    plugin: Plugin,
    name: Box<str>,
    found: Mutex<Option<Found<P, R>>>,
}

/// Where it was found last.
struct Found<P, R> {
    generation: u64,
    version: Arc<Version>,
    /// In the sandbox that was there then.
    function: Option<Typed<P, R>>,
}

impl<P: Params + Sync + 'static, R: Results + Sync + 'static> TypedFunction<P, R> {
    pub(crate) fn find(plugin: &Plugin, export: &str) -> Result<TypedFunction<P, R>, CallError> {
        let function = TypedFunction { plugin: plugin.clone(), name: export.into(), found: Mutex::new(None) };
        let version = plugin.0.versions.current();
        let mut taken = function.taken(&version)?;
        let host = &plugin.0.host;
        let held = host.block_on(pin!(version.held(&mut taken))).map_err(CallError::new)?;
        held.typed::<P, R>(export).map_err(|error| refused(format!("{error:#}")))?;
        drop(taken);
        Ok(function)
    }

    /// Calls it on this thread.
    ///
    /// # Errors
    /// How the call ended, where it did not end well.
    pub fn call(&self, params: P) -> Result<R, CallError> {
        // Who calls it at the same time, or from a function of the host that it called, looks it up for itself.
        match self.found.try_lock() {
            Ok(mut found) => self.call_by(&mut found, params),
            Err(_) => self.call_by(&mut None, params),
        }
    }

    fn call_by(&self, found: &mut Option<Found<P, R>>, params: P) -> Result<R, CallError> {
        let versions = &self.plugin.0.versions;
        let generation = versions.generation();
        if found.as_ref().is_none_or(|found| found.generation != generation) {
            *found = Some(Found { generation, version: versions.current(), function: None });
        }
        let Some(Found { version, function, .. }) = found else { return Err(CallError::new(Outcome::Cancelled)) };
        let result = self.call_in(version, function, params);
        if self.plugin.0.terms.probation.calls > 0 {
            versions.note(version, result.as_ref().err(), self.plugin.0.terms.probation);
        }
        result
    }

    fn call_in(&self, version: &Version, function: &mut Option<Typed<P, R>>, params: P) -> Result<R, CallError> {
        let mut taken = self.taken(version)?;
        let holder = taken.holder();
        let held = match &mut taken.held {
            Some(held) if held.is_fit() => &mut **held,
            _ => self.plugin.0.host.block_on(pin!(version.held(&mut taken))).map_err(CallError::new)?,
        };
        let function = match function.take() {
            Some(found) if held.has(&found) => function.insert(found),
            _ => function.insert(held.typed(&self.name).map_err(|error| refused(format!("{error:#}")))?),
        };
        let receipts = self.plugin.0.terms.receipts.as_ref();
        if receipts.is_some() {
            held.time_calls();
        }
        let called = if held.waits() {
            self.plugin.0.host.block_on(pin!(on(holder, pin!(held.call_async(function, params)))))
        } else {
            let _running = Taken::running(holder);
            held.call(function, params)
        };
        if called.is_ok() && receipts.is_none() {
            return called.map_err(CallError::new);
        }
        let outcome = called.as_ref().map_or_else(Clone::clone, |_| Outcome::Done);
        let id = self.plugin.0.host.next_call();
        let receipt = Receipt { call: id, ..held.receipt(Shape::Typed, origin(&self.name, id), outcome) };
        if let Some(receipts) = receipts {
            receipts(&receipt);
        }
        called.map_err(|outcome| self.error(version, outcome, receipt))
    }

    fn error(&self, version: &Version, outcome: Outcome, receipt: Receipt) -> CallError {
        let is_fault = matches!(outcome, Outcome::Fault { .. });
        let cause = is_fault.then(|| version.overheard.of(CallId::default())).flatten();
        CallError { outcome, cause, receipt: Some(Box::new(receipt)) }
    }

    fn taken<'a>(&self, version: &'a Version) -> Result<Taken<'a>, CallError> {
        let Some(holder) = version.holder() else {
            return Err(refused(format!("`{}` can be called so only where the plugin is held", self.name)));
        };
        if let Some(taken) = holder.try_take() {
            return Ok(taken);
        }
        let wait = Duration::from_nanos(self.plugin.0.terms.limits.most(Resource::Wall));
        self.plugin.0.host.block_on(pin!(holder.take(wait))).map_err(CallError::new)
    }
}
