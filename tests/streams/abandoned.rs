//! Iterators that don't come to their end: nothing is published, nothing stays, and the counters tell why.

use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cache_memoize::{Memo, Stats};
use serde::{Serialize, Serializer};

use crate::shelf::Shelf;
use crate::{Source, items, runtime};

const ITEMS: usize = 25;

fn source() -> Source {
    Source::new(items(ITEMS, 62))
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
fn dropped_after_each_item() {
    for taken in 0..=ITEMS {
        let (shelf, source) = (Shelf::short(), source());
        let runtime = runtime(&shelf);
        runtime.scope(|| {
            let items: Vec<_> = source.iter().take(taken).collect();
            assert!(items == source.items[..taken]);
        });
        assert_eq!(shelf.len(), 0, "{taken}");
        assert_eq!(reasons(runtime.stats()), [0, 0, 0, 1, 0, 0]);
    }
}

#[test]
fn a_panic_at_each_item() {
    for at in 0..=ITEMS {
        let (shelf, source) = (Shelf::short(), source());
        let runtime = runtime(&shelf);
        let run = || {
            let items = source.items.clone().into_iter().map(Some).chain([None]);
            let panicking = items.enumerate().map(|(index, item)| {
                assert_ne!(index, at, "the function's own");
                item.expect("the panic comes before the end")
            });
            Memo::new("source").iter(|| panicking).count()
        };
        let result = runtime.scope(|| catch_unwind(AssertUnwindSafe(run)));
        let message = result.expect_err("the panic is the caller's");
        let message = message
            .downcast_ref::<String>()
            .expect("a formatted message");
        assert!(message.contains("the function's own"), "{message}");
        assert_eq!(shelf.len(), 0, "{at}");
        assert_eq!(reasons(runtime.stats()), [0, 0, 0, 0, 1, 0]);
    }
}

#[test]
fn who_goes_on_after_a_panic_stores_nothing() {
    let shelf = Shelf::short();
    let runtime = runtime(&shelf);
    runtime.scope(|| {
        let mut numbers =
            Memo::new("numbers").iter(|| (0..100_u32).inspect(|n| assert_ne!(*n, 50, "half way")));
        assert_eq!(numbers.by_ref().take(50).count(), 50);
        assert!(catch_unwind(AssertUnwindSafe(|| numbers.next())).is_err());
        assert_eq!(numbers.next(), Some(51), "as the plain iterator would");
        assert_eq!(numbers.last(), Some(99));
    });
    assert_eq!(shelf.len(), 0);
    assert_eq!(reasons(runtime.stats()), [0, 0, 0, 0, 1, 0]);
}

#[test]
fn a_panic_in_the_body() {
    let shelf = Shelf::short();
    let runtime = runtime(&shelf);
    let run = || Memo::new("source").iter(|| -> iter::Empty<u8> { panic!("the function's own") });
    let result = runtime.scope(|| catch_unwind(AssertUnwindSafe(run)));
    assert!(result.is_err());
    assert_eq!(reasons(runtime.stats()), [0, 0, 0, 0, 1, 0]);
}

#[test]
fn an_err_at_each_item_is_handed_on_and_so_is_what_follows() {
    for at in 0..ITEMS {
        let (shelf, source) = (Shelf::short(), source());
        let runtime = runtime(&shelf);
        let all: Vec<Result<Vec<u8>, usize>> = (0..ITEMS)
            .map(|index| {
                if index == at {
                    Err(at)
                } else {
                    Ok(source.items[index].clone())
                }
            })
            .collect();
        runtime.scope(|| {
            let results: Vec<_> = Memo::new("source")
                .try_iter(|| all.clone().into_iter())
                .collect();
            assert!(results == all);
        });
        assert_eq!(shelf.len(), 0, "{at}");
        assert_eq!(reasons(runtime.stats()), [0, 1, 0, 0, 0, 0]);
    }
}

#[test]
fn without_an_err_the_items_are_stored() {
    let shelf = Shelf::short();
    runtime(&shelf).scope(|| {
        let numbers =
            |from: u32| Memo::new("numbers").try_iter(move || (from..from + 100).map(Ok::<_, ()>));
        assert!(numbers(0).eq((0..100).map(Ok)));
        assert!(numbers(7).eq((0..100).map(Ok)));
    });
}

#[test]
fn an_err_that_is_met_while_skipping() {
    for at in 0..10 {
        let (shelf, source) = (Shelf::short(), source());
        runtime(&shelf).scope(|| {
            let items = |fails: bool| {
                let items = source.items.clone().into_iter().enumerate();
                Memo::new("source").try_iter(move || {
                    items.map(move |(index, item)| {
                        if fails && index == at {
                            Err(index)
                        } else {
                            Ok(item)
                        }
                    })
                })
            };
            assert_eq!(items(false).count(), ITEMS);
            let mut reader = items(true);
            let mut taken: Vec<_> = reader.by_ref().take(10).collect();
            shelf.lose(&shelf.chunks()[2..]);
            taken.extend(reader);

            // Ten or more were handed out; the error comes, and then what was not handed out yet.
            let error = taken
                .iter()
                .position(Result::is_err)
                .expect("it is handed on");
            assert_eq!(taken.remove(error), Err(at));
            assert!(error >= 10);
            assert!(taken.into_iter().eq(source.items.iter().cloned().map(Ok)));
        });
    }
}

#[test]
fn a_backend_that_fails_after_each_write() {
    // 16 chunks and the manifest.
    for writes in 0..17 {
        let (shelf, source) = (Shelf::short(), source());
        let runtime = runtime(&shelf);
        shelf.content().sets_left = Some(writes);
        runtime.scope(|| assert!(source.iter().eq(source.items.iter().cloned())));
        assert_eq!(shelf.len(), 0, "{writes}");
        assert_eq!(
            shelf.content().sets,
            writes + 1,
            "nothing more is written after a failure"
        );
        assert_eq!(reasons(runtime.stats()), [0, 0, 0, 0, 0, 1]);
        assert_eq!(runtime.stats().computations, 1);
    }
}

#[test]
fn an_item_that_can_not_be_serialized() {
    #[derive(serde::Deserialize)]
    struct Odd(u32);

    impl Serialize for Odd {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.0 == 50 {
                return Err(serde::ser::Error::custom("not this one"));
            }
            self.0.serialize(serializer)
        }
    }

    let shelf = Shelf::short();
    let runtime = runtime(&shelf);
    runtime.scope(|| {
        let numbers = Memo::new("odd").iter(|| (0..100).map(Odd));
        assert!(numbers.map(|odd| odd.0).eq(0..100));
    });
    assert_eq!(shelf.len(), 0);
    assert_eq!(reasons(runtime.stats()), [0, 0, 1, 0, 0, 0]);
}
