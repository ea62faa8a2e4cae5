//! Chunks are lost, damaged or replaced while a reader stands at any item: nobody notices but the body.

use std::collections::HashMap;

use cache_memoize::{Bytes, Memo, Runtime};

use crate::shelf::{SHORT_CHUNK, Shelf};
use crate::{Source, in_the_clear_and_sealed, items, runtime};

const ITEMS: usize = 25;

/// Five items make at most four chunks, which is read as a whole; all 25 make more than that.
const LENGTH: usize = 62;

/// What can happen to a chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mishap {
    Lost,
    Cut,
    Longer,
    Flipped,
    Emptied,
    /// The chunk at the same place of another generation.
    OfAnotherGeneration,
    /// Another chunk of the same generation.
    OfAnotherPlace,
}

const MISHAPS: [Mishap; 7] = [
    Mishap::Lost,
    Mishap::Cut,
    Mishap::Longer,
    Mishap::Flipped,
    Mishap::Emptied,
    Mishap::OfAnotherGeneration,
    Mishap::OfAnotherPlace,
];

impl Mishap {
    fn befall(self, backend: &Shelf, names: &[String], index: usize, others: &[Bytes]) {
        let mut content = backend.content();
        let was = content.entries[&names[index]].clone();
        let is = match self {
            Self::Lost => {
                content.entries.remove(&names[index]);
                return;
            }
            Self::Cut => was.slice(..was.len() - 1),
            Self::Longer => [&was[..], &[0]].concat().into(),
            Self::Flipped => {
                let mut bytes = was.to_vec();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x10;
                bytes.into()
            }
            Self::Emptied => Bytes::new(),
            Self::OfAnotherGeneration => others[index].clone(),
            Self::OfAnotherPlace => content.entries[&names[(index + 1) % names.len()]].clone(),
        };
        content.entries.insert(names[index].clone(), is);
    }
}

/// Each mishap, to each chunk, while the reader has taken each number of items.
fn each_mishap(count: usize) {
    in_the_clear_and_sealed(|shelf, runtime| each_mishap_there(count, shelf, &runtime));
}

fn each_mishap_there(count: usize, shelf: &Shelf, runtime: &Runtime) {
    let source = Source::new(items(count, LENGTH));
    runtime.scope(|| {
        source.store();
        let others: Vec<Bytes> = {
            let content = shelf.content();
            let bytes = |name: &String| content.entries[name].clone();
            let names: Vec<String> = content.entries.keys().cloned().collect();
            let mut chunks: HashMap<usize, Bytes> = HashMap::new();
            for name in &names {
                if let Some(index) = name.rsplit('.').next().and_then(|index| index.parse().ok()) {
                    chunks.insert(index, bytes(name));
                }
            }
            (0..chunks.len())
                .map(|index| chunks[&index].clone())
                .collect()
        };
        shelf.content().entries.clear();

        let (mut noticed, mut cases) = (0, 0);
        for mishap in MISHAPS {
            for position in 0..=count {
                for index in 0..others.len() {
                    source.store();
                    let names = shelf.chunks();
                    let mut reader = source.iter();
                    let mut taken: Vec<_> = reader.by_ref().take(position).collect();
                    assert_eq!(source.runs.get(), 0, "it comes from the cache");
                    mishap.befall(shelf, &names, index, &others);
                    taken.extend(reader);
                    assert!(taken == source.items, "{mishap:?} of {index} at {position}");
                    noticed += source.runs.get();
                    cases += 1;

                    // The same before the call, which then may be a miss, but never more or less than the sequence.
                    if position == 0 {
                        shelf.content().entries.clear();
                        source.store();
                        let names = shelf.chunks();
                        mishap.befall(shelf, &names, index, &others);
                        assert!(source.iter().eq(source.items.iter().cloned()));
                        assert_eq!(source.runs.get(), 1, "{mishap:?} of {index}");
                    }

                    // The run has healed the entry, or there is nothing to be healed for who reads it now.
                    assert!(source.iter().eq(source.items.iter().cloned()));
                    assert!(source.runs.get() <= 1);
                    shelf.content().entries.clear();
                }
            }
        }
        // What was fetched before can't be lost any more. It was, in full, where the stream is short.
        assert_eq!(noticed == 0, others.len() <= 4, "{noticed} of {cases}");
    });
}

