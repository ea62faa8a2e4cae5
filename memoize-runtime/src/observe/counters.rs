//! The figures: what is counted, for a function and for a runtime.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::faults::Faults;
use crate::seat::{Seat, SeatedCounter};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident / $event:ident,)*) => {
        /// What the cache did for one function, or for all that ran on one runtime, since it was made.
        ///
        /// Each figure is exact; figures read at one time may be one call apart.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[doc = $doc])+ pub $name: u64,)*
        }

        /// Something that is counted, each under the name that it has in [`Stats`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[cfg_attr(
            not(feature = "testing"),
            expect(unreachable_pub, reason = "only tests are told of single events")
        )]
        pub enum Event {
            $(#[doc = concat!("One of [`", stringify!($name), "`](Stats::", stringify!($name), ").")] $event,)*
        }

        const EVENTS: usize = [$(Event::$event),*].len();

        impl Counters {
            /// The figures as they are now.
            pub(crate) fn stats(&self) -> Stats {
                Stats { $($name: self.read(Event::$event),)* }
            }
        }
    };
}

counters! {
    /// Calls that got their value from the cache; of iterators, those that began from it: see `interrupted`.
    hits / Hit,
    /// Lookups that found nothing under the key.
    absent / Absent,
    /// Lookups that found an entry whose life was over, or which claims one that no entry has.
    expired / Expired,
    /// Lookups that found an entry of another type, codec, instantiation or `version` of the function, or a stream for a value.
    wrong_type / WrongType,
    /// Lookups that found an entry of the right type that could not be read as one: its `Deserialize` refuses what
    /// `Serialize` wrote.
    undecodable / Undecodable,
    /// Lookups that found bytes which are no entry, or were changed, cut, extended or stored under another key, where nothing is sealed;
    /// and where something is, an entry that this version or build can't read, or that the backend's limits don't allow.
    damaged / Damaged,
    /// Lookups that found, where a sealed entry is to be, what nobody wrote there who has its secret: changed, cut, extended, stored
    /// under another key, or no entry at all.
    tampered / Tampered,
    /// Lookups that found a stream or a large value, but not all of its chunks.
    incomplete / Incomplete,
    /// Lookups that found an entry which is less protected than the code asks for.
    downgraded / Downgraded,
    /// Lookups that found an entry which says that it is sealed with another secret than the one its name was made with. What is sealed
    /// with a secret that isn't known here has a name that nobody here asks for: it is `absent`.
    unknown_key / UnknownKey,
    /// Entries that lookups could not use, and found beside another one, while secrets are rotated. Each is counted under its reason
    /// as well, and is no miss: the call hits by the other one, or misses because of it.
    passed_over / PassedOver,
    /// Lookups that were answered by an error, or not in time.
    unanswered / Unanswered,
    /// Questions that the backend was not asked, because it failed again and again and is left alone for a while. A call that only
    /// looks up asks one; the miss that it then is counts as nothing else.
    skipped / Skipped,
    /// Calls that missed, and got the value that another was computing meanwhile. Each is counted as a miss as well.
    shared / Shared,
    /// Calls that did not look, because of `force_overwrite` or `refresh`.
    forced / Forced,
    /// Calls, of companions too, that had no key: an argument couldn't be written into it, or the instantiation has no name of
    /// its own.
    bypassed / Bypassed,
    /// Calls that ran as if not memoized, because their entries are to be sealed and there is no secret.
    unsealed / Unsealed,
    /// Entries that were found under a previous secret, and written anew under the current one.
    resealed / Resealed,
    /// Runs of the function's body that came to an end without a panic, an iterator's to its last item.
    computations / Computed,
    /// Entries written.
    stores / Stored,
    /// Results that were not to be stored: an `Err`, an iterator that yielded one, or what `cache_if` turned down.
    declined / Declined,
    /// Values that couldn't be stored: the codec doesn't hold their type, they don't serialize, would be read back as another
    /// value, or are too large.
    unstorable / Unstorable,
    /// Values that were not stored, because the key was invalidated or filled while they were computed, or because another
    /// call has the right to store.
    outdated / Outdated,
    /// Iterators that were dropped before their end, so that nothing was stored.
    dropped / Dropped,
    /// Iterators that panicked, so that nothing was stored.
    panicked / Panicked,
    /// Streams and large values that weren't stored because the backend didn't take all of them.
    unwritten / Unwritten,
    /// Streams whose chunks were lost while they were read, or whose writer stopped while it was followed, so that the function ran for
    /// the rest.
    interrupted / Interrupted,
    /// Entries removed by `invalidate`.
    invalidations / Invalidated,
    /// Errors and panics of the backend, whatever it was asked.
    faults / Fault,
}

impl Stats {
    /// Lookups that found nothing usable, for whichever reason.
    pub fn misses(&self) -> u64 {
        let reasons = self.absent
            + self.expired
            + self.wrong_type
            + self.undecodable
            + self.damaged
            + self.tampered
            + self.incomplete
            + self.downgraded
            + self.unknown_key
            + self.unanswered;
        // The figures may be read between the two that are counted for one entry.
        reasons.saturating_sub(self.passed_over)
    }
}

/// The counters of one function or one runtime.
pub(crate) struct Counters {
    /// The only event that is as frequent as calls are.
    hits: SeatedCounter,
    /// All others.
    events: [AtomicU64; EVENTS],
    faults: Faults,
}

impl Counters {
    pub(crate) const fn new() -> Self {
        Self {
            hits: SeatedCounter::new(),
            events: [const { AtomicU64::new(0) }; EVENTS],
            faults: Faults::new(),
        }
    }

    fn read(&self, event: Event) -> u64 {
        match event {
            Event::Hit => self.hits.read(),
            event => self.events[event as usize].load(Ordering::Relaxed),
        }
    }

    #[inline]
    pub(super) fn count_hit(&self, seat: Seat) {
        self.hits.count(seat);
    }

    /// Counts anything but a hit, and says how often it was before.
    pub(super) fn count(&self, event: Event) -> u64 {
        self.events[event as usize].fetch_add(1, Ordering::Relaxed)
    }

    /// When which faults were told of.
    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stats().fmt(f)
    }
}
