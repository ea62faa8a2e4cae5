//! Servers that are killed, stopped, silent and absent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use cache_memoize::{Redis, Runtime};
use test_servers::{BlackHole, RedisCluster, RedisSentinel, RedisServer, closed_port};

use crate::common::Random;
use crate::item::{Source, awaited, item};
use crate::storm::{Invalidation, LONGEST, runtime, storm};
use crate::{rounds, settings};

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
    test_servers::shown!(
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
    test_servers::shown!(
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
    test_servers::shown!(
        "{rounds} outages of {what}: {}; {}",
        tally.check(),
        recoveries.check()
    );
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

/// What the other nodes have is found, while the threads that want the rest wait in vain.
#[test]
fn a_node_of_a_cluster_that_is_silent_is_left_alone_by_itself() {
    const KEYS: u64 = 60;
    let mut cluster = RedisCluster::start(3);
    for node in cluster.nodes() {
        // Else the nodes that go on would refuse all there is, after a while.
        node.command(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let redis = Redis::open(&cluster.url()).expect("the URL is valid");
    let here = settings(redis).budget(LONGEST / 2).build();
    let here = here.expect("the settings are valid");
    let source = Source::default();
    let call = |key| here.scope(|| assert!(item(key, 100, &source).is_of(key, 100)));
    (0..KEYS).for_each(call);
    let is_on_the_first = |key: &u64| {
        let name = here.scope(|| item::key(*key, 100));
        let nodes = cluster.nodes();
        nodes[0].try_command(&["GET", name.as_str()]).is_ok()
    };
    let (silent, others): (Vec<u64>, Vec<u64>) = (0..KEYS).partition(is_on_the_first);
    assert!(
        silent.len() > 5 && others.len() > 20,
        "{silent:?} {others:?}"
    );
    cluster.nodes_mut()[0].stop();
    let (asked, found) = (AtomicU64::new(0), AtomicU64::new(0));
    let until = Instant::now() + Duration::from_secs(rounds("SILENT_SECONDS", 3));
    thread::scope(|scope| {
        for thread in 0..8 {
            let (call, silent, others) = (&call, &silent, &others);
            let (here, asked, found) = (&here, &asked, &found);
            scope.spawn(move || {
                let mut random = Random::seeded();
                // Not in step with the others.
                let _ = (0..thread).map(|_| random.next()).count();
                while Instant::now() < until {
                    let mut one_of = |keys: &[u64]| {
                        let count = u64::try_from(keys.len()).expect("it is small");
                        keys[usize::try_from(random.below(count)).expect("it is small")]
                    };
                    let (in_vain, key) = (one_of(silent), one_of(others));
                    if random.below(3) == 0 {
                        call(in_vain);
                    } else {
                        let is_found = here.scope(|| item::peek(key, 100)).is_some();
                        asked.fetch_add(1, Ordering::Relaxed);
                        found.fetch_add(u64::from(is_found), Ordering::Relaxed);
                    }
                    // Calls in vain are not to outnumber the others only since they take no time.
                    sleep(Duration::from_millis(1));
                }
            });
        }
    });
    cluster.nodes_mut()[0].cont();
    let (asked, found) = (asked.into_inner(), found.into_inner());
    test_servers::shown!("a silent node: {found} of {asked} values of the others are found");
    // All of them, where the machine doesn't stall; hardly any, where one node's silence has all of them left alone.
    assert!(
        found * 2 >= asked,
        "{found} of {asked}: {:#?}",
        here.stats()
    );
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
    test_servers::shown!(
        "black hole: the longest call {longest:.1?}; {mean:.1?} a call with the breaker open"
    );
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
    test_servers::shown!(
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
    test_servers::shown!(
        "a server that came later: {}; {}",
        tally.check(),
        recoveries.check()
    );
}
