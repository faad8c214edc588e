//! A directory of plugins as a unit: what lies in it, what each plugin asks for, what was approved, who signed it.
//!
//! A plugin is a guest with a manifest beside it, and may do what its manifest asks for, once somebody has approved all of it.
//! Who makes plugins writes manifests; who runs them writes the file of approvals, which a person can read. The other choice, to
//! grant what is approved and leave out the rest, would run plugins that fail half-way and teach people to approve everything.
//!
//! Nothing of one plugin is another's trouble: each has a state of its own, and a version that can't be taken up leaves the one
//! before it at work. Formats are those of `docs/plugin-folders.md`.

mod approvals;
mod asks;
mod entry;
mod error;
mod judge;
mod manifest;
mod order;
mod place;
mod running;
mod scan;
mod settle;
mod sign;
mod table;
mod terms;
mod watch;

pub(crate) use place::read_file;
pub use semver::{Version, VersionReq};
pub use {
    approvals::{APPROVALS_BYTES_MAX, APPROVALS_FILE, Lapse, Scope},
    asks::Ask,
    entry::PluginEntry,
    error::FolderError,
    judge::PluginState,
    scan::{ENTRIES_MAX, MANIFEST_BYTES_MAX, signatures_path},
    sign::{Keep, SignError, Signed, sign, verify},
    terms::{PluginFolderBuilder, Switch},
    watch::FolderWatch,
};

use crate::{Host, Plugin};
use approvals::Approvals;
use judge::judge;
use place::Root;
use running::{Loading, Running};
use sandbar_grants::nearest;
use scan::scan;
use settle::{Offers, settle};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

/// How long the name of a plugin may be, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// A folder of plugins that is open. Clones are the same one.
#[derive(Clone)]
pub struct PluginFolder(Arc<Inner>);

struct Inner {
    host: Host,
    root: Root,
    builder: PluginFolderBuilder,
    plugins: RwLock<BTreeMap<String, Slot>>,
    /// Held while the folder is read and plugins are loaded, of which there is one at a time.
    refreshing: Mutex<()>,
}

/// One plugin: what lies in the folder, and what is loaded.
#[derive(Clone)]
struct Slot {
    entry: PluginEntry,
    /// The files that it is of, where they are known.
    files: Vec<PathBuf>,
    running: Option<Running>,
}

impl PluginFolder {
    /// Opens a folder and loads what may be loaded: unsigned plugins too, and those that ask for something only where
    /// `plugins.approved.toml` in the folder approves it.
    ///
    /// # Errors
    /// The folder or the file of approvals can't be read.
    pub fn open(host: &Host, path: impl AsRef<Path>) -> Result<PluginFolder, FolderError> {
        PluginFolder::builder(path).open(host)
    }

    fn of(builder: PluginFolderBuilder, host: &Host) -> Result<PluginFolder, FolderError> {
        let root = Root::open(&builder.path)?;
        let (plugins, refreshing) = (RwLock::default(), Mutex::default());
        let folder = PluginFolder(Arc::new(Inner { host: host.clone(), root, builder, plugins, refreshing }));
        folder.refresh()?;
        Ok(folder)
    }

    /// Every plugin of the folder by its name, whatever became of it.
    pub fn plugins(&self) -> Vec<PluginEntry> {
        self.read().values().map(Slot::told).collect()
    }

    /// One plugin of the folder, whatever became of it.
    pub fn entry(&self, name: &str) -> Option<PluginEntry> {
        self.read().get(name).map(Slot::told)
    }

    /// A plugin that can be called. Who keeps it may go on calling it, also once it is switched off, withdrawn or gone; who asks
    /// again each time has what is in force.
    pub fn get(&self, name: &str) -> Option<Plugin> {
        self.read().get(name)?.running.as_ref().map(|running| running.plugin.clone())
    }

