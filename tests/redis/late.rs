//! What the server comes to when nobody waits for it any more.

use std::time::Duration;

use cache_memoize::{Redis, cache_memoize};
use test_servers::{Proxy, RedisServer, eventually};
use tokio::runtime::Builder;

use crate::{runtime, settings};

#[cache_memoize(key = "late:<id>", expiration = "1h", local = false)]
fn value(id: u64) -> u64 {
    id
}

#[cache_memoize(key = "late:<id>", expiration = "1h", local = false)]
async fn awaited(id: u64) -> u64 {
    id
}

/// How often the server has written.
fn writes(server: &RedisServer) -> u64 {
    let stats = server.command_stats();
    let writing = ["eval", "evalsha", "set"];
    writing.iter().filter_map(|name| stats.get(*name)).sum()
}

#[test]
fn a_prime_overwrites_nothing_that_has_come_since() {
    let server = RedisServer::start();
    let there = runtime(&server.url());
    let tasks = Builder::new_current_thread().enable_all().build();
    let tasks = tasks.expect("a runtime can be made");
    let primes: [&dyn Fn(u64) -> bool; 2] = [&|new| value::prime(7, new), &|new| {
        tasks.block_on(async { awaited::prime(7, new).await })
    }];
    for prime in primes {
        // One to get the right to write by, and one to write.
        for before in [0, 1] {
            let proxy = Proxy::start(server.address(), 0);
            let redis = Redis::open(&format!("redis://{}", proxy.address())).expect("it is valid");
            let here = settings(redis).budget(Duration::from_millis(500));
            here.build().expect("the settings are valid").scope(|| {
                // The script is known from now on.
                assert!(prime(1));
                let held = proxy.hold_question(before);
                assert!(!prime(2), "there is no answer in time");
                assert!(held.has_come());
                there.scope(|| {
                    assert!(value::invalidate(7));
                    assert!(value::prime(7, 3));
                });
                let before = writes(&server);
                drop(held);
                eventually("the server comes to it", || writes(&server) > before);
            });
            assert_eq!(there.scope(|| value::peek(7)), Some(3), "{before}");
        }
    }
}
