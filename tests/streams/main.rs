//! Iterators as they are memoized: whatever happens to the chunks, the caller's sequence is the function's.

mod abandoned;
mod contract;
mod lengths;
mod losses;
mod shelf;
mod values;
mod writers;

use std::cell::Cell;
use std::rc::Rc;

use cache_memoize::{Memo, Runtime};
use shelf::Shelf;

fn runtime(shelf: &Shelf) -> Runtime {
    Runtime::builder()
        .backend(shelf.clone())
        .build()
        .expect("valid settings")
}

/// The items of a sequence, none of which compresses or is equal to another.
fn items(count: usize, length: usize) -> Vec<Vec<u8>> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..count)
        .map(|_| (0..length).map(|_| byte()).collect())
        .collect()
}

/// A memoized sequence, and how often its body ran.
struct Source {
    items: Vec<Vec<u8>>,
    runs: Rc<Cell<usize>>,
}

impl Source {
    fn new(items: Vec<Vec<u8>>) -> Self {
        Self {
            items,
            runs: Rc::default(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = Vec<u8>> {
        self.overwriting(false)
    }

    fn overwriting(&self, overwrite: bool) -> impl Iterator<Item = Vec<u8>> {
        let items = self.items.clone();
        let runs = Rc::clone(&self.runs);
        Memo::new("source")
            .force_overwrite(overwrite)
            .iter(move || {
                runs.set(runs.get() + 1);
                items.into_iter()
            })
    }

    fn store(&self) {
        assert!(self.overwriting(true).eq(self.items.iter().cloned()));
        self.runs.set(0);
    }
}
