//! Memoizing without the attribute.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::time::Duration;

use futures_core::Stream;

use crate::Cacheable;
use crate::call::ask::Lateness;
use crate::call::landed::SharesErrors;
use crate::call::outcome::Outcome;
use crate::call::place::{self, Protection};
use crate::call::request::Request;
use crate::call::{Memoized, MemoizedStream, future, sync};
use crate::clock::millis;
use crate::config::Current;
use crate::entry::{Codec, StoredType, with_version};
use crate::key::{CacheKey, FullKey, KeyParts};
use crate::secret::Secret;

/// One value, or the items of one iterator, to remember under a key that is put together by hand.
///
/// It is what `#[cache_memoize]` does, for a place where there is no function to annotate. The entry is bound to the type of
/// the value: asked for with another type, it is a miss.
///
/// ```
/// use cache_memoize::Memo;
/// use std::time::Duration;
///
/// let id = 7;
/// let name: String = Memo::new(("user", id, "name"))
///     .expiration(Duration::from_secs(3600))
///     .get_or_compute(|| "Ada".to_owned());
/// assert_eq!(name, "Ada");
/// ```
#[must_use = "nothing is looked up or computed before `get_or_compute`, `iter` or `stream`"]
pub struct Memo {
    runtime: Current,
    key: FullKey,
    expiration_ms: Option<u64>,
    overwrite: bool,
    codec: Codec,
    version: u32,
    protection: Protection,
    compress: Option<bool>,
}

impl Memo {
    /// A value under the key that these parts make; see [`make_cache_key`](crate::make_cache_key).
    ///
    /// It belongs to the runtime that is current here, whichever is where it is asked: make it inside of
    /// [`scope`](crate::Runtime::scope), and after [`install`](crate::Runtime::install).
    ///
    /// A part whose `Display` fails or panics leaves no key: the value is then computed each time.
    pub fn new(parts: impl KeyParts) -> Self {
        let runtime = Current::get();
        let mut key = FullKey::new(runtime.namespace());
        parts.write(&mut key);
        Self {
            runtime,
            key,
            expiration_ms: None,
            overwrite: false,
            codec: Codec::Postcard,
            version: 0,
            protection: Protection::Usual,
            compress: None,
        }
    }

    /// The life of the entry, the runtime's unless given, and cut to its
    /// [longest](crate::RuntimeBuilder::longest_expiration). With a life of zero nothing is stored.
    pub fn expiration(mut self, life: Duration) -> Self {
        self.expiration_ms = Some(millis(life));
        self
    }

    /// Whether to compute even where there is an entry, and to store the result in its place.
    pub fn force_overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Whether the value becomes bytes by `MessagePack`, with the names of its fields, as `codec = "msgpack"` does it: for
    /// types that postcard can't hold.
    #[cfg(feature = "msgpack")]
    pub fn msgpack(mut self) -> Self {
        self.codec = Codec::Msgpack;
        self
    }

    /// The version of what the value means, 0 unless given: entries of another one are misses. Raise it with a change that the
    /// type doesn't show, such as metres that become feet.
    ///
    /// ```
    /// # use cache_memoize::{Memo, Runtime};
    /// # let runtime = Runtime::builder().build()?;
    /// # runtime.scope(|| {
    /// let in_metres = Memo::new("height").get_or_compute(|| 10);
    /// let in_feet = Memo::new("height").version(1).get_or_compute(|| 33);
    /// assert_eq!((in_metres, in_feet), (10, 33));
    /// # });
    /// # Ok::<(), cache_memoize::ConfigError>(())
    /// ```
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Seals the entry with the runtime's secret, its name in the backend included.
    ///
    /// Where there is no secret, on a [shared backend](crate::RuntimeBuilder::secret) or in a build without the feature
    /// `encrypt`, the value is computed each time and not stored.
    pub fn encrypt(mut self) -> Self {
        self.protection = Protection::Sealed;
        self
    }

    /// Seals the entry with a secret of its own in place of the runtime's; [`Secret::with_previous`] rotates it.
    pub fn encryption_key(mut self, secret: &Secret) -> Self {
        self.protection = Protection::SealedWith(secret.clone());
        self
    }

