//! What callers wait for each other.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use cache_memoize::cache_memoize;

use crate::bench::{Bench, Rounds};
use crate::figure::Figure;
use crate::row::{Goal, Row, at_most};

const CALLERS: usize = 64;
const BODY: Duration = Duration::from_millis(200);

#[cache_memoize(key = "cold:<round>")]
fn cold(round: u32) -> u32 {
    thread::sleep(BODY);
    round
}

static BEGAN: Barrier = Barrier::new(2);
static ENDED: Barrier = Barrier::new(2);

#[cache_memoize(key = "blocking:<id>")]
fn blocking(id: u64) -> u64 {
    if id == 1 {
        BEGAN.wait();
        ENDED.wait();
    }
    id
}

pub fn rows(bench: &Bench) -> Vec<Row> {
    let mut rows = cold_key(bench);
    rows.push(warm_beside(bench));
    rows
}

fn cold_key(bench: &Bench) -> Vec<Row> {
    let rounds = bench.or_quick(10, 1);
    let before = cold::stats().computations;
    let times = (0..rounds).map(|round| {
        bench.progress(&format!("cold key, round {} of {rounds}", round + 1));
        let begin = Barrier::new(CALLERS);
        thread::scope(|scope| {
            let call = || {
                begin.wait();
                let started = Instant::now();
                black_box(cold(round));
                started.elapsed()
            };
            let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
            let times = callers
                .into_iter()
                .map(|caller| caller.join().expect("no panic"));
            times.max().expect("there are callers")
        })
    });
    let slowest = times.min().expect("there is a round").as_secs_f64();
    let computations = (cold::stats().computations - before) as f64 / f64::from(rounds);
    let one = Some(Goal::AtMost(Figure::Count(1.0)));
    let body = ("the body", Figure::Seconds(BODY.as_secs_f64()));
    vec![
        Row::ratio(
            "64 callers of a cold key, the slowest",
            Figure::Seconds(slowest),
            body,
            at_most(1.1),
        ),
        Row::figure(
            "64 callers of a cold key, computations",
            Figure::Count(computations),
            one,
        ),
    ]
}

/// Both in the same rounds; the other key is computed all the while.
fn warm_beside(bench: &Bench) -> Row {
    const CALLS: u32 = 2000;
    let hits = || {
        let started = Instant::now();
        for _ in 0..CALLS {
            black_box(blocking(black_box(2)));
        }
        started.elapsed()
    };
    blocking(2);
    let times = bench.pinned(0, || {
        Rounds::new()
            .timed("alone", CALLS, hits)
            .timed("beside", CALLS, || {
                blocking::invalidate(1);
                thread::scope(|scope| {
                    scope.spawn(|| blocking(1));
                    BEGAN.wait();
                    let took = hits();
                    ENDED.wait();
                    took
                })
            })
            .run(bench, bench.rounds())
    });
    let [alone, beside] = ["alone", "beside"].map(|name| Figure::Seconds(times.of(name)));
    // Two measurements of one thing differ by some hundredths.
    Row::ratio(
        "a warm hit while another key is computed",
        beside,
        ("without", alone),
        at_most(1.05),
    )
}
