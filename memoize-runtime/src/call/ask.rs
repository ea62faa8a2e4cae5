//! Questions to the backend, whose errors and panics end here. Those that block are asked here.

use std::sync::atomic::{AtomicBool, Ordering};

use super::request::Request;
use crate::backend::{Backend, BackendError, Deadline, Tells};
use crate::breaker::{Ending, Permit};
use crate::guard::guard;
use crate::observe;

/// Why a question has no answer. It has been counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    Failed,
    /// It works, and would refuse the same again.
    Refused,
    /// It was not asked, because the backend is left alone.
    Skipped,
}

/// Whether a question of a call was answered after the call's time, if at all, so that it isn't our own work that took it.
#[derive(Debug, Default)]
pub(crate) struct Lateness(AtomicBool);

impl Clone for Lateness {
    /// That of another call.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Lateness {
    pub(super) fn note(&self, deadline: Deadline) {
        if deadline.has_passed() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Asks the backend, unless the time for that is over or the backend is left alone.
pub(super) fn ask<T>(
    request: &Request,
    operation: &'static str,
    deadline: Deadline,
    question: impl FnOnce(&dyn Backend) -> Result<T, BackendError>,
) -> Result<T, NoAnswer> {
    let permit = admit(request, operation, deadline)?;
    let backend = request.runtime.backend();
    let answer = guard(|| question(backend)).unwrap_or_else(|| Err(panicked()));
    request.lateness.note(deadline);
    told(request, operation, deadline, permit, answer)
}

/// The leave to ask; with nothing to tell the answer to, where the backend never waits.
pub(super) fn admit<'r>(
    request: &'r Request,
    operation: &'static str,
    deadline: Deadline,
) -> Result<Option<Permit<'r>>, NoAnswer> {
    if deadline.has_passed() {
        request.observer().fault(operation, &used_up(request));
        return Err(NoAnswer::Failed);
    }
    let Some(breaker) = request.runtime.breaker() else {
        return Ok(None);
    };
    let permit = breaker.admit().ok_or_else(|| {
        request.observer().skipped();
        NoAnswer::Skipped
    })?;
    Ok(Some(permit))
}

/// Tells what came of a question. An answer that came too late is one, but of a backend that is too slow; a refusal is one as well.
pub(super) fn told<T>(
    request: &Request,
    operation: &'static str,
    deadline: Deadline,
    permit: Option<Permit<'_>>,
    answer: Result<T, BackendError>,
) -> Result<T, NoAnswer> {
    if let Some(permit) = permit {
        let tells = answer
            .as_ref()
            .map_or_else(BackendError::tells, |_| Tells::Works);
        let ending = match tells {
            Tells::Works if !deadline.has_passed() => Ending::Answered,
            Tells::Nothing => Ending::Unasked,
            Tells::Works | Tells::Fails => Ending::Failed,
        };
        if let Some(change) = permit.end(ending) {
            observe::breaker(change, answer.as_ref().err());
        }
    }
    answer.map_err(|error| {
        let why = match error.tells() {
            Tells::Works => NoAnswer::Refused,
            Tells::Fails | Tells::Nothing => NoAnswer::Failed,
        };
        request.observer().fault(operation, &error);
        // Its source is anybody's code, which may panic when it is dropped.
        guard(|| drop(error));
        why
    })
}

/// There is no time to ask. Of the backend that says no more than what took the time did.
fn used_up(request: &Request) -> BackendError {
    let was_late = request.lateness.0.load(Ordering::Relaxed);
    BackendError::new(if cfg!(debug_assertions) && !was_late {
        "the call's budget was used up; raise `budget`, or build dependencies with `opt-level = 3`, as what is large takes long to seal"
    } else {
        "the call's budget was used up; raise `budget`"
    })
}

pub(super) fn panicked() -> BackendError {
    BackendError::new("it panicked")
}

#[cfg(test)]
mod tests {
    use std::future::{Future, pending, poll_fn, ready};
    use std::mem::replace;
    use std::pin::pin;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
    use std::sync::{Arc, Condvar, Mutex};
    use std::task::{Context, Poll, Waker};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{ask, used_up};
    use crate::entry::{Codec, StoredType};
    use crate::flight::block_on;
    use crate::{
        Answer, AsyncBackend, Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup, Memo,
        Memory, Runtime,
    };

    #[test]
    fn a_slow_backend_is_no_reason_to_build_otherwise() {
        let (_, runtime, _) = down();
        let request = || Memo::new("k").request(StoredType::of::<u8>(Codec::Postcard));
        let asked = |wait: Duration| {
            let request = runtime.scope(request);
            let deadline = Deadline::after(Duration::from_millis(20));
            let answer = ask(&request, "get", deadline, |_| {
                thread::sleep(wait);
                Ok(())
            });
            assert_eq!(answer, Ok(()));
            used_up(&request).reason().contains("opt-level")
        };
        assert_eq!(asked(Duration::ZERO), cfg!(debug_assertions));
        assert!(!asked(Duration::from_millis(25)));
    }