    /// Whether the entry is compressed with LZ4, where it has at least 1 KiB and shrinks. Unless given, as the runtime
    /// has it, and not where it is sealed: a compressed length tells about the content.
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = Some(compress);
        self
    }

    /// The key of the entry: its name in the backend. Where it is to be sealed and there is no secret, `!`.
    pub fn key(&self) -> CacheKey {
        place::shown(&self.runtime, &self.key, &self.protection)
    }

    /// Returns the value from the cache, or computes and stores it.
    ///
    /// # Panics
    /// Only where `compute` does; nothing is then stored. Whatever goes wrong with the cache is counted and logged.
    pub fn get_or_compute<T: Cacheable>(self, compute: impl FnOnce() -> T) -> T {
        self.run(&Outcome::VALUE, compute)
    }

    /// The same for a computation that can fail: an `Err` is returned as it is, and nothing is stored.
    ///
    /// # Errors
    /// Only those of `compute`.
    ///
    /// # Panics
    /// Only where `compute` does.
    pub fn try_get_or_compute<T: Cacheable, E>(
        self,
        compute: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.run(&Outcome::RESULT, compute)
    }

    /// Has an `Err` given to those who wait for it as well, as `share_errors` of the attribute does: each gets a clone, and none of them
    /// computes. It is stored nowhere, so that who comes later computes.
    ///
    /// ```
    /// # use cache_memoize::Memo;
    /// let parsed = Memo::new("answer").share_errors().try_get_or_compute(|| "forty".parse::<u32>());
    /// assert!(parsed.is_err());
    /// ```
    pub fn share_errors(self) -> SharingErrors {
        SharingErrors(self)
    }

    /// As [`get_or_compute`](Self::get_or_compute), for a computation that is awaited.
    ///
    /// Nothing happens before the first poll. The future is `Send` where that of `compute` and the value are. It may be dropped
    /// at any time: if others wait for its value, one of them computes.
    ///
    /// ```
    /// # use cache_memoize::Memo;
    /// # async fn fetch(id: u64) -> String { id.to_string() }
    /// # async fn example(id: u64) -> String {
    /// Memo::new(("user", id, "name")).get_or_compute_async(|| fetch(id)).await
    /// # }
    /// ```
    ///
    /// # Panics
    /// Only where `compute` or its future does.
    pub async fn get_or_compute_async<T: Cacheable, F: Future<Output = T>>(
        self,
        compute: impl FnOnce() -> F,
    ) -> T {
        self.run_async(Outcome::VALUE, compute).await
    }

    /// The same for a computation that can fail: an `Err` is returned as it is, and nothing is stored.
    ///
    /// # Errors
    /// Only those of `compute`.
    ///
    /// # Panics
    /// Only where `compute` or its future does.
    pub async fn try_get_or_compute_async<T: Cacheable, E, F: Future<Output = Result<T, E>>>(
        self,
        compute: impl FnOnce() -> F,
    ) -> Result<T, E> {
        self.run_async(Outcome::RESULT, compute).await
    }

    /// Returns the items from the cache, or those that `compute` returns, which are stored as they are consumed.
    ///
    /// See [`Memoized`] for when `compute` runs, and what becomes of an iterator that is not consumed to its end.
    ///
    /// ```
    /// use cache_memoize::Memo;
    ///
    /// # use cache_memoize::Runtime;
    /// # let runtime = Runtime::builder().build()?;
    /// # runtime.scope(|| {
    /// let squares = || Memo::new("squares").iter(|| (0..1000_u64).map(|n| n * n));
    /// assert_eq!(squares().count(), 1000); // from the closure, and stored at the end
    /// assert_eq!(squares().last(), Some(998_001)); // from the cache
    /// assert_eq!(Runtime::current().stats().hits, 1);
    /// # });
    /// # Ok::<(), cache_memoize::ConfigError>(())
    /// ```
    ///
    /// The lookup is made at the call: of two iterators that are made before one of them is consumed, the second follows the first.
    ///
    /// # Panics
    /// Only where `compute` or its iterator does.
    pub fn iter<T, I, F>(self, compute: F) -> Memoized<T, F, I>
    where
        T: Cacheable,
        I: Iterator<Item = T>,
        F: FnOnce() -> I,
    {
        self.items(Outcome::VALUE, compute)
    }

    /// The same for items that can fail: an `Err` is handed on as it is, and nothing is then stored.
    ///
    /// # Panics
    /// Only where `compute` or its iterator does.
    pub fn try_iter<T, E, I, F>(self, compute: F) -> Memoized<Result<T, E>, F, I>
    where
        T: Cacheable,
        I: Iterator<Item = Result<T, E>>,
        F: FnOnce() -> I,
    {
        self.items(Outcome::RESULT, compute)
    }

    /// As [`iter`](Self::iter), for a stream: it returns the items from the cache, or those of the stream that `compute` returns.
    ///
    /// Nothing happens before it is polled. See [`MemoizedStream`] for the rest. Entries are those of an iterator under this key.
    ///
    /// ```
    /// # use cache_memoize::{Memo, Runtime};
    /// use futures::{StreamExt, stream};
    ///
    /// # let runtime = Runtime::builder().build()?;
    /// # futures::executor::block_on(runtime.scope_async(async {
    /// let squares = || Memo::new("squares").stream(|| stream::iter((0..1000_u64).map(|n| n * n)));
    /// assert_eq!(squares().count().await, 1000); // from the closure, and stored at the end
    /// assert_eq!(squares().skip(999).next().await, Some(998_001)); // from the cache
    /// assert_eq!(Runtime::current().stats().hits, 1);
    /// # }));
    /// # Ok::<(), cache_memoize::ConfigError>(())
    /// ```
    ///
    /// # Panics
    /// Only where `compute` or its stream does.
    pub fn stream<T, S, F>(
        self,
        compute: F,
    ) -> MemoizedStream<T, impl FnOnce() -> Ready<S>, Ready<S>, S>
    where
        T: Cacheable,
        S: Stream<Item = T>,
        F: FnOnce() -> S,
    {
        self.awaited_items(Outcome::VALUE, compute)
    }

    /// The same for items that can fail: an `Err` is handed on as it is, and nothing is then stored.
    ///
    /// # Panics
    /// Only where `compute` or its stream does.
    pub fn try_stream<T, E, S, F>(
        self,
        compute: F,
    ) -> MemoizedStream<Result<T, E>, impl FnOnce() -> Ready<S>, Ready<S>, S>
    where
        T: Cacheable,
        S: Stream<Item = Result<T, E>>,
        F: FnOnce() -> S,
    {
        self.awaited_items(Outcome::RESULT, compute)
    }

    /// Removes the entry, whatever its type; `false` where the backend could not be asked, so that it may still be there.
    pub fn invalidate(self) -> bool {
        sync::invalidate(&self.request(StoredType::unstored()))
    }

    /// As [`invalidate`](Self::invalidate), for a backend that is awaited.
    pub async fn invalidate_async(self) -> bool {
        future::invalidate(&self.request(StoredType::unstored())).await
    }

    fn run<R>(self, outcome: &Outcome<R>, compute: impl FnOnce() -> R) -> R {
        let stored = (outcome.stored)(self.codec);
        sync::get_or_compute(&self.request(stored), outcome, |_| true, compute)
    }

    async fn run_async<R, F: Future<Output = R>>(
        self,
        outcome: Outcome<R>,
        compute: impl FnOnce() -> F,
    ) -> R {
        let stored = (outcome.stored)(self.codec);
        future::get_or_compute(self.request(stored), outcome, |_| true, compute).await
    }

    fn items<R, F, I>(self, outcome: Outcome<R>, compute: F) -> Memoized<R, F, I>
    where
        I: Iterator<Item = R>,
        F: FnOnce() -> I,
    {
        let stored = (outcome.stored)(self.codec);
        Memoized::new(self.request(stored), outcome, compute)
    }

    fn awaited_items<R, F, S>(
        self,
        outcome: Outcome<R>,
        compute: F,
    ) -> MemoizedStream<R, impl FnOnce() -> Ready<S>, Ready<S>, S>
    where
        F: FnOnce() -> S,
    {
        let stored = (outcome.stored)(self.codec);
        MemoizedStream::new(self.request(stored), outcome, || ready(compute()))
    }

    pub(crate) fn request(self, stored: &'static StoredType) -> Request {
        Request {
            runtime: self.runtime,
            site: None,
            key: self.key,
            stored,
            fingerprint: with_version(stored.fingerprint(), self.version),
            expiration_ms: self.expiration_ms,
            overwrite: self.overwrite,
            protection: self.protection,
            compress: self.compress,
            origin: None,
            lateness: Lateness::default(),
        }
    }
}

