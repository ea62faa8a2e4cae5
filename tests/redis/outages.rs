//! Servers that are killed, stopped, silent and absent.

use std::thread::sleep;
use std::time::{Duration, Instant};

use cache_memoize::Runtime;
use test_servers::{BlackHole, RedisCluster, RedisSentinel, RedisServer, closed_port};

use crate::common::Random;
use crate::item::{Source, awaited, item};
use crate::rounds;
use crate::storm::{Invalidation, LONGEST, runtime, storm};

/// How long it took after each outage until there were hits again, and how long the outage was.
#[derive(Default)]
struct Recoveries(Vec<(Duration, Duration)>);

impl Recoveries {
    /// Waits for hits after an outage.
    fn wait(&mut self, runtime: &Runtime, outage: Duration) {
        let before = runtime.stats().hits;
        let start = Instant::now();
        while runtime.stats().hits == before {
            sleep(Duration::from_millis(1));
            let stats = runtime.stats();
            assert!(start.elapsed() < Duration::from_secs(20), "{stats:#?}");
        }
        self.0.push((start.elapsed(), outage));
    }

    /// One line; panics if they were not there within the breaker's pause and a second, save for a few.
    ///
    /// Where a probe isn't answered in time, as the threads and servers that it takes aren't scheduled, it takes the next one, after a pause
    /// that is twice as long.
    fn check(mut self) -> String {
        self.0.sort_unstable();
        let is_late = |&&(took, outage): &&(Duration, Duration)| {
            took > pause_after(outage) + Duration::from_secs(1)
        };
        let late: Vec<_> = self.0.iter().filter(is_late).collect();
        assert!(late.len() <= 1 + self.0.len() / 20, "{late:?}");
        let (median, last) = (self.0[self.0.len() / 2].0, self.0[self.0.len() - 1].0);
        format!(
            "hits again after {median:.1?}, {last:.1?} at most, {} times more than the pause and 1 s",
            late.len()
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
            let outage = Instant::now();
            server.kill();
            sleep(Duration::from_millis(random.below(200)));
            server.restart();
            recoveries.wait(&runtime, outage.elapsed());
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
            let outage = Instant::now();
            server.stop();
            sleep(Duration::from_millis(random.below(600)));
            server.cont();
            recoveries.wait(&runtime, outage.elapsed());
        }
    });
    let took = start.elapsed();
    println!(
        "{stops} stops in {took:.1?}: {}; {}",
        tally.check(),
        recoveries.check()
    );
}

/// How long it takes until values on all servers are hits again.
fn until_hits_everywhere(runtime: &Runtime) -> Duration {
    // In slots of all nodes, and no worker's.
    let keys = 1_000..1_030;
    let source = Source::default();
    let start = Instant::now();
    let is_hit = |key| {
        assert!(item(key, 100, &source).is_of(key, 100));
        let before = source.runs();
        assert!(item(key, 100, &source).is_of(key, 100));
        source.runs() == before
    };
    while !runtime.scope(|| keys.clone().all(is_hit)) {
        assert!(start.elapsed() < Duration::from_secs(60), "no hits");
        sleep(Duration::from_millis(1));
    }
    start.elapsed()
}

/// Of the breaker when an outage is over that took so long: each pause is twice as long as the one before, and has jitter.
fn pause_after(outage: Duration) -> Duration {
    (outage + Duration::from_secs(1)).mul_f64(1.2)
}

/// Each of these outages, whose length it returns, in a storm.
fn outages(
    what: &str,
    runtime: &Runtime,
    invalidation: Invalidation,
    mut outage: impl FnMut(u64) -> Duration,
) {
    let rounds = rounds("OUTAGES", 2);
    let mut recoveries = Recoveries::default();
    let tally = storm(runtime, invalidation, || {
        for round in 0..rounds {
            until_hits_everywhere(runtime);
            let outage = outage(round);
            let back = until_hits_everywhere(runtime);
            recoveries.0.push((back, outage));
        }
    });
    println!("{what}: {}; {}", tally.check(), recoveries.check());
}

#[test]
fn a_node_of_a_cluster_that_is_killed() {
    let mut cluster = RedisCluster::start(3);
    let runtime = runtime(&cluster.url());
    let mut random = Random::seeded();
    outages("a cluster", &runtime, Invalidation::Holds, |round| {
        let killed = usize::try_from(round % 3).expect("it is small");
        let start = Instant::now();
        cluster.nodes_mut()[killed].kill();
        sleep(Duration::from_millis(random.below(500)));
        cluster.restart(killed);
        start.elapsed()
    });
}

/// An invalidation may be lost with the master: replication doesn't wait.
#[test]
fn a_master_that_is_killed_and_replaced() {
    let mut service = RedisSentinel::start();
    let runtime = runtime(&service.url());
    outages("sentinel", &runtime, Invalidation::Unknown, |round| {
        if round > 0 {
            service.restore();
        }
        let start = Instant::now();
        service.fail_over();
        start.elapsed()
    });
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
    let outage = Instant::now();
    server.kill();
    calls_in_vain(&runtime);
    server.restart();
    let outage = outage.elapsed();
    let mut recoveries = Recoveries::default();
    let tally = storm(&runtime, Invalidation::Holds, || {
        recoveries.wait(&runtime, outage);
    });
    println!(
        "a server that came later: {}; {}",
        tally.check(),
        recoveries.check()
    );
}
