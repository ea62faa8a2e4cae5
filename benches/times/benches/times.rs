//! Times of the calls that `benches/counts` counts the instructions of: `scripts/times`.

use counts::{CALLS, LARGE, ROWS, forget, forget_large, large, misses, read, rows, warm, write};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn hits(criterion: &mut Criterion) {
    warm();
    let mut group = criterion.benchmark_group("hit");
    group.throughput(Throughput::Elements(CALLS));
    group.bench_function("u64", |bencher| bencher.iter(counts::hit_u64));
    group.bench_function("str", |bencher| bencher.iter(counts::hit_str));
    group.bench_function("arc", |bencher| bencher.iter(counts::hit_arc));
    group.bench_function("sealed", |bencher| bencher.iter(counts::hit_sealed));
    group.finish();
}

fn miss(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("miss");
    group.throughput(Throughput::Elements(CALLS));
    let mut first = 2_000_000;
    group.bench_function("u64", |bencher| {
        bencher.iter(|| {
            misses(first);
            first += CALLS;
        });
    });
    group.finish();
}

fn streams(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream of rows");
    group.throughput(Throughput::Elements(ROWS.into()));
    for (name, sealed) in [("plain", false), ("sealed, compressed", true)] {
        group.bench_function(format!("written, {name}"), |bencher| {
            let source = || {
                forget(sealed);
                rows().into_iter()
            };
            bencher.iter_batched(source, |rows| write(sealed, rows), BatchSize::PerIteration);
        });
        group.bench_function(format!("read, {name}"), |bencher| {
            write(sealed, rows().into_iter());
            bencher.iter(|| read(sealed));
        });
    }
    group.finish();
}

fn large_values(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("large sealed value");
    group.throughput(Throughput::Bytes(LARGE as u64));
    group.sample_size(20);
    group.bench_function("written", |bencher| {
        bencher.iter_batched(forget_large, |()| large(), BatchSize::PerIteration);
    });
    group.bench_function("read", |bencher| {
        large();
        bencher.iter(large);
    });
    group.finish();
}

criterion_group!(benches, hits, miss, streams, large_values);
criterion_main!(benches);
