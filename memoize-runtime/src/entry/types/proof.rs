//! What is known of whether the values of one type come back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use twox_hash::XxHash3_64;

use super::comparison::Evidence;
use super::conform::{Passage, Search, Trial};
use super::fingerprint::Shape;
use super::stored::Unencodable;
use crate::locks::lock;

/// Values that are read back, whatever they are; then those are with a part of the type that no value had before, since some are
/// never seen. After a value that came back as another one, each is read back.
const MAX_VALUES: u32 = 16;

/// Different values that come back, at least, before one is believed that was not read back. The first may be one of the few that a
/// `Serialize` and `Deserialize` agree on: 0 where a sign is lost, two of the same where they are swapped.
const MIN_DIFFERENT: u64 = 4;

/// Bytes of which one value has enough parts to differ in, and takes long to read: it counts for all of those.
const LARGE: usize = 64 << 10;

/// A rest that never ends.
const FOR_GOOD: u32 = u32::MAX;

/// Passages that are remembered. There are more only in what can't be seen, and what that shows of them is forgotten.
const MAX_PASSAGES: usize = 4096;

/// Values that are passed over, at most, before one is looked at again.
const MAX_REST: u32 = 1024;

#[derive(Debug)]
pub(super) struct Proof {
    /// Each part of the type was seen to come back, and the order of each list and map.
    is_whole: AtomicBool,
    known: Mutex<Known>,
    /// How many values are passed over from now on.
    rest: AtomicU32,
    next_rest: AtomicU32,
}

#[derive(Debug)]
struct Known {
    /// How many values came back.
    values: u32,
    /// The hashes of some that differ, as many as have to.
    different: BTreeSet<u64>,
    /// How certain it is of what they went through that it wasn't chance.
    bits: BTreeMap<Passage, u32>,
    /// A value came back as another one.
    is_refuted: bool,
    /// A value was written by other code than what is derived, so that others may be written otherwise.
    has_writers: bool,
    /// It came back in another order: that others came back in theirs may have been chance as well.
    is_disordered: bool,
    /// Where no other values than those that go through one of these are read back any more.
    wanted: Option<Arc<[Passage]>>,
}

/// Which values are read back.
pub(super) enum Wanted {
    None,
    /// Those in which such a part is found.
    Found(Search),
    All,
}

impl Proof {
    pub(super) const fn new() -> Self {
        Self {
            is_whole: AtomicBool::new(false),
            known: Mutex::new(Known {
                values: 0,
                different: BTreeSet::new(),
                bits: BTreeMap::new(),
                is_refuted: false,
                has_writers: false,
                is_disordered: false,
                wanted: None,
            }),
            rest: AtomicU32::new(0),
            next_rest: AtomicU32::new(1),
        }
    }

    /// What is still to be proved, of values of which each part can be seen.
    #[inline]
    pub(super) fn wanted(&self) -> Wanted {
        if self.is_whole.load(Ordering::Relaxed) {
            return Wanted::None;
        }
        match &self.known().wanted {
            Some(wanted) => Wanted::Found(Search::new(Arc::clone(wanted))),
            None => Wanted::All,
        }
    }

    /// How many bits were shown of a passage that its order isn't chance.
    pub(super) fn bits(&self, passage: Passage) -> u32 {
        let known = self.known();
        let shown = known.bits.get(&passage).copied();
        shown.filter(|_| !known.is_disordered).unwrap_or_default()
    }

    /// A value of this shape came back from these bytes, and this was shown by it.
    pub(super) fn add(&self, shape: &Shape, bytes: &[u8], evidence: Evidence) {
        self.next_rest.store(1, Ordering::Relaxed);
        let mut known = self.known();
        let is_different = known.counts(bytes);
        if known.learn(evidence) || is_different || known.values == MAX_VALUES {
            let is_whole = known.settle(shape);
            self.is_whole.store(is_whole, Ordering::Relaxed);
        }
    }

