//! Nobody waits for what its own thread or task has in hand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::{Source, Streamed, block_on, item, items, runtime};
use cache_memoize::testing::flights;
use cache_memoize::{Memo, cache_memoize};
use futures::stream::{self, LocalBoxStream, StreamExt};

#[test]
fn nobody_waits_for_itself() {
    let runtime = runtime();
    runtime.scope(|| {
        let source = Source::new(30);
        assert!(source.iter().zip(source.iter()).all(|(a, b)| a == b));
        assert_eq!(source.runs(), 1);

        // The inner one would wait for its own thread.
        assert!(Memo::new("source").invalidate());
        for outer in source.iter() {
            let inner: Vec<_> = source.iter().collect();
            assert!(inner == items(30) && inner.contains(&outer));
        }
        assert_eq!(
            source.runs(),
            3,
            "the first inner one stores what the others find"
        );

        // Or for its own task.
        assert!(Memo::new("source").invalidate());
        block_on(async {
            let mut outer = source.stream();
            while outer.next().await.is_some() {
                assert!(source.stream().collect::<Vec<_>>().await == items(30));
            }
        });
        assert_eq!(source.runs(), 5);
    });
    assert_eq!(flights(&runtime), 0);
}

/// Much less than a stall, and much more than all the rest takes on a machine that has nothing else to do.
fn at_once<T>(work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    assert!(began.elapsed() < Duration::from_millis(900), "it waited");
    done
}

#[test]
fn a_task_does_not_wait_for_the_iterator_that_it_has_in_hand() {
    for taken in [0, 1, 7] {
        let runtime = runtime();
        let source = Source::new(30);
        runtime.scope(|| {
            let mut half = source.iter();
            assert!(half.by_ref().take(taken).eq(items(taken)));
            let streamed: Vec<_> = at_once(|| block_on(source.stream().collect()));
            assert!(streamed == items(30));
            assert!(half.eq(items(30).split_off(taken)));
        });
        assert_eq!(source.runs(), 2);
        assert_eq!(flights(&runtime), 0);
    }
}

#[test]
fn a_thread_does_not_wait_for_the_stream_that_it_has_in_hand() {
    for taken in [1, 7] {
        let runtime = runtime();
        let source = Source::new(30);
        runtime.scope(|| {
            let mut half = source.stream();
            block_on(async {
                for n in 0..taken {
                    assert_eq!(half.next().await, Some(item(n)));
                }
                assert!(at_once(|| source.iter().eq(items(30))));
            });
        });
        assert_eq!(source.runs(), 2);
    }
}

/// As an executor that steals tasks does it.
#[test]
fn a_stream_is_known_on_the_thread_that_polled_it_last() {
    let runtime = runtime();
    let source = Source::new(30);
    let waker = Waker::from(Arc::new(Unwoken));
    let poll = |half: &mut Streamed| half.as_mut().poll_next(&mut Context::from_waker(&waker));
    runtime.scope(|| {
        let mut half = source.stream();
        while poll(&mut half).is_pending() {}
        let there = thread::scope(|scope| {
            let stolen = || {
                // It yields in between, so that this poll writes nothing.
                assert!(poll(&mut half).is_pending());
                runtime.scope(|| at_once(|| source.iter().eq(items(30))))
            };
            scope.spawn(stolen).join()
        });
        assert!(there.expect("no panic"));
    });
    assert_eq!(source.runs(), 2);
}

struct Unwoken;

impl Wake for Unwoken {
    fn wake(self: Arc<Self>) {}
}

/// The body of an `async fn` is the task's before there is a stream to be polled.
#[test]
fn a_body_that_reads_its_own_stream_computes() {
    #[cache_memoize(key = "nested", skip(depth, runs))]
    async fn nested(depth: usize, runs: &AtomicUsize) -> LocalBoxStream<'_, usize> {
        runs.fetch_add(1, Ordering::Relaxed);
        let below = if depth == 0 {
            0
        } else {
            let inner = Box::pin(nested(depth - 1, runs)).await;
            inner.count().await
        };
        stream::iter(0..=below).boxed_local()
    }
    let runs = AtomicUsize::new(0);
    let runtime = runtime();
    runtime.scope(|| {
        at_once(|| block_on(async { assert_eq!(nested(3, &runs).await.count().await, 4) }));
    });
    assert_eq!(runs.load(Ordering::Relaxed), 4);
    assert_eq!(flights(&runtime), 0);
}

/// Where two threads meet, once each.
static MEET: Barrier = Barrier::new(2);
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// What one of two computations comes to that each ask for the other. The first two calls meet, so that each leads what the other wants;
/// those inside of them come to an end, as an unseen circle would go on at each level.
fn inside<T>(end: T, other: impl FnOnce() -> T) -> T {
    match RUNS.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => {
            MEET.wait();
            other()
        }
        2..8 => other(),
        _ => end,
    }
}

#[cache_memoize(key = "value")]
fn value() -> u64 {
    inside(0, || rows().sum())
}

#[cache_memoize(key = "rows")]
fn rows() -> Box<dyn Iterator<Item = u64>> {
    Box::new((0..1).map(|_| inside(0, value)))
}

#[cache_memoize(key = "other rows")]
fn other_rows() -> Box<dyn Iterator<Item = u64>> {
    Box::new((0..1).map(|_| inside(0, || more_rows().sum())))
}

#[cache_memoize(key = "more rows")]
fn more_rows() -> Box<dyn Iterator<Item = u64>> {
    Box::new((0..1).map(|_| inside(0, || other_rows().sum())))
}

#[test]
fn a_circle_over_two_threads_is_seen() {
    let circles: [[fn() -> u64; 2]; 2] = [
        [value, || rows().sum()],
        [|| other_rows().sum(), || more_rows().sum()],
    ];
    for circle in circles {
        RUNS.store(0, Ordering::SeqCst);
        let runtime = runtime();
        at_once(|| {
            thread::scope(|scope| {
                for call in circle {
                    let runtime = &runtime;
                    scope.spawn(move || assert_eq!(runtime.scope(call), 0));
                }
            });
        });
        assert_eq!(flights(&runtime), 0);
    }
}
