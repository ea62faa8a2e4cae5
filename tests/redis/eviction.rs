//! A server that throws out what it likes, chunks of streams that are being read among it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use test_servers::RedisServer;

use crate::common::Random;
use crate::item::{Source, is_whole, item, items, sealed_items};
use crate::{rounds, runtime};

/// Streams of 0.5 to 1.5 MB: together several times of what the server keeps.
const STREAMS: u64 = 20;
const BYTES: usize = 50_000;

#[test]
fn sequences_are_exact_while_the_server_evicts() {
    let options = ["--maxmemory", "8mb", "--maxmemory-policy", "allkeys-random"];
    let server = RedisServer::with(&options);
    let seconds = rounds("EVICTION_SECONDS", 5);
    let end = Instant::now() + Duration::from_secs(seconds);
    let (count, large) = (AtomicU64::new(0), AtomicU64::new(0));
    let runtime = runtime(&server.url());
    thread::scope(|scope| {
        for number in 0..4 {
            let (runtime, count, large) = (&runtime, &count, &large);
            scope.spawn(move || {
                let mut random = Random::seeded();
                for _ in 0..number {
                    random.next();
                }
                let source = Source::default();
                runtime.scope(|| {
                    while Instant::now() < end {
                        let length = 10 + random.below(STREAMS);
                        match random.below(8) {
                            0 => assert!(is_whole(sealed_items(4, BYTES, &source), 4, BYTES)),
                            1 => {
                                let bytes = BYTES * usize::try_from(length).expect("it is small");
                                assert!(item(length, bytes, &source).is_of(length, bytes));
                                large.fetch_add(1, Ordering::Relaxed);
                                continue;
                            }
                            2 => drop(items(length, BYTES, &source).take(5).count()),
                            _ => assert!(is_whole(items(length, BYTES, &source), length, BYTES)),
                        }
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            });
        }
    });
    let stats = runtime.stats();
    let info = server.command(&["INFO", "stats"]).text();
    let evicted = info
        .lines()
        .find_map(|line| line.strip_prefix("evicted_keys:"));
    let evicted: u64 = evicted
        .expect("it is told")
        .parse()
        .expect("it is a number");
    test_servers::shown!(
        "{seconds} s of eviction: {} streams and {} large values read, all exact; {evicted} keys evicted, {} hits, {} not whole at first, {} interrupted",
        count.into_inner(),
        large.into_inner(),
        stats.hits,
        stats.incomplete,
        stats.interrupted
    );
    assert!(evicted > 0 && stats.hits > 0, "{stats:#?}");
}

#[test]
fn a_server_that_is_full_stores_nothing_and_nobody_notices() {
    let server = RedisServer::with(&["--maxmemory", "1mb", "--maxmemory-policy", "noeviction"]);
    let runtime = runtime(&server.url());
    let source = Source::default();
    runtime.scope(|| {
        for _ in 0..2 {
            assert!(item(1, 2 << 20, &source).is_of(1, 2 << 20));
            assert!(is_whole(items(30, BYTES, &source), 30, BYTES));
        }
    });
    let stats = runtime.stats();
    assert_eq!((stats.hits, stats.computations), (0, 4), "{stats:#?}");
    assert!(stats.faults > 0, "{stats:#?}");
}

/// It refuses what writes, as fast as ever, and goes on to answer what reads.
#[test]
fn what_a_full_server_has_is_found_however_much_it_refuses() {
    let server = RedisServer::start();
    let runtime = runtime(&server.url());
    let source = Source::default();
    runtime.scope(|| {
        item(0, 100, &source);
        server.command(&["CONFIG", "SET", "maxmemory", "1"]);
        for number in 1..40 {
            item(number, 100, &source);
            item(0, 100, &source);
        }
    });
    let stats = runtime.stats();
    assert_eq!(
        (stats.hits, stats.computations, stats.skipped),
        (39, 40, 0),
        "{stats:#?}"
    );
    assert!(stats.faults >= 39, "{stats:#?}");
}