    /// Refuses all.
    struct Refusing(Arc<AtomicU64>);

    impl Refusing {
        fn refuse<T>(&self) -> Result<T, BackendError> {
            self.0.fetch_add(1, Relaxed);
            Err(BackendError::refusal("the server's user may not do that"))
        }
    }

    impl Backend for Refusing {
        fn get(&self, _: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
            self.refuse()
        }
        fn set(&self, _: &str, _: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
            self.refuse()
        }
        fn delete(&self, _: &str, _: Deadline) -> Result<(), BackendError> {
            self.refuse()
        }
        fn limits(&self) -> Limits {
            Limits::new()
        }
    }

    #[test]
    fn what_was_refused_is_not_asked_for_twice() {
        let asked = Arc::default();
        let settings = Runtime::builder()
            .backend(Refusing(Arc::clone(&asked)))
            .budget(Duration::from_secs(60));
        let runtime = settings.build().expect("valid settings");
        runtime.scope(|| (0..10).for_each(|n| assert_eq!(call(n), n)));
        assert_eq!(asked.swap(0, Relaxed), 10, "blocking");
        for n in 0..10 {
            let call = async { Memo::new("k").get_or_compute_async(|| ready(n)).await };
            let value = block_on(pin!(runtime.scope_async(call)), None);
            assert_eq!(value.expect("it ends"), n);
        }
        assert_eq!(asked.load(Relaxed), 10, "awaited");
        let stats = runtime.stats();
        assert_eq!((stats.faults, stats.skipped), (20, 0), "{stats:?}");
    }

    /// A server that is there, or isn't.
    #[derive(Clone)]
    struct Server {
        memory: Memory,
        is_down: Arc<AtomicBool>,
        asked: Arc<AtomicU64>,
    }

    impl Server {
        fn down() -> Self {
            Self {
                memory: Memory::new(1 << 20),
                is_down: Arc::new(AtomicBool::new(true)),
                asked: Arc::default(),
            }
        }

        /// How often it was asked since the last time.
        fn asked(&self) -> u64 {
            self.asked.swap(0, Relaxed)
        }

        fn memory(&self) -> Result<&Memory, BackendError> {
            self.asked.fetch_add(1, Relaxed);
            if self.is_down.load(Relaxed) {
                Err(BackendError::new("connection refused"))
            } else {
                Ok(&self.memory)
            }
        }
    }

