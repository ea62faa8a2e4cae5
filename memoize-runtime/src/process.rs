//! Which process this is: a forked child has its parent's memory, but none of its threads.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use once_cell::race::OnceBox;

/// As of the last question.
static RECENT: AtomicU32 = AtomicU32::new(0);

/// Asks the system, which takes as long as some lookups.
pub(crate) fn current() -> u32 {
    let id = process::id();
    // It is the same but for once in a process: threads that all write it would wait for each other.
    if RECENT.load(Ordering::Relaxed) != id {
        RECENT.store(id, Ordering::Relaxed);
    }
    id
}

/// The same as it was found a moment ago, by the same call.
pub(crate) fn recent() -> u32 {
    RECENT.load(Ordering::Relaxed)
}

/// What each process has for itself. A forked child finds a new one, and leaves its parent's as it is: what is locked there may be so for
/// good, by a thread that the child doesn't have, and sockets and wakers there are still in use.
pub(crate) struct PerProcess<T>(OnceBox<Of<T>>);

struct Of<T> {
    process: u32,
    thing: T,
    /// That of a process that was forked from this one, or from one of those.
    next: PerProcess<T>,
}

impl<T> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceBox::new())
    }

    /// That of this process; made here where there is none. It takes no lock, and asks the system.
    pub(crate) fn get_or_make(&self, make: impl Fn() -> T) -> &T {
        self.get_or_make_as(current(), make)
    }

    /// The same by what was asked of the system last; none where nothing was made yet.
    pub(crate) fn recent(&self) -> Option<&T> {
        let mut of = self.0.get()?;
        while of.process != recent() {
            of = of.next.0.get()?;
        }
        Some(&of.thing)
    }

    /// That of the process of this number.
    pub(crate) fn get_or_make_as(&self, process: u32, make: impl Fn() -> T) -> &T {
        let mut own = self;
        loop {
            let of = own.0.get_or_init(|| {
                Box::new(Of {
                    process,
                    thing: make(),
                    next: Self::new(),
                })
            });
            if of.process == process {
                return &of.thing;
            }
            own = &of.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{PerProcess, current};

    #[test]
    fn each_process_has_its_own() {
        let count = AtomicU32::new(0);
        let make = || count.fetch_add(1, Ordering::Relaxed);
        let own = PerProcess::new();
        let [child, grandchild] = [1, 2].map(|other| current() ^ other);
        for _ in 0..2 {
            assert_eq!(own.get_or_make(make), &0);
            assert_eq!(own.get_or_make_as(child, make), &1);
            assert_eq!(own.get_or_make_as(grandchild, make), &2);
        }
    }
}
