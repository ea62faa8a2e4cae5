//! More at one time than the threads of a blocking backend can ask.

use std::thread;
use std::time::Duration;

use cache_memoize::{
    Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup, Memory, Runtime, Stats,
    cache_memoize,
};

/// A server that takes its time, and never fails.
#[derive(Clone)]
struct Slow {
    memory: Memory,
    /// Each of its answers.
    latency: Duration,
}

impl Backend for Slow {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        thread::sleep(self.latency);
        self.memory.get(key, deadline)
    }
    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        thread::sleep(self.latency);
        self.memory.set(key, value, life, deadline)
    }
    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        thread::sleep(self.latency);
        self.memory.delete(key, deadline)
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
        thread::sleep(self.latency);
        self.memory.get_or_lease(key, life, deadline)
    }
    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        thread::sleep(self.latency);
        self.memory.fill(key, lease, value, life, deadline)
    }
    fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Result<(), BackendError> {
        self.memory.release(key, lease, deadline)
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

/// The hits of each of three bursts of so many keys. There is time for five answers a call.
async fn three_bursts(keys: u64, latency: Duration) -> (Vec<u64>, Stats) {
    let memory = Memory::default();
    let settings = Runtime::builder().backend(Slow { memory, latency });
    let runtime = settings.budget(5 * latency).build();
    let runtime = runtime.expect("valid settings");
    let mut hits = Vec::new();
    for _ in 0..3 {
        let before = runtime.stats().hits;
        all_at_once(&runtime, keys).await;
        hits.push(runtime.stats().hits - before);
        // What is still written is done by then, and the next burst is one of its own.
        tokio::time::sleep(2 * latency).await;
    }
    (hits, runtime.stats())
}

/// What is stored in one round is found in the next, nobody waits in the way of those who have time left, and a backend that answers isn't
/// left alone.
#[tokio::test]
async fn bursts_of_many_keys_become_warm() {
    const KEYS: u64 = 1_000;
    // A machine with other things to do may keep each of the threads from running for as long as the budget, so that grows.
    for attempt in 0..5 {
        let latency = Duration::from_millis(100) * 2_u32.pow(attempt);
        let (hits, stats) = three_bursts(KEYS, latency).await;
        println!("hits {hits:?} of {KEYS}: {stats:?}");
        if hits[2] > KEYS / 2 && stats.skipped == 0 {
            return;
        }
    }
    panic!("they stay cold");
}
