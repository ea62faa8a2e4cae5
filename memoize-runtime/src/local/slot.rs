//! One value that is kept as it is.

use std::any::Any;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use super::beside::Trust;
use super::copies::Copied;
use super::front::Front;
use crate::Cacheable;
use crate::backend::{Bytes, Deadline};
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::engine::{Filling, Policy};
use crate::entry::{Expect, Flags, Header, Padding, Reject, StoredType};
use crate::guard::Own;
use crate::hidden::Hidden;
use crate::key::CacheKey;
use crate::key::arguments::Arguments;

/// From so many bytes on, a removed value is freed at once and not in a batch with others.
const LARGE: usize = 16 << 10;

/// A value with all that its entry would say.
pub(crate) struct Slot<T> {
    /// The process in whose store it is; 0 before, and once it was removed.
    stored_in: AtomicU32,
    value: Own<T>,
    /// What the value takes behind itself.
    behind: usize,
    facts: Facts,
    /// Where it can be found by the arguments of a call.
    home: OnceLock<(Weak<Front<T>>, Arguments)>,
}

/// What is in an entry beside the value.
pub(crate) struct Facts {
    pub(crate) name: CacheKey,
    /// None of what is sealed, of which no bytes are made.
    pub(crate) full_key: Option<Arc<str>>,
    pub(crate) stored: &'static StoredType,
    pub(crate) created_ms: u64,
    pub(crate) expires_ms: u64,
    pub(crate) cost: Duration,
    pub(crate) compress: bool,
    /// When what it was asked of was asked.
    pub(crate) asked_ms: u64,
    pub(crate) trust: Trust,
    /// How long its entry would be.
    pub(crate) bytes: usize,
    /// What the arguments by which calls find it take behind themselves.
    pub(crate) behind_arguments: usize,
}

impl Facts {
    /// Until when the value may be used here.
    pub(crate) fn until_ms(&self) -> u64 {
        match self.trust {
            Trust::Own | Trust::Tracked => self.expires_ms,
            Trust::Until(until_ms) => self.expires_ms.min(until_ms),
        }
    }

    /// Whether it may be taken for what is in the entry, as far as the clock tells. One that was turned back behind the question
    /// tells nothing.
    pub(super) fn is_trusted(&self, now_ms: u64) -> bool {
        match self.trust {
            Trust::Own | Trust::Tracked => true,
            Trust::Until(until_ms) => (self.asked_ms..until_ms).contains(&now_ms),
        }
    }

    /// Whether the value may be used at `now_ms`, as its entry would tell it.
    pub(crate) fn admit(
        &self,
        stored: &StoredType,
        longest_ms: u64,
        now_ms: u64,
    ) -> Result<(), Reject> {
        let header = Header {
            flags: Flags::NONE,
            codec: self.stored.codec(),
            key_id: 0,
            fingerprint: self.stored.fingerprint(),
            created_ms: self.created_ms,
            expires_ms: self.expires_ms,
        };
        let expect = Expect {
            sealed: false,
            chunked: false,
            codec: stored.codec(),
            key_id: 0,
            fingerprint: stored.fingerprint(),
            max_life_ms: longest_ms,
        };
        header.admit(&expect, now_ms)
    }
}

/// A value whose type isn't known.
pub(crate) trait Shelved: Any + Send + Sync {
    fn facts(&self) -> &Facts;

    /// What it takes in memory, but for the store's own bookkeeping.
    fn weight(&self) -> u64;

    /// Says that it is going to be in the store of that process.
    fn begin(&self, process: u32);

    /// Says that nobody may use it any more.
    fn end(&self);

    /// Leaves the table where calls find it. The user's code may run.
    fn leave(&self);

