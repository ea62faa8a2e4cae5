//! What waiting costs: the slowest of many callers of a cold key, and a warm hit beside a key that is computed.
//!
//! `cargo bench -p memoize-runtime --bench single_flight`

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use cache_memoize::{Memo, Runtime};

const BODY: Duration = Duration::from_millis(500);

fn main() {
    threads();
    tasks();
    warm_hits();
}

fn fresh() -> Runtime {
    Runtime::builder().build().expect("valid settings")
}

fn threads() {
    let runtime = fresh();
    let start = Barrier::new(64);
    let slowest = thread::scope(|scope| {
        let callers: Vec<_> = (0..64)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    let began = Instant::now();
                    let compute = || thread::sleep(BODY);
                    runtime.scope(|| Memo::new("cold").get_or_compute(compute));
                    began.elapsed()
                })
            })
            .collect();
        let took = callers.into_iter().map(ScopedJoinHandle::join);
        took.map(|took| took.expect("no panic")).max()
    });
    report("64 threads on a cold key", &runtime, slowest);
}

fn tasks() {
    let runtime = fresh();
    let executor = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime");
    let slowest = executor.block_on(async {
        let tasks: Vec<_> = (0..10_000)
            .map(|_| {
                let runtime = runtime.clone();
                tokio::spawn(async move {
                    let began = Instant::now();
                    let compute = || tokio::time::sleep(BODY);
                    let call = async { Memo::new("cold").get_or_compute_async(compute).await };
                    runtime.scope_async(call).await;
                    began.elapsed()
                })
            })
            .collect();
        let mut slowest = None;
        for task in tasks {
            slowest = slowest.max(Some(task.await.expect("no panic")));
        }
        slowest
    });
    report("10,000 tasks on a cold key", &runtime, slowest);
}

fn report(what: &str, runtime: &Runtime, slowest: Option<Duration>) {
    let ratio = slowest.unwrap_or_default().as_secs_f64() / BODY.as_secs_f64();
    let runs = runtime.stats().computations;
    println!("{what}: {runs} computation, the slowest caller takes {ratio:.3} of the body's time");
}

/// The least of many short rounds, with and without the other key in turn.
fn warm_hits() {
    const ROUNDS: usize = 200;
    const HITS: u32 = 2_000;
    let runtime = fresh();
    let hit = || runtime.scope(|| Memo::new(("f", 1)).get_or_compute(|| 1_u64));
    let round = || {
        let began = Instant::now();
        for _ in 0..HITS {
            assert_eq!(hit(), 1);
        }
        began.elapsed()
    };
    hit();
    let (mut alone, mut beside) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        alone = alone.min(round());
        let done = AtomicBool::new(false);
        let (began, ended) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            scope.spawn(|| {
                runtime.scope(|| {
                    Memo::new(("f", 2))
                        .force_overwrite(true)
                        .get_or_compute(|| {
                            began.wait();
                            ended.wait();
                        });
                });
                done.store(true, Ordering::Relaxed);
            });
            began.wait();
            beside = beside.min(round());
            assert!(!done.load(Ordering::Relaxed), "it computes all the while");
            ended.wait();
        });
    }
    let ratio = beside.as_secs_f64() / alone.as_secs_f64();
    let each = alone / HITS;
    println!("a warm hit beside a key that is computed: {ratio:.3} of one alone ({each:?})");
}
