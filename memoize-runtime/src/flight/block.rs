//! A thread that waits for a future.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use crate::locks::{lock, unpoisoned};
use crate::shim::{Condvar, Mutex};

/// Blocks this thread until `future` is done or `until` has passed; without an `until`, as long as it takes.
pub(crate) fn block_on<F: Future>(
    mut future: Pin<&mut F>,
    until: Option<Instant>,
) -> Option<F::Output> {
    let signal = Arc::new(Signal::default());
    let waker = Waker::from(Arc::clone(&signal));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        // A future that wakes itself each time never lets the wait below run out.
        let is_late = until.is_some_and(|until| until <= Instant::now());
        if is_late || !signal.wait(until) {
            return None;
        }
    }
}

#[derive(Default)]
struct Signal {
    given: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    /// Waits for the signal and takes it back; `false` if `until` came first.
    fn wait(&self, until: Option<Instant>) -> bool {
        let mut given = lock(&self.given);
        while !*given {
            given = match until {
                None => unpoisoned(self.changed.wait(given)),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    let (given, _) = unpoisoned(self.changed.wait_timeout(given, left));
                    given
                }
            };
        }
        *given = false;
        true
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *lock(&self.given) = true;
        self.changed.notify_one();
    }
}
