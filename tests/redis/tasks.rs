//! Async functions in tokio runtimes that end, and that have no I/O.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cache_memoize::cache_memoize;
use futures::stream::{self, Stream, StreamExt};
use test_servers::{RedisServer, eventually};
use tokio::runtime::{Builder, Runtime as Tasks};

use crate::runtime;

#[cache_memoize(key = "task:<id>", expiration = "1h")]
async fn squared(id: u64) -> u64 {
    id * id
}

static BEGUN: AtomicBool = AtomicBool::new(false);

#[cache_memoize(key = "endless:<id>", expiration = "1h")]
async fn endless(id: u64) -> u64 {
    BEGUN.store(true, Ordering::Relaxed);
    pending::<()>().await;
    id
}

static ITEMS: AtomicU64 = AtomicU64::new(0);

/// Of more than a chunk.
#[cache_memoize(key = "endless-stream:<id>", expiration = "1h")]
fn endless_stream(id: u64) -> impl Stream<Item = Vec<u8>> + Send {
    let item = move |_| vec![id.to_le_bytes()[0]; 300_000];
    stream::iter(0..8).map(item).chain(stream::pending())
}

fn names(server: &RedisServer) -> u64 {
    let names = server.command(&["DBSIZE"]).integer();
    names.try_into().expect("it is a count")
}

fn kinds() -> [Tasks; 2] {
    let kinds = [Builder::new_current_thread(), Builder::new_multi_thread()];
    kinds.map(|mut kind| {
        let kind = kind.worker_threads(1).enable_io().build();
        kind.expect("the system has threads")
    })
}

/// What else would keep the next caller waiting, in this process as well.
#[test]
fn a_runtime_that_ends_leaves_no_lease() {
    let server = RedisServer::start();
    let here = runtime(&server.url());
    for tasks in kinds() {
        BEGUN.store(false, Ordering::Relaxed);
        let run = here.clone();
        tasks.spawn(async move { run.scope_async(endless(1)).await });
        eventually("it computes", || {
            tasks.block_on(tokio::task::yield_now());
            BEGUN.load(Ordering::Relaxed)
        });
        assert_eq!(names(&server), 1, "the record of its lease");
        drop(tasks);
        eventually("the lease is released", || names(&server) == 0);
    }
}

#[test]
fn a_runtime_that_ends_leaves_no_chunks() {
    let server = RedisServer::start();
    let here = runtime(&server.url());
    for tasks in kinds() {
        ITEMS.store(0, Ordering::Relaxed);
        let run = here.clone();
        tasks.spawn(async move {
            let all = async {
                let mut items = std::pin::pin!(endless_stream(1));
                while items.next().await.is_some() {
                    ITEMS.fetch_add(1, Ordering::Relaxed);
                }
            };
            run.scope_async(all).await;
        });
        eventually("it waits for the next item", || {
            tasks.block_on(tokio::task::yield_now());
            ITEMS.load(Ordering::Relaxed) == 8
        });
        assert!(names(&server) > 1, "chunks, and the record of its lease");
        drop(tasks);
        eventually("all is removed", || names(&server) == 0);
    }
}

#[test]
fn a_runtime_without_io_asks_from_other_threads() {
    let server = RedisServer::start();
    let here = runtime(&server.url());
    let tasks = Builder::new_current_thread().build();
    let tasks = tasks.expect("the system has what it takes");
    for _ in 0..10 {
        let found = tasks.block_on(here.scope_async(squared(3)));
        assert_eq!(found, 9);
    }
    let stats = here.stats();
    // It is found out by the first lookup, and its value is stored.
    assert_eq!(
        (stats.faults, stats.hits, stats.skipped),
        (1, 9, 0),
        "{stats:?}"
    );
    // One that has I/O is not concerned.
    for tasks in kinds() {
        assert_eq!(tasks.block_on(here.scope_async(squared(3))), 9);
    }
    assert_eq!(here.stats().hits, 11);
}
