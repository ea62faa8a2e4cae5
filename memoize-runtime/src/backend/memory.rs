//! The embedded backend: entries in the memory of this process.

mod leases;
#[cfg(all(test, feature = "encrypt"))]
mod raw_bytes;
mod store;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use super::{Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};
use crate::clock::{Clock, SystemClock};
use crate::local::Kept;
use crate::process::{self, PerProcess};
pub(crate) use store::MemoryStore;
pub(crate) use table::MemoryLayout;

/// A backend in the memory of this process, bounded in bytes.
///
/// What a function stores without `encrypt` is kept as the value that it is, where that is `Clone + Send + Sync + 'static`. It counts with its own
/// size and what is behind it, as far as serde shows that: texts, lists and maps by their lengths, and no less than its bytes would take.
/// What serde doesn't show isn't counted: a skipped field, the room of a `None` or of a short variant in a list that has no longer one, the
/// pointers and allocations of boxes in a list, and room that a `Clone` keeps free. A set counts as a list, and may take two to five times that.
/// Some counts for more than it takes: what an `Arc` shares, with each value; in a list, what is written as a text, such as a date, as one.
/// All else is kept as bytes, and so is what takes more than [`Limits::value_bytes`] as it is.
///
/// Beyond its capacity the entries that were used least leave (S3-FIFO-like, by `quick_cache`). Expired entries leave by
/// themselves, without being asked for: a thread starts with the first entry, and ends when there is none left. Clones share
/// the entries. A value may be as large as [`Limits::value_bytes`] says: somewhat less than 4 MiB, or than half of a capacity
/// below 8 MiB; more where the capacity is above 128 MiB.
///
/// A forked child may hit what its parent left here, until it misses, stores or removes something: from then on it has only what it stores.
#[derive(Clone)]
pub struct Memory {
    stores: Arc<Stores>,
}

struct Stores {
    layout: MemoryLayout,
    clock: Arc<dyn Clock>,
    of: PerProcess<Arc<MemoryStore>>,
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
        Self {
            stores: Arc::new(Stores {
                layout: MemoryLayout::of(bytes as u64),
                clock: Arc::new(clock),
                of: PerProcess::new(),
            }),
        }
    }

    /// The number of entries, in either form, expired ones that were not swept yet included.
    pub fn len(&self) -> usize {
        self.store().entries.len()
    }

    /// Whether there is no entry at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes taken, as they count against the capacity.
    pub fn bytes(&self) -> usize {
        usize::try_from(self.store().entries.weight()).unwrap_or(usize::MAX)
    }

    /// The most bytes that will be taken.
    pub fn capacity(&self) -> usize {
        usize::try_from(self.stores.layout.capacity()).unwrap_or(usize::MAX)
    }

    /// Removes everything. As after an invalidation, what is being computed is not stored.
    pub fn clear(&self) {
        self.store().clear();
    }

    /// Frees all expired entries now. They leave by themselves within a minute; this is for those who can't wait.
    pub fn sweep(&self) {
        self.store().sweep();
    }

    /// What is kept under `key`.
    ///
    /// Most hits needn't know which process this is: a child that was forked a moment ago may read what its parent left, if it doesn't
    /// have to wait for that.
    pub(crate) fn kept(&self, key: &str) -> Option<Kept> {
        let recent = self.stores.of.recent().map(|store| store.try_get(key));
        match recent {
            Some(Ok(kept)) => kept,
            Some(Err(_)) | None => self.store().get(key),
        }
    }

    /// [`get_or_lease`](Backend::get_or_lease) by who knows which process this is.
    pub(crate) fn get_or_lease_in(&self, process: u32, key: &str, life: Duration) -> Lookup {
        self.store_of(process).get_or_lease(key, life)
    }

    /// The entries of a process, by its number.
    pub(crate) fn store_of(&self, process: u32) -> &Arc<MemoryStore> {
        let Stores { layout, clock, of } = &*self.stores;
        of.get_or_make_as(process, || {
            MemoryStore::new(process, *layout, Arc::clone(clock))
        })
    }

    /// Those of this one. It takes a system call.
    fn store(&self) -> &Arc<MemoryStore> {
        self.store_of(process::current())
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
        self.store().set(key, Kept::Bytes(value), life);
        Ok(())
    }

    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        self.store().remove(key);
        Ok(())
    }

    fn get_or_lease(&self, key: &str, life: Duration, _: Deadline) -> Result<Lookup, BackendError> {
        Ok(self.get_or_lease_in(process::current(), key, life))
    }

    fn lease(&self, key: &str, life: Duration, _: Deadline) -> Result<Lease, BackendError> {
        Ok(self.store().lease(key, life))
    }

    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        _: Deadline,
    ) -> Result<bool, BackendError> {
        Ok(self.store().fill(key, lease, Kept::Bytes(value), life))
    }

    fn release(&self, key: &str, lease: Lease, _: Deadline) -> Result<(), BackendError> {
        self.store().release(key, lease);
        Ok(())
    }

    fn limits(&self) -> Limits {
        let limits = Limits::new();
        let room = self.stores.layout.longest_value(limits.key_bytes);
        limits
            .value_bytes(usize::try_from(room).unwrap_or(usize::MAX))
            .shared(false)
            .blocking(false)
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
