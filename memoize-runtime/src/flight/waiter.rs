//! The ones that wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::held::{Held, Node, nodes};
use super::state::View;
use super::{Flight, Flights, Joined, Leader, Part};
use crate::guard::wake_all;
use crate::locks::lock;
use crate::sleepers::Ticket;

/// Waits for what a flight lands; a future that may be dropped at any time.
pub(crate) struct Waiter<T, L> {
    flights: Flights<T, L>,
    flight: Arc<Flight<T, L>>,
    held: Option<Held>,
    /// The thread that is blocked until it is done, by its number; 0 for a task.
    thread: u64,
    ticket: Ticket,
    /// Which of the flight's leaders it began to wait for.
    generation: u64,
    /// Whether it has waited long enough once already.
    waits_again: bool,
    /// Whether the flight still counts on it.
    waits: bool,
}

impl<T, L> Waiter<T, L> {
    pub(super) fn new(
        flights: Flights<T, L>,
        flight: Arc<Flight<T, L>>,
        held: Option<Held>,
        generation: u64,
    ) -> Self {
        Self {
            flights,
            flight,
            held,
            thread: 0,
            ticket: None,
            generation,
            waits_again: false,
            waits: true,
        }
    }

    /// Offers the leader a lease, which it takes if it has none and doesn't compute yet; else it is the caller's again.
    pub(crate) fn offer(&self, lease: L) -> Result<Offer<T, L>, L> {
        let mut state = self.flight.lock();
        let seeker = state.offer(lease)?;
        drop(state);
        wake_all(seeker);
        Ok(Offer(Arc::clone(&self.flight)))
    }
}

impl<T: Clone, L> Waiter<T, L> {
    /// Notes that this thread, of this number, is blocked until it is done; it isn't to be where it would wait for itself.
    pub(crate) fn block(mut self, thread: u64) -> Joined<T, L> {
        let (waiting, target) = (Node::Thread(thread), Node::Flight(self.flight.id));
        // Those whose locals are torn down have no number of their own.
        if thread != 0 && !lock(&self.flights.0.waits).note(&[waiting], target) {
            return Joined::Plays(Part::Inside);
        }
        self.thread = thread;
        Joined::Waits(self)
    }

    /// What becomes of one that has waited long enough. Of those who wait for one leader one relieves it: it computes for all who
    /// still wait and come, and stores by the same lease, as a leader that is slow and one that is stuck look the same. The
    /// others wait for that one, once; then the first of them relieves it in turn, and the rest compute beside.
    ///
    /// Where the key was invalidated they go on as if they came now, once.
    pub(crate) fn relieve(mut self) -> Joined<T, L> {
        let mut state = self.flight.lock();
        let part = match state.view() {
            View::Landed(value) => Part::Landed(value.clone()),
            View::Nothing | View::Over if state.void => {
                drop(state);
                return if self.waits_again {
                    Joined::Plays(Part::Alone)
                } else {
                    self.rejoin()
                };
            }
            View::Over => Part::Alone,
            View::Vacant => {
                state.succeed();
                Part::Leads(self.lead(state.generation))
            }
            View::Nothing => {
                if state.relieve(self.generation) {
                    Part::Leads(self.lead(state.generation))
                } else if self.waits_again {
                    Part::Beside
                } else {
                    let generation = state.generation;
                    drop(state);
                    self.generation = generation;
                    self.waits_again = true;
                    return Joined::Waits(self);
                }
            }
        };
        drop(state);
        Joined::Plays(part)
    }

    /// Joins the flight that newcomers do, for the last time.
    fn rejoin(&self) -> Joined<T, L> {
        let flight = &self.flight;
        let joined = self
            .flights
            .join(flight.process, &flight.name, flight.kind, false);
        match joined {
            Joined::Waits(mut waiter) => {
                waiter.waits_again = true;
                waiter.block(self.thread)
            }
            Joined::Plays(part) => Joined::Plays(part),
        }
    }
}

impl<T, L> Waiter<T, L> {
    fn lead(&self, generation: u64) -> Leader<T, L> {
        let flight = Arc::clone(&self.flight);
        Leader::new(self.flights.clone(), flight, self.held.clone(), generation)
    }
}

/// A lease that was offered. It stays with the flight until somebody takes it: the leader, the one that takes over, or whoever
/// offered one, and must then use it or give it up.
pub(crate) struct Offer<T, L>(Arc<Flight<T, L>>);

impl<T, L> Offer<T, L> {
    pub(crate) fn take_back(&self) -> Option<L> {
        self.0.lock().take_offer()
    }
}

impl<T: Clone, L> Future for Waiter<T, L> {
    type Output = Part<T, L>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Part<T, L>> {
        let this = self.get_mut();
        // Cloned and dropped without the lock: a waker is its executor's code.
        let waker = context.waker().clone();
        let mut state = this.flight.lock();
        if state.void && !this.waits_again && matches!(state.view(), View::Over) {
            // Nobody takes over where newcomers don't see it: those who waited line up for a new flight, as newcomers do.
            drop(state);
            return match this.rejoin() {
                Joined::Plays(part) => Poll::Ready(part),
                Joined::Waits(again) => {
                    *this = again;
                    Pin::new(this).poll(context)
                }
            };
        }
        let part = match state.view() {
            View::Nothing => {
                let replaced = state.sleepers.sleep(&mut this.ticket, waker);
                drop(state);
                drop(replaced);
                return Poll::Pending;
            }
            View::Landed(value) => Part::Landed(value.clone()),
            View::Over => Part::Alone,
            View::Vacant => {
                state.succeed();
                Part::Leads(this.lead(state.generation))
            }
        };
        state.waiters -= 1;
        this.waits = false;
        Poll::Ready(part)
    }
}

impl<T, L> Drop for Waiter<T, L> {
    fn drop(&mut self) {
        let waiting = nodes(self.held.as_ref(), self.thread);
        lock(&self.flights.0.waits).forget(waiting, Node::Flight(self.flight.id));
        if self.waits {
            let mut waker = None;
            self.flights.step(&self.flight, |state| {
                waker = state.sleepers.forget(self.ticket);
                state.waiter_left();
            });
        }
    }
}
