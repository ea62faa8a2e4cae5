//! Processes that are forked from one that is in the middle of asking.
//!
//! A child has its parent's memory, sockets included, and of its threads only the one that forked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use cache_memoize::{Runtime, cache_memoize};
use test_servers::{Proxy, RedisCluster, RedisServer};
use tokio::runtime::Builder;

use crate::child::in_child;
use crate::{rounds, runtime};

#[cache_memoize(key = "forked:<id>", expiration = "1h", local = false)]
fn forked(id: u64) -> u64 {
    id
}

#[cache_memoize(key = "forked-awaited:<id>", expiration = "1h", local = false)]
async fn awaited(id: u64) -> u64 {
    id
}

/// So many values are known to all.
const KNOWN: u64 = 20;

/// Asks for what is known, all of which is found: an answer that was meant for another would be none.
fn hits(runtime: &Runtime) {
    let before = runtime.stats();
    runtime.scope(|| (0..KNOWN).for_each(|id| assert_eq!(forked(id), id)));
    let after = runtime.stats();
    assert_eq!(after.hits, before.hits + KNOWN, "{after:#?}");
    assert_eq!(after.faults, before.faults, "{after:#?}");
}

async fn hits_awaited(runtime: &Runtime) {
    let before = runtime.stats();
    let calls = async {
        for id in 0..KNOWN {
            assert_eq!(awaited(id).await, id);
        }
    };
    runtime.scope_async(calls).await;
    let after = runtime.stats();
    assert_eq!(after.hits, before.hits + KNOWN, "{after:#?}");
    assert_eq!(after.faults, before.faults, "{after:#?}");
}

fn tasks() -> tokio::runtime::Runtime {
    let tasks = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    tasks.expect("threads can be started")
}

#[test]
fn a_child_has_connections_of_its_own() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    let here = runtime(&format!("redis://{}", proxy.address()));
    here.scope(|| (0..KNOWN).for_each(|id| assert_eq!(forked(id), id)));
    hits(&here);
    for children in 1..=5 {
        let before = proxy.connections();
        assert!(in_child(|| hits(&here)), "{children}");
        assert_eq!(proxy.connections(), before + 1, "its own");
        hits(&here);
        assert_eq!(proxy.connections(), before + 1, "the parent goes on");
    }
}

#[test]
fn a_child_has_tasks_and_connections_of_its_own() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    let here = runtime(&format!("redis://{}", proxy.address()));
    let tasks_here = tasks();
    tasks_here.block_on(here.scope_async(async {
        for id in 0..KNOWN {
            awaited(id).await;
        }
    }));
    tasks_here.block_on(hits_awaited(&here));
    for children in 1..=5 {
        let before = proxy.connections();
        let done = in_child(|| tasks().block_on(hits_awaited(&here)));
        assert!(done, "{children}");
        assert_eq!(proxy.connections(), before + 1, "its own");
        tasks_here.block_on(hits_awaited(&here));
        assert_eq!(proxy.connections(), before + 1, "the parent goes on");
    }
}

/// Forks while threads and tasks hit, miss and invalidate, so that some of what they lock is locked in the child, for good.
fn fork_amid(url: &str, children: u64) {
    let here = runtime(url);
    let tasks_here = tasks();
    here.scope(|| (0..KNOWN).for_each(|id| assert_eq!(forked(id), id)));
    tasks_here.block_on(here.scope_async(async {
        for id in 0..KNOWN {
            awaited(id).await;
        }
    }));
    let ends = AtomicBool::new(false);
    let mut failed = 0;
    thread::scope(|scope| {
        for thread in 1..=3 {
            let (here, ends, tasks_here) = (&here, &ends, &tasks_here);
            scope.spawn(move || {
                for number in 0.. {
                    if ends.load(Ordering::Relaxed) {
                        return;
                    }
                    let (new, known) = (thread << 32 | number, number % KNOWN);
                    here.scope(|| {
                        assert_eq!((forked(new), forked(known)), (new, known));
                        assert!(forked::invalidate(new));
                    });
                    tasks_here.block_on(here.scope_async(async {
                        assert_eq!(awaited(new).await, new);
                        assert_eq!(awaited(known).await, known);
                    }));
                }
            });
        }
        for _ in 0..children {
            let done = in_child(|| {
                hits(&here);
                tasks().block_on(hits_awaited(&here));
                here.scope(|| assert_eq!(forked(u64::MAX), u64::MAX));
            });
            failed += u64::from(!done);
        }
        ends.store(true, Ordering::Relaxed);
    });
    let stats = here.stats();
    test_servers::shown!(
        "{children} forks amid {} calls",
        stats.hits + stats.computations
    );
    assert_eq!(failed, 0, "of {children}: {stats:#?}");
    assert_eq!(stats.faults, 0, "{stats:#?}");
}

#[test]
fn a_child_waits_for_no_thread_that_it_does_not_have() {
    let server = RedisServer::start();
    fork_amid(&server.url(), rounds("FORKS", 100));
}

#[test]
fn the_same_with_a_cluster() {
    let cluster = RedisCluster::start(3);
    // Each child asks where the nodes are, and connects to all.
    fork_amid(&cluster.url(), rounds("FORKS", 100) / 5);
}
