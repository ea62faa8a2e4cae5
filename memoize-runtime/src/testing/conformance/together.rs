//! Rules about callers that ask at one time.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread::{self, ScopedJoinHandle};

use super::bench::{Bench, HOUR, rule};
use super::races::Race;
use super::wait;
use super::ways::Read;
use crate::backend::{Bytes, Lookup};

const WORKERS: usize = 8;
const ROUNDS: usize = 50;

type Task<'t> = Pin<Box<dyn Future<Output = ()> + 't>>;

pub(super) fn in_threads(bench: &Bench<'_>) {
    let granted = Granted::new();
    thread::scope(|scope| {
        let granted = &granted;
        let begin = |worker| scope.spawn(move || wait(work(bench, granted, worker)));
        let workers: Vec<_> = (0..WORKERS).map(begin).collect();
        workers.into_iter().for_each(finish);
    });
    let leases = wait(bench.grants_leases());
    granted.check(leases);
    if leases {
        for (round, kind) in Race::rounds() {
            let race = wait(Race::begin(bench, round, kind));
            // A thread that is only being started would always lose, and one that is woken nearly always, so that they take turns.
            let start = Barrier::new(2);
            let take_part = |is_new: bool| {
                start.wait();
                if is_new == round.is_multiple_of(2) {
                    wait(race.one());
                } else {
                    wait(race.other());
                }
            };
            thread::scope(|scope| {
                let other = scope.spawn(|| take_part(true));
                take_part(false);
                finish(other);
            });
            wait(race.check());
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
        for (round, kind) in Race::rounds() {
            let race = Race::begin(bench, round, kind).await;
            let mut both: Vec<Task<'_>> = vec![Box::pin(race.one()), Box::pin(race.other())];
            if !round.is_multiple_of(2) {
                both.reverse();
            }
            all(both).await;
            race.check().await;
        }
    }
}

/// Tells what the thread has told, which would be lost otherwise.
fn finish(thread: ScopedJoinHandle<'_, ()>) {
    if let Err(told) = thread.join() {
        resume_unwind(told);
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
        if round.is_multiple_of(2) {
            for (n, key) in keys.iter().enumerate() {
                bench.set(key, value(n)).await;
            }
        } else {
            let entries = [0, 1, 2].map(|n| (keys[n].as_str(), Bytes::from(value(n))));
            bench.set_many(&entries, HOUR).await;
        }
        for read in Read::ALL {
            let found = bench.read(read, &keys[0]).await;
            rule(found.is_some_and(|found| found == value(0)), broken);
        }
        let asked = [keys[2].as_str(), &keys[0], &keys[1]];
        let found = bench.get_many(&asked).await;
        rule(found == [2, 0, 1].map(|n| Some(value(n).into())), broken);
        if round.is_multiple_of(2) {
            bench.delete(&keys[1]).await;
        } else {
            bench.delete_many(&[&keys[1]]).await;
        }
        rule(bench.get(&keys[1]).await.is_none(), broken);
        let lease = bench.granted_or(&keys[1], broken).await;
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
        // All by the same way, as each is to be one step.
        let lookup = if round.is_multiple_of(2) {
            bench.look(&key).await
        } else {
            bench.look_at_many(&key, &[], HOUR).await.0
        };
        if let Lookup::Granted(_) = lookup {
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
