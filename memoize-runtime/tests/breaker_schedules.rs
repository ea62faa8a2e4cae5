//! The breaker under `shuttle`: the code as it is, with primitives that try out schedules in place of the system's.
//!
//! `BREAKER_SCHEDULES` sets how many; the default is what CI runs.

// What follows is part of the library, compiled a second time.
#![allow(
    dead_code,
    unused_imports,
    missing_docs,
    reason = "the library uses more of it than these tests do"
)]

mod shim {
    pub(crate) use shuttle::sync::atomic::AtomicU64;
}
#[path = "../src/breaker/mod.rs"]
mod breaker;

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use breaker::{Breaker, Change, Ending, Monotonic};
use shim::AtomicU64;
use shuttle::thread;

fn check(body: impl Fn() + Send + Sync + 'static) {
    let schedules =
        env::var("BREAKER_SCHEDULES").map_or(2_000, |count| count.parse().expect("a number"));
    let body = Arc::new(body);
    let same = Arc::clone(&body);
    shuttle::check_random(move || body(), schedules / 2);
    shuttle::check_pct(move || same(), schedules / 2, 3);
}

/// A breaker that has just opened, and its time.
fn open() -> (Arc<Breaker>, Arc<AtomicU64>) {
    let now = Arc::new(AtomicU64::new(0));
    let breaker = Breaker::new(Monotonic::Manual(Arc::clone(&now)));
    for _ in 0..5 {
        let permit = breaker.admit().expect("closed so far");
        permit.end(Ending::Failed);
    }
    assert!(breaker.is_open());
    (Arc::new(breaker), now)
}

#[test]
fn there_is_one_probe_at_a_time_and_none_gets_stuck() {
    check(|| {
        let (breaker, now) = open();
        now.store(10_000, Ordering::Relaxed);
        let (probing, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let callers: Vec<_> = [Some(Ending::Failed), None, Some(Ending::Unknown)]
            .into_iter()
            .map(|ending| {
                let (breaker, probing) = (Arc::clone(&breaker), Arc::clone(&probing));
                let most = Arc::clone(&most);
                thread::spawn(move || {
                    let Some(permit) = breaker.admit() else {
                        return;
                    };
                    let at_once = probing.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(at_once, Ordering::SeqCst);
                    thread::yield_now();
                    probing.fetch_sub(1, Ordering::SeqCst);
                    match ending {
                        Some(ending) => assert_eq!(permit.end(ending), None),
                        // Its future is dropped, or its thread panics.
                        None => drop(permit),
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().expect("no panic");
        }
        assert_eq!(most.load(Ordering::SeqCst), 1);
        // Whatever they came to, the next one may probe, and closes it.
        now.store(100_000, Ordering::Relaxed);
        let probe = breaker.admit().expect("nobody probes any more");
        assert!(breaker.admit().is_none());
        assert_eq!(probe.end(Ending::Answered), Some(Change::Closed));
        assert!(!breaker.is_open());
    });
}

#[test]
fn of_all_that_fail_one_opens_it() {
    check(|| {
        let breaker = Arc::new(Breaker::new(Monotonic::Manual(Arc::new(AtomicU64::new(0)))));
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let breaker = Arc::clone(&breaker);
                thread::spawn(move || {
                    let permits: Vec<_> = (0..3).filter_map(|_| breaker.admit()).collect();
                    permits
                        .into_iter()
                        .filter_map(|permit| permit.end(Ending::Failed))
                        .count()
                })
            })
            .collect();
        let asked_after = breaker.admit();
        let opened: usize = callers
            .into_iter()
            .map(|caller| caller.join().expect("no panic"))
            .sum();
        assert!(opened <= 1);
        assert_eq!(opened == 1, breaker.is_open());
        drop(asked_after);
        assert_eq!(
            opened == 1,
            breaker.is_open(),
            "what was asked before has no say"
        );
    });
}

/// What is told is logged: once when it opens and once when it closes, however often it is probed between.
#[test]
fn it_tells_when_it_opens_and_when_it_closes() {
    let steps = || {
        let now = Arc::new(AtomicU64::new(0));
        let breaker = Breaker::new(Monotonic::Manual(Arc::clone(&now)));
        let changes = |ending: Ending| -> Vec<Change> {
            let questions = (0..100).map(|_| {
                now.fetch_add(1_000, Ordering::Relaxed);
                breaker.admit()
            });
            let permits = questions.flatten();
            permits.filter_map(|permit| permit.end(ending)).collect()
        };
        assert_eq!(changes(Ending::Answered), []);
        assert_eq!(changes(Ending::Failed), [Change::Opened]);
        assert_eq!(changes(Ending::Answered), [Change::Closed]);
        assert_eq!(changes(Ending::Failed), [Change::Opened]);
    };
    shuttle::check_random(steps, 1);
}
