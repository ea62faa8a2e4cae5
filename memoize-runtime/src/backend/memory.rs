//! The embedded backend: entries in the memory of this process.

mod leases;
#[cfg(all(test, feature = "encrypt"))]
mod raw_bytes;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use foldhash::fast::RandomState;
use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use super::{Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};
use crate::clock::{Clock, SystemClock, millis};
use crate::local::Kept;
use crate::process;
use leases::Leases;

/// What one entry takes beside its key and value: the table's slot, two allocations and the reference counts. Measured
/// with a counting allocator and rounded up, so that the bound is one on memory and not on payload alone.
const OVERHEAD: u64 = 160;

/// The same for a value that is kept as it is: two tables' slots, and five allocations.
const VALUE_OVERHEAD: u64 = 320;

/// A shard's share bounds the largest value, so a small store has few shards.
const SHARD_BYTES: u64 = 8 << 20;
const MOST_SHARDS: u64 = 16;

/// What is taken for the size of an entry when the table is laid out; it grows as it must.
const TYPICAL_ENTRY: u64 = 512;

/// How many entries are taken in one epoch.
const EPOCH: u64 = 1024;

/// How long the sweeper sleeps at the least, so that it costs nothing, and at the most, so that an expired entry's
/// memory is back within a minute.
const SHORTEST_SLEEP: Duration = Duration::from_millis(500);
const LONGEST_SLEEP: Duration = Duration::from_secs(20);

/// A backend in the memory of this process, bounded in bytes.
///
/// What a function stores without `encrypt` is kept as the value that it is, where that is `Clone + Send + Sync + 'static`, and counts with
/// what its bytes would take, and its own size. All else is kept as bytes.
///
/// Beyond its capacity the entries that were used least leave (S3-FIFO-like, by `quick_cache`). Expired entries leave by
/// themselves, without being asked for: a thread starts with the first entry, and ends when there is none left. Clones share
/// the entries. A value may be as large as [`Limits::value_bytes`] says: somewhat less than 4 MiB, or than half of a capacity
/// below 8 MiB; more where the capacity is above 128 MiB.
#[derive(Clone)]
pub struct Memory {
    store: Arc<Store>,
}

struct Store {
    entries: Cache<Box<str>, Item, ByBytes, RandomState, Ending>,
    /// Locked around each write, so that a fill is one step with the check of its lease.
    leases: Leases,
    clock: Arc<dyn Clock>,
    /// No entry expires before this moment, so that a sweep with nothing to do touches no shard.
    earliest: AtomicU64,
    pulse: Arc<Pulse>,
    inserted: AtomicU64,
    /// The process whose sweeper is running, 0 for none. A forked child has no threads, and finds another number here.
    sweeper: AtomicU32,
    starting: Mutex<()>,
    /// The sweeper's thread, to be woken when the store is gone.
    thread: Mutex<Option<Thread>>,
}

impl Drop for Store {
    fn drop(&mut self) {
        let thread = self
            .thread
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread {
            thread.unpark();
        }
    }
}

#[derive(Clone)]
struct Item {
    kept: Kept,
    expires_ms: u64,
}

impl Item {
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

#[derive(Clone)]
struct ByBytes;

impl Weighter<Box<str>, Item> for ByBytes {
    fn weight(&self, key: &Box<str>, item: &Item) -> u64 {
        match &item.kept {
            Kept::Bytes(bytes) => weight(key.len(), bytes.len()),
            Kept::Value(value) => VALUE_OVERHEAD + key.len() as u64 + value.weight(),
        }
    }
}

fn weight(key_bytes: usize, value_bytes: usize) -> u64 {
    OVERHEAD + (key_bytes + value_bytes) as u64
}

/// What tables of values go by, which every hit reads: in a cache line of its own, away from what every miss writes.
#[repr(align(128))]
struct Pulse {
    /// How many values were ended.
    ended: AtomicU64,
    epoch: AtomicU32,
}

/// Ends what is evicted.
#[derive(Clone)]
struct Ending(Arc<Pulse>);

/// What was evicted; it goes once the store is unlocked.
#[derive(Default)]
struct Evicted(Vec<Item>);

impl Lifecycle<Box<str>, Item> for Ending {
    type RequestState = Evicted;

    fn on_evict(&self, evicted: &mut Evicted, _: Box<str>, item: Item) {
        item.end(&self.0);
        evicted.0.push(item);
    }
}

impl Drop for Evicted {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Item::leave);
    }
}

impl Memory {
    /// The capacity of the embedded backend that is there when none was configured.
    pub const DEFAULT_BYTES: usize = 128 << 20;

    /// A store of at most `bytes`, keys and bookkeeping included.
    pub fn new(bytes: usize) -> Self {
        Self::with_clock(bytes, SystemClock)
    }

