//! A blocking backend, asked by async functions.

mod pool;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Answer, AsyncBackend};
use crate::backend::{Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};
use crate::timer::timeout;
use pool::{Pool, Reply};

/// An [`AsyncBackend`] that asks a blocking [`Backend`] from threads of its own, so that no executor is kept waiting.
///
/// There are eight of them, and up to 64 where questions wait for longer than 10 ms, started as they are needed and ended when they are
/// not. Up to 1024 questions wait for a free one; more are answered by an error at once. For a question that had no thread in time the
/// backend is not to blame: it doesn't have it [left alone](crate::RuntimeBuilder::breaker). What is begun is done even where the answer is
/// dropped, or comes after its deadline, and so is a write that still waits for its turn; a lookup that nobody awaits any more is
/// not begun, and a lease that nobody takes is released. A [runtime](crate::Runtime) uses it for async functions where its backend's
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

    /// Has something done that is worth doing whether or not the answer is awaited.
    fn ask<T: Send + 'static>(
        &self,
        deadline: Deadline,
        question: impl FnOnce(&dyn Backend) -> Result<T, BackendError> + Send + 'static,
    ) -> Answer<'_, T> {
        let backend = Arc::clone(&self.backend);
        let reply = self.pool.run(move || question(&*backend));
        Box::pin(async move { answer(reply?, deadline).await })
    }

    /// Has something looked up for the one who awaits the answer.
    fn look_up<T: Send + 'static>(
        &self,
        deadline: Deadline,
        question: impl FnOnce(&dyn Backend) -> Result<T, BackendError> + Send + 'static,
    ) -> Answer<'_, T> {
        let backend = Arc::clone(&self.backend);
        let reply = self.pool.run_if_awaited(move || question(&*backend));
        Box::pin(async move { answer(reply?, deadline).await })
    }

    /// The same with an answer in which there may be a lease.
    fn look_up_or_lease<T: Send + 'static>(
        &self,
        key: &str,
        deadline: Deadline,
        granted: impl Fn(&T) -> Option<Lease> + Send + 'static,
        question: impl FnOnce(&dyn Backend, &str) -> Result<T, BackendError> + Send + 'static,
    ) -> Answer<'_, T> {
        let mut undelivered = Undelivered {
            unblock: Self {
                backend: Arc::clone(&self.backend),
                pool: Arc::clone(&self.pool),
            },
            key: key.to_owned(),
            lease: None,
        };
        let looked_up = self.look_up(deadline, move |backend| {
            let answer = question(backend, &undelivered.key)?;
            undelivered.lease = granted(&answer);
            Ok((answer, undelivered))
        });
        Box::pin(async move {
            let (answer, mut undelivered) = looked_up.await?;
            undelivered.lease = None;
            Ok(answer)
        })
    }
}

async fn answer<T>(
    mut reply: Reply<Result<T, BackendError>>,
    deadline: Deadline,
) -> Result<T, BackendError> {
    let answer = timeout(deadline.moment(), &mut reply).await;
    if !matches!(answer, Some(Some(Ok(_)))) && deadline.has_passed() && reply.mostly_waited() {
        return Err(BackendError::unasked(
            "no thread was free in time to ask it",
        ));
    }
    match answer {
        Some(Some(answer)) => answer,
        Some(None) => Err(BackendError::new("it panicked")),
        None => Err(BackendError::new("no answer in time")),
    }
}

