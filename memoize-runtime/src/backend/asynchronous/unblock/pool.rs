//! A few threads that do what blocks.

use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::backend::BackendError;
use crate::guard::{guard, wake_all};

const MOST_THREADS: usize = 8;
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
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
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
        self.queue(Box::new(move || promise.keep(guard(work))))?;
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
                promise.keep(guard(work));
            }
        }))?;
        Ok(reply)
    }

    fn queue(self: &Arc<Self>, job: Job) -> Result<(), BackendError> {
        let mut queue = lock(&self.queue);
        queue.forget_threads_of_a_parent();
        if queue.jobs.len() >= MOST_WAITING {
            return Err(BackendError::new("too many questions at one time"));
        }
        if queue.idle <= queue.jobs.len() && queue.threads < MOST_THREADS {
            let pool = Arc::clone(self);
            let started = thread::Builder::new()
                .name("cache-memoize-backend".to_owned())
                .spawn(move || pool.work());
            match started {
                Ok(_) => queue.threads += 1,
                Err(_) if queue.threads > 0 => {}
                Err(error) => {
                    return Err(BackendError::new("no thread could be started").with_source(error));
                }
            }
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.added.notify_one();
        Ok(())
    }

    fn work(&self) {
        let mut queue = lock(&self.queue);
        loop {
            while let Some(job) = queue.jobs.pop_front() {
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
}

impl Queue {
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
pub(super) struct Reply<T>(Arc<Mutex<Slot<T>>>);

enum Slot<T> {
    Empty(Option<Waker>),
    /// Nothing where the work panicked or was thrown away.
    Full(Option<T>),
}

struct Promise<T>(Arc<Mutex<Slot<T>>>);

fn promise<T>() -> (Promise<T>, Reply<T>) {
    let slot = Arc::new(Mutex::new(Slot::Empty(None)));
    (Promise(Arc::clone(&slot)), Reply(slot))
}

impl<T> Promise<T> {
    fn is_awaited(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    fn keep(&self, value: Option<T>) {
        let before = mem::replace(&mut *lock(&self.0), Slot::Full(value));
        if let Slot::Empty(Some(waker)) = before {
            wake_all([waker]);
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let is_kept = matches!(*lock(&self.0), Slot::Full(_));
        if !is_kept && self.is_awaited() {
            self.keep(None);
        }
    }
}

impl<T> Future for Reply<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let waker = context.waker().clone();
        let mut slot = lock(&self.0);
        let before = match &mut *slot {
            Slot::Full(value) => return Poll::Ready(value.take()),
            Slot::Empty(before) => before.replace(waker),
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
    use std::time::Instant;

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
}
