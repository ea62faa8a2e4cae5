//! The ones that wait for news of one thing, each by the waker that it was polled with last.

use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

use crate::guard::wake_all;

/// To be changed under a lock: so wakers are handed out, to be woken and dropped without it, since they are their executors' code.
#[derive(Default)]
pub(crate) struct Sleepers {
    wakers: BTreeMap<u64, Waker>,
    next_ticket: u64,
}

/// What one that waits is known by, once it does.
pub(crate) type Ticket = Option<u64>;

/// Those to wake, once no lock is held.
#[must_use = "who isn't woken sleeps on"]
pub(crate) struct Woken(BTreeMap<u64, Waker>);

impl Sleepers {
    /// Has `waker` woken at the next news; returns the one that it replaces.
    pub(crate) fn sleep(&mut self, ticket: &mut Ticket, waker: Waker) -> Option<Waker> {
        let ticket = *ticket.get_or_insert_with(|| {
            self.next_ticket += 1;
            self.next_ticket
        });
        self.wakers.insert(ticket, waker)
    }

    /// Nobody waits by this ticket any more.
    pub(crate) fn forget(&mut self, ticket: Ticket) -> Option<Waker> {
        self.wakers.remove(&ticket?)
    }

    /// There is news for all.
    pub(crate) fn take(&mut self) -> Woken {
        Woken(mem::take(&mut self.wakers))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.wakers.len()
    }
}

impl Woken {
    pub(crate) fn nobody() -> Self {
        Self(BTreeMap::new())
    }

    pub(crate) fn wake(self) {
        wake_all(self.0.into_values());
    }
}
