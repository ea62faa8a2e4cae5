//! What is known of whether the values of one type come back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use super::conform::Passage;
use super::fingerprint::Shape;

/// Values that are read back to see parts of the type that no value had before; some are never seen. After a value that came back
/// as another one, each is read back.
const MAX_VALUES: u32 = 16;

/// Values that are passed over, at most, before one is looked at again.
const MAX_REST: u32 = 1024;

#[derive(Debug)]
pub(super) struct Proof {
    is_whole: AtomicBool,
    /// What values went through that came back, and how many those were.
    seen: Mutex<(BTreeSet<Passage>, u32)>,
    /// A value came back as another one.
    is_refuted: AtomicBool,
    /// How many values are passed over from now on.
    rest: AtomicU32,
    next_rest: AtomicU32,
}

impl Proof {
    pub(super) const fn new() -> Self {
        Self {
            is_whole: AtomicBool::new(false),
            seen: Mutex::new((BTreeSet::new(), 0)),
            is_refuted: AtomicBool::new(false),
            rest: AtomicU32::new(0),
            next_rest: AtomicU32::new(1),
        }
    }

    /// Whether each part of the type was seen to come back.
    #[inline]
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Relaxed)
    }

    /// A value of this shape that went through these came back.
    pub(super) fn add(&self, shape: &Shape, gone_through: BTreeSet<Passage>) {
        self.next_rest.store(1, Ordering::Relaxed);
        if self.is_whole() {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0.extend(gone_through);
        seen.1 = seen.1.saturating_add(1);
        let is_all = seen.0.len() >= shape.passages();
        if is_all || seen.1 >= MAX_VALUES && !self.is_refuted.load(Ordering::Relaxed) {
            seen.0.clear();
            self.is_whole.store(true, Ordering::Relaxed);
        }
    }

    /// A value came back as another one. To find that out takes far longer than to write it, so the next values are passed over,
    /// twice as many each time, until one comes back.
    pub(super) fn refute(&self) {
        self.is_refuted.store(true, Ordering::Relaxed);
        let rest = self.next_rest.load(Ordering::Relaxed);
        self.rest.store(rest, Ordering::Relaxed);
        let next = rest.saturating_mul(2).min(MAX_REST);
        self.next_rest.store(next, Ordering::Relaxed);
    }

    /// Whether this value is to be passed over.
    #[inline]
    pub(super) fn rests(&self) -> bool {
        self.rest.load(Ordering::Relaxed) > 0 && self.counts_rest()
    }

    #[cold]
    fn counts_rest(&self) -> bool {
        let less = |rest: u32| rest.checked_sub(1);
        self.rest
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}
