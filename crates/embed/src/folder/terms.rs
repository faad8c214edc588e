//! What a folder's plugins are judged by and loaded with: the host's say.

use super::{
    APPROVALS_FILE, FolderError, PluginEntry, PluginFolder, Scope,
    approvals::{Approval, Approvals},
    asks::{Ask, Asks},
    place::Root,
    scan::scan,
    settle::settle,
};
use crate::{
    Host, PluginBuilder,
    functions::{CoreArguments, CoreResult, HostFunction},
    signing::PublicKey,
};
use sandbar_call::{Limits, Resource};
use sandbar_engine::{Function, HostCall, HostError};
use sandbar_grants::nearest;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Sandboxes of one plugin at one time, unless more are approved.
const SANDBOXES_MAX: u32 = 16;

/// What a folder's plugins are judged by and loaded with.
#[derive(Clone)]
pub struct PluginFolderBuilder {
    pub(super) path: PathBuf,
    pub(super) rules: Rules,
    pub(super) functions: BTreeMap<String, HostFunctionOf>,
    pub(super) each: Option<Arc<Each>>,
}

/// A function of the host, and where it is imported from.
#[derive(Clone)]
pub(super) struct HostFunctionOf {
    pub(super) module: String,
    pub(super) name: String,
    pub(super) function: Function,
}

/// What a folder's plugins are judged by.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) signatures_required: bool,
    /// What a plugin may use without being approved for more.
    pub(crate) bounds: Limits,
    pub(crate) sandboxes_max: u32,
    pub(crate) base: PathBuf,
    pub(crate) approvals: PathBuf,
}

/// The host's last word on each plugin.
pub(super) type Each = dyn Fn(&PluginEntry, PluginBuilder) -> PluginBuilder + Send + Sync;

impl PluginFolder {
    /// Describes a folder of plugins.
    pub fn builder(path: impl AsRef<Path>) -> PluginFolderBuilder {
        let path = path.as_ref().to_path_buf();
        let rules = Rules {
            keys: Vec::new(),
            signatures_required: false,
            bounds: crate::terms::usual_limits(),
            sandboxes_max: SANDBOXES_MAX,
            base: path.clone(),
            approvals: path.join(APPROVALS_FILE),
        };
        PluginFolderBuilder { path, rules, functions: BTreeMap::new(), each: None }
    }
}

impl PluginFolderBuilder {
    /// Knows these keys. A signature by another is worth as much as none.
    #[must_use]
    pub fn keys(mut self, keys: impl IntoIterator<Item = PublicKey>) -> PluginFolderBuilder {
        self.rules.keys.extend(keys);
        self
    }

    /// Loads only plugins that one of the known keys signed.
    #[must_use]
    pub fn require_signatures(mut self) -> PluginFolderBuilder {
        self.rules.signatures_required = true;
        self
    }

    /// Lets each call of a plugin use so much of something, in its unit, without being approved for more. Otherwise these are
    /// the limits that a plugin has that is loaded by itself.
    #[must_use]
    pub fn limit(mut self, resource: Resource, most: u64) -> PluginFolderBuilder {
        self.rules.bounds = self.rules.bounds.with(resource, most);
        self
    }

    /// Sees granted folders from this one. Otherwise they are seen from the folder of plugins itself, where a plugin may only
    /// be granted to read.
    #[must_use]
    pub fn base(mut self, folder: impl AsRef<Path>) -> PluginFolderBuilder {
        self.rules.base = folder.as_ref().to_path_buf();
        self
    }

    /// Keeps approvals in this file. Otherwise it is `plugins.approved.toml` in the folder of plugins.
    #[must_use]
    pub fn approvals(mut self, file: impl AsRef<Path>) -> PluginFolderBuilder {
        self.rules.approvals = file.as_ref().to_path_buf();
        self
    }

    /// Has a function for core modules, which plugins have to ask for as `MODULE#NAME` and be approved for.
    #[must_use]
    pub fn function<A: CoreArguments, R: CoreResult>(
        self,
        module: &str,
        name: &str,
        function: impl HostFunction<A, R>,
    ) -> PluginFolderBuilder {
        self.add(module, name, crate::functions::core(function))
    }

