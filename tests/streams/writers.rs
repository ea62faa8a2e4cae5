//! Two writers of one key, step by step, in every order.

use std::iter;

use cache_memoize::Memo;

use crate::shelf::{SHORT_CHUNK, Shelf};
use crate::{items, runtime};

/// Each of three items fills a chunk, so that a step of the writer is a chunk stored, and the last one the manifest.
const STEPS: usize = 4;

fn sequence(writer: u8) -> Vec<Vec<u8>> {
    let mut items = items(3, SHORT_CHUNK - 2);
    for item in &mut items {
        item[0] = writer;
    }
    items
}

fn write(items: Vec<Vec<u8>>) -> impl Iterator<Item = Vec<u8>> {
    Memo::new("two")
        .force_overwrite(true)
        .iter(move || items.into_iter())
}

/// What is there to be read, none where nothing is.
fn read(take: usize) -> Option<impl Iterator<Item = Vec<u8>>> {
    // The body has no item of the others, and as it isn't consumed to its end it isn't stored either.
    let none = vec![b"none".to_vec()];
    let mut reader = Memo::new("two").iter(move || none.into_iter());
    let mut taken: Vec<_> = reader.by_ref().take(take).collect();
    if taken.first().is_some_and(|item| item == b"none") {
        return None;
    }
    Some(iter::from_fn(move || {
        if taken.is_empty() {
            reader.next()
        } else {
            Some(taken.remove(0))
        }
    }))
}

/// All orders of the steps of two writers, as whether it is the second's turn.
fn orders(first: usize, second: usize) -> Vec<Vec<bool>> {
    if first + second == 0 {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for (left, turn) in [
        (first.checked_sub(1).map(|first| (first, second)), false),
        (second.checked_sub(1).map(|second| (first, second)), true),
    ] {
        let rest = left.map_or(Vec::new(), |(first, second)| orders(first, second));
        all.extend(rest.into_iter().map(|rest| [vec![turn], rest].concat()));
    }
    all
}

#[test]
fn a_reader_gets_one_or_the_other_and_all_of_it() {
    let (one, other) = (sequence(1), sequence(2));
    let orders = orders(STEPS, STEPS);
    assert_eq!(orders.len(), 70);
    for order in orders {
        for begins_at in 0..=order.len() {
            for taken_at_once in 0..=3 {
                let shelf = Shelf::short();
                // Another process: in this one the reader would follow a writer.
                let elsewhere = runtime(&shelf);
                runtime(&shelf).scope(|| {
                    let mut writers = [write(one.clone()), write(other.clone())];
                    let mut published = None;
                    let mut steps = [0, 0];
                    let mut reader = None;
                    for (step, &turn) in order.iter().enumerate() {
                        if step == begins_at {
                            reader = elsewhere.scope(|| read(taken_at_once.max(1)));
                            assert_eq!(reader.is_some(), published.is_some());
                        }
                        writers[usize::from(turn)].next();
                        steps[usize::from(turn)] += 1;
                        if steps[usize::from(turn)] == STEPS {
                            published = Some(turn);
                        }
                    }
                    if let Some(reader) = reader {
                        let items: Vec<_> = reader.collect();
                        assert!(items == one || items == other, "{order:?} from {begins_at}");
                    }
                    let last = if published == Some(true) {
                        &other
                    } else {
                        &one
                    };
                    let now = elsewhere.scope(|| read(1)).expect("it is published");
                    let now: Vec<_> = now.collect();
                    assert!(now == *last, "{order:?}");
                });
            }
        }
    }
}
