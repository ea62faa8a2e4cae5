//! Single flight under `shuttle`: the code as it is, with primitives that try out schedules in place of the system's.
//!
//! `FLIGHT_SCHEDULES` sets how many of each case; CI runs 10⁵.

// What follows is part of the library, compiled a second time.
#![allow(
    dead_code,
    unused_imports,
    missing_docs,
    reason = "the library uses more of it than these tests do"
)]

mod shim {
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use shuttle::thread_local;

    /// Each is made anew in each schedule.
    pub(crate) const SHARDS: usize = 2;

    pub(crate) fn check(test: impl Fn() + Send + Sync + 'static) {
        shuttle::check_random(test, 1);
    }
}
mod around;
#[path = "../../../../memoize-runtime/src/flight/mod.rs"]
mod flight;
mod followers;
#[path = "../../../../memoize-runtime/src/guard.rs"]
mod guard;
#[path = "../../../../memoize-runtime/src/locks.rs"]
mod locks;
#[path = "../../../../memoize-runtime/src/progress/mod.rs"]
mod progress;
#[path = "../../../../memoize-runtime/src/shards.rs"]
mod shards;
#[path = "../../../../memoize-runtime/src/sleepers.rs"]
mod sleepers;

use around::{backend, call, entry, hidden};

use std::env;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use flight::{Flights, Joined, Leader, Node, Part, Waiter, block_on};
use shuttle::{future, thread};

fn check(body: impl Fn() + Send + Sync + 'static) {
    let schedules =
        env::var("FLIGHT_SCHEDULES").map_or(2_000, |count| count.parse().expect("a number"));
    // Half of them at random, half with few switches at the worst moments.
    let body = Arc::new(body);
    let same = Arc::clone(&body);
    shuttle::check_random(move || body(), schedules / 2);
    shuttle::check_pct(move || same(), schedules / 2, 3);
}

/// What a caller's body does.
#[derive(Clone, Copy, PartialEq)]
enum Body {
    Returns,
    /// It panics, or gives an `Err`, or what can't be stored: for the flight all the same.
    Fails,
}

