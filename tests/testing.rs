//! What the feature `testing` gives to the tests of memoized code.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use cache_memoize::{Memory, Runtime, cache_memoize};
use memoize_runtime::testing::{
    Event, Recorder, isolated, isolated_async, recorded, recorded_async, uncached, uncached_async,
};

#[cache_memoize(key = "run:<x>", skip(runs))]
fn counted(x: u64, runs: &AtomicU64) -> u64 {
    runs.fetch_add(1, Ordering::Relaxed);
    x
}

#[cache_memoize(key = "awaited:<x>", skip(runs))]
async fn awaited(x: u64, runs: &AtomicU64) -> u64 {
    runs.fetch_add(1, Ordering::Relaxed);
    x
}

#[cache_memoize(key = "items:<x>", skip(runs))]
fn items(x: u64, runs: &AtomicU64) -> impl Iterator<Item = u64> {
    runs.fetch_add(1, Ordering::Relaxed);
    0..x
}

struct Square(u64);

struct Shelf<T>(T);

impl Square {
    #[cache_memoize(key = "area:<self.0>")]
    fn area(&self) -> u64 {
        self.0 * self.0
    }
}

trait Length {
    async fn length(&self) -> u64;
}

impl Length for Shelf<u64> {
    #[cache_memoize(key = "length:<self.0>")]
    async fn length(&self) -> u64 {
        self.0
    }
}

/// What is awaited here never waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn isolated_bodies_see_nothing_of_each_other() {
    let runs = AtomicU64::new(0);
    isolated(|| {
        counted(1, &runs);
        assert_eq!(isolated(|| counted::peek(1)), None);
        assert_eq!(counted::peek(1), Some(1));
    });
    assert_eq!(isolated(|| counted::peek(1)), None);
    now(isolated_async(async {
        awaited(1, &runs).await;
        awaited(1, &runs).await;
        assert_eq!(now(isolated_async(awaited::peek(1))), None);
    }));
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

#[test]
fn uncached_functions_run_each_time() {
    let runs = AtomicU64::new(0);
    uncached(|| {
        for _ in 0..3 {
            counted(1, &runs);
            assert_eq!(items(4, &runs).count(), 4);
        }
        assert_eq!(counted::peek(1), None);
        assert!(!counted::prime(1, 1));
        assert_eq!(counted::refresh(1, &runs), 1);
        assert!(counted::invalidate(1));
        let stats = Runtime::current().stats();
        assert_eq!(
            (stats.computations, stats.misses(), stats.stores),
            (7, 0, 0)
        );
        assert_eq!((stats.bypassed, stats.unsealed, stats.dropped), (0, 0, 0));
    });
    now(uncached_async(async {
        for _ in 0..3 {
            awaited(1, &runs).await;
        }
        assert_eq!(awaited::peek(1).await, None);
    }));
    assert_eq!(runs.load(Ordering::Relaxed), 10);
}

#[test]
fn without_caching_an_invalidation_still_reaches_what_others_stored() {
    let memory = Memory::new(1 << 20);
    let runs = AtomicU64::new(0);
    let runtime = |caching| {
        let builder = Runtime::builder().backend(memory.clone()).caching(caching);
        builder.build().expect("valid settings")
    };
    runtime(true).scope(|| counted(5, &runs));
    runtime(false).scope(|| {
        assert_eq!(counted::peek(5), None);
        assert!(counted::invalidate(5));
    });
    assert_eq!(runtime(true).scope(|| counted::peek(5)), None);
}

#[test]
fn what_the_cache_did_is_recorded_in_order() {
    let runs = AtomicU64::new(0);
    let ((), records) = recorded(|| {
        counted(1, &runs);
        counted(1, &runs);
        counted::invalidate(1);
    });
    let path = concat!(module_path!(), "::counted");
    assert!(records.iter().all(|record| record.function == path));
    let events: Vec<Event> = records.iter().map(|record| record.event).collect();
    let miss = [Event::Absent, Event::Computed, Event::Stored];
    assert_eq!(
        events,
        [&miss[..], &[Event::Hit, Event::Invalidated]].concat()
    );

    let (_, records) = now(recorded_async(awaited(1, &runs)));
    let events: Vec<Event> = records.iter().map(|record| record.event).collect();
    assert_eq!(events, miss);
}

#[test]
fn functions_are_called_what_their_keys_call_them() {
    #[cache_memoize(key = "inner:<n>")]
    fn inner(n: u64) -> u64 {
        n
    }

    let ((), records) = recorded(|| {
        Square(2).area();
        now(Shelf(3).length());
        inner(1);
    });
    let mut functions: Vec<&str> = records.iter().map(|record| &*record.function).collect();
    functions.dedup();
    let path = module_path!();
    let named = [
        format!("{path}::Square::area"),
        format!("<{path}::Shelf<u64> as {path}::Length>::length"),
        // Without the line that its default key would have.
        format!("{path}::functions_are_called_what_their_keys_call_them::inner"),
    ];
    assert_eq!(functions, named);
}

#[test]
fn recorders_see_what_happens_while_they_live() {
    let runs = AtomicU64::new(0);
    let runtime = Runtime::builder().build().expect("valid settings");
    let all = Recorder::of(&runtime);
    let call = || runtime.scope(|| counted(1, &runs));
    call();
    let later = Recorder::of(&runtime);
    call();
    assert_eq!(later.events(), [Event::Hit]);
    drop(later);
    call();
    assert_eq!(all.events().len(), 5);
    isolated(|| counted(1, &runs));
    assert_eq!(all.events().len(), 5, "of another runtime it knows nothing");
}
