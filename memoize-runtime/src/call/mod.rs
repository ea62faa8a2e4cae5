//! One call of a memoized function: its key as it is built, then what can be done with it.
//!
//! The attribute's code is made of these. Whether a function returns a value or a `Result` is known by its type and not by
//! how it is written: an inherent method of `Key<Result<T, E>>` is found before one of what a `Key<R>` derefs to. The methods
//! that take part in such a choice are called `__x`, because a user's trait for all types could win over a plain name; the
//! others take `self` by value, where inherent methods always come first.

mod ask;
mod awaited;
pub(crate) mod budget;
mod chunks;
pub(crate) mod future;
mod iter;
mod lookup;
pub(crate) mod outcome;
pub(crate) mod place;
mod reading;
mod recorder;
pub(crate) mod request;
mod rotation;
mod stream;
pub(crate) mod sync;
mod turn;

pub use iter::Memoized;
pub use stream::MemoizedStream;

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::Cacheable;
use crate::clock::millis;
use crate::config::Current;
use crate::instance::Instance;
use crate::key::argument::{Part, TemplateDigest, TemplateText};
use crate::key::{CacheKey, FullKey};
use crate::secret::Secret;
use crate::site::Site;
use outcome::Outcome;
use place::Protection;
use request::Request;

/// The key of a call that returns `R`, as it is being built.
pub struct Key<R>(AnyKey<R>);

/// A [`Key`] whose `R` is taken as a value, whatever it is.
pub struct AnyKey<R> {
    site: &'static Site,
    instance: &'static Instance,
    /// Taken when the key is complete.
    started: Option<(Current, FullKey)>,
    returns: PhantomData<fn() -> R>,
}

impl<R> Key<R> {
    pub(crate) fn new(site: &'static Site, instance: &'static Instance) -> Self {
        let runtime = Current::get();
        let mut key = FullKey::new(runtime.namespace());
        if !instance.is_named() {
            key.spoil();
        }
        Self(AnyKey {
            site,
            instance,
            started: Some((runtime, key)),
            returns: PhantomData,
        })
    }

    /// Adds the developer's text.
    pub fn text(self, text: &str) -> Self {
        self.add(|key| key.literal(text))
    }

    /// Adds a value's text, escaped.
    pub fn part(self, value: &(impl TemplateText + ?Sized)) -> Self {
        self.add(|key| key.shown(value))
    }

    /// Adds formatted text, escaped.
    pub fn format(self, text: fmt::Arguments<'_>) -> Self {
        self.add(|key| key.shown(&text))
    }

    /// Adds a digest of a value's serialized form.
    pub fn digest(self, value: &(impl TemplateDigest + ?Sized)) -> Self {
        self.add(|key| key.digested(value))
    }

    /// Adds the name of a type.
    pub fn type_name<T: ?Sized>(self) -> Self {
        self.add(|key| key.shown(std::any::type_name::<T>()))
    }

    /// Adds an argument of a function that was given no template.
    pub fn arg(self, part: impl Part) -> Self {
        self.add(|key| {
            key.separator();
            part.write(key);
        })
    }

    fn add(mut self, add: impl FnOnce(&mut FullKey)) -> Self {
        if let Some((_, key)) = &mut self.0.started {
            add(key);
        }
        self
    }
}

impl<T, E> Key<Result<T, E>> {
    /// Completes the key of a function whose `Ok` is stored.
    #[doc(hidden)]
    pub fn __call(&mut self) -> Call<Result<T, E>>
    where
        T: Cacheable,
    {
        self.0.complete(Outcome::RESULT)
    }
}

impl<R> AnyKey<R> {
    /// Completes the key of a function that returns a plain value.
    #[doc(hidden)]
    pub fn __call(&mut self) -> Call<R>
    where
        R: Cacheable,
    {
        self.complete(Outcome::VALUE)
    }

