//! The one that computes.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;

use super::held::{Held, Running};
use super::{Flight, Flights};

/// Leads a flight until it is dropped.
///
/// Dropped without having landed a value, it has failed, or its future was cancelled.
pub(crate) struct Leader<T, L> {
    flights: Flights<T, L>,
    flight: Arc<Flight<T, L>>,
    held: Held,
    /// Which of the flight's leaders it is, of those who relieved each other.
    generation: u64,
    /// Whether its body came to an end.
    computed: AtomicBool,
}

impl<T, L> Leader<T, L> {
    /// `around` is what its thread or task leads already.
    pub(super) fn new(
        flights: Flights<T, L>,
        flight: Arc<Flight<T, L>>,
        around: Option<Held>,
        generation: u64,
    ) -> Self {
        let held = Held::new(flight.id, around);
        Self {
            flights,
            flight,
            held,
            generation,
            computed: AtomicBool::new(false),
        }
    }

    /// Makes known that the computation runs on this thread, as long as what is returned lives.
    pub(crate) fn run(&self) -> Running {
        self.held.clone().enter()
    }

    /// The lease of one that waits, which was granted one where this leader was told that another has it.
    pub(crate) async fn offered(&self) -> L {
        poll_fn(|context| {
            // Cloned and dropped without the lock: a waker is its executor's code.
            let waker = context.waker().clone();
            let mut state = self.flight.lock();
            if let Some(lease) = state.take_offer() {
                return Poll::Ready(lease);
            }
            let replaced = state.seek(waker);
            drop(state);
            drop(replaced);
            Poll::Pending
        })
        .await
    }

    /// Begins to compute: with `lease`, or else with one that was offered. From now on none is taken, since what may be stored by
    /// it is only what is computed after it was granted.
    pub(crate) fn settle(&self, lease: Option<L>) -> Option<L>
    where
        L: Copy,
    {
        let (lease, waker) = self.flight.lock().settle(lease);
        drop(waker);
        lease
    }

    /// The lease of the leader that this one relieves: what it has it may use first, and what is computed later may be stored by it.
    pub(crate) fn inherited(&self) -> Option<L>
    where
        L: Copy,
    {
        self.flight.lock().inherit()
    }

    /// Whether another has relieved it, with its lease.
    pub(crate) fn is_relieved(&self) -> bool {
        self.flight.lock().generation != self.generation
    }

    /// The body came to its end: if nothing lands, this was a failure and no cancellation.
    pub(crate) fn computed(&self) {
        self.computed.store(true, Ordering::Relaxed);
    }

    /// Whether anybody waits for what it lands.
    pub(crate) fn is_awaited(&self) -> bool {
        self.flight.lock().waiters > 0
    }

    /// Gives `value` to all who wait. Until the leader is dropped, those who come get it too.
    pub(crate) fn land(&self, value: T) {
        let mut state = self.flight.lock();
        let left = state.land(value, self.generation);
        let woken = state.take_woken();
        drop(state);
        drop(left);
        woken.wake();
    }

    /// Whether the key was invalidated since the flight began.
    pub(crate) fn is_void(&self) -> bool {
        self.flight.lock().void
    }
}

impl<T, L> Drop for Leader<T, L> {
    fn drop(&mut self) {
        let failed = self.computed.load(Ordering::Relaxed) || thread::panicking();
        self.flights.step(&self.flight, |state| {
            state.leader_left(self.generation, failed);
        });
    }
}
