//! The runtime: which backend, under which names, for how long.

mod builder;
mod current;
mod env;
mod sealing;
mod store;

pub use builder::RuntimeBuilder;
pub(crate) use current::Current;
use store::Store;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use crate::backend::{AsyncBackend, Backend, Lease, Limits};
use crate::breaker::Breaker;
use crate::call::landed::Landed;
use crate::clock::Clock;
use crate::flight::Flights;
use crate::instance::Instance;
use crate::local::{Beside, Tier};
use crate::observe::{Counters, Function, Journal, Observer, Stats};
use crate::process::{self, PerProcess};
use crate::progress::Writers;
use crate::site::Site;
use crate::unleased::Unleased;
use sealing::Sealing;

/// A configured cache: a backend, a namespace and defaults.
///
/// One is [installed](RuntimeBuilder::install) for the process; without one, an embedded memory backend of
/// [`Memory::DEFAULT_BYTES`](crate::Memory::DEFAULT_BYTES) is used. Others can be entered for a [`scope`](Self::scope),
/// so that tests run side by side. Clones are the same runtime.
///
/// ```
/// use cache_memoize::{Memory, Runtime};
///
/// Runtime::builder()
///     .namespace("example.com")
///     .backend(Memory::new(64 << 20))
///     .install()?;
/// # Ok::<(), cache_memoize::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

struct Inner {
    /// As it stands in keys: escaped.
    namespace: String,
    store: Store,
    limits: Limits,
    clock: Arc<dyn Clock>,
    expiration_ms: u64,
    longest_ms: u64,
    longest_wait: Duration,
    /// Values as they are, beside the backend or in its place.
    tier: Tier,
    budget: Duration,
    /// None for a backend that never waits, and where it is switched off.
    breaker: Option<Breaker>,
    under_way: PerProcess<UnderWay>,
    sealing: Sealing,
    compress: bool,
    caching: bool,
    counters: Counters,
    journal: Journal,
}

/// What a process is in the middle of.
struct UnderWay {
    /// The entries that are being computed, as they go to where they are kept.
    flights: Flights<Landed, Lease>,
    /// The streams that are being written.
    writers: Writers,
    /// What is computed beside those.
    unleased: Unleased,
}

impl UnderWay {
    fn new() -> Self {
        Self {
            flights: Flights::new(),
            writers: Writers::new(),
            unleased: Unleased::new(),
        }
    }
}

impl Runtime {
    /// Settings to start from; each has a default.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::new()
    }

    /// What all calls on this runtime did together.
    pub fn stats(&self) -> Stats {
        self.0.counters.stats()
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.0.namespace
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.0.store.blocking
    }

    pub(crate) fn async_backend(&self) -> &dyn AsyncBackend {
        &*self.0.store.asynchronous
    }

    pub(crate) fn limits(&self) -> Limits {
        self.0.limits
    }

    #[inline]
    pub(crate) fn now_ms(&self) -> u64 {
        self.0.clock.unix_millis()
    }

    pub(crate) fn expiration_ms(&self) -> u64 {
        self.0.expiration_ms
    }

    pub(crate) fn longest_ms(&self) -> u64 {
        self.0.longest_ms
    }

    pub(crate) fn longest_wait(&self) -> Duration {
        self.0.longest_wait
    }

    pub(crate) fn budget(&self) -> Duration {
        self.0.budget
    }

    pub(crate) fn breaker(&self) -> Option<&Breaker> {
        self.0.breaker.as_ref()
    }

    pub(crate) fn flights(&self) -> &Flights<Landed, Lease> {
        &self.under_way().flights
    }

    /// The same by who knows which process this is.
    pub(crate) fn flights_in(&self, process: u32) -> &Flights<Landed, Lease> {
        &self.under_way_in(process).flights
    }

    #[inline]
    pub(crate) fn tier(&self) -> &Tier {
        &self.0.tier
    }

    pub(crate) fn unleased(&self) -> &Unleased {
        &self.under_way().unleased
    }

    pub(crate) fn writers(&self) -> &Writers {
        &self.under_way().writers
    }

    /// Whether nothing was under way a moment ago. It doesn't even ask which process this is, which the others here do.
    pub(crate) fn is_idle(&self) -> bool {
        let under_way = self.0.under_way.recent();
        under_way.is_none_or(|all| all.flights.is_empty() && all.writers.is_empty())
    }

    fn under_way(&self) -> &UnderWay {
        self.under_way_in(process::current())
    }

    fn under_way_in(&self, process: u32) -> &UnderWay {
        self.0.under_way.get_or_make_as(process, UnderWay::new)
    }

    /// Where copies are kept beside the backend; none where the backend itself keeps values.
    pub(crate) fn beside(&self) -> Option<&Arc<Beside>> {
        self.0.tier.beside_or_new(self.namespace(), &self.0.clock)
    }

    /// Takes what is being computed for an entry out of sight, and copies of it, as it has changed.
    pub(crate) fn void(&self, name: &str) {
        let all = self.under_way();
        all.flights.void(name);
        all.unleased.void(name);
        all.writers.void(name);
        self.forget_copy(name);
    }

    /// Before an answer is used that nobody has the right to keep.
    pub(crate) fn pass_copy(&self, name: &str) {
        if let Some(beside) = self.0.tier.beside() {
            beside.pass(name);
        }
    }

    /// Removes the copy of an entry that this process has changed.
    pub(crate) fn forget_copy(&self, name: &str) {
        if let Some(beside) = self.0.tier.beside() {
            beside.forget(name);
        }
    }

    pub(crate) fn sealing(&self) -> &Sealing {
        &self.0.sealing
    }

    pub(crate) fn compresses(&self) -> bool {
        self.0.compress
    }

    pub(crate) fn caches(&self) -> bool {
        self.0.caching
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.0.journal
    }

    #[inline]
    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Tells of a call of that function.
    #[inline]
    pub(crate) fn observer<'a>(
        &'a self,
        site: &'a Site,
        instance: &'static Instance,
    ) -> Observer<'a> {
        Observer {
            function: Function(Some(instance)),
            of_function: Some(site.counters()),
            of_runtime: self.counters(),
            journal: self.journal(),
        }
    }
}

// A panic leaves it as it was: nothing is locked while a function's or a backend's code runs, and calls are guarded against theirs.
impl UnwindSafe for Runtime {}
impl RefUnwindSafe for Runtime {}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("namespace", &self.0.namespace)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
