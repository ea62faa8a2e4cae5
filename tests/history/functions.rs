//! The memoized functions, and the values that they compute.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use cache_memoize::cache_memoize;
use futures::stream::{self, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use test_servers::Random;

use super::event::{Event, Operation, Run, Stamp, What, now};

pub(crate) const VALUE: u8 = 0;
pub(crate) const SEALED: u8 = 1;
pub(crate) const LARGE: u8 = 2;
pub(crate) const AWAITED: u8 = 3;
pub(crate) const AWAITED_SEALED: u8 = 4;
pub(crate) const ITEMS: u8 = 5;
pub(crate) const SEALED_ITEMS: u8 = 6;

/// How long an entry of any of them lives.
pub(crate) const LIFE: Duration = Duration::from_secs(1);

/// The longest that a body takes.
const COST_MS: u64 = 12;

// A copy in a process may outlive an invalidation by another one until the news has come: that is another matter than what is
// stored, and `tests/redis/tracking.rs` is about it.
#[cache_memoize(key = "value:<key>", skip(actor), expiration = LIFE, local = false)]
pub(crate) fn value(key: u64, actor: &Actor) -> Value {
    actor.compute(VALUE, key)
}

#[cache_memoize(key = "sealed:<key>", skip(actor), expiration = LIFE, encrypt)]
pub(crate) fn sealed(key: u64, actor: &Actor) -> Value {
    actor.compute(SEALED, key)
}

/// More than a backend takes as one value.
#[cache_memoize(key = "large:<key>", skip(actor), expiration = LIFE)]
pub(crate) fn large(key: u64, actor: &Actor) -> Value {
    actor.compute(LARGE, key)
}

#[cache_memoize(key = "awaited:<key>", skip(actor), expiration = LIFE, local = false)]
pub(crate) async fn awaited(key: u64, actor: &Actor) -> Value {
    actor.compute_awaited(AWAITED, key).await
}

#[cache_memoize(key = "awaited-sealed:<key>", skip(actor), expiration = LIFE, encrypt)]
pub(crate) async fn awaited_sealed(key: u64, actor: &Actor) -> Value {
    actor.compute_awaited(AWAITED_SEALED, key).await
}

/// In up to two chunks.
#[cache_memoize(key = "items:<key>", skip(actor), expiration = LIFE)]
pub(crate) fn items(key: u64, actor: &Actor) -> impl Iterator<Item = Value> {
    actor.compute_items(ITEMS, key)
}

#[cache_memoize(key = "sealed-items:<key>", skip(actor), expiration = LIFE, encrypt)]
pub(crate) fn sealed_items(key: u64, actor: &Actor) -> impl Iterator<Item = Value> {
    actor.compute_items(SEALED_ITEMS, key)
}

/// The same entries, for tasks: either reads and follows what the other writes.
#[cache_memoize(key = "items:<key>", skip(actor), expiration = LIFE)]
pub(crate) fn awaited_items(key: u64, actor: &Actor) -> impl Stream<Item = Value> {
    actor.compute_awaited_items(ITEMS, key)
}

/// How many items a stream has.
pub(crate) fn items_of(key: u64) -> u64 {
    [2, 15, 60, 5, 30][usize::try_from(key % 5).expect("it is small")]
}

/// A value, or an item of a stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Value {
    stamp: Stamp,
    /// Its place in the stream.
    nth: u64,
    padding: String,
}

impl Value {
    fn new(stamp: Stamp, nth: u64) -> Self {
        let padding = padding(stamp, nth);
        Self {
            stamp,
            nth,
            padding,
        }
    }

    /// What it says of itself; of a value that isn't as it was made, that no computation made it.
    pub(crate) fn run(&self) -> Run {
        let mut stamp = self.stamp;
        if self.padding != padding(stamp, self.nth) {
            stamp.version = 0;
        }
        Run {
            stamp,
            first: self.nth,
            length: 1,
        }
    }
}

