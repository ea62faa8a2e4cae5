//! An async backend, asked by sync functions.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::{Answer, AsyncBackend};
use crate::backend::{Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};
use crate::flight::block_on;

/// A [`Backend`] that blocks its caller's thread until an [`AsyncBackend`] has answered.
///
/// It polls the answer on the caller's thread and starts no async runtime. So it works with backends whose I/O is driven by
/// threads of their own, or by a runtime that runs elsewhere; one that needs a runtime entered on the polling thread, or that is
/// driven by this very thread, never answers, or not before the deadline. A [runtime](crate::Runtime) with an async backend uses it
/// for sync functions.
#[derive(Debug)]
pub struct BlockOn<A: ?Sized>(Arc<A>);

impl<A: AsyncBackend> BlockOn<A> {
    /// A blocking view of `backend`.
    pub fn new(backend: A) -> Self {
        Self(Arc::new(backend))
    }
}

impl<A: AsyncBackend + ?Sized> BlockOn<A> {
    pub(crate) fn shared(backend: Arc<A>) -> Self {
        Self(backend)
    }
}

fn wait<T>(answer: Answer<'_, T>, deadline: Deadline) -> Result<T, BackendError> {
    block_on(pin!(answer), deadline.moment())
        .unwrap_or_else(|| Err(BackendError::new("no answer in time")))
}

impl<A: AsyncBackend + ?Sized> Backend for BlockOn<A> {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        wait(self.0.get(key, deadline), deadline)
    }

    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        wait(self.0.set(key, value, life, deadline), deadline)
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        wait(self.0.delete(key, deadline), deadline)
    }

    fn limits(&self) -> Limits {
        self.0.limits().blocking(true)
    }

    fn get_many(
        &self,
        keys: &[&str],
        deadline: Deadline,
    ) -> Result<Vec<Option<Bytes>>, BackendError> {
        wait(self.0.get_many(keys, deadline), deadline)
    }

    fn set_many(
        &self,
        entries: &[(&str, Bytes)],
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        wait(self.0.set_many(entries, life, deadline), deadline)
    }

    fn delete_many(&self, keys: &[&str], deadline: Deadline) -> Result<(), BackendError> {
        wait(self.0.delete_many(keys, deadline), deadline)
    }

    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        wait(self.0.get_or_lease(key, life, deadline), deadline)
    }

    fn get_many_or_lease(
        &self,
        key: &str,
        others: &[&str],
        life: Duration,
        deadline: Deadline,
    ) -> Result<(Lookup, Vec<Option<Bytes>>), BackendError> {
        wait(
            self.0.get_many_or_lease(key, others, life, deadline),
            deadline,
        )
    }

    fn lease(&self, key: &str, life: Duration, deadline: Deadline) -> Result<Lease, BackendError> {
        wait(self.0.lease(key, life, deadline), deadline)
    }

    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        wait(self.0.fill(key, lease, value, life, deadline), deadline)
    }

    fn release(&self, key: &str, lease: Lease, _: Deadline) -> Result<(), BackendError> {
        self.0.release(key, lease);
        Ok(())
    }
}
