//! Waking a task at a moment, without an async runtime.
//!
//! One thread serves all who wait; it starts with the first, and ends when there was nobody for a while. Only a wait for
//! another's computation or for a server comes here, never a hit.

use std::collections::BTreeMap;
use std::future::Future;
use std::mem;
use std::pin::{Pin, pin};
use std::ptr;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::guard::wake_all;
use crate::locks::{lock, unpoisoned};
use crate::process::PerProcess;

/// How long the thread stays without anything to do, so that a load that comes in waves doesn't start one for each.
const LINGERS: Duration = Duration::from_secs(5);

/// A forked child has none of its parent's threads: tasks of the parent's are polled in the parent, if anywhere, and their wakers are
/// neither woken nor dropped in the child, as they are code of executors.
static TIMER: PerProcess<Timer> = PerProcess::new();

#[derive(Default)]
struct Timer {
    queue: Mutex<Queue>,
    /// Somebody is to be woken before all others.
    earlier: Condvar,
}

#[derive(Default)]
struct Queue {
    sleepers: BTreeMap<(Instant, u64), Waker>,
    next_ticket: u64,
    runs: bool,
}

/// Waits until a moment.
pub(crate) struct Sleep {
    until: Instant,
    ticket: Option<(&'static Timer, u64)>,
}

pub(crate) fn sleep_until(until: Instant) -> Sleep {
    Sleep {
        until,
        ticket: None,
    }
}

/// What `future` gives, or nothing if `until` comes first; without an `until`, as long as it takes.
pub(crate) async fn timeout<F: Future>(until: Option<Instant>, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let Some(until) = until else {
        return Some(future.await);
    };
    let mut sleep = sleep_until(until);
    std::future::poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        Pin::new(&mut sleep).poll(context).map(|()| None)
    })
    .await
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.until <= Instant::now() {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        let until = self.until;
        let timer = Timer::current();
        let mut queue = timer.lock();
        let known = self.ticket.filter(|(of, _)| ptr::eq(*of, timer));
        let (_, ticket) = known.unwrap_or_else(|| (timer, queue.new_ticket()));
        self.ticket = Some((timer, ticket));
        let is_first = queue
            .sleepers
            .first_key_value()
            .is_none_or(|(first, _)| (until, ticket) < *first);
        let replaced = queue.sleepers.insert((until, ticket), waker);
        let runs = timer.keep_running(&mut queue);
        drop(queue);
        drop(replaced);
        if is_first {
            timer.earlier.notify_one();
        }
        if runs {
            Poll::Pending
        } else {
            // Nobody would wake it: better no wait than one without an end.
            Poll::Ready(())
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some((timer, ticket)) = self.ticket
            && ptr::eq(timer, Timer::current())
        {
            let waker = timer.lock().sleepers.remove(&(self.until, ticket));
            drop(waker);
        }
    }
}

impl Timer {
    fn current() -> &'static Self {
        TIMER.get_or_make(Self::default)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// Makes sure that there is a thread; `false` where none can be started.
    fn keep_running(&'static self, queue: &mut Queue) -> bool {
        if !queue.runs {
            let started = thread::Builder::new()
                .name("cache-memoize-timer".to_owned())
                .spawn(|| self.run());
            queue.runs = started.is_ok();
        }
        queue.runs
    }

    fn run(&self) {
        let mut queue = self.lock();
        let mut idle_since = Instant::now();
        loop {
            let now = Instant::now();
            let due = queue.take_due(now);
            if !due.is_empty() {
                drop(queue);
                wake_all(due.into_values());
                queue = self.lock();
                idle_since = now;
                continue;
            }
            let next = queue.sleepers.first_key_value().map(|((at, _), _)| *at);
            if next.is_some() {
                idle_since = now;
            }
            let until = next.unwrap_or(idle_since + LINGERS);
            let left = until.saturating_duration_since(now);
            if left.is_zero() {
                queue.runs = false;
                return;
            }
            (queue, _) = unpoisoned(self.earlier.wait_timeout(queue, left));
        }
    }
}

impl Queue {
    fn new_ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    fn take_due(&mut self, now: Instant) -> BTreeMap<(Instant, u64), Waker> {
        let later = self.sleepers.split_off(&(now, u64::MAX));
        mem::replace(&mut self.sleepers, later)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::flight::block_on;

    #[test]
    fn wakes_in_order_and_not_before() {
        let start = Instant::now();
        let moments = [20, 5, 10].map(|millis| start + Duration::from_millis(millis));
        let threads = moments.map(|moment| {
            thread::spawn(move || {
                block_on(pin!(sleep_until(moment)), None);
                assert!(Instant::now() >= moment);
            })
        });
        for thread in threads {
            thread.join().expect("not woken early");
        }
    }

    #[test]
    fn a_timeout_ends_what_never_ends_and_leaves_the_rest() {
        let soon = Some(Instant::now() + Duration::from_millis(1));
        let far = Some(Instant::now() + Duration::from_secs(3600));
        assert_eq!(
            block_on(pin!(timeout(soon, pending::<u8>())), None),
            Some(None)
        );
        assert_eq!(block_on(pin!(timeout(far, ready(1))), None), Some(Some(1)));
        assert_eq!(block_on(pin!(timeout(None, ready(1))), None), Some(Some(1)));
    }

    #[test]
    fn who_is_dropped_is_forgotten() {
        let far = Instant::now() + Duration::from_secs(3600);
        let mut sleep = pin!(Some(sleep_until(far)));
        let polled = block_on(
            pin!(async {
                let sleep = sleep.as_mut().get_mut().as_mut().expect("there");
                timeout(Some(Instant::now()), sleep).await
            }),
            None,
        );
        assert_eq!(polled, Some(None));
        let is_there = || {
            Timer::current()
                .lock()
                .sleepers
                .keys()
                .any(|(at, _)| *at == far)
        };
        assert!(is_there());
        sleep.set(None);
        assert!(!is_there());
    }
}
