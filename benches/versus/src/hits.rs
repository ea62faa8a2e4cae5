//! Hits in the memory of this process, on one thread.
//!
//! Ours are bounded in bytes and expire after 30 days, which is the default. `cached` is given an expiration of an hour; without
//! one, which is its default, and with a bound as well it is shown beside that.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cachekit::policy::s3_fifo::ConcurrentS3FifoCache;

use crate::bench::{Bench, Rounds, Times};
use crate::figure::Figure;
use crate::row::{Goal, Row, at_most};

const KEYS: u32 = 1024;
const CALLS: u32 = 2 * KEYS;

mod ours {
    use std::sync::Arc;

    use cache_memoize::cache_memoize;

    #[cache_memoize(key = "square:<n>")]
    pub fn square(n: u64) -> u64 {
        n * n
    }

    #[cache_memoize(key = "greet:<name>")]
    pub fn greet(name: &str) -> String {
        format!("Hello, {name}, and welcome")
    }

    #[cache_memoize(key = "shared:<n>")]
    pub fn shared(n: u64) -> Arc<Vec<u64>> {
        Arc::new((n..n + 16).collect())
    }
}

mod one_lock {
    use std::sync::Arc;

    use cached::macros::cached;

    #[cached(ttl_secs = 3600)]
    pub fn square(n: u64) -> u64 {
        n * n
    }

    #[cached(ttl_secs = 3600, key = "String", convert = { name.to_owned() })]
    pub fn greet(name: &str) -> String {
        format!("Hello, {name}, and welcome")
    }

    #[cached(ttl_secs = 3600)]
    pub fn shared(n: u64) -> Arc<Vec<u64>> {
        Arc::new((n..n + 16).collect())
    }
}

mod sharded {
    use std::sync::Arc;

    use cached::macros::concurrent_cached;

    #[concurrent_cached(ttl_secs = 3600)]
    pub fn square(n: u64) -> u64 {
        n * n
    }

    #[concurrent_cached(ttl_secs = 3600, key = "String", convert = { name.to_owned() })]
    pub fn greet(name: &str) -> String {
        format!("Hello, {name}, and welcome")
    }

    #[concurrent_cached(ttl_secs = 3600)]
    pub fn shared(n: u64) -> Arc<Vec<u64>> {
        Arc::new((n..n + 16).collect())
    }
}

/// Other settings of the same.
mod settings {
    use cached::macros::{cached, concurrent_cached};

    #[cached]
    pub fn forever(n: u64) -> u64 {
        n * n
    }

    #[concurrent_cached]
    pub fn forever_sharded(n: u64) -> u64 {
        n * n
    }

    #[cached(max_size = 100_000, ttl_secs = 3600)]
    pub fn bounded(n: u64) -> u64 {
        n * n
    }

    #[concurrent_cached(max_size = 100_000, ttl_secs = 3600)]
    pub fn bounded_sharded(n: u64) -> u64 {
        n * n
    }
}

/// A map for each thread.
mod thread_local {
    use std::sync::Arc;

    use memoize::memoize;

    #[memoize]
    pub fn square(n: u64) -> u64 {
        n * n
    }

    #[memoize]
    pub fn greet(name: String) -> String {
        format!("Hello, {name}, and welcome")
    }

    #[memoize]
    pub fn shared(n: u64) -> Arc<Vec<u64>> {
        Arc::new((n..n + 16).collect())
    }
}

pub const OURS: &str = "cache-memoize";
const CACHED: &str = "#[cached(ttl_secs)]";
const SHARDED: &str = "#[concurrent_cached(ttl_secs)]";
const FOREVER: &str = "#[cached], no expiration";
const FOREVER_SHARDED: &str = "#[concurrent_cached], no expiration";
const BOUNDED: &str = "#[cached(max_size, ttl_secs)]";
const BOUNDED_SHARDED: &str = "#[concurrent_cached(max_size, ttl_secs)]";
const MEMOIZE: &str = "#[memoize], no expiration, a map for each thread";
const QUICK: &str = "quick_cache, bare";
const MOKA: &str = "moka with a time to live, bare";
const KIT: &str = "cachekit, S3-FIFO, bare";

pub fn rows(bench: &Bench) -> Vec<Row> {
    let numbers = bench.pinned(0, || numbers(bench));
    let texts = bench.pinned(0, || texts(bench));
    let shared = bench.pinned(0, || shared(bench));
    vec![
        row("u64 -> u64", &numbers, &[CACHED, SHARDED], at_most(0.36)),
        row("&str -> String", &texts, &[SHARDED], at_most(0.40)),
        row(
            "u64 -> Arc<Vec<u64>>",
            &shared,
            &[CACHED, SHARDED],
            at_most(0.34),
        ),
    ]
}