    /// The same with expirations told by `clock`.
    #[expect(clippy::missing_panics_doc, reason = "what is expected can't fail")]
    pub fn with_clock(bytes: usize, clock: impl Clock) -> Self {
        let bytes = bytes as u64;
        // A power of two, as it would otherwise be rounded up to one, and shards be smaller than they must be.
        let shards = 1 << (bytes / SHARD_BYTES).clamp(1, MOST_SHARDS).ilog2();
        let options = OptionsBuilder::new()
            .weight_capacity(bytes)
            .estimated_items_capacity(usize::try_from(bytes / TYPICAL_ENTRY).unwrap_or(usize::MAX))
            .shards(shards)
            .build()
            .expect("capacity and item count are set above");
        let pulse = Arc::new(Pulse {
            ended: AtomicU64::new(0),
            epoch: AtomicU32::new(1),
        });
        let ending = Ending(Arc::clone(&pulse));
        Self {
            store: Arc::new(Store {
                entries: Cache::with_options(options, ByBytes, RandomState::default(), ending),
                leases: Leases::new(),
                clock: Arc::new(clock),
                earliest: AtomicU64::new(u64::MAX),
                pulse,
                inserted: AtomicU64::new(1),
                sweeper: AtomicU32::new(0),
                starting: Mutex::new(()),
                thread: Mutex::new(None),
            }),
        }
    }

    /// The number of entries, in either form, expired ones that were not swept yet included.
    pub fn len(&self) -> usize {
        self.store.entries.len()
    }

    /// Whether there is no entry at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes taken, as they count against the capacity.
    pub fn bytes(&self) -> usize {
        usize::try_from(self.store.entries.weight()).unwrap_or(usize::MAX)
    }

    /// The most bytes that will be taken.
    pub fn capacity(&self) -> usize {
        usize::try_from(self.store.entries.capacity()).unwrap_or(usize::MAX)
    }

    /// Removes everything. As after an invalidation, what is being computed is not stored.
    pub fn clear(&self) {
        self.store.leases.end_all();
        self.store.remove_all(|_| true);
    }

    /// Frees all expired entries now. They leave by themselves within a minute; this is for those who can't wait.
    pub fn sweep(&self) {
        self.store.sweep();
    }

    /// What is kept under `key`.
    pub(crate) fn kept(&self, key: &str) -> Option<Kept> {
        self.store.entries.get(key).map(|item| item.kept)
    }

    /// [`set`](Backend::set) of what is kept.
    pub(crate) fn keep(&self, key: &str, kept: Kept, life: Duration) {
        let item = self.store.item(kept, life);
        let mut leases = self.store.leases.of(key);
        leases.end(key);
        let replaced = self.store.insert(key, item);
        drop(leases);
        drop(replaced);
        Store::keep_swept(&self.store, process::current());
    }

    /// [`fill`](Backend::fill) with what is kept, in a process of this number.
    pub(crate) fn fill_kept(
        &self,
        process: u32,
        key: &str,
        lease: Lease,
        kept: Kept,
        life: Duration,
    ) -> bool {
        // What isn't taken stays here until nothing is locked: the value's `Drop` is the user's code.
        let mut item = Some(self.store.item(kept, life));
        let mut leases = self.store.leases.of(key);
        let stands = leases.take(key, lease);
        let filling = item.take_if(|_| stands);
        let replaced = filling.map(|item| self.store.insert(key, item));
        drop(leases);
        drop((replaced, item));
        Store::keep_swept(&self.store, process);
        stands
    }

    /// How many values were ended. Who finds the same number again knows that none was meanwhile.
    #[inline]
    pub(crate) fn ended(&self) -> u64 {
        self.store.pulse.ended.load(Ordering::Acquire)
    }

    /// A number that changes while the store takes new entries. What is in use is to be [`touch`](Self::touch)ed once in each
    /// epoch, so that it is known to be in use.
    #[inline]
    pub(crate) fn epoch(&self) -> u32 {
        self.store.pulse.epoch.load(Ordering::Relaxed)
    }

    /// Says that what is kept under `key` is in use.
    #[cold]
    pub(crate) fn touch(&self, key: &str) {
        drop(self.store.entries.get(key));
    }
}

impl Backend for Memory {
    fn get(&self, key: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        Ok(self.kept(key).and_then(Kept::into_bytes))
    }

    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        _: Deadline,
    ) -> Result<(), BackendError> {
        self.keep(key, Kept::Bytes(value), life);
        Ok(())
    }

    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        let mut leases = self.store.leases.of(key);
        leases.end(key);
        let removed = self.store.remove(key);
        drop(leases);
        drop(removed);
        Ok(())
    }

    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        // A hit takes no lock.
        let found = if let Some(kept) = self.kept(key) {
            kept
        } else {
            let mut leases = self.store.leases.of(key);
            // Once more under the lock, so that what was just filled is found.
            let Some(kept) = self.kept(key) else {
                return Ok(leases
                    .grant_if_free(key, life)
                    .map_or(Lookup::Busy, Lookup::Granted));
            };
            kept
        };
        // Bytes may have to be made, which is the user's code, so not under the lock.
        Ok(match found.into_bytes() {
            Some(bytes) => Lookup::Found(bytes),
            None => Lookup::Granted(self.lease(key, life, deadline)?),
        })
    }

    fn lease(&self, key: &str, life: Duration, _: Deadline) -> Result<Lease, BackendError> {
        Ok(self.store.leases.of(key).grant(key, life))
    }

    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        _: Deadline,
    ) -> Result<bool, BackendError> {
        Ok(self.fill_kept(process::current(), key, lease, Kept::Bytes(value), life))
    }

    fn release(&self, key: &str, lease: Lease, _: Deadline) -> Result<(), BackendError> {
        self.store.leases.of(key).take(key, lease);
        Ok(())
    }

    fn limits(&self) -> Limits {
        let limits = Limits::new();
        // More than this and one value would push out most of its shard.
        let room =
            (self.store.entries.shard_capacity() / 2).saturating_sub(weight(limits.key_bytes, 0));
        limits
            .value_bytes(usize::try_from(room).unwrap_or(usize::MAX))
            .shared(false)
            .blocking(false)
    }
}