/// A [`Memo`] whose errors are given to those who wait for it as well; see [`Memo::share_errors`].
#[derive(Debug)]
#[must_use = "nothing is looked up or computed before `try_get_or_compute`"]
pub struct SharingErrors(Memo);

impl SharingErrors {
    /// As [`Memo::try_get_or_compute`].
    ///
    /// # Errors
    /// Those of `compute`, of this call or of one that it waited for.
    ///
    /// # Panics
    /// Only where `compute` does.
    pub fn try_get_or_compute<T: Cacheable, E: Clone + Send + Sync + 'static>(
        self,
        compute: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.0.run(&shared_result(), compute)
    }

    /// As [`Memo::try_get_or_compute_async`].
    ///
    /// # Errors
    /// Those of `compute`, of this call or of one that it waited for.
    ///
    /// # Panics
    /// Only where `compute` or its future does.
    pub async fn try_get_or_compute_async<T, E, F>(
        self,
        compute: impl FnOnce() -> F,
    ) -> Result<T, E>
    where
        T: Cacheable,
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, E>>,
    {
        self.0.run_async(shared_result(), compute).await
    }
}

fn shared_result<T: Cacheable, E: Clone + Send + Sync + 'static>() -> Outcome<Result<T, E>> {
    Outcome {
        failures: Some(SharesErrors::FAILURES),
        ..Outcome::RESULT
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo(..)")
    }
}