    /// Has a function for components, of an interface such as `acme:log/sink`; asked for as `acme:log/sink#NAME`.
    #[must_use]
    pub fn interface_function<A, R, E>(
        self,
        interface: &str,
        name: &str,
        function: impl Fn(&mut HostCall<'_>, A) -> Result<R, E> + Send + Sync + 'static,
    ) -> PluginFolderBuilder
    where
        A: DeserializeOwned,
        R: Serialize,
        E: Into<HostError>,
    {
        self.add(interface, name, crate::functions::values(function))
    }

    /// Has a function in any form.
    #[must_use]
    pub fn add(mut self, module: &str, name: &str, function: Function) -> PluginFolderBuilder {
        let key = format!("{module}#{name}");
        self.functions.insert(key, HostFunctionOf { module: module.into(), name: name.into(), function });
        self
    }

    /// Has the last word on what each plugin is loaded with: logs, receipts, a self-test, a probation, functions that every
    /// plugin has. It is called for each plugin that is loaded, and holds for the versions that replace it. It must not use the
    /// folder, which waits for it.
    #[must_use]
    pub fn each(
        mut self,
        each: impl Fn(&PluginEntry, PluginBuilder) -> PluginBuilder + Send + Sync + 'static,
    ) -> PluginFolderBuilder {
        self.each = Some(Arc::new(each));
        self
    }

    /// Tells what lies in the folder and what would become of it, without loading or running anything.
    ///
    /// # Errors
    /// The folder or the file of approvals can't be read.
    pub fn survey(&self) -> Result<Vec<PluginEntry>, FolderError> {
        let root = Root::open(&self.path)?;
        let approvals = Approvals::read(&self.rules.approvals)?;
        let mut entries = BTreeMap::new();
        let mut judged = BTreeMap::new();
        for (name, found) in scan(&root)? {
            let (entry, offer) = PluginEntry::of(&found, &root, &self.rules, &approvals);
            if let Some(offer) = offer.filter(|_| entry.state.is_ready()) {
                judged.insert(name.clone(), offer);
            }
            entries.insert(name, entry);
        }
        for (name, state) in settle(&judged, &BTreeMap::new(), |_, offer| Ok(offer.manifest.version.clone())).states {
            if let Some(entry) = entries.get_mut(&name) {
                entry.state = state;
            }
        }
        Ok(entries.into_values().collect())
    }

    /// Approves all that a plugin asks for, as it was seen, and writes the file. What was approved for it before is replaced.
    ///
    /// # Errors
    /// The file of approvals can't be read or written.
    pub fn approve(&self, entry: &PluginEntry, scope: Scope) -> Result<(), FolderError> {
        self.rules.change(&entry.name, |approval| {
            approval.scope = Some(scope);
            approval.asks = Asks(entry.asks.clone());
        })
    }

    /// Takes back what was approved for a plugin.
    ///
    /// # Errors
    /// The file of approvals can't be read or written.
    pub fn withdraw(&self, name: &str) -> Result<(), FolderError> {
        self.rules.change(name, |approval| *approval = Approval { enabled: approval.enabled, ..Approval::default() })
    }

    /// Switches a plugin on or off, and writes that to the file of approvals.
    ///
    /// # Errors
    /// The file of approvals can't be read or written.
    pub fn switch(&self, name: &str, switch: Switch) -> Result<(), FolderError> {
        self.rules.change(name, |approval| approval.enabled = switch == Switch::On)
    }

    /// Loads what may be loaded. That one plugin can't be loaded is told in its entry.
    ///
    /// # Errors
    /// The folder or the file of approvals can't be read.
    pub fn open(self, host: &Host) -> Result<PluginFolder, FolderError> {
        PluginFolder::of(self, host)
    }
}

/// Whether a plugin is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It is, if it may be.
    On,
    /// It is not, whatever is approved.
    Off,
}

impl Rules {
    /// Those of a plugin's asks that somebody has to approve.
    pub(crate) fn unusual(&self, asks: &Asks) -> Vec<Ask> {
        asks.unusual(&self.bounds, self.sandboxes_max)
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Approval)) -> Result<(), FolderError> {
        if !super::is_name(name) {
            return Err(FolderError::Name { name: name.to_owned() });
        }
        let mut approvals = Approvals::read(&self.approvals)?;
        let mut approval = approvals.of(name).cloned().unwrap_or_default();
        change(&mut approval);
        approvals.set(name, approval)
    }
}

impl PluginFolderBuilder {
    /// The functions of the host that a plugin was approved for.
    pub(super) fn functions_of(&self, asks: &Asks) -> Result<Vec<&HostFunctionOf>, FolderError> {
        let find = |name: &String| {
            let near = || nearest(name, self.functions.keys().map(String::as_str)).map(str::to_owned);
            self.functions.get(name).ok_or_else(|| FolderError::Function { function: name.clone(), near: near() })
        };
        let asked = asks.0.iter().filter_map(|ask| if let Ask::Function(name) = ask { Some(name) } else { None });
        asked.map(find).collect()
    }
}
