//! Calls of all kinds from threads and tasks, while something happens to the server.

use std::future::{Future, poll_fn};
use std::iter;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use cache_memoize::{Redis, Runtime, RuntimeBuilder};
use tokio::task::yield_now;

use crate::common::Random;
use crate::item::{Item, Source, awaited, is_whole, item, items};

/// All cache work of one call.
const BUDGET: Duration = Duration::from_millis(100);
/// The longest that a call waits for another's computation; short, as those whose lease was lost are waited for, too.
const WAIT: Duration = Duration::from_millis(100);
/// What the cache may add to a call.
pub(crate) const LONGEST: Duration = Duration::from_millis(200);

/// Settings for servers that don't answer.
pub(crate) fn settings(url: &str) -> RuntimeBuilder {
    let redis = Redis::open(url).expect("the URL is valid");
    crate::settings(redis).budget(BUDGET).longest_wait(WAIT)
}

pub(crate) fn runtime(url: &str) -> Runtime {
    settings(url).build().expect("the settings are valid")
}

const SMALL: usize = 200;
/// In chunks.
const LARGE: usize = 5 << 18;
/// A stream of more than is fetched at once.
const STREAM: (u64, usize) = (12, 150_000);
/// Keys of one worker's own, so that none waits for what another computes.
const KEYS: u8 = 16;
const WORKERS: u8 = 4;

/// What callers saw.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub wrong: Vec<String>,
    took: Vec<Duration>,
}

impl Tally {
    /// One line; panics if a caller saw a wrong value, or waited much longer than it may.
    pub(crate) fn check(mut self) -> String {
        assert!(self.wrong.is_empty(), "wrong values: {:?}", self.wrong);
        self.took.sort_unstable();
        let calls = self.took.len();
        let (median, most, last) = (calls / 2, calls - calls / 1000 - 1, calls - 1);
        let [median, most, last] = [median, most, last].map(|index| self.took[index]);
        let over = calls - self.took.partition_point(|took| *took <= LONGEST);
        // Where others keep the machine busy a thread may be late by itself, but not many, and not by much.
        assert!(
            over <= 10 + calls / 50 && last <= LONGEST + Duration::from_secs(2),
            "{over} of {calls} calls took longer than {LONGEST:?}, one {last:?}"
        );
        format!(
            "{calls} calls, 0 wrong, 0 errors; took {median:.1?}, of 99.9 % up to {most:.1?}, the longest {last:.1?}; {over} more than {LONGEST:?}"
        )
    }
}

/// What callers may believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalidation {
    /// One that says it was done was done, so no older value comes after it.
    Holds,
    /// The network makes up answers.
    Unknown,
}

/// Calls from two threads and two tasks for as long as `disturb` runs.
pub(crate) fn storm(
    runtime: &Runtime,
    invalidation: Invalidation,
    disturb: impl FnOnce(),
) -> Tally {
    let over = AtomicBool::new(false);
    let work = |number| {
        let mut worker = Worker::new(number, invalidation);
        runtime.scope(|| {
            while !over.load(Ordering::Relaxed) {
                worker.call();
            }
        });
        worker.tally
    };
    let work_as_task = |number| {
        let mut worker = Worker::new(number, invalidation);
        let tasks = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let tasks = tasks.expect("a runtime can be made");
        tasks.block_on(runtime.scope_async(async {
            while !over.load(Ordering::Relaxed) {
                worker.call_as_task().await;
                // With the breaker open no call waits, and the task that reads from the connection would never run.
                yield_now().await;
            }
        }));
        worker.tally
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| match number % 2 {
                0 => scope.spawn(move || work(number)),
                _ => scope.spawn(move || work_as_task(number)),
            })
            .collect();
        let ending = Ending(&over);
        disturb();
        drop(ending);
        let mut all = Tally::default();
        for worker in workers {
            let tally = worker.join().expect("no call panics");
            all.wrong.extend(tally.wrong);
            all.took.extend(tally.took);
        }
        all
    })
}

/// Ends the workers also where the test panics.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Worker {
    first_key: u64,
    random: Random,
    source: Source,
    /// Of streams, whose items stay the same: after a loss the function runs again, for the rest of them.
    streams: Source,
    invalidation: Invalidation,
    /// The oldest version that each key may still have.
    oldest: [u64; KEYS as usize],
    tally: Tally,
}

impl Worker {
    fn new(number: u8, invalidation: Invalidation) -> Self {
        let mut random = Random::seeded();
        for _ in 0..number {
            random.next();
        }
        Self {
            first_key: u64::from(number) * u64::from(KEYS),
            random,
            source: Source::default(),
            streams: Source::default(),
            invalidation,
            oldest: [0; KEYS as usize],
            tally: Tally::default(),
        }
    }

    fn call(&mut self) {
        let index = self.random.below(KEYS.into());
        let key = self.first_key + index;
        let start = Instant::now();
        match self.random.below(40) {
            0 => {
                let version = self.source.advance();
                let done = item::invalidate(key, SMALL);
                self.invalidated(index, version, done);
            }
            1 => {
                let (count, bytes) = STREAM;
                // The worker's own stream.
                let count = count + self.first_key / u64::from(KEYS);
                let mut stream = items(count, bytes, &self.streams);
                let steps = &mut self.tally.took;
                let timed = iter::from_fn(|| {
                    let start = Instant::now();
                    let item = stream.next();
                    steps.push(start.elapsed());
                    item
                });
                let whole = is_whole(timed, count, bytes);
                drop(stream);
                self.expect(whole, "a stream");
                return;
            }
            2 => {
                let found = item(key, LARGE, &self.source);
                self.expect(found.is_of(key, LARGE), "a large value");
            }
            _ => {
                let found = item(key, SMALL, &self.source);
                self.found(index, &found);
            }
        }
        self.tally.took.push(start.elapsed());
    }

    async fn call_as_task(&mut self) {
        let index = self.random.below(KEYS.into());
        let key = self.first_key + index;
        let start = Instant::now();
        match self.random.below(40) {
            0 => {
                let version = self.source.advance();
                let done = awaited::invalidate(key, SMALL).await;
                self.invalidated(index, version, done);
            }
            1 => {
                let found = awaited(key, LARGE, &self.source).await;
                self.expect(found.is_of(key, LARGE), "a large value, awaited");
            }
            2 => {
                // A caller that goes away in the middle.
                let mut call = Box::pin(awaited(key, SMALL, &self.source));
                let polled = poll_once(&mut call).await;
                drop(call);
                if let Some(found) = polled {
                    self.found(index, &found);
                }
                return;
            }
            _ => {
                let found = awaited(key, SMALL, &self.source).await;
                self.found(index, &found);
            }
        }
        self.tally.took.push(start.elapsed());
    }

    fn invalidated(&mut self, index: u64, version: u64, done: bool) {
        if done && self.invalidation == Invalidation::Holds {
            self.oldest[usize::try_from(index).expect("it is small")] = version;
        }
    }

    fn found(&mut self, index: u64, found: &Item) {
        let oldest = self.oldest[usize::try_from(index).expect("it is small")];
        let fits = found.is_of(self.first_key + index, SMALL) && found.version >= oldest;
        let why = format!(
            "{}.{}, expected {}.{oldest} or newer",
            found.key,
            found.version,
            self.first_key + index
        );
        self.expect(fits, &why);
    }

    fn expect(&mut self, fits: bool, what: &str) {
        if !fits {
            self.tally.wrong.push(what.to_owned());
        }
    }
}

/// The value, if the future has it at once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|context| {
        Poll::Ready(match Pin::new(&mut *future).poll(context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}
