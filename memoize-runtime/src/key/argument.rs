//! How an argument enters the key of a function that was given no template.
//!
//! Integers, `bool`, `char` and strings go in as text, whatever else can be serialized as a digest, and only what can't be
//! by its `Display`, since a `Display` may leave a field out. The choice is made by type where the attribute's code is
//! compiled: [`arg`] makes a chain of wrappers, each the `Deref` target of the one before, and a call of `__part` finds the
//! first whose inherent method fits. Inherent methods need no trait in scope and see the bounds of a generic function.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;

use super::FullKey;

/// One part of a default key.
pub trait Part {
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "only the key builder calls it")]
    fn write(self, key: &mut FullKey);
}

/// The argument as the first link of the chain.
pub fn arg<T: ?Sized>(argument: &T) -> AsText<'_, T> {
    AsText(AsDigest(AsDisplay(Unfit(argument))))
}

pub struct AsText<'a, T: ?Sized>(AsDigest<'a, T>);
pub struct AsDigest<'a, T: ?Sized>(AsDisplay<'a, T>);
pub struct AsDisplay<'a, T: ?Sized>(Unfit<'a, T>);
pub struct Unfit<'a, T: ?Sized>(&'a T);

macro_rules! links {
    ($($link:ident -> $next:ident),*) => {$(
        impl<'a, T: ?Sized> Deref for $link<'a, T> {
            type Target = $next<'a, T>;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
    )*};
}

links! { AsText -> AsDigest, AsDigest -> AsDisplay, AsDisplay -> Unfit }

impl<'a, T: PlainText + ?Sized> AsText<'a, T> {
    pub fn __part(&self) -> Shown<'a, T> {
        Shown(self.0.0.0.0)
    }
}

impl<'a, T: Serialize + ?Sized> AsDigest<'a, T> {
    pub fn __part(&self) -> Digested<'a, T> {
        Digested(self.0.0.0)
    }
}

impl<'a, T: Display + ?Sized> AsDisplay<'a, T> {
    pub fn __part(&self) -> Shown<'a, T> {
        Shown(self.0.0)
    }
}

impl<T: ?Sized> Unfit<'_, T> {
    // The bound is the method's and not the impl's, so that the method is found, and the bound unmet in our words. Nothing
    // meets it; what is returned is only there to be no second error.
    #[expect(clippy::unused_self, reason = "it ends the chain of methods")]
    pub fn __part(&self) -> Shown<'static, str>
    where
        T: DefaultKeyArgument,
    {
        Shown("")
    }
}

pub struct Shown<'a, T: ?Sized>(&'a T);

#[expect(private_interfaces, reason = "only the key builder calls it")]
impl<T: Display + ?Sized> Part for Shown<'_, T> {
    fn write(self, key: &mut FullKey) {
        key.shown(self.0);
    }
}

pub struct Digested<'a, T: ?Sized>(&'a T);

#[expect(private_interfaces, reason = "only the key builder calls it")]
impl<T: Serialize + ?Sized> Part for Digested<'_, T> {
    fn write(self, key: &mut FullKey) {
        key.digested(self.0);
    }
}

/// What has one obvious text, which leaves nothing out.
pub trait PlainText: Display {}

macro_rules! plain_text {
    ($($text:ty),*) => { $(impl PlainText for $text {})* };
}

plain_text! {
    bool, char, str, String, Cow<'_, str>, Box<str>, Rc<str>, Arc<str>,
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize
}

impl<T: PlainText + ?Sized> PlainText for &T {}
impl<T: PlainText + ?Sized> PlainText for &mut T {}

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
