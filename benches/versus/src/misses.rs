//! Misses in the memory of this process: what they take more than the function itself.

use std::cell::Cell;
use std::hint::black_box;

use cache_memoize::cache_memoize;
use cached::macros::cached;

use crate::bench::{Bench, Rounds};
use crate::figure::Figure;
use crate::hits::OURS;
use crate::row::{Goal, Row};

const CALLS: u32 = 1000;
const CACHED: &str = "#[cached(max_size, ttl_secs)]";
const BARE: &str = "the bare function";

#[cache_memoize(key = "next:<n>")]
fn ours(n: u64) -> u64 {
    n + 1
}

#[cached(max_size = 100_000, ttl_secs = 3600)]
fn bounded(n: u64) -> u64 {
    n + 1
}

pub fn rows(bench: &Bench) -> Vec<Row> {
    let times = bench.pinned(0, || {
        Rounds::new()
            .add(BARE, CALLS, new_keys(ours::uncached))
            .add(OURS, CALLS, new_keys(ours))
            .add(CACHED, CALLS, new_keys(bounded))
            .run(bench, bench.rounds())
    });
    let over = |name| Figure::Seconds(times.of(name) - times.of(BARE));
    let goal = Goal::AtMost(Figure::Seconds(0.8e-6));
    vec![
        Row::figure("u64 -> u64, over the bare function", over(OURS), Some(goal))
            .beside([(CACHED.to_owned(), over(CACHED))]),
    ]
}

/// Calls with keys that were never there.
fn new_keys(call: impl Fn(u64) -> u64) -> impl FnMut(u32) {
    let next = Cell::new(0);
    move |calls| {
        for _ in 0..calls {
            next.set(next.get() + 1);
            black_box(call(black_box(next.get())));
        }
    }
}
