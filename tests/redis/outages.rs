//! Servers that are killed, stopped, silent and absent.

use std::thread::sleep;
use std::time::{Duration, Instant};

use cache_memoize::Runtime;
use test_servers::{BlackHole, RedisServer, closed_port};

use crate::common::Random;
use crate::item::{Source, awaited, item};
use crate::rounds;
use crate::storm::{Invalidation, LONGEST, runtime, storm};

/// Of the breaker, with its jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(1_200);

/// How long it took after each outage until there were hits again.
#[derive(Default)]
struct Recoveries(Vec<Duration>);

impl Recoveries {
    /// Waits for hits after an outage that was over during the breaker's first pause.
    fn wait(&mut self, runtime: &Runtime) {
        let before = runtime.stats().hits;
        let start = Instant::now();
        while runtime.stats().hits == before {
            sleep(Duration::from_millis(1));
            let stats = runtime.stats();
            assert!(start.elapsed() < Duration::from_secs(20), "{stats:#?}");
        }
        self.0.push(start.elapsed());
    }

    /// One line; panics if they were not there within the pause and a second, save for a few.
    ///
    /// Where the probe itself fails, by a connection that died with the old server or a thread that wasn't scheduled, it takes the next
    /// one, after a pause that is twice as long.
    fn check(mut self) -> String {
        self.0.sort_unstable();
        let limit = FIRST_PAUSE + Duration::from_secs(1);
        let (median, last) = (self.0[self.0.len() / 2], self.0[self.0.len() - 1]);
        let late = self.0.len() - self.0.partition_point(|took| *took <= limit);
        assert!(late <= 2 + self.0.len() / 10, "{:?}", self.0);
        format!(
            "hits again after {median:.1?}, {last:.1?} at most, {late} times more than {limit:?}"
        )
    }
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_writes() {
    let mut server = RedisServer::start();
    let runtime = runtime(&server.url());
    let kills = rounds("KILLS", 10);
    let mut random = Random::seeded();
    let mut recoveries = Recoveries::default();
    let start = Instant::now();
    let tally = storm(&runtime, Invalidation::Holds, || {
        for _ in 0..kills {
            sleep(Duration::from_millis(random.below(100)));
            server.kill();
            sleep(Duration::from_millis(random.below(200)));
            server.restart();
            recoveries.wait(&runtime);
        }
    });
    let took = start.elapsed();
    println!(
        "{kills} kills in {took:.1?}: {}; {}",
        tally.check(),
        recoveries.check()
    );
}

#[test]
fn a_server_that_is_stopped_and_goes_on() {
    let mut server = RedisServer::start();
    let runtime = runtime(&server.url());
    let stops = rounds("STOPS", 8);
    let mut random = Random::seeded();
    let mut recoveries = Recoveries::default();
    let start = Instant::now();
    let tally = storm(&runtime, Invalidation::Holds, || {
        for _ in 0..stops {
            sleep(Duration::from_millis(random.below(100)));
            server.stop();
            sleep(Duration::from_millis(random.below(600)));
            server.cont();
            recoveries.wait(&runtime);
        }
    });
    let took = start.elapsed();
    println!(
        "{stops} stops in {took:.1?}: {}; {}",
        tally.check(),
        recoveries.check()
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
    calls_in_vain(&runtime);
    server.restart();
    let mut recoveries = Recoveries::default();
    let tally = storm(&runtime, Invalidation::Holds, || {
        recoveries.wait(&runtime);
    });
    println!(
        "a server that came later: {}; {}",
        tally.check(),
        recoveries.check()
    );
}
