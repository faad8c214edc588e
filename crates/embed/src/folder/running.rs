//! A plugin of a folder that is loaded, and the version that it is of.

use super::{FolderError, PluginEntry, place::Root, scan::Offer, terms::PluginFolderBuilder};
use crate::{Host, Plugin, PluginBuilder, version::Version};
use sandbar_call::GrantKind;
use sandbar_grants::{Access, Grants, Volumes};
use serde_json::Value;
use std::{
    path::Path,
    sync::{Arc, Weak},
};

/// A plugin that is loaded.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) plugin: Plugin,
    /// What was loaded last.
    last: (Weak<Version>, Arc<Offer>),
    /// What was loaded before that, and comes back where the last does not pass its probation.
    before: Option<Arc<Offer>>,
}

/// What a plugin is loaded from and with.
pub(super) struct Loading<'a> {
    pub(super) host: &'a Host,
    pub(super) root: &'a Root,
    pub(super) builder: &'a PluginFolderBuilder,
    pub(super) entry: Option<&'a PluginEntry>,
    pub(super) offer: &'a Arc<Offer>,
}

impl Running {
    /// What is loaded now.
    pub(super) fn offer(&self) -> &Arc<Offer> {
        match &self.before {
            Some(before) if self.is_rolled_back() => before,
            _ => &self.last.1,
        }
    }

    /// Whether the version before came back.
    pub(super) fn is_rolled_back(&self) -> bool {
        self.before.is_some() && self.last.0.as_ptr() != Arc::as_ptr(&self.plugin.0.versions.current())
    }

    /// Whether this was loaded last, be it still there or not.
    pub(super) fn is_of(&self, offer: &Offer) -> bool {
        self.last.1.statement == offer.statement
    }

    fn of(plugin: Plugin, offer: &Arc<Offer>, before: Option<Arc<Offer>>) -> Running {
        let version = Arc::downgrade(&plugin.0.versions.current());
        Running { plugin, last: (version, offer.clone()), before }
    }
}

impl Loading<'_> {
    /// Loads the plugin, or has a plugin replaced by it whose terms are the same.
    pub(super) fn load(&self, old: Option<&Running>) -> Result<Running, FolderError> {
        let guest = self.offer.guest(self.root)?;
        let offer = self.offer;
        if let Some(old) = old.filter(|old| {
            let last = &old.last.1.manifest;
            last.asks == offer.manifest.asks && last.options == offer.manifest.options
        }) {
            let before = old.offer().clone();
            old.plugin.replace(guest)?;
            return Ok(Running::of(old.plugin.clone(), offer, Some(before)));
        }
        let plugin = self.built(self.host.plugin(guest))?.load()?;
        Ok(Running::of(plugin, offer, None))
    }

    /// Gives a plugin what it asks for, all of which is approved by now.
    fn built(&self, mut builder: PluginBuilder) -> Result<PluginBuilder, FolderError> {
        let rules = &self.builder.rules;
        let manifest = &self.offer.manifest;
        builder.terms.limits = rules.bounds.clone();
        builder = builder.name(&*self.offer.statement.name).base(&rules.base);
        for ask in &manifest.asks.0 {
            builder = match ask {
                super::Ask::Grant(kind, entry) => builder.grant(*kind, entry),
                super::Ask::Limit(resource, most) => builder.limit(*resource, *most),
                super::Ask::Function(_) | super::Ask::Sandboxes(_) => builder,
            };
        }
        for found in self.builder.functions_of(&manifest.asks)? {
            builder = builder.add(&found.module, &found.name, found.function.clone());
        }
        self.writes_elsewhere()?;
        builder = builder.options(&Value::Object(manifest.options.clone()))?;
        Ok(match (&self.builder.each, self.entry) {
            (Some(each), Some(entry)) => each(entry, builder),
            _ => builder,
        })
    }

    /// That the plugin may not write where plugins or approvals lie, be that approved or not: it would be another plugin, or
    /// approve itself.
    fn writes_elsewhere(&self) -> Result<(), FolderError> {
        let rules = &self.builder.rules;
        let mut grants = Grants::default();
        for ask in &self.offer.manifest.asks.0 {
            if let super::Ask::Grant(GrantKind::Dir, entry) = ask {
                // Its quota is measured when it is loaded, and not before.
                let entry = entry.rsplit_once(",quota=").map_or(entry.as_str(), |(entry, _)| entry);
                grants.add(GrantKind::Dir, entry).map_err(crate::Error::Grant)?;
            }
        }
        let admitted = grants.admit(&rules.base, &|_| None, &Volumes::default()).map_err(crate::Error::Grant)?;
        let approvals = rules.approvals.canonicalize().ok();
        let approvals = approvals.as_deref().unwrap_or(&rules.approvals).parent().unwrap_or(Path::new("."));
        let approvals = approvals.canonicalize().unwrap_or_else(|_| approvals.to_owned());
        let meets = |path: &Path| {
            [self.root.path(), &approvals].iter().any(|kept| path.starts_with(kept) || kept.starts_with(path))
        };
        match admitted.folders.into_iter().find(|folder| folder.access == Access::ReadWrite && meets(&folder.host)) {
            Some(folder) => Err(FolderError::Writable { path: folder.host }),
            None => Ok(()),
        }
    }
}
