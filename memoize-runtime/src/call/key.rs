//! The key of a call as the attribute's code builds it, part by part.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use super::origin::Origin;
use super::outcome::Outcome;
use super::{AnyCall, Call};
use crate::Cacheable;
use crate::config::Current;
use crate::instance::Instance;
use crate::key::argument::{Argument, Named, Part, Parts, Shown};
use crate::key::arguments::Arguments;
use crate::local::Copied;
use crate::site::Site;

/// The key of a call that returns `R`, as it is being built: its parts so far are `P`.
///
/// Parts are references until [`__call`](Self::__call) has made bytes of them, so that nothing stays borrowed when the body
/// moves the arguments.
pub struct Key<R, P>(ResultKey<R, P>);

/// A [`Key`] whose `R` is no `Result` of a value that can be copied.
pub struct ResultKey<R, P>(CopiedKey<R, P>);

/// A [`Key`] whose `R` is taken as a value, whatever it is.
pub struct CopiedKey<R, P>(AnyKey<R, P>);

/// A [`Key`] whose `R` is taken as a value that can't be copied.
pub struct AnyKey<R, P> {
    site: &'static Site,
    instance: &'static Instance,
    parts: P,
    returns: PhantomData<fn() -> R>,
}

macro_rules! links {
    ($($link:ident -> $next:ident),*) => {$(
        impl<R, P> Deref for $link<R, P> {
            type Target = $next<R, P>;

            #[inline]
            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
    )*};
}

links! { Key -> ResultKey, ResultKey -> CopiedKey, CopiedKey -> AnyKey }

impl<R, P: Parts> Key<R, P> {
    #[inline]
    pub(crate) fn new(site: &'static Site, instance: &'static Instance, parts: P) -> Self {
        Self(ResultKey(CopiedKey(AnyKey {
            site,
            instance,
            parts,
            returns: PhantomData,
        })))
    }

    /// An argument to add, in a form that is chosen by its type.
    #[inline]
    pub fn arg<T: ?Sized>(self, value: &T) -> Argument<'_, R, P, T> {
        Argument::new(self, value)
    }

    /// Adds formatted text, escaped.
    #[inline]
    pub fn format(self, text: fmt::Arguments<'_>) -> Key<R, (P, Shown<fmt::Arguments<'_>>)> {
        self.join(Shown(text))
    }

    /// Adds the name of a type.
    #[inline]
    pub fn type_name<T: ?Sized>(self) -> Key<R, (P, Named<T>)> {
        self.join(Named(PhantomData))
    }

    /// The same key with one part more.
    #[inline]
    pub(crate) fn join<A: Part>(&self, part: A) -> Key<R, (P, A)> {
        Key::new(self.site, self.instance, (self.parts, part))
    }
}

impl<T: Copied, E, P: Parts> Key<Result<T, E>, P> {
    /// Completes the key of a function whose `Ok` is stored, and can be copied.
    #[doc(hidden)]
    #[inline]
    pub fn __call(&self) -> Call<Result<T, E>, P::Found<Result<T, E>>>
    where
        T: Cacheable,
    {
        self.complete(|| Outcome::COPIED_RESULT)
    }
}

impl<T, E, P: Parts> ResultKey<Result<T, E>, P> {
    /// Completes the key of a function whose `Ok` is stored.
    #[doc(hidden)]
    pub fn __call(&self) -> Call<Result<T, E>, P::Found<Result<T, E>>>
    where
        T: Cacheable,
    {
        self.complete(|| Outcome::RESULT)
    }

    /// The same, whatever can be done with copies.
    #[doc(hidden)]
    pub fn __bytes(&self) -> Call<Result<T, E>, P::Found<Result<T, E>>>
    where
        T: Cacheable,
    {
        self.complete(|| Outcome::RESULT)
    }

    /// Completes the key of a function whose `Ok` is to be kept as it is.
    #[doc(hidden)]
    #[inline]
    pub fn __local(&self) -> Call<Result<T, E>, P::Found<Result<T, E>>>
    where
        T: Cacheable + Copied,
    {
        self.complete(|| Outcome::COPIED_RESULT)
    }
}

impl<R: Copied, P: Parts> CopiedKey<R, P> {
    /// Completes the key of a function that returns a plain value that can be copied.
    #[doc(hidden)]
    #[inline]
    pub fn __call(&self) -> Call<R, P::Found<R>>
    where
        R: Cacheable,
    {
        self.complete(|| Outcome::COPIED_VALUE)
    }
}

impl<R, P: Parts> AnyKey<R, P> {
    /// Completes the key of a function that returns a plain value.
    #[doc(hidden)]
    pub fn __call(&self) -> Call<R, P::Found<R>>
    where
        R: Cacheable,
    {
        self.complete(|| Outcome::VALUE)
    }

    /// The same, whatever can be done with copies.
    #[doc(hidden)]
    pub fn __bytes(&self) -> Call<R, P::Found<R>>
    where
        R: Cacheable,
    {
        self.complete(|| Outcome::VALUE)
    }

    /// Completes the key of a function whose value is to be kept as it is.
    #[doc(hidden)]
    #[inline]
    pub fn __local(&self) -> Call<R, P::Found<R>>
    where
        R: Cacheable + Copied,
    {
        self.complete(|| Outcome::COPIED_VALUE)
    }

    #[inline]
    fn complete(&self, outcome: fn() -> Outcome<R>) -> Call<R, P::Found<R>> {
        let (runtime, mut arguments) = (Current::get(), Arguments::new());
        let usable = arguments.record(&self.parts) && self.instance.is_named();
        let mut is_missed = false;
        // Where it was just written: to move it takes as long as to find a value. But one word is in a register, and stays there.
        let found = self.parts.found(|| {
            let copies = outcome().copies?;
            if !usable || arguments.only().is_some() {
                return None;
            }
            is_missed = true;
            copies.find(&runtime, self.site, self.instance, &arguments)
        });
        let origin = Origin::new::<P>(runtime, self.site, self.instance, arguments, usable);
        let mut call = AnyCall::new(origin, outcome);
        call.is_missed = is_missed;
        Call { call, found }
    }
}