/// The callers of one key, what ran, and what came out.
struct World {
    flights: Flights<usize, u64>,
    /// The number of the latest invalidation.
    version: AtomicUsize,
    runs: AtomicUsize,
    failures: AtomicUsize,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            flights: Flights::new(),
            version: AtomicUsize::new(0),
            runs: AtomicUsize::new(0),
            failures: AtomicUsize::new(0),
        })
    }

    fn join(&self) -> Joined<usize, u64> {
        self.flights.join(process::id(), "key", 0, false)
    }

    /// Computes as a thread does; the value is the version that was current when the computation began.
    fn compute(&self, leader: Option<Leader<usize, u64>>, body: Body) -> Option<usize> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let version = self.version.load(Ordering::SeqCst);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let _running = leader.as_ref().map(Leader::run);
            thread::yield_now();
            if body == Body::Fails {
                // Without the hook, which prints.
                resume_unwind(Box::new("as it should"));
            }
        }));
        if ran.is_err() {
            self.failures.fetch_add(1, Ordering::SeqCst);
            if let Some(leader) = &leader {
                leader.computed();
            }
            return None;
        }
        if let Some(leader) = leader {
            leader.land(version);
            thread::yield_now();
        }
        Some(version)
    }

    fn play(&self, part: Part<usize, u64>, body: Body) -> Option<usize> {
        match part {
            Part::Leads(leader) => self.compute(Some(leader), body),
            Part::Landed(value) => Some(value),
            Part::Alone | Part::Beside | Part::Inside => self.compute(None, body),
        }
    }

    /// One call, on a thread.
    fn call(&self, body: Body) -> Option<usize> {
        let part = match self.join() {
            Joined::Plays(part) => part,
            Joined::Waits(waiter) => block_on(pin!(waiter), None).expect("it waits without end"),
        };
        self.play(part, body)
    }

    /// One call, in a task.
    async fn call_async(&self, body: Body) -> Option<usize> {
        let part = match self.join() {
            Joined::Plays(part) => part,
            Joined::Waits(waiter) => waiter.await,
        };
        self.play(part, body)
    }

    /// One call that has waited long enough, or is cancelled, after its first look.
    fn call_impatiently(&self) -> Option<usize> {
        let part = match self.join() {
            Joined::Plays(part) => part,
            Joined::Waits(mut waiter) => {
                let polled = Pin::new(&mut waiter).poll(&mut Context::from_waker(Waker::noop()));
                thread::yield_now();
                match polled {
                    Poll::Ready(part) => part,
                    Poll::Pending => return None,
                }
            }
        };
        self.play(part, Body::Returns)
    }

    /// One call that has waited long enough after its first look, each time.
    fn call_relieving(&self, body: Body) -> Option<usize> {
        let mut joined = self.join();
        let part = loop {
            match joined {
                Joined::Plays(part) => break part,
                Joined::Waits(mut waiter) => {
                    match Pin::new(&mut waiter).poll(&mut Context::from_waker(Waker::noop())) {
                        Poll::Ready(part) => break part,
                        Poll::Pending => joined = waiter.relieve(),
                    }
                }
            }
        };
        self.play(part, body)
    }

    /// One who waits, has waited long enough, and waits on for whoever computes in place of the leader.
    fn relieve_and_wait(&self, waiter: Waiter<usize, u64>, body: Body) -> Option<usize> {
        let part = match waiter.relieve() {
            Joined::Plays(part) => part,
            Joined::Waits(again) => block_on(pin!(again), None).expect("it waits without end"),
        };
        self.play(part, body)
    }

    fn invalidate(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
        self.flights.void("key");
    }

    /// Nothing is left, and who computed had a reason to.
    fn is_settled(&self) {
        assert_eq!(self.flights.sizes(), (0, 0), "flights and waits left");
    }
}

fn call_on_threads(world: &Arc<World>, bodies: &[Body]) -> Vec<Option<usize>> {
    let callers: Vec<_> = bodies
        .iter()
        .map(|&body| {
            let world = Arc::clone(world);
            thread::spawn(move || world.call(body))
        })
        .collect();
    callers
        .into_iter()
        .map(|caller| caller.join().expect("a caller's own panic is caught"))
        .collect()
}

#[test]
fn callers_that_come_while_one_computes_get_its_value() {
    check(|| {
        let world = World::new();
        let Joined::Plays(Part::Leads(leader)) = world.join() else {
            panic!("the first one leads")
        };
        let callers: Vec<_> = (0..4)
            .map(|index| {
                // Each joins before the value lands, so nobody has a reason to compute.
                let joined = world.join();
                let Joined::Waits(waiter) = joined else {
                    panic!("one leads already")
                };
                if index % 2 == 0 {
                    thread::spawn(move || block_on(pin!(waiter), None).expect("without end"))
                } else {
                    thread::spawn(move || future::block_on(waiter))
                }
            })
            .collect();
        leader.land(7);
        drop(leader);
        for caller in callers {
            assert!(matches!(caller.join().expect("no panic"), Part::Landed(7)));
        }
        world.is_settled();
    });
}

#[test]
fn a_leader_that_is_relieved_leaves_nobody_waiting() {
    check(|| {
        let world = World::new();
        let relieving = [Body::Returns, Body::Fails].map(|body| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.call_relieving(body))
        });
        let values = call_on_threads(&world, &[Body::Returns, Body::Fails, Body::Returns]);
        assert!(values[0].is_some() && values[2].is_some());
        let [returns, _] = relieving.map(|caller| caller.join().expect("caught"));
        assert!(returns.is_some());
        world.is_settled();
    });
}

