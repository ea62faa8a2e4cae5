//! A network that cuts, delays, loses, repeats and mixes up replies.

use std::thread::sleep;
use std::time::{Duration, Instant};

use test_servers::{Faults, Proxy, RedisServer};

use crate::rounds;
use crate::storm::{Invalidation, runtime, settings, storm};

const MIXED_UP: Faults = Faults {
    cut: 50,
    delay: 30,
    longest_delay: Duration::from_millis(150),
    exchange: 30,
    reorder: 30,
    lose: 100,
    repeat: 100,
};

const SLOW_AND_CUT: Faults = Faults {
    cut: 30,
    delay: 10,
    longest_delay: Duration::from_millis(150),
    exchange: 0,
    reorder: 0,
    lose: 0,
    repeat: 0,
};

fn check(faults: Faults, breaker: bool, invalidation: Invalidation) -> String {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 1);
    let url = format!("redis://{}", proxy.address());
    let runtime = settings(&url)
        .breaker(breaker)
        .build()
        .expect("the settings are valid");
    let wanted = rounds("FAULTS", 500);
    let start = Instant::now();
    let tally = storm(&runtime, invalidation, || {
        proxy.set_faults(faults);
        let enough =
            |count| count >= wanted || (breaker && start.elapsed() > Duration::from_secs(10));
        while !enough(proxy.faults()) {
            sleep(Duration::from_millis(5));
        }
    });
    let count = proxy.faults();
    proxy.set_faults(Faults::default());
    let hits = runtime.stats().hits;
    let calm = storm(&runtime, Invalidation::Unknown, || {
        let calm = Instant::now();
        while runtime.stats().hits < hits + 10 {
            assert!(
                calm.elapsed() < Duration::from_secs(47),
                "hits come again, after the longest back-off"
            );
            sleep(Duration::from_millis(1));
        }
    });
    assert!(calm.wrong.is_empty(), "{:?}", calm.wrong);
    let took = start.elapsed();
    format!("{count} faults in {took:.1?}: {}", tally.check())
}

#[test]
fn replies_that_are_cut_and_late() {
    test_servers::shown!(
        "cut and late: {}",
        check(SLOW_AND_CUT, false, Invalidation::Holds)
    );
}

#[test]
fn replies_to_other_questions() {
    test_servers::shown!(
        "mixed up: {}",
        check(MIXED_UP, false, Invalidation::Unknown)
    );
}

#[test]
fn replies_to_other_questions_with_the_breaker() {
    test_servers::shown!(
        "mixed up, with the breaker: {}",
        check(MIXED_UP, true, Invalidation::Unknown)
    );
}

#[test]
fn a_connection_that_is_cut_between_two_calls_is_not_noticed() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 1);
    let runtime = runtime(&format!("redis://{}", proxy.address()));
    let source = crate::item::Source::default();
    runtime.scope(|| {
        for _ in 0..3 {
            assert!(crate::item::item(1, 100, &source).is_of(1, 100));
            proxy.cut();
        }
        assert!(crate::item::item(1, 100, &source).is_of(1, 100));
    });
    assert!(source.runs() <= 4);
}
