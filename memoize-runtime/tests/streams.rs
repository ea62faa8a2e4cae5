//! Functions that return a stream: as iterators, and awaited.

mod remote;

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use cache_memoize::{Memo, Memory, Runtime, Stats, Unblock};
use futures::executor::block_on;
use futures::stream::{self, Stream, StreamExt};
use remote::Remote;

const ITEMS: usize = 25;

/// Of 62 bytes each, none of which compresses: a few make a chunk.
fn items() -> Vec<Vec<u8>> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..ITEMS)
        .map(|_| (0..62).map(|_| byte()).collect())
        .collect()
}

/// The items, each after the task was left once, and how often the body ran.
#[derive(Clone, Default)]
struct Source {
    runs: Rc<Cell<usize>>,
}

impl Source {
    fn stream(&self) -> impl Stream<Item = Vec<u8>> + use<> {
        let runs = Rc::clone(&self.runs);
        Memo::new("source").stream(move || {
            runs.set(runs.get() + 1);
            stream::iter(items()).then(|item| async {
                smol::future::yield_now().await;
                item
            })
        })
    }

    fn iter(&self) -> impl Iterator<Item = Vec<u8>> + use<> {
        let runs = Rc::clone(&self.runs);
        Memo::new("source").iter(move || {
            runs.set(runs.get() + 1);
            items().into_iter()
        })
    }
}

fn collect<S: Stream>(stream: S) -> Vec<S::Item> {
    block_on(stream.collect())
}

/// What the counters say, apart from those of the lookup.
fn reasons(stats: Stats) -> [u64; 6] {
    let Stats {
        stores,
        declined,
        unstorable,
        dropped,
        panicked,
        unwritten,
        ..
    } = stats;
    [stores, declined, unstorable, dropped, panicked, unwritten]
}

#[test]
fn streams_and_iterators_read_each_other() {
    let remote = Remote::new();
    let runtime = remote.runtime();
    runtime.scope(|| {
        let source = Source::default();
        assert_eq!(collect(source.stream()), items());
        assert_eq!(collect(source.stream()), items());
        assert!(source.iter().eq(items()));
        assert_eq!(source.runs.get(), 1);

        assert!(Memo::new("source").invalidate());
        assert_eq!(remote.len(), 0);
        assert!(source.iter().eq(items()));
        assert_eq!(collect(source.stream()), items());
        assert_eq!(source.runs.get(), 2);
    });
    let stats = runtime.stats();
    assert_eq!((stats.hits, stats.absent, stats.stores), (3, 2, 2));
}

#[test]
fn nothing_happens_before_the_first_poll() {
    let remote = Remote::new();
    let runtime = remote.runtime();
    runtime.scope(|| {
        let source = Source::default();
        let stream = source.stream();
        assert_eq!((source.runs.get(), remote.questions()), (0, 0));
        assert_eq!(
            format!("{:?}", Memo::new("k").stream(stream::empty::<u8>)),
            "MemoizedStream(not polled yet)"
        );
        drop(stream);
        assert_eq!((source.runs.get(), remote.questions()), (0, 0));
    });
    assert_eq!(runtime.stats(), Stats::default());
}

#[test]
fn the_first_item_waits_for_no_chunk() {
    let remote = Remote::new();
    remote.runtime().scope(|| {
        let mut stream = pin!(Memo::new("long").stream(|| stream::iter([vec![7_u8; 1000]])));
        assert_eq!(block_on(stream.next()), Some(vec![7; 1000]));
        assert_eq!(remote.len(), 0, "its chunks come with the next poll");
        assert_eq!(block_on(stream.next()), None);
        assert!(remote.len() > 10);
    });
}

#[test]
fn dropped_after_each_item() {
    for taken in 0..=ITEMS {
        let remote = Remote::new();
        let runtime = remote.runtime();
        runtime.scope(|| {
            let source = Source::default();
            assert_eq!(collect(source.stream().take(taken)), items()[..taken]);
        });
        assert_eq!(remote.len(), 0, "{taken}");
        let dropped = u64::from(taken > 0);
        assert_eq!(reasons(runtime.stats()), [0, 0, 0, dropped, 0, 0]);
    }
}