impl Store {
    /// Made before anything is locked: the clock may be the user's.
    fn item(&self, kept: Kept, life: Duration) -> Item {
        let expires_ms = self.clock.unix_millis().saturating_add(millis(life));
        Item { kept, expires_ms }
    }

    /// Puts the item in the place of what is returned, to be dropped once nothing is locked.
    fn insert(&self, key: &str, item: Item) -> Evicted {
        let expires_ms = item.expires_ms;
        if let Kept::Value(value) = &item.kept {
            value.begin();
        }
        let mut evicted = self.remove(key);
        self.entries
            .insert_with_lifecycle(key.into(), item, &mut evicted);
        self.earliest.fetch_min(expires_ms, Ordering::Relaxed);
        let inserted = self.inserted.fetch_add(1, Ordering::Relaxed);
        if inserted.is_multiple_of(EPOCH) {
            self.pulse.epoch.fetch_add(1, Ordering::Relaxed);
        }
        evicted
    }

    /// Removes what is returned, to be dropped once nothing is locked.
    fn remove(&self, key: &str) -> Evicted {
        let removed = self.entries.remove_if(key, |item| {
            item.end(&self.pulse);
            true
        });
        Evicted(removed.map(|(_, item)| item).into_iter().collect())
    }

    fn remove_all(&self, which: impl Fn(&Item) -> bool) {
        let removed = RefCell::new(Evicted::default());
        self.entries.retain(|_, item| {
            let goes = which(item);
            if goes {
                item.end(&self.pulse);
                removed.borrow_mut().0.push(item.clone());
            }
            !goes
        });
    }

    fn sweep(&self) {
        let now = self.clock.unix_millis();
        if self.earliest.load(Ordering::Relaxed) > now {
            return;
        }
        // Reset first: an entry that is written meanwhile lowers it again.
        self.earliest.store(u64::MAX, Ordering::Relaxed);
        self.remove_all(|item| {
            let alive = item.expires_ms > now;
            if alive {
                self.earliest.fetch_min(item.expires_ms, Ordering::Relaxed);
            }
            !alive
        });
    }

    /// Makes sure that a sweeper runs in this process.
    fn keep_swept(store: &Arc<Self>, this_process: u32) {
        if store.sweeper.load(Ordering::SeqCst) == this_process {
            return;
        }
        let _starting = store
            .starting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if store.sweeper.load(Ordering::SeqCst) == this_process {
            return;
        }
        let weak = Arc::downgrade(store);
        // Without a thread expired entries still leave by eviction; the next write tries again.
        let started = thread::Builder::new()
            .name("cache-memoize-sweeper".to_owned())
            .spawn(move || Self::sweep_until_empty(&weak));
        if let Ok(started) = started {
            store.sweeper.store(this_process, Ordering::SeqCst);
            *store.thread.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(started.thread().clone());
        }
    }

    fn sweep_until_empty(store: &Weak<Self>) {
        let mut sleep = SHORTEST_SLEEP;
        loop {
            // Woken early when the store is dropped; for any other reason, a sweep does no harm.
            thread::park_timeout(sleep);
            let Some(store) = store.upgrade() else { return };
            store.sweep();
            if store.entries.is_empty() {
                // Under the lock, so that a writer either sees no sweeper, or is seen here.
                let _ending = store
                    .starting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                store.sweeper.store(0, Ordering::SeqCst);
                if store.entries.is_empty() {
                    return;
                }
                store.sweeper.store(process::current(), Ordering::SeqCst);
            }
            let until = store
                .earliest
                .load(Ordering::Relaxed)
                .saturating_sub(store.clock.unix_millis());
            sleep = Duration::from_millis(until).clamp(SHORTEST_SLEEP, LONGEST_SLEEP);
        }
    }
}

// A panic leaves it as it was: nothing is locked while a clock's or a value's code runs.
impl UnwindSafe for Memory {}
impl RefUnwindSafe for Memory {}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("entries", &self.len())
            .field("bytes", &self.bytes())
            .field("capacity", &self.capacity())
            .finish()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(Self::DEFAULT_BYTES)
    }
}
