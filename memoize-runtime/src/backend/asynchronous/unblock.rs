//! A blocking backend, asked by async functions.

mod pool;
mod reply;
mod together;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Answer, AsyncBackend};
use crate::backend::{Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};
use crate::process::PerProcess;
use crate::timer::timeout;
use pool::Pool;
use reply::Reply;
use together::Together;

/// An [`AsyncBackend`] that asks a blocking [`Backend`] from threads of its own, so that no executor is kept waiting.
///
/// There are eight of them, and up to 256 where questions wait for longer than 10 ms, started as they are needed and ended when they are
/// not. Writes come first, then lookups in their order; one lookup answers all who ask for its key before it begins. Up to 1024 of each
/// wait for a free thread; more are answered by an error at once, and so is a lookup that has none when half of its time is over:
/// the other half is for the answer, and to store what it leads to.
///
/// For a question that had no thread in time the backend is not to blame: it doesn't have it [left
/// alone](crate::RuntimeBuilder::breaker), however long that lasts. As many calls as there are threads for are answered, and the others
/// run as if they were not memoized.
///
/// What is begun is done even where the answer is dropped, or comes after its deadline, and so is a write that still waits for its turn; a
/// lookup that nobody awaits any more is not begun, and a lease that nobody takes is released. A [runtime](crate::Runtime) uses it for async
/// functions where its backend's [limits](Limits) say that it blocks; a backend with an async client of its own does better.
#[derive(Clone)]
pub struct Unblock(Arc<Inner>);

struct Inner {
    backend: Arc<dyn Backend>,
    threads: PerProcess<Threads>,
}

/// Those of one process, with what waits for them.
struct Threads {
    pool: Arc<Pool>,
    gets: Together<Option<Bytes>>,
    leases: Together<Delivery<Lookup>>,
}

impl Threads {
    fn new() -> Self {
        Self {
            pool: Pool::new(),
            gets: Together::new(),
            leases: Together::new(),
        }
    }
}

impl Unblock {
    /// An async view of `backend`.
    pub fn new(backend: impl Backend) -> Self {
        Self::shared(Arc::new(backend))
    }

    pub(crate) fn shared(backend: Arc<dyn Backend>) -> Self {
        Self(Arc::new(Inner {
            backend,
            threads: PerProcess::new(),
        }))
    }

    fn threads(&self) -> &Threads {
        self.0.threads.get_or_make(Threads::new)
    }

    /// Has something done that is worth doing whether or not the answer is awaited.
    fn write<T: Send + 'static>(
        &self,
        deadline: Deadline,
        question: impl FnOnce(&dyn Backend) -> Result<T, BackendError> + Send + 'static,
    ) -> Answer<'_, T> {
        let backend = Arc::clone(&self.0.backend);
        let reply = self.threads().pool.write(move || question(&*backend));
        Box::pin(async move {
            let mut reply = reply?;
            let answer = wait(&mut reply, deadline).await;
            self.told(&reply, answer, deadline)
        })
    }

    /// Has something looked up for the one who awaits the answer.
    fn look_up<T: Send + 'static>(
        &self,
        deadline: Deadline,
        question: impl FnOnce(&dyn Backend) -> Result<T, BackendError> + Send + 'static,
    ) -> Answer<'_, T> {
        let backend = Arc::clone(&self.0.backend);
        let latest = deadline.halfway();
        let reply = self
            .threads()
            .pool
            .look_up(latest, move || question(&*backend));
        Box::pin(async move { self.looked_up(reply?, latest, deadline).await })
    }

    /// The same with an answer in which there may be a lease.
    fn look_up_or_lease<T: Send + 'static>(
        &self,
        key: &str,
        deadline: Deadline,
        granted: impl Fn(&T) -> Option<Lease> + Send + 'static,
        question: impl FnOnce(&dyn Backend, &str) -> Result<T, BackendError> + Send + 'static,
    ) -> Answer<'_, T> {
        let undelivered = Undelivered::new(self, key);
        let looked_up = self.look_up(deadline, move |backend| {
            let answer = question(backend, &undelivered.key)?;
            let lease = granted(&answer);
            Ok(undelivered.within(answer, lease))
        });
        Box::pin(async move { Ok(looked_up.await?.take()) })
    }

    /// The answer to a lookup, which is given up where it isn't begun by `latest`.
    async fn looked_up<T>(
        &self,
        mut reply: Reply<Result<T, BackendError>>,
        latest: Deadline,
        deadline: Deadline,
    ) -> Result<T, BackendError> {
        let mut answer = wait(&mut reply, latest).await;
        if answer.is_none() && reply.is_begun() {
            answer = wait(&mut reply, deadline).await;
        }
        self.told(&reply, answer, deadline)
    }

    fn told<T>(
        &self,
        reply: &Reply<Result<T, BackendError>>,
        answer: Option<Result<T, BackendError>>,
        deadline: Deadline,
    ) -> Result<T, BackendError> {
        let lacked_time = deadline.has_passed() && reply.mostly_waited(self.threads().pool.wait());
        match answer {
            Some(Ok(answer)) => Ok(answer),
            _ if lacked_time || !reply.is_begun() => Err(BackendError::unasked(
                "no thread was free in time to ask it",
            )),
            Some(Err(error)) => Err(error),
            None => Err(BackendError::new("no answer in time")),
        }
    }
}

async fn wait<T>(
    reply: &mut Reply<Result<T, BackendError>>,
    until: Deadline,
) -> Option<Result<T, BackendError>> {
    let answer = timeout(until.moment(), reply).await?;
    Some(answer.unwrap_or_else(|| Err(BackendError::new("it panicked"))))
}

