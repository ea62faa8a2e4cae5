//! A few threads that do what blocks.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::reply::{Promise, Reply, promise};
use crate::backend::{BackendError, Deadline};
use crate::guard::guard;
use crate::locks::{lock, unpoisoned};

/// So many are started as they are needed, and more where something waits for long: a backend that answers at once is not worth more.
const FEW_THREADS: usize = 8;
pub(super) const MOST_THREADS: usize = 256;
const LONG: Duration = Duration::from_millis(10);

/// So many writes wait at most, and as many lookups.
pub(super) const MOST_WAITING: usize = 1024;

/// How long a thread stays without anything to do.
const LINGERS: Duration = Duration::from_secs(10);

/// Something to do.
pub(super) trait Job: Send {
    /// Whether it is still to be done. Once it is not, it is dropped.
    fn is_wanted(&self) -> bool;

    /// Does it, if it is still to be done.
    fn run(self: Box<Self>);
}

pub(super) struct Pool {
    queue: Mutex<Queue>,
    added: Condvar,
}

#[derive(Default)]
struct Queue {
    /// They come first: what was computed would be lost, and a lease that isn't given back keeps others waiting.
    writes: Lane,
    lookups: Lane,
    /// How long the lookup had waited that came last to its turn.
    last_wait: Duration,
    threads: usize,
    idle: usize,
    /// Whether there is one more that watches over them.
    has_spare: bool,
}

/// What waits, with the moment since which it does.
type Lane = VecDeque<(Instant, Box<dyn Job>)>;

impl Pool {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::new(Queue::default()),
            added: Condvar::new(),
        })
    }

    /// Has something done before all lookups, whether or not the reply is awaited; it is nothing where `work` panics.
    ///
    /// # Errors
    /// Too much is waiting already, or no thread can be started.
    pub(super) fn write<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Reply<T>, BackendError> {
        let (promise, reply) = promise();
        self.queue(|queue| &mut queue.writes, Write { promise, work })?;
        Ok(reply)
    }

    /// Has something done that is of no use to anybody else: it isn't begun once the reply is dropped, nor after `latest`.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub(super) fn look_up<T: Send + 'static>(
        self: &Arc<Self>,
        latest: Deadline,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Reply<T>, BackendError> {
        let (promise, reply) = promise();
        let lookup = LookUp {
            promise,
            latest,
            work,
        };
        self.queue_lookup(lookup)?;
        Ok(reply)
    }

    /// The same for a lookup that has its own ways to be told of.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub(super) fn queue_lookup(
        self: &Arc<Self>,
        job: impl Job + 'static,
    ) -> Result<(), BackendError> {
        self.queue(|queue| &mut queue.lookups, job)
    }

    /// How long something has to wait for a thread these days.
    pub(super) fn wait(&self) -> Duration {
        lock(&self.queue).last_wait
    }

    fn queue(
        self: &Arc<Self>,
        lane: fn(&mut Queue) -> &mut Lane,
        job: impl Job + 'static,
    ) -> Result<(), BackendError> {
        let job: Box<dyn Job> = Box::new(job);
        let mut queue = lock(&self.queue);
        let mut given_up = Vec::new();
        if lane(&mut queue).len() >= MOST_WAITING {
            given_up = take_unwanted(lane(&mut queue));
        }
        let admitted = self.admit(&mut queue, lane);
        if admitted.is_ok() {
            lane(&mut queue).push_back((Instant::now(), job));
        } else {
            given_up.push(job);
        }
        drop(queue);
        // Dropped without the lock: it wakes tasks, by code of their executors.
        drop(given_up);
        self.added.notify_one();
        admitted
    }

    fn admit(
        self: &Arc<Self>,
        queue: &mut Queue,
        lane: fn(&mut Queue) -> &mut Lane,
    ) -> Result<(), BackendError> {
        if lane(queue).len() >= MOST_WAITING {
            return Err(BackendError::unasked("too many questions at one time"));
        }
        if queue.idle <= queue.waiting()
            && let Err(error) = self.start_one_more(queue)
            && queue.threads == 0
        {
            return Err(BackendError::new("no thread could be started").with_source(error));
        }
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
            while let Some(job) = queue.take() {
                drop(queue);
                // The drop of what it owns is foreign code, too: a thread that it ended would be counted for ever.
                guard(|| job.run());
                queue = lock(&self.queue);
            }
            queue.idle += 1;
            let (woken, waited) = unpoisoned(self.added.wait_timeout(queue, LINGERS));
            queue = woken;
            queue.idle -= 1;
            if waited.timed_out() && queue.waiting() == 0 {
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
            let given_up = take_unwanted(&mut queue.lookups);
            for _ in 0..queue.late().min(MOST_THREADS - queue.threads) {
                if self.start(Self::work).is_ok() {
                    queue.threads += 1;
                }
            }
            let is_done = queue.waiting() == 0 || queue.threads == MOST_THREADS;
            queue.has_spare = !is_done;
            drop(queue);
            guard(|| drop(given_up));
            if is_done {
                return;
            }
        }
    }
}

impl Queue {
    fn take(&mut self) -> Option<Box<dyn Job>> {
        if let Some((_, write)) = self.writes.pop_front() {
            return Some(write);
        }
        let (since, lookup) = self.lookups.pop_front()?;
        self.last_wait = since.elapsed();
        Some(lookup)
    }

    fn waiting(&self) -> usize {
        self.writes.len() + self.lookups.len()
    }

    /// How many have waited for long.
    fn late(&self) -> usize {
        let is_late = |(since, _): &&(Instant, Box<dyn Job>)| since.elapsed() >= LONG;
        let late_of = |lane: &Lane| lane.iter().take_while(is_late).count();
        late_of(&self.writes) + late_of(&self.lookups)
    }
}

/// Takes what is not to be done any more out of the lane, so that it is in nobody's way.
fn take_unwanted(lane: &mut Lane) -> Vec<Box<dyn Job>> {
    let (wanted, unwanted) = mem::take(lane)
        .into_iter()
        .partition(|(_, job)| job.is_wanted());
    *lane = wanted;
    let unwanted: Lane = unwanted;
    unwanted.into_iter().map(|(_, job)| job).collect()
}

struct Write<T, W> {
    promise: Promise<T>,
    work: W,
}

impl<T: Send, W: FnOnce() -> T + Send> Job for Write<T, W> {
    fn is_wanted(&self) -> bool {
        true
    }

    fn run(self: Box<Self>) {
        let Self { promise, work } = *self;
        promise.begin();
        promise.keep(guard(work));
    }
}

struct LookUp<T, W> {
    promise: Promise<T>,
    latest: Deadline,
    work: W,
}

impl<T: Send, W: FnOnce() -> T + Send> Job for LookUp<T, W> {
    fn is_wanted(&self) -> bool {
        self.promise.is_awaited() && !self.latest.has_passed()
    }

    fn run(self: Box<Self>) {
        if self.is_wanted() {
            let Self { promise, work, .. } = *self;
            promise.begin();
            promise.keep(guard(work));
        }
    }
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
            let nobody_awaits = pool.write(move || {
                told.recv().expect("it is told");
                Bomb
            });
            drop(nobody_awaits.expect("few wait"));
            tell.send(()).expect("it listens");
        }
        let reply = pool.write(|| 1).expect("few wait");
        let until = Instant::now() + Duration::from_secs(30);
        assert_eq!(block_on(pin!(reply), Some(until)), Some(Some(1)));
    }
}
