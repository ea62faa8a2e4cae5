//! The entries of one process: how they are read and written, and when they leave.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use super::leases::Leases;
use super::table::{Item, Left, MemoryLayout, Pulse, Table, WouldWait};
use crate::backend::{Lease, Lookup};
use crate::clock::{Clock, millis};
use crate::local::Kept;
use crate::locks::{lock, unpoisoned};
use crate::process;

/// How long the sweeper sleeps at the least, so that it costs nothing, and at the most, so that an expired entry's
/// memory is back within a minute.
const SHORTEST_SLEEP: Duration = Duration::from_millis(500);
const LONGEST_SLEEP: Duration = Duration::from_secs(20);

pub(crate) struct MemoryStore {
    /// The only one that writes here: what one of its threads has locked when it is forked, nobody unlocks in the child.
    process: u32,
    pub(super) entries: Table,
    /// Locked around each write, so that a fill is one step with the check of its lease.
    pub(super) leases: Leases,
    clock: Arc<dyn Clock>,
    /// No entry expires before this moment, so that a sweep with nothing to do touches no shard.
    earliest: AtomicU64,
    pulse: Arc<Pulse>,
    is_swept: AtomicBool,
    starting: Mutex<()>,
    /// The sweeper's thread, to be woken when the store is gone.
    thread: Mutex<Option<Thread>>,
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        if self.process != process::current() {
            // A thread of the parent may have been in the middle of it.
            self.entries.forget();
            self.leases.forget();
            return;
        }
        let thread = unpoisoned(self.thread.get_mut());
        if let Some(thread) = thread {
            thread.unpark();
        }
    }
}

impl MemoryStore {
    pub(crate) fn new(process: u32, layout: MemoryLayout, clock: Arc<dyn Clock>) -> Arc<Self> {
        let pulse = Arc::new(Pulse {
            ended: AtomicU64::new(0),
            epoch: AtomicU32::new(0),
        });
        Arc::new(Self {
            process,
            entries: Table::new(layout, &pulse, process),
            leases: Leases::new(),
            clock,
            earliest: AtomicU64::new(u64::MAX),
            pulse,
            is_swept: AtomicBool::new(false),
            starting: Mutex::new(()),
            thread: Mutex::new(None),
        })
    }

    #[inline]
    pub(crate) fn process(&self) -> u32 {
        self.process
    }

    /// What is kept under `key`.
    pub(crate) fn get(&self, key: &str) -> Option<Kept> {
        self.entries.get(key)
    }

    /// The same by who doesn't know whether the store is of this process.
    pub(super) fn try_get(&self, key: &str) -> Result<Option<Kept>, WouldWait> {
        self.entries.try_get(key)
    }

    /// The bytes under `key`, or else a lease, unless another has it.
    pub(super) fn get_or_lease(&self, key: &str, life: Duration) -> Lookup {
        // A hit takes no lock.
        let found = if let Some(kept) = self.get(key) {
            kept
        } else {
            let mut leases = self.leases.of(key);
            // Once more under the lock, so that what was just filled is found.
            let Some(kept) = self.get(key) else {
                let lease = leases.grant_if_free(key, life);
                return lease.map_or(Lookup::Busy, Lookup::Granted);
            };
            kept
        };
        // Bytes may have to be made, which is the user's code, so not under the lock.
        match found.into_bytes() {
            Some(bytes) => Lookup::Found(bytes),
            None => Lookup::Granted(self.lease(key, life)),
        }
    }

    /// A lease in place of whichever stands.
    pub(crate) fn lease(&self, key: &str, life: Duration) -> Lease {
        self.leases.of(key).grant(key, life)
    }

    /// Gives a lease up.
    pub(crate) fn release(&self, key: &str, lease: Lease) {
        self.leases.of(key).take(key, lease);
    }

    /// Stores what is to be kept if the lease stands; says whether it did.
    pub(crate) fn fill(
        self: &Arc<Self>,
        key: &str,
        lease: Lease,
        kept: Kept,
        life: Duration,
    ) -> bool {
        // What isn't taken stays here until nothing is locked: the value's `Drop` is the user's code.
        let mut item = Some(self.item(kept, life));
        let mut leases = self.leases.of(key);
        let stands = leases.take(key, lease);
        let filling = item.take_if(|_| stands);
        let replaced = filling.map(|item| self.insert(key, item));
        drop(leases);
        drop((replaced, item));
        self.keep_swept();
        stands
    }

    /// Stores it whoever has a lease, which then stands no more.
    pub(super) fn set(self: &Arc<Self>, key: &str, kept: Kept, life: Duration) {
        let item = self.item(kept, life);
        let mut leases = self.leases.of(key);
        leases.end(key);
        let replaced = self.insert(key, item);
        drop(leases);
        drop(replaced);
        self.keep_swept();
    }

    pub(crate) fn remove(&self, key: &str) {
        let mut leases = self.leases.of(key);
        leases.end(key);
        let removed = self.entries.remove(key);
        drop(leases);
        drop(removed);
    }

    /// Removes everything. As after an invalidation, what is being computed is not stored.
    pub(crate) fn clear(&self) {
        self.leases.end_all();
        self.entries.remove_all(|_| true);
        self.entries.shrink();
    }

    /// How many values were ended. Who finds the same number again knows that none was meanwhile.
    #[inline]
    pub(crate) fn ended(&self) -> u64 {
        self.pulse.ended.load(Ordering::Acquire)
    }

    /// A number that changes while the store takes new entries and is not far from full; 0 before. What is in use is to be
    /// [`touch`](Self::touch)ed once in each epoch but that, so that it is known to be in use.
    #[inline]
    pub(crate) fn epoch(&self) -> u32 {
        self.pulse.epoch.load(Ordering::Relaxed)
    }

    /// Says that what is kept under `key` is in use. Nobody waits for that.
    #[cold]
    pub(crate) fn touch(&self, key: &str) {
        drop(self.entries.try_get(key));
    }

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

    pub(super) fn sweep(&self) {
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

    /// Makes sure that a sweeper runs.
    fn keep_swept(self: &Arc<Self>) {
        if self.is_swept.load(Ordering::SeqCst) {
            return;
        }
        let _starting = lock(&self.starting);
        if self.is_swept.load(Ordering::SeqCst) {
            return;
        }
        let weak = Arc::downgrade(self);
        // Without a thread expired entries still leave by eviction; the next write tries again.
        let started = thread::Builder::new()
            .name("cache-memoize-sweeper".to_owned())
            .spawn(move || Self::sweep_until_empty(&weak));
        if let Ok(started) = started {
            self.is_swept.store(true, Ordering::SeqCst);
            *lock(&self.thread) = Some(started.thread().clone());
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
                let _ending = lock(&store.starting);
                store.is_swept.store(false, Ordering::SeqCst);
                if store.entries.is_empty() {
                    return;
                }
                store.is_swept.store(true, Ordering::SeqCst);
            }
            let until = store
                .earliest
                .load(Ordering::Relaxed)
                .saturating_sub(store.clock.unix_millis());
            sleep = Duration::from_millis(until).clamp(SHORTEST_SLEEP, LONGEST_SLEEP);
        }
    }
}
