//! A hit on Redis beside the bare client's `GET` of the same bytes, over one loopback, in turns.
//!
//! `cargo bench -p memoize-runtime --features redis-tokio --bench redis`
//!
//! Both read the same entry: the client hands out its bytes, the hit is a value that was checked and decoded. The rows between
//! show where the rest goes: the backend's own `GET`, and the script that a lookup sends before it.

use std::env;
use std::time::{Duration, Instant};

use memoize_runtime::{Backend, Bytes, Deadline, Memo, Redis, Runtime};
use test_servers::RedisServer;

/// Few, so that some rounds are not interrupted on a busy machine.
const CALLS: u32 = 20;

fn main() {
    // `cargo test` runs this too, to see that it works.
    let measures = env::args().any(|argument| argument == "--bench");
    let rounds = if measures { 1500 } else { 1 };
    for length in [64, 1 << 10, 16 << 10] {
        sync(length, rounds);
        #[cfg(feature = "redis-tokio")]
        tokio::hits(length, rounds);
    }
}

fn sync(length: usize, rounds: usize) {
    let server = RedisServer::start();
    let redis = Redis::open(&server.url()).expect("the URL is valid");
    let runtime = runtime(&redis);
    let value = "x".repeat(length);
    let hit = || {
        let found: String = Memo::new(("key", length)).get_or_compute(|| value.clone());
        assert_eq!(found.len(), length);
    };
    runtime.scope(hit);
    let key = runtime.scope(|| Memo::new(("key", length)).key());
    let key = key.as_str();
    let client = redis::Client::open(server.url()).expect("the URL is valid");
    let mut client = client.get_connection().expect("the server is there");
    let deadline = || Deadline::after(Duration::from_secs(1));
    let rows: [(&str, &mut dyn FnMut()); 4] = [
        ("the bare client's GET", &mut || {
            let found: Vec<u8> = redis::cmd("GET")
                .arg(key)
                .query(&mut client)
                .expect("it answers");
            assert!(!found.is_empty());
        }),
        ("a hit", &mut || runtime.scope(hit)),
        ("the backend's GET", &mut || {
            let found: Option<Bytes> = redis.get(key, deadline()).expect("it answers");
            assert!(found.is_some());
        }),
        ("the backend's lookup", &mut || {
            let lookup = redis.get_or_lease(key, Duration::from_secs(1), deadline());
            assert!(lookup.is_ok());
        }),
    ];
    let (names, mut calls): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let mut took: Vec<Vec<Duration>> = names.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (call, took) in calls.iter_mut().zip(&mut took) {
            let started = Instant::now();
            (0..CALLS).for_each(|_| call());
            took.push(started.elapsed() / CALLS);
        }
    }
    report("sync", length, &names, &took);
}

fn runtime(redis: &Redis) -> Runtime {
    Runtime::builder()
        .backend(redis.clone())
        .compress(false)
        .build()
        .expect("valid settings")
}

fn report(kind: &str, length: usize, names: &[&str], took: &[Vec<Duration>]) {
    // Whatever else the machine does has no part in the least.
    let least: Vec<f64> = took
        .iter()
        .map(|took| took.iter().min().expect("there are rounds").as_secs_f64() * 1e6)
        .collect();
    for (name, least_us) in names.iter().zip(&least) {
        let ratio = least_us / least[0];
        println!("{kind:6} {length:6} B  {least_us:8.2} us  {ratio:5.2}  {name}");
    }
}

#[cfg(feature = "redis-tokio")]
mod tokio {
    use std::time::Instant;

    use memoize_runtime::{Memo, Redis};
    use test_servers::RedisServer;

    use super::{CALLS, report, runtime};

    pub(super) fn hits(length: usize, rounds: usize) {
        let executor = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("the system has threads");
        let server = RedisServer::start();
        let redis = Redis::open(&server.url()).expect("the URL is valid");
        let runtime = runtime(&redis);
        let value = "x".repeat(length);
        let key = runtime.scope(|| Memo::new(("key", length)).key());
        let mut took = vec![Vec::new(), Vec::new()];
        executor.block_on(async {
            let client = redis::Client::open(server.url()).expect("the URL is valid");
            let client = client.get_multiplexed_async_connection().await;
            let mut client = client.expect("the server is there");
            let hit = async || {
                let memo = Memo::new(("key", length));
                let found: String = memo.get_or_compute_async(async || value.clone()).await;
                assert_eq!(found.len(), length);
            };
            runtime.scope_async(hit()).await;
            for _ in 0..rounds {
                let started = Instant::now();
                for _ in 0..CALLS {
                    let mut get = redis::cmd("GET");
                    let found = get.arg(key.as_str()).query_async(&mut client).await;
                    let found: Vec<u8> = found.expect("it answers");
                    assert!(!found.is_empty());
                }
                took[0].push(started.elapsed() / CALLS);
                let started = Instant::now();
                for _ in 0..CALLS {
                    runtime.scope_async(hit()).await;
                }
                took[1].push(started.elapsed() / CALLS);
            }
        });
        report("tokio", length, &["the bare client's GET", "a hit"], &took);
    }
}