#[test]
fn dropped_at_each_poll() {
    let polls_of_a_run = {
        let remote = Remote::new();
        remote.runtime().scope(|| {
            poll_times(
                &mut pin!(Source::default().stream().collect::<Vec<_>>()),
                None,
            )
        })
    };
    assert!(polls_of_a_run > 40, "{polls_of_a_run}");
    for polls in 0..polls_of_a_run {
        let remote = Remote::new();
        let runtime = remote.runtime();
        runtime.scope(|| {
            let source = Source::default();
            poll_times(&mut pin!(source.stream().collect::<Vec<_>>()), Some(polls));
            // Whatever is left of it, nobody reads it as the whole.
            assert_eq!(collect(source.stream()), items());
        });
    }
}

/// Polls a future to its end or so many times, and says how often that was.
fn poll_times<F: Future + Unpin>(future: &mut F, most: Option<usize>) -> usize {
    let mut polls = 0;
    while most.is_none_or(|most| polls < most) {
        polls += 1;
        let polled = pin!(&mut *future).poll(&mut Context::from_waker(Waker::noop()));
        if polled.is_ready() {
            break;
        }
    }
    polls
}

#[test]
fn a_panic_at_each_item() {
    for at in 0..ITEMS {
        let remote = Remote::new();
        let runtime = remote.runtime();
        let run = || {
            let panicking = items().into_iter().enumerate().map(|(index, item)| {
                assert_ne!(index, at, "the function's own");
                item
            });
            collect(Memo::new("source").stream(|| stream::iter(panicking)))
        };
        let result = runtime.scope(|| catch_unwind(AssertUnwindSafe(run)));
        assert!(result.is_err(), "the panic is the caller's");
        assert_eq!(remote.len(), 0, "{at}");
        assert_eq!(reasons(runtime.stats()), [0, 0, 0, 0, 1, 0]);
    }
}

#[test]
fn an_err_at_each_item_is_handed_on_and_so_is_what_follows() {
    for at in 0..ITEMS {
        let remote = Remote::new();
        let runtime = remote.runtime();
        let fallible = || {
            let items = items().into_iter().enumerate();
            items.map(move |(index, item)| if index == at { Err(at) } else { Ok(item) })
        };
        runtime.scope(|| {
            let results = collect(Memo::new("source").try_stream(|| stream::iter(fallible())));
            assert!(results.into_iter().eq(fallible()));
        });
        assert_eq!(remote.len(), 0, "{at}");
        assert_eq!(reasons(runtime.stats()), [0, 1, 0, 0, 0, 0]);
    }
}

#[test]
fn each_chunk_lost_while_the_reader_has_taken_each_number_of_items() {
    for lost in 0..16 {
        for taken in 0..=ITEMS {
            let remote = Remote::new();
            let runtime = remote.runtime();
            runtime.scope(|| {
                let source = Source::default();
                assert!(source.iter().eq(items()));
                let mut stream = pin!(source.stream());
                let mut read = collect(stream.as_mut().take(taken));
                assert!(remote.lose_chunk(lost));
                read.extend(collect(stream));
                assert_eq!(read, items());
                // Whether it was noticed or not.
                assert_eq!(collect(source.stream()), items());
            });
        }
    }
}

#[test]
fn a_backend_that_fails_from_each_question_on_is_not_noticed() {
    for questions in 0..25 {
        let remote = Remote::new();
        let runtime = remote.runtime();
        remote.fail_after(questions);
        runtime.scope(|| {
            let source = Source::default();
            assert_eq!(collect(source.stream()), items());
            assert_eq!(collect(source.stream()), items());
        });
    }
}

#[test]
fn an_async_function_looks_up_when_it_is_awaited() {
    use cache_memoize::cache_memoize;

    #[cache_memoize(key = "rows:<count>", skip(runs))]
    async fn rows(runs: &Cell<usize>, count: usize) -> impl Stream<Item = Vec<u8>> {
        smol::future::yield_now().await;
        runs.set(runs.get() + 1);
        stream::iter(items().into_iter().take(count))
    }

    let remote = Remote::new();
    remote.runtime().scope(|| {
        let runs = Cell::new(0);
        let stream = block_on(rows(&runs, ITEMS));
        assert_eq!(runs.get(), 1);
        assert_eq!(collect(stream), items());
        let mut stream = pin!(block_on(rows(&runs, ITEMS)));
        assert_eq!(block_on(stream.next()).as_ref(), items().first());
        assert_eq!(runs.get(), 1);
        // The body is a future, which is polled beside the items where it must run after all.
        assert!(remote.lose_chunk(9));
        assert_eq!(collect(stream), items()[1..]);
        assert_eq!(runs.get(), 2);
    });
}

