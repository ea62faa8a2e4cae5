//! Single values that are larger than what the backend takes.

use cache_memoize::{Memo, Memory, Runtime};

use crate::shelf::Shelf;
use crate::{items, runtime};

fn value(length: usize) -> Vec<u8> {
    items(1, length).remove(0)
}

fn comes_back(runtime: &Runtime, value: &[u8]) {
    runtime.scope(|| {
        let call = || Memo::new("value").get_or_compute(|| value.to_owned());
        let before = runtime.stats();
        assert!(call() == value && call() == value);
        let now = runtime.stats();
        assert_eq!(
            (
                now.computations - before.computations,
                now.hits - before.hits
            ),
            (1, 1),
            "{} bytes",
            value.len()
        );
    });
}

#[test]
fn of_every_length_around_the_limit() {
    for length in 0..700 {
        let shelf = Shelf::short();
        comes_back(&runtime(&shelf), &value(length));
        assert_eq!(
            shelf.len() > 1,
            44 + length + 1 + usize::from(length > 127) + 8 > 116,
            "{length}"
        );
    }
}

#[test]
fn in_memory_whatever_its_size() {
    let runtime = Runtime::builder()
        .backend(Memory::new(64 << 20))
        .build()
        .expect("valid settings");
    for length in [3 << 20, 5 << 20, 9 << 20] {
        comes_back(&runtime, &value(length));
        runtime.scope(|| assert!(Memo::new("value").invalidate()));
    }
}

#[test]
fn a_lost_chunk_is_a_miss() {
    let shelf = Shelf::short();
    let runtime = runtime(&shelf);
    let value = value(1000);
    comes_back(&runtime, &value);
    for index in 0..shelf.chunks().len() {
        let name = shelf.chunks().swap_remove(index);
        shelf.content().entries.remove(&name);
        let old = shelf.chunks();
        comes_back(&runtime, &value);
        shelf.lose(&old);
    }
    assert!(runtime.stats().incomplete > 5);
    assert_eq!(runtime.stats().incomplete, runtime.stats().misses() - 1);
}

#[test]
fn invalidation_leaves_no_chunk() {
    let shelf = Shelf::short();
    let runtime = runtime(&shelf);
    comes_back(&runtime, &value(1000));
    assert!(shelf.len() > 5);
    runtime.scope(|| assert!(Memo::new("value").invalidate()));
    assert_eq!(shelf.len(), 0);
}

#[test]
fn a_backend_that_fails_after_each_write_keeps_nothing() {
    for writes in 0..12 {
        let shelf = Shelf::short();
        let runtime = runtime(&shelf);
        shelf.content().sets_left = Some(writes);
        let value = value(1000);
        runtime.scope(|| assert!(Memo::new("value").get_or_compute(|| value.clone()) == value));
        let stats = runtime.stats();
        // Eleven chunks and the manifest.
        assert_eq!(
            (shelf.len(), stats.unwritten, stats.stores),
            (0, 1, 0),
            "{writes}"
        );
    }
}

#[test]
fn a_backend_that_takes_less_than_a_manifest_keeps_nothing() {
    let shelf = Shelf::new(60);
    let runtime = runtime(&shelf);
    runtime.scope(|| {
        let value = value(1000);
        assert!(Memo::new("value").get_or_compute(|| value.clone()) == value);
        assert!(Memo::new("items").iter(|| 0..100_u32).eq(0..100));
    });
    assert_eq!((shelf.len(), runtime.stats().unstorable), (0, 2));
}

#[test]
fn what_shrinks_is_compressed_and_what_is_short_is_not() {
    for (length, compress) in [(1000, true), (2000, true), (2000, false)] {
        let shelf = Shelf::new(1 << 20);
        let runtime = Runtime::builder()
            .backend(shelf.clone())
            .compress(compress)
            .build()
            .expect("valid settings");
        comes_back(&runtime, &vec![7; length]);
        let stored = shelf.bytes();
        let shrinks = compress && length >= 1024 && cfg!(feature = "compress");
        assert_eq!(stored < length / 2, shrinks, "{length} bytes took {stored}");
    }
}

#[test]
fn a_call_can_say_whether_to_compress() {
    for compress in [false, true] {
        let shelf = Shelf::new(1 << 20);
        let runtime = Runtime::builder()
            .backend(shelf.clone())
            .compress(!compress)
            .build()
            .expect("valid settings");
        runtime.scope(|| {
            Memo::new("value")
                .compress(compress)
                .get_or_compute(|| vec![7_u8; 5000]);
            // Whoever reads it need not know.
            let read = Memo::new("value")
                .compress(!compress)
                .get_or_compute(Vec::<u8>::new);
            assert!(read == vec![7_u8; 5000]);
        });
        let stored = shelf.bytes();
        assert_eq!(stored < 1000, compress && cfg!(feature = "compress"));
    }
}
