//! What an iterator from the cache has in common with the function's own, and how much it holds.

use std::cell::Cell;
use std::iter::FusedIterator;
use std::time::Duration;

use cache_memoize::testing::ManualClock;
use cache_memoize::{Memo, Runtime};

use crate::shelf::{SHORT_CHUNK, Shelf};
use crate::{Source, items, runtime};

#[test]
fn an_item_is_handed_on_before_the_next_is_produced() {
    runtime(&Shelf::short()).scope(|| {
        let produced = Cell::new(0);
        let mut numbers = Memo::new("numbers")
            .iter(|| (0..1000_u32).inspect(|_| produced.set(produced.get() + 1)));
        for n in 0..1000 {
            assert_eq!(produced.get(), n);
            assert_eq!(numbers.next(), Some(n));
        }
    });
}

#[test]
fn the_body_runs_at_the_call() {
    runtime(&Shelf::short()).scope(|| {
        let ran = Cell::new(false);
        let _numbers = Memo::new("numbers").iter(|| {
            ran.set(true);
            0..10_u32
        });
        assert!(ran.get());
    });
}

#[test]
fn arguments_are_moved_into_the_iterator_and_need_not_be_clone() {
    struct Database(Vec<u32>);
    fn rows(database: Database) -> impl Iterator<Item = u32> {
        Memo::new("rows").iter(move || database.0.into_iter())
    }
    let shelf = Shelf::short();
    runtime(&shelf).scope(|| {
        assert!(rows(Database((0..1000).collect())).eq(0..1000));
        let mut again = rows(Database((0..1000).collect()));
        assert_eq!(again.next(), Some(0));
        shelf.lose(&shelf.chunks());
        assert!(again.eq(1..1000));
    });
}

#[test]
fn it_is_send_where_the_functions_own_is_and_fused() {
    fn is_send<T: Send>(_: &T) {}
    fn is_fused<T: FusedIterator>(_: &T) {}
    runtime(&Shelf::short()).scope(|| {
        let numbers = Memo::new("numbers").iter(|| 0..3_u32);
        is_send(&numbers);
        is_fused(&numbers);
        // An iterator that begins again after its end.
        let again = || {
            let mut calls = 0;
            Memo::new("again").iter(move || {
                std::iter::from_fn(move || {
                    calls += 1;
                    (calls % 3 != 0).then_some(calls)
                })
            })
        };
        for mut numbers in [again(), again()] {
            assert_eq!(numbers.by_ref().collect::<Vec<_>>(), [1, 2]);
            assert_eq!(numbers.next(), None);
            assert_eq!(numbers.size_hint(), (0, Some(0)));
        }
    });
}

#[test]
fn the_size_hint_is_the_functions_own_or_none() {
    runtime(&Shelf::short()).scope(|| {
        let numbers = || Memo::new("numbers").iter(|| 0..100_u32);
        let mut first = numbers();
        assert_eq!(first.size_hint(), (100, Some(100)));
        first.next();
        assert_eq!(first.size_hint(), (99, Some(99)));
        assert_eq!(first.count(), 99);
        assert_eq!(numbers().size_hint(), (0, None));
    });
}

#[test]
fn a_reader_asks_for_few_chunks_at_a_time_and_for_one_at_first() {
    let shelf = Shelf::short();
    runtime(&shelf).scope(|| {
        let source = Source::new(items(25, 62));
        source.store();
        shelf.content().asked.clear();
        let mut reader = source.iter();
        assert_eq!(shelf.content().asked, [1]);
        reader.next();
        assert_eq!(
            shelf.content().asked,
            [1],
            "the first item is in the first chunk"
        );
        assert_eq!(reader.count(), 24);
        assert_eq!(shelf.content().asked, [1, 4, 4, 4, 3]);
    });
}

#[test]
fn a_short_stream_is_fetched_before_its_first_item() {
    let shelf = Shelf::short();
    runtime(&shelf).scope(|| {
        let source = Source::new(items(6, 62));
        source.store();
        shelf.content().asked.clear();
        let reader = source.iter();
        assert_eq!(shelf.content().asked, [4]);
        shelf.content().fails = true;
        assert!(reader.eq(source.items.iter().cloned()));
        assert_eq!(source.runs.get(), 0);
    });
}

