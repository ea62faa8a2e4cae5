//! How an argument enters a key.
//!
//! Where a function was given no template, integers, `bool`, `char` and strings go in as text, whatever else can be serialized as
//! a digest, and only what can't be by its `Display`, since a `Display` may leave a field out. In a template it is the
//! `Display`, unless another form is asked for. Text is only made on a miss: what is plain is looked up by its own bytes.
//!
//! The choice is made by type where the attribute's code is compiled: an [`Argument`] is a chain of wrappers, each the `Deref` target of
//! the one before, and a call of `__part` or `__text` finds the first whose inherent method fits. Inherent methods need no
//! trait in scope and see the bounds of a generic function.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt::Display;
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;

use super::FullKey;
pub(crate) use super::arguments::{Recorded, Recorder};
use super::digest::digest;
use crate::call::Key;

/// One part of a key: how it becomes bytes, and how these are shown in the key's text.
pub trait Part: Copy {
    #[doc(hidden)]
    fn record(&self, to: &mut Recorder<'_>);

    #[doc(hidden)]
    #[expect(private_interfaces, reason = "only the key builder calls it")]
    fn show(from: &mut Recorded<'_>, key: &mut FullKey);
}

/// The parts of a key, in their order: `()`, [`Finds`], or a list and one more.
pub trait Parts: Copy {
    /// What a call that begins with them has found of its `R`. Nothing is there where nothing is looked for: a future that holds such a
    /// call may then be sent, whatever `R` is.
    #[doc(hidden)]
    type Found<R>;

    #[doc(hidden)]
    fn found<R>(&self, find: impl FnOnce() -> Option<R>) -> Self::Found<R>;

    #[doc(hidden)]
    fn record(&self, to: &mut Recorder<'_>);

    /// Adds the text of each part, with `before` it what the developer wrote there.
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "only the key builder calls it")]
    fn show(from: &mut Recorded<'_>, key: &mut FullKey, before: &mut dyn FnMut(&mut FullKey));
}

#[expect(private_interfaces, reason = "only the key builder calls it")]
impl Parts for () {
    type Found<R> = ();

    #[inline]
    fn found<R>(&self, _: impl FnOnce() -> Option<R>) {}

    #[inline]
    fn record(&self, _: &mut Recorder<'_>) {}

    fn show(_: &mut Recorded<'_>, _: &mut FullKey, _: &mut dyn FnMut(&mut FullKey)) {}
}

/// The beginning of a key whose value is looked for as soon as it is complete, if this says so.
#[derive(Clone, Copy)]
pub struct Finds(pub(crate) bool);

#[expect(private_interfaces, reason = "only the key builder calls it")]
impl Parts for Finds {
    type Found<R> = Option<R>;

    #[inline]
    fn found<R>(&self, find: impl FnOnce() -> Option<R>) -> Option<R> {
        if self.0 { find() } else { None }
    }

    #[inline]
    fn record(&self, _: &mut Recorder<'_>) {}

    fn show(_: &mut Recorded<'_>, _: &mut FullKey, _: &mut dyn FnMut(&mut FullKey)) {}
}

#[expect(private_interfaces, reason = "only the key builder calls it")]
impl<L: Parts, P: Part> Parts for (L, P) {
    type Found<R> = L::Found<R>;

    #[inline]
    fn found<R>(&self, find: impl FnOnce() -> Option<R>) -> L::Found<R> {
        self.0.found(find)
    }

    #[inline]
    fn record(&self, to: &mut Recorder<'_>) {
        self.0.record(to);
        self.1.record(to);
    }

    fn show(from: &mut Recorded<'_>, key: &mut FullKey, before: &mut dyn FnMut(&mut FullKey)) {
        L::show(from, key, before);
        before(key);
        P::show(from, key);
    }
}

/// An argument that is to be added to a key, as the first link of the chain.
pub struct Argument<'a, R, P, T: ?Sized>(AsDigest<'a, R, P, T>);
pub struct AsDigest<'a, R, P, T: ?Sized>(AsDisplay<'a, R, P, T>);
pub struct AsDisplay<'a, R, P, T: ?Sized>(Unfit<'a, R, P, T>);
pub struct Unfit<'a, R, P, T: ?Sized> {
    key: Key<R, P>,
    value: &'a T,
}

macro_rules! links {
    ($($link:ident -> $next:ident),*) => {$(
        impl<'a, R, P, T: ?Sized> Deref for $link<'a, R, P, T> {
            type Target = $next<'a, R, P, T>;

            #[inline]
            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
    )*};
}

links! { Argument -> AsDigest, AsDigest -> AsDisplay, AsDisplay -> Unfit }

impl<'a, R, P: Parts, T: ?Sized> Argument<'a, R, P, T> {
    #[inline]
    pub(crate) fn new(key: Key<R, P>, value: &'a T) -> Self {
        Self(AsDigest(AsDisplay(Unfit { key, value })))
    }
}

impl<'a, R, P: Parts, T: Plain + ?Sized> Argument<'a, R, P, T> {
    /// In a default key.
    #[inline]
    pub fn __part(&self) -> Key<R, (P, AsBytes<'a, T>)> {
        self.key.join(AsBytes(self.value))
    }

    /// In a template.
    #[inline]
    pub fn __text(&self) -> Key<R, (P, AsBytes<'a, T>)> {
        self.key.join(AsBytes(self.value))
    }
}

impl<'a, R, P: Parts, T: Serialize + ?Sized> AsDigest<'a, R, P, T> {
    pub fn __part(&self) -> Key<R, (P, Digested<'a, T>)> {
        self.key.join(Digested(self.value))
    }

    /// In a template, where a digest is asked for.
    pub fn __digest(&self) -> Key<R, (P, Digested<'a, T>)> {
        self.key.join(Digested(self.value))
    }
}

impl<'a, R, P: Parts, T: Display + ?Sized> AsDisplay<'a, R, P, T> {
    pub fn __part(&self) -> Key<R, (P, Shown<&'a T>)> {
        self.key.join(Shown(self.value))
    }

    pub fn __text(&self) -> Key<R, (P, Shown<&'a T>)> {
        self.key.join(Shown(self.value))
    }
}

impl<R, P: Parts, T: ?Sized> Unfit<'_, R, P, T> {
    // The bound is the method's and not the impl's, so that the method is found, and the bound unmet in our words. Nothing
    // meets it; what is returned is only there to be no second error.
    pub fn __part(&self) -> Key<R, (P, Shown<&'static str>)>
    where
        T: DefaultKeyArgument,
    {
        self.key.join(Shown(""))
    }

    pub fn __text(&self) -> Key<R, (P, Shown<&'static str>)>
    where
        T: TemplateText,
    {
        self.key.join(Shown(""))
    }

    pub fn __digest(&self) -> Key<R, (P, Shown<&'static str>)>
    where
        T: TemplateDigest,
    {
        self.key.join(Shown(""))
    }
}

/// A part that is looked up by its own bytes, without being formatted.
pub struct AsBytes<'a, T: ?Sized>(&'a T);

impl<T: ?Sized> Clone for AsBytes<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for AsBytes<'_, T> {}

#[expect(private_interfaces, reason = "only the key builder calls it")]
impl<T: Plain + ?Sized> Part for AsBytes<'_, T> {
    #[inline]
    fn record(&self, to: &mut Recorder<'_>) {
        self.0.record(to);
    }

    fn show(from: &mut Recorded<'_>, key: &mut FullKey) {
        T::show(from, key);
    }
}

/// A part by its text.
#[derive(Clone, Copy)]
pub struct Shown<D>(pub(crate) D);

#[expect(private_interfaces, reason = "only the key builder calls it")]
impl<D: Display + Copy> Part for Shown<D> {
    fn record(&self, to: &mut Recorder<'_>) {
        to.shown(&self.0);
    }

    fn show(from: &mut Recorded<'_>, key: &mut FullKey) {
        let (text, is_whole) = from.shown();
        key.shown(&text);
        if !is_whole {
            key.spoil();
        }
    }
}

/// A part by a digest of its serialized form.
pub struct Digested<'a, T: ?Sized>(pub(crate) &'a T);

impl<T: ?Sized> Clone for Digested<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Digested<'_, T> {}

#[expect(private_interfaces, reason = "only the key builder calls it")]
impl<T: Serialize + ?Sized> Part for Digested<'_, T> {
    fn record(&self, to: &mut Recorder<'_>) {
        to.digest(digest(self.0).ok());
    }

    fn show(from: &mut Recorded<'_>, key: &mut FullKey) {
        key.digest(from.digest());
    }
}

/// The name of a type. It is the same for all calls of an instantiation.
pub struct Named<T: ?Sized>(pub(crate) PhantomData<fn() -> Box<T>>);

impl<T: ?Sized> Clone for Named<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Named<T> {}

#[expect(private_interfaces, reason = "only the key builder calls it")]
impl<T: ?Sized> Part for Named<T> {
    #[inline]
    fn record(&self, _: &mut Recorder<'_>) {}

    fn show(_: &mut Recorded<'_>, key: &mut FullKey) {
        key.shown(type_name::<T>());
    }
}

/// What has one obvious text, which leaves nothing out, and bytes that stand for it.
pub trait Plain: Display {
    #[doc(hidden)]
    fn record(&self, to: &mut Recorder<'_>);

    #[doc(hidden)]
    #[expect(private_interfaces, reason = "only the key builder calls it")]
    fn show(from: &mut Recorded<'_>, key: &mut FullKey);
}

macro_rules! plain_integers {
    ($($integer:ty),*) => {$(
        #[expect(private_interfaces, reason = "only the key builder calls it")]
        impl Plain for $integer {
            #[inline]
            #[allow(clippy::cast_sign_loss, clippy::cast_lossless, reason = "it is cast back")]
            fn record(&self, to: &mut Recorder<'_>) {
                to.word(*self as u64);
            }

            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "it was such a one")]
            fn show(from: &mut Recorded<'_>, key: &mut FullKey) {
                key.shown(&(from.word() as Self));
            }
        }
    )*};
}

plain_integers! { u8, u16, u32, u64, usize, i8, i16, i32, i64, isize }

macro_rules! plain_long_integers {
    ($($integer:ty),*) => {$(
        #[expect(private_interfaces, reason = "only the key builder calls it")]
        impl Plain for $integer {
            #[inline]
            #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "both halves are recorded")]
            fn record(&self, to: &mut Recorder<'_>) {
                to.word(*self as u64);
                to.word((*self >> 64) as u64);
            }

            fn show(from: &mut Recorded<'_>, key: &mut FullKey) {
                let low = Self::from(from.word());
                key.shown(&(low | Self::from(from.word()) << 64));
            }
        }
    )*};
}

plain_long_integers! { u128, i128 }

#[expect(private_interfaces, reason = "only the key builder calls it")]
impl Plain for bool {
    #[inline]
    fn record(&self, to: &mut Recorder<'_>) {
        to.word(u64::from(*self));
    }

