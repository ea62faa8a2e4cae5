//! One of the processes: threads and tasks that call, invalidate and overwrite until they are told to stop.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use cache_memoize::{Redis, Runtime, Secret};
use futures::stream::{Stream, StreamExt};
use serde::{Deserialize, Serialize};

use super::event::{Run, What, now};
use super::functions::{
    AWAITED, AWAITED_SEALED, Actor, ITEMS, LARGE, SEALED, SEALED_ITEMS, VALUE, Value, awaited,
    awaited_items, awaited_sealed, items, items_of, large, sealed, sealed_items, value,
};

pub(crate) const THREADS: u32 = 4;
pub(crate) const TASKS: u32 = 4;

/// Keys that everything happens to.
const BUSY_KEYS: u64 = 3;
/// Keys after them that are only called, so that their entries live until they expire.
const CALM_KEYS: u64 = 2;

/// What a process is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) process: u32,
    pub(crate) url: String,
    pub(crate) seed: u64,
    /// Where each actor's log goes.
    pub(crate) folder: PathBuf,
}

/// Works until the end of the standard input, which comes with the end of who started this process.
pub(crate) fn work(orders: &Orders) {
    install(orders);
    let stop = Arc::new(AtomicBool::new(false));
    let actors: Vec<_> = (0..THREADS + TASKS)
        .map(|nth| Arc::new(actor(orders, nth)))
        .collect();
    let tasks = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads can be started");
    let (blocking, awaiting) = actors.split_at(THREADS as usize);
    let threads: Vec<_> = blocking
        .iter()
        .map(|actor| {
            let (actor, stop) = (Arc::clone(actor), Arc::clone(&stop));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    act(&actor);
                    thread::sleep(pause(&actor));
                }
            })
        })
        .collect();
    let awaiting: Vec<_> = awaiting
        .iter()
        .map(|actor| {
            let (actor, stop) = (Arc::clone(actor), Arc::clone(&stop));
            tasks.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    act_awaiting(&actor).await;
                    tokio::time::sleep(pause(&actor)).await;
                }
            })
        })
        .collect();

    io::stdin()
        .read_to_end(&mut Vec::new())
        .expect("the input can be read");
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("no thread panicked");
    }
    for task in awaiting {
        tasks.block_on(task).expect("no task panicked");
    }
    for actor in actors {
        actor.end();
    }
}

/// The processes differ in how long they wait, so that each way out is taken.
fn install(orders: &Orders) {
    let secret =
        Secret::from_hex("9f3c5d0be2a14786b1e0c7d2f4a8935e6c1b7d20a4e8f3915bc6d7028e4f1a3c");
    let runtime = Runtime::builder()
        .backend(Redis::open(&orders.url).expect("the URL is one"))
        .secret(secret.expect("the secret is one"))
        // A lease that was granted to who had given up is waited for so long.
        .longest_wait(Duration::from_secs(1))
        // Open, it would keep a process out of what happens for most of the time.
        .breaker(orders.process == 0);
    let runtime = match orders.process % 3 {
        0 => runtime,
        1 => runtime.budget(Duration::from_millis(30)),
        // Leases run out while their owners compute.
        _ => runtime.longest_wait(Duration::from_millis(5)),
    };
    runtime.install().expect("nothing was installed");
}

fn actor(orders: &Orders, nth: u32) -> Actor {
    let name = format!("{}-{nth}.jsonl", orders.process);
    let log = File::create(orders.folder.join(name)).expect("the log can be written");
    Actor::new(orders.process, nth, orders.seed, log)
}

fn pause(actor: &Actor) -> Duration {
    Duration::from_micros(actor.below(3000))
}

#[derive(Clone, Copy)]
enum Deed {
    Call,
    Refresh,
    Peek,
    Prime,
    Invalidate,
}

