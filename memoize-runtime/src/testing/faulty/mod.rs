//! A backend that fails on a schedule.

mod asynchronous;
mod blocking;
mod schedule;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::backend::{BackendError, Bytes, Deadline, Lease, Limits, Lookup};
use crate::locks::lock;
use schedule::{Moment, Schedule, Turn};

/// Something that can go wrong with a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// A question is answered by an error; whether it was carried out isn't told.
    Error,
    /// A question takes [longer](Faulty::delay), up to its deadline, after which it is an error.
    Delay,
    /// A write is acknowledged, and nothing is stored.
    LostWrite,
    /// A write is made a second time: a `set` just before the next question, a `fill` at once, which is then answered as the
    /// second one is.
    Duplicate,
    /// Of a value only the start is read, or then the end of another.
    TornValue,
    /// One bit of a value that is read is another.
    BitFlip,
    /// What is read is what the last write but one stored, or nothing where there is none; removals are no writes here.
    StaleRead,
    /// What is read was written under another key, where anything was.
    SwappedReply,
    /// What is there is not found.
    LostChunk,
    /// A write is refused, as there is no room.
    Full,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Error,
        Self::Delay,
        Self::LostWrite,
        Self::Duplicate,
        Self::TornValue,
        Self::BitFlip,
        Self::StaleRead,
        Self::SwappedReply,
        Self::LostChunk,
        Self::Full,
    ];
}

/// A fault that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Injected {
    /// In which operation, counted from 1.
    pub nth: u64,
    /// Which method was called.
    pub operation: &'static str,
    /// What went wrong.
    pub fault: Fault,
}

/// Wraps a [`Backend`](crate::Backend) or an [`AsyncBackend`](crate::AsyncBackend), and fails now and then.
///
/// No fault strikes before its [rate](Self::rate) is set. The schedule is drawn from a seed and the number of the operation: one thread
/// that asks the same questions meets the same faults, and of several threads whichever asks the nth question meets what is drawn for the
/// nth. Which questions a runtime asks depends on time, as its circuit breaker and its budget go by the system's clock: to meet the same
/// faults again give it `.breaker(false)`, a long `.budget(..)` and a short `.longest_wait(..)`.
///
/// `set_many` asks as `set` does, for each entry. There is no [`watch`](crate::Backend::watch) and no async twin, so that beside a wrapped `Redis`
/// no copies are kept in the process, and async functions ask from threads. `delete`, `delete_many` and `release` meet errors and delays only: an invalidation that was acknowledged and not made can't be
/// made up for. The `release` and `discard` of an [`AsyncBackend`](crate::AsyncBackend), which nobody awaits, meet errors only, and are
/// then not carried out. Clones share schedule and content.
///
/// ```
/// use cache_memoize::{Memo, Memory, Runtime, testing::{Fault, Faulty}};
///
/// let faulty = Faulty::new(Memory::default(), 7).rate(Fault::BitFlip, 1.0);
/// let runtime = Runtime::builder().backend(faulty.clone()).build()?;
/// runtime.scope(|| {
///     let square = |n: u64| Memo::new(("square", n)).get_or_compute(|| n * n);
///     assert_eq!((square(4), square(4)), (16, 16));
/// });
/// // The first call finds nothing, the second an entry with a bit flipped.
/// assert_eq!(runtime.stats().misses(), 1 + faulty.count(Fault::BitFlip));
/// # Ok::<(), cache_memoize::ConfigError>(())
/// ```
pub struct Faulty<B> {
    inner: Arc<B>,
    value_bytes: usize,
    schedule: Arc<Mutex<Schedule>>,
}

impl<B> Faulty<B> {
    /// `backend` with a schedule that is drawn from `seed`.
    pub fn new(backend: B, seed: u64) -> Self {
        Self {
            inner: Arc::new(backend),
            value_bytes: usize::MAX,
            schedule: Arc::new(Mutex::new(Schedule::new(seed))),
        }
    }

    /// How likely `fault` strikes wherever it can.
    ///
    /// # Panics
    /// `rate` is no probability.
    pub fn rate(self, fault: Fault, rate: f64) -> Self {
        self.schedule().set_rate(fault, rate);
        self
    }

    /// The same for all faults.
    ///
    /// # Panics
    /// `rate` is no probability.
    pub fn all(self, rate: f64) -> Self {
        for fault in Fault::ALL {
            self.schedule().set_rate(fault, rate);
        }
        self
    }

    /// How long a [`Fault::Delay`] is; a millisecond unless given.
    pub fn delay(self, delay: Duration) -> Self {
        self.schedule().delay = delay;
        self
    }

    /// Says that values of up to `bytes` are taken, if the backend takes as much: so what is short is in chunks already.
    pub fn value_bytes(mut self, bytes: usize) -> Self {
        self.value_bytes = bytes;
        self
    }

    /// No more faults from now on: the outage is over.
    pub fn stop(&self) {
        self.schedule().stop();
    }

    /// How often `fault` struck.
    pub fn count(&self, fault: Fault) -> u64 {
        self.schedule().count(fault)
    }

    /// What went wrong, the newest last; the last 4096.
    pub fn log(&self) -> Vec<Injected> {
        self.schedule().log()
    }

    fn reply(&self, question: &mut Question, key: &str, found: Option<Bytes>) -> Option<Bytes> {
        self.schedule().reply(&mut question.turn, key, found)
    }

    fn replies(
        &self,
        question: &mut Question,
        keys: &[&str],
        found: Vec<Option<Bytes>>,
    ) -> Vec<Option<Bytes>> {
        let found = keys.iter().zip(found);
        found
            .map(|(key, found)| self.reply(question, key, found))
            .collect()
    }

    fn lookup(&self, question: &mut Question, key: &str, lookup: Lookup) -> Lookup {
        match lookup {
            Lookup::Found(bytes) => self
                .reply(question, key, Some(bytes))
                .map_or(Lookup::Granted(VOID), Lookup::Found),
            nothing => {
                let swapped = self.schedule().swapped(&mut question.turn, key);
                swapped.map_or(nothing, Lookup::Found)
            }
        }
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        lock(&self.schedule)
    }
}

impl<B> Clone for Faulty<B> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            value_bytes: self.value_bytes,
            schedule: Arc::clone(&self.schedule),
        }
    }
}

impl<B> fmt::Debug for Faulty<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

/// A question that is carried out, and then answered or not.
struct Question {
    turn: Turn,
    error: Option<Moment>,
}

impl Question {
    fn answered(&self) -> Result<(), BackendError> {
        self.error.map_or(Ok(()), |_| Err(injected()))
    }
}

/// What the backend takes, if that is less than `value_bytes`.
fn limited(limits: Limits, value_bytes: usize) -> Limits {
    limits.value_bytes(limits.value_bytes.min(value_bytes))
}

/// How long to wait, and whether the deadline comes first.
fn wait(delay: Duration, deadline: Deadline) -> (Duration, Result<(), BackendError>) {
    match deadline.remaining() {
        Some(left) if left < delay => (left, Err(BackendError::new("no answer in time"))),
        _ => (delay, Ok(())),
    }
}

/// What is told where something is and isn't found: a lease that doesn't stand, as nothing may be filled there. The backend never
/// sees it: one without leases would take it for any other.
const VOID: Lease = Lease::new(u64::MAX);

fn injected() -> BackendError {
    BackendError::new("an error was injected")
}

fn full() -> BackendError {
    BackendError::new("there is no room")
}

#[cfg(test)]
mod tests;
