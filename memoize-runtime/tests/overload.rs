//! More at one time than the threads of a blocking backend can ask.

use std::thread;
use std::time::Duration;

use cache_memoize::{
    Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup, Memory, Runtime, Stats,
    cache_memoize,
};

/// A server that takes its time, and never fails.
#[derive(Clone, Default)]
struct Slow(Memory);

/// Each of its answers, and the time for all of a call's: as long as five of them.
const LATENCY: Duration = Duration::from_millis(100);
const BUDGET: Duration = Duration::from_millis(500);

impl Backend for Slow {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        thread::sleep(LATENCY);
        self.0.get(key, deadline)
    }
    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        thread::sleep(LATENCY);
        self.0.set(key, value, life, deadline)
    }
    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        thread::sleep(LATENCY);
        self.0.delete(key, deadline)
    }
    fn limits(&self) -> Limits {
        Limits::new()
    }
    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        thread::sleep(LATENCY);
        self.0.get_or_lease(key, life, deadline)
    }
    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        thread::sleep(LATENCY);
        self.0.fill(key, lease, value, life, deadline)
    }
    fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Result<(), BackendError> {
        self.0.release(key, lease, deadline)
    }
}

#[cache_memoize(key = "square:<n>")]
async fn square(n: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(5)).await;
    n * n
}

async fn all_at_once(runtime: &Runtime, keys: u64) {
    let tasks: Vec<_> = (0..keys)
        .map(|n| tokio::spawn(runtime.scope_async(async move { (n, square(n).await) })))
        .collect();
    for task in tasks {
        let (n, square) = task.await.expect("no call fails");
        assert_eq!(square, n * n);
    }
}

/// The hits of each of three bursts of so many keys.
async fn three_bursts(keys: u64) -> (Vec<u64>, Stats) {
    let settings = Runtime::builder().backend(Slow::default()).budget(BUDGET);
    let runtime = settings.build().expect("valid settings");
    let mut hits = Vec::new();
    for _ in 0..3 {
        let before = runtime.stats().hits;
        all_at_once(&runtime, keys).await;
        hits.push(runtime.stats().hits - before);
        // What is still written is done by then, and the next burst is one of its own.
        tokio::time::sleep(2 * LATENCY).await;
    }
    (hits, runtime.stats())
}

/// What is stored in one round is found in the next, nobody waits in the way of those who have time left, and a backend that answers isn't
/// left alone.
#[tokio::test]
async fn bursts_of_many_keys_become_warm() {
    const KEYS: u64 = 1_000;
    // A machine with other things to do may keep each of the threads from running for as long as the budget.
    for _ in 0..5 {
        let (hits, stats) = three_bursts(KEYS).await;
        println!("hits {hits:?} of {KEYS}: {stats:?}");
        if hits[2] > KEYS / 2 && stats.skipped == 0 {
            return;
        }
    }
    panic!("they stay cold");
}
