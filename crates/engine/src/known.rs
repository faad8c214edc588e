//! What is in this process already: a guest that somebody loaded, and uses still, is neither read nor mapped again.

use crate::{artifact::Code, inspect::Summary, tuning::Tuning};
use sandbar_call::Digest;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// From how many entries on those that nobody uses any more are looked for, at the least.
const SWEPT_MIN: usize = 64;

/// Guests that somebody uses.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) summaries: Table<Digest, Summary>,
    pub(crate) codes: Table<(Digest, Tuning), Code>,
}

/// Things by their keys, for as long as somebody uses them.
pub(crate) struct Table<K, V>(Mutex<Entries<K, V>>);

struct Entries<K, V> {
    all: HashMap<K, Weak<V>>,
    /// At how many it is looked for unused ones.
    sweep_at: usize,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Table<K, V> {
        Table(Mutex::new(Entries { all: HashMap::new(), sweep_at: SWEPT_MIN }))
    }
}

impl<K: Eq + Hash, V> Table<K, V> {
    /// What somebody has, or what is made now. Two that make it at one time both do.
    pub(crate) fn get_or_make<E>(&self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let known = self.entries().all.get(&key).and_then(Weak::upgrade);
        if let Some(known) = known {
            return Ok(known);
        }
        let made = Arc::new(make()?);
        let mut entries = self.entries();
        if entries.all.len() >= entries.sweep_at {
            entries.all.retain(|_, value| value.strong_count() > 0);
            entries.sweep_at = SWEPT_MIN.max(entries.all.len() * 2);
        }
        entries.all.insert(key, Arc::downgrade(&made));
        Ok(made)
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_made_once_and_what_is_not_goes() {
        let table = Table::<usize, usize>::default();
        let made = |key, value| table.get_or_make(key, || Ok::<_, ()>(value)).unwrap();
        let used = made(0, 7);
        assert_eq!(*made(0, 8), 7);
        assert!(table.get_or_make(1, || Err(())).is_err());
        for key in 1..10 * SWEPT_MIN {
            made(key, key);
        }
        assert!(table.entries().all.len() <= SWEPT_MIN);
        assert_eq!(*made(0, 9), *used);
        drop(used);
        assert_eq!(*made(0, 9), 9);
    }
}
