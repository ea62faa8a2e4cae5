//! Streams of every length come back as they were.

use cache_memoize::{Memory, Runtime};

use crate::shelf::{SHORT_CHUNK, Shelf};
use crate::{BUDGET, Source, in_the_clear_and_sealed, items, runtime};

/// The usual length of a chunk.
const CHUNK: usize = 256 << 10;

/// The bytes that an item of 62 random bytes takes in a stream: its own length, and that of the `Vec`.
const ITEM: usize = 62 + 2;

fn comes_back(runtime: &Runtime, items: Vec<Vec<u8>>) {
    let source = Source::new(items);
    runtime.scope(|| {
        for runs in [1, 1, 1] {
            assert!(source.iter().eq(source.items.iter().cloned()));
            assert_eq!(source.runs.get(), runs);
        }
    });
}

/// A stream of exactly `bytes`: items of [`ITEM`] bytes, and one of what is left.
fn of_bytes(bytes: usize) -> Vec<Vec<u8>> {
    let mut all = items(bytes / ITEM, ITEM - 2);
    let rest = bytes % ITEM;
    match rest {
        0 => {}
        // An item takes two bytes at the least, so it goes to the one before.
        1 => all.last_mut().expect("more than one byte").push(7),
        _ => all.extend(items(1, rest - 2)),
    }
    all
}

#[test]
fn of_every_length_around_the_ends_of_short_chunks() {
    in_the_clear_and_sealed(|shelf, runtime| {
        let short = shelf.chunk_len();
        for bytes in (2..4 * short + 3).chain(20 * short - 3..20 * short + 3) {
            shelf.content().entries.clear();
            comes_back(&runtime, of_bytes(bytes));
            assert_eq!(shelf.chunks().len(), bytes.div_ceil(short), "{bytes}");
        }
    });
}

#[test]
fn of_every_length_around_the_ends_of_usual_chunks() {
    for bytes in [CHUNK, 5 * CHUNK] {
        for bytes in [bytes - 1, bytes, bytes + 1] {
            let shelf = Shelf::new(1 << 20);
            comes_back(&runtime(&shelf), of_bytes(bytes));
            assert_eq!(shelf.chunks().len(), bytes.div_ceil(CHUNK), "{bytes}");
            let memory = Runtime::builder()
                .backend(Memory::new(64 << 20))
                .budget(BUDGET)
                .build();
            comes_back(&memory.expect("valid settings"), of_bytes(bytes));
        }
    }
}

#[test]
fn of_no_item_one_item_and_many() {
    for count in [0, 1, 2, 1000] {
        for length in [0, 1, 62] {
            let shelf = Shelf::short();
            comes_back(&runtime(&shelf), items(count, length));
        }
    }
    let shelf = Shelf::new(CHUNK);
    comes_back(&runtime(&shelf), items(0, 0));
    assert_eq!(shelf.len(), 1, "a stream of no items is its manifest");
}

#[test]
fn of_items_that_are_longer_than_a_chunk() {
    let around = |length| length - 2..length + 2;
    for length in around(SHORT_CHUNK)
        .chain(around(2 * SHORT_CHUNK))
        .chain([1000, 30_000])
    {
        comes_back(&runtime(&Shelf::short()), items(3, length));
    }
    let mut mixed = items(5, 3);
    mixed.extend(items(1, 1 << 20));
    mixed.extend(items(5, 3));
    comes_back(&runtime(&Shelf::new(CHUNK)), mixed);
}

#[test]
fn of_items_that_shrink() {
    let even: Vec<Vec<u8>> = (0..20_000_u32)
        .map(|n| (n / 100).to_le_bytes().repeat(5))
        .collect();
    for compress in [false, true] {
        let shelf = Shelf::new(CHUNK);
        let runtime = Runtime::builder()
            .backend(shelf.clone())
            .compress(compress)
            .budget(BUDGET)
            .build()
            .expect("valid settings");
        comes_back(&runtime, even.clone());
        let stored = shelf.bytes();
        let raw: usize = even.iter().map(|item| item.len() + 2).sum();
        assert_eq!(
            stored < raw / 2,
            compress && cfg!(feature = "compress"),
            "{stored} of {raw}"
        );
    }
}
