//! A blocking backend, asked by async functions.

mod pool;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Answer, AsyncBackend};
use crate::backend::{Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};
use crate::timer::timeout;
use pool::Pool;

/// An [`AsyncBackend`] that asks a blocking [`Backend`] from threads of its own, so that no executor is kept waiting.
///
/// There are at most eight of them, started as they are needed and ended when they are not. Beyond what they can do at one time,
/// up to 1024 questions wait for a free one; more are answered by an error at once. An answer that is dropped, or that comes
/// after its deadline, is still worked out. A [runtime](crate::Runtime) uses it for async functions where its backend's
/// [limits](Limits) say that it blocks; a backend with an async client of its own does better.
pub struct Unblock {
    backend: Arc<dyn Backend>,
    pool: Arc<Pool>,
}

impl Unblock {
    /// An async view of `backend`.
    pub fn new(backend: impl Backend) -> Self {
        Self::shared(Arc::new(backend))
    }

    pub(crate) fn shared(backend: Arc<dyn Backend>) -> Self {
        Self {
            backend,
            pool: Pool::new(),
        }
    }

    fn ask<T: Send + 'static>(
        &self,
        deadline: Deadline,
        question: impl FnOnce(&dyn Backend) -> Result<T, BackendError> + Send + 'static,
    ) -> Answer<'_, T> {
        let backend = Arc::clone(&self.backend);
        let reply = self.pool.run(move || question(&*backend));
        Box::pin(async move {
            match timeout(deadline.moment(), reply?).await {
                Some(Some(answer)) => answer,
                Some(None) => Err(BackendError::new("it panicked")),
                None => Err(BackendError::new("no answer in time")),
            }
        })
    }
}

impl AsyncBackend for Unblock {
    fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>> {
        let key = key.to_owned();
        self.ask(deadline, move |backend| backend.get(&key, deadline))
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        let key = key.to_owned();
        self.ask(deadline, move |backend| {
            backend.set(&key, value, life, deadline)
        })
    }

    fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()> {
        let key = key.to_owned();
        self.ask(deadline, move |backend| backend.delete(&key, deadline))
    }

    fn limits(&self) -> Limits {
        self.backend.limits().blocking(false)
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        deadline: Deadline,
    ) -> Answer<'a, Vec<Option<Bytes>>> {
        let keys = owned(keys);
        self.ask(deadline, move |backend| {
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
        self.ask(deadline, move |backend| {
            let entries: Vec<(&str, Bytes)> = entries
                .iter()
                .map(|(key, value)| (key.as_str(), value.clone()))
                .collect();
            backend.set_many(&entries, life, deadline)
        })
    }

    fn delete_many<'a>(&'a self, keys: &'a [&'a str], deadline: Deadline) -> Answer<'a, ()> {
        let keys = owned(keys);
        self.ask(deadline, move |backend| {
            backend.delete_many(&borrowed(&keys), deadline)
        })
    }

    fn get_or_lease<'a>(
        &'a self,
        key: &'a str,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, Lookup> {
        let key = key.to_owned();
        self.ask(deadline, move |backend| {
            backend.get_or_lease(&key, life, deadline)
        })
    }

    fn get_many_or_lease<'a>(
        &'a self,
        key: &'a str,
        others: &'a [&'a str],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, (Lookup, Vec<Option<Bytes>>)> {
        let key = key.to_owned();
        let others = owned(others);
        self.ask(deadline, move |backend| {
            backend.get_many_or_lease(&key, &borrowed(&others), life, deadline)
        })
    }

    fn lease<'a>(&'a self, key: &'a str, life: Duration, deadline: Deadline) -> Answer<'a, Lease> {
        let key = key.to_owned();
        self.ask(deadline, move |backend| backend.lease(&key, life, deadline))
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
        self.ask(deadline, move |backend| {
            backend.fill(&key, lease, value, life, deadline)
        })
    }

    fn release(&self, key: &str, lease: Lease) {
        let key = key.to_owned();
        // The answer is dropped and the work done all the same; where it can't be, the lease runs out.
        drop(self.ask(Deadline::NEVER, move |backend| {
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
mod tests {
    use std::pin::pin;
    use std::sync::mpsc;
    use std::thread::{self, ThreadId};
    use std::time::Instant;

    use super::*;
    use crate::flight::block_on;

    /// Says where it was asked, and answers when it is told to.
    struct Slow {
        asked: mpsc::SyncSender<ThreadId>,
        go_on: std::sync::Mutex<mpsc::Receiver<()>>,
    }

    impl Backend for Slow {
        fn get(&self, key: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
            assert_ne!(key, "panics");
            self.asked
                .send(thread::current().id())
                .expect("the test listens");
            let go_on = self.go_on.lock().expect("nobody panics here");
            go_on.recv().expect("the test tells");
            Ok(Some(Bytes::from_static(b"found")))
        }
        fn set(&self, _: &str, _: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
            unreachable!("the test doesn't write")
        }
        fn delete(&self, _: &str, _: Deadline) -> Result<(), BackendError> {
            unreachable!("the test doesn't write")
        }
        fn limits(&self) -> Limits {
            Limits::new()
        }
    }

    fn slow() -> (Unblock, mpsc::Receiver<ThreadId>, mpsc::Sender<()>) {
        let (asked, was_asked) = mpsc::sync_channel(16);
        let (tell, go_on) = mpsc::channel();
        let go_on = std::sync::Mutex::new(go_on);
        (Unblock::new(Slow { asked, go_on }), was_asked, tell)
    }

    #[test]
    fn the_asking_thread_is_not_kept_waiting() {
        let (unblock, was_asked, tell) = slow();
        let answer = unblock.get("key", Deadline::NEVER);
        let asked_on = was_asked.recv().expect("it is asked without being polled");
        assert_ne!(asked_on, thread::current().id());
        tell.send(()).expect("it listens");
        let found = block_on(pin!(answer), None).expect("without end");
        assert_eq!(found.expect("it answers").as_deref(), Some(&b"found"[..]));
    }

    #[test]
    fn a_deadline_is_kept_and_a_panic_is_an_error() {
        let (unblock, _was_asked, _tell) = slow();
        let late = unblock.get("key", Deadline::after(Duration::from_millis(1)));
        let error = block_on(pin!(late), None).expect("without end");
        assert_eq!(
            error.expect_err("nobody tells it").to_string(),
            "no answer in time"
        );
        let broken = unblock.get("panics", Deadline::NEVER);
        let error = block_on(pin!(broken), None).expect("without end");
        assert_eq!(error.expect_err("it panics").to_string(), "it panicked");
    }

    #[test]
    fn too_many_questions_are_an_error() {
        let (unblock, _was_asked, _tell) = slow();
        let answers: Vec<_> = (0..1100)
            .map(|_| unblock.get("key", Deadline::NEVER))
            .collect();
        let refused = answers
            .into_iter()
            .filter(|_| true)
            .filter_map(|answer| block_on(pin!(answer), Some(Instant::now())))
            .count();
        assert!((60..=76).contains(&refused), "{refused}");
    }
}