    impl Backend for Server {
        fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
            self.memory()?.get(key, deadline)
        }
        fn set(
            &self,
            key: &str,
            value: Bytes,
            life: Duration,
            deadline: Deadline,
        ) -> Result<(), BackendError> {
            self.memory()?.set(key, value, life, deadline)
        }
        fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
            self.memory()?.delete(key, deadline)
        }
        fn limits(&self) -> Limits {
            Limits::new()
        }
    }

    /// A server, a runtime on it, and the breaker's clock.
    fn down() -> (Server, Runtime, Arc<AtomicU64>) {
        let (server, ms) = (Server::down(), Arc::default());
        let settings = Runtime::builder()
            .backend(server.clone())
            .budget(Duration::from_secs(60))
            .breaker_clock(Arc::clone(&ms));
        (server, settings.build().expect("valid settings"), ms)
    }

    fn call(value: u64) -> u64 {
        Memo::new("k").get_or_compute(|| value)
    }

    #[test]
    fn a_server_that_is_down_is_left_alone_until_it_answers() {
        let (server, runtime, ms) = down();
        runtime.scope(|| {
            (0..3).for_each(|n| assert_eq!(call(n), n));
            assert_eq!(
                server.asked(),
                5,
                "a lookup and a lease of two calls, a lookup"
            );
            (0..1_000).for_each(|n| assert_eq!(call(n), n));
            assert_eq!(Memo::new("rows").iter(|| 0..3_u8).count(), 3);
            assert!(!Memo::new("k").invalidate());
            assert_eq!(server.asked(), 0);
            let stats = runtime.stats();
            // The lease of the third call, and the get and delete of the invalidation.
            assert_eq!(stats.skipped, 1 + 1_000 + 1 + 2);
            assert_eq!((stats.faults, stats.unanswered, stats.outdated), (5, 3, 0));

            ms.store(1_300, Relaxed);
            assert_eq!(call(1), 1);
            assert_eq!(server.asked(), 1, "one probe, which failed");
            ms.store(2_600, Relaxed);
            assert_eq!(call(1), 1);
            assert_eq!(server.asked(), 0, "twice as long");

            server.is_down.store(false, Relaxed);
            ms.store(4_000, Relaxed);
            assert_eq!((call(2), call(3)), (2, 2));
            assert_eq!(server.asked(), 3, "a miss and a hit");
        });
    }

    #[test]
    fn a_breaker_that_is_switched_off_asks_each_time() {
        let server = Server::down();
        let settings = Runtime::builder().backend(server.clone()).breaker(false);
        let runtime = settings.build().expect("valid settings");
        runtime.scope(|| (0..100).for_each(|n| assert_eq!(call(n), n)));
        assert_eq!((server.asked(), runtime.stats().skipped), (200, 0));
    }

    /// The same with leases, whose ends it takes note of also when it is down.
    struct Leasing(Server);

    impl Backend for Leasing {
        fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
            self.0.get(key, deadline)
        }
        fn set(
            &self,
            key: &str,
            value: Bytes,
            life: Duration,
            deadline: Deadline,
        ) -> Result<(), BackendError> {
            self.0.set(key, value, life, deadline)
        }
        fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
            self.0.delete(key, deadline)
        }
        fn limits(&self) -> Limits {
            Limits::new()
        }
        fn get_or_lease(
            &self,
            key: &str,
            life: Duration,
            deadline: Deadline,
        ) -> Result<Lookup, BackendError> {
            self.0.memory()?.get_or_lease(key, life, deadline)
        }
        fn fill(
            &self,
            key: &str,
            lease: Lease,
            value: Bytes,
            life: Duration,
            deadline: Deadline,
        ) -> Result<bool, BackendError> {
            self.0.memory()?.fill(key, lease, value, life, deadline)
        }
        fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Result<(), BackendError> {
            self.0.memory.release(key, lease, deadline)
        }
    }

    #[test]
    fn a_lease_is_given_up_also_while_the_server_is_left_alone() {
        type Call = fn(&dyn Fn());
        let ways: [(&str, Call); 2] = [
            ("blocking", |meanwhile| {
                Memo::new("k").get_or_compute(meanwhile);
            }),
            ("awaited", |meanwhile| {
                let call = Memo::new("k").get_or_compute_async(|| async { meanwhile() });
                block_on(pin!(call), None).expect("it ends");
            }),
        ];
        for (name, call) in ways {
            let server = Server::down();
            server.is_down.store(false, Relaxed);
            let settings = Runtime::builder().backend(Leasing(server.clone()));
            let runtime = settings.build().expect("valid settings");
            runtime.scope(|| {
                call(&|| {
                    server.is_down.store(true, Relaxed);
                    (0..5_u8).for_each(|n| {
                        Memo::new(format!("other {n}")).get_or_compute(|| n);
                    });
                });
                assert!(runtime.stats().skipped > 0, "{name}: the breaker is open");
                let key = Memo::new("k").key();
                let (life, never) = (Duration::from_secs(60), Deadline::NEVER);
                let is_free = || {
                    let lookup = server.memory.get_or_lease(key.as_str(), life, never);
                    matches!(lookup, Ok(Lookup::Granted(_)))
                };
                // A thread beside this one gives it up.
                let since = Instant::now();
                while !is_free() {
                    let is_early = since.elapsed() < Duration::from_secs(10);
                    assert!(is_early, "{name}: it stands until it runs out");
                    thread::yield_now();
                }
            });
        }
    }

    /// Fails at once, or never answers.
    struct Silent(Arc<AtomicBool>);

    impl Silent {
        fn answer<'a, T: Send + 'a>(&self) -> Answer<'a, T> {
            if self.0.load(Relaxed) {
                Box::pin(pending())
            } else {
                Box::pin(ready(Err(BackendError::new("connection refused"))))
            }
        }
    }

    impl AsyncBackend for Silent {
        fn get<'a>(&'a self, _: &'a str, _: Deadline) -> Answer<'a, Option<Bytes>> {
            self.answer()
        }
        fn set<'a>(&'a self, _: &'a str, _: Bytes, _: Duration, _: Deadline) -> Answer<'a, ()> {
            self.answer()
        }
        fn delete<'a>(&'a self, _: &'a str, _: Deadline) -> Answer<'a, ()> {
            self.answer()
        }
        fn limits(&self) -> Limits {
            Limits::new()
        }
    }

    #[test]
    fn a_probe_that_is_cancelled_is_followed_by_another() {
        let (is_silent, ms) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let settings = Runtime::builder()
            .async_backend(Silent(Arc::clone(&is_silent)))
            .budget(Duration::from_secs(60))
            .breaker_clock(Arc::clone(&ms));
        let runtime = settings.build().expect("valid settings");
        runtime.scope(|| (0..3).for_each(|n| assert_eq!(call(n), n)));
        is_silent.store(true, Relaxed);
        ms.store(2_000, Relaxed);
        let waits = || {
            let call = runtime.scope(|| Memo::new("k").get_or_compute_async(|| ready(1)));
            let mut call = pin!(call);
            // Whether it waits for an answer, and then it is dropped.
            let context = &mut Context::from_waker(Waker::noop());
            runtime.scope(|| call.as_mut().poll(context)).is_pending()
        };
        assert!(waits(), "the probe");
        assert!(waits(), "the next one");
    }

    /// Answers when it is polled for the second time.
    struct AtSecond;

    impl AtSecond {
        fn answer<'a, T: Send + 'a>(answer: T) -> Answer<'a, T> {
            let mut polled = false;
            let mut answer = Some(answer);
            Box::pin(poll_fn(move |_| {
                if replace(&mut polled, true) {
                    Poll::Ready(Ok(answer.take().expect("it is polled until it answers")))
                } else {
                    Poll::Pending
                }
            }))
        }
    }

    impl AsyncBackend for AtSecond {
        fn get<'a>(&'a self, _: &'a str, _: Deadline) -> Answer<'a, Option<Bytes>> {
            Self::answer(None)
        }
        fn set<'a>(&'a self, _: &'a str, _: Bytes, _: Duration, _: Deadline) -> Answer<'a, ()> {
            Self::answer(())
        }
        fn delete<'a>(&'a self, _: &'a str, _: Deadline) -> Answer<'a, ()> {
            Self::answer(())
        }
        fn limits(&self) -> Limits {
            Limits::new()
        }
    }

    #[test]
    fn a_task_that_is_polled_late_says_nothing_about_the_backend() {
        let settings = Runtime::builder()
            .async_backend(AtSecond)
            .budget(Duration::from_millis(20));
        let runtime = settings.build().expect("valid settings");
        for n in 0..20 {
            let call = async move { Memo::new(("k", n)).get_or_compute_async(|| ready(n)).await };
            let mut call = pin!(runtime.scope_async(call));
            let context = &mut Context::from_waker(Waker::noop());
            while call.as_mut().poll(context).is_pending() {
                // An executor that has other things to do.
                thread::sleep(Duration::from_millis(25));
            }
        }
        let stats = runtime.stats();
        assert!(stats.absent > 10 && stats.skipped == 0, "{stats:?}");
    }

    /// Answers once it is told to, and says how many wait for that.
    #[derive(Clone, Default)]
    struct Gate(Arc<(Mutex<(bool, usize)>, Condvar)>);

    impl Gate {
        fn pass(&self) {
            let (state, changed) = &*self.0;
            let mut state = state.lock().expect("nobody panics here");
            state.1 += 1;
            changed.notify_all();
            drop(changed.wait_while(state, |(is_open, _)| !*is_open));
        }

        fn wait_for(&self, count: usize) {
            let (state, changed) = &*self.0;
            let state = state.lock().expect("nobody panics here");
            let (state, _) = changed
                .wait_timeout_while(state, Duration::from_secs(30), |(_, there)| *there < count)
                .expect("nobody panics here");
            assert_eq!(state.1, count);
        }

        fn open(&self) {
            let (state, changed) = &*self.0;
            state.lock().expect("nobody panics here").0 = true;
            changed.notify_all();
        }
    }

    struct Gated(Gate, Memory);

    impl Backend for Gated {
        fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
            self.0.pass();
            self.1.get(key, deadline)
        }
        fn set(
            &self,
            key: &str,
            value: Bytes,
            life: Duration,
            deadline: Deadline,
        ) -> Result<(), BackendError> {
            self.1.set(key, value, life, deadline)
        }
        fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
            self.1.delete(key, deadline)
        }
        fn limits(&self) -> Limits {
            Limits::new()
        }
    }

    #[test]
    fn what_our_threads_had_no_time_to_ask_says_nothing_about_the_backend() {
        const THREADS: usize = 256;
        let gate = Gate::default();
        let settings = Runtime::builder()
            .backend(Gated(gate.clone(), Memory::new(1 << 20)))
            .budget(Duration::from_millis(5));
        let runtime = settings.build().expect("valid settings");
        let backend = runtime.async_backend();
        let keys: Vec<_> = (0..THREADS).map(|n| n.to_string()).collect();
        let busy: Vec<_> = keys
            .iter()
            .map(|key| backend.get(key, Deadline::NEVER))
            .collect();
        gate.wait_for(THREADS);
        let call = |n: u64| {
            let call = async move { Memo::new(("k", n)).get_or_compute_async(|| ready(n)).await };
            block_on(pin!(runtime.scope_async(call)), None).expect("without end")
        };
        (0..20).for_each(|n| assert_eq!(call(n), n));
        let stats = runtime.stats();
        assert!(stats.faults >= 20 && stats.unanswered == 20, "{stats:?}");
        assert_eq!(stats.skipped, 0, "it isn't left alone");
        gate.open();
        drop(busy);
    }
}
