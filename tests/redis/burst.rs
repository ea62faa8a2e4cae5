//! Tasks that want one cold key at one time: the server is asked a few times, for all of them.

use std::time::{Duration, Instant};

use cache_memoize::{Redis, Runtime, cache_memoize};
use test_servers::RedisServer;
use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::settings;

/// It takes until all callers have missed.
#[cache_memoize(key = "burst:<callers>", expiration = "1h")]
async fn awaited(callers: u64) -> u64 {
    let begun = Instant::now();
    while !all_missed(callers, begun) {
        sleep(Duration::from_millis(1)).await;
    }
    callers
}

fn all_missed(callers: u64, begun: Instant) -> bool {
    let stats = Runtime::current().stats();
    stats.absent + stats.unanswered == callers || begun.elapsed() > Duration::from_secs(30)
}

/// So many callers of one key.
struct Burst {
    server: RedisServer,
    runtime: Runtime,
    callers: u64,
}

impl Burst {
    fn of(callers: u64) -> Self {
        let server = RedisServer::start();
        let redis = Redis::open(&server.url()).expect("the URL is valid");
        let settings = settings(redis).budget(Duration::from_secs(1));
        Self {
            server,
            runtime: settings.build().expect("the settings are valid"),
            callers,
        }
    }

    fn assert_few_questions(&self) {
        let commands = self.server.command_stats();
        let stats = self.runtime.stats();
        println!("{} callers: {commands:?}, {stats:?}", self.callers);
        for name in ["evalsha", "get"] {
            let asked = commands.get(name).copied().unwrap_or(0);
            assert!(asked < self.callers / 5, "{commands:?}");
        }
        assert_eq!((stats.faults, stats.skipped), (0, 0), "{stats:?}");
        assert_eq!((stats.computations, stats.stores), (1, 1), "{stats:?}");
    }
}

#[test]
fn tasks_that_miss_at_one_time_ask_a_few_times() {
    for (workers, callers) in [(None, 1_000), (Some(4), 1_000), (None, 10_000)] {
        let burst = Burst::of(callers);
        let tasks = match workers {
            None => Builder::new_current_thread().enable_all().build(),
            Some(workers) => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(workers).enable_all().build()
            }
        };
        let tasks = tasks.expect("the system has what it takes");
        let call = || {
            burst
                .runtime
                .scope_async(async move { awaited(callers).await })
        };
        let calls: Vec<_> = (0..callers).map(|_| tasks.spawn(call())).collect();
        for call in calls {
            let value = tasks.block_on(call).expect("no call panics");
            assert_eq!(value, callers);
        }
        burst.assert_few_questions();
    }
}
