//! Streams of rows in the memory of this process, beside a bare loop of postcard, and beside Djblets.

use std::hint::black_box;
use std::time::{Duration, Instant};

use cache_memoize::{Memo, Memory, Runtime};
use serde::{Deserialize, Serialize};

use crate::bench::{Bench, Rounds, Times};
use crate::djblets;
use crate::figure::Figure;
use crate::row::{Goal, Row, at_least};

const ROWS: u32 = 200_000;

/// About 28 bytes, with two texts that have to be allocated.
#[derive(Clone, Serialize, Deserialize)]
pub struct Line {
    id: u32,
    name: String,
    city: String,
    amount: i32,
    active: bool,
}

pub fn lines(count: u32) -> Vec<Line> {
    let line = |id: u32| Line {
        id,
        name: format!("name {id:06}"),
        city: format!("city {}", id % 100),
        amount: id.wrapping_mul(7919).cast_signed() % 1_000_000,
        active: id.is_multiple_of(3),
    };
    (0..count).map(line).collect()
}

pub fn rows(bench: &Bench) -> Vec<Row> {
    let count = bench.or_quick(ROWS, 2000);
    let times = bench.pinned(0, || measure(bench, count, bench.or_quick(100, 1)));
    let rate = |name| f64::from(count) / times.of(name);
    // What the source of the rows takes is not the cache's.
    let written = |name| f64::from(count) / (times.of(name) - times.of("source"));
    let read = |what: &str, name, goal| {
        let bare = ("postcard, bare loop", Figure::Rate(rate("bare read")));
        Row::ratio(what, Figure::Rate(rate(name)), bare, at_least(goal))
    };
    let write = |what: &str, name, goal| {
        let bare = (
            "postcard, bare loop".to_owned(),
            Figure::Rate(written("bare write")),
        );
        let goal = Goal::AtLeast(Figure::Rate(goal));
        Row::figure(what, Figure::Rate(written(name)), Some(goal)).beside([bare])
    };
    let mut found = vec![
        read("rows, read", "read", 0.9),
        read("rows, sealed and compressed, read", "sealed read", 0.8),
        write("rows, write", "write", 25e6),
        write("rows, sealed and compressed, write", "sealed write", 12e6),
    ];
    found.extend(djblets::rows(bench));
    found
}

/// `source`, `bare write`, `bare read`, and ours: `write` and `read`, each plain and sealed with LZ4.
pub fn measure(bench: &Bench, count: u32, rounds: u32) -> Times {
    let all = lines(count);
    let bytes = write_bare(all.iter().cloned(), 0);
    // The chunks of an overwritten stream would stay until they expire, and push out those that are read.
    let memory = Memory::new((bytes.len() * 8).max(512 << 20));
    let runtime = Runtime::builder()
        .backend(memory)
        .build()
        .expect("valid settings");
    let ours = |sealed: bool| {
        let memo = Memo::new(("rows", sealed)).compress(sealed);
        if sealed { memo.encrypt() } else { memo }
    };
    let write = |sealed| {
        let (runtime, all) = (&runtime, &all);
        move || {
            runtime.scope(|| {
                ours(sealed).invalidate();
                let source = all.clone().into_iter();
                timed(|| drain(ours(sealed).iter(|| source)))
            })
        }
    };
    let read = |sealed| {
        let runtime = &runtime;
        move || {
            let never = || -> std::vec::IntoIter<Line> { panic!("it was written just now") };
            runtime.scope(|| timed(|| drain(ours(sealed).iter(never))))
        }
    };
    Rounds::new()
        .timed("source", 1, || {
            let source = all.clone().into_iter();
            timed(|| drain(source))
        })
        .timed("bare write", 1, || {
            let source = all.clone().into_iter();
            timed(|| drop(black_box(write_bare(source, bytes.len()))))
        })
        .timed("bare read", 1, || timed(|| read_bare(&bytes)))
        .timed("write", 1, write(false))
        .timed("read", 1, read(false))
        .timed("sealed write", 1, write(true))
        .timed("sealed read", 1, read(true))
        .run(bench, rounds)
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn drain(lines: impl Iterator<Item = Line>) {
    lines.for_each(|line| drop(black_box(line)));
}

fn read_bare(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let (line, rest) = postcard::take_from_bytes::<Line>(bytes).expect("rows were written");
        drop(black_box(line));
        bytes = rest;
    }
}

fn write_bare(lines: impl Iterator<Item = Line>, expected: usize) -> Vec<u8> {
    lines.fold(Vec::with_capacity(expected), |bytes, line| {
        let bytes = postcard::to_extend(&line, bytes).expect("a vector takes all");
        drop(black_box(line));
        bytes
    })
}
