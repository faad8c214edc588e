//! A guest that the host loads, calls and replaces.

use crate::{
    CallError, Calling, Error, Host, calling::Input, replace::Versions, source::Source, terms::Terms,
    typed::TypedFunction, version::Version,
};
use bytes::Bytes;
use sandbar_call::{Digest, Limits};
use sandbar_engine::{Guest, Params, Results};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// A plugin. Clones are the same one; it goes with the last of them, when its calls have ended.
#[derive(Clone)]
pub struct Plugin(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) host: Host,
    pub(crate) terms: Terms,
    pub(crate) versions: Versions,
}

impl Plugin {
    pub(crate) fn load(host: Host, source: Source, terms: Terms) -> Result<Plugin, Error> {
        let plugin = Plugin::of(host.clone(), terms.clone(), Version::load(&host, &source, &terms)?);
        plugin.tried()
    }

    /// A plugin of one version, not tried yet.
    pub(crate) fn of(host: Host, terms: Terms, version: Version) -> Plugin {
        Plugin(Arc::new(Inner { host, terms, versions: Versions::new(version) }))
    }

    /// Itself, if it passes its self-test.
    pub(crate) fn tried(self) -> Result<Plugin, Error> {
        match &self.0.terms.self_test {
            Some(test) => test(&self).map(|()| self.clone()).map_err(Error::SelfTest),
            None => Ok(self),
        }
    }

    /// Calls a function with values that become JSON, and reads its answer: of a function over stdin and stdout its input and
    /// output, of a typed export its arguments, an array or tuple, and its result. Blocks this thread.
    ///
    /// # Errors
    /// How the call ended, where it did not end well; or the arguments or the answer don't fit.
    pub fn call<R: DeserializeOwned>(
        &self,
        export: &str,
        arguments: &(impl Serialize + ?Sized),
    ) -> Result<R, CallError> {
        self.calling(export).call(arguments)
    }

    /// As [`Plugin::call`], for async hosts. Dropping the future cancels the call. A held guest computes on the thread that
    /// polls; where that must not be long, let sandboxes be reused or fresh, whose guests give way.
    ///
    /// # Errors
    /// As [`Plugin::call`].
    pub async fn call_async<R: DeserializeOwned>(
        &self,
        export: &str,
        arguments: &(impl Serialize + ?Sized),
    ) -> Result<R, CallError> {
        self.calling(export).call_async(arguments).await
    }

    /// Calls a function over stdin and stdout with bytes. Blocks this thread.
    ///
    /// # Errors
    /// As [`Plugin::call`].
    pub fn call_bytes(&self, export: &str, input: impl Into<Bytes>) -> Result<Bytes, CallError> {
        self.calling(export).bytes(input)
    }

    /// As [`Plugin::call_bytes`], for async hosts.
    ///
    /// # Errors
    /// As [`Plugin::call`].
    pub async fn call_bytes_async(&self, export: &str, input: impl Into<Bytes>) -> Result<Bytes, CallError> {
        self.calling(export).bytes_async(input).await
    }

    /// Describes a call: what ends it, what functions of the host find with it.
    pub fn calling<'a>(&'a self, export: &'a str) -> Calling<'a> {
        Calling::new(self, export)
    }

    /// Looks up a function of a core module that takes and gives numbers, to be called at the speed of Wasmtime's own typed
    /// calls. The plugin has to be held.
    ///
    /// # Errors
    /// There is none of this name and type, or the plugin is not held.
    pub fn typed<P: Params + Sync + 'static, R: Results + Sync + 'static>(
        &self,
        export: &str,
    ) -> Result<TypedFunction<P, R>, CallError> {
        TypedFunction::find(self, export)
    }

    /// The guest that new calls go to.
    pub fn guest(&self) -> Guest {
        self.0.versions.current().guest.clone()
    }

    /// The digest of the guest that new calls go to.
    pub fn digest(&self) -> Digest {
        self.0.versions.current().guest.digest()
    }

    /// Its name.
    pub fn name(&self) -> Arc<str> {
        self.0.versions.current().program.name().clone()
    }

    /// What a host can call.
    pub fn exports(&self) -> Vec<String> {
        self.0.versions.current().exports()
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.0.terms.limits
    }

    /// The host that it was loaded by.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// Replaces it: new calls go to the new version as soon as it has loaded and passed the self-test, those that run end on
    /// the old one. A held plugin starts anew.
    ///
    /// # Errors
    /// The new version can't be loaded, or does not pass; the old one goes on.
    pub fn replace(&self, source: impl Into<Source>) -> Result<(), Error> {
        let Inner { host, terms, versions } = &*self.0;
        let version = Version::load(host, &source.into(), terms)?;
        let tried = Plugin::of(host.clone(), terms.clone(), version).tried()?;
        versions.replace(tried.0.versions.current(), terms.probation);
        Ok(())
    }

    /// Goes back to the version before the last replacement, where there is one still.
    pub fn roll_back(&self) -> bool {
        self.0.versions.roll_back()
    }

    /// Runs one call of the version that is there now.
    pub(crate) async fn run(&self, calling: &Calling<'_>, input: Input) -> crate::calling::Ended {
        let version = self.0.versions.current();
        let ended = crate::calling::run(self, &version, calling, input).await;
        self.0.versions.note(&version, ended.answer.as_ref().err(), self.0.terms.probation);
        ended
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.name()).field("digest", &self.digest()).finish_non_exhaustive()
    }
}
