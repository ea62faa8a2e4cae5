//! A reader that comes while another writes the stream follows it, and goes on by itself where that comes to nothing.

#[path = "../../../tests/common/forward.rs"]
mod forward;
mod itself;
mod left;
#[path = "../remote/mod.rs"]
mod remote;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use cache_memoize::testing::flights;
use cache_memoize::{Memo, Memory, Runtime};
use forward::forward;
use futures::executor::block_on;
use futures::stream::{self, Stream, StreamExt};
use remote::Remote;

/// Of these, three make two chunks.
fn item(n: usize) -> Vec<u8> {
    format!("{n:060}").into_bytes()
}

fn items(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(item).collect()
}

/// A function of so many items, and how often its body ran.
#[derive(Clone)]
struct Source {
    count: usize,
    runs: Arc<AtomicUsize>,
}

type Items = Box<dyn Iterator<Item = Vec<u8>> + Send>;
type Streamed = Pin<Box<dyn Stream<Item = Vec<u8>> + Send>>;

impl Source {
    fn new(count: usize) -> Self {
        Self {
            count,
            runs: Arc::default(),
        }
    }

    fn iter(&self) -> Items {
        self.overwriting(false)
    }

    fn overwriting(&self, overwrite: bool) -> Items {
        let Self { count, runs } = self.clone();
        Box::new(
            Memo::new("source")
                .compress(false)
                .force_overwrite(overwrite)
                .iter(move || {
                    runs.fetch_add(1, Ordering::Relaxed);
                    (0..count).map(item)
                }),
        )
    }

    fn stream(&self) -> Streamed {
        let Self { count, runs } = self.clone();
        Box::pin(Memo::new("source").compress(false).stream(move || {
            runs.fetch_add(1, Ordering::Relaxed);
            stream::iter(0..count).then(|n| async move {
                smol::future::yield_now().await;
                item(n)
            })
        }))
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }
}

/// A runtime with short chunks that is asked by the callers' threads.
fn runtime() -> Runtime {
    Runtime::builder()
        .backend(Remote::new())
        // More than any machine is busy with something else.
        .budget(Duration::from_secs(3600))
        .build()
        .expect("valid settings")
}

/// Reads a stream as an iterator does.
struct Blocking(Streamed);

impl Iterator for Blocking {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        block_on(self.0.next())
    }
}

/// Who writes and who follows: iterators and streams.
fn each_pair(test: impl Fn(&dyn Fn(&Source) -> Items, &dyn Fn(&Source) -> Items)) {
    let iter = |source: &Source| source.iter();
    let stream = |source: &Source| -> Items { Box::new(Blocking(source.stream())) };
    test(&iter, &iter);
    test(&iter, &stream);
    test(&stream, &iter);
    test(&stream, &stream);
}

#[test]
fn in_each_order_of_writing_and_reading_the_body_runs_once() {
    const COUNT: usize = 7;

    /// All orders of so many steps in which the reader is never ahead.
    fn orders(written: usize, read: usize) -> Vec<Vec<bool>> {
        let mut all = Vec::new();
        if written == COUNT && read == COUNT {
            return vec![Vec::new()];
        }
        if written < COUNT {
            all.extend(orders(written + 1, read).into_iter().map(|mut rest| {
                rest.insert(0, true);
                rest
            }));
        }
        if read < written {
            all.extend(orders(written, read + 1).into_iter().map(|mut rest| {
                rest.insert(0, false);
                rest
            }));
        }
        all
    }

    let orders = orders(0, 0);
    assert_eq!(orders.len(), 429);
    each_pair(|writer, follower| {
        for order in &orders {
            let runtime = runtime();
            runtime.scope(|| {
                let source = Source::new(COUNT);
                let mut writing = writer(&source);
                let mut following = None;
                let (mut written, mut read) = (0, 0);
                for writes in order {
                    if *writes {
                        assert_eq!(writing.next(), Some(item(written)));
                        written += 1;
                    } else {
                        let following = following.get_or_insert_with(|| follower(&source));
                        assert_eq!(following.next(), Some(item(read)));
                        read += 1;
                    }
                }
                assert_eq!(writing.next(), None);
                assert_eq!(following.expect("it has read").next(), None);
                assert_eq!(source.runs(), 1);
            });
            assert_eq!((runtime.stats().shared, runtime.stats().stores), (1, 1));
            assert_eq!(flights(&runtime), 0);
        }
    });
}

/// How a writer can come to nothing.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    Dropped,
    Panics,
    Fails,
}