/// Their patience ends at one time, and the leader is stuck.
#[test]
fn of_those_who_are_impatient_at_once_one_computes() {
    for (bodies, invalidates, most) in [
        ([Body::Returns; 3], false, 1),
        ([Body::Fails, Body::Returns, Body::Returns], false, 2),
        // Who comes when that flight has ended begins another.
        ([Body::Returns; 3], true, 3),
    ] {
        check(move || {
            let world = World::new();
            let Joined::Plays(Part::Leads(stuck)) = world.join() else {
                panic!("the first one leads")
            };
            let waiters = bodies.map(|body| match world.join() {
                Joined::Waits(waiter) => (waiter, body),
                Joined::Plays(_) => panic!("one leads already"),
            });
            if invalidates {
                world.invalidate();
            }
            let callers = waiters.map(|(waiter, body)| {
                let world = Arc::clone(&world);
                thread::spawn(move || world.relieve_and_wait(waiter, body))
            });
            let values = callers.map(|caller| caller.join().expect("caught"));
            let version = usize::from(invalidates);
            assert!(values.iter().flatten().all(|value| *value == version));
            assert!(values.iter().flatten().count() >= 2);
            assert!(world.runs.load(Ordering::SeqCst) <= most);
            drop(stuck);
            world.is_settled();
        });
    }
}

#[test]
fn one_failure_is_one_more_computation() {
    check(|| {
        let world = World::new();
        let values = call_on_threads(
            &world,
            &[Body::Fails, Body::Returns, Body::Returns, Body::Returns],
        );
        // The one that would fail may get the value of another.
        assert!(values.iter().flatten().count() >= 3);
        // Who comes after a flight has ended begins another, as nothing is stored here.
        let (runs, failures) = (
            world.runs.load(Ordering::SeqCst),
            world.failures.load(Ordering::SeqCst),
        );
        assert!((1..=4).contains(&runs) && failures <= 1);
        world.is_settled();
    });
}

/// All callers join before the first leader ends, so that each computation has its reason in a failure.
#[test]
fn computations_are_at_most_one_and_the_failures() {
    check(|| {
        for fails in 0..3 {
            let world = World::new();
            let Joined::Plays(Part::Leads(leader)) = world.join() else {
                panic!("the first one leads")
            };
            let callers: Vec<_> = (1..5)
                .map(|index| {
                    let Joined::Waits(waiter) = world.join() else {
                        panic!("one leads already")
                    };
                    let world = Arc::clone(&world);
                    thread::spawn(move || {
                        let part = block_on(pin!(waiter), None).expect("without end");
                        let nth = world.runs.load(Ordering::SeqCst);
                        let body = if index == 1 && fails == 2 || nth < fails {
                            Body::Fails
                        } else {
                            Body::Returns
                        };
                        world.play(part, body)
                    })
                })
                .collect();
            let body = if fails > 0 {
                Body::Fails
            } else {
                Body::Returns
            };
            world.compute(Some(leader), body);
            for caller in callers {
                caller.join().expect("a caller's own panic is caught");
            }
            let (runs, failures) = (
                world.runs.load(Ordering::SeqCst),
                world.failures.load(Ordering::SeqCst),
            );
            if failures < 2 {
                assert_eq!(runs, 1 + failures);
            } else {
                // The rest compute side by side.
                assert_eq!(runs, 5);
            }
            world.is_settled();
        }
    });
}

#[test]
fn threads_tasks_and_those_that_give_up_all_come_to_an_end() {
    check(|| {
        let world = World::new();
        let thread_call = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.call(Body::Fails))
        };
        let task_call = {
            let world = Arc::clone(&world);
            future::spawn(async move { world.call_async(Body::Returns).await })
        };
        let cancelled = {
            let world = Arc::clone(&world);
            future::spawn(async move { world.call_async(Body::Fails).await })
        };
        let impatient = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.call_impatiently())
        };
        thread::yield_now();
        cancelled.abort();
        let _ = future::block_on(cancelled);
        thread_call.join().expect("caught");
        assert_eq!(future::block_on(task_call).expect("not aborted"), Some(0));
        impatient.join().expect("no panic");
        world.is_settled();
    });
}

