//! What the cache did: counters for a function and in total, and `tracing` events, neither with a key or a value.

mod counters;
mod faults;
mod journal;

pub(crate) use counters::Counters;
#[cfg_attr(
    not(feature = "testing"),
    expect(unreachable_pub, reason = "only tests are told of single events")
)]
pub use counters::Event;
pub use counters::Stats;
pub(crate) use journal::Journal;
#[cfg(feature = "testing")]
pub(crate) use journal::Log;

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::time::Instant;

use crate::backend::BackendError;
use crate::breaker::Change;
use crate::entry::{Refusal, Reject, StoredType};
use crate::instance::Instance;
use crate::seat::Seat;

/// Tells what happens in one call: counts it for the function and for the runtime, and emits an event.
///
/// A level of `debug` for what is normal, `warn` for what somebody should look into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observer<'a> {
    pub(crate) function: Function,
    pub(crate) of_function: Option<&'a Counters>,
    pub(crate) of_runtime: &'a Counters,
    pub(crate) journal: &'a Journal,
}

/// An annotated function, as logs name it; none for what is filed under no such.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function(pub(crate) Option<&'static Instance>);

impl Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.map_or("memo", Instance::function))
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
            counters.count_hit(seat);
        }
        self.of_runtime.count_hit(seat);
        self.journal.write(self.function, Event::Hit);
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

    pub(crate) fn waits_for_another_process(&self) {
        tracing::info!(
            target: "cache_memoize",
            function = %self.function,
            "another process computes the value, or ended while it did; this call waits for it, for half of `longest_wait` at most"
        );
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

    /// Who wrote the stream that a reader followed is gone, as who takes but its first items is, or stalls.
    pub(crate) fn deserted(&self) {
        self.count(Event::Interrupted);
        tracing::debug!(
            target: "cache_memoize",
            function = %self.function,
            "the writer of a stream stopped before its end; the function ran for the rest"
        );
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
        let faults = &self.of_function.unwrap_or(self.of_runtime).faults();
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
        self.journal.write(self.function, event);
        self.of_runtime.count(event)
    }
}

/// The breaker of a runtime opened or closed; what failed last says why, and of which server.
pub(crate) fn breaker(change: Change, failed: Option<&BackendError>) {
    match change {
        Change::Opened => tracing::warn!(
            target: "cache_memoize",
            reason = failed.map(tracing::field::display),
            "the cache fails again and again; it is left alone, and functions run as if they were not memoized"
        ),
        Change::Closed => tracing::warn!(target: "cache_memoize", "the cache answers again"),
    }
}

/// What was found out about the type that a function stores, once.
pub(crate) fn traced(function: Function, stored: &StoredType) {
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