#[test]
fn a_writer_that_is_gone_at_each_item_leaves_the_rest_to_each_follower() {
    const COUNT: usize = 9;
    for mishap in [Mishap::Dropped, Mishap::Panics, Mishap::Fails] {
        for written in 0..COUNT {
            for read in 0..=written {
                let runtime = runtime();
                runtime.scope(|| gone(mishap, COUNT, written, read));
                assert_eq!(flights(&runtime), 0);
                assert_eq!(runtime.stats().stores, 1, "the follower's");
                assert_eq!(runtime.stats().shared, 1);
            }
        }
    }
}

fn gone(mishap: Mishap, count: usize, written: usize, read: usize) {
    let runs = &AtomicUsize::new(0);
    let call = || {
        let first = runs.load(Ordering::Relaxed) == 0;
        Memo::new("source").compress(false).try_iter(move || {
            runs.fetch_add(1, Ordering::Relaxed);
            (0..count).map(move |n| match mishap {
                Mishap::Panics if first && n == written => panic!("the function's own"),
                Mishap::Fails if first && n == written => Err(()),
                _ => Ok(item(n)),
            })
        })
    };
    let mut writing = call();
    let mut following = call();
    assert!(
        writing
            .by_ref()
            .take(written)
            .eq((0..written).map(item).map(Ok))
    );
    assert!(
        following
            .by_ref()
            .take(read)
            .eq((0..read).map(item).map(Ok))
    );
    match mishap {
        Mishap::Dropped => {}
        Mishap::Panics => {
            catch_unwind(AssertUnwindSafe(|| writing.next())).expect_err("its own panic");
        }
        Mishap::Fails => assert_eq!(writing.next(), Some(Err(()))),
    }
    drop(writing);
    assert!(following.eq((read..count).map(item).map(Ok)));
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

#[test]
fn threads_that_come_at_one_time_follow_one() {
    const THREADS: usize = 16;
    const COUNT: usize = 2000;
    let runtime = runtime();
    let source = Source::new(COUNT);
    let (start, all_came) = (Barrier::new(THREADS), Barrier::new(THREADS));
    thread::scope(|scope| {
        for n in 0..THREADS {
            let (runtime, source) = (&runtime, &source);
            let (start, all_came) = (&start, &all_came);
            scope.spawn(move || {
                start.wait();
                runtime.scope(|| {
                    let mut items: Items = if n % 2 == 0 {
                        source.iter()
                    } else {
                        Box::new(Blocking(source.stream()))
                    };
                    let first = items.next();
                    // Who writes is not done before all have come.
                    all_came.wait();
                    assert!(first.into_iter().chain(items).eq((0..COUNT).map(item)));
                });
            });
        }
    });
    assert_eq!(source.runs(), 1);
    let stats = runtime.stats();
    assert_eq!(stats.shared + stats.hits, THREADS as u64 - 1);
    assert_eq!(flights(&runtime), 0);
}

#[test]
fn a_follower_waits_for_a_slow_writer_on_another_thread() {
    let runtime = runtime();
    let (send, receive) = mpsc::channel::<usize>();
    let (began, has_begun) = mpsc::channel();
    thread::scope(|scope| {
        let runtime = &runtime;
        scope.spawn(move || {
            runtime.scope(|| {
                let items = Memo::new("source").iter(|| receive.into_iter().map(item));
                began.send(()).expect("the test listens");
                assert_eq!(items.count(), 10);
            });
        });
        has_begun.recv().expect("it begins");
        runtime.scope(|| {
            let mut items = Memo::new("source").iter(|| -> std::iter::Empty<Vec<u8>> {
                unreachable!("the writer goes on");
            });
            for n in 0..10 {
                send.send(n).expect("it listens");
                assert_eq!(items.next(), Some(item(n)));
            }
            drop(send);
            assert_eq!(items.next(), None);
        });
    });
    assert_eq!((runtime.stats().shared, runtime.stats().hits), (1, 0));
}

#[test]
fn who_follows_a_writer_that_stalls_goes_on_by_itself() {
    // It knows leases.
    let runtime = Runtime::builder()
        .backend(Memory::new(1 << 20))
        .build()
        .expect("valid settings");
    let source = Source::new(20);
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let (began, has_begun) = mpsc::channel();
    thread::scope(|scope| {
        let (runtime, source) = (&runtime, &source);
        scope.spawn(move || {
            runtime.scope(|| {
                let mut items = source.iter();
                assert_eq!(items.by_ref().take(7).count(), 7);
                began.send(()).expect("the test listens");
                may_go_on.recv().expect("the test tells");
                assert_eq!(items.count(), 13);
            });
        });
        has_begun.recv().expect("it begins");
        runtime.scope(|| {
            assert!(source.iter().eq(items(20)));
            assert_eq!(source.runs(), 2);
            assert!(
                Blocking(source.stream()).eq(items(20)),
                "what the follower stored"
            );
        });
        go_on.send(()).expect("it listens");
    });
    assert_eq!(source.runs(), 2);
    let stats = runtime.stats();
    assert_eq!((stats.shared, stats.hits, stats.stores), (1, 1, 1));
    assert_eq!(stats.outdated, 1, "the one that stalled came too late");
    assert_eq!(flights(&runtime), 0);
}

#[test]
fn a_writer_that_stalls_is_waited_for_once() {
    let runtime = runtime();
    let source = Source::new(20);
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let (began, has_begun) = mpsc::channel();
    thread::scope(|scope| {
        let (runtime, source) = (&runtime, &source);
        scope.spawn(move || {
            runtime.scope(|| {
                let mut items = source.iter();
                assert!(items.next().is_some());
                began.send(()).expect("the test listens");
                may_go_on.recv().expect("the test tells");
            });
        });
        has_begun.recv().expect("it begins");
        runtime.scope(|| {
            // None of these comes to the end, so that nothing is stored for the next.
            for calls in 1..=3 {
                assert!(source.iter().take(10).eq(items(10)));
                assert_eq!(source.runs(), 1 + calls);
            }
        });
        go_on.send(()).expect("it listens");
    });
    assert_eq!(runtime.stats().shared, 1, "only the first followed");
    assert_eq!(flights(&runtime), 0);
}

#[test]
fn who_can_not_wait_that_long_is_spared_it_by_those_who_came_before() {
    let runtime = runtime();
    let source = Source::new(20);
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let (began, has_begun) = mpsc::channel();
    thread::scope(|scope| {
        let (runtime, source) = (&runtime, &source);
        scope.spawn(move || {
            runtime.scope(|| {
                let mut items = source.iter();
                assert!(items.next().is_some());
                began.send(()).expect("the test listens");
                may_go_on.recv().expect("the test tells");
            });
        });
        has_begun.recv().expect("it begins");
        // Each of them less than a second.
        let patience = Duration::from_millis(200);
        let impatient = || {
            let items = runtime.scope(|| source.stream());
            let given_up = async {
                smol::Timer::after(patience).await;
                None
            };
            block_on(smol::future::or(
                async { Some(items.count().await) },
                given_up,
            ))
        };
        let count = (0..50).find_map(|_| impatient());
        // First, so that a failure ends the test.
        go_on.send(()).expect("it listens");
        assert_eq!(count, Some(20));
    });
    assert_eq!(flights(&runtime), 0);
}

#[test]
fn of_those_who_are_left_by_one_writer_one_stores() {
    let memory = Memory::new(64 << 20);
    let runtime = Runtime::builder()
        .backend(memory.clone())
        .build()
        .expect("valid settings");
    let call = || {
        Memo::new("long")
            .compress(false)
            .iter(|| (0..1_000_usize).map(|_| vec![7_u8; 1_000]))
    };
    runtime.scope(|| {
        let mut writing = call();
        let mut following: Vec<_> = (0..8).map(|_| call()).collect();
        assert!(writing.next().is_some());
        drop(writing);
        for follower in &mut following {
            assert_eq!(follower.take(800).count(), 800);
        }
        assert!(
            (700_000..1_000_000).contains(&memory.bytes()),
            "one writes: {}",
            memory.bytes()
        );
        drop(following);
    });
    assert_eq!(flights(&runtime), 0);
}

#[test]
fn a_stream_that_takes_longer_than_a_lease_stands_is_stored_whoever_follows() {
    let runtime = Runtime::builder()
        .backend(Memory::new(1 << 20))
        .longest_wait(Duration::ZERO)
        .build()
        .expect("valid settings");
    each_pair(|writer, follower| {
        runtime.scope(|| {
            let source = Source::new(20);
            let mut writing = writer(&source);
            for n in 0..20 {
                assert_eq!(writing.next(), Some(item(n)));
                assert_eq!(follower(&source).next(), Some(item(0)));
            }
            assert_eq!(writing.next(), None);
            assert!(follower(&source).eq(items(20)));
            assert_eq!(source.runs(), 1);
            assert!(Memo::new("source").invalidate());
        });
    });
    assert_eq!((runtime.stats().stores, runtime.stats().outdated), (4, 0));
}

#[test]
fn invalidated_while_it_is_written() {
    each_pair(|writer, follower| {
        let runtime = runtime();
        runtime.scope(|| {
            let source = Source::new(20);
            let mut writing = writer(&source);
            assert_eq!(writing.by_ref().take(8).count(), 8);
            let mut following = follower(&source);
            assert_eq!(following.next(), Some(item(0)));
            assert!(Memo::new("source").invalidate());
            // Who comes later gets nothing that began before.
            assert!(follower(&source).eq(items(20)));
            assert_eq!(source.runs(), 2);
            assert!(following.by_ref().take(7).eq((1..8).map(item)));
            for n in 8..20 {
                assert_eq!(writing.next(), Some(item(n)));
                assert_eq!(following.next(), Some(item(n)));
            }
            assert_eq!(writing.next(), None);
            assert_eq!(following.next(), None);
            assert_eq!(source.runs(), 2);
        });
        assert_eq!(flights(&runtime), 0);
    });
}

#[test]
fn what_is_forced_follows_nobody() {
    let runtime = runtime();
    runtime.scope(|| {
        let source = Source::new(20);
        let mut writing = source.iter();
        assert_eq!(writing.by_ref().take(8).count(), 8);
        assert!(source.overwriting(true).eq(items(20)));
        assert_eq!(source.runs(), 2);
        assert_eq!(writing.count(), 12);
    });
    assert_eq!(runtime.stats().shared, 0);
}

#[test]
fn of_another_type_nobody_follows() {
    runtime().scope(|| {
        let mut bytes = Source::new(20).iter();
        assert_eq!(bytes.by_ref().take(8).count(), 8);
        assert_eq!(Memo::new("source").iter(|| 0..9_u8).count(), 9);
        assert_eq!(bytes.count(), 12);
    });
}

#[test]
fn a_chunk_that_is_lost_behind_the_writer() {
    for lost in 0..5 {
        for read in 0..8 {
            let remote = Remote::new();
            remote.runtime().scope(|| {
                let source = Source::new(20);
                let mut writing = source.iter();
                let mut following = source.iter();
                assert_eq!(writing.by_ref().take(10).count(), 10);
                assert!(following.by_ref().take(read).eq((0..read).map(item)));
                assert!(remote.lose_chunk(lost));
                assert_eq!(writing.count(), 10);
                assert!(following.eq((read..20).map(item)));
            });
        }
    }
}

#[test]
fn a_slow_follower_of_a_million_items() {
    const COUNT: u64 = 1_000_000;
    let runtime = Runtime::builder()
        .backend(Memory::new(64 << 20))
        .build()
        .expect("valid settings");
    runtime.scope(|| {
        let call = || {
            Memo::new("numbers")
                .compress(false)
                .iter(|| (0..COUNT).map(|n| (n, [7_u8; 16])))
        };
        let mut writing = call();
        assert!(writing.next().is_some());
        let mut following = call();
        let mut expected = 0;
        for (n, _) in writing {
            if n % 10 == 0 {
                assert_eq!(following.next().map(|(n, _)| n), Some(expected));
                expected += 1;
            }
        }
        assert_eq!(following.count() as u64, COUNT - expected);
    });
    assert_eq!(
        (runtime.stats().computations, runtime.stats().shared),
        (1, 1)
    );
}

#[test]
fn tasks_follow_a_task_on_tokio() {
    const TASKS: usize = 100;
    let runtime = Remote::new().runtime();
    let source = Source::new(300);
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    tokio.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let stream = runtime.scope(|| source.stream());
                tokio::spawn(stream.collect::<Vec<_>>())
            })
            .collect();
        for task in tasks {
            assert!(task.await.expect("it doesn't panic") == items(300));
        }
    });
    assert_eq!(source.runs(), 1);
    let stats = runtime.stats();
    assert_eq!(stats.shared + stats.hits, TASKS as u64 - 1);
    assert_eq!(flights(&runtime), 0);
}

#[test]
fn tasks_follow_a_task_on_one_thread() {
    let runtime = Remote::new().runtime();
    let source = Source::new(100);
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let tasks: Vec<_> = (0..10)
            .map(|_| executor.spawn(runtime.scope(|| source.stream()).collect::<Vec<_>>()))
            .collect();
        for task in tasks {
            assert!(task.await == items(100));
        }
    }));
    assert_eq!(source.runs(), 1);
    assert_eq!(runtime.stats().shared, 9);
}

#[test]
fn a_follower_that_is_dropped_while_it_waits() {
    let runtime = Remote::new().runtime();
    runtime.scope(|| {
        let source = Source::new(10);
        let mut writing = source.stream();
        assert_eq!(block_on(writing.next()), Some(item(0)));
        {
            let mut following = pin!(source.stream().collect::<Vec<_>>());
            for _ in 0..20 {
                let polled = following
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()));
                assert_eq!(polled, Poll::Pending);
            }
        }
        assert_eq!(block_on(writing.count()), 9);
        assert_eq!(source.runs(), 1);
    });
    assert_eq!((runtime.stats().shared, runtime.stats().stores), (1, 1));
}
