//! Rows a second of a memoized iterator, beside a bare loop of postcard in the same run.
//!
//! `cargo bench --bench streams`; `ROUNDS` and `ROWS` by environment variable. Each figure is the least of all rounds, which
//! take turns, so that a slow phase of the machine hits all of them. What is written is counted without the time that
//! the source of the rows takes.

use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

use cache_memoize::{Memo, Memory, Runtime};
use serde::{Deserialize, Serialize};

/// About 28 bytes, with two texts that have to be allocated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    id: u32,
    name: String,
    city: String,
    amount: i32,
    active: bool,
}

fn rows(count: u32) -> Vec<Row> {
    let row = |id: u32| Row {
        id,
        name: format!("name {id:06}"),
        city: format!("city {}", id % 100),
        amount: id.wrapping_mul(7919).cast_signed() % 1_000_000,
        active: id.is_multiple_of(3),
    };
    (0..count).map(row).collect()
}

/// The least time that each of some things took.
struct Least(Vec<(&'static str, Duration)>);

impl Least {
    fn time(&mut self, name: &'static str, work: impl FnOnce()) {
        let started = Instant::now();
        work();
        let took = started.elapsed();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, least)) => *least = took.min(*least),
            None => self.0.push((name, took)),
        }
    }

    fn of(&self, name: &str) -> Duration {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.expect("it was timed").1
    }
}

fn drain(rows: impl Iterator<Item = Row>) {
    rows.for_each(|row| drop(black_box(row)));
}

fn read_bare(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let (row, rest) = postcard::take_from_bytes::<Row>(bytes).expect("rows were written");
        drop(black_box(row));
        bytes = rest;
    }
}

fn write_bare(rows: impl Iterator<Item = Row>, expected: usize) -> Vec<u8> {
    rows.fold(Vec::with_capacity(expected), |bytes, row| {
        let bytes = postcard::to_extend(&row, bytes).expect("a vector takes all");
        drop(black_box(row));
        bytes
    })
}

fn main() {
    // `cargo test` runs this too, to see that it works.
    let measures = env::args().any(|argument| argument == "--bench");
    let number = |name: &str, otherwise: u32| {
        env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let rounds = number("ROUNDS", if measures { 30 } else { 1 });
    let count = number("ROWS", if measures { 500_000 } else { 1000 });

    let all = rows(count);
    let bytes = write_bare(all.iter().cloned(), 0);
    let runtime = Runtime::builder()
        .backend(Memory::new(512 << 20))
        .build()
        .expect("valid settings");
    let mut least = Least(Vec::new());
    runtime.scope(|| {
        for _ in 0..rounds {
            let source = all.clone().into_iter();
            least.time("source", || drain(source));
            let source = all.clone().into_iter();
            least.time("bare write", || {
                drop(black_box(write_bare(source, bytes.len())));
            });
            least.time("bare read", || read_bare(&bytes));
            for (compress, write, read) in
                [(false, "write", "read"), (true, "write, LZ4", "read, LZ4")]
            {
                let memo = || Memo::new(("rows", compress)).compress(compress);
                // The chunks of an overwritten stream would stay until they expire, and push out those that are read.
                memo().invalidate();
                let source = all.clone().into_iter();
                least.time(write, || {
                    drain(memo().iter(|| source));
                });
                least.time(read, || {
                    drain(
                        memo().iter(|| -> std::vec::IntoIter<Row> {
                            panic!("it was written just now")
                        }),
                    );
                });
            }
        }
    });

    println!(
        "{count} rows of {:.1} bytes, least of {rounds} rounds",
        f64::from(u32::try_from(bytes.len()).expect("fits into memory")) / f64::from(count)
    );
    for (name, bare, source) in [
        ("bare read", "bare read", None),
        ("read", "bare read", None),
        ("read, LZ4", "bare read", None),
        ("bare write", "bare write", Some("source")),
        ("write", "bare write", Some("source")),
        ("write, LZ4", "bare write", Some("source")),
    ] {
        let of = |name| {
            let source = source.map_or(Duration::ZERO, |source| least.of(source));
            least.of(name).saturating_sub(source).as_secs_f64()
        };
        println!(
            "{name:12} {:6.1} ns a row  {:5.1} M rows/s  {:5.2} of the bare loop's rate",
            of(name) * 1e9 / f64::from(count),
            f64::from(count) / of(name) / 1e6,
            of(bare) / of(name),
        );
    }
}
