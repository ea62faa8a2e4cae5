//! Computations that may store without a lease to tell them apart: those on a backend without leases. They are noted here, in the order
//! in which they began, so that an invalidation finds them, and so that none replaces what one that began later has stored.
//!
//! Where there are leases, the backend does both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::shards::Shards;

pub(crate) struct Unleased(Shards<Group>);

/// Those who compute one key side by side.
#[derive(Default)]
struct Group {
    /// How many they are. It changes under the table's lock.
    count: AtomicUsize,
    /// How many began so far.
    begun: AtomicU64,
    /// The last to begin of those that have stored, counted from 1.
    stored: AtomicU64,
    is_void: AtomicBool,
}

/// One of them, until it is dropped.
pub(crate) struct Begun<'a> {
    table: &'a Unleased,
    name: &'a str,
    group: Arc<Group>,
    order: u64,
}

impl Unleased {
    pub(crate) fn new() -> Self {
        Self(Shards::new())
    }

    pub(crate) fn begin<'a>(&'a self, name: &'a str) -> Begun<'a> {
        let mut shard = self.0.lock(name);
        let found = shard.get(name).cloned();
        let group = found.unwrap_or_else(|| {
            let new = Arc::default();
            let _nothing = shard.insert(name, Arc::clone(&new));
            new
        });
        group.count.fetch_add(1, Ordering::Relaxed);
        let order = group.begun.fetch_add(1, Ordering::Relaxed) + 1;
        drop(shard);
        Begun {
            table: self,
            name,
            group,
            order,
        }
    }

    /// What is computed for `name` is not to be stored; what is begun from now on is.
    pub(crate) fn void(&self, name: &str) {
        let removed = self.0.lock(name).remove(name);
        if let Some(group) = removed {
            group.is_void.store(true, Ordering::SeqCst);
        }
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Begun<'_> {
    /// It stores what it has computed: those that began before are not to.
    pub(crate) fn stores(&self) {
        self.group.stored.fetch_max(self.order, Ordering::SeqCst);
    }

    /// Whether the key was invalidated since it began, or filled by one that began later.
    pub(crate) fn is_void(&self) -> bool {
        self.group.is_void.load(Ordering::SeqCst)
            || self.group.stored.load(Ordering::SeqCst) > self.order
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut shard = self.table.0.lock(self.name);
        if self.group.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            shard.remove_same(self.name, &self.group);
        }
    }
}
