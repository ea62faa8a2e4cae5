//! What the server is asked, as the server counts it and as it goes over the wire.

use std::collections::BTreeMap;

use cache_memoize::Runtime;
use test_servers::{Proxy, RedisServer};

use crate::item::{Source, awaited, item, sealed_item};
use crate::runtime;

const CALLS: u64 = 50;

/// What is asked of a server with a warm connection, which answers so many questions at once: by command, and how many replies there were.
fn asked(
    at_once: u64,
    prepare: impl Fn(&Source),
    calls: impl Fn(&Source),
) -> (BTreeMap<String, u64>, u64) {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    let runtime = runtime(&format!("redis://{}", proxy.address()));
    let source = Source::default();
    runtime.scope(|| {
        prepare(&source);
        proxy.group(at_once);
        server.command(&["CONFIG", "RESETSTAT"]);
        let before = proxy.replies();
        calls(&source);
        let mut commands = server.command_stats();
        // What it took to ask; `config` alone before Redis 7.
        commands.retain(|name, _| !name.starts_with("config") && name != "info");
        assert_eq!(runtime.stats().faults, 0);
        (commands, proxy.replies() - before)
    })
}

/// A lookup is two questions in one piece: the script, and the read.
const REPLIES: u64 = 2;

/// A script counts, and so does the one command that it runs.
fn assert_least_commands_a_hit(commands: &BTreeMap<String, u64>) {
    let known = |name: &str| ["evalsha", "get", "pttl"].contains(&name);
    assert!(commands.keys().all(|name| known(name)), "{commands:?}");
    assert!(
        commands.values().all(|&count| count == CALLS),
        "{commands:?}"
    );
}

#[test]
fn a_hit_is_one_round_trip() {
    let (commands, replies) = asked(
        REPLIES,
        |source| drop(item(1, 100, source)),
        |source| (0..CALLS).for_each(|_| drop(item(1, 100, source))),
    );
    println!("{CALLS} hits: {replies} replies, {commands:?}");
    assert_eq!(replies, REPLIES * CALLS);
    assert_least_commands_a_hit(&commands);
}

#[test]
fn a_hit_on_a_sealed_entry_is_one_round_trip() {
    let (commands, replies) = asked(
        REPLIES,
        |source| drop(sealed_item(1, 100, source)),
        |source| (0..CALLS).for_each(|_| drop(sealed_item(1, 100, source))),
    );
    assert_eq!(replies, REPLIES * CALLS);
    assert_least_commands_a_hit(&commands);
}

#[test]
fn an_awaited_hit_is_one_round_trip() {
    let tasks = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let scoped = Runtime::current;
    let (commands, replies) = asked(
        REPLIES,
        |source| drop(tasks.block_on(scoped().scope_async(awaited(1, 100, source)))),
        |source| {
            (0..CALLS)
                .for_each(|_| drop(tasks.block_on(scoped().scope_async(awaited(1, 100, source)))));
        },
    );
    assert_eq!(replies, REPLIES * CALLS);
    assert_least_commands_a_hit(&commands);
}

#[test]
fn a_miss_is_two_round_trips() {
    let (commands, replies) = asked(
        1,
        // The first call is of a server that knows no scripts.
        |source| drop(item(0, 100, source)),
        |source| (1..=CALLS).for_each(|key| drop(item(key, 100, source))),
    );
    println!("{CALLS} misses: {replies} replies, {commands:?}");
    assert_eq!(
        replies,
        (REPLIES + 1) * CALLS,
        "the lookup gives the lease, and another command fills"
    );
}
