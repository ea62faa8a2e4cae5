//! Whose values this thread is storing or reading at the moment.
//!
//! A type may call the memoized function that returns it while it is read. Without a cache that ends, as the function's body
//! needs no bytes; with one, each call would read the value again, or wait for the one that is being stored. So what is called
//! from there, and is being stored or read itself, runs as if it were not memoized.

use std::cell::Cell;

/// As many types within one another as leave room on a thread's stack: reading each may take a quarter of it.
const MAX_LEVELS: usize = 3;

thread_local! {
    static LEVELS: Cell<Levels> = const { Cell::new(Levels { count: 0, of: [0; MAX_LEVELS] }) };
}

/// The addresses of what stands for the types, the innermost last.
#[derive(Clone, Copy)]
struct Levels {
    count: usize,
    of: [usize; MAX_LEVELS],
}

/// Whether values of `this` are being stored or read, or those of as many others as there may be.
#[inline]
pub(super) fn is_busy<T>(this: &T) -> bool {
    let Levels { count, of } = LEVELS.get();
    count == MAX_LEVELS || of[..count].contains(&address(this))
}

/// One level, until it is dropped.
#[derive(Debug)]
pub(super) struct Level(());

impl Level {
    /// `None` where [`is_busy`].
    #[inline]
    pub(super) fn enter<T>(this: &T) -> Option<Self> {
        if is_busy(this) {
            return None;
        }
        let mut levels = LEVELS.get();
        levels.of[levels.count] = address(this);
        levels.count += 1;
        LEVELS.set(levels);
        Some(Self(()))
    }
}

impl Drop for Level {
    #[inline]
    fn drop(&mut self) {
        let mut levels = LEVELS.get();
        levels.count -= 1;
        LEVELS.set(levels);
    }
}

fn address<T>(this: &T) -> usize {
    std::ptr::from_ref(this).addr()
}
