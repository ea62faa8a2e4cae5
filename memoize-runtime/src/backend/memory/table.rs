//! The entries themselves: shards, each of which is bounded by weight, and gives back the room that it no longer needs.

use std::cell::RefCell;
use std::hash::BuildHasher;
use std::mem;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, TryLockError};

use foldhash::fast::RandomState;
use quick_cache::unsync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use crate::local::Kept;
use crate::locks::unpoisoned;

/// What one entry takes beside its key and value: the table's slot, two allocations and the reference counts. Measured with a counting
/// allocator, by `weight` of `benches/versus`, and rounded up, so that the bound is one on memory and not on payload alone.
const OVERHEAD: u64 = 176;

/// The same for a value that is kept as it is: two tables' slots, and four allocations. It is 210 to 330, as arguments of one word take
/// less, and tables double.
const VALUE_OVERHEAD: u64 = 320;

/// A shard's share bounds the largest value, so a small store has few shards.
const SHARD_BYTES: u64 = 8 << 20;
const MOST_SHARDS: u64 = 16;

/// What is taken for the size of an entry when the eviction is laid out.
const TYPICAL_ENTRY: u64 = 512;

/// So many epochs pass while a large store takes as much as it has room for. What is in use is reported once in each, which takes a
/// lookup in the store; no more are needed, as an entry is up for eviction once in about that time, and at first is reported anyway.
const EPOCHS: u64 = 16;

/// The least that is taken in one epoch, or else what a small store holds would be reported all the time.
const EPOCH_BYTES: u64 = 512 << 10;

/// A shard of which this part is in use gives the rest back: less, and it would do so again and again while it is filled.
const SPARSE: usize = 4;

/// Below this many entries there is nothing to be given back that anybody would notice.
const FEW: usize = 64;

pub(super) struct Table {
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
    /// The process that writes here.
    process: u32,
}

/// How the room is divided.
#[derive(Clone, Copy)]
pub(crate) struct MemoryLayout {
    bytes: u64,
    /// A power of two, as the last bits of a hash choose among them.
    shards: u64,
    /// What one of them may hold.
    shard_bytes: u64,
}

/// A lock is held by another thread, or was when the process was forked.
pub(super) struct WouldWait;

/// `quick_cache` has a concurrent form as well, whose room can't be given back: it grows with the most entries that were ever there.
struct Shard {
    entries: Entries,
    /// The most entries there were since it last gave room back.
    most: usize,
    /// What is still to be inserted before an epoch begins, and how much that is from one to the next.
    until_epoch: u64,
    epoch: u64,
    pulse: Arc<Pulse>,
}

type Entries = Cache<Arc<str>, Item, ByBytes, RandomState, Ending>;

#[derive(Clone)]
pub(super) struct Item {
    pub(super) kept: Kept,
    pub(super) expires_ms: u64,
}

/// What tables of values go by, which every hit reads: in a cache line of its own, away from what every miss writes.
#[repr(align(128))]
pub(super) struct Pulse {
    /// How many values were ended.
    pub(super) ended: AtomicU64,
    pub(super) epoch: AtomicU32,
}

/// What left the table, to be dropped once nothing is locked: a value's `Drop` is the user's code.
#[derive(Default)]
pub(super) struct Left(Vec<Item>);

#[derive(Clone)]
struct ByBytes;

/// Ends what is evicted.
#[derive(Clone)]
struct Ending(Arc<Pulse>);

impl MemoryLayout {
    /// For at most `bytes`.
    pub(crate) fn of(bytes: u64) -> Self {
        let shards = 1 << (bytes / SHARD_BYTES).clamp(1, MOST_SHARDS).ilog2();
        Self {
            bytes,
            shards,
            shard_bytes: bytes.div_ceil(shards),
        }
    }

    pub(super) fn capacity(&self) -> u64 {
        self.shard_bytes.saturating_mul(self.shards)
    }

