//! Servers that are killed, stopped, silent and absent.

use std::thread::sleep;
use std::time::{Duration, Instant};

use cache_memoize::Runtime;
use test_servers::{BlackHole, RedisServer, closed_port};

use crate::common::Random;
use crate::item::{Source, awaited, item};
use crate::rounds;
use crate::storm::{Invalidation, LONGEST, runtime, storm};

/// Until there are hits again: a second after the breaker's next probe at most.
///
/// A server that comes back during the first pause is met by the first probe, unless that goes by a connection which died with the
/// old one; then by the second.
fn until_hits(runtime: &Runtime, outage: Duration) -> Duration {
    let before = runtime.stats().hits;
    let pauses = (outage + FIRST_PAUSE).max(FIRST_PAUSE + 2 * FIRST_PAUSE);
    let start = Instant::now();
    while runtime.stats().hits == before {
        sleep(Duration::from_millis(1));
        assert!(
            start.elapsed() <= pauses + Duration::from_secs(1),
            "no hits {:?} after an outage of {outage:?}: {:#?}",
            start.elapsed(),
            runtime.stats()
        );
    }
    start.elapsed()
}

/// Of the breaker, with its jitter. Each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(1_200);

#[test]
fn a_server_that_is_killed_in_the_middle_of_writes() {
    let mut server = RedisServer::start();
    let runtime = runtime(&server.url());
    let kills = rounds("KILLS", 10);
    let mut random = Random::seeded();
    let mut longest = Duration::ZERO;
    let start = Instant::now();
    let tally = storm(&runtime, Invalidation::Holds, || {
        for _ in 0..kills {
            sleep(Duration::from_millis(random.below(100)));
            server.kill();
            let outage = Instant::now();
            sleep(Duration::from_millis(random.below(200)));
            server.restart();
            longest = longest.max(until_hits(&runtime, outage.elapsed()));
        }
    });
    let took = start.elapsed();
    println!(
        "{kills} kills in {took:.1?}: {}; hits again within {longest:.1?}",
        tally.check()
    );
}

#[test]
fn a_server_that_is_stopped_and_goes_on() {
    let mut server = RedisServer::start();
    let runtime = runtime(&server.url());
    let stops = rounds("STOPS", 8);
    let mut random = Random::seeded();
    let mut longest = Duration::ZERO;
    let start = Instant::now();
    let tally = storm(&runtime, Invalidation::Holds, || {
        for _ in 0..stops {
            sleep(Duration::from_millis(random.below(100)));
            server.stop();
            let outage = Instant::now();
            sleep(Duration::from_millis(random.below(600)));
            server.cont();
            longest = longest.max(until_hits(&runtime, outage.elapsed()));
        }
    });
    let took = start.elapsed();
    println!(
        "{stops} stops in {took:.1?}: {}; hits again within {longest:.1?}",
        tally.check()
    );
}

/// Calls of a runtime whose server never answers; the longest, and the last ones' mean.
fn calls_in_vain(runtime: &Runtime) -> (Duration, Duration) {
    let source = Source::default();
    let tasks = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let tasks = tasks.expect("a runtime can be made");
    let mut longest = Duration::ZERO;
    for key in 0..10 {
        let start = Instant::now();
        assert!(runtime.scope(|| item(key, 100, &source)).is_of(key, 100));
        longest = longest.max(start.elapsed());
        let start = Instant::now();
        let found = tasks.block_on(runtime.scope_async(awaited(key, 100, &source)));
        assert!(found.is_of(key, 100));
        longest = longest.max(start.elapsed());
    }
    let (start, calls) = (Instant::now(), 1000);
    for key in 0..calls {
        assert!(
            runtime
                .scope(|| item(key.into(), 100, &source))
                .is_of(key.into(), 100)
        );
    }
    assert_eq!(source.runs(), 20 + u64::from(calls));
    (longest, start.elapsed() / calls)
}

#[test]
fn a_port_that_never_answers() {
    let hole = BlackHole::start();
    let runtime = runtime(&format!("redis://{}", hole.address()));
    let (longest, mean) = calls_in_vain(&runtime);
    println!("black hole: the longest call {longest:.1?}; {mean:.1?} a call with the breaker open");
    assert!(longest <= LONGEST + Duration::from_secs(1), "{longest:?}");
    assert!(
        mean < Duration::from_millis(5),
        "the server is hardly asked: {mean:?}"
    );
    let stats = runtime.stats();
    assert!(
        stats.hits == 0 && stats.stores == 0 && stats.faults > 0,
        "{stats:#?}"
    );
}

#[test]
fn a_closed_port_where_a_server_comes_later() {
    let runtime_of_nobody = runtime(&format!("redis://{}", closed_port()));
    let (longest, mean) = calls_in_vain(&runtime_of_nobody);
    println!(
        "closed port: the longest call {longest:.1?}; {mean:.1?} a call with the breaker open"
    );
    assert!(longest <= LONGEST + Duration::from_secs(1), "{longest:?}");

    let mut server = RedisServer::start();
    let runtime = runtime(&server.url());
    server.kill();
    let outage = Instant::now();
    calls_in_vain(&runtime);
    server.restart();
    let outage = outage.elapsed();
    let mut hits_after = Duration::ZERO;
    let tally = storm(&runtime, Invalidation::Holds, || {
        hits_after = until_hits(&runtime, outage);
    });
    println!(
        "a server that came later: hits after {hits_after:.1?}; {}",
        tally.check()
    );
}