    /// Looks at the folder and the file of approvals again: takes up what is new, replaces what changed, and lets go of what is
    /// gone, switched off or no longer approved. A version that can't be taken up leaves the one before it at work, as long as
    /// that one is approved. Blocks until all is loaded; calls and [`PluginFolder::get`] go on meanwhile.
    ///
    /// # Errors
    /// The folder or the file of approvals can't be read; then all stays as it was.
    pub fn refresh(&self) -> Result<(), FolderError> {
        let _refreshing = self.alone();
        let Inner { host, root, builder, .. } = &*self.0;
        let approvals = Approvals::read(&builder.rules.approvals)?;
        let before: BTreeMap<String, Running> = {
            let slots = self.read();
            slots.iter().filter_map(|(name, slot)| Some((name.clone(), slot.running.clone()?))).collect()
        };

        let (mut slots, mut ready) = (BTreeMap::new(), Offers::new());
        for (name, found) in scan(root)? {
            let (entry, offer) = PluginEntry::of(&found, root, &builder.rules, &approvals);
            let guests = [Some(&found.guest), offer.as_ref().map(|offer| &offer.guest)];
            let mut files = vec![found.place().to_owned()];
            files.extend(guests.into_iter().flatten().flat_map(|guest| [guest.clone(), signatures_path(guest)]));
            if let Some(offer) = offer.filter(|_| entry.state.is_ready()) {
                ready.insert(name.clone(), offer);
            }
            slots.insert(name, Slot { entry, files, running: None });
        }

        // A version from before goes on only where it still might be loaded, by what is approved and known now.
        let is_allowed = |offer: &Arc<scan::Offer>| judge(offer, &builder.rules, &approvals).state.is_ready();
        let allowed: Offers = before
            .iter()
            .filter(|(name, running)| slots.contains_key(*name) && is_allowed(running.offer()))
            .map(|(name, running)| (name.clone(), running.offer().clone()))
            .collect();
        let mut taken = BTreeMap::new();
        let settled = settle(&ready, &allowed, |name, offer| {
            let running = match before.get(name) {
                // What did not pass its probation is not tried again.
                Some(old) if old.is_of(offer) && old.is_rolled_back() && !is_allowed(old.offer()) => {
                    return Err(PluginState::RolledBack);
                }
                Some(old) if old.is_of(offer) => old.clone(),
                old => {
                    let entry = slots.get(name).map(|slot: &Slot| &slot.entry);
                    let loading = Loading { host, root, builder, entry, offer };
                    loading.load(old).map_err(PluginState::broken)?
                }
            };
            let version = running.offer().manifest.version.clone();
            taken.insert(name.to_owned(), running);
            Ok(version)
        });

        for (name, slot) in &mut slots {
            if let Some(state) = settled.states.get(name) {
                slot.entry.state = state.clone();
            }
            let kept = || before.get(name).filter(|_| settled.kept.contains(name)).cloned();
            slot.running = taken.remove(name).or_else(kept);
        }
        let old = std::mem::replace(&mut *self.0.plugins.write().unwrap_or_else(PoisonError::into_inner), slots);
        // Plugins end here, and not while somebody waits for the list.
        drop((old, before));
        Ok(())
    }

    /// Approves all that a plugin asks for, as it is in the folder now, writes the file of approvals, and loads it. `entry` is
    /// what somebody saw: where the plugin is another by now, nothing of it is approved that was not seen.
    ///
    /// # Errors
    /// The folder or the file of approvals can't be read or written.
    pub fn approve(&self, entry: &PluginEntry, scope: Scope) -> Result<(), FolderError> {
        self.changed(&entry.name, || self.0.builder.approve(entry, scope))
    }

    /// Takes back what was approved for a plugin.
    ///
    /// # Errors
    /// As [`PluginFolder::approve`], or there is no such plugin.
    pub fn withdraw(&self, name: &str) -> Result<(), FolderError> {
        self.changed(name, || self.0.builder.withdraw(name))
    }

    /// Lets a plugin be loaded again, writes that down, and loads it.
    ///
    /// # Errors
    /// As [`PluginFolder::approve`], or there is no such plugin.
    pub fn enable(&self, name: &str) -> Result<(), FolderError> {
        self.changed(name, || self.0.builder.switch(name, Switch::On))
    }

    /// Keeps a plugin from being loaded, and writes that down. Calls of it that run go on to their end.
    ///
    /// # Errors
    /// As [`PluginFolder::approve`], or there is no such plugin.
    pub fn disable(&self, name: &str) -> Result<(), FolderError> {
        self.changed(name, || self.0.builder.switch(name, Switch::Off))
    }

    /// Changes the file of approvals, and does what it says.
    fn changed(&self, name: &str, change: impl FnOnce() -> Result<(), FolderError>) -> Result<(), FolderError> {
        {
            let _refreshing = self.alone();
            let slots = self.read();
            if !slots.contains_key(name) {
                let near = nearest(name, slots.keys().map(String::as_str)).map(str::to_owned);
                return Err(FolderError::Unknown { name: name.to_owned(), near });
            }
            drop(slots);
            change()?;
        }
        self.refresh()
    }

    /// The files that decide what the plugins are, those that are not there yet among them.
    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self.read().values().flat_map(|slot| slot.files.clone()).collect();
        let found = scan(&self.0.root).unwrap_or_default();
        files.extend(found.values().flat_map(|found| [found.place().to_owned(), found.guest.clone()]));
        files.push(self.0.builder.rules.approvals.clone());
        files.sort();
        files.dedup();
        files
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.0.refreshing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Slot>> {
        self.0.plugins.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn told(&self) -> PluginEntry {
        let mut entry = self.entry.clone();
        if let Some(running) = &self.running {
            entry.plugin = Some(running.plugin.clone());
            entry.plugin_version = Some(running.offer().manifest.version.clone());
            if entry.state.is_ready() && running.is_rolled_back() {
                entry.state = PluginState::RolledBack;
            }
        }
        entry
    }
}

impl std::fmt::Debug for PluginFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginFolder").field("path", &self.0.root.path()).finish_non_exhaustive()
    }
}

/// Whether a plugin may be called so: letters, digits, `-` and `_`, which need no quotes anywhere.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(is_plain)
}
