//! A few threads that do what blocks.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::backend::BackendError;
use crate::guard::{guard, wake_all};

/// So many are started as they are needed, and more where something waits for long: a backend that answers at once is not worth more.
const FEW_THREADS: usize = 8;
const MOST_THREADS: usize = 64;
const LONG: Duration = Duration::from_millis(10);
const MOST_WAITING: usize = 1024;

/// How long a thread stays without anything to do.
const LINGERS: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

pub(super) struct Pool {
    queue: Mutex<Queue>,
    added: Condvar,
}

#[derive(Default)]
struct Queue {
    /// With the moment since which each of them waits.
    jobs: VecDeque<(Instant, Job)>,
    threads: usize,
    idle: usize,
    /// Whether there is one more that watches over them.
    has_spare: bool,
    /// Whose threads are counted: a forked child has none.
    process: u32,
}

impl Pool {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::new(Queue::default()),
            added: Condvar::new(),
        })
    }

    /// Has `work` done by a thread; the reply is nothing where it panics.
    ///
    /// # Errors
    /// Too much is waiting already, or no thread can be started.
    pub(super) fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Reply<T>, BackendError> {
        let (promise, reply) = promise();
        self.queue(Box::new(move || {
            promise.begin();
            promise.keep(guard(work));
        }))?;
        Ok(reply)
    }

    /// The same for work that is of no use to anybody else: it isn't begun once the reply is dropped.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub(super) fn run_if_awaited<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Reply<T>, BackendError> {
        let (promise, reply) = promise();
        self.queue(Box::new(move || {
            if promise.is_awaited() {
                promise.begin();
                promise.keep(guard(work));
            }
        }))?;
        Ok(reply)
    }

    fn queue(self: &Arc<Self>, job: Job) -> Result<(), BackendError> {
        let mut queue = lock(&self.queue);
        queue.forget_threads_of_a_parent();
        if queue.jobs.len() >= MOST_WAITING {
            return Err(BackendError::unasked("too many questions at one time"));
        }
        if queue.idle <= queue.jobs.len()
            && let Err(error) = self.start_one_more(&mut queue)
            && queue.threads == 0
        {
            return Err(BackendError::new("no thread could be started").with_source(error));
        }
        queue.jobs.push_back((Instant::now(), job));
        drop(queue);
        self.added.notify_one();
        Ok(())
    }

    fn start_one_more(self: &Arc<Self>, queue: &mut Queue) -> io::Result<()> {
        if queue.threads < FEW_THREADS {
            self.start(Self::work)?;
            queue.threads += 1;
        } else if queue.threads < MOST_THREADS && !queue.has_spare {
            self.start(Self::stand_by)?;
            queue.has_spare = true;
        }
        Ok(())
    }

    fn start(self: &Arc<Self>, body: fn(&Arc<Self>)) -> io::Result<()> {
        let pool = Arc::clone(self);
        thread::Builder::new()
            .name("cache-memoize-backend".to_owned())
            .spawn(move || body(&pool))
            .map(drop)
    }

    fn work(self: &Arc<Self>) {
        let mut queue = lock(&self.queue);
        loop {
            while let Some((_, job)) = queue.jobs.pop_front() {
                drop(queue);
                // The drop of what it owns is foreign code, too: a thread that it ended would be counted for ever.
                guard(job);
                queue = lock(&self.queue);
            }
            queue.idle += 1;
            let (woken, waited) = self
                .added
                .wait_timeout(queue, LINGERS)
                .unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            queue.idle -= 1;
            if waited.timed_out() && queue.jobs.is_empty() {
                queue.threads -= 1;
                return;
            }
        }
    }

    /// Watches whether the few get along, and starts as many more as something has waited long for. They may all be stuck in the
    /// backend, so that none of them can do it.
    fn stand_by(self: &Arc<Self>) {
        loop {
            thread::sleep(LONG);
            let mut queue = lock(&self.queue);
            for _ in 0..queue.late().min(MOST_THREADS - queue.threads) {
                if self.start(Self::work).is_ok() {
                    queue.threads += 1;
                }
            }
            if queue.jobs.is_empty() || queue.threads == MOST_THREADS {
                queue.has_spare = false;
                return;
            }
        }
    }
}

impl Queue {
    /// How many have waited for long.
    fn late(&self) -> usize {
        let is_late = |(since, _): &&(Instant, Job)| since.elapsed() >= LONG;
        self.jobs.iter().take_while(is_late).count()
    }

    fn forget_threads_of_a_parent(&mut self) {
        let this_process = process::id();
        if self.process != this_process {
            let before = mem::take(self);
            self.process = this_process;
            // Nobody here awaits them, and dropping them would wake the parent's tasks.
            mem::forget(before.jobs);
        }
    }
}

/// What comes of some work; dropping it doesn't stop what was begun, whose result is dropped as well.
pub(super) struct Reply<T> {
    since: Instant,
    slot: Arc<Mutex<Slot<T>>>,
}

struct Slot<T> {
    begun: Option<Instant>,
    outcome: Outcome<T>,
}

enum Outcome<T> {
    Awaited(Option<Waker>),
    /// Nothing where the work panicked or was thrown away.
    Known(Option<T>),
}

struct Promise<T>(Arc<Mutex<Slot<T>>>);

fn promise<T>() -> (Promise<T>, Reply<T>) {
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
    fn is_awaited(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    fn begin(&self) {
        lock(&self.0).begun = Some(Instant::now());
    }

    fn keep(&self, value: Option<T>) {
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
    /// Whether the work has waited for a thread for longer than it was done since, if it was begun at all.
    pub(super) fn mostly_waited(&self) -> bool {
        let begun = lock(&self.slot).begun;
        begun.is_none_or(|begun| begun.elapsed() < begun.duration_since(self.since))
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::mpsc;

    use super::*;
    use crate::flight::block_on;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a bug in a backend");
        }
    }

    #[test]
    fn what_panics_costs_no_thread() {
        let pool = Pool::new();
        for _ in 0..2 * MOST_THREADS {
            let (tell, told) = mpsc::channel();
            let nobody_awaits = pool.run(move || {
                told.recv().expect("it is told");
                Bomb
            });
            drop(nobody_awaits.expect("few wait"));
            tell.send(()).expect("it listens");
        }
        let reply = pool.run(|| 1).expect("few wait");
        let until = Instant::now() + Duration::from_secs(30);
        assert_eq!(block_on(pin!(reply), Some(until)), Some(Some(1)));
    }

    #[test]
    fn whose_time_it_was() {
        let (promise, reply) = promise::<()>();
        assert!(reply.mostly_waited(), "not begun");
        promise.begin();
        let slot = &reply.slot;
        let ago = |secs| {
            let moment = Instant::now().checked_sub(Duration::from_secs(secs));
            moment.expect("the machine runs for some seconds")
        };
        for (since, begun, mostly_waited) in [(3, 1, true), (3, 2, false)] {
            lock(slot).begun = Some(ago(begun));
            let reply = Reply {
                since: ago(since),
                slot: Arc::clone(slot),
            };
            assert_eq!(reply.mostly_waited(), mostly_waited, "{since} {begun}");
        }
    }
}