    /// The longest value beside a key of `key_bytes`: more, and it would push out most of its shard.
    pub(super) fn longest_value(&self, key_bytes: usize) -> u64 {
        (self.shard_bytes / 2).saturating_sub(weight(key_bytes, 0))
    }
}

impl Table {
    pub(super) fn new(layout: MemoryLayout, pulse: &Arc<Pulse>, process: u32) -> Self {
        // By what each takes alone: together they begin as many as a single one.
        let epoch = (layout.bytes / EPOCHS).max(EPOCH_BYTES);
        let shard = |_| RwLock::new(Shard::new(layout.shard_bytes, epoch, pulse));
        Self {
            shards: (0..layout.shards).map(shard).collect(),
            hasher: RandomState::default(),
            process,
        }
    }

    /// Leaves all of it where it is, as nobody may look at it.
    pub(super) fn forget(&mut self) {
        mem::forget(mem::take(&mut self.shards));
    }

    pub(super) fn len(&self) -> usize {
        self.read_all().map(|shard| shard.entries.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.read_all().all(|shard| shard.entries.is_empty())
    }

    pub(super) fn weight(&self) -> u64 {
        self.read_all().map(|shard| shard.entries.weight()).sum()
    }

    pub(super) fn get(&self, key: &str) -> Option<Kept> {
        unpoisoned(self.shard(key).read()).get(key)
    }

    /// The same, but where it would wait.
    pub(super) fn try_get(&self, key: &str) -> Result<Option<Kept>, WouldWait> {
        let shard = match self.shard(key).try_read() {
            Ok(shard) => shard,
            Err(TryLockError::Poisoned(shard)) => shard.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(WouldWait),
        };
        Ok(shard.get(key))
    }

    /// Puts the item in the place of what leaves.
    pub(super) fn insert(&self, key: &str, item: Item) -> Left {
        if let Kept::Value(value) = &item.kept {
            value.begin(self.process);
        }
        let key_kept = item.name(key);
        let mut shard = unpoisoned(self.shard(key).write());
        let mut left = shard.remove(key);
        shard.note(ByBytes.weight(&key_kept, &item));
        shard
            .entries
            .insert_with_lifecycle(key_kept, item, &mut left);
        shard.most = shard.most.max(shard.entries.len());
        left
    }

    pub(super) fn remove(&self, key: &str) -> Left {
        unpoisoned(self.shard(key).write()).remove(key)
    }

    /// Removes all of `which` this is true.
    pub(super) fn remove_all(&self, which: impl Fn(&Item) -> bool) {
        for shard in &self.shards {
            let left = unpoisoned(shard.write()).remove_all(&which);
            drop(left);
        }
    }

    /// Gives back the room of what was there once.
    pub(super) fn shrink(&self) {
        for shard in &self.shards {
            if unpoisoned(shard.read()).is_sparse() {
                let left = unpoisoned(shard.write()).shrink();
                drop(left);
            }
        }
    }

    /// All that is there.
    #[cfg(all(test, feature = "encrypt"))]
    pub(super) fn items(&self) -> Vec<(Arc<str>, Item)> {
        let of_shard = |shard: RwLockReadGuard<'_, Shard>| {
            let items = shard.entries.iter();
            items
                .map(|(key, item)| (key.clone(), item.clone()))
                .collect::<Vec<_>>()
        };
        self.read_all().flat_map(of_shard).collect()
    }

    /// The bytes that the shards themselves take, as far as they are used.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.read_all()
            .map(|shard| shard.entries.memory_used().total())
            .sum()
    }

    fn shard(&self, key: &str) -> &RwLock<Shard> {
        let hash = self.hasher.hash_one(key);
        let last = self.shards.len() - 1;
        &self.shards[usize::try_from(hash & last as u64).unwrap_or(0)]
    }

    fn read_all(&self) -> impl Iterator<Item = RwLockReadGuard<'_, Shard>> {
        self.shards.iter().map(|shard| unpoisoned(shard.read()))
    }
}