/// A lease on its way from the thread that was granted it: dropped on the way, with the answer, it is released.
struct Undelivered {
    unblock: Unblock,
    key: String,
    lease: Option<Lease>,
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
        let key = key.to_owned();
        self.look_up(deadline, move |backend| backend.get(&key, deadline))
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
        self.look_up_or_lease(key, deadline, Lookup::granted, move |backend, key| {
            backend.get_or_lease(key, life, deadline)
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
    use std::task::{Context, Wake, Waker};
    use std::thread::{self, ThreadId};
    use std::time::Instant;

    use super::*;
    use crate::backend::Memory;
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
        let error = error.expect_err("nobody tells it").to_string();
        // The other one where it takes a thread long to start.
        let said = ["no answer in time", "no thread was free in time to ask it"];
        assert!(said.contains(&error.as_str()), "{error}");
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
            .filter_map(|answer| block_on(pin!(answer), Some(Instant::now())))
            .count();
        // As many less as there are threads.
        assert!((12..=76).contains(&refused), "{refused}");
    }

    #[test]
    fn what_comes_at_one_time_is_asked_at_one_time() {
        let (unblock, was_asked, tell) = slow();
        let answers: Vec<_> = (0..40)
            .map(|_| unblock.get("key", Deadline::NEVER))
            .collect();
        for nth in 1..=40 {
            let asked = was_asked.recv_timeout(Duration::from_secs(30));
            assert!(
                asked.is_ok(),
                "nobody asks the {nth}th as long as none is answered"
            );
        }
        for _ in &answers {
            tell.send(()).expect("it listens");
        }
        for answer in answers {
            let found = block_on(pin!(answer), None).expect("without end");
            assert!(found.is_ok());
        }
    }

    /// A memory that says what it is asked, and answers lookups when it is told to.
    struct Gated {
        memory: Memory,
        asked: mpsc::Sender<String>,
        go_on: std::sync::Mutex<mpsc::Receiver<()>>,
    }

    impl Gated {
        fn tell(&self, question: &str, key: &str) {
            let asked = format!("{question} {key}");
            self.asked.send(asked).expect("the test listens");
        }
    }

    impl Backend for Gated {
        fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
            self.memory.get(key, deadline)
        }
        fn set(
            &self,
            key: &str,
            value: Bytes,
            life: Duration,
            deadline: Deadline,
        ) -> Result<(), BackendError> {
            self.memory.set(key, value, life, deadline)?;
            self.tell("set", key);
            Ok(())
        }
        fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
            self.memory.delete(key, deadline)
        }
        fn limits(&self) -> Limits {
            self.memory.limits()
        }
        fn get_or_lease(
            &self,
            key: &str,
            life: Duration,
            deadline: Deadline,
        ) -> Result<Lookup, BackendError> {
            self.tell("look up", key);
            let go_on = self.go_on.lock().expect("nobody panics here");
            go_on.recv().expect("the test tells");
            self.memory.get_or_lease(key, life, deadline)
        }
        fn fill(
            &self,
            key: &str,
            lease: Lease,
            value: Bytes,
            life: Duration,
            deadline: Deadline,
        ) -> Result<bool, BackendError> {
            self.memory.fill(key, lease, value, life, deadline)
        }
        fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Result<(), BackendError> {
            self.memory.release(key, lease, deadline)?;
            self.tell("release", key);
            Ok(())
        }
    }

    fn gated() -> (Unblock, Asked, mpsc::Sender<()>) {
        let (asked, was_asked) = mpsc::channel();
        let (tell, go_on) = mpsc::channel();
        let memory = Memory::new(1 << 20);
        let go_on = std::sync::Mutex::new(go_on);
        let backend = Gated {
            memory,
            asked,
            go_on,
        };
        (Unblock::new(backend), Asked(was_asked), tell)
    }

    struct Asked(mpsc::Receiver<String>);

    impl Asked {
        fn next(&self) -> String {
            let patience = Duration::from_secs(30);
            self.0.recv_timeout(patience).expect("it is asked more")
        }
    }

    /// Sends a message when it is woken.
    struct Tells(mpsc::Sender<()>);

    impl Wake for Tells {
        fn wake(self: Arc<Self>) {
            self.0.send(()).expect("the test listens");
        }
    }

    const LIFE: Duration = Duration::from_secs(3600);

    #[test]
    fn a_lease_that_nobody_takes_is_released() {
        for is_answered in [false, true] {
            let (unblock, asked, tell) = gated();
            let (woken, was_woken) = mpsc::channel();
            let waker = Waker::from(Arc::new(Tells(woken)));
            let mut answer = unblock.get_or_lease("key", LIFE, Deadline::NEVER);
            let polled = answer.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            assert_eq!(asked.next(), "look up key");
            if is_answered {
                tell.send(()).expect("it listens");
                was_woken.recv().expect("it wakes");
                drop(answer);
            } else {
                drop(answer);
                tell.send(()).expect("it listens");
            }
            assert_eq!(asked.next(), "release key");

            // One that is taken is not.
            let answer = unblock.get_or_lease("key", LIFE, Deadline::NEVER);
            tell.send(()).expect("it listens");
            let granted = block_on(pin!(answer), None).expect("without end");
            let lease = granted.expect("it answers").granted();
            let filled = unblock.fill(
                "key",
                lease.expect("the first was released"),
                Bytes::from_static(b"value"),
                LIFE,
                Deadline::NEVER,
            );
            let filled = block_on(pin!(filled), None).expect("without end");
            assert!(filled.expect("it answers"), "the lease stands");
        }
    }

    #[test]
    fn of_what_waits_and_nobody_awaits_only_writes_are_done() {
        let (unblock, asked, tell) = gated();
        let busy: Vec<_> = (0..8)
            .map(|_| unblock.get_or_lease("busy", LIFE, Deadline::NEVER))
            .collect();
        for _ in &busy {
            assert_eq!(asked.next(), "look up busy");
        }
        drop(unblock.get_or_lease("nobody", LIFE, Deadline::NEVER));
        drop(unblock.set("written", Bytes::new(), LIFE, Deadline::NEVER));
        for _ in &busy {
            tell.send(()).expect("it listens");
        }
        assert_eq!(asked.next(), "set written");
        let last = unblock.get_or_lease("last", LIFE, Deadline::NEVER);
        assert_eq!(asked.next(), "look up last");
        tell.send(()).expect("it listens");
        drop((last, busy));
    }
}
