//! A counter that threads don't fight for.
//!
//! A few threads have a seat each: a cell of each counter that nobody else writes, so that counting is a load and a store.
//! The others share a cell. When a thread ends, its seat goes to another one, with what was counted there.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use once_cell::sync::OnceCell;

const SEATS: usize = 32;

/// Which seats are taken, a bit for each. What was counted on one is handed on with it.
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// The seat of this thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat(u8);

impl Seat {
    /// All are taken.
    const NONE: Self = Self(0x80);
    /// The thread's locals are being torn down.
    const ENDING: Self = Self(0x81);
    const UNKNOWN: Self = Self(0xff);

    #[inline]
    pub(crate) fn current() -> Self {
        let seat = SEAT.get();
        if seat == Self::UNKNOWN {
            Self::take()
        } else {
            seat
        }
    }

    /// Whether the thread's locals are being torn down. What a crate keeps for each thread may be gone then.
    #[inline]
    pub(crate) fn is_ending(self) -> bool {
        self == Self::ENDING
    }

    #[cold]
    fn take() -> Self {
        // Locals are torn down in the reverse order in which they were made: those of the tables come first, so that they
        // are still there as long as this one is.
        let table = papaya::HashMap::<(), ()>::new();
        drop(table.guard());
        let and_the_first_free = |taken: u32| Some(taken | taken.checked_add(1)?);
        let taken = TAKEN.fetch_update(Ordering::AcqRel, Ordering::Acquire, and_the_first_free);
        let free = taken
            .ok()
            .and_then(|taken| u8::try_from(taken.trailing_ones()).ok());
        let seat = free.map_or(Self::NONE, Self);
        SEAT.set(seat);
        // Where it can't be given back any more the thread is ending.
        if LEAVING.try_with(|leaving| leaving.0.set(seat)).is_err() {
            drop(Leaving(Cell::new(seat)));
        }
        SEAT.get()
    }
}

thread_local! {
    static SEAT: Cell<Seat> = const { Cell::new(Seat::UNKNOWN) };
    static LEAVING: Leaving = const { Leaving(Cell::new(Seat::UNKNOWN)) };
}

/// Gives the seat back when the thread ends.
struct Leaving(Cell<Seat>);

impl Drop for Leaving {
    fn drop(&mut self) {
        SEAT.set(Seat::ENDING);
        let seat = self.0.get().0;
        if usize::from(seat) < SEATS {
            TAKEN.fetch_and(!(1 << seat), Ordering::Release);
        }
    }
}

/// Counts from many threads at once; what is read is exact when none of them counts.
pub(crate) struct SeatedCounter {
    /// Made when it first counts: most functions of a program are never called.
    cells: OnceCell<Box<[Cell64; SEATS]>>,
    shared: AtomicU64,
}

/// In cache lines of its own, as processors fetch two at once.
#[repr(align(128))]
struct Cell64(AtomicU64);

impl SeatedCounter {
    pub(crate) const fn new() -> Self {
        Self {
            cells: OnceCell::new(),
            shared: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn count(&self, seat: Seat) {
        let cells = match self.cells.get() {
            Some(cells) => cells,
            None => self.begin(),
        };
        match cells.get(usize::from(seat.0)) {
            // Nobody else writes it, and who had the seat before left it under the lock that it was taken under.
            Some(Cell64(own)) => own.store(own.load(Ordering::Relaxed) + 1, Ordering::Relaxed),
            None => {
                self.shared.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    #[cold]
    fn begin(&self) -> &[Cell64; SEATS] {
        self.cells
            .get_or_init(|| Box::new([const { Cell64(AtomicU64::new(0)) }; SEATS]))
    }

    pub(crate) fn read(&self) -> u64 {
        let seated = self.cells.get().map_or(0, |cells| {
            cells
                .iter()
                .map(|cell| cell.0.load(Ordering::Relaxed))
                .sum()
        });
        seated + self.shared.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::{SEATS, Seat, SeatedCounter};

    #[test]
    fn nothing_is_lost_among_more_threads_than_there_are_seats() {
        const EACH: u64 = 10_000;
        let counter = SeatedCounter::new();
        let threads = SEATS + 8;
        let all_there = Barrier::new(threads);
        for _ in 0..3 {
            thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        counter.count(Seat::current());
                        // Nobody leaves a seat before all have one, or none.
                        all_there.wait();
                        (1..EACH).for_each(|_| counter.count(Seat::current()));
                    });
                }
            });
        }
        assert_eq!(counter.read(), 3 * threads as u64 * EACH);
    }
}