    fn show(from: &mut Recorded<'_>, key: &mut FullKey) {
        key.shown(&(from.word() == 1));
    }
}

#[expect(private_interfaces, reason = "only the key builder calls it")]
impl Plain for char {
    #[inline]
    fn record(&self, to: &mut Recorder<'_>) {
        to.word(u64::from(*self));
    }

    fn show(from: &mut Recorded<'_>, key: &mut FullKey) {
        let character = u32::try_from(from.word()).ok().and_then(Self::from_u32);
        key.shown(&character.unwrap_or_default());
    }
}

macro_rules! plain_texts {
    ($($text:ty),*) => {$(
        #[expect(private_interfaces, reason = "only the key builder calls it")]
        impl Plain for $text {
            #[inline]
            fn record(&self, to: &mut Recorder<'_>) {
                to.text(self);
            }

            fn show(from: &mut Recorded<'_>, key: &mut FullKey) {
                key.shown(&from.text());
            }
        }
    )*};
}

plain_texts! { str, String, Cow<'_, str>, Box<str>, Rc<str>, Arc<str> }

macro_rules! plain_references {
    ($($reference:ty),*) => {$(
        #[expect(private_interfaces, reason = "only the key builder calls it")]
        impl<T: Plain + ?Sized> Plain for $reference {
            #[inline]
            fn record(&self, to: &mut Recorder<'_>) {
                (**self).record(to);
            }

            fn show(from: &mut Recorded<'_>, key: &mut FullKey) {
                T::show(from, key);
            }
        }
    )*};
}

plain_references! { &T, &mut T }

/// Stands for "none of the above", to say so in our words.
#[diagnostic::on_unimplemented(
    message = "an argument of type `{Self}` can't be part of the default key",
    label = "neither `Serialize` nor `Display`",
    note = "implement `serde::Serialize` for it, or leave it out with `skip(..)`, or name what counts of it in `key = \"..\"`"
)]
pub trait DefaultKeyArgument {}

/// What can stand in a template as `<name>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no text that could stand in the key",
    label = "doesn't implement `Display`",
    note = "write `<name:?>` for its `Debug` text, `<name:#>` for a digest of its serialized form, or a field of it as `<name.field>`"
)]
pub trait TemplateText: Display {}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> TemplateText for T {}

/// What can stand in a template as `<name:#>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be digested for the key",
    label = "doesn't implement `Serialize`",
    note = "implement `serde::Serialize` for it, or write `<name:?>` for its `Debug` text"
)]
pub trait TemplateDigest: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> TemplateDigest for T {}
