//! Which values are kept as they are, and how they become those that a function returns.

use std::sync::Arc;

use super::front::Front;
use super::heap;
use super::slot::{Facts, Shelved, Slot};
use crate::Cacheable;
use crate::call::origin::Origin;
use crate::config::{Current, Runtime};
use crate::guard::guard;
use crate::instance::Instance;
use crate::key::arguments::Arguments;
use crate::seat::Seat;
use crate::site::Site;

/// A type whose values can be kept for all threads, each call getting a clone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be kept as it is",
    label = "isn't `Clone + Send + Sync + 'static`",
    note = "each hit is a clone of what is kept: make the type `Clone`, and what it holds `Send` and `Sync`, or remove `local`"
)]
pub trait Copied: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Copied for T {}

/// The way between what a function returns and the values that are kept, for a type that can be.
///
/// They are function pointers for the same reason as in `Outcome`.
pub(crate) struct Copies<R> {
    /// The value for some arguments, if there is one. What it takes fits in registers.
    hit: fn(&'static Runtime, &'static Site, &'static Instance, &Arguments) -> Option<R>,
    /// The same for arguments that are one word.
    pub(crate) hit_by_word:
        fn(&'static Runtime, &'static Site, &'static Instance, u64) -> Option<R>,
    /// The same on a runtime that may not be the process's own.
    hit_in_scope: fn(&Runtime, &'static Site, &'static Instance, &Arguments) -> Option<R>,
    /// A copy to be kept; none of what is no value, weighs more than this, or has a `Clone` that panics.
    pub(crate) keep: fn(&R, Facts, u64) -> Option<Arc<dyn Shelved>>,
    /// What was kept as the function returns it.
    pub(crate) read: fn(Arc<dyn Shelved>) -> Reading<R>,
    /// Has later calls with the same arguments find what was kept.
    pub(crate) settle: fn(&Origin, Arc<dyn Shelved>),
}

/// What comes of reading a value.
pub(crate) enum Reading<R> {
    Value(R),
    /// Its `Clone` panicked.
    Panicked,
    /// It is of another type, though serde may see the same in both.
    OtherType,
}

impl<R> Copies<R> {
    /// A hit of the fastest kind: a copy of the value for these arguments, if there is one that may be used now.
    #[inline]
    pub(crate) fn find(
        &self,
        runtime: &Current,
        site: &'static Site,
        instance: &'static Instance,
        arguments: &Arguments,
    ) -> Option<R> {
        match (runtime, arguments.only()) {
            (Current::Process(runtime), Some(word)) => {
                (self.hit_by_word)(runtime, site, instance, word)
            }
            (Current::Process(runtime), None) => (self.hit)(runtime, site, instance, arguments),
            (Current::Scoped(runtime), _) => {
                (self.hit_in_scope)(runtime, site, instance, arguments)
            }
        }
    }
}

impl<T: Copied + Cacheable> Copies<T> {
    pub(crate) const VALUE: Self = Self {
        hit: hit::<T>,
        hit_by_word: hit_by_word::<T>,
        hit_in_scope: hit_in_scope::<T>,
        keep: |value, facts, heaviest| keep(value, facts, heaviest),
        read: |kept| read::<T>(kept),
        settle: settle::<T>,
    };
}

impl<T: Copied + Cacheable, E> Copies<Result<T, E>> {
    pub(crate) const RESULT: Self = Self {
        hit: |runtime, site, instance, arguments| {
            hit::<T>(runtime, site, instance, arguments).map(Ok)
        },
        hit_by_word: |runtime, site, instance, word| {
            hit_by_word::<T>(runtime, site, instance, word).map(Ok)
        },
        hit_in_scope: |runtime, site, instance, arguments| {
            hit_in_scope::<T>(runtime, site, instance, arguments).map(Ok)
        },
        keep: |result, facts, heaviest| keep(result.as_ref().ok()?, facts, heaviest),
        read: |kept| match read::<T>(kept) {
            Reading::Value(value) => Reading::Value(Ok(value)),
            Reading::Panicked => Reading::Panicked,
            Reading::OtherType => Reading::OtherType,
        },
        settle: settle::<T>,
    };
}

#[inline(never)]
fn hit<T: Copied>(
    runtime: &'static Runtime,
    site: &'static Site,
    instance: &'static Instance,
    arguments: &Arguments,
) -> Option<T> {
    let seat = Seat::current();
    if seat.is_ending() {
        return None;
    }
    let Some(front) = instance.front_of::<T>(runtime) else {
        return hit_in_tier(runtime, site, instance, |front| {
            front.copy(arguments, runtime)
        });
    };
    let value = front.copy(arguments, runtime)?;
    runtime.observer(site, instance).hit_from(seat);
    Some(value)
}

#[inline(never)]
fn hit_by_word<T: Copied>(
    runtime: &'static Runtime,
    site: &'static Site,
    instance: &'static Instance,
    word: u64,
) -> Option<T> {
    let seat = Seat::current();
    if seat.is_ending() {
        return None;
    }
    let Some(front) = instance.front_of::<T>(runtime) else {
        return hit_in_tier(runtime, site, instance, |front| {
            front.copy_by_word(word, runtime)
        });
    };
    let value = front.copy_by_word(word, runtime)?;
    runtime.observer(site, instance).hit_from(seat);
    Some(value)
}

fn hit_in_scope<T: Copied>(
    runtime: &Runtime,
    site: &'static Site,
    instance: &'static Instance,
    arguments: &Arguments,
) -> Option<T> {
    if Seat::current().is_ending() {
        return None;
    }
    hit_in_tier(runtime, site, instance, |front| match arguments.only() {
        Some(word) => front.copy_by_word(word, runtime),
        None => front.copy(arguments, runtime),
    })
}

/// A hit of what the instantiation itself doesn't lead to: it has room for the values of one runtime, in one process.
fn hit_in_tier<T: Copied>(
    runtime: &Runtime,
    site: &'static Site,
    instance: &'static Instance,
    look: impl FnOnce(&Front<T>) -> Option<T>,
) -> Option<T> {
    let value = runtime.tier().find_in_front(instance, look)?;
    runtime.observer(site, instance).hit_from(Seat::current());
    Some(value)
}

fn keep<T: Copied + Cacheable>(value: &T, facts: Facts, heaviest: u64) -> Option<Arc<dyn Shelved>> {
    let is_human_readable = facts.stored.codec().is_human_readable();
    let behind = facts
        .stored
        .walk(|| heap::behind(value, is_human_readable))
        .unwrap_or(0);
    if Slot::<T>::weight_of(behind, &facts) > heaviest {
        return None;
    }
    let copy = guard(|| value.clone())?;
    Some(Arc::new(Slot::new(copy, behind, facts)))
}

fn read<T: Copied>(kept: Arc<dyn Shelved>) -> Reading<T> {
    let Ok(slot) = kept.into_any().downcast::<Slot<T>>() else {
        return Reading::OtherType;
    };
    slot.copy().map_or(Reading::Panicked, Reading::Value)
}

fn settle<T: Copied>(origin: &Origin, kept: Arc<dyn Shelved>) {
    if !Seat::current().is_ending()
        && let Ok(slot) = kept.into_any().downcast::<Slot<T>>()
        && !slot.is_settled()
        && let Some(front) = origin.instance.front_or_new::<T>(&origin.runtime)
    {
        front.adopt(&origin.arguments, &slot);
    }
}
