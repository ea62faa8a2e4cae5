//! A backend that never waits, asked by async functions.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use super::{Answer, AsyncBackend};
use crate::backend::{Backend, Bytes, Deadline, Lease, Limits, Lookup};

/// Asks right there; for a backend whose limits say that it doesn't block.
pub(crate) struct Immediate(Arc<dyn Backend>);

impl Immediate {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Self {
        Self(backend)
    }
}

impl AsyncBackend for Immediate {
    fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>> {
        Box::pin(ready(self.0.get(key, deadline)))
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        Box::pin(ready(self.0.set(key, value, life, deadline)))
    }

    fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(ready(self.0.delete(key, deadline)))
    }

    fn limits(&self) -> Limits {
        self.0.limits()
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        deadline: Deadline,
    ) -> Answer<'a, Vec<Option<Bytes>>> {
        Box::pin(ready(self.0.get_many(keys, deadline)))
    }

    fn set_many<'a>(
        &'a self,
        entries: &'a [(&'a str, Bytes)],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        Box::pin(ready(self.0.set_many(entries, life, deadline)))
    }

    fn delete_many<'a>(&'a self, keys: &'a [&'a str], deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(ready(self.0.delete_many(keys, deadline)))
    }

    fn get_or_lease<'a>(
        &'a self,
        key: &'a str,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, Lookup> {
        Box::pin(ready(self.0.get_or_lease(key, life, deadline)))
    }

    fn get_many_or_lease<'a>(
        &'a self,
        key: &'a str,
        others: &'a [&'a str],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, (Lookup, Vec<Option<Bytes>>)> {
        Box::pin(ready(self.0.get_many_or_lease(key, others, life, deadline)))
    }

    fn lease<'a>(&'a self, key: &'a str, life: Duration, deadline: Deadline) -> Answer<'a, Lease> {
        Box::pin(ready(self.0.lease(key, life, deadline)))
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, bool> {
        Box::pin(ready(self.0.fill(key, lease, value, life, deadline)))
    }

    fn release(&self, key: &str, lease: Lease) {
        // It doesn't wait, so there is time; an error leaves the lease to run out.
        let _ = self.0.release(key, lease, Deadline::NEVER);
    }

    fn discard(&self, keys: &[&str]) {
        // The same holds for these, and for what an error leaves.
        let _ = self.0.delete_many(keys, Deadline::NEVER);
    }
}
