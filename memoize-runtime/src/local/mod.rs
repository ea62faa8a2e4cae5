//! The typed local tier: values as they are, so that a hit decodes nothing.
//!
//! A value that can be copied is kept in the embedded backend in place of its entry: no bytes are made of it, unless somebody
//! asks for them who can't use the value, such as a call with another type. There it has all that an entry has: its name,
//! life, weight and lease.
//!
//! In front of the backend is a table for each function ([`front`]), looked up by the bytes of the arguments, without a lock
//! and without the key's text. It decides nothing: what it finds counts only while the slot ([`slot`]) is in the store, and the
//! backend ends that, before a value leaves it. What is in the table ([`near`]) knows that from a count of all that was ended, and
//! looks at the slot only where that has changed.

mod beside;
mod copies;
mod front;
mod heap;
mod near;
mod questions;
#[cfg(test)]
mod schedules;
mod slot;

pub(crate) use beside::{Beside, Local, Names, Ticket, Trust};
pub(crate) use copies::{Copied, Copies, Reading};
pub(crate) use slot::{Facts, Shelved};

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use papaya::HashMap;

use crate::backend::{Bytes, Memory};
use crate::clock::Clock;
use crate::instance::Instance;
use crate::process::{self, PerProcess};
pub(crate) use front::Front;

/// What is kept of an entry.
#[derive(Clone)]
pub(crate) enum Kept {
    Bytes(Bytes),
    Value(Arc<dyn Shelved>),
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept(..)")
    }
}

impl Kept {
    /// The bytes of the entry; none where they can't be made of the value.
    pub(crate) fn into_bytes(self) -> Option<Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Value(value) => value.to_bytes(),
        }
    }
}

/// By the address of the instance, which is never freed.
type Fronts = HashMap<usize, Arc<dyn Any + Send + Sync>, RandomState>;

/// The typed tier of one runtime.
pub(crate) struct Tier {
    /// Where values are kept in place of entries, with the embedded backend.
    memory: Option<Memory>,
    /// Where copies are kept with any other, once there is something to be kept.
    beside: OnceLock<Arc<Beside>>,
    /// How many bytes of those, if any.
    capacity: usize,
    fronts: PerProcess<Fronts>,
    /// Unlike that of all other tiers.
    id: u64,
}

impl Tier {
    /// Values are kept in `memory`, if that is the backend, and else in `capacity` bytes of its own.
    pub(crate) fn new(memory: Option<Memory>, capacity: usize) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            memory,
            beside: OnceLock::new(),
            capacity,
            fronts: PerProcess::new(),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Where values are kept in place of bytes.
    pub(crate) fn memory(&self) -> Option<&Memory> {
        self.memory.as_ref()
    }

    /// The copies beside the backend, if there were any yet in this process.
    pub(crate) fn beside(&self) -> Option<&Arc<Beside>> {
        let beside = self.beside.get()?;
        beside.is_of_this_process().then_some(beside)
    }

    /// The same, begun if there are none; none where values are kept in place of entries, where none are to be kept, and
    /// where those of a parent are in the way.
    pub(crate) fn beside_or_new(
        &self,
        namespace: &str,
        clock: &Arc<dyn Clock>,
    ) -> Option<&Arc<Beside>> {
        if self.memory.is_some() || self.capacity == 0 {
            return None;
        }
        self.beside
            .get_or_init(|| Arc::new(Beside::new(namespace, self.capacity, clock)));
        self.beside()
    }

    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// What `look` finds among the values of `instance`, if any were kept.
    pub(crate) fn find_in_front<T: Copied>(
        &self,
        instance: &'static Instance,
        look: impl FnOnce(&Front<T>) -> Option<T>,
    ) -> Option<T> {
        let fronts = self.fronts.recent()?.pin();
        look(fronts.get(&address(instance))?.downcast_ref()?)
    }

    /// The same, begun if there is none. It was asked already which process this is.
    pub(crate) fn front_or_new<T: Copied>(
        &self,
        instance: &'static Instance,
    ) -> Option<Arc<Front<T>>> {
        let process = process::recent();
        let (store, beside) = match (self.memory(), self.beside()) {
            (Some(memory), _) => (memory.store_of(process), None),
            (None, Some(beside)) => (beside.store(), Some(Arc::clone(beside))),
            (None, None) => return None,
        };
        let fronts = self.fronts.get_or_make_as(process, Fronts::default).pin();
        let front = fronts.get_or_insert_with(address(instance), || {
            Arc::new(Front::<T>::new(Arc::clone(store), beside))
        });
        Arc::clone(front).downcast().ok()
    }
}

fn address(instance: &'static Instance) -> usize {
    std::ptr::from_ref(instance).addr()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Beside, Tier};
    use crate::clock::{Clock, SystemClock};

    #[test]
    fn a_forked_child_has_no_copies() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (parent, child) = (Tier::new(None, 1 << 20), Tier::new(None, 1 << 20));
        assert!(parent.beside().is_none());
        assert!(parent.beside_or_new("n", &clock).is_some());
        assert!(parent.beside().is_some());
        // What it finds there are its parent's.
        let parents = Beside::new("n", 1 << 20, &clock).of_another_process();
        assert!(child.beside.set(Arc::new(parents)).is_ok());
        assert!(child.beside().is_none());
        assert!(child.beside_or_new("n", &clock).is_none());
    }
}
