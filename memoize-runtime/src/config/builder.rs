//! The settings of a runtime, checked together.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::sealing::SealingSettings;
use super::store::Store;
use super::{Inner, Runtime};
use crate::backend::{AsyncBackend, Backend, Memory};
use crate::breaker::{Breaker, Monotonic};
use crate::clock::{Clock, SystemClock, millis};
use crate::error::{ConfigError, ConfigErrorKind};
use crate::key::escape_namespace;
use crate::local::Tier;
use crate::observe::{Counters, Journal};
use crate::process::PerProcess;

const DEFAULT_NAMESPACE: &str = "cache";
const DEFAULT_EXPIRATION: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const DEFAULT_LONGEST_WAIT: Duration = Duration::from_secs(30);
const DEFAULT_BUDGET: Duration = Duration::from_millis(100);
const DEFAULT_LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
const DEFAULT_LOCAL_CAPACITY: usize = 32 << 20;

/// A namespace is in every key, so that it must leave room for one.
const LONGEST_NAMESPACE: usize = 64;

/// Settings of a [`Runtime`].
#[must_use = "settings do nothing until `build` or `install`"]
pub struct RuntimeBuilder {
    namespace: String,
    store: Option<Store>,
    clock: Arc<dyn Clock>,
    expiration: Duration,
    longest: Duration,
    longest_wait: Duration,
    budget: Duration,
    breaker: Option<Monotonic>,
    pub(super) sealing: SealingSettings,
    compress: bool,
    caching: bool,
    local_capacity: usize,
}

impl RuntimeBuilder {
    pub(super) fn new() -> Self {
        Self {
            namespace: DEFAULT_NAMESPACE.to_owned(),
            store: None,
            clock: Arc::new(SystemClock),
            expiration: DEFAULT_EXPIRATION,
            longest: DEFAULT_LONGEST,
            longest_wait: DEFAULT_LONGEST_WAIT,
            budget: DEFAULT_BUDGET,
            breaker: Some(Monotonic::system()),
            sealing: SealingSettings::default(),
            compress: true,
            caching: true,
            local_capacity: DEFAULT_LOCAL_CAPACITY,
        }
    }