#[test]
fn an_iterator_and_a_value_never_share_an_entry() {
    let shelf = Shelf::short();
    let runtime = runtime(&shelf);
    runtime.scope(|| {
        let long = "x".repeat(SHORT_CHUNK * 2);
        let value = || Memo::new("one").get_or_compute(|| long.clone());
        let stream = || Memo::new("one").iter(|| [long.clone()].into_iter());
        assert!(stream().eq([long.clone()]));
        assert_eq!(value(), long);
        assert!(stream().eq([long.clone()]));
    });
    assert_eq!((runtime.stats().hits, runtime.stats().wrong_type), (0, 2));
}

#[test]
fn an_entry_of_other_items_is_a_miss() {
    let runtime = runtime(&Shelf::short());
    runtime.scope(|| {
        assert!(Memo::new("n").iter(|| 0..3_u32).eq(0..3));
        assert!(Memo::new("n").iter(|| 0..3_u64).eq(0..3));
    });
    assert_eq!(runtime.stats().wrong_type, 1);
}

#[test]
fn invalidation_leaves_no_chunk() {
    let shelf = Shelf::short();
    runtime(&shelf).scope(|| {
        let source = Source::new(items(200, 62));
        source.store();
        assert!(shelf.len() > 100);
        assert!(Memo::new("source").invalidate());
        assert_eq!(shelf.len(), 0);
    });
}

#[test]
fn an_unusable_key_is_no_reason_not_to_iterate() {
    struct Unwritable;
    impl std::fmt::Display for Unwritable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            Err(std::fmt::Error)
        }
    }
    let shelf = Shelf::short();
    let runtime = runtime(&shelf);
    runtime.scope(|| {
        for _ in 0..2 {
            assert!(Memo::new([Unwritable]).iter(|| 0..100_u32).eq(0..100));
        }
    });
    assert_eq!(
        (
            runtime.stats().bypassed,
            runtime.stats().computations,
            shelf.len()
        ),
        (2, 2, 0)
    );
}

fn dated(shelf: &Shelf, clock: &ManualClock) -> Runtime {
    Runtime::builder()
        .backend(shelf.clone())
        .clock(clock.clone())
        .expiration(Duration::from_secs(3600))
        .build()
        .expect("valid settings")
}

#[test]
fn the_life_begins_with_the_stream_and_chunks_have_a_minute_more() {
    let (shelf, clock) = (Shelf::short(), ManualClock::new());
    dated(&shelf, &clock).scope(|| {
        let source = Source::new(items(25, 62));
        let mut writer = source.iter();
        writer.next();
        clock.advance(Duration::from_secs(600));
        assert_eq!(writer.count(), 24);

        let left = Duration::from_secs(3000);
        {
            let content = shelf.content();
            let (mut chunks, mut entries) = (0, 0);
            for (name, life) in &content.lives {
                if name.ends_with("source") {
                    assert_eq!(*life, left);
                    entries += 1;
                } else {
                    assert_eq!(*life, left + Duration::from_secs(60));
                    chunks += 1;
                }
            }
            assert_eq!((entries, chunks), (1, 16));
        }
        clock.advance(Duration::from_millis(2_999_999));
        assert_eq!((source.iter().count(), source.runs.get()), (25, 1));
        clock.advance(Duration::from_millis(1));
        assert_eq!((source.iter().count(), source.runs.get()), (25, 2));
    });
}

#[test]
fn who_takes_longer_than_the_expiration_stores_nothing() {
    let (shelf, clock) = (Shelf::short(), ManualClock::new());
    let runtime = dated(&shelf, &clock);
    runtime.scope(|| {
        let source = Source::new(items(25, 62));
        let mut writer = source.iter();
        writer.next();
        clock.advance(Duration::from_secs(3600));
        assert_eq!(writer.count(), 24);
    });
    assert_eq!((shelf.len(), runtime.stats().unstorable), (0, 1));
}

#[test]
fn an_expiration_of_zero_stores_nothing() {
    let shelf = Shelf::short();
    let runtime = runtime(&shelf);
    runtime.scope(|| {
        let numbers = Memo::new("numbers")
            .expiration(Duration::ZERO)
            .iter(|| 0..100_u32);
        assert_eq!(numbers.count(), 100);
    });
    assert_eq!((shelf.content().sets, runtime.stats().unstorable), (0, 1));
}