    fn complete(&mut self, outcome: Outcome<R>) -> Call<R> {
        let (runtime, key) = self
            .started
            .take()
            .expect("generated code completes a key once");
        let stored = self.instance.stored(self.site, outcome.shape);
        let request = Request {
            runtime,
            site: Some(self.site),
            key,
            stored,
            fingerprint: stored.fingerprint(),
            expiration_ms: None,
            overwrite: false,
            protection: self.site.protection(),
            compress: None,
        };
        Call(AnyCall { request, outcome })
    }
}

impl<R> Deref for Key<R> {
    type Target = AnyKey<R>;

    fn deref(&self) -> &AnyKey<R> {
        &self.0
    }
}

impl<R> DerefMut for Key<R> {
    fn deref_mut(&mut self) -> &mut AnyKey<R> {
        &mut self.0
    }
}

/// A call that returns `R`: all that is known before the body runs.
pub struct Call<R>(AnyCall<R>);

/// A [`Call`] whose `R` is taken as a value, whatever it is.
pub struct AnyCall<R> {
    request: Request,
    outcome: Outcome<R>,
}

impl<R> Call<R> {
    /// Computes even where there is an entry, and stores the result in its place.
    pub fn force_overwrite(mut self, overwrite: bool) -> Self {
        self.0.request.overwrite = overwrite;
        self
    }

    /// The life of the entry that this call may store.
    pub fn expiration(mut self, life: Duration) -> Self {
        self.0.request.expiration_ms = Some(millis(life));
        self
    }

    /// Seals the entry with a secret of the function's own.
    pub fn encryption_key(mut self, secret: &Secret) -> Self {
        self.0.request.protection = Protection::SealedWith(secret.clone());
        self
    }

    /// Returns the value from the cache, or runs `body` and stores what it returns.
    pub fn run(self, body: impl FnOnce() -> R) -> R {
        sync::get_or_compute(&self.0.request, &self.0.outcome, |_| true, body)
    }

    /// Returns the items from the cache, or those of the iterator that `body` returns, which are stored as they are consumed.
    pub fn iter<F, I>(self, body: F) -> Memoized<R, F, I>
    where
        F: FnOnce() -> I,
        I: Iterator<Item = R>,
    {
        Memoized::new(self.0.request, self.0.outcome, body)
    }

    /// The same in a box, for a function that returns a `Box<dyn Iterator>`.
    pub fn boxed_iter<F, I>(self, body: F) -> Box<Memoized<R, F, I>>
    where
        F: FnOnce() -> I,
        I: Iterator<Item = R>,
    {
        Box::new(self.iter(body))
    }

    /// The key of the entry.
    pub fn key(self) -> CacheKey {
        self.0.request.shown_key()
    }

    /// What the function would return from the cache.
    pub fn peek(self) -> Option<R> {
        sync::peek(&self.0.request, &self.0.outcome)
    }

    /// Stores `value` as if the function had returned it.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers have no more use for it"
    )]
    pub fn prime(self, value: R) -> bool {
        sync::prime(&self.0.request, &self.0.outcome, &value)
    }

    /// Removes the entry.
    pub fn invalidate(self) -> bool {
        sync::invalidate(&self.0.request)
    }
}

impl<T, E> Call<Result<T, E>> {
    /// The value that is in the cache.
    pub fn peek_ok(self) -> Option<T> {
        self.peek().and_then(Result::ok)
    }

    /// Stores `value` as if the function had returned it in an `Ok`.
    pub fn prime_ok(self, value: T) -> bool {
        self.prime(Ok(value))
    }

    #[doc(hidden)]
    pub fn __run_if(
        &self,
        cache_if: impl FnOnce(&T) -> bool,
        body: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let accept = |result: &Result<T, E>| result.as_ref().is_ok_and(cache_if);
        sync::get_or_compute(&self.0.request, &self.0.outcome, accept, body)
    }
}

impl<R> AnyCall<R> {
    #[doc(hidden)]
    pub fn __run_if(&self, cache_if: impl FnOnce(&R) -> bool, body: impl FnOnce() -> R) -> R {
        sync::get_or_compute(&self.request, &self.outcome, cache_if, body)
    }
}

impl<R> Deref for Call<R> {
    type Target = AnyCall<R>;

    fn deref(&self) -> &AnyCall<R> {
        &self.0
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
