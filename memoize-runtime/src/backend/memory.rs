//! The embedded backend: entries in the memory of this process.

mod leases;
#[cfg(all(test, feature = "encrypt"))]
mod raw_bytes;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use super::{Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};
use crate::clock::{Clock, SystemClock, millis};
use crate::local::Kept;
use crate::process;
use leases::Leases;
use table::{Item, Left, Pulse, Table};

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
    entries: Table,
    /// Locked around each write, so that a fill is one step with the check of its lease.
    leases: Leases,
    clock: Arc<dyn Clock>,
    /// No entry expires before this moment, so that a sweep with nothing to do touches no shard.
    earliest: AtomicU64,
    pulse: Arc<Pulse>,
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

impl Memory {
    /// The capacity of the embedded backend that is there when none was configured.
    pub const DEFAULT_BYTES: usize = 128 << 20;

    /// A store of at most `bytes`, keys and bookkeeping included.
    pub fn new(bytes: usize) -> Self {
        Self::with_clock(bytes, SystemClock)
    }

    /// The same with expirations told by `clock`.
    pub fn with_clock(bytes: usize, clock: impl Clock) -> Self {
        let pulse = Arc::new(Pulse {
            ended: AtomicU64::new(0),
            epoch: AtomicU32::new(0),
        });
        Self {
            store: Arc::new(Store {
                entries: Table::new(bytes as u64, &pulse),
                leases: Leases::new(),
                clock: Arc::new(clock),
                earliest: AtomicU64::new(u64::MAX),
                pulse,
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
        self.store.entries.remove_all(|_| true);
        self.store.entries.shrink();
    }

    /// Frees all expired entries now. They leave by themselves within a minute; this is for those who can't wait.
    pub fn sweep(&self) {
        self.store.sweep();
    }

    /// What is kept under `key`.
    pub(crate) fn kept(&self, key: &str) -> Option<Kept> {
        self.store.entries.get(key)
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

    /// A lease in place of whichever stands.
    pub(crate) fn granted(&self, key: &str, life: Duration) -> Lease {
        self.store.leases.of(key).grant(key, life)
    }

    /// How many values were ended. Who finds the same number again knows that none was meanwhile.
    #[inline]
    pub(crate) fn ended(&self) -> u64 {
        self.store.pulse.ended.load(Ordering::Acquire)
    }

    /// A number that changes while the store takes new entries and is not far from full; 0 before. What is in use is to be
    /// [`touch`](Self::touch)ed once in each epoch but that, so that it is known to be in use.
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
        let item = self.store.item(Kept::Bytes(value), life);
        let mut leases = self.store.leases.of(key);
        leases.end(key);
        let replaced = self.store.insert(key, item);
        drop(leases);
        drop(replaced);
        Store::keep_swept(&self.store, process::current());
        Ok(())
    }

    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        let mut leases = self.store.leases.of(key);
        leases.end(key);
        let removed = self.store.entries.remove(key);
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
        Ok(self.granted(key, life))
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
        let room = self.store.entries.longest_value(limits.key_bytes);
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
    fn insert(&self, key: &str, item: Item) -> Left {
        let expires_ms = item.expires_ms;
        let left = self.entries.insert(key, item);
        self.earliest.fetch_min(expires_ms, Ordering::Relaxed);
        left
    }

    fn sweep(&self) {
        self.remove_expired();
        // Even where nothing has expired, others may have removed what was there.
        self.entries.shrink();
    }

    fn remove_expired(&self) {
        let now = self.clock.unix_millis();
        if self.earliest.load(Ordering::Relaxed) > now {
            return;
        }
        // Reset first: an entry that is written meanwhile lowers it again.
        self.earliest.store(u64::MAX, Ordering::Relaxed);
        self.entries.remove_all(|item| {
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
