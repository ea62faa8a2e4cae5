//! Where the calls of one function find their values.

use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;
use papaya::{Guard, HashMap};

use super::beside::Beside;
use super::copies::Copied;
use super::near::Near;
use super::slot::Slot;
use crate::backend::MemoryStore;
use crate::config::Runtime;
use crate::key::arguments::Arguments;
use crate::seat::Seat;

/// The values of one instantiation of a function, on one runtime.
pub(crate) struct Front<T> {
    /// Those of arguments that are one word, as a number is: they are found in a fraction of the time.
    by_word: Values<u64, T>,
    values: Values<Arguments, T>,
    /// Where they are kept.
    store: Arc<MemoryStore>,
    /// The same as copies, where it is not the backend itself.
    beside: Option<Arc<Beside>>,
}

type Values<K, T> = HashMap<K, Near<T>, RandomState>;

impl<T: Copied> Front<T> {
    pub(super) fn new(store: Arc<MemoryStore>, beside: Option<Arc<Beside>>) -> Self {
        Self {
            by_word: HashMap::with_hasher(RandomState::default()),
            values: HashMap::with_hasher(RandomState::default()),
            store,
            beside,
        }
    }

    /// A copy of the value for these arguments, which are not one word, if there is one that may be used now.
    #[inline]
    pub(super) fn copy(&self, arguments: &Arguments, runtime: &Runtime) -> Option<T> {
        self.copy_of(self.values.pin().get(arguments)?, runtime)
    }

    /// The same for an only word.
    #[inline]
    pub(super) fn copy_by_word(&self, word: u64, runtime: &Runtime) -> Option<T> {
        self.copy_of(self.by_word.pin().get(&word)?, runtime)
    }

    /// The process whose values they are.
    #[inline]
    pub(crate) fn process(&self) -> u32 {
        self.store.process()
    }

    #[inline]
    fn copy_of(&self, near: &Near<T>, runtime: &Runtime) -> Option<T> {
        // What vouches for a copy beside the backend must still do.
        if let Some(beside) = &self.beside
            && !near.is_vouched_for(beside)
        {
            return None;
        }
        near.copy(&self.store, runtime)
    }

    /// Has `slot` found by these arguments, if it is found by no others.
    pub(super) fn adopt(self: &Arc<Self>, arguments: &Arguments, slot: &Arc<Slot<T>>) {
        // Read before the slot is looked at, as for a hit.
        let ended = self.store.ended();
        if !slot.is_stored_in(self.store.process()) || !slot.settle(self, arguments) {
            return;
        }
        let near = Near::new(Arc::clone(slot), ended);
        match arguments.only() {
            Some(word) => _ = self.by_word.pin().insert(word, near),
            None => _ = self.values.pin().insert(arguments.clone(), near),
        }
        // It may have been removed from the store before it was here to be removed.
        if !slot.is_stored_in(self.store.process()) {
            self.remove(arguments, slot);
        }
    }
}

impl<T: Copied> Front<T> {
    pub(super) fn remove(&self, arguments: &Arguments, slot: &Slot<T>) {
        if Seat::current().is_ending() {
            // It stays there, ended, until another one takes its place.
            return;
        }
        match arguments.only() {
            Some(word) => remove_from(&self.by_word, &word, slot),
            None => remove_from(&self.values, arguments, slot),
        }
    }
}

fn remove_from<K: Hash + Eq, T: Copied>(values: &Values<K, T>, key: &K, slot: &Slot<T>) {
    let guard = values.guard();
    // Another one may be in its place.
    let removed = values.remove_if(key, |_, near| near.is_of(slot), &guard);
    if matches!(removed, Ok(Some(_))) && slot.is_large() {
        // The table frees what was removed some dozens at a time, as other threads may be reading it.
        guard.flush();
    }
}