/// Against the fastest of some peers; the rest is shown beside it.
fn row(what: &str, times: &Times, peers: &[&str], goal: Option<Goal>) -> Row {
    let (name, theirs) = times.fastest(peers);
    let ours = Figure::Seconds(times.of(OURS));
    Row::ratio(what, ours, (name, Figure::Seconds(theirs)), goal)
        .beside(times.others(&[OURS, name]))
}

/// Calls with one warm key after the other.
fn each_number<T>(call: impl Fn(u64) -> T) -> impl FnMut(u32) {
    let run = move |calls| {
        for index in 0..calls {
            black_box(call(black_box(u64::from(index % KEYS))));
        }
    };
    run(KEYS);
    run
}

fn each_text<'a, T>(texts: &'a [String], call: impl Fn(&'a str) -> T + 'a) -> impl FnMut(u32) + 'a {
    let run = move |calls| {
        for index in 0..calls {
            black_box(call(black_box(&texts[(index % KEYS) as usize])));
        }
    };
    run(KEYS);
    run
}

fn moka<K: std::hash::Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static>()
-> moka::sync::Cache<K, V> {
    let hour = Duration::from_secs(3600);
    moka::sync::Cache::builder()
        .max_capacity(u64::from(2 * KEYS))
        .time_to_live(hour)
        .build()
}

fn numbers(bench: &Bench) -> Times {
    let quick = quick_cache::sync::Cache::new(2 * KEYS as usize);
    let (moka, kit) = (moka(), ConcurrentS3FifoCache::new(2 * KEYS as usize));
    for n in 0..u64::from(KEYS) {
        quick.insert(n, n * n);
        moka.insert(n, n * n);
        kit.insert(n, n * n);
    }
    Rounds::new()
        .add(OURS, CALLS, each_number(ours::square))
        .add(CACHED, CALLS, each_number(one_lock::square))
        .add(SHARDED, CALLS, each_number(sharded::square))
        .add(FOREVER, CALLS, each_number(settings::forever))
        .add(
            FOREVER_SHARDED,
            CALLS,
            each_number(settings::forever_sharded),
        )
        .add(BOUNDED, CALLS, each_number(settings::bounded))
        .add(
            BOUNDED_SHARDED,
            CALLS,
            each_number(settings::bounded_sharded),
        )
        .add(MEMOIZE, CALLS, each_number(thread_local::square))
        .add(QUICK, CALLS, each_number(|n| quick.get(&n)))
        .add(MOKA, CALLS, each_number(|n| moka.get(&n)))
        .add(KIT, CALLS, each_number(|n| kit.get(&n)))
        .run(bench, bench.rounds())
}

fn texts(bench: &Bench) -> Times {
    let names: Vec<_> = (0..KEYS).map(|n| format!("Ada Lovelace {n}")).collect();
    let quick = quick_cache::sync::Cache::new(2 * KEYS as usize);
    let (moka, kit) = (moka(), ConcurrentS3FifoCache::new(2 * KEYS as usize));
    for name in &names {
        let greeting = ours::greet::uncached(name);
        quick.insert(name.clone(), greeting.clone());
        moka.insert(name.clone(), greeting.clone());
        kit.insert(name.clone(), greeting);
    }
    Rounds::new()
        .add(OURS, CALLS, each_text(&names, ours::greet))
        .add(CACHED, CALLS, each_text(&names, one_lock::greet))
        .add(SHARDED, CALLS, each_text(&names, sharded::greet))
        .add(
            MEMOIZE,
            CALLS,
            each_text(&names, |name| thread_local::greet(name.to_owned())),
        )
        .add(QUICK, CALLS, each_text(&names, |name| quick.get(name)))
        .add(MOKA, CALLS, each_text(&names, |name| moka.get(name)))
        .add(KIT, CALLS, {
            let run = {
                let (names, kit) = (&names, &kit);
                move |calls| {
                    for index in 0..calls {
                        black_box(kit.get(black_box(&names[(index % KEYS) as usize])));
                    }
                }
            };
            run(KEYS);
            run
        })
        .run(bench, bench.rounds())
}

fn shared(bench: &Bench) -> Times {
    let quick = quick_cache::sync::Cache::new(2 * KEYS as usize);
    let moka = moka();
    for n in 0..u64::from(KEYS) {
        let value: Arc<Vec<u64>> = ours::shared::uncached(n);
        quick.insert(n, value.clone());
        moka.insert(n, value);
    }
    Rounds::new()
        .add(OURS, CALLS, each_number(ours::shared))
        .add(CACHED, CALLS, each_number(one_lock::shared))
        .add(SHARDED, CALLS, each_number(sharded::shared))
        .add(MEMOIZE, CALLS, each_number(thread_local::shared))
        .add(QUICK, CALLS, each_number(|n| quick.get(&n)))
        .add(MOKA, CALLS, each_number(|n| moka.get(&n)))
        .run(bench, bench.rounds())
}
