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
use std::time::Duration;

use cache_memoize::{Memo, Runtime};
use shelf::Shelf;

/// More than any machine is busy with something else.
const BUDGET: Duration = Duration::from_secs(3600);

fn runtime(shelf: &Shelf) -> Runtime {
    Runtime::builder()
        .backend(shelf.clone())
        .budget(BUDGET)
        .build()
        .expect("valid settings")
}

/// Tests what is stored in the clear and, where that is built, what is sealed: each on a short shelf of its own.
fn in_the_clear_and_sealed(test: impl Fn(&Shelf, Runtime)) {
    let shelf = Shelf::short();
    test(&shelf, runtime(&shelf));
    #[cfg(feature = "encrypt")]
    {
        let shelf = Shelf::short_sealed();
        test(&shelf, sealing_runtime(&shelf));
    }
}

#[cfg(feature = "encrypt")]
fn sealing_runtime(shelf: &Shelf) -> Runtime {
    let secret = "9f3c5d0be2a14786b1e0c7d2f4a8935e6c1b7d20a4e8f3915bc6d7028e4f1a3c";
    Runtime::builder()
        .backend(shelf.clone())
        .budget(BUDGET)
        .secret(cache_memoize::Secret::from_hex(secret).expect("it is random"))
        .force_encryption(true)
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