/// P10: who comes after an invalidation gets nothing that began before it.
#[test]
fn an_invalidation_wins() {
    check(|| {
        let world = World::new();
        let before = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.call(Body::Returns))
        };
        let invalidation = {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                world.invalidate();
                let value = world.call(Body::Returns);
                assert_eq!(value, Some(1));
            })
        };
        let failing = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.call(Body::Fails))
        };
        before.join().expect("no panic").expect("a value");
        invalidation.join().expect("the newer version");
        failing.join().expect("caught");
        world.is_settled();
    });
}

/// P6: each leads what the others want next.
#[test]
fn circles_of_keys_do_not_deadlock() {
    fn call(flights: &Flights<usize, u64>, keys: &[&str], depth: usize) {
        let part = match flights.join(process::id(), keys[0], 0, false) {
            Joined::Plays(part) => part,
            Joined::Waits(waiter) => block_on(pin!(waiter), None).expect("without end"),
        };
        let leader = match part {
            Part::Leads(leader) => Some(leader),
            Part::Landed(_) => return,
            Part::Alone | Part::Beside | Part::Inside => None,
        };
        let running = leader.as_ref().map(Leader::run);
        if depth > 0 {
            call(flights, &[keys[1], keys[2], keys[0]], depth - 1);
        }
        drop(running);
        if let Some(leader) = leader {
            leader.land(0);
        }
    }
    check(|| {
        let flights = Flights::new();
        let callers: Vec<_> = [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]]
            .into_iter()
            .map(|keys| {
                let flights = flights.clone();
                thread::spawn(move || call(&flights, &keys, 4))
            })
            .collect();
        for caller in callers {
            caller.join().expect("no panic");
        }
        assert_eq!(flights.sizes(), (0, 0));
    });
}

/// What a thread writes, for others to follow: they wait for its end.
#[derive(Default)]
struct Written {
    ended: shuttle::sync::Mutex<bool>,
    changed: shuttle::sync::Condvar,
}

impl Written {
    fn end(&self) {
        *self.ended.lock().expect("nobody panics in here") = true;
        self.changed.notify_all();
    }

    fn follow(&self) {
        let mut ended = self.ended.lock().expect("nobody panics in here");
        while !*ended {
            ended = self.changed.wait(ended).expect("nobody panics in here");
        }
    }
}

/// The number of a thread.
fn number(index: usize) -> u64 {
    index as u64 + 1
}

#[test]
fn of_threads_that_follow_each_other_in_a_circle_one_sees_it() {
    check(|| {
        let flights = Flights::<usize, u64>::new();
        let written: Arc<[Written; 3]> = Arc::default();
        let threads = [0, 1, 2].map(|me| {
            let (flights, written) = (flights.clone(), Arc::clone(&written));
            thread::spawn(move || {
                let next = (me + 1) % 3;
                let blocked = flights.block(number(me), Node::Thread(number(next)));
                if blocked.is_some() {
                    written[next].follow();
                }
                written[me].end();
                blocked.is_none()
            })
        });
        let saw = threads.map(|thread| thread.join().expect("no panic"));
        assert_eq!(saw.into_iter().filter(|&saw| saw).count(), 1);
        assert_eq!(flights.sizes(), (0, 0));
    });
}

