//! As a task meets it.

use std::future::Future;
use std::time::{Duration, Instant};

use super::schedule::{Moment, Written};
use super::{Faulty, VOID, full, injected, limited, wait};
use crate::backend::{Answer, AsyncBackend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};
use crate::timer::sleep_until;

impl<A: AsyncBackend> Faulty<A> {
    async fn question<T>(
        &self,
        operation: &'static str,
        deadline: Deadline,
        question: impl Future<Output = Result<T, BackendError>> + Send,
    ) -> Result<T, BackendError> {
        let asked = self.schedule().ask(operation);
        if let Some(delay) = asked.delay {
            let (delay, outcome) = wait(delay, deadline);
            sleep_until(Instant::now() + delay).await;
            outcome?;
        }
        for write in asked.again {
            self.inner
                .set(&write.key, write.value, write.life, deadline)
                .await?;
        }
        if asked.error == Some(Moment::Before) {
            return Err(injected());
        }
        let answer = question.await?;
        asked.error.map_or(Ok(answer), |_| Err(injected()))
    }

    fn altered(&self, operation: &'static str, key: &str, found: Option<Bytes>) -> Option<Bytes> {
        self.schedule().reply(operation, key, found)
    }

    fn altered_lookup(&self, operation: &'static str, key: &str, lookup: Lookup) -> Lookup {
        match lookup {
            Lookup::Found(bytes) => self
                .altered(operation, key, Some(bytes))
                .map_or(VOID, Lookup::Found),
            other => other,
        }
    }
}

impl<A: AsyncBackend> AsyncBackend for Faulty<A> {
    fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>> {
        Box::pin(async move {
            let question = self.inner.get(key, deadline);
            let found = self.question("get", deadline, question).await?;
            Ok(self.altered("get", key, found))
        })
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        Box::pin(self.question("set", deadline, async move {
            let written = self.schedule().write("set", key, &value, life);
            match written {
                Written::Once | Written::Twice => self.inner.set(key, value, life, deadline).await,
                Written::Never => Ok(()),
                Written::Refused => Err(full()),
            }
        }))
    }

    fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(self.question("delete", deadline, self.inner.delete(key, deadline)))
    }

    fn limits(&self) -> Limits {
        limited(self.inner.limits(), self.value_bytes)
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        deadline: Deadline,
    ) -> Answer<'a, Vec<Option<Bytes>>> {
        Box::pin(async move {
            let question = self.inner.get_many(keys, deadline);
            let found = self.question("get_many", deadline, question).await?;
            let found = keys.iter().zip(found);
            Ok(found
                .map(|(key, found)| self.altered("get_many", key, found))
                .collect())
        })
    }

    fn delete_many<'a>(&'a self, keys: &'a [&'a str], deadline: Deadline) -> Answer<'a, ()> {
        let question = self.inner.delete_many(keys, deadline);
        Box::pin(self.question("delete_many", deadline, question))
    }

    fn get_or_lease<'a>(
        &'a self,
        key: &'a str,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, Lookup> {
        Box::pin(async move {
            let question = self.inner.get_or_lease(key, life, deadline);
            let lookup = self.question("get_or_lease", deadline, question).await?;
            Ok(self.altered_lookup("get_or_lease", key, lookup))
        })
    }

    fn get_many_or_lease<'a>(
        &'a self,
        key: &'a str,
        others: &'a [&'a str],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, (Lookup, Vec<Option<Bytes>>)> {
        const NAME: &str = "get_many_or_lease";
        Box::pin(async move {
            let question = self.inner.get_many_or_lease(key, others, life, deadline);
            let (lookup, found) = self.question(NAME, deadline, question).await?;
            let found = others.iter().zip(found);
            let found = found
                .map(|(key, found)| self.altered(NAME, key, found))
                .collect();
            Ok((self.altered_lookup(NAME, key, lookup), found))
        })
    }

    fn lease<'a>(&'a self, key: &'a str, life: Duration, deadline: Deadline) -> Answer<'a, Lease> {
        Box::pin(self.question("lease", deadline, self.inner.lease(key, life, deadline)))
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, bool> {
        Box::pin(self.question("fill", deadline, async move {
            let written = self.schedule().write("fill", key, &value, life);
            let fill = |value| self.inner.fill(key, lease, value, life, deadline);
            match written {
                Written::Once => fill(value).await,
                Written::Twice => {
                    fill(value.clone()).await?;
                    fill(value).await
                }
                Written::Never => Ok(true),
                Written::Refused => Err(full()),
            }
        }))
    }

    fn release(&self, key: &str, lease: Lease) {
        if self.schedule().ask("release").error.is_none() {
            self.inner.release(key, lease);
        }
    }

    fn discard(&self, keys: &[&str]) {
        if self.schedule().ask("discard").error.is_none() {
            self.inner.discard(keys);
        }
    }
}
