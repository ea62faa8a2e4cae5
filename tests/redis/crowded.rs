//! A server that has fewer places for connections than we have threads.

use std::thread;

use cache_memoize::cache_memoize;
use test_servers::RedisServer;

use crate::runtime;

#[cache_memoize(key = "crowded:<id>", expiration = "1h", local = false)]
fn value(id: u64) -> u64 {
    id
}

/// Those who get no connection compute. The server works, so that who has one goes on to ask it.
#[test]
fn a_server_that_takes_no_more_connections_is_asked_on_those_that_stand() {
    let server = RedisServer::with(&["--maxclients", "4"]);
    let here = runtime(&server.url());
    assert_eq!(here.scope(|| value(7)), 7);
    let before = here.stats();
    let mut crowds = 0;
    // Until some got none, of which there must be many in a row for a server to be left alone.
    while here.stats().faults < before.faults + 200 {
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| here.scope(|| (0..20).for_each(|_| assert_eq!(value(7), 7))));
            }
        });
        crowds += 1;
        assert!(crowds < 1000, "{:#?}", here.stats());
    }
    let stats = here.stats();
    assert_eq!(stats.skipped, before.skipped, "{stats:#?}");
    assert!(stats.hits > before.hits, "{stats:#?}");
}
