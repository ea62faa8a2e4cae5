//! What another program put under a key of ours. What can't even be read could be anybody's, so it stays until it is invalidated.

use cache_memoize::{Runtime, cache_memoize};
use test_servers::{RedisCluster, RedisServer};
use tokio::runtime::Builder;

use crate::runtime;

#[cache_memoize(key = "foreign:<id>", expiration = "1h", local = false)]
fn foreign(id: u64) -> u64 {
    id
}

#[cache_memoize(key = "foreign-awaited:<id>", expiration = "1h", local = false)]
async fn awaited(id: u64) -> u64 {
    id
}

/// What it does, and behind the key with what. The first is longer than any answer that sync functions read.
const WAYS: [(&str, &[&str]); 6] = [
    ("SETRANGE", &["20971519", "x"]),
    ("RPUSH", &["x"]),
    ("HSET", &["field", "x"]),
    ("SADD", &["x"]),
    ("ZADD", &["1", "x"]),
    ("XADD", &["*", "field", "x"]),
];

/// Whichever of the nodes has the key's slot.
fn put(nodes: &[RedisServer], (command, arguments): (&str, &[&str]), key: &str) {
    let command = [&[command, key], arguments].concat();
    let done = nodes
        .iter()
        .filter(|node| node.try_command(&command).is_ok());
    assert_eq!(done.count(), 1, "{command:?}");
}

/// Calls are answered as long as it is there, and once it was invalidated they find what they store.
fn check(
    runtime: &Runtime,
    put: impl Fn((&str, &[&str])),
    call: impl Fn(),
    invalidate: impl Fn() -> bool,
) {
    for way in WAYS {
        put(way);
        (0..3).for_each(|_| call());
        assert!(invalidate(), "{way:?}: {:#?}", runtime.stats());
        let before = runtime.stats().hits;
        (0..2).for_each(|_| call());
        let stats = runtime.stats();
        assert_eq!(stats.hits, before + 1, "{way:?}: {stats:#?}");
        assert_eq!(stats.skipped, 0, "{way:?}: the server works");
        assert!(invalidate(), "{way:?}");
    }
}

fn check_on(url: &str, nodes: &[RedisServer]) {
    let here = runtime(url);
    here.scope(|| {
        check(
            &here,
            |way| put(nodes, way, foreign::key(1).as_str()),
            || assert_eq!(foreign(1), 1),
            || foreign::invalidate(1),
        );
    });
    let there = runtime(url);
    let tasks = Builder::new_current_thread().enable_all().build();
    let tasks = tasks.expect("a runtime can be made");
    check(
        &there,
        |way| put(nodes, way, awaited::key(1).as_str()),
        || tasks.block_on(there.scope_async(async { assert_eq!(awaited(1).await, 1) })),
        || tasks.block_on(there.scope_async(async { awaited::invalidate(1).await })),
    );
}

#[test]
fn whatever_is_there_is_gone_once_it_is_invalidated() {
    let server = RedisServer::start();
    let nodes = [server];
    check_on(&nodes[0].url(), &nodes);
}

#[test]
fn the_same_on_a_cluster() {
    let cluster = RedisCluster::start(3);
    check_on(&cluster.url(), cluster.nodes());
}
