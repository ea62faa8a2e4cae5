//! The ones that wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::held::Held;
use super::state::View;
use super::{Flight, Flights, Leader, Part, lock};

/// Waits for what a flight lands; a future that may be dropped at any time.
pub(crate) struct Waiter<T> {
    flights: Flights<T>,
    flight: Arc<Flight<T>>,
    held: Option<Held>,
    ticket: Option<u64>,
    /// Whether the flight still counts on it.
    waits: bool,
}

impl<T> Waiter<T> {
    pub(super) fn new(flights: Flights<T>, flight: Arc<Flight<T>>, held: Option<Held>) -> Self {
        Self {
            flights,
            flight,
            held,
            ticket: None,
            waits: true,
        }
    }
}

impl<T: Clone> Future for Waiter<T> {
    type Output = Part<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Part<T>> {
        let this = self.get_mut();
        // Cloned and dropped without the lock: a waker is its executor's code.
        let waker = context.waker().clone();
        let mut state = this.flight.lock();
        let part = match state.view() {
            View::Nothing => {
                let replaced = state.sleep(&mut this.ticket, waker);
                drop(state);
                drop(replaced);
                return Poll::Pending;
            }
            View::Landed(value) => Part::Landed(value.clone()),
            View::Over => Part::Alone,
            View::Vacant => {
                state.succeed();
                let flight = Arc::clone(&this.flight);
                Part::Leads(Leader::new(this.flights.clone(), flight, this.held.clone()))
            }
        };
        state.waiters -= 1;
        this.waits = false;
        Poll::Ready(part)
    }
}

impl<T> Drop for Waiter<T> {
    fn drop(&mut self) {
        lock(&self.flights.0.waits).end(self.held.as_ref(), self.flight.id);
        if self.waits {
            let mut waker = None;
            self.flights.step(&self.flight, |state| {
                waker = self.ticket.and_then(|ticket| state.forget(ticket));
                state.waiter_left();
            });
        }
    }
}