    /// What keys begin with, so that applications can share a backend; `"cache"` unless given.
    ///
    /// Applications with one namespace share entries. It is percent-escaped in keys, of which it may take 64 bytes.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Where entries live; [`Memory`] of the default size unless given.
    ///
    /// Async functions can use it as well: by its [async twin](Backend::async_twin) if it has one, right there if its
    /// [limits](crate::Limits) say that it doesn't block, and else through [`Unblock`](crate::Unblock).
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.store = Some(Store::blocking(backend));
        self
    }

    /// The same for a backend of async functions.
    ///
    /// Sync functions can use the runtime as well, as far as [`BlockOn`](crate::BlockOn) goes.
    pub fn async_backend(mut self, backend: impl AsyncBackend) -> Self {
        self.store = Some(Store::asynchronous(Arc::new(backend)));
        self
    }

    /// The life of entries whose function doesn't say; 30 days unless given.
    pub fn expiration(mut self, life: Duration) -> Self {
        self.expiration = life;
        self
    }

    /// The longest life that any entry may have, written or read; 366 days unless given.
    ///
    /// A longer `expiration` of a function is cut to it. An entry that claims more is not read, so that a wrong clock of
    /// another machine can't make one that stays forever.
    pub fn longest_expiration(mut self, life: Duration) -> Self {
        self.longest = life;
        self
    }

    /// The longest that a call waits for another that computes the same value, before it computes by itself; 30 seconds
    /// unless given.
    ///
    /// Waiting ends by itself when the other is done, panics or is cancelled, so this only matters where a computation takes
    /// longer, or is stuck. Of those who have waited so long one then computes for all who still wait and come, and stores; the
    /// others wait for that one, as long again at the most. The first whose second wait ends then computes in its place, to store as
    /// well, and the rest compute for themselves. Who follows a stream waits as long for its first item. A zero makes every call that
    /// misses compute. It is not part of the [`budget`](Self::budget).
    ///
    /// For a process that computes, the others wait half as long at the most, since some may in turn wait for them. That a process was killed
    /// while it computed they can't know: calls of that key then take up to half of this longer, until so much has passed. So where processes
    /// share a backend, choose a little more than twice the time that the slowest of the functions usually takes: too short costs a
    /// second computation, whose value is stored only if the first one's isn't, too long a wait after a crash.
    pub fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }

    /// The time that the cache work of one call may take, all in all; 100 milliseconds unless given.
    ///
    /// It is the most that a slow or broken backend adds to a call: looking up, connecting, storing, and whatever else is asked.
    /// What is over by then is a miss, or is not stored. The body's time doesn't count, nor the waiting for another that computes the
    /// value, which [`longest_wait`](Self::longest_wait) bounds; each question that is asked meanwhile has this time. For an iterator
    /// it is the time of each step: the lookup with the first chunks, each fetch of more, each chunk that is stored, the end. What
    /// is large or far away may need more. A backend whose [limits](crate::Limits) say that it doesn't block is not timed.
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// Whether a backend that fails again and again is left alone for a while; it is unless `false` is given.
    ///
    /// After five failures in a row, or when half of 20 answers or more within 10 seconds failed, functions run for about a second as
    /// if they were not memoized, which costs well under a microsecond; only that one computation at a time serves all callers
    /// of a key still holds. Then one question is asked: where it is answered all goes on, else the next is asked after twice as
    /// long, up to 30 seconds. Errors, panics and answers that come too late are failures; a [refusal](crate::BackendError::refusal), of a
    /// server that is full say, is none. What isn't asked is counted in [`Stats::skipped`](crate::Stats::skipped), and companions say that they could do nothing. A backend whose
    /// [limits](crate::Limits) say that it doesn't block is always asked.
    pub fn breaker(mut self, breaker: bool) -> Self {
        self.breaker = breaker.then(Monotonic::system);
        self
    }

    /// The time that the breaker goes by, in milliseconds.
    #[cfg(test)]
    pub(crate) fn breaker_clock(mut self, ms: Arc<std::sync::atomic::AtomicU64>) -> Self {
        self.breaker = Some(Monotonic::Manual(ms));
        self
    }

    /// Whether entries whose function doesn't say are compressed with LZ4, where they have at least 1 KiB and shrink; they
    /// are unless `false` is given. What is sealed is not, since a compressed length tells about the content, unless the
    /// function itself says `compress = true`.
    ///
    /// It is about what is written: whether an entry is compressed or not, it is read. Without the crate feature `compress`
    /// nothing is compressed, and what is can't be read.
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Whether anything is cached; `false` makes memoized functions run as if they were not.
    ///
    /// Nothing is then looked up, shared or stored, `peek` finds nothing and `prime` says `false`. `invalidate` still removes
    /// what other processes may have stored, so the other settings are those of a runtime that caches, secrets included, and are checked
    /// like them.
    pub fn caching(mut self, caching: bool) -> Self {
        self.caching = caching;
        self
    }

    /// The most that copies of values take in this process, beside a backend that others write as well, in bytes; 32 MiB unless given.
    ///
    /// They are kept where the backend tells of changes, as a single Redis server does, or for as long as a function's `local = "5s"` allows. Each
    /// counts as in [`Memory`]: its own size and what is behind it, as far as serde shows that, and its bookkeeping. With 0 none are kept, and nothing is asked to tell of changes.
    /// The embedded [`Memory`] has a size of its own.
    pub fn local_capacity(mut self, bytes: usize) -> Self {
        self.local_capacity = bytes;
        self
    }

    /// The time that entries are dated with and checked against; the system's unless given.
    ///
    /// The default backend has it too; one that is [given](Self::backend) has its own, see [`Memory::with_clock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks the settings together and makes a runtime of them, which nothing uses yet.
    ///
    /// # Errors
    /// A setting can't be used; the text says which and what to write.
    pub fn build(self) -> Result<Runtime, ConfigError> {
        if self.namespace.is_empty() {
            return Err(ConfigErrorKind::EmptyNamespace.into());
        }
        let namespace = escape_namespace(&self.namespace);
        if namespace.len() > LONGEST_NAMESPACE {
            let (bytes, limit) = (namespace.len(), LONGEST_NAMESPACE);
            return Err(ConfigErrorKind::LongNamespace { bytes, limit }.into());
        }
        let (expiration_ms, longest_ms) = (millis(self.expiration), millis(self.longest));
        if expiration_ms == 0 || longest_ms == 0 {
            return Err(ConfigErrorKind::ZeroExpiration.into());
        }
        if expiration_ms > longest_ms {
            return Err(ConfigErrorKind::ExpirationOverLongest.into());
        }
        if self.budget.is_zero() {
            return Err(ConfigErrorKind::ZeroBudget.into());
        }
        let store = self.store.unwrap_or_else(|| {
            let memory = Memory::with_clock(Memory::DEFAULT_BYTES, Arc::clone(&self.clock));
            Store::blocking(memory)
        });
        let limits = store.blocking.limits();
        if limits.value_bytes == 0 {
            return Err(ConfigErrorKind::NoCapacity.into());
        }
        Ok(Runtime(Arc::new(Inner {
            tier: Tier::new(store.memory.clone(), self.local_capacity),
            namespace,
            store,
            limits,
            clock: self.clock,
            expiration_ms,
            longest_ms,
            longest_wait: self.longest_wait,
            budget: self.budget,
            breaker: self.breaker.filter(|_| limits.blocking).map(Breaker::new),
            under_way: PerProcess::new(),
            sealing: self.sealing.build(limits)?,
            compress: self.compress,
            caching: self.caching,
            counters: Counters::new(),
            journal: Journal::new(),
        })))
    }

    /// Builds the runtime and makes it the process's own.
    ///
    /// Do this early in `main`: calls made before ran on the embedded backend, and what they stored there is not seen
    /// any more.
    ///
    /// # Errors
    /// A setting can't be used, or a runtime [is installed already](ConfigError::is_already_installed).
    pub fn install(self) -> Result<(), ConfigError> {
        self.build()?.install()
    }
}

impl fmt::Debug for RuntimeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeBuilder")
            .field("namespace", &self.namespace)
            .field("expiration", &self.expiration)
            .field("longest_expiration", &self.longest)
            .field("sealing", &self.sealing)
            .field("compress", &self.compress)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{Memory, Runtime};

    #[test]
    fn each_unusable_setting_is_named() {
        let cases = [
            (Runtime::builder().namespace(""), "`namespace`"),
            (
                Runtime::builder().namespace("n".repeat(65)),
                "`namespace` takes 65 bytes",
            ),
            (
                Runtime::builder().namespace("é".repeat(11)),
                "`namespace` takes 66 bytes",
            ),
            (
                Runtime::builder().expiration(Duration::ZERO),
                "expiration of zero",
            ),
            (
                Runtime::builder().longest_expiration(Duration::from_secs(1)),
                "`longest_expiration`",
            ),
            (
                Runtime::builder().budget(Duration::ZERO),
                "`budget` of zero",
            ),
            (Runtime::builder().backend(Memory::new(0)), "too small"),
        ];
        for (builder, part) in cases {
            let error = builder.build().expect_err(part);
            assert!(error.to_string().contains(part), "{error}");
            assert!(!error.is_already_installed());
        }
    }
}
