//! Computations whose value may be stored without a lease, as the backend has none: noted here so that an invalidation finds them.
//!
//! That is not left to flights: a `refresh` leads none beside another, nor does one that waited in vain, and that of a leader that was
//! relieved may be over before it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::shards::Shards;

pub(crate) struct Unleased(Shards<Group>);

/// Those who compute one key side by side.
#[derive(Default)]
struct Group {
    /// How many they are. It changes under the table's lock.
    count: AtomicUsize,
    is_void: AtomicBool,
}

/// One of them, until it is dropped.
pub(crate) struct Computation<'a> {
    table: &'a Unleased,
    name: &'a str,
    group: Arc<Group>,
}

impl Unleased {
    pub(crate) fn new() -> Self {
        Self(Shards::new())
    }

    pub(crate) fn enter<'a>(&'a self, name: &'a str) -> Computation<'a> {
        let mut shard = self.0.lock(name);
        let found = shard.get(name).cloned();
        let group = found.unwrap_or_else(|| {
            let new = Arc::default();
            let _nothing = shard.insert(name, Arc::clone(&new));
            new
        });
        group.count.fetch_add(1, Ordering::Relaxed);
        drop(shard);
        Computation {
            table: self,
            name,
            group,
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

impl Computation<'_> {
    pub(crate) fn is_void(&self) -> bool {
        self.group.is_void.load(Ordering::SeqCst)
    }
}

impl Drop for Computation<'_> {
    fn drop(&mut self) {
        let mut shard = self.table.0.lock(self.name);
        if self.group.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            shard.remove_same(self.name, &self.group);
        }
    }
}
