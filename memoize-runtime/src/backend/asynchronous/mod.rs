//! The async twin of `Backend`, and the ways between the two.

mod block_on;
mod immediate;
mod unblock;

pub use block_on::BlockOn;
pub(crate) use immediate::Immediate;
pub use unblock::Unblock;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{BackendError, Bytes, Deadline, Lease, Limits, Lookup};

/// What an [`AsyncBackend`] answers with.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// A [`Backend`](super::Backend) for async functions: the same contract, the same exceptions where it knows no leases, and the following.
///
/// - Neither a method nor the polling of what it returns blocks the thread.
/// - An answer may be dropped at any time. What it was to do may then have happened or not; what is asked next gets its own answer.
/// - Whether a certain async runtime must be there to poll an answer is for the implementation to say. A sync function polls it on
///   its own thread, where there is none; see [`BlockOn`].
pub trait AsyncBackend: Send + Sync + 'static {
    /// As [`Backend::get`](super::Backend::get).
    fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>>;

    /// As [`Backend::set`](super::Backend::set).
    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()>;

    /// As [`Backend::delete`](super::Backend::delete).
    fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()>;

    /// As [`Backend::limits`](super::Backend::limits); of `blocking` nothing is made.
    fn limits(&self) -> Limits;

    /// As [`Backend::get_many`](super::Backend::get_many).
    fn get_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        deadline: Deadline,
    ) -> Answer<'a, Vec<Option<Bytes>>> {
        Box::pin(async move {
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                found.push(self.get(key, deadline).await?);
            }
            Ok(found)
        })
    }

    /// As [`Backend::set_many`](super::Backend::set_many).
    fn set_many<'a>(
        &'a self,
        entries: &'a [(&'a str, Bytes)],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            for (key, value) in entries {
                self.set(key, value.clone(), life, deadline).await?;
            }
            Ok(())
        })
    }

    /// As [`Backend::delete_many`](super::Backend::delete_many).
    fn delete_many<'a>(&'a self, keys: &'a [&'a str], deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(async move {
            for key in keys {
                self.delete(key, deadline).await?;
            }
            Ok(())
        })
    }

    /// As [`Backend::get_or_lease`](super::Backend::get_or_lease).
    fn get_or_lease<'a>(
        &'a self,
        key: &'a str,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, Lookup> {
        let _ = life;
        Box::pin(async move {
            let found = self.get(key, deadline).await?;
            Ok(found.map_or(Lookup::Granted(Lease::UNCONDITIONAL), Lookup::Found))
        })
    }

    /// As [`Backend::get_many_or_lease`](super::Backend::get_many_or_lease).
    fn get_many_or_lease<'a>(
        &'a self,
        key: &'a str,
        others: &'a [&'a str],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, (Lookup, Vec<Option<Bytes>>)> {
        Box::pin(async move {
            let lookup = self.get_or_lease(key, life, deadline).await?;
            let mut unused = Unused {
                backend: self,
                key,
                lease: lookup.granted(),
            };
            let found = self.get_many(others, deadline).await?;
            unused.lease = None;
            Ok((lookup, found))
        })
    }

    /// As [`Backend::lease`](super::Backend::lease).
    fn lease<'a>(&'a self, key: &'a str, life: Duration, deadline: Deadline) -> Answer<'a, Lease> {
        let _ = (key, life, deadline);
        Box::pin(async { Ok(Lease::UNCONDITIONAL) })
    }

    /// As [`Backend::fill`](super::Backend::fill).
    fn fill<'a>(
        &'a self,
        key: &'a str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, bool> {
        let _ = lease;
        Box::pin(async move {
            self.set(key, value, life, deadline).await?;
            Ok(true)
        })
    }

    /// Gives up a lease that will not be filled, without waiting for that to be done.
    ///
    /// It is called when a future is dropped, where nothing can be awaited: hand it to whatever sends what is asked. A
    /// backend without leases does nothing; where it can't be sent, the lease runs out.
    fn release(&self, key: &str, lease: Lease) {
        let _ = (key, lease);
    }

    /// Removes entries that nobody will read, without waiting for that to be done.
    ///
    /// As [`release`](Self::release) it is called where nothing can be awaited: when a stream is dropped before its end, with the
    /// names of the chunks that it stored, a few dozen at a time. Done nothing about, they stay until their expiration.
    fn discard(&self, keys: &[&str]) {
        let _ = keys;
    }
}

/// A lease of which nothing may come, as the answer it is part of fails or is dropped: then it is released.
struct Unused<'a, B: AsyncBackend + ?Sized> {
    backend: &'a B,
    key: &'a str,
    lease: Option<Lease>,
}

impl<B: AsyncBackend + ?Sized> Drop for Unused<'_, B> {
    fn drop(&mut self) {
        if let Some(lease) = self.lease {
            self.backend.release(self.key, lease);
        }
    }
}
