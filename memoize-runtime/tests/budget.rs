//! What the cache may cost a call: round trips, and time.

#[path = "../../tests/common/forward.rs"]
mod forward;

use std::future::{Future, pending, ready};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use cache_memoize::{
    Answer, AsyncBackend, Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup, Memo,
    Memory, Runtime, RuntimeBuilder, Stats, cache_memoize,
};
use forward::forward;
use futures::StreamExt;

const BUDGET: Duration = Duration::from_secs(600);

/// A memory that says it blocks, and notes what it is asked and how much time there is for it.
#[derive(Clone)]
struct Server {
    memory: Memory,
    asked: Arc<Mutex<Vec<(&'static str, Duration)>>>,
    /// Uses up the time that it is given by this question, and fails.
    stuck_at: Option<&'static str>,
    /// How often it answers that before.
    answers: Arc<AtomicUsize>,
}

impl Server {
    fn new() -> Self {
        Self {
            memory: Memory::new(1 << 20),
            asked: Arc::default(),
            stuck_at: None,
            answers: Arc::default(),
        }
    }

    fn note(&self, question: &'static str, deadline: Deadline) -> Result<(), BackendError> {
        let left = match deadline.remaining() {
            Some(left) => left,
            // Nobody waits for what is undone.
            None if ["release", "delete_many"].contains(&question) => return Ok(()),
            None => panic!("each question has a deadline"),
        };
        let mut asked = self.asked.lock().expect("no panic");
        asked.push((question, left));
        drop(asked);
        let is_over = || {
            let left = self.answers.load(SeqCst).checked_sub(1);
            left.map(|left| self.answers.store(left, SeqCst)).is_none()
        };
        if self.stuck_at == Some(question) && is_over() {
            while let Some(left) = deadline.remaining().filter(|left| !left.is_zero()) {
                thread::sleep(left);
            }
            return Err(BackendError::new("no answer in time"));
        }
        Ok(())
    }

    /// The questions since the last time.
    fn asked(&self) -> Vec<&'static str> {
        self.times()
            .into_iter()
            .map(|(question, _)| question)
            .collect()
    }

    fn has_asked(&self, question: &'static str) -> bool {
        let asked = self.asked.lock().expect("no panic");
        asked.iter().any(|(name, _)| *name == question)
    }

    fn times(&self) -> Vec<(&'static str, Duration)> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

impl Backend for Server {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        self.note("get", deadline)?;
        self.memory.get(key, deadline)
    }
    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        self.note("set", deadline)?;
        self.memory.set(key, value, life, deadline)
    }
    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        self.note("delete", deadline)?;
        self.memory.delete(key, deadline)
    }
    fn limits(&self) -> Limits {
        Limits::new().value_bytes(4096)
    }
    fn get_many(
        &self,
        keys: &[&str],
        deadline: Deadline,
    ) -> Result<Vec<Option<Bytes>>, BackendError> {
        self.note("get_many", deadline)?;
        self.memory.get_many(keys, deadline)
    }
    fn delete_many(&self, keys: &[&str], deadline: Deadline) -> Result<(), BackendError> {
        self.note("delete_many", deadline)?;
        self.memory.delete_many(keys, deadline)
    }
    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        self.note("get_or_lease", deadline)?;
        self.memory.get_or_lease(key, life, deadline)
    }
    fn lease(&self, key: &str, life: Duration, deadline: Deadline) -> Result<Lease, BackendError> {
        self.note("lease", deadline)?;
        self.memory.lease(key, life, deadline)
    }
    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        self.note("fill", deadline)?;
        self.memory.fill(key, lease, value, life, deadline)
    }
    fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Result<(), BackendError> {
        self.note("release", deadline)?;
        self.memory.release(key, lease, deadline)
    }
}

fn settings(server: &Server) -> RuntimeBuilder {
    Runtime::builder().backend(server.clone()).budget(BUDGET)
}

fn build(settings: RuntimeBuilder) -> Runtime {
    settings.build().expect("valid settings")
}

/// The ways to make a call that computes `value`.
const CALLS: [fn(u32) -> u32; 2] = [
    |value| Memo::new("k").get_or_compute(|| value),
    |value| smol::block_on(Memo::new("k").get_or_compute_async(|| ready(value))),
];

