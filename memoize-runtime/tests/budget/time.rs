//! What counts for the budget, what doesn't, and what is done when it is used up.

use std::future::{pending, ready};
use std::panic::resume_unwind;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use cache_memoize::{
    Answer, AsyncBackend, Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup, Memo,
    Memory, Runtime, Stats,
};
use futures::StreamExt;

use super::forward::forward;
use super::{BUDGET, CALLS, Server, build, plain, settings};

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
fn what_takes_too_long_to_read_is_invalidated_all_the_same() {
    let invalidate: [fn() -> bool; 2] = [
        || Memo::new("k").invalidate(),
        || smol::block_on(Memo::new("k").invalidate_async()),
    ];
    for invalidate in invalidate {
        let stuck = Server {
            stuck_at: Some("get"),
            ..Server::new()
        };
        let runtime = build(settings(&stuck).budget(Duration::from_secs(1)));
        runtime.scope(|| {
            assert_eq!(CALLS[0](1), 1);
            assert!(invalidate());
            assert_eq!(CALLS[0](2), 2);
        });
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
