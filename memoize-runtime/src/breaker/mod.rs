//! The circuit breaker: a backend that fails is left alone for a while, so that calls don't wait for it.
//!
//! It opens after five failures in a row, or when at least half of 20 answers or more failed within 10 seconds after a first failure.
//! Then nothing is asked for a second, more or less; after that one question is, and what comes of it decides: it closes, or
//! stays open for twice as long as before, up to 30 seconds.
//!
//! As long as all goes well it costs two reads of a word that nobody writes.

mod state;

pub(crate) use state::Ending;

use std::hash::{BuildHasher, RandomState};
#[cfg(test)]
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::shim::AtomicU64;
use state::{Admission, State};

pub(crate) struct Breaker {
    /// A [`State`], packed.
    state: AtomicU64,
    clock: Monotonic,
}

/// Time that never goes back, in milliseconds since some moment.
pub(crate) enum Monotonic {
    System(Instant),
    #[cfg(test)]
    Manual(Arc<AtomicU64>),
}

/// The leave to ask one question; what came of it is to be told.
#[must_use = "dropped, it tells that nothing is known of the answer"]
pub(crate) struct Permit<'b> {
    breaker: &'b Breaker,
    /// When it began, if it is a probe.
    probe_ms: Option<u64>,
}

/// What the end of a question changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Opened,
    Closed,
}

impl Breaker {
    pub(crate) fn new(clock: Monotonic) -> Self {
        Self {
            state: AtomicU64::new(State::CLOSED),
            clock,
        }
    }

    /// Asks for the leave to ask; `None` while it is open.
    pub(crate) fn admit(&self) -> Option<Permit<'_>> {
        let mut word = self.state.load(Ordering::Relaxed);
        if !State::unpack(word).is_open() {
            return Some(self.permit(None));
        }
        let now_ms = self.clock.now_ms();
        loop {
            let (next, admission) = State::unpack(word).admit(now_ms);
            let probe_ms = match admission {
                Admission::Refused => return None,
                Admission::Usual => return Some(self.permit(None)),
                Admission::Probe => Some(now_ms),
            };
            match self.exchange(word, next) {
                Ok(()) => return Some(self.permit(probe_ms)),
                Err(found) => word = found,
            }
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        State::unpack(self.state.load(Ordering::Relaxed)).is_open()
    }

    fn permit(&self, probe_ms: Option<u64>) -> Permit<'_> {
        Permit {
            breaker: self,
            probe_ms,
        }
    }

    fn end(&self, probe_ms: Option<u64>, ending: Ending) -> Option<Change> {
        let mut word = self.state.load(Ordering::Relaxed);
        if probe_ms.is_none() && ending != Ending::Failed && word == State::CLOSED {
            return None;
        }
        let now_ms = self.clock.now_ms();
        let chance = match ending {
            Ending::Failed | Ending::Unasked => RandomState::new().hash_one(now_ms),
            Ending::Answered | Ending::Unknown => 0,
        };
        loop {
            let state = State::unpack(word);
            let next = match probe_ms {
                None => state.after(ending, now_ms, chance),
                Some(began_ms) => state.after_probe(began_ms, ending, now_ms, chance),
            };
            if let Err(found) = self.exchange(word, next) {
                word = found;
                continue;
            }
            return match (state.is_open(), next.is_open()) {
                (false, true) => Some(Change::Opened),
                (true, false) => Some(Change::Closed),
                _ => None,
            };
        }
    }

    fn exchange(&self, word: u64, next: State) -> Result<(), u64> {
        let next = next.pack();
        if word == next {
            return Ok(());
        }
        // Nothing but the word itself is told by it.
        self.state
            .compare_exchange(word, next, Ordering::Relaxed, Ordering::Relaxed)
            .map(drop)
    }
}

impl Permit<'_> {
    /// Tells what came of the question; says what that changed.
    pub(crate) fn end(mut self, ending: Ending) -> Option<Change> {
        let change = self.breaker.end(self.probe_ms, ending);
        // The rest is done.
        self.probe_ms = None;
        change
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe_ms.is_some() {
            self.breaker.end(self.probe_ms, Ending::Unknown);
        }
    }
}

impl Monotonic {
    pub(crate) fn system() -> Self {
        Self::System(Instant::now())
    }

    fn now_ms(&self) -> u64 {
        match self {
            Self::System(start) => u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            #[cfg(test)]
            Self::Manual(ms) => ms.load(Ordering::Relaxed),
        }
    }
}
