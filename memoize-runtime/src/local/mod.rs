//! The typed local tier: values as they are, so that a hit decodes nothing.
//!
//! A value that can be copied is kept in the embedded backend in place of its entry: no bytes are made of it, unless somebody
//! asks for them who can't use the value, such as a call with another type. There it has all that an entry has: its name,
//! life, weight and lease.
//!
//! In front of the backend is a table for each function ([`front`]), looked up by the bytes of the arguments, without a lock
//! and without the key's text. It decides nothing: what it finds counts only while the slot ([`slot`]) is alive, and the
//! backend ends that, before a value leaves it.

mod copies;
mod front;
mod near;
mod slot;

pub(crate) use copies::{Copied, Copies, Reading};
pub(crate) use slot::{Facts, Shelved};

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use papaya::HashMap;

use crate::backend::{Bytes, Memory};
use crate::instance::Instance;
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

/// The typed tier of one runtime.
pub(crate) struct Tier {
    /// Where values are kept.
    memory: Option<Memory>,
    /// By the address of the instance, which is never freed.
    fronts: HashMap<usize, Arc<dyn Any + Send + Sync>, RandomState>,
    /// Unlike that of all other tiers.
    id: u64,
}

impl Tier {
    /// Values are kept in `memory`, if that is the backend.
    pub(crate) fn new(memory: Option<Memory>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            memory,
            fronts: HashMap::with_hasher(RandomState::default()),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Where values are kept in place of bytes.
    pub(crate) fn store(&self) -> Option<&Memory> {
        self.memory.as_ref()
    }

    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The values of `instance`, if any were kept.
    pub(crate) fn front<T: Copied>(&self, instance: &'static Instance) -> Option<Arc<Front<T>>> {
        let fronts = self.fronts.pin();
        let front = fronts.get(&address(instance))?;
        Arc::clone(front).downcast().ok()
    }

    /// The same, begun if there is none.
    pub(crate) fn front_or_new<T: Copied>(
        &self,
        instance: &'static Instance,
    ) -> Option<Arc<Front<T>>> {
        let memory = self.store()?;
        let fronts = self.fronts.pin();
        let front = fronts.get_or_insert_with(address(instance), || {
            Arc::new(Front::<T>::new(memory.clone()))
        });
        Arc::clone(front).downcast().ok()
    }
}

fn address(instance: &'static Instance) -> usize {
    std::ptr::from_ref(instance).addr()
}
