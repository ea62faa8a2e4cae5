//! Errors that are given to those who wait for them, where that is asked for.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use cache_memoize::{Memo, Runtime, cache_memoize};
use futures::channel::oneshot;

#[derive(Clone, Debug, PartialEq)]
struct Failed(u32);

fn fresh() -> Runtime {
    Runtime::builder().build().expect("the defaults are valid")
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn tasks_that_wait_get_the_error_and_who_comes_later_computes() {
    let runtime = fresh();
    runtime.scope(|| {
        let runs = Cell::new(0);
        let call = |told: oneshot::Receiver<Result<u8, Failed>>| {
            let runs = &runs;
            let compute = move || async move {
                runs.set(runs.get() + 1);
                told.await.expect("it is told")
            };
            Box::pin(
                Memo::new("k")
                    .share_errors()
                    .try_get_or_compute_async(compute),
            )
        };
        for failed in 1..=2 {
            let (tells, calls): (Vec<_>, Vec<_>) = (0..4)
                .map(|_| {
                    let (tell, told) = oneshot::channel();
                    (tell, call(told))
                })
                .unzip();
            let mut calls: Vec<_> = calls;
            assert!(
                calls
                    .iter_mut()
                    .all(|call| poll_once(call.as_mut()).is_pending())
            );
            assert_eq!(runs.get(), failed, "one of them computes");
            for tell in tells {
                // The others never ran to hear it.
                let _ = tell.send(Err(Failed(failed)));
            }
            for call in &mut calls {
                assert_eq!(poll_once(call.as_mut()), Poll::Ready(Err(Failed(failed))));
            }
            assert_eq!(runs.get(), failed);
        }
        let stats = runtime.stats();
        assert_eq!((stats.shared, stats.stores), (2 * 3, 0));
    });
}

#[test]
fn an_error_of_another_type_is_not_taken() {
    let runtime = fresh();
    runtime.scope(|| {
        let (tell, told) = oneshot::channel::<()>();
        let leading = async { Err::<u8, _>(Failed(told.await.map_or(0, |()| 1))) };
        let memo = Memo::new("k").share_errors();
        let mut leader = Box::pin(memo.try_get_or_compute_async(|| leading));
        assert!(poll_once(leader.as_mut()).is_pending());
        let memo = Memo::new("k").share_errors();
        let own = async { Err::<u8, _>("another") };
        let mut waiter = Box::pin(memo.try_get_or_compute_async(|| own));
        assert!(poll_once(waiter.as_mut()).is_pending());
        let mut without =
            Box::pin(Memo::new("k").try_get_or_compute_async(|| async { Ok::<u8, Failed>(7) }));
        assert!(poll_once(without.as_mut()).is_pending());
        tell.send(()).expect("it listens");
        assert_eq!(poll_once(leader.as_mut()), Poll::Ready(Err(Failed(1))));
        assert_eq!(poll_once(waiter.as_mut()), Poll::Ready(Err("another")));
        assert_eq!(poll_once(without.as_mut()), Poll::Ready(Ok(7)));
    });
}

static RUNS: AtomicU32 = AtomicU32::new(0);
static PAUSE: Mutex<Duration> = Mutex::new(Duration::ZERO);

#[cache_memoize(key = "refused:<id>", share_errors)]
fn refused(id: u32) -> Result<u32, Failed> {
    RUNS.fetch_add(1, Ordering::Relaxed);
    let pause = *PAUSE.lock().expect("nobody panics here");
    thread::sleep(pause);
    Err(Failed(id))
}

#[test]
fn threads_that_wait_get_the_error() {
    // Nobody can be seen to wait, so the body takes longer until all do.
    for attempt in 1..=200 {
        let runtime = fresh();
        RUNS.store(0, Ordering::Relaxed);
        *PAUSE.lock().expect("nobody panics here") = Duration::from_millis(5 * attempt);
        thread::scope(|scope| {
            let call = || runtime.scope(|| refused(1));
            let calls = [(); 4].map(|()| scope.spawn(call));
            for call in calls {
                assert_eq!(call.join().expect("no panic"), Err(Failed(1)));
            }
        });
        if RUNS.load(Ordering::Relaxed) == 1 {
            assert_eq!((runtime.stats().shared, runtime.stats().stores), (3, 0));
            return;
        }
    }
    panic!("each of them computes");
}
