//! Copies in this process, kept true by the server's word.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cache_memoize::{Redis, Runtime, cache_memoize};
use test_servers::{RedisServer, eventually};

use crate::settings;

static VERSION: AtomicU64 = AtomicU64::new(0);

#[cache_memoize(key = "tracked:<id>")]
fn tracked(id: u64) -> u64 {
    id + VERSION.load(Ordering::SeqCst)
}

fn runtime(server: &RedisServer) -> Runtime {
    let redis = Redis::open(&server.url()).expect("it is a URL");
    settings(redis).build().expect("valid settings")
}

fn lookups(server: &RedisServer) -> u64 {
    let stats = server.command_stats();
    ["evalsha", "eval", "get"]
        .iter()
        .filter_map(|name| stats.get(*name))
        .sum()
}

/// Whether a call is answered without the server.
fn is_local(server: &RedisServer, runtime: &Runtime, id: u64) -> bool {
    let before = lookups(server);
    runtime.scope(|| tracked(id));
    lookups(server) == before
}

#[test]
fn a_change_by_another_process_ends_a_copy() {
    let server = RedisServer::start();
    let (here, there) = (runtime(&server), runtime(&server));
    let mut longest = Duration::ZERO;
    for round in 0..20 {
        eventually("the copy is used", || is_local(&server, &here, 1));
        let before = here.scope(|| tracked(1));
        let started = Instant::now();
        assert!(there.scope(|| tracked::prime(1, 1_000 + round)));
        eventually("the change is seen", || here.scope(|| tracked(1)) != before);
        longest = longest.max(started.elapsed());
        // Never again the old one.
        (0..100).for_each(|_| assert_eq!(here.scope(|| tracked(1)), 1_000 + round));
    }
    println!("a change was seen after {longest:?} at the most, its writing included");
}

#[test]
fn a_lost_connection_empties_what_it_vouched_for() {
    let server = RedisServer::start();
    let (here, there) = (runtime(&server), runtime(&server));
    eventually("the copy is used", || is_local(&server, &here, 2));
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    assert!(there.scope(|| tracked::prime(2, 77)));
    eventually("the change is seen", || here.scope(|| tracked(2)) == 77);
    eventually("the copy is used again", || is_local(&server, &here, 2));
}

#[test]
fn an_emptied_server_empties_the_copies() {
    let server = RedisServer::start();
    let here = runtime(&server);
    eventually("the copy is used", || is_local(&server, &here, 3));
    server.command(&["FLUSHALL"]);
    eventually("the server is asked", || !is_local(&server, &here, 3));
}
