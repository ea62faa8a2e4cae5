//! The one that computes.

use std::sync::Arc;

use super::held::{Held, Running};
use super::{Flight, Flights};

/// Leads a flight until it is dropped.
///
/// Dropped without having landed a value, it has failed: that is how a panic and a cancelled future become known.
pub(crate) struct Leader<T> {
    flights: Flights<T>,
    flight: Arc<Flight<T>>,
    held: Held,
}

impl<T> Leader<T> {
    /// `around` is what its thread or task leads already.
    pub(super) fn new(flights: Flights<T>, flight: Arc<Flight<T>>, around: Option<Held>) -> Self {
        let held = Held::new(flight.id, around);
        Self {
            flights,
            flight,
            held,
        }
    }

    /// Makes known that the computation runs on this thread, as long as what is returned lives.
    pub(crate) fn run(&self) -> Running {
        self.held.clone().enter()
    }

    /// Gives `value` to all who wait. Until the leader is dropped, those who come get it too.
    pub(crate) fn land(&self, value: T) {
        let mut state = self.flight.lock();
        state.land(value);
        let woken = state.take_woken();
        drop(state);
        woken.wake();
    }

    /// Whether the key was invalidated since the flight began.
    pub(crate) fn is_void(&self) -> bool {
        self.flight.lock().void
    }
}

impl<T> Drop for Leader<T> {
    fn drop(&mut self) {
        self.flights
            .step(&self.flight, super::state::State::leader_left);
    }
}
