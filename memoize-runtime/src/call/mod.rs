//! One call of a memoized function: its key as it is built, then what can be done with it.
//!
//! The attribute's code is made of these. Whether a function returns a value or a `Result` is known by its type and not by
//! how it is written: an inherent method of `Key<Result<T, E>>` is found before one of what a `Key<R>` derefs to. The methods
//! that take part in such a choice are called `__x`, because a user's trait for all types could win over a plain name; the
//! others take `self` by value, where inherent methods always come first.

pub(crate) mod ask;
mod awaited;
pub(crate) mod budget;
mod chunks;
mod elsewhere;
pub(crate) mod future;
mod iter;
mod key;
pub(crate) mod landed;
mod lookup;
pub(crate) mod origin;
pub(crate) mod outcome;
mod patience;
pub(crate) mod place;
mod reading;
mod recorder;
pub(crate) mod request;
mod resealing;
mod rotation;
mod stream;
pub(crate) mod sync;
mod turn;

pub use iter::Memoized;
pub use key::Key;
pub use stream::MemoizedStream;
pub(crate) use turn::Caller;

use std::ops::Deref;
use std::time::Duration;

use crate::clock::millis;
use crate::config::Current;
use crate::key::CacheKey;
use crate::local::Copies;
use crate::secret::Secret;
use ask::Lateness;
use landed::{Failures, SharesErrors};
use origin::Origin;
use outcome::Outcome;
use place::Protection;
use request::Request;

/// A call that returns `R`: all that is known before the body runs, and what was `F`ound already.
pub struct Call<R, F = ()> {
    call: AnyCall<R>,
    found: F,
}

/// A [`Call`] whose value may have been looked for when its key was complete.
pub type Find<R> = Call<R, Option<R>>;

/// A [`Call`] whose `R` is taken as a value, whatever it is.
pub struct AnyCall<R> {
    origin: Origin,
    /// Made where it is needed: a hit takes one function of it, and the rest would be in memory for nothing.
    outcome: fn() -> Outcome<R>,
    expiration_ms: Option<u64>,
    overwrite: bool,
    /// It was looked for already.
    is_missed: bool,
    failures: Option<fn() -> Failures<R>>,
    /// The call's own, where it has one.
    secret: Option<Secret>,
}

impl<R, F> Call<R, F> {
    /// Computes even where there is an entry, and stores the result in its place.
    pub fn force_overwrite(mut self, overwrite: bool) -> Self {
        self.call.overwrite = overwrite;
        self
    }

    /// The life of the entry that this call may store.
    pub fn expiration(mut self, life: Duration) -> Self {
        self.call.expiration_ms = Some(millis(life));
        self
    }

    /// Seals the entry with a secret of the function's own.
    pub fn encryption_key(mut self, secret: &Secret) -> Self {
        self.call.secret = Some(secret.clone());
        self
    }

    /// Gives an error to those who wait for this call as well.
    pub fn share_errors(mut self) -> Self
    where
        R: SharesErrors,
    {
        self.call.failures = Some(|| R::FAILURES);
        self
    }

    /// Returns the items from the cache, or those of the iterator that `body` returns, which are stored as they are consumed.
    pub fn iter<B, I>(self, body: B) -> Memoized<R, B, I>
    where
        B: FnOnce() -> I,
        I: Iterator<Item = R>,
    {
        Memoized::new(self.call.request(), (self.call.outcome)(), body)
    }

    /// The same in a box, for a function that returns a `Box<dyn Iterator>`.
    pub fn boxed_iter<B, I>(self, body: B) -> Box<Memoized<R, B, I>>
    where
        B: FnOnce() -> I,
        I: Iterator<Item = R>,
    {
        Box::new(self.iter(body))
    }

    /// The key of the entry.
    pub fn key(self) -> CacheKey {
        self.call.request().shown_key()
    }

    /// What the function would return from the cache.
    pub fn peek(self) -> Option<R> {
        sync::peek(&self.call.request(), &(self.call.outcome)())
    }

    /// Stores `value` as if the function had returned it.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers have no more use for it"
    )]
    pub fn prime(self, value: R) -> bool {
        sync::prime(&self.call.request(), &(self.call.outcome)(), &value)
    }

    /// Removes the entry.
    pub fn invalidate(self) -> bool {
        sync::invalidate(&self.call.request())
    }
}

impl<R> Call<R> {
    /// Returns the value from the cache, or runs `body` and stores what it returns.
    #[inline]
    pub fn run(self, body: impl FnOnce() -> R) -> R {
        match self.call.copy_by_word() {
            Some(value) => value,
            None => self.call.run_slowly(body),
        }
    }
}