    /// The bytes of its entry.
    fn to_bytes(&self) -> Option<Bytes>;

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<T: Copied> Slot<T> {
    pub(super) fn new(value: T, behind: usize, facts: Facts) -> Self {
        Self {
            stored_in: AtomicU32::new(0),
            value: Own(Some(value)),
            behind,
            facts,
            home: OnceLock::new(),
        }
    }

    /// Whether the value is in the store of that process. One that others got from the flight of its key may never come there.
    #[inline]
    pub(super) fn is_stored_in(&self, process: u32) -> bool {
        self.stored_in.load(Ordering::Acquire) == process
    }

    pub(super) fn is_settled(&self) -> bool {
        self.home.get().is_some()
    }

    /// From when and until when it may be used.
    pub(super) fn life(&self) -> (u64, u64) {
        let from_ms = match self.facts.trust {
            Trust::Own | Trust::Tracked => Header::readable_from(self.facts.created_ms),
            Trust::Until(_) => self.facts.asked_ms,
        };
        (from_ms, self.facts.until_ms())
    }

    #[inline]
    pub(super) fn trust(&self) -> Trust {
        self.facts.trust
    }

    /// Whether to free it at once is worth some microseconds.
    pub(super) fn is_large(&self) -> bool {
        Self::takes(self.behind, &self.facts) >= LARGE
    }

    /// What the value takes, and the arguments by which it is found.
    fn takes(behind: usize, facts: &Facts) -> usize {
        // What serde doesn't show of it is at least as long as in an entry.
        let value = size_of::<T>() + behind.max(facts.bytes);
        // Here, and in the table where they are looked up.
        value + 2 * facts.behind_arguments
    }

    /// What such a value takes in memory, but for the store's own bookkeeping.
    pub(super) fn weight_of(behind: usize, facts: &Facts) -> u64 {
        let name = facts.name.as_str();
        // Where it is not the name, which is there once.
        let full_key = facts
            .full_key
            .as_deref()
            .filter(|text| !ptr::eq(*text, name));
        let around = size_of::<Self>() - size_of::<T>();
        let key = name.len() + full_key.map_or(0, str::len);
        (around + Self::takes(behind, facts) + key) as u64
    }

    pub(super) fn name(&self) -> &str {
        self.facts.name.as_str()
    }

    /// A copy of the value; none where its `Clone` panics.
    #[inline]
    pub(super) fn copy(&self) -> Option<T> {
        self.value.copy()
    }

    /// Sets where it is found, if it is found nowhere yet.
    pub(super) fn settle(&self, front: &Arc<Front<T>>, arguments: &Arguments) -> bool {
        let home = (Arc::downgrade(front), arguments.clone());
        self.home.set(home).is_ok()
    }
}

impl<T: Copied + Cacheable> Shelved for Slot<T> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn weight(&self) -> u64 {
        Self::weight_of(self.behind, &self.facts)
    }

    fn begin(&self, process: u32) {
        self.stored_in.store(process, Ordering::Release);
    }

    fn end(&self) {
        self.stored_in.store(0, Ordering::Release);
    }

    fn leave(&self) {
        if let Some((front, arguments)) = self.home.get()
            && let Some(front) = front.upgrade()
        {
            front.remove(arguments, self);
        }
    }

    fn to_bytes(&self) -> Option<Bytes> {
        let facts = &self.facts;
        let place = Place::Plain {
            name: facts.name.clone(),
            full_key: Hidden(facts.full_key.as_deref()?),
        };
        let policy = Policy {
            place: &place,
            padding: Padding::default(),
            stored: facts.stored,
            fingerprint: facts.stored.fingerprint(),
            life_ms: facts.expires_ms - facts.created_ms,
            longest_ms: u64::MAX,
            largest: usize::MAX,
            key_bytes: 0,
            compress: facts.compress,
        };
        let value = self.value.0.as_ref()?;
        match policy.fill(
            value,
            &Outcome::VALUE,
            facts.cost,
            facts.created_ms,
            Deadline::NEVER,
        ) {
            Ok(Filling::Whole(fill)) => fill.kept.into_bytes(),
            Ok(Filling::Chunks(_)) | Err(_) => None,
        }
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