/// A memory whose lookups take all the time that there is, and says when a lease is given up.
#[derive(Clone)]
struct Slow {
    memory: Memory,
    released: mpsc::SyncSender<()>,
}

impl Backend for Slow {
    forward!(memory => get, set, delete);

    fn limits(&self) -> Limits {
        Limits::new()
    }
    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        while let Some(left) = deadline.remaining().filter(|left| !left.is_zero()) {
            thread::sleep(left);
        }
        self.memory.get_or_lease(key, life, deadline)
    }
    fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Result<(), BackendError> {
        self.memory.release(key, lease, deadline)?;
        self.released.send(()).expect("the test listens");
        Ok(())
    }
}

#[test]
fn a_call_that_has_used_up_its_time_still_gives_its_lease_up() {
    let (released, was_released) = mpsc::sync_channel(16);
    let memory = Memory::new(1 << 20);
    let slow = Slow {
        memory: memory.clone(),
        released,
    };
    let settings = Runtime::builder().backend(slow);
    let runtime = build(settings.budget(Duration::from_millis(1)));
    assert_eq!(runtime.scope(|| Memo::new("k").get_or_compute(|| 1)), 1);
    assert_eq!(runtime.stats().stores, 0, "there was no time to");
    let told = was_released.recv_timeout(Duration::from_secs(60));
    told.expect("nobody is to wait for the lease to run out");

    let other = build(Runtime::builder().backend(memory));
    assert_eq!(other.scope(|| Memo::new("k").get_or_compute(|| 2)), 2);
    assert_eq!(other.stats().stores, 1);
}

/// A memory that takes all the time that there is to fill, and doesn't.
struct SlowToFill(Memory);

impl Backend for SlowToFill {
    forward!(0 => get, set, delete, get_or_lease, release);

    fn limits(&self) -> Limits {
        Limits::new()
    }
    fn fill(
        &self,
        _: &str,
        _: Lease,
        _: Bytes,
        _: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        while let Some(left) = deadline.remaining().filter(|left| !left.is_zero()) {
            thread::sleep(left);
        }
        Err(BackendError::new("no time"))
    }
}

#[test]
fn a_stream_that_is_filled_too_late_gives_its_lease_up() {
    let calls: [fn() -> usize; 2] = [
        || Memo::new("k").iter(|| 0..9_u8).count(),
        || {
            smol::block_on(
                Memo::new("k")
                    .stream(|| futures::stream::iter(0..9_u8))
                    .count(),
            )
        },
    ];
    for call in calls {
        let memory = Memory::new(1 << 20);
        let slow = SlowToFill(memory.clone());
        let settings = Runtime::builder().backend(slow);
        let runtime = build(settings.budget(Duration::from_millis(20)));
        assert_eq!(runtime.scope(call), 9);
        assert_eq!(runtime.stats().stores, 0, "there was no time to");
        let name = runtime.scope(|| Memo::new("k").key());
        let patience = Instant::now() + Duration::from_secs(60);
        let life = Duration::from_secs(3600);
        let lookup = || memory.get_or_lease(name.as_str(), life, Deadline::NEVER);
        while !matches!(lookup(), Ok(Lookup::Granted(_))) {
            assert!(Instant::now() < patience, "the lease was not given up");
            thread::yield_now();
        }
    }
}

#[cache_memoize(key = "plain")]
fn plain() -> u32 {
    7
}

#[test]
fn a_miss_takes_a_question_and_an_answer_and_a_hit_one_of_them() {
    for call in CALLS {
        let server = Server::new();
        build(settings(&server)).scope(|| {
            assert_eq!((call(1), server.asked()), (1, vec!["get_or_lease", "fill"]));
            assert_eq!((call(2), server.asked()), (1, vec!["get_or_lease"]));
            assert!(Memo::new("k").invalidate());
            assert_eq!(server.asked(), ["get", "delete"]);
            let failed: Result<u32, ()> = Memo::new("k").try_get_or_compute(|| Err(()));
            assert_eq!(failed, Err(()));
            assert_eq!(server.asked(), ["get_or_lease", "release"]);
            assert_eq!(plain::peek(), None);
            assert_eq!(
                server.asked(),
                ["get"],
                "nobody is kept from computing by a look"
            );
        });
    }
}

