//! Values, large values and streams, sealed and plain, sync and async, on every kind of server.

use cache_memoize::{Redis, Runtime};
use test_servers::{RedisCluster, RedisSentinel, RedisServer, eventually};

use crate::item::{
    Source, awaited, is_whole, item, items, sealed_awaited, sealed_item, sealed_items,
};
use crate::settings;

const SMALL: usize = 100;

/// More than is stored as one; and as a stream, more than is read ahead.
const LARGE: usize = 5 << 18;

/// One process stores, another finds: each function runs once.
fn check(open: impl Fn() -> Redis) {
    let tasks = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads can be started");
    let source = Source::default();
    let mut stats = Vec::new();
    for _ in ["stores", "finds"] {
        let runtime = settings(open()).build().expect("the settings are valid");
        runtime.scope(|| {
            for (bytes, keys) in [(SMALL, 10), (LARGE, 2)] {
                for key in 0..keys {
                    assert!(item(key, bytes, &source).is_of(key, bytes));
                }
                assert!(sealed_item(1, bytes, &source).is_of(1, bytes));
            }
            for (count, bytes) in [(3, SMALL), (12, LARGE / 10), (0, 0)] {
                assert!(is_whole(items(count, bytes, &source), count, bytes));
                assert!(is_whole(sealed_items(count, bytes, &source), count, bytes));
            }
        });
        tasks.block_on(runtime.scope_async(async {
            for (bytes, keys) in [(SMALL, 10), (LARGE, 2)] {
                for key in 0..keys {
                    assert!(awaited(key, bytes, &source).await.is_of(key, bytes));
                }
                assert!(sealed_awaited(1, bytes, &source).await.is_of(1, bytes));
            }
        }));
        stats.push(runtime.stats());
    }
    let calls = 2 * (11 + 3) + 3 * 2;
    assert_eq!(source.runs(), calls, "{stats:#?}");
    assert_eq!((stats[0].hits, stats[0].stores), (0, calls));
    assert_eq!((stats[1].hits, stats[1].stores), (calls, 0));
    assert_eq!((stats[0].faults, stats[1].faults), (0, 0));
    forgotten(
        &settings(open()).build().expect("the settings are valid"),
        &source,
    );
}

/// What is invalidated is gone for the others, too.
fn forgotten(runtime: &Runtime, source: &Source) {
    runtime.scope(|| {
        assert!(item::invalidate(1, LARGE) && sealed_item::invalidate(1, SMALL));
        assert!(items::invalidate(12, LARGE / 10));
        assert_eq!(item::peek(1, LARGE), None);
        let before = source.runs();
        assert!(is_whole(items(12, LARGE / 10, source), 12, LARGE / 10));
        assert!(sealed_item(1, SMALL, source).is_of(1, SMALL));
        assert!(sealed_item(1, LARGE, source).is_of(1, LARGE));
        assert_eq!(source.runs(), before + 2);
    });
}

fn open(url: &str) -> Redis {
    Redis::open(url).expect("the URL is valid")
}

#[test]
fn on_one_server() {
    let server = RedisServer::start();
    check(|| open(&server.url()));
}

#[test]
fn on_one_server_in_resp3() {
    let server = RedisServer::start();
    check(|| open(&format!("{}/?protocol=resp3", server.url())));
}

#[test]
fn on_a_unix_socket() {
    let server = RedisServer::start();
    check(|| open(&format!("unix://{}", server.socket().display())));
}

#[test]
fn with_a_password_and_a_database() {
    let server = RedisServer::with(&["--databases", "4"]);
    server.command(&[
        "ACL",
        "SETUSER",
        "ann",
        "on",
        ">p@ss:word",
        "~*",
        "&*",
        "+@all",
    ]);
    let url = server
        .url()
        .replace("redis://", "redis://ann:p%40ss%3Aword@");
    check(|| open(&format!("{url}/3")));
    let keyspace = server.command(&["INFO", "keyspace"]).text();
    assert!(
        keyspace.contains("db3:") && !keyspace.contains("db0:"),
        "{keyspace}"
    );
}

#[test]
fn over_tls() {
    let server = RedisServer::with_tls();
    let ca_certificate = server.ca_certificate();
    check(|| {
        open(&server.url())
            .ca_certificate(&ca_certificate)
            .expect("it is a certificate")
    });
}

#[test]
fn on_a_cluster() {
    let cluster = RedisCluster::start(3);
    check(|| open(&cluster.url()));
    for node in cluster.nodes() {
        assert!(
            node.command(&["DBSIZE"]).integer() > 0,
            "each node has some of the keys"
        );
    }
}

#[test]
fn by_a_sentinel_and_after_a_failover() {
    let mut sentinel = RedisSentinel::start();
    check(|| open(&sentinel.url()));

    let runtime = settings(open(&sentinel.url()))
        .build()
        .expect("the settings are valid");
    let source = Source::default();
    let call = || runtime.scope(|| assert!(item(99, SMALL, &source).is_of(99, SMALL)));
    call();
    sentinel.master().kill();
    // First the old master is away, and then the new one may have missed the entry; in the end it has it.
    let hits = runtime.stats().hits;
    eventually("there are hits on the new master", || {
        call();
        runtime.stats().hits > hits + 3
    });
}