/// What can't be compressed, and differs from one computation to the next.
fn padding(stamp: Stamp, nth: u64) -> String {
    let length = match stamp.function {
        LARGE => 70_000,
        ITEMS | SEALED_ITEMS => 350,
        _ => [0, 3, 30, 300][usize::try_from(stamp.key % 4).expect("it is small")],
    };
    let mut random = Random::new(stamp.version.wrapping_mul(1000) + nth);
    let mut padding = String::new();
    for _ in 0..length {
        write!(padding, "{:016x}", random.number()).expect("a string takes all");
    }
    padding
}

/// Who calls: a thread or a task, which notes down what it does.
pub(crate) struct Actor {
    process: u32,
    number: u32,
    operations: AtomicU64,
    versions: AtomicU64,
    random: Mutex<Random>,
    log: Mutex<BufWriter<File>>,
}

impl Actor {
    pub(crate) fn new(process: u32, number: u32, seed: u64, log: File) -> Self {
        let seed = seed.wrapping_mul(1000) + u64::from(process) * 100 + u64::from(number);
        Self {
            process,
            number,
            operations: AtomicU64::new(0),
            versions: AtomicU64::new(0),
            random: Mutex::new(Random::new(seed)),
            log: Mutex::new(BufWriter::new(log)),
        }
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        let mut random = self.random.lock().expect("no actor panicked");
        random.below(bound)
    }

    /// What it does from now on is its next operation.
    pub(crate) fn next_operation(&self) {
        self.operations.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stamp(&self, function: u8, key: u64) -> Stamp {
        let nth = 1 + self.versions.fetch_add(1, Ordering::Relaxed);
        let actor = u64::from(self.process) * 100 + u64::from(self.number);
        Stamp {
            function,
            key,
            version: (actor << 40) + nth,
            began: now(),
        }
    }

    /// A value as a body would compute it.
    pub(crate) fn made(&self, function: u8, key: u64) -> Value {
        Value::new(self.stamp(function, key), 0)
    }

    fn compute(&self, function: u8, key: u64) -> Value {
        let stamp = self.stamp(function, key);
        thread::sleep(self.cost());
        self.computed(stamp)
    }

    async fn compute_awaited(&self, function: u8, key: u64) -> Value {
        let stamp = self.stamp(function, key);
        tokio::time::sleep(self.cost()).await;
        self.computed(stamp)
    }

    fn compute_items(&self, function: u8, key: u64) -> impl Iterator<Item = Value> {
        let stamp = self.stamp(function, key);
        self.note_computed(stamp);
        let count = items_of(key);
        let pause = self.cost() / u32::try_from(count).expect("it is small");
        (0..count).map(move |nth| {
            thread::sleep(pause);
            Value::new(stamp, nth)
        })
    }

    fn compute_awaited_items(&self, function: u8, key: u64) -> impl Stream<Item = Value> {
        let stamp = self.stamp(function, key);
        self.note_computed(stamp);
        let pause = self.cost() / 8;
        stream::iter(0..items_of(key)).then(move |nth| async move {
            if nth % 16 == 0 {
                tokio::time::sleep(pause).await;
            }
            Value::new(stamp, nth)
        })
    }

    /// So long that others meet it.
    fn cost(&self) -> Duration {
        Duration::from_micros(self.below(COST_MS * 1000))
    }

    fn computed(&self, stamp: Stamp) -> Value {
        let value = Value::new(stamp, 0);
        self.note_computed(stamp);
        value
    }

    fn note_computed(&self, stamp: Stamp) {
        let version = stamp.version;
        self.note(
            stamp.function,
            stamp.key,
            stamp.began,
            What::Computed { version },
        );
    }

    /// Writes down what ended just now.
    pub(crate) fn note(&self, function: u8, key: u64, began: u64, what: What) {
        let event = Event {
            operation: Operation {
                process: self.process,
                actor: self.number,
                number: self.operations.load(Ordering::Relaxed),
            },
            function,
            key,
            began,
            ended: now(),
            what,
        };
        let mut log = self.log.lock().expect("no actor panicked");
        serde_json::to_writer(&mut *log, &event).expect("the log can be written");
        log.write_all(b"\n").expect("the log can be written");
    }

    pub(crate) fn end(&self) {
        let mut log = self.log.lock().expect("no actor panicked");
        log.flush().expect("the log can be written");
    }
}
