//! Goes through plugins in the order of what they require, and decides between what lies in the folder and what is there.

use super::{
    FolderError, PluginState,
    order::{Requires, order},
    scan::Offer,
};
use semver::Version;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Plugins by name.
pub(crate) type Offers = BTreeMap<String, Arc<Offer>>;

/// What became of plugins.
#[derive(Default)]
pub(crate) struct Settled {
    /// What became of those that lie in the folder.
    pub(crate) states: BTreeMap<String, PluginState>,
    /// Those whose version from before goes on.
    pub(crate) kept: BTreeSet<String>,
}

/// Takes up each plugin after those that it requires. Where that can't be, the version from before goes on, if there is one
/// and what it requires is there. What is taken up says which version is there then.
pub(crate) fn settle(
    offers: &Offers,
    before: &Offers,
    mut take_up: impl FnMut(&str, &Arc<Offer>) -> Result<Version, PluginState>,
) -> Settled {
    let mut settled = Settled::default();
    let (open, names) = without_circles(offers, before, &mut settled);
    let mut there: BTreeMap<&str, Version> = BTreeMap::new();
    for name in &names {
        let Some((&name, &offer)) = open.get_key_value(name.as_str()) else { continue };
        let taken = offers.get(name).filter(|new| Arc::ptr_eq(new, offer)).map(|new| match missing(new, &there) {
            Some(missing) => Err(missing),
            None => take_up(name, new),
        });
        let old = || before.get(name).filter(|old| missing(old, &there).is_none());
        let version = match taken {
            Some(Ok(version)) => {
                settled.states.insert(name.to_owned(), PluginState::Ready);
                Some(version)
            }
            refused => {
                settled.states.extend(refused.and_then(Result::err).map(|state| (name.to_owned(), state)));
                let version = old().map(|old| old.manifest.version.clone());
                settled.kept.extend(version.is_some().then(|| name.to_owned()));
                version
            }
        };
        there.extend(version.map(|version| (name, version)));
    }
    settled
}

/// One version for each name, so that none are in a circle, and the names in order.
fn without_circles<'a>(
    offers: &'a Offers,
    before: &'a Offers,
    settled: &mut Settled,
) -> (BTreeMap<&'a str, &'a Arc<Offer>>, Vec<String>) {
    let both = before.iter().chain(offers);
    let mut open: BTreeMap<&str, &Arc<Offer>> = both.map(|(name, offer)| (name.as_str(), offer)).collect();
    loop {
        let requires: Requires<'_> = open
            .iter()
            .map(|(name, offer)| (*name, offer.manifest.requires.keys().map(String::as_str).collect()))
            .collect();
        let order = order(&requires);
        if order.circles.is_empty() {
            return (open.clone(), order.names.into_iter().map(str::to_owned).collect());
        }
        let circles: Vec<(String, Vec<String>)> =
            order.circles.into_iter().map(|(name, circle)| (name.to_owned(), circle)).collect();
        for (name, circle) in circles {
            let old = before
                .get_key_value(&name)
                .filter(|(_, old)| open.get(name.as_str()).is_some_and(|offer| !Arc::ptr_eq(offer, old)));
            let _ = match old {
                Some((name, old)) => open.insert(name, old),
                None => open.remove(name.as_str()),
            };
            if offers.contains_key(&name) {
                settled.states.entry(name).or_insert_with(|| PluginState::broken(FolderError::Cycle(circle)));
            }
        }
    }
}

/// What a plugin requires that is not there.
fn missing(offer: &Offer, there: &BTreeMap<&str, Version>) -> Option<PluginState> {
    let fits = |(name, versions): &(&String, &semver::VersionReq)| {
        there.get(name.as_str()).is_some_and(|version| versions.matches(version))
    };
    let (name, versions) = offer.manifest.requires.iter().find(|required| !fits(required))?;
    let found = there.get(name.as_str()).cloned();
    Some(PluginState::MissingDependency { name: name.clone(), versions: versions.clone(), found })
}
