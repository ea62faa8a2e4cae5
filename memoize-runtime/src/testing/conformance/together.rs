//! Rules about callers that ask at one time.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;

use super::bench::{Bench, answer, rule, soon};
use super::leases::FREE;
use super::wait;
use crate::backend::{Lease, Lookup};

const WORKERS: usize = 8;
const ROUNDS: usize = 50;

type Task<'t> = Pin<Box<dyn Future<Output = ()> + 't>>;

pub(super) fn in_threads(bench: &Bench<'_>) {
    let granted = Granted::new();
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let granted = &granted;
            scope.spawn(move || wait(work(bench, granted, worker)));
        }
    });
    let leases = wait(bench.grants_leases());
    granted.check(leases);
    if leases {
        for race in Race::all() {
            let (key, lease) = wait(race.begin(bench));
            // A thread that is only being started would always lose.
            let start = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    wait(bench.fill(&key, lease, OUTDATED));
                });
                start.wait();
                wait(race.write(bench, &key));
            });
            wait(race.check(bench, &key));
        }
    }
}

pub(super) async fn in_tasks(bench: &Bench<'_>) {
    let granted = Granted::new();
    let workers = (0..WORKERS).map(|worker| Box::pin(work(bench, &granted, worker)) as Task<'_>);
    all(workers.collect()).await;
    let leases = bench.grants_leases().await;
    granted.check(leases);
    if leases {
        for race in Race::all() {
            let (key, lease) = race.begin(bench).await;
            let fill = async {
                bench.fill(&key, lease, OUTDATED).await;
            };
            all(vec![Box::pin(fill), Box::pin(race.write(bench, &key))]).await;
            race.check(bench, &key).await;
        }
    }
}

/// Waits for all of them, polled in turn.
async fn all(mut tasks: Vec<Task<'_>>) {
    poll_fn(|context| {
        tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
        if tasks.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// One of several that use the backend at one time: each has keys of its own, and all ask for one lease in each round.
async fn work(bench: &Bench<'_>, granted: &Granted, worker: usize) {
    let broken = "callers that ask at one time get each other's answers, or undo each other's writes; give each caller what belongs to its \
                  own question";
    let keys = [0, 1, 2].map(|n| bench.key(format_args!("together:{worker}:{n}")));
    for round in 0..ROUNDS {
        let value = |n: usize| {
            format!("{worker}:{n}:{round}")
                .repeat(1 + round * n)
                .into_bytes()
        };
        for (n, key) in keys.iter().enumerate() {
            bench.set(key, value(n)).await;
        }
        let found = bench.get(&keys[0]).await;
        rule(found.is_some_and(|found| found == value(0)), broken);
        let asked = [keys[2].as_str(), &keys[0], &keys[1]];
        let found = answer("get_many", bench.subject.get_many(&asked, soon())).await;
        rule(found == [2, 0, 1].map(|n| Some(value(n).into())), broken);
        bench.delete(&keys[1]).await;
        rule(bench.get(&keys[1]).await.is_none(), broken);
        let lease = bench.granted(&keys[1], FREE).await;
        rule(bench.fill(&keys[1], lease, "filled").await, broken);
        rule(
            bench.get(&keys[1]).await.as_deref() == Some(b"filled"),
            broken,
        );
        granted.ask(bench, round).await;
    }
}

/// How often the lease of each round was granted.
struct Granted([AtomicUsize; ROUNDS]);

impl Granted {
    fn new() -> Self {
        Self([const { AtomicUsize::new(0) }; ROUNDS])
    }

    async fn ask(&self, bench: &Bench<'_>, round: usize) {
        let key = bench.key(format_args!("together:{round}"));
        if let Lookup::Granted(_) = bench.look(&key).await {
            self.0[round].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn check(&self, leases: bool) {
        let each = if leases { 1 } else { WORKERS };
        rule(
            self.0
                .iter()
                .all(|granted| granted.load(Ordering::Relaxed) == each),
            "of callers that ask for one key at one time not exactly one is granted the lease; look up and grant in one step",
        );
    }
}

const OUTDATED: &str = "outdated";

/// A fill and what makes it outdated, at one time: whichever comes first, what is left is the same.
#[derive(Clone, Copy)]
struct Race {
    round: usize,
    removes: bool,
}

impl Race {
    fn all() -> impl Iterator<Item = Self> {
        (0..2 * ROUNDS).map(|round| Self {
            round,
            removes: round % 2 == 0,
        })
    }

    async fn begin(self, bench: &Bench<'_>) -> (String, Lease) {
        let key = bench.key(format_args!("race:{}", self.round));
        let lease = bench.granted(&key, FREE).await;
        (key, lease)
    }

    async fn write(self, bench: &Bench<'_>, key: &str) {
        if self.removes {
            bench.delete(key).await;
        } else {
            bench.set(key, "new").await;
        }
    }

    async fn check(self, bench: &Bench<'_>, key: &str) {
        let left = bench.get(key).await;
        let expected = (!self.removes).then_some(&b"new"[..]);
        rule(
            left.as_deref() == expected,
            "a `fill` that comes at the same time as a `set` or `delete` outlasts it; check the lease and store in one step",
        );
    }
}
