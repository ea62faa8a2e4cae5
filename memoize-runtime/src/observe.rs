//! What the cache did: counters for a function and in total, and `tracing` events, neither with a key or a value.

mod faults;
mod journal;

pub(crate) use journal::Journal;
#[cfg(feature = "testing")]
pub(crate) use journal::Log;

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::backend::BackendError;
use crate::breaker::Change;
use crate::entry::{Refusal, Reject, StoredType};
use crate::seat::{Seat, SeatedCounter};
use faults::Faults;

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
    /// Streams whose chunks were lost while they were read, so that the function ran for the rest.
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

    /// Counts, and says how often it was before.
    fn count(&self, event: Event) -> u64 {
        self.events[event as usize].fetch_add(1, Ordering::Relaxed)
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stats().fmt(f)
    }
}

/// Tells what happens in one call: counts it for the function and for the runtime, and emits an event.
///
/// A level of `debug` for what is normal, `warn` for what somebody should look into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observer<'a> {
    pub(crate) function: Function<'a>,
    pub(crate) of_function: Option<&'a Counters>,
    pub(crate) of_runtime: &'a Counters,
    pub(crate) journal: &'a Journal,
}

/// A function's path, as logs show it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function<'a> {
    /// Empty for what is no function of the user's.
    pub(crate) module: &'a str,
    pub(crate) name: &'a str,
}

impl Function<'_> {
    /// What is filed under no annotated function.
    pub(crate) const UNNAMED: Function<'static> = Function {
        module: "",
        name: "memo",
    };
}

impl Display for Function<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.module.is_empty() {
            write!(f, "{}::", self.module)?;
        }
        f.write_str(self.name)
    }
}

impl Observer<'_> {
    pub(crate) fn hit(&self) {
        self.hit_from(Seat::current());
    }

    /// The same where the thread's seat is known.
    #[inline]
    pub(crate) fn hit_from(&self, seat: Seat) {
        if let Some(counters) = self.of_function {
            counters.hits.count(seat);
        }
        self.of_runtime.hits.count(seat);
        self.journal.write(&self.function, Event::Hit);
        if tracing::level_enabled!(tracing::Level::DEBUG) {
            self.tell_hit();
        }
    }

    #[cold]
    fn tell_hit(&self) {
        tracing::debug!(target: "cache_memoize", function = %self.function, "hit");
    }

    pub(crate) fn absent(&self) {
        self.count(Event::Absent);
        self.missed("absent");
    }

    pub(crate) fn rejected(&self, reject: Reject) {
        self.count_rejected(reject);
        self.missed(reject.name());
    }

    /// What was found beside another entry, which counts for the call.
    pub(crate) fn passed_over(&self, rejects: &[Reject]) {
        for reject in rejects {
            self.count_rejected(*reject);
            self.count(Event::PassedOver);
            tracing::debug!(
                target: "cache_memoize",
                function = %self.function,
                reason = reject.name(),
                "an entry was passed over"
            );
        }
    }

    /// Warns of what no entry of ours is: of the first, and ever more rarely, or who writes to the cache could fill the log.
    fn count_rejected(&self, reject: Reject) {
        let count = self.count(event_of(reject)) + 1;
        if reject.is_foul_play() && count.is_power_of_two() {
            tracing::warn!(
                target: "cache_memoize",
                function = %self.function,
                reason = reject.name(),
                count,
                "an entry was found that nobody wrote who has its secret; look who else can write to the cache"
            );
        }
    }

    pub(crate) fn unanswered(&self) {
        self.count(Event::Unanswered);
        self.missed("unanswered");
    }

    pub(crate) fn skipped(&self) {
        self.count(Event::Skipped);
    }

    pub(crate) fn shared(&self) {
        self.count(Event::Shared);
        tracing::debug!(target: "cache_memoize", function = %self.function, "shared");
    }

    pub(crate) fn forced(&self) {
        self.count(Event::Forced);
        self.missed("forced");
    }

    pub(crate) fn bypassed(&self) {
        self.count(Event::Bypassed);
        tracing::warn!(
            target: "cache_memoize",
            function = %self.function,
            "no key could be made of the arguments or the instantiation; the cache was not used"
        );
    }

    pub(crate) fn unsealed(&self) {
        if self.count(Event::Unsealed) == 0 {
            // A build without the feature has none on any backend.
            let fix = if cfg!(feature = "encrypt") {
                "give one to `secret`, or set `CACHE_MEMOIZE_SECRET`"
            } else {
                "enable the feature `encrypt` of `cache-memoize`"
            };
            tracing::warn!(
                target: "cache_memoize",
                function = %self.function,
                "there is no secret to encrypt with, so functions with `encrypt` compute every time and store nothing; {fix}"
            );
        }
    }

    pub(crate) fn resealed(&self) {
        self.count(Event::Resealed);
        tracing::debug!(target: "cache_memoize", function = %self.function, "sealed anew");
    }

    pub(crate) fn computed(&self) {
        self.count(Event::Computed);
    }

    pub(crate) fn stored(&self) {
        self.count(Event::Stored);
        tracing::debug!(target: "cache_memoize", function = %self.function, "stored");
    }

    /// A `cache_if` panicked, which is taken for a no.
    pub(crate) fn cache_if_panicked(&self) -> bool {
        tracing::warn!(
            target: "cache_memoize",
            function = %self.function,
            "`cache_if` panicked; the value was not stored"
        );
        false
    }

    pub(crate) fn declined(&self) {
        self.count(Event::Declined);
    }

    /// A value was not stored; `path` is the way to what is at fault, empty for the value itself.
    ///
    /// What is so by the type of the value is told `once`.
    pub(crate) fn unstorable(
        &self,
        stored: &StoredType,
        why: &'static str,
        path: &str,
        tell: bool,
    ) {
        self.count(Event::Unstorable);
        if tell {
            let why = in_words_of(stored, why);
            tracing::warn!(
                target: "cache_memoize",
                function = %self.function,
                value_type = stored.name(),
                field = field(path),
                why = &*why,
                "a value could not be stored"
            );
        }
    }

    /// A function's values can't be stored by its codec, so that it runs as if it were not memoized.
    pub(crate) fn refused(&self, refusal: &Refusal, stored: &StoredType) {
        self.count(Event::Unstorable);
        if stored.tells_refusal() {
            let why = in_words_of(stored, &refusal.why);
            tracing::warn!(
                target: "cache_memoize",
                function = %self.function,
                value_type = stored.name(),
                field = field(&refusal.path),
                why = &*why,
                "what the function returns can't be stored; it runs as if it were not memoized"
            );
        }
    }

    pub(crate) fn outdated(&self) {
        self.count(Event::Outdated);
        tracing::debug!(target: "cache_memoize", function = %self.function, "outdated");
    }

    /// What was being written in chunks is not going to be complete.
    pub(crate) fn abandoned(&self, abandoned: Abandoned) {
        self.count(match abandoned {
            Abandoned::Dropped => Event::Dropped,
            Abandoned::Panicked => Event::Panicked,
            Abandoned::Unwritten => Event::Unwritten,
        });
        tracing::debug!(target: "cache_memoize", function = %self.function, why = ?abandoned, "not stored");
    }

    /// The chunks that a reader needs next are not there.
    pub(crate) fn interrupted(&self, reason: &'static str) {
        self.count(Event::Interrupted);
        tracing::warn!(
            target: "cache_memoize",
            function = %self.function,
            reason,
            "chunks of a stream were lost while it was read; the function ran for the rest"
        );
    }

    pub(crate) fn invalidated(&self) {
        self.count(Event::Invalidated);
        tracing::debug!(target: "cache_memoize", function = %self.function, "invalidated");
    }

    /// The backend failed; its reason is its own fixed text, without what it was asked for. The first of a kind is told of at once, later
    /// ones once a second at most, with how many there were. Those that come after the last one that is told of are only counted.
    pub(crate) fn fault(&self, operation: &'static str, error: &BackendError) {
        self.count(Event::Fault);
        let faults = &self.of_function.unwrap_or(self.of_runtime).faults;
        let Some(times) = faults.tell(operation, error, Instant::now()) else {
            return;
        };
        tracing::warn!(
            target: "cache_memoize",
            function = %self.function,
            operation,
            reason = %error,
            times,
            "the cache failed; the function is not affected"
        );
    }

    /// The same for a backend that panicked.
    pub(crate) fn panicked(&self, operation: &'static str) {
        self.fault(operation, &BackendError::new("it panicked"));
    }

    fn missed(&self, reason: &'static str) {
        tracing::debug!(target: "cache_memoize", function = %self.function, reason, "miss");
    }

    /// Counts, and says how often it was before on this runtime.
    fn count(&self, event: Event) -> u64 {
        if let Some(counters) = self.of_function {
            counters.count(event);
        }
        self.journal.write(&self.function, event);
        self.of_runtime.count(event)
    }
}