    /// A value came back as far as there was time, which shows this for others.
    pub(super) fn add_part(&self, evidence: Evidence) {
        self.known().learn(evidence);
    }

    /// A value came back as another one. To find that out takes far longer than to write it, so the next values are passed over,
    /// twice as many each time, until one comes back.
    pub(super) fn refute(&self, by_order: bool) {
        let rest = self.next_rest.load(Ordering::Relaxed);
        self.rest.store(rest, Ordering::Relaxed);
        let next = rest.saturating_mul(2).min(MAX_REST);
        self.next_rest.store(next, Ordering::Relaxed);
        let mut known = self.known();
        known.is_refuted = true;
        known.is_disordered |= by_order;
        known.wanted = None;
        self.is_whole.store(false, Ordering::Relaxed);
    }

    /// A value that was read back panicked when it was dropped. To find that out is a panic each time, so no value is read back any more.
    pub(super) fn give_up(&self) {
        self.rest.store(FOR_GOOD, Ordering::Relaxed);
    }

    /// Why this value is to be passed over, if it is.
    #[inline]
    pub(super) fn rests(&self) -> Option<Unencodable> {
        if self.rest.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.counts_rest()
    }

    #[cold]
    fn counts_rest(&self) -> Option<Unencodable> {
        let less = |rest: u32| match rest {
            FOR_GOOD => Some(FOR_GOOD),
            rest => rest.checked_sub(1),
        };
        let rest = self
            .rest
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        match rest {
            Ok(FOR_GOOD) => Some(Unencodable::Undroppable),
            Ok(_) => Some(Unencodable::Asymmetric),
            Err(_) => None,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

impl Known {
    /// Counts a value; says whether it is one of the different ones that were missing.
    fn counts(&mut self, bytes: &[u8]) -> bool {
        self.values = self.values.saturating_add(1);
        if !self.wants_different() {
            return false;
        }
        let hash = XxHash3_64::oneshot(bytes);
        let counts_for = if bytes.len() < LARGE {
            1
        } else {
            MIN_DIFFERENT
        };
        let before = self.different.len();
        let hashes = (0..counts_for).map(|nth| hash.wrapping_add(nth));
        self.different.extend(hashes);
        self.different.len() > before
    }

    fn wants_different(&self) -> bool {
        (self.different.len() as u64) < MIN_DIFFERENT
    }

    /// Adds what was shown; says whether there was anything new.
    fn learn(&mut self, evidence: Evidence) -> bool {
        let mut is_new = evidence.has_writers && !self.has_writers;
        if evidence.has_writers {
            self.has_writers = true;
            self.wanted = None;
        }
        for (passage, bits) in evidence.bits {
            if self.bits.len() >= MAX_PASSAGES && !self.bits.contains_key(&passage) {
                continue;
            }
            is_new |= !self.bits.contains_key(&passage);
            let known = self.bits.entry(passage).or_default();
            let sum = known.saturating_add(bits).min(Trial::CERTAIN);
            is_new |= sum != *known;
            *known = sum;
        }
        is_new
    }

    /// Decides which values are read back from now on; says whether none are.
    fn settle(&mut self, shape: &Shape) -> bool {
        if self.is_refuted || self.has_writers {
            return false;
        }
        let unmet = || {
            let all = shape.passages();
            all.filter(|passage| !self.bits.contains_key(passage))
        };
        let is_all_met = unmet().next().is_none() && !self.wants_different();
        if !is_all_met && self.values < MAX_VALUES {
            return false;
        }
        let is_shown = |passage: &Passage| {
            let bits = self.bits.get(passage);
            !self.is_disordered && bits.is_some_and(|&bits| bits >= Trial::CERTAIN)
        };
        let orders = shape.lists().filter(|list| !is_shown(list));
        let wanted: BTreeSet<Passage> = unmet().chain(orders).collect();
        let wanted: Arc<[Passage]> = wanted.into_iter().collect();
        let is_whole = wanted.is_empty();
        self.wanted = Some(wanted);
        is_whole
    }
}
