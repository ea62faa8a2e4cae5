//! Hits on two threads, each on its own core, against one.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use cache_memoize::cache_memoize;
use cached::macros::{cached, concurrent_cached};

use crate::bench::{Bench, Rounds};
use crate::figure::Figure;
use crate::row::{Row, at_least};

const CALLS: u32 = 20_000;

#[cache_memoize(key = "double:<n>")]
fn ours(n: u64) -> u64 {
    n * 2
}

#[cached(ttl_secs = 3600)]
fn behind_one_lock(n: u64) -> u64 {
    n * 2
}

#[concurrent_cached(ttl_secs = 3600)]
fn in_shards(n: u64) -> u64 {
    n * 2
}

pub fn rows(bench: &Bench) -> Vec<Row> {
    let kinds = [("one key", 1), ("1,000 keys", 1000)];
    let row = |(name, keys)| {
        let what = format!("u64 -> u64, 2 threads against 1, {name}");
        if bench.cores() < 2 {
            return Row::missing(&what, "there is one core", at_least(1.9));
        }
        let quick = quick_cache::sync::Cache::new(2048);
        (0..1000).for_each(|n| quick.insert(n, n * 2));
        let (ratio, one) = scaling(bench, keys, ours);
        let beside = [
            (
                "#[cached(ttl_secs)]",
                scaling(bench, keys, behind_one_lock).0,
            ),
            (
                "#[concurrent_cached(ttl_secs)]",
                scaling(bench, keys, in_shards).0,
            ),
            (
                "quick_cache, bare",
                scaling(bench, keys, |n| quick.get(&n).unwrap_or_default()).0,
            ),
        ];
        let beside = beside.map(|(name, ratio)| (name.to_owned(), Figure::Ratio(ratio)));
        Row {
            ours: Some(Figure::Rate(1.0 / one)),
            ..Row::figure(&what, Figure::Ratio(ratio), at_least(1.9))
        }
        .beside(beside)
    };
    kinds.map(row).into()
}

/// How many times as much two threads get done, and how long a call takes on one.
fn scaling(bench: &Bench, keys: u64, call: impl Fn(u64) -> u64 + Sync) -> (f64, f64) {
    (0..keys).for_each(|n| {
        black_box(call(n));
    });
    let times = Rounds::new()
        .timed("1", CALLS, || on(bench, 1, keys, CALLS, &call))
        .timed("2", CALLS, || on(bench, 2, keys, CALLS, &call))
        .run(bench, bench.rounds());
    (2.0 * times.of("1") / times.of("2"), times.of("1"))
}

/// How long it takes until each of some threads has made its calls, each on another core as far as there are.
pub fn on(
    bench: &Bench,
    threads: usize,
    keys: u64,
    calls: u32,
    call: &(impl Fn(u64) -> u64 + Sync),
) -> Duration {
    let begin = Barrier::new(threads);
    thread::scope(|scope| {
        let run = |thread: usize| {
            bench.pin(thread % bench.cores().max(1));
            begin.wait();
            let started = Instant::now();
            for index in 0..calls {
                black_box(call(black_box(u64::from(index) % keys)));
            }
            (started, Instant::now())
        };
        let running: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || run(thread)))
            .collect();
        let ran: Vec<_> = running
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect();
        let began = ran
            .iter()
            .map(|(began, _)| *began)
            .min()
            .expect("there is a thread");
        let ended = ran
            .iter()
            .map(|(_, ended)| *ended)
            .max()
            .expect("there is a thread");
        ended - began
    })
}
