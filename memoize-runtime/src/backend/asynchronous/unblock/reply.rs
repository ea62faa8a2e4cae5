//! What comes of a question, from the thread that asks it to the task that awaits it.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::guard::wake_all;
use crate::locks::lock;

/// What comes of some work; dropping it doesn't stop what was begun, whose result is dropped as well.
pub(super) struct Reply<T> {
    since: Instant,
    slot: Arc<Mutex<Slot<T>>>,
}

/// The other end of a [`Reply`], which is nothing where this is dropped.
pub(super) struct Promise<T>(Arc<Mutex<Slot<T>>>);

struct Slot<T> {
    begun: Option<Instant>,
    outcome: Outcome<T>,
}

enum Outcome<T> {
    Awaited(Option<Waker>),
    /// Nothing where the work panicked or was thrown away.
    Known(Option<T>),
}

pub(super) fn promise<T>() -> (Promise<T>, Reply<T>) {
    let slot = Arc::new(Mutex::new(Slot {
        begun: None,
        outcome: Outcome::Awaited(None),
    }));
    let reply = Reply {
        since: Instant::now(),
        slot: Arc::clone(&slot),
    };
    (Promise(slot), reply)
}

impl<T> Promise<T> {
    pub(super) fn is_awaited(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    pub(super) fn begin(&self) {
        lock(&self.0).begun = Some(Instant::now());
    }

    pub(super) fn keep(&self, value: Option<T>) {
        let before = mem::replace(&mut lock(&self.0).outcome, Outcome::Known(value));
        if let Outcome::Awaited(Some(waker)) = before {
            wake_all([waker]);
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let is_kept = matches!(lock(&self.0).outcome, Outcome::Known(_));
        if !is_kept && self.is_awaited() {
            self.keep(None);
        }
    }
}

impl<T> Reply<T> {
    pub(super) fn is_begun(&self) -> bool {
        lock(&self.slot).begun.is_some()
    }

    /// Whether the work has waited for a thread for longer than it was done since, if it was begun at all; or something before it has,
    /// as long as `wait`: it may be what left this one so little time.
    pub(super) fn mostly_waited(&self, wait: Duration) -> bool {
        let begun = lock(&self.slot).begun;
        begun.is_none_or(|begun| begun.elapsed() < begun.duration_since(self.since).max(wait))
    }
}

impl<T> Future for Reply<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let waker = context.waker().clone();
        let mut slot = lock(&self.slot);
        let before = match &mut slot.outcome {
            Outcome::Known(value) => return Poll::Ready(value.take()),
            Outcome::Awaited(before) => before.replace(waker),
        };
        drop(slot);
        drop(before);
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_time_it_was() {
        let (promise, reply) = promise::<()>();
        assert!(reply.mostly_waited(Duration::ZERO), "not begun");
        promise.begin();
        let slot = &reply.slot;
        let ago = |secs| {
            let moment = Instant::now().checked_sub(Duration::from_secs(secs));
            moment.expect("the machine runs for some seconds")
        };
        for (since, begun, wait, mostly_waited) in [
            (3, 1, 0, true),
            (3, 2, 0, false),
            (3, 2, 1, false),
            (3, 2, 4, true),
        ] {
            lock(slot).begun = Some(ago(begun));
            let reply = Reply {
                since: ago(since),
                slot: Arc::clone(slot),
            };
            let waited = reply.mostly_waited(Duration::from_secs(wait));
            assert_eq!(waited, mostly_waited, "{since} {begun} {wait}");
        }
    }
}
