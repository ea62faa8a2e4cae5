//! Instructions of calls, each in a process of its own under callgrind: `scripts/counts`.

use std::env;
use std::vec;

use counts::{Row, before_reading, before_writing, warm};
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};

/// By how many percent a count may exceed the recorded one.
const TOLERANCE: u64 = 5;

/// The count that was recorded, with the tolerance; none while counts are recorded.
fn limited(name: &str) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    if env::var_os("COUNTS_RECORD").is_none() {
        let recorded = include_str!("../recorded.txt").lines().find_map(|line| {
            let (known, count) = line.split_once(' ')?;
            (known == name).then(|| count.parse::<u64>().expect("a count"))
        });
        let recorded = recorded
            .unwrap_or_else(|| panic!("{name} is not recorded; run `scripts/counts --record`"));
        let limit = recorded + recorded * TOLERANCE / 100;
        config.tool(Callgrind::default().hard_limits([(EventKind::Ir, limit)]));
    }
    config
}

#[library_benchmark(config = limited("hit_u64"), setup = warm)]
#[bench::it()]
fn hit_u64((): ()) {
    counts::hit_u64();
}

#[library_benchmark(config = limited("hit_str"), setup = warm)]
#[bench::it()]
fn hit_str((): ()) {
    counts::hit_str();
}

#[library_benchmark(config = limited("hit_arc"), setup = warm)]
#[bench::it()]
fn hit_arc((): ()) {
    counts::hit_arc();
}

#[library_benchmark(config = limited("hit_sealed"), setup = warm)]
#[bench::it()]
fn hit_sealed((): ()) {
    counts::hit_sealed();
}

#[library_benchmark(config = limited("miss"), setup = warm)]
#[bench::it()]
fn miss((): ()) {
    counts::misses(1_000_000);
}

#[library_benchmark(config = limited("stream_write"), setup = before_writing)]
#[bench::it(false)]
fn stream_write((sealed, source): (bool, vec::IntoIter<Row>)) {
    counts::write(sealed, source);
}

#[library_benchmark(config = limited("stream_read"), setup = before_reading)]
#[bench::it(false)]
fn stream_read(sealed: bool) {
    counts::read(sealed);
}

#[library_benchmark(config = limited("sealed_stream_write"), setup = before_writing)]
#[bench::it(true)]
fn sealed_stream_write((sealed, source): (bool, vec::IntoIter<Row>)) {
    counts::write(sealed, source);
}

#[library_benchmark(config = limited("sealed_stream_read"), setup = before_reading)]
#[bench::it(true)]
fn sealed_stream_read(sealed: bool) {
    counts::read(sealed);
}

library_benchmark_group!(
    name = calls,
    benchmarks = [
        hit_u64,
        hit_str,
        hit_arc,
        hit_sealed,
        miss,
        stream_write,
        stream_read,
        sealed_stream_write,
        sealed_stream_read,
    ]
);

main!(library_benchmark_groups = calls);