#[test]
fn to_each_chunk_of_a_long_stream_at_each_item() {
    each_mishap(ITEMS);
    assert_eq!((ITEMS * (LENGTH + 2)).div_ceil(SHORT_CHUNK), 16);
}

#[test]
fn to_each_chunk_of_a_short_stream_at_each_item() {
    each_mishap(5);
}

#[test]
fn before_the_first_item_it_is_a_miss_like_any_other() {
    for count in [5, ITEMS] {
        in_the_clear_and_sealed(|shelf, runtime| {
            let source = Source::new(items(count, LENGTH));
            runtime.scope(|| {
                source.store();
                Mishap::Lost.befall(shelf, &shelf.chunks(), 0, &[]);
                let mut reader = source.iter();
                assert_eq!(source.runs.get(), 1, "the body runs at the call");
                assert!(reader.by_ref().eq(source.items.iter().cloned()));
            });
            let stats = runtime.stats();
            assert_eq!((stats.incomplete, stats.interrupted, stats.hits), (1, 0, 0));
            assert_eq!(stats.misses(), 1);
        });
    }
}

#[test]
fn a_backend_that_starts_to_fail_at_each_item() {
    for position in 0..=ITEMS {
        in_the_clear_and_sealed(|shelf, runtime| {
            runtime.scope(|| {
                let source = Source::new(items(ITEMS, LENGTH));
                source.store();
                let mut reader = source.iter();
                let mut taken: Vec<_> = reader.by_ref().take(position).collect();
                shelf.content().fails = true;
                taken.extend(reader);
                assert!(taken == source.items, "{position}");
                let stats = runtime.stats();
                assert_eq!(stats.interrupted, source.runs.get() as u64);
                assert_eq!(stats.unwritten, stats.interrupted);

                // Nothing was published, and what is there still serves.
                shelf.content().fails = false;
                source.runs.set(0);
                assert!(source.iter().eq(source.items.iter().cloned()));
                assert_eq!(source.runs.get(), 0);
            });
        });
    }
}

#[test]
fn another_writer_replaces_the_entry_at_each_item() {
    for removed in [false, true] {
        for position in 0..=ITEMS {
            in_the_clear_and_sealed(|shelf, runtime| {
                runtime.scope(|| {
                    let source = Source::new(items(ITEMS, LENGTH));
                    source.store();
                    let old = shelf.chunks();
                    let mut reader = source.iter();
                    let mut taken: Vec<_> = reader.by_ref().take(position).collect();
                    source.store();
                    if removed {
                        shelf.lose(&old);
                    }
                    taken.extend(reader);
                    assert!(taken == source.items, "{position}");
                    assert!(
                        removed || source.runs.get() == 0,
                        "the old chunks are still there"
                    );
                });
            });
        }
    }
}

#[test]
fn the_counters_tell_of_a_loss() {
    let source = Source::new(items(ITEMS, LENGTH));
    let shelf = Shelf::short();
    let runtime = runtime(&shelf);
    runtime.scope(|| {
        source.store();
        let mut reader = source.iter();
        assert!(reader.next().is_some());
        let last = shelf.chunks().pop().expect("there are chunks");
        shelf.content().entries.remove(&last);
        assert_eq!(reader.count(), ITEMS - 1);
    });
    let stats = runtime.stats();
    assert_eq!((stats.hits, stats.interrupted, stats.misses()), (1, 1, 0));
    assert_eq!((stats.computations, stats.stores), (2, 2), "it was healed");
}

#[test]
fn the_body_that_runs_after_a_loss_sees_the_runtime_of_the_call() {
    let (shelf, inner) = (Shelf::short(), Shelf::short());
    let runtime = runtime(&shelf);
    let rows = || {
        Memo::new("rows").iter(|| {
            let rows = Memo::new("inner").get_or_compute(|| 2500_u32);
            0..rows
        })
    };
    let mut reader = runtime.scope(|| {
        assert!(rows().eq(0..2500));
        rows()
    });
    assert_eq!(reader.next(), Some(0));
    shelf.lose(&shelf.chunks());
    // Handed to where another runtime is current.
    crate::runtime(&inner).scope(|| assert!(reader.eq(1..2500)));
    assert_eq!(inner.len(), 0);
    assert_eq!(runtime.stats().interrupted, 1);
    assert_eq!(
        runtime.stats().hits,
        2,
        "of the rows, and of what the body asks for"
    );
}