impl<R> Find<R> {
    /// The same, where the value may have been found.
    #[inline]
    pub fn run(self, body: impl FnOnce() -> R) -> R {
        match self.found.or_else(|| self.call.copy_by_word()) {
            Some(value) => value,
            None => self.call.run_slowly(body),
        }
    }
}

impl<T, E, F> Call<Result<T, E>, F> {
    /// The value that is in the cache.
    pub fn peek_ok(self) -> Option<T> {
        self.peek().and_then(Result::ok)
    }

    /// Stores `value` as if the function had returned it in an `Ok`.
    pub fn prime_ok(self, value: T) -> bool {
        self.prime(Ok(value))
    }

    #[doc(hidden)]
    #[inline]
    pub fn __run_if(
        &self,
        cache_if: impl FnOnce(&T) -> bool,
        body: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let accept = |result: &Result<T, E>| result.as_ref().is_ok_and(cache_if);
        self.call.run_if(accept, body)
    }
}

impl<R> AnyCall<R> {
    #[doc(hidden)]
    #[inline]
    pub fn __run_if(&self, cache_if: impl FnOnce(&R) -> bool, body: impl FnOnce() -> R) -> R {
        self.run_if(cache_if, body)
    }

    #[inline]
    fn new(origin: Origin, outcome: fn() -> Outcome<R>) -> Self {
        Self {
            origin,
            outcome,
            expiration_ms: None,
            overwrite: false,
            is_missed: false,
            failures: None,
            secret: None,
        }
    }

    #[inline]
    fn run_if(&self, accept: impl FnOnce(&R) -> bool, body: impl FnOnce() -> R) -> R {
        match self.copy() {
            Some(value) => value,
            None => sync::get_or_compute(&self.request(), &self.sharing_outcome(), accept, body),
        }
    }

    /// Takes the call by value, so that the fast way needn't have it in memory.
    #[cold]
    #[inline(never)]
    fn run_slowly(self, body: impl FnOnce() -> R) -> R {
        if !self.is_missed
            && let Some(value) = self.copy()
        {
            return value;
        }
        sync::get_or_compute(&self.request(), &self.sharing_outcome(), |_| true, body)
    }

    /// A hit of the fastest kind: a copy of the value, found by the arguments' words.
    #[inline]
    fn copy(&self) -> Option<R> {
        let Origin {
            runtime,
            site,
            instance,
            arguments,
            ..
        } = &self.origin;
        self.copies()?.find(runtime, site, instance, arguments)
    }

    /// The same outside of any scope, for arguments that are one word: all that it takes fits in registers.
    #[inline]
    fn copy_by_word(&self) -> Option<R> {
        let Origin {
            runtime: Current::Process(runtime),
            site,
            instance,
            arguments,
            ..
        } = &self.origin
        else {
            return None;
        };
        let word = arguments.only()?;
        (self.copies()?.hit_by_word)(runtime, site, instance, word)
    }

    /// The way to copies, where this call may use them.
    #[inline]
    fn copies(&self) -> Option<Copies<R>> {
        let may_be_copied = !self.overwrite && self.secret.is_none() && self.origin.is_usable();
        (self.outcome)().copies.filter(|_| may_be_copied)
    }

    fn sharing_outcome(&self) -> Outcome<R> {
        Outcome {
            failures: self.failures.map(|failures| failures()),
            ..(self.outcome)()
        }
    }

    /// The call in full, with its key as text.
    fn request(&self) -> Request {
        let origin = &self.origin;
        let stored = origin.instance.stored(origin.site, (self.outcome)().shape);
        let protection = match &self.secret {
            Some(secret) => Protection::SealedWith(secret.clone()),
            None => origin.site.protection(),
        };
        Request {
            runtime: origin.runtime.clone(),
            site: Some(origin.site),
            key: origin.full_key(),
            stored,
            fingerprint: stored.fingerprint(),
            expiration_ms: self.expiration_ms,
            overwrite: self.overwrite,
            protection,
            compress: None,
            origin: Some(origin.clone()),
            lateness: Lateness::default(),
        }
    }
}

impl<R, F> Deref for Call<R, F> {
    type Target = AnyCall<R>;

    fn deref(&self) -> &AnyCall<R> {
        &self.call
    }
}

/// The value type of a function whose return type is called `Result`.
pub type OkOf<R> = <R as Fallible>::Value;

/// `Result<T, E>`, to name its `T` where only the whole is known: behind an alias, say.
#[diagnostic::on_unimplemented(
    message = "the return type is called `Result` but is not `std::result::Result`",
    label = "not a `std::result::Result`",
    note = "its companions `peek` and `prime` can't be written; add `companions = false`, or give the type another name"
)]
pub trait Fallible {
    type Value;
}

impl<T, E> Fallible for Result<T, E> {
    type Value = T;
}
