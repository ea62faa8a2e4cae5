//! What is in the table of a function: a value's life, and where that is cheap the value, so that a hit looks nowhere else.

use std::mem::needs_drop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::beside::{Beside, Trust};
use super::copies::Copied;
use super::slot::Slot;
use crate::backend::MemoryStore;
use crate::config::Runtime;
use crate::guard::guard;

/// A value of the store as calls find it.
pub(super) struct Near<T> {
    /// How many values the store had ended when this one was last seen not to be among them.
    seen: AtomicU64,
    /// Before this the clock was turned back further than is believed.
    from_ms: u64,
    until_ms: u64,
    /// A copy of what has nothing to drop, and so nothing behind it that would be there twice.
    value: Option<T>,
    slot: Arc<Slot<T>>,
    /// Of the store when the value was last reported to be in use; 0 before.
    epoch: AtomicU32,
}

impl<T: Copied> Near<T> {
    /// Of what was in the store when that had ended so many values.
    pub(super) fn new(slot: Arc<Slot<T>>, ended: u64) -> Self {
        let (from_ms, until_ms) = slot.life();
        Self {
            seen: AtomicU64::new(ended),
            from_ms,
            until_ms,
            value: if needs_drop::<T>() { None } else { slot.copy() },
            slot,
            epoch: AtomicU32::new(0),
        }
    }

    pub(super) fn is_of(&self, slot: &Slot<T>) -> bool {
        std::ptr::eq(&raw const *self.slot, slot)
    }

    pub(super) fn is_vouched_for(&self, beside: &Beside) -> bool {
        beside.is_of_this_process()
            && (self.slot.trust() != Trust::Tracked || beside.is_told_of(self.slot.name()))
    }

    /// A copy of the value, if it may be used now.
    #[inline]
    pub(super) fn copy(&self, store: &MemoryStore, runtime: &Runtime) -> Option<T> {
        // Read before the slot is looked at: what the store ends from now on is looked for again.
        let ended = store.ended();
        if self.seen.load(Ordering::Relaxed) != ended {
            self.see(ended, store)?;
        }
        let now_ms = runtime.now_ms();
        if now_ms >= self.until_ms || now_ms < self.from_ms {
            return None;
        }
        let epoch = store.epoch();
        if self.epoch.load(Ordering::Relaxed) != epoch {
            self.report(store, epoch);
        }
        match &self.value {
            Some(value) => guard(|| value.clone()),
            None => self.slot.copy(),
        }
    }

    #[inline]
    fn see(&self, ended: u64, store: &MemoryStore) -> Option<()> {
        if !self.slot.is_stored_in(store.process()) {
            return None;
        }
        self.seen.store(ended, Ordering::Relaxed);
        Some(())
    }

    /// Says that the value is in use.
    #[cold]
    fn report(&self, store: &MemoryStore, epoch: u32) {
        self.epoch.store(epoch, Ordering::Relaxed);
        store.touch(self.slot.name());
    }
}