#[test]
fn it_is_polled_by_threads_of_tokio_and_smol() {
    fn call() -> impl Stream<Item = u64> + Send {
        Memo::new("numbers").stream(|| {
            stream::iter(0..1000_u64).then(|n| async move {
                if n.is_multiple_of(100) {
                    smol::future::yield_now().await;
                }
                n
            })
        })
    }
    let expected: Vec<u64> = (0..1000).collect();
    let runtime = Remote::new().runtime();
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    for _ in 0..2 {
        let stream = runtime.scope(call);
        let items = tokio.block_on(async { tokio::spawn(stream.collect::<Vec<u64>>()).await });
        assert_eq!(items.expect("it doesn't panic"), expected);
        let task = smol::spawn(runtime.scope(call).collect::<Vec<u64>>());
        assert_eq!(smol::block_on(task), expected);
    }
    let stats = runtime.stats();
    assert_eq!((stats.absent, stats.hits), (1, 3));
}

#[test]
fn a_blocking_backend_is_never_asked_by_the_thread_that_polls() {
    let remote = Remote::new();
    let runtime = Runtime::builder()
        .async_backend(Unblock::new(remote.clone()))
        .build()
        .expect("valid settings");
    runtime.scope(|| {
        let source = Source::default();
        assert_eq!(collect(source.stream()), items());
        assert_eq!(collect(source.stream()), items());
        assert!(!collect(source.stream().take(3)).is_empty());
        drop(collect(
            Memo::new("other").stream(|| stream::iter(items())).take(9),
        ));
        assert_eq!(source.runs.get(), 1);
    });
    assert!(remote.questions() > 0);
    assert!(!remote.askers().contains(&thread::current().id()));
}

#[test]
fn where_memory_is_the_backend_no_poll_is_pending() {
    let runtime = Runtime::builder()
        .backend(Memory::new(1 << 20))
        .build()
        .expect("valid settings");
    runtime.scope(|| {
        for _ in 0..2 {
            let numbers = Memo::new("numbers").stream(|| stream::iter(0..100_000_u64));
            let polled = pin!(numbers.count()).poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(polled, Poll::Ready(100_000));
        }
    });
    assert_eq!(runtime.stats().hits, 1);
}

#[test]
fn its_size_is_not_promised_by_the_cache() {
    let runtime = Remote::new().runtime();
    runtime.scope(|| {
        let numbers = || Memo::new("numbers").stream(|| stream::iter(0..50_u8));
        let mut first = pin!(numbers());
        assert_eq!(first.size_hint(), (0, None));
        assert_eq!(block_on(first.next()), Some(0));
        assert_eq!(first.size_hint(), (49, Some(49)));
        assert_eq!(block_on(first.as_mut().count()), 49);
        assert_eq!(first.size_hint(), (0, Some(0)));
        let mut second = pin!(numbers());
        assert_eq!(block_on(second.next()), Some(0));
        assert_eq!(second.size_hint(), (0, None));
    });
}

#[test]
fn the_body_sees_the_runtime_of_the_call() {
    let runtime = Remote::new().runtime();
    let stream = runtime.scope(|| {
        Memo::new("outer").stream(|| stream::iter([Memo::new("inner").get_or_compute(|| 1_u8)]))
    });
    assert_eq!(collect(stream), [1]);
    assert_eq!(runtime.stats().stores, 2);
}

#[test]
fn a_body_that_panics_ends_the_stream() {
    let runtime = Remote::new().runtime();
    runtime.scope(|| {
        let mut stream =
            pin!(Memo::new("k").stream(|| -> stream::Empty<u8> { panic!("the function's own") }));
        assert!(catch_unwind(AssertUnwindSafe(|| block_on(stream.next()))).is_err());
        assert_eq!(block_on(stream.next()), None);
    });
    assert_eq!(reasons(runtime.stats()), [0, 0, 0, 0, 1, 0]);
}