/// The breaker of a runtime opened or closed.
pub(crate) fn breaker(change: Change) {
    match change {
        Change::Opened => tracing::warn!(
            target: "cache_memoize",
            "the cache fails again and again; it is left alone, and functions run as if they were not memoized"
        ),
        Change::Closed => tracing::warn!(target: "cache_memoize", "the cache answers again"),
    }
}

/// What was found out about the type that a function stores, once.
pub(crate) fn traced(function: Function<'_>, stored: &StoredType) {
    tracing::debug!(
        target: "cache_memoize",
        %function,
        value_type = stored.name(),
        fingerprint = stored.fingerprint(),
        shape = %stored.shape(),
        "the stored type"
    );
    if stored.refusal().is_some() {
        return;
    }
    for path in stored.unseen() {
        tracing::info!(
            target: "cache_memoize",
            %function,
            value_type = stored.name(),
            field = field(&path),
            "a change inside of this field may not be seen; raise `version` with it"
        );
    }
}

/// The advice as it is written where the type is stored: a `Memo` has methods for the options of the attribute.
fn in_words_of<'a>(stored: &StoredType, why: &'a str) -> Cow<'a, str> {
    if stored.name().is_some() {
        Cow::Owned(why.replace("write `codec = \"msgpack\"`", "call `msgpack()`"))
    } else {
        Cow::Borrowed(why)
    }
}

/// What the way to a field is shown as.
fn field(path: &str) -> &str {
    if path.is_empty() {
        "(the value itself)"
    } else {
        path
    }
}

/// Why a stream or large value was given up after its chunks began to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abandoned {
    Dropped,
    Panicked,
    /// The backend failed.
    Unwritten,
}

fn event_of(reject: Reject) -> Event {
    match reject {
        Reject::Expired | Reject::FromTheFuture | Reject::TooLongLived => Event::Expired,
        Reject::Fingerprint => Event::WrongType,
        Reject::Undecodable => Event::Undecodable,
        Reject::Tampered => Event::Tampered,
        Reject::Incomplete => Event::Incomplete,
        Reject::Downgrade => Event::Downgraded,
        Reject::UnknownKey => Event::UnknownKey,
        Reject::Truncated
        | Reject::NotAnEntry
        | Reject::Version
        | Reject::Flags
        | Reject::Unexpected
        | Reject::Damaged => Event::Damaged,
    }
}
