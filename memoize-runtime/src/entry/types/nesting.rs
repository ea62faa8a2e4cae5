//! Whose values this thread is storing or reading at the moment.
//!
//! A type may call the memoized function that returns it while it is read. Without a cache that ends, as the function's body
//! needs no bytes; with one, each call would read the value again, or wait for the one that is being stored. So what is called
//! from there, and is being stored or read itself, runs as if it were not memoized.

use std::cell::Cell;

/// As many types within one another as leave room on a thread's stack: reading each may take a quarter of it.
const MAX_LEVELS: usize = 3;

thread_local! {
    static LEVELS: Levels = const {
        Levels {
            count: Cell::new(0),
            of: [const { Cell::new(0) }; MAX_LEVELS],
        }
    };
}

/// The addresses of what stands for the types, the innermost last.
struct Levels {
    count: Cell<usize>,
    of: [Cell<usize>; MAX_LEVELS],
}

impl Levels {
    #[inline]
    fn are_busy_with(&self, address: usize) -> bool {
        let entered = self.of.iter().take(self.count.get());
        self.count.get() == MAX_LEVELS || entered.map(Cell::get).any(|busy| busy == address)
    }
}

/// Whether values of `this` are being stored or read, or those of as many others as there may be.
#[inline]
pub(super) fn is_busy<T>(this: &T) -> bool {
    LEVELS.with(|levels| levels.are_busy_with(address(this)))
}

/// One level, until it is dropped.
#[derive(Debug)]
pub(super) struct Level(());

impl Level {
    /// `None` where [`is_busy`].
    #[inline]
    pub(super) fn enter<T>(this: &T) -> Option<Self> {
        LEVELS.with(|levels| {
            if levels.are_busy_with(address(this)) {
                return None;
            }
            let count = levels.count.get();
            levels.of[count].set(address(this));
            levels.count.set(count + 1);
            Some(Self(()))
        })
    }
}

impl Drop for Level {
    #[inline]
    fn drop(&mut self) {
        LEVELS.with(|levels| levels.count.set(levels.count.get() - 1));
    }
}

#[inline]
fn address<T>(this: &T) -> usize {
    std::ptr::from_ref(this).addr()
}
