//! A small value that is sealed, in the memory of this process.

use std::hint::black_box;

use cache_memoize::cache_memoize;

use crate::bench::{Bench, Rounds};
use crate::figure::Figure;
use crate::row::{Goal, Row};

#[cache_memoize(key = "user:<id>", encrypt)]
fn sealed(id: u64) -> (u64, String, bool) {
    (id, "Ada Lovelace".to_owned(), true)
}

pub fn rows(bench: &Bench) -> Vec<Row> {
    sealed(7);
    let run = |calls| (0..calls).for_each(|_| drop(black_box(sealed(black_box(7)))));
    let times = bench.pinned(0, || {
        Rounds::new()
            .add("hit", 500, run)
            .run(bench, bench.rounds())
    });
    let goal = Goal::AtMost(Figure::Seconds(1.15e-6));
    vec![Row::figure(
        "a hit",
        Figure::Seconds(times.of("hit")),
        Some(goal),
    )]
}