/// An answer on its way from the thread that was told it, with the lease that may be in it.
struct Delivery<T> {
    answer: T,
    undelivered: Option<Undelivered>,
}

impl Delivery<Lookup> {
    /// For another who asked the same: of those that ask at one time, one is granted the lease.
    fn copy(&self) -> Self {
        let answer = match &self.answer {
            Lookup::Granted(lease) if *lease != Lease::UNCONDITIONAL => Lookup::Busy,
            lookup => lookup.clone(),
        };
        Self {
            answer,
            undelivered: None,
        }
    }
}

impl<T> Delivery<T> {
    fn take(mut self) -> T {
        if let Some(undelivered) = &mut self.undelivered {
            undelivered.lease = None;
        }
        self.answer
    }
}

/// A lease on its way from the thread that was granted it: dropped on the way, with the answer, it is released.
struct Undelivered {
    unblock: Unblock,
    key: String,
    lease: Option<Lease>,
}

impl Undelivered {
    fn new(unblock: &Unblock, key: &str) -> Self {
        Self {
            unblock: unblock.clone(),
            key: key.to_owned(),
            lease: None,
        }
    }

    fn within<T>(mut self, answer: T, lease: Option<Lease>) -> Delivery<T> {
        self.lease = lease;
        Delivery {
            answer,
            undelivered: Some(self),
        }
    }
}

impl Drop for Undelivered {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take()
            && lease != Lease::UNCONDITIONAL
        {
            self.unblock.release(&self.key, lease);
        }
    }
}

impl AsyncBackend for Unblock {
    fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>> {
        let (backend, latest) = (Arc::clone(&self.0.backend), deadline.halfway());
        let get = move |key: &str, deadline| backend.get(key, deadline);
        let Threads { pool, gets, .. } = self.threads();
        let reply = gets.ask(pool, key, (latest, deadline), get, Option::clone);
        Box::pin(async move { self.looked_up(reply?, latest, deadline).await })
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        let key = key.to_owned();
        self.write(deadline, move |backend| {
            backend.set(&key, value, life, deadline)
        })
    }

    fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()> {
        let key = key.to_owned();
        self.write(deadline, move |backend| backend.delete(&key, deadline))
    }

    fn limits(&self) -> Limits {
        self.0.backend.limits().blocking(false)
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        deadline: Deadline,
    ) -> Answer<'a, Vec<Option<Bytes>>> {
        let keys = owned(keys);
        self.look_up(deadline, move |backend| {
            backend.get_many(&borrowed(&keys), deadline)
        })
    }

    fn set_many<'a>(
        &'a self,
        entries: &'a [(&'a str, Bytes)],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        let entries: Vec<(String, Bytes)> = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect();
        self.write(deadline, move |backend| {
            let entries: Vec<(&str, Bytes)> = entries
                .iter()
                .map(|(key, value)| (key.as_str(), value.clone()))
                .collect();
            backend.set_many(&entries, life, deadline)
        })
    }

    fn delete_many<'a>(&'a self, keys: &'a [&'a str], deadline: Deadline) -> Answer<'a, ()> {
        let keys = owned(keys);
        self.write(deadline, move |backend| {
            backend.delete_many(&borrowed(&keys), deadline)
        })
    }

    fn get_or_lease<'a>(
        &'a self,
        key: &'a str,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, Lookup> {
        let (backend, latest) = (Arc::clone(&self.0.backend), deadline.halfway());
        let undelivered = Undelivered::new(self, key);
        let get_or_lease = move |key: &str, deadline| {
            let lookup = backend.get_or_lease(key, life, deadline)?;
            let lease = lookup.granted();
            Ok(undelivered.within(lookup, lease))
        };
        let Threads { pool, leases, .. } = self.threads();
        let times = (latest, deadline);
        let reply = leases.ask(pool, key, times, get_or_lease, Delivery::copy);
        Box::pin(async move {
            let delivery = self.looked_up(reply?, latest, deadline).await?;
            Ok(delivery.take())
        })
    }

    fn get_many_or_lease<'a>(
        &'a self,
        key: &'a str,
        others: &'a [&'a str],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, (Lookup, Vec<Option<Bytes>>)> {
        let others = owned(others);
        let granted = |(lookup, _): &(Lookup, _)| lookup.granted();
        self.look_up_or_lease(key, deadline, granted, move |backend, key| {
            backend.get_many_or_lease(key, &borrowed(&others), life, deadline)
        })
    }

    fn lease<'a>(&'a self, key: &'a str, life: Duration, deadline: Deadline) -> Answer<'a, Lease> {
        let granted = |lease: &Lease| Some(*lease);
        self.look_up_or_lease(key, deadline, granted, move |backend, key| {
            backend.lease(key, life, deadline)
        })
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, bool> {
        let key = key.to_owned();
        self.write(deadline, move |backend| {
            backend.fill(&key, lease, value, life, deadline)
        })
    }

    fn release(&self, key: &str, lease: Lease) {
        let key = key.to_owned();
        // The answer is dropped and the work done all the same; where it can't be, the lease runs out.
        drop(self.write(Deadline::NEVER, move |backend| {
            backend.release(&key, lease, Deadline::NEVER)
        }));
    }

    fn discard(&self, keys: &[&str]) {
        drop(self.delete_many(keys, Deadline::NEVER));
    }
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|&key| key.to_owned()).collect()
}

fn borrowed(keys: &[String]) -> Vec<&str> {
    keys.iter().map(String::as_str).collect()
}

impl fmt::Debug for Unblock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unblock").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