/// What to do next, and to which key.
fn choose(actor: &Actor) -> (Deed, u64) {
    actor.next_operation();
    let key = actor.below(BUSY_KEYS + CALM_KEYS);
    let deed = match actor.below(20) {
        _ if key >= BUSY_KEYS => Deed::Call,
        0..3 => Deed::Invalidate,
        3 => Deed::Refresh,
        4 => Deed::Prime,
        5 => Deed::Peek,
        _ => Deed::Call,
    };
    (deed, key)
}

/// Does a deed to a function that returns a value; what comes last is put behind each call.
macro_rules! do_to_value {
    ($actor:ident, $number:ident, $function:ident $($awaits:tt)*) => {{
        let (deed, key) = choose($actor);
        let began = now();
        let found = match deed {
            Deed::Call => Some($function(key, $actor)$($awaits)*),
            Deed::Refresh => Some($function::refresh(key, $actor)$($awaits)*),
            Deed::Peek => $function::peek(key)$($awaits)*,
            Deed::Prime => {
                let value = $actor.made($number, key);
                let version = value.run().stamp.version;
                let acknowledged = $function::prime(key, value)$($awaits)*;
                $actor.note($number, key, began, What::Primed { version, acknowledged });
                None
            }
            Deed::Invalidate => {
                let acknowledged = $function::invalidate(key)$($awaits)*;
                $actor.note($number, key, began, What::Invalidated { acknowledged });
                None
            }
        };
        if let Some(found) = found {
            let runs = vec![found.run()];
            $actor.note($number, key, began, What::Returned { runs, due: 1 });
        }
    }};
}

/// The same to one that returns an iterator or a stream, which has no peek and no prime.
macro_rules! do_to_items {
    ($actor:ident, $number:ident, $function:ident, $runs:ident $($awaits:tt)*) => {{
        let (deed, key) = choose($actor);
        let began = now();
        let (runs, due) = match deed {
            // Some want the first items only.
            Deed::Peek | Deed::Prime => {
                let due = $actor.below(items_of(key));
                let few = usize::try_from(due).expect("it is small");
                ($runs($function(key, $actor).take(few))$($awaits)*, due)
            }
            Deed::Refresh => ($runs($function::refresh(key, $actor))$($awaits)*, items_of(key)),
            Deed::Call => ($runs($function(key, $actor))$($awaits)*, items_of(key)),
            Deed::Invalidate => {
                let acknowledged = $function::invalidate(key)$($awaits)*;
                $actor.note($number, key, began, What::Invalidated { acknowledged });
                return;
            }
        };
        $actor.note($number, key, began, What::Returned { runs, due });
    }};
}

fn act(actor: &Actor) {
    match actor.below(10) {
        0..4 => do_to_value!(actor, VALUE, value),
        4..6 => do_to_value!(actor, SEALED, sealed),
        6 if actor.below(3) == 0 => do_to_value!(actor, LARGE, large),
        6..8 => do_to_items!(actor, ITEMS, items, runs),
        _ => do_to_items!(actor, SEALED_ITEMS, sealed_items, runs),
    }
}

async fn act_awaiting(actor: &Actor) {
    match actor.below(10) {
        0..5 => do_to_value!(actor, AWAITED, awaited.await),
        5..7 => do_to_value!(actor, AWAITED_SEALED, awaited_sealed.await),
        _ => do_to_items!(actor, ITEMS, awaited_items, runs_awaiting.await),
    }
}

/// What was handed out, as runs of one computation each.
fn runs(items: impl Iterator<Item = Value>) -> Vec<Run> {
    let mut runs = Vec::new();
    items.for_each(|item| push(&mut runs, item.run()));
    runs
}

async fn runs_awaiting(items: impl Stream<Item = Value>) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut items = pin!(items);
    while let Some(item) = items.next().await {
        push(&mut runs, item.run());
    }
    runs
}

fn push(runs: &mut Vec<Run>, item: Run) {
    match runs.last_mut() {
        Some(run) if run.stamp == item.stamp && run.first + run.length == item.first => {
            run.length += 1;
        }
        _ => runs.push(item),
    }
}
