//! Where the calls of one function find their values.

use std::ptr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use papaya::HashMap;

use super::beside::{Beside, Trust};
use super::copies::Copied;
use super::slot::Slot;
use crate::backend::Memory;
use crate::key::arguments::Arguments;
use crate::seat::Seat;

/// The values of one instantiation of a function, on one runtime.
pub(crate) struct Front<T> {
    slots: HashMap<Arguments, Arc<Slot<T>>, RandomState>,
    /// Where they are kept.
    memory: Memory,
    /// The same as copies, where it is not the backend itself.
    beside: Option<Arc<Beside>>,
}

impl<T: Copied> Front<T> {
    pub(super) fn new(memory: Memory, beside: Option<Arc<Beside>>) -> Self {
        Self {
            slots: HashMap::with_hasher(RandomState::default()),
            memory,
            beside,
        }
    }

    /// A copy of the value for these arguments, if there is one that may be used at `now_ms`.
    #[inline]
    pub(super) fn copy(&self, arguments: &Arguments, now_ms: u64) -> Option<T> {
        let guard = self.slots.guard();
        let slot = self.slots.get(arguments, &guard)?;
        if !slot.is_alive(now_ms) || !self.is_vouched_for(slot) {
            return None;
        }
        let epoch = self.memory.epoch();
        if slot.is_unreported(epoch) {
            slot.report(epoch);
            self.memory.touch(slot.name());
        }
        slot.copy()
    }

    /// Whether what vouches for a copy beside the backend still does.
    #[inline]
    fn is_vouched_for(&self, slot: &Slot<T>) -> bool {
        self.beside.as_ref().is_none_or(|beside| {
            beside.is_of_this_process()
                && (slot.trust() != Trust::Tracked || beside.is_told_of(slot.name()))
        })
    }

    /// Has `slot` found by these arguments, if it is found by no others.
    pub(super) fn adopt(self: &Arc<Self>, arguments: &Arguments, slot: &Arc<Slot<T>>) {
        if !slot.is_stored() || !slot.settle(self, arguments) {
            return;
        }
        self.slots.pin().insert(arguments.clone(), Arc::clone(slot));
        // It may have been removed from the store before it was here to be removed.
        if !slot.is_stored() {
            self.remove(arguments, slot);
        }
    }
}

impl<T> Front<T> {
    pub(super) fn remove(&self, arguments: &Arguments, slot: &Slot<T>) {
        if Seat::current().is_ending() {
            // It stays there, ended, until another one takes its place.
            return;
        }
        let slots = self.slots.pin();
        // Another one may be in its place.
        let _ = slots.remove_if(arguments, |_, found| ptr::eq(&raw const **found, slot));
    }
}