/// Each of two threads writes what the other would follow if it leads the key, which may be invalidated, and each may fail.
#[test]
fn a_circle_over_a_flight_and_what_who_waits_for_it_writes_is_seen() {
    fn call(flights: &Flights<usize, u64>, written: &[Written; 2], me: usize, fails: bool) {
        let other = 1 - me;
        let joined = match flights.join(process::id(), "key", 0, false) {
            Joined::Waits(waiter) => waiter.block(number(me)),
            Joined::Plays(part) => Joined::Plays(part),
        };
        let part = match joined {
            Joined::Plays(part) => part,
            Joined::Waits(waiter) => block_on(pin!(waiter), None).expect("without end"),
        };
        if let Part::Leads(leader) = part {
            let running = leader.run();
            if let Some(_blocked) = flights.block(number(me), Node::Thread(number(other))) {
                written[other].follow();
            }
            drop(running);
            if !fails {
                leader.land(0);
            }
        }
        written[me].end();
    }
    for fails in [false, true] {
        check(move || {
            let flights = Flights::new();
            let written: Arc<[Written; 2]> = Arc::default();
            let calls = [0, 1].map(|me| {
                let (flights, written) = (flights.clone(), Arc::clone(&written));
                thread::spawn(move || call(&flights, &written, me, fails))
            });
            flights.void("key");
            for call in calls {
                call.join().expect("no panic");
            }
            assert_eq!(flights.sizes(), (0, 0));
        });
    }
}

/// It computed earlier, however late it comes.
#[test]
fn a_leader_that_was_relieved_lands_nothing_over_a_newer_value() {
    let once = || {
        let flights = Flights::<usize, u64>::new();
        let join = || flights.join(process::id(), "key", 0, false);
        let Joined::Plays(Part::Leads(slow)) = join() else {
            panic!("it is the first");
        };
        let Joined::Waits(waiter) = join() else {
            panic!("another leads");
        };
        let Joined::Plays(Part::Leads(newer)) = waiter.relieve() else {
            panic!("it has waited long enough");
        };
        for (leader, value, expected) in [(&slow, 1, 1), (&newer, 2, 2), (&slow, 3, 2)] {
            leader.land(value);
            let landed = match join() {
                Joined::Plays(Part::Landed(landed)) => Some(landed),
                _ => None,
            };
            assert_eq!(landed, Some(expected));
        }
    };
    shuttle::check_random(once, 1);
}

/// What a thread waits for after an invalidation is another flight than before.
#[test]
fn a_thread_that_waits_for_a_new_flight_is_known_to() {
    fn waits(joined: Joined<usize, u64>) -> Waiter<usize, u64> {
        match joined {
            Joined::Waits(waiter) => waiter,
            Joined::Plays(_) => panic!("another leads"),
        }
    }
    let once = || {
        for is_relieved in [false, true] {
            let flights = Flights::<usize, u64>::new();
            let join = || flights.join(process::id(), "key", 0, false);
            let Joined::Plays(Part::Leads(old)) = join() else {
                panic!("it is the first");
            };
            let mut waiter = waits(waits(join()).block(1));
            flights.void("key");
            let Joined::Plays(Part::Leads(new)) = join() else {
                panic!("the old one is out of sight");
            };
            if is_relieved {
                waiter = waits(waiter.relieve());
            }
            drop(old);
            let context = &mut Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut waiter).poll(context).is_pending());

            // The new leader would follow what that thread writes.
            let running = new.run();
            assert!(flights.block(2, Node::Thread(1)).is_none());
            drop(waiter);
            assert!(flights.block(2, Node::Thread(1)).is_some());
            drop((running, new));
            assert_eq!(flights.sizes(), (0, 0));
        }
    };
    shuttle::check_random(once, 1);
}

/// A backend's lease of one key: at most one stands, and it is granted where none does and nothing is stored.
#[derive(Default)]
struct Shelf {
    standing: shuttle::sync::Mutex<Option<u64>>,
    granted: AtomicUsize,
    stored: AtomicUsize,
}

impl Shelf {
    /// As a lookup of a key that nothing is stored under; `None` is busy.
    fn ask(&self) -> Option<u64> {
        let mut standing = self.standing.lock().expect("nobody panics in here");
        if standing.is_some() {
            return None;
        }
        let lease = self.granted.fetch_add(1, Ordering::SeqCst) as u64 + 1;
        *standing = Some(lease);
        Some(lease)
    }

    /// Ends the lease if it stands.
    fn take(&self, lease: u64) -> bool {
        let mut standing = self.standing.lock().expect("nobody panics in here");
        let stands = *standing == Some(lease);
        if stands {
            *standing = None;
        }
        stands
    }
}

