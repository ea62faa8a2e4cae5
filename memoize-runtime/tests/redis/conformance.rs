//! Each rule of a backend's contract, on both clients and each kind of server.

use memoize_runtime::Redis;
use memoize_runtime::testing::conformance;
use test_servers::{RedisCluster, RedisSentinel, RedisServer};

use crate::clients::open;

fn check(redis: &Redis) {
    conformance(redis);
    #[cfg(feature = "redis-tokio")]
    awaited(redis);
}

#[cfg(feature = "redis-tokio")]
fn awaited(redis: &Redis) {
    use std::sync::Arc;

    use memoize_runtime::{Backend, testing::conformance_async};

    let twin = Arc::new(redis.clone()).async_twin().expect("it has a twin");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_io()
        .build()
        .expect("the system has threads");
    runtime.block_on(conformance_async(&*twin));
}

#[test]
fn one_server_keeps_the_contract() {
    let server = RedisServer::start();
    check(&open(&server.url()));
}

#[test]
fn a_master_behind_sentinels_keeps_the_contract() {
    let sentinel = RedisSentinel::start();
    check(&open(&sentinel.url()));
}

#[test]
fn a_cluster_keeps_the_contract() {
    let cluster = RedisCluster::start(3);
    check(&open(&cluster.url()));
}
