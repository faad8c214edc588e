//! What a host is told of one plugin in a folder.

use super::{
    Ask, PluginState,
    approvals::Approvals,
    judge::{Verdict, judge},
    place::Root,
    scan::{Found, Offer},
    terms::Rules,
};
use crate::{Plugin, signing::KeyId};
use sandbar_call::Digest;
use semver::{Version, VersionReq};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

/// One plugin of a folder: what lies there, and what became of it.
#[derive(Clone, Debug)]
pub struct PluginEntry {
    /// Its name, which is that of its manifest or guest.
    pub name: String,
    /// Its manifest, or its guest where it has none.
    pub path: PathBuf,
    /// What became of what lies there.
    pub state: PluginState,
    /// Its version; 0.0.0 where no manifest says it.
    pub version: Version,
    /// What its manifest says it is.
    pub description: String,
    /// The digest of the plugin: name, guest and manifest in one. None where they can't be read.
    pub digest: Option<Digest>,
    /// The digest of its guest.
    pub guest: Option<Digest>,
    /// Those of the known keys that signed it.
    pub signers: Vec<KeyId>,
    /// What it requires.
    pub requires: BTreeMap<String, VersionReq>,
    /// What it asks for that somebody has to approve, whether or not that is approved.
    pub asks: Vec<Ask>,
    /// The plugin that calls go to, in an open folder. It may be of an earlier version than what lies there.
    pub plugin: Option<Plugin>,
    /// The version of that plugin.
    pub plugin_version: Option<Version>,
}

impl PluginEntry {
    /// Reads and judges what was found; gives what it offers too, where that could be read.
    pub(super) fn of(
        found: &Found,
        root: &Root,
        rules: &Rules,
        approvals: &Approvals,
    ) -> (PluginEntry, Option<Arc<Offer>>) {
        let mut entry = PluginEntry {
            name: found.name.clone(),
            path: found.place().to_owned(),
            state: PluginState::Ready,
            version: Version::new(0, 0, 0),
            description: String::new(),
            digest: None,
            guest: None,
            signers: Vec::new(),
            requires: BTreeMap::new(),
            asks: Vec::new(),
            plugin: None,
            plugin_version: None,
        };
        match found.read(root) {
            Ok(offer) => {
                let Verdict { state, signers } = judge(&offer, rules, approvals);
                let (manifest, statement) = (&offer.manifest, &offer.statement);
                (entry.state, entry.signers) = (state, signers);
                (entry.digest, entry.guest) = (Some(statement.digest()), Some(statement.guest));
                (entry.version, entry.description) = (manifest.version.clone(), manifest.description.clone());
                (entry.requires, entry.asks) = (manifest.requires.clone(), rules.unusual(&manifest.asks));
                (entry, Some(Arc::new(offer)))
            }
            Err(error) => {
                entry.state = PluginState::broken(error);
                (entry, None)
            }
        }
    }
}