/// Looks up first and joins then, as the drivers do; says whether it computed.
fn look_up_and_join(flights: &Flights<usize, u64>, shelf: &Shelf, body: Body, patient: bool) {
    let mut lease = shelf.ask();
    let mut offer = None;
    thread::yield_now();
    let part = match flights.join(process::id(), "key", 0, false) {
        Joined::Plays(part) => part,
        Joined::Waits(mut waiter) => {
            if let Some(granted) = lease.take() {
                match waiter.offer(granted) {
                    Ok(offered) => offer = Some(offered),
                    Err(granted) => assert!(shelf.take(granted), "it was the standing one"),
                }
            }
            if patient {
                block_on(pin!(waiter), None).expect("without end")
            } else {
                match Pin::new(&mut waiter).poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(part) => part,
                    // Cancelled.
                    Poll::Pending => Part::Landed(0),
                }
            }
        }
    };
    lease = lease.or_else(|| offer.and_then(|offer| offer.take_back()));
    let leader = match part {
        Part::Leads(leader) => Some(leader),
        Part::Alone | Part::Beside | Part::Inside => None,
        Part::Landed(_) => {
            if let Some(lease) = lease {
                shelf.take(lease);
            }
            return;
        }
    };
    if let (None, Some(leader)) = (lease, &leader) {
        // Asked again, and waited for: whoever has it offers it, or gives it up.
        lease = shelf.ask();
        while lease.is_none() {
            let offered =
                Pin::new(&mut pin!(leader.offered())).poll(&mut Context::from_waker(Waker::noop()));
            lease = match offered {
                Poll::Ready(lease) => Some(lease),
                Poll::Pending => {
                    thread::yield_now();
                    shelf.ask()
                }
            };
        }
    }
    if let Some(leader) = &leader {
        lease = leader.settle(lease);
    }
    thread::yield_now();
    if body == Body::Returns {
        if let Some(leader) = &leader {
            leader.land(1);
        }
        if lease.take().is_some_and(|lease| shelf.take(lease)) {
            shelf.stored.fetch_add(1, Ordering::SeqCst);
        }
    }
    if let Some(lease) = lease {
        shelf.take(lease);
    }
}

/// A lease goes from the one that was granted it to the one that leads, and never gets lost.
#[test]
fn no_lease_is_lost_on_the_way_to_the_leader() {
    check(|| {
        let (flights, shelf) = (Flights::new(), Arc::new(Shelf::default()));
        let callers: Vec<_> = [
            (Body::Returns, true),
            (Body::Fails, true),
            (Body::Returns, false),
        ]
        .into_iter()
        .map(|(body, patient)| {
            let (flights, shelf) = (flights.clone(), Arc::clone(&shelf));
            thread::spawn(move || look_up_and_join(&flights, &shelf, body, patient))
        })
        .collect();
        for caller in callers {
            caller.join().expect("no panic");
        }
        assert_eq!(flights.sizes(), (0, 0));
        let standing = *shelf.standing.lock().expect("nobody panics in here");
        assert_eq!(
            standing, None,
            "everybody who had a lease used it or gave it up"
        );
    });
}

/// Nothing but the offer wakes the leader here.
#[test]
fn an_offer_wakes_the_leader() {
    check(|| {
        let flights = Flights::<usize, u64>::new();
        let Joined::Plays(Part::Leads(leader)) = flights.join(process::id(), "key", 0, false)
        else {
            panic!("the first one leads")
        };
        let offering = {
            let flights = flights.clone();
            thread::spawn(move || {
                let Joined::Waits(waiter) = flights.join(process::id(), "key", 0, false) else {
                    panic!("one leads already")
                };
                let Ok(offer) = waiter.offer(7) else {
                    panic!("the leader seeks one")
                };
                let part = block_on(pin!(waiter), None).expect("without end");
                assert!(matches!(part, Part::Landed(1)));
                assert_eq!(offer.take_back(), None, "the leader has it");
            })
        };
        let offered = block_on(pin!(leader.offered()), None).expect("without end");
        assert_eq!(leader.settle(Some(offered)), Some(7));
        leader.land(1);
        drop(leader);
        offering.join().expect("no panic");
        assert_eq!(flights.sizes(), (0, 0));
    });
}

