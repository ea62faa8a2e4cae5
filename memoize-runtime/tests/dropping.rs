//! Types whose `Drop` panics: what the cache drops of them is its own, and no function fails by it.

mod common;

use std::future::Future;
use std::mem::forget;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use cache_memoize::{Memo, cache_memoize};
use common::{logged, runtime};
use futures::channel::oneshot;
use futures::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};

/// Panics, unless that would end the process.
fn panic_once() {
    assert!(thread::panicking(), "a bug in a `Drop`");
}

static DROPPED: AtomicU32 = AtomicU32::new(0);

#[derive(Clone, Serialize, Deserialize)]
struct Undroppable(u64);

impl Drop for Undroppable {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
        panic_once();
    }
}

#[cache_memoize(key = "undroppable:<n>")]
fn undroppable(n: u64) -> Undroppable {
    Undroppable(n)
}

#[test]
fn a_value_that_panics_when_it_is_dropped_is_not_stored_and_the_log_says_so_once() {
    let runtime = runtime();
    let log = logged(|| {
        runtime.scope(|| {
            forget(undroppable(0));
            let dropped = DROPPED.load(Ordering::Relaxed);
            assert!(dropped > 0, "it was read back");
            (1..40).for_each(|n| forget(undroppable(n)));
            assert_eq!(DROPPED.load(Ordering::Relaxed), dropped, "only then");
        });
    });
    let stats = runtime.stats();
    assert_eq!((stats.stores, stats.unstorable), (0, 40));
    assert_eq!(log.matches("could not be stored").count(), 1, "{log}");
    assert!(log.contains("`Drop` panicked"), "{log}");
}

/// Whose traced form is a whole value.
#[derive(Clone, Serialize, Deserialize)]
struct Unit;

impl Drop for Unit {
    fn drop(&mut self) {
        panic_once();
    }
}

#[test]
fn one_without_a_field_is_not_stored_either() {
    let runtime = runtime();
    runtime.scope(|| {
        for _ in 0..3 {
            forget(Memo::new("unit").get_or_compute(|| Unit));
        }
    });
    assert_eq!(runtime.stats().stores, 0);
}

#[derive(Clone)]
struct Failed;

impl Drop for Failed {
    fn drop(&mut self) {
        panic_once();
    }
}

#[test]
fn a_shared_error_is_dropped_without_a_panic() {
    let runtime = runtime();
    runtime.scope(|| {
        let call = |told: oneshot::Receiver<()>| {
            let fails = || async { told.await.map_or(Ok(1), |()| Err(Failed)) };
            let memo = Memo::new("failed").share_errors();
            Box::pin(memo.try_get_or_compute_async(fails))
        };
        let (tells, mut calls): (Vec<_>, Vec<_>) = (0..2)
            .map(|_| {
                let (tell, told) = oneshot::channel();
                (tell, call(told))
            })
            .unzip();
        let mut context = Context::from_waker(Waker::noop());
        for call in &mut calls {
            assert!(call.as_mut().poll(&mut context).is_pending());
        }
        for tell in tells {
            // The second never ran to hear it.
            let _ = tell.send(());
        }
        for mut call in calls {
            let Poll::Ready(result) = call.as_mut().poll(&mut context) else {
                panic!("it has come to its end");
            };
            assert!(result.is_err());
            forget(result);
        }
    });
    assert_eq!(runtime.stats().shared, 1);
}

/// Panics once it is told to: what panics from the start isn't stored.
#[derive(Clone, Serialize, Deserialize)]
struct Item(u8);

static PANICS: AtomicBool = AtomicBool::new(false);

impl Drop for Item {
    fn drop(&mut self) {
        if PANICS.load(Ordering::Relaxed) {
            panic_once();
        }
    }
}

#[test]
fn items_that_are_passed_over_are_dropped_without_a_panic() {
    runtime().scope(|| {
        let items = || Memo::new("items").iter(|| (0..3).map(Item));
        let mut writer = items();
        let mut follower = items();
        forget(writer.next());
        forget(follower.next());
        drop(writer);
        PANICS.store(true, Ordering::Relaxed);
        let next = follower.next().expect("there are three");
        assert_eq!(next.0, 1, "the first was passed over");
        forget(next);
        PANICS.store(false, Ordering::Relaxed);
        drop(follower);

        let items = || Memo::new("streamed").stream(|| stream::iter((0..3).map(Item)));
        let (mut writer, mut follower) = (Box::pin(items()), Box::pin(items()));
        forget(futures::executor::block_on(writer.next()));
        forget(futures::executor::block_on(follower.next()));
        drop(writer);
        PANICS.store(true, Ordering::Relaxed);
        let next = futures::executor::block_on(follower.next()).expect("there are three");
        assert_eq!(next.0, 1, "the first was passed over");
        forget(next);
        PANICS.store(false, Ordering::Relaxed);
    });
}
