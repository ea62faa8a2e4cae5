//! A table by the names of entries, in parts that are locked each for itself, for moments.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::RandomState;

use crate::locks::lock;
use crate::shim::{Mutex, MutexGuard, SHARDS};

/// What calls of one key meet at.
pub(crate) struct Shards<T> {
    parts: [Mutex<Entries<T>>; SHARDS],
    hasher: RandomState,
    /// How many entries there are, so that a hit needn't look for one where there is none.
    count: AtomicUsize,
}

type Entries<T> = HashMap<Box<str>, Arc<T>, RandomState>;

/// The part of the table that one name is in, locked.
pub(crate) struct Shard<'a, T> {
    entries: MutexGuard<'a, Entries<T>>,
    count: &'a AtomicUsize,
}

impl<T> Shards<T> {
    pub(crate) fn new() -> Self {
        Self {
            parts: [(); SHARDS].map(|()| Mutex::new(HashMap::default())),
            hasher: RandomState::default(),
            count: AtomicUsize::new(0),
        }
    }

    pub(crate) fn lock(&self, name: &str) -> Shard<'_, T> {
        let hash = self.hasher.hash_one(name);
        // The upper bits: the maps have other hashers, but nothing is lost by not relying on it.
        let shard = usize::try_from(hash >> 32).unwrap_or(0) % SHARDS;
        Shard {
            entries: lock(&self.parts[shard]),
            count: &self.count,
        }
    }

    /// What is there under this name. Takes no lock where the table is empty; that there is nothing is only to be relied on for what is
    /// as right without it.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<T>> {
        if self.is_empty() {
            return None;
        }
        self.lock(name).get(name).cloned()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(|shard| lock(shard).len()).sum()
    }
}

impl<T> Shard<'_, T> {
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.entries.get(name)
    }

    /// Returns what was there, which may have the user's wakers in it: not to be dropped under the lock.
    #[must_use = "it is to be dropped without the lock"]
    pub(crate) fn insert(&mut self, name: &str, new: Arc<T>) -> Option<Arc<T>> {
        let replaced = self.entries.insert(name.into(), new);
        if replaced.is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        replaced
    }

    #[must_use = "it is to be dropped without the lock"]
    pub(crate) fn remove(&mut self, name: &str) -> Option<Arc<T>> {
        let removed = self.entries.remove(name);
        if removed.is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    /// Removes what is there under the name if it is the very same, to which the caller has another reference.
    pub(crate) fn remove_same(&mut self, name: &str, same: &Arc<T>) {
        if self.get(name).is_some_and(|found| Arc::ptr_eq(found, same)) {
            let _not_the_last = self.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Shards;

    /// Whoever hits looks here. With a lock it would wait for itself.
    #[test]
    fn where_nothing_is_there_nobody_waits() {
        let looked = || {
            let shards = Shards::<()>::new();
            let locked = shards.lock("name");
            assert_eq!(shards.find("name"), None);
            drop(locked);
        };
        crate::shim::check(looked);
    }

    #[test]
    fn what_is_there_is_counted() {
        let counted = || {
            let shards = Shards::new();
            let (first, second) = (Arc::new(1), Arc::new(2));
            let insert = |name, new: &Arc<i32>| {
                let replaced = shards.lock(name).insert(name, Arc::clone(new));
                replaced.map(|replaced| *replaced)
            };
            assert_eq!(insert("a", &first), None);
            assert_eq!(insert("a", &second), Some(1));
            assert_eq!(insert("b", &first), None);
            assert_eq!(shards.find("a").as_deref(), Some(&2));
            assert_eq!(shards.find("c"), None);

            shards.lock("a").remove_same("a", &first);
            assert_eq!(shards.len(), 2, "it is another one");
            shards.lock("a").remove_same("a", &second);
            assert_eq!(shards.lock("b").remove("b").as_deref(), Some(&1));
            assert_eq!(shards.lock("b").remove("b"), None);
            assert_eq!(shards.len(), 0);
            let locked = shards.lock("a");
            assert_eq!(shards.find("a"), None, "and so nobody waits again");
            drop(locked);
        };
        crate::shim::check(counted);
    }
}