#[test]
fn what_is_not_to_be_stored_takes_no_lease() {
    let server = Server::new();
    build(settings(&server)).scope(|| {
        let memo = Memo::new("k").expiration(Duration::ZERO);
        assert_eq!(memo.get_or_compute(|| 1), 1);
        assert_eq!(server.asked(), ["get"]);
    });
}

#[test]
fn of_what_takes_too_long_to_store_nothing_is_left() {
    const LONG: fn() -> Vec<u8> = || vec![7; 40_000];
    type Call = fn() -> Vec<u8>;
    const CALLS: [Call; 2] = [
        || Memo::new("k").compress(false).get_or_compute(LONG),
        || {
            let memo = Memo::new("k").compress(false);
            smol::block_on(memo.get_or_compute_async(|| ready(LONG())))
        },
    ];
    for call in CALLS {
        let mut server = Server::new();
        server.stuck_at = Some("set");
        server.answers.store(5, SeqCst);
        let runtime = build(settings(&server).budget(Duration::from_millis(300)));
        assert_eq!(runtime.scope(call).len(), 40_000);
        assert_eq!(runtime.stats().unwritten, 1);
        let patience = Instant::now() + Duration::from_secs(60);
        while !server.memory.is_empty() {
            assert!(Instant::now() < patience, "chunks that nothing lists stay");
            thread::yield_now();
        }
    }
}

#[test]
fn a_stream_takes_its_lease_with_the_lookup() {
    let server = Server::new();
    build(settings(&server)).scope(|| {
        let rows = |first: u8| Memo::new("rows").iter(move || first..first + 3);
        assert_eq!(rows(0).count(), 3);
        assert_eq!(server.asked(), ["get_or_lease", "set", "fill"]);
        assert_eq!(rows(10).next(), Some(0));
        assert_eq!(server.asked(), ["get_or_lease", "get_many"]);
    });
}

