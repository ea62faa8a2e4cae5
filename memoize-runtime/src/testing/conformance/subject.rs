//! The backend in question, whether it blocks or is awaited.

use std::future::ready;
use std::time::Duration;

use crate::backend::{Answer, AsyncBackend, Backend, Bytes, Deadline, Lease, Limits, Lookup};

/// A [`Backend`] as it answers at once.
pub(super) struct Blocking<'b, B: ?Sized>(pub(super) &'b B);

/// An [`AsyncBackend`].
pub(super) struct Awaited<'b, A: ?Sized>(pub(super) &'b A);

macro_rules! questions {
    ($($name:ident($($argument:ident: $Type:ty),*) -> $Answer:ty;)*) => {
        /// What both are asked. The rules are written once, over this.
        pub(super) trait Subject: Sync {
            fn limits(&self) -> Limits;
            fn release<'a>(&'a self, key: &'a str, lease: Lease, deadline: Deadline) -> Answer<'a, ()>;
            /// Done without being waited for, if at all.
            fn discard(&self, keys: &[&str]);
            $(fn $name<'a>(&'a self, $($argument: $Type),*) -> Answer<'a, $Answer>;)*
        }

        impl<B: Backend + ?Sized> Subject for Blocking<'_, B> {
            fn limits(&self) -> Limits {
                self.0.limits()
            }

            fn release<'a>(&'a self, key: &'a str, lease: Lease, deadline: Deadline) -> Answer<'a, ()> {
                Box::pin(ready(self.0.release(key, lease, deadline)))
            }

            fn discard(&self, _: &[&str]) {}

            $(fn $name<'a>(&'a self, $($argument: $Type),*) -> Answer<'a, $Answer> {
                Box::pin(ready(self.0.$name($($argument),*)))
            })*
        }

        impl<A: AsyncBackend + ?Sized> Subject for Awaited<'_, A> {
            fn limits(&self) -> Limits {
                self.0.limits()
            }

            fn release<'a>(&'a self, key: &'a str, lease: Lease, _: Deadline) -> Answer<'a, ()> {
                self.0.release(key, lease);
                Box::pin(ready(Ok(())))
            }

            fn discard(&self, keys: &[&str]) {
                self.0.discard(keys);
            }

            $(fn $name<'a>(&'a self, $($argument: $Type),*) -> Answer<'a, $Answer> {
                self.0.$name($($argument),*)
            })*
        }
    };
}

questions! {
    get(key: &'a str, deadline: Deadline) -> Option<Bytes>;
    set(key: &'a str, value: Bytes, life: Duration, deadline: Deadline) -> ();
    delete(key: &'a str, deadline: Deadline) -> ();
    get_many(keys: &'a [&'a str], deadline: Deadline) -> Vec<Option<Bytes>>;
    set_many(entries: &'a [(&'a str, Bytes)], life: Duration, deadline: Deadline) -> ();
    delete_many(keys: &'a [&'a str], deadline: Deadline) -> ();
    get_or_lease(key: &'a str, life: Duration, deadline: Deadline) -> Lookup;
    get_many_or_lease(key: &'a str, others: &'a [&'a str], life: Duration, deadline: Deadline) -> (Lookup, Vec<Option<Bytes>>);
    lease(key: &'a str, life: Duration, deadline: Deadline) -> Lease;
    fill(key: &'a str, lease: Lease, value: Bytes, life: Duration, deadline: Deadline) -> bool;
}