/// What is computed already may be older than the lease.
#[test]
fn who_computes_takes_no_lease() {
    let steps = || {
        let flights = Flights::<usize, u64>::new();
        let Joined::Plays(Part::Leads(leader)) = flights.join(process::id(), "key", 0, false)
        else {
            panic!("the first one leads")
        };
        let join = || match flights.join(process::id(), "key", 0, false) {
            Joined::Waits(waiter) => waiter,
            Joined::Plays(_) => panic!("one leads already"),
        };
        let before = join();
        let Ok(offer) = before.offer(7) else {
            panic!("it seeks one")
        };
        assert_eq!(leader.settle(None), Some(7));
        assert_eq!(join().offer(8).err(), Some(8));
        assert_eq!(offer.take_back(), None);
    };
    shuttle::check_random(steps, 1);
}

/// Another process than this one, as the child of a fork is.
fn child() -> u32 {
    process::id() ^ 1
}

#[test]
fn a_forked_child_waits_for_nobody_who_is_not_there() {
    check(|| {
        let flights = Flights::<usize, u64>::new();
        let Joined::Plays(Part::Leads(parents)) = flights.join(process::id(), "key", 0, false)
        else {
            panic!("it is the first");
        };
        assert!(matches!(
            flights.join(process::id(), "key", 0, false),
            Joined::Waits(_)
        ));

        let Joined::Plays(Part::Leads(childs)) = flights.join(child(), "key", 0, false) else {
            panic!("nobody else is there");
        };
        let waits = flights.join(child(), "key", 0, false);
        assert!(matches!(waits, Joined::Waits(_)), "for the child's own");
        drop(waits);

        // The parent's may end or not: the child's stands, and ends as any.
        let ends = thread::spawn(move || drop(parents));
        childs.land(7);
        ends.join().expect("it ends");
        assert_eq!(flights.sizes(), (1, 0));
        let landed = flights.join(child(), "key", 0, false);
        assert!(matches!(landed, Joined::Plays(Part::Landed(7))));
        drop(landed);
        drop(childs);
        assert_eq!(flights.sizes(), (0, 0));
    });
}

#[test]
fn a_body_that_forked_is_not_waited_for_by_itself() {
    let once = || {
        let flights = Flights::<usize, u64>::new();
        let Joined::Plays(Part::Leads(leader)) = flights.join(process::id(), "key", 0, false)
        else {
            panic!("it is the first");
        };
        let _running = leader.run();
        let inside = flights.join(child(), "key", 0, false);
        assert!(matches!(inside, Joined::Plays(Part::Inside)));
    };
    shuttle::check_random(once, 1);
}

/// What lands in a flight, as an error that is shared is: its `Drop` is the user's code, which may call what it likes.
#[derive(Clone)]
struct Calls(Option<Flights<Calls, u64>>);

impl Drop for Calls {
    fn drop(&mut self) {
        if let Some(flights) = self.0.take() {
            flights.void("key");
        }
    }
}

#[test]
fn what_another_leader_landed_is_dropped_without_a_lock() {
    let once = || {
        let flights = Flights::<Calls, u64>::new();
        let Joined::Plays(Part::Leads(leader)) = flights.join(process::id(), "key", 0, false)
        else {
            panic!("it is the first");
        };
        leader.land(Calls(Some(flights.clone())));
        assert_eq!(flights.sizes(), (1, 0));
        // As the one does that relieves it.
        leader.land(Calls(None));
        assert_eq!(
            flights.sizes(),
            (0, 0),
            "it was dropped, and voided the flight"
        );
    };
    shuttle::check_random(once, 1);
}