#[test]
fn of_two_streams_at_one_time_the_first_is_stored() {
    let server = Server::new();
    let runtime = build(settings(&server));
    // As in another process: in one, the second follows the first.
    let elsewhere = build(settings(&server));
    runtime.scope(|| {
        let rows = |first: u8| Memo::new("rows").iter(move || first..first + 3);
        let (first, second) = (rows(0), elsewhere.scope(|| rows(10)));
        assert_eq!(second.count(), 3);
        assert_eq!(
            server.asked(),
            ["get_or_lease", "get_or_lease"],
            "no chunk for nothing"
        );
        assert_eq!(first.count(), 3);
        assert_eq!(rows(20).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(Memo::new("rows").invalidate());
        drop(rows(30));
        assert_eq!(
            rows(40).last(),
            Some(42),
            "who is dropped is in nobody's way"
        );
        assert_eq!(rows(50).last(), Some(42));
    });
    assert_eq!(elsewhere.stats().outdated, 1);
}

#[test]
fn the_body_does_not_count_and_all_else_does() {
    const BODY: Duration = Duration::from_millis(20);
    let server = Server::new();
    build(settings(&server)).scope(|| {
        let began = Instant::now();
        Memo::new("k").get_or_compute(|| thread::sleep(BODY));
        let took = began.elapsed();
        let [(_, before), (_, after)] = server.times()[..] else {
            panic!("two questions")
        };
        assert!(after <= before && before <= BUDGET, "{before:?} {after:?}");
        let counted = BUDGET.saturating_sub(after);
        assert!(
            counted <= took.saturating_sub(BODY),
            "{counted:?} of {took:?}"
        );
    });
}

#[test]
fn waiting_does_not_count_where_a_lookup_came_before() {
    const WAIT: Duration = Duration::from_millis(50);
    let server = Server::new();
    let runtime = build(settings(&server));
    let elsewhere = build(settings(&server));
    let (came, comes) = mpsc::channel();
    thread::scope(|scope| {
        let leader = scope.spawn(|| {
            runtime.scope(|| {
                Memo::new("k").get_or_compute(|| -> u32 {
                    // What it stores would be outdated; the other finds nothing, and waits all the same.
                    assert!(elsewhere.scope(|| Memo::new("k").invalidate()));
                    server.asked();
                    came.send(()).expect("the other waits");
                    while !server.has_asked("get") {
                        thread::yield_now();
                    }
                    thread::sleep(WAIT);
                    resume_unwind(Box::new("as it should"));
                })
            })
        });
        comes.recv().expect("it computes");
        let began = Instant::now();
        let value = runtime.scope(|| Memo::new("k").get_or_compute(|| 7_u32));
        let took = began.elapsed();
        assert_eq!(value, 7);
        assert!(leader.join().is_err());
        let times = server.times();
        let again = times.iter().rfind(|(name, _)| *name == "get_or_lease");
        let (_, left) = again.expect("it has taken over");
        let counted = BUDGET.saturating_sub(*left);
        // Half of it, since between looking and waiting a busy machine may do something else.
        assert!(counted + WAIT / 2 <= took, "{counted:?} of {took:?}");
    });
}

#[test]
fn a_budget_that_is_used_up_is_not_used_again() {
    for call in CALLS {
        let stuck = Server {
            stuck_at: Some("get_or_lease"),
            ..Server::new()
        };
        let runtime = build(settings(&stuck).budget(Duration::from_millis(300)));
        runtime.scope(|| assert_eq!(call(1), 1));
        assert_eq!(stuck.asked(), ["get_or_lease"]);
        let Stats {
            unanswered, stores, ..
        } = runtime.stats();
        assert_eq!((unanswered, stores), (1, 0));
    }
}

#[test]
fn each_step_of_a_stream_has_the_budget() {
    let server = Server::new();
    let runtime = build(settings(&server).compress(false));
    let rows = || Memo::new("rows").iter(|| (0..40_000_u32).map(|row| row | 1 << 31));
    runtime.scope(|| {
        assert_eq!(rows().count(), 40_000);
        assert_eq!(rows().count(), 40_000);
    });
    let times = server.times();
    assert!(times.len() > 50);
    // Steps from the same moment would have ever less.
    let most = times.iter().map(|(_, left)| *left).max();
    let last = times.last().map(|(_, left)| *left);
    assert!(most.is_some_and(|most| most <= BUDGET));
    assert!(last > Some(BUDGET.saturating_sub(Duration::from_secs(60))));
    assert_eq!(runtime.stats().hits, 1);
}

/// An async backend that never answers.
struct Silent;

impl AsyncBackend for Silent {
    fn get<'a>(&'a self, _: &'a str, _: Deadline) -> Answer<'a, Option<Bytes>> {
        Box::pin(pending())
    }
    fn set<'a>(&'a self, _: &'a str, _: Bytes, _: Duration, _: Deadline) -> Answer<'a, ()> {
        Box::pin(pending())
    }
    fn delete<'a>(&'a self, _: &'a str, _: Deadline) -> Answer<'a, ()> {
        Box::pin(pending())
    }
    fn limits(&self) -> Limits {
        Limits::new()
    }
}

/// If the deadline were not kept, these would never end.
#[test]
fn a_backend_that_never_answers_holds_nobody_up() {
    let runtime = || {
        let settings = Runtime::builder().async_backend(Silent);
        build(settings.budget(Duration::from_millis(5)))
    };
    for call in CALLS {
        let runtime = runtime();
        runtime.scope(|| assert_eq!((1..=4).map(call).sum::<u32>(), 10));
        assert_eq!(runtime.stats().unanswered, 4);
        runtime.scope(|| assert_eq!((1..=4).map(call).sum::<u32>(), 10));
        let Stats {
            unanswered,
            skipped,
            computations,
            ..
        } = runtime.stats();
        assert_eq!(
            (unanswered, skipped, computations),
            (5, 3, 8),
            "after five it is left alone"
        );
    }
    let runtime = runtime();
    runtime.scope(|| {
        let invalidated = smol::block_on(Memo::new("k").invalidate_async());
        assert!(!invalidated);
        assert!(!plain::prime(1));
        assert_eq!(Memo::new("rows").iter(|| 0..3_u8).count(), 3);
    });
}

/// What is sealed anew with the same budget as the lookup, at each question in turn.
#[cfg(feature = "encrypt")]
mod sealing_anew {
    use std::sync::atomic::AtomicBool;
    use std::task::{Context, Waker};

    use cache_memoize::Secret;

    use super::*;

    const STORED: usize = 3;
    /// Ten chunks.
    const LONG: usize = 40_000;

    fn memo() -> Memo {
        Memo::new("k").encrypt()
    }

    fn short() -> Vec<u8> {
        vec![7; STORED]
    }

    fn long() -> Vec<u8> {
        vec![7; LONG]
    }

    type Form = (fn() -> Vec<u8>, fn() -> Vec<u8>, &'static [&'static str]);

    /// What writes, what reads it or nothing, and what it asks when it seals anew.
    const FORMS: [Form; 4] = [
        (short, || memo().get_or_compute(Vec::new), &["fill"]),
        (
            short,
            || smol::block_on(memo().get_or_compute_async(nothing)),
            &["fill"],
        ),
        (long, || memo().get_or_compute(Vec::new), &["set", "fill"]),
        (
            long,
            || smol::block_on(memo().get_or_compute_async(nothing)),
            &["set", "fill"],
        ),
    ];

    async fn nothing() -> Vec<u8> {
        Vec::new()
    }

    fn secret(number: u8) -> Secret {
        let mut bytes = *b"\x9f\x3c\x5d\x0b\xe2\xa1\x47\x86\xb1\xe0\xc7\xd2\xf4\xa8\x93\x5e\x6c\x1b\x7d\x20\xa4\xe8\xf3\x91\x15\x9a\x42\x77\xcc\x08\xed\0";
        bytes[31] = number;
        Secret::from_bytes(bytes).expect("it is long enough")
    }

    fn ahead(backend: impl Backend) -> RuntimeBuilder {
        let settings = Runtime::builder().backend(backend);
        settings.secret(secret(2)).previous_secret(secret(1))
    }

    const LITTLE: Duration = Duration::from_millis(600);

    /// A server with what was stored there, stuck where it is sealed anew, and what has read it meanwhile.
    fn stuck_at(
        question: &'static str,
        value: fn() -> Vec<u8>,
        read: fn() -> Vec<u8>,
    ) -> (Server, Runtime) {
        let mut server = Server::new();
        let before = build(settings(&server).secret(secret(1)));
        before.scope(|| memo().get_or_compute(value));
        server.asked();
        server.stuck_at = Some(question);
        let runtime = build(ahead(server.clone()).budget(LITTLE));
        let read = runtime.scope(read);
        assert_eq!(read.len(), value().len(), "{question}: a hit stays one");
        let stats = runtime.stats();
        assert_eq!((stats.hits, stats.resealed, stats.faults), (1, 0, 1));
        server.stuck_at = None;
        (server, runtime)
    }

    #[test]
    fn sealing_anew_is_on_the_budget_of_the_call() {
        for (value, read, asks) in FORMS {
            for question in asks {
                let (server, runtime) = stuck_at(question, value, read);
                let asked = server.times();
                let writes = |name| ["set", "fill"].contains(name);
                let after = asked.iter().skip_while(|(name, _)| !writes(name));
                let after: Vec<_> = after.map(|(name, _)| *name).collect();
                // Half of the time is for reading, as long as there is something to read.
                match *question {
                    "set" => assert_eq!(after, ["set", "get_many", "get_many", "get_many"]),
                    _ => assert_eq!(after.last(), Some(&"fill")),
                }
                let left = |name| asked.iter().find(|(asked, _)| *asked == name);
                if let (Some((_, first)), Some((_, set))) = (asked.first(), left("set")) {
                    assert!(*first <= LITTLE && *set <= *first / 2, "{asked:?}");
                }
                is_free(&server, &runtime);
                let runtime = build(ahead(server).budget(BUDGET));
                assert_eq!(runtime.scope(read), value(), "{question}");
                assert_eq!(runtime.stats().resealed, 1, "{question}");
            }
        }
    }

    /// Nobody has to wait for the lease to run out; it is given up without being waited for.
    fn is_free(server: &Server, runtime: &Runtime) {
        let name = runtime.scope(|| memo().key());
        let (name, memory) = (name.as_str(), &server.memory);
        let patience = Instant::now() + Duration::from_secs(60);
        loop {
            let lookup = memory.get_or_lease(name, BUDGET, Deadline::NEVER);
            if let Ok(Lookup::Granted(lease)) = lookup {
                let released = memory.release(name, lease, Deadline::NEVER);
                return released.expect("it is in this process");
            }
            assert!(Instant::now() < patience, "the lease was not given up");
            thread::yield_now();
        }
    }

    /// Where no time is over and no answer comes.
    struct NeverFills(Memory, Arc<AtomicBool>);

    impl AsyncBackend for NeverFills {
        fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>> {
            Box::pin(ready(self.0.get(key, deadline)))
        }
        fn set<'a>(&'a self, _: &'a str, _: Bytes, _: Duration, _: Deadline) -> Answer<'a, ()> {
            Box::pin(pending())
        }
        fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()> {
            Box::pin(ready(self.0.delete(key, deadline)))
        }
        fn limits(&self) -> Limits {
            Limits::new().value_bytes(4096)
        }
        fn get_or_lease<'a>(
            &'a self,
            key: &'a str,
            life: Duration,
            deadline: Deadline,
        ) -> Answer<'a, Lookup> {
            Box::pin(ready(self.0.get_or_lease(key, life, deadline)))
        }
        fn fill<'a>(
            &'a self,
            _: &'a str,
            _: Lease,
            _: Bytes,
            _: Duration,
            _: Deadline,
        ) -> Answer<'a, bool> {
            Box::pin(pending())
        }
        fn release(&self, key: &str, lease: Lease) {
            let released = self.0.release(key, lease, Deadline::NEVER);
            self.1.store(released.is_ok(), SeqCst);
        }
    }

    #[test]
    fn who_is_dropped_while_it_seals_anew_gives_its_lease_up() {
        for value in [short, long] {
            let (server, released) = (Server::new(), Arc::new(AtomicBool::new(false)));
            let before = build(settings(&server).secret(secret(1)));
            before.scope(|| memo().get_or_compute(value));
            let never = NeverFills(server.memory.clone(), Arc::clone(&released));
            let settings = Runtime::builder().async_backend(never).budget(BUDGET);
            let runtime = build(settings.secret(secret(2)).previous_secret(secret(1)));
            let mut call = Box::pin(runtime.scope(|| memo().get_or_compute_async(nothing)));
            let context = &mut Context::from_waker(Waker::noop());
            let polled = runtime.scope(|| call.as_mut().poll(context));
            assert!(polled.is_pending(), "it waits for what it stores");
            assert!(!released.load(SeqCst));
            drop(call);
            assert!(released.load(SeqCst));
        }
    }
}

