//! One search for the servers at a time. Whoever knows of none waits for it, in place of asking the same.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::backend::BackendError;
use crate::guard::wake_all;
use crate::locks::lock;

#[derive(Default)]
pub(super) struct Searches(Mutex<State>);

#[derive(Default)]
struct State {
    /// When the search that is on its way is over in any case: whoever does it may have stayed behind in a fork, or may never be polled again.
    until: Option<Instant>,
    failures: u64,
    waiting: Vec<Waker>,
}

/// A search. Dropped, it leaves the next one to others.
#[must_use = "others wait for its end"]
pub(super) struct Searching<'a> {
    searches: &'a Searches,
    pub(super) until: Instant,
}

/// The end of another's search.
pub(super) struct Waiting<'a> {
    searches: &'a Searches,
    failures: u64,
    /// When it is over in any case.
    pub(super) until: Instant,
}

impl Searches {
    /// A search that ends by a moment; or else the end of that which is on its way.
    pub(super) fn begin(&self, until: Instant) -> Result<Searching<'_>, Waiting<'_>> {
        let mut state = self.lock();
        match state.until {
            Some(until) if Instant::now() < until => Err(Waiting {
                searches: self,
                failures: state.failures,
                until,
            }),
            _ => {
                state.until = Some(until);
                Ok(Searching {
                    searches: self,
                    until,
                })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl Searching<'_> {
    /// Tells that it was in vain, to those who wait as well: one after the other they would fare the same.
    pub(super) fn fail(self) {
        self.searches.lock().failures += 1;
    }
}

impl Drop for Searching<'_> {
    fn drop(&mut self) {
        let mut state = self.searches.lock();
        state.until = None;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        wake_all(waiting);
    }
}

impl Future for Waiting<'_> {
    type Output = Result<(), BackendError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.searches.lock();
        if state.failures != self.failures {
            return Poll::Ready(Err(BackendError::new("no server is known")));
        }
        if state.until.is_none() {
            return Poll::Ready(Ok(()));
        }
        let is_known = |waker: &Waker| waker.will_wake(context.waker());
        if !state.waiting.iter().any(is_known) {
            state.waiting.push(context.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};
    use std::time::{Duration, Instant};

    use super::{Searches, Waiting};

    fn poll(waiting: &mut Waiting<'_>) -> Poll<bool> {
        let polled = Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop()));
        polled.map(|ended| ended.is_ok())
    }

    #[test]
    fn there_is_one_at_a_time() {
        let searches = Searches::default();
        let later = Instant::now() + Duration::from_secs(3600);
        for fails in [false, true] {
            let search = searches.begin(later);
            let search = search.unwrap_or_else(|_| panic!("nobody searches"));
            let Err(mut waiting) = searches.begin(later) else {
                panic!("one searches already");
            };
            assert_eq!(poll(&mut waiting), Poll::Pending);
            if fails {
                search.fail();
            } else {
                drop(search);
            }
            assert_eq!(poll(&mut waiting), Poll::Ready(!fails));
        }
    }

    #[test]
    fn one_that_never_ends_is_over_in_time() {
        let searches = Searches::default();
        let forgotten = searches.begin(Instant::now());
        std::mem::forget(forgotten);
        let later = Instant::now() + Duration::from_secs(3600);
        assert!(searches.begin(later).is_ok());
    }
}