impl Shard {
    fn new(bytes: u64, epoch: u64, pulse: &Arc<Pulse>) -> Self {
        Self {
            entries: entries(bytes, pulse),
            most: 0,
            until_epoch: 0,
            epoch,
            pulse: Arc::clone(pulse),
        }
    }

    /// Begins an epoch once enough was inserted. As long as half is free nothing is evicted soon, and it needn't be known what is in use.
    fn note(&mut self, weight: u64) {
        if self.entries.weight() < self.entries.capacity() / 2 {
            return;
        }
        self.until_epoch = self.until_epoch.saturating_sub(weight);
        if self.until_epoch == 0 {
            self.until_epoch = self.epoch;
            self.pulse.epoch.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn get(&self, key: &str) -> Option<Kept> {
        self.entries.get(key).map(|item| item.kept.clone())
    }

    fn remove(&mut self, key: &str) -> Left {
        let removed = self.entries.remove_if(key, |item| {
            item.end(&self.pulse);
            true
        });
        Left(removed.map(|(_, item)| item).into_iter().collect())
    }

    fn remove_all(&mut self, which: impl Fn(&Item) -> bool) -> Left {
        let left = RefCell::new(Left::default());
        self.entries.retain(|_, item| {
            let goes = which(item);
            if goes {
                item.end(&self.pulse);
                left.borrow_mut().0.push(item.clone());
            }
            !goes
        });
        left.into_inner()
    }

    fn is_sparse(&self) -> bool {
        self.most > FEW && self.entries.len() < self.most / SPARSE
    }

    /// Moves what is there to where it takes no more than it must. The eviction begins anew, with nothing seen yet.
    fn shrink(&mut self) -> Left {
        let mut left = Left::default();
        if self.is_sparse() {
            let fresh = entries(self.entries.capacity(), &self.pulse);
            let mut old = mem::replace(&mut self.entries, fresh);
            for (key, item) in old.drain() {
                self.entries.insert_with_lifecycle(key, item, &mut left);
            }
            self.most = self.entries.len();
        }
        left
    }
}

fn entries(bytes: u64, pulse: &Arc<Pulse>) -> Entries {
    let options = OptionsBuilder::new()
        .weight_capacity(bytes)
        .estimated_items_capacity(usize::try_from(bytes / TYPICAL_ENTRY).unwrap_or(usize::MAX))
        .build()
        .expect("capacity and item count are set above");
    let ending = Ending(Arc::clone(pulse));
    Cache::with_options(options, ByBytes, RandomState::default(), ending)
}

impl Item {
    /// `key` to be kept: a value has it, too.
    fn name(&self, key: &str) -> Arc<str> {
        match &self.kept {
            Kept::Value(value) if value.facts().name.as_str() == key => {
                value.facts().name.to_shared()
            }
            Kept::Value(_) | Kept::Bytes(_) => key.into(),
        }
    }

    /// Says that nobody may use it any more: before it is out of the store, so that what may be used is in it.
    fn end(&self, pulse: &Pulse) {
        if let Kept::Value(value) = &self.kept {
            value.end();
            // Behind it, so that who finds the same number as before finds what was there before.
            pulse.ended.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Leaves wherever else it is found. Outside of every lock, since the value may be dropped, which is the user's code.
    fn leave(self) {
        if let Kept::Value(value) = self.kept {
            value.leave();
        }
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Item::leave);
    }
}

impl Lifecycle<Arc<str>, Item> for Ending {
    type RequestState = Left;

    fn on_evict(&self, left: &mut Left, _: Arc<str>, item: Item) {
        item.end(&self.0);
        left.0.push(item);
    }
}

impl Weighter<Arc<str>, Item> for ByBytes {
    fn weight(&self, key: &Arc<str>, item: &Item) -> u64 {
        match &item.kept {
            Kept::Bytes(bytes) => weight(key.len(), bytes.len()),
            Kept::Value(value) => VALUE_OVERHEAD + value.weight(),
        }
    }
}

fn weight(key_bytes: usize, value_bytes: usize) -> u64 {
    OVERHEAD + (key_bytes + value_bytes) as u64
}