/// A backend whose async twin is another one, to tell the two apart.
struct Twofold {
    own: Memory,
    twin: Memory,
}

impl Backend for Twofold {
    forward!(own => get, set, delete);

    fn limits(&self) -> Limits {
        Limits::new()
    }
    fn async_twin(self: Arc<Self>) -> Option<Arc<dyn AsyncBackend>> {
        Some(Arc::new(cache_memoize::Unblock::new(self.twin.clone())))
    }
}

#[test]
fn an_async_twin_is_asked_by_async_functions_alone() {
    let (own, twin) = (Memory::new(1 << 20), Memory::new(1 << 20));
    let backend = Twofold {
        own: own.clone(),
        twin: twin.clone(),
    };
    build(Runtime::builder().backend(backend).budget(BUDGET)).scope(|| {
        assert_eq!(
            smol::block_on(Memo::new("k").get_or_compute_async(|| ready(1_u8))),
            1
        );
        assert_eq!((own.len(), twin.len()), (0, 1));
        assert_eq!(Memo::new("k").get_or_compute(|| 2_u8), 2);
        assert_eq!((own.len(), twin.len()), (1, 1));
    });
}

/// Fails where it is asked for the others.
struct Halfway(Memory);

impl Backend for Halfway {
    forward!(0 => get, set, delete, limits, get_or_lease, release);

    fn get_many(&self, _: &[&str], _: Deadline) -> Result<Vec<Option<Bytes>>, BackendError> {
        Err(BackendError::new("connection refused"))
    }
}

#[test]
fn a_lease_beside_a_failure_is_given_up() {
    let life = Duration::from_secs(60);
    let halfway = Halfway(Memory::new(1 << 20));
    for _ in 0..2 {
        let answer = halfway.get_many_or_lease("k", &["other"], life, Deadline::NEVER);
        assert!(answer.is_err());
    }
    let lookup = halfway.get_or_lease("k", life, Deadline::NEVER);
    assert!(matches!(lookup, Ok(Lookup::Granted(_))));
}

#[expect(dead_code, reason = "that it compiles is the test")]
fn futures_of_a_server_are_send(value: Memo) -> impl Future<Output = u8> + Send {
    value.get_or_compute_async(|| ready(1_u8))
}
