//! The driver of functions that are awaited: as [`sync`](super::sync), with waits that leave the thread to others.
//!
//! A future of these is `Send` where the body's future and the value are. It may be dropped at any moment: whoever waits for it is
//! told, and what was begun is given up.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::backend::{Answer, AsyncBackend, BackendError, Bytes, Deadline, Lookup};
use crate::call::outcome::Outcome;
use crate::call::request::Request;
use crate::call::turn::{Caller, Found, Patience, Right, Turn, is_wanted, judge, open};
use crate::engine::Fill;
use crate::flight::{Joined, Part};
use crate::guard::guard;
use crate::key::CacheKey;
use crate::timer::{sleep_until, timeout};

/// As [`sync::get_or_compute`](super::sync::get_or_compute).
pub(crate) async fn get_or_compute<R, F: Future<Output = R>>(
    request: &Request,
    outcome: &Outcome<R>,
    accept: impl FnOnce(&R) -> bool,
    compute: impl FnOnce() -> F,
) -> R {
    let observer = request.observer();

    // Bypass: without a key there is nothing to ask for.
    if !request.has_key() {
        observer.bypassed();
        return compute().await;
    }

    // Look up.
    let name = request.name();
    let mut replaces = request.overwrite;
    if request.overwrite {
        observer.forced();
    } else {
        match look_up(request, &name, outcome).await {
            Found::Value(value) => {
                observer.hit();
                return value;
            }
            Found::Nothing => observer.absent(),
            Found::Rejected(reject) => {
                observer.rejected(reject);
                replaces = true;
            }
            Found::Fault => observer.unanswered(),
        }
    }

    // Join: of those that miss at one time, one computes.
    let right = match take_turn(request, &name, outcome, replaces).await {
        Turn::Value(value) => {
            observer.shared();
            return value;
        }
        Turn::Compute(right) => right,
    };

    // Compute: the user's code, with nothing of ours locked. Its panic is the caller's, and ends the turn.
    let started = Instant::now();
    let value = run(&right, compute).await;
    let cost = started.elapsed();
    observer.computed();

    // Store.
    if is_wanted(&value, outcome, accept) {
        let filled = request
            .policy()
            .fill(&value, outcome, cost, request.runtime.now_ms());
        match filled {
            Ok(fill) => store(request, right, fill).await,
            Err(unstored) => observer.unstorable(unstored.name()),
        }
    } else {
        observer.declined();
    }
    value
}

/// Runs the body. Whenever it is polled, the polling thread knows what is computed there.
async fn run<F: Future>(right: &Right<'_>, compute: impl FnOnce() -> F) -> F::Output {
    let begun = {
        let _running = right.run();
        compute()
    };
    let mut body = pin!(begun);
    poll_fn(|context| {
        let _running = right.run();
        body.as_mut().poll(context)
    })
    .await
}

/// As [`sync::take_turn`](super::sync).
async fn take_turn<'r, R>(
    request: &'r Request,
    name: &'r CacheKey,
    outcome: &Outcome<R>,
    mut replaces: bool,
) -> Turn<'r, R> {
    let mut right = Right::new(request, name, Caller::Task);
    if request.policy().life_ms == 0 {
        return Turn::Compute(right);
    }
    let mut patience = Patience::new(request);
    let part = match request.join(name) {
        Joined::Plays(part) => part,
        // Who has waited long enough computes for itself.
        Joined::Waits(waiter) => timeout(patience.until(), waiter)
            .await
            .unwrap_or(Part::Alone),
    };
    match part {
        Part::Landed(bytes) => {
            if let Some(value) = open(request, outcome, &bytes) {
                return Turn::Value(value);
            }
        }
        Part::Leads(leader) => right.leader = Some(leader),
        Part::Alone => {}
        Part::Inside => return Turn::Compute(right),
    }
    loop {
        match ask_for_lease(request, name, replaces).await {
            Some(Lookup::Granted(lease)) => {
                right.lease = Some(lease);
                return Turn::Compute(right);
            }
            Some(Lookup::Found(bytes)) => match open(request, outcome, &bytes) {
                Some(value) => {
                    right.land(bytes);
                    return Turn::Value(value);
                }
                None => replaces = true,
            },
            // Another process computes it. Only the one that leads here waits for that; the others wait for that one.
            Some(Lookup::Busy) => match patience.next_pause() {
                Some(pause) if right.leader.is_some() => {
                    sleep_until(Instant::now() + pause).await;
                }
                _ => return Turn::Compute(right),
            },
            None => return Turn::Compute(right),
        }
    }
}

async fn ask_for_lease(request: &Request, name: &CacheKey, replaces: bool) -> Option<Lookup> {
    let life = request.runtime.longest_wait();
    if replaces {
        let lease = ask(request, "lease", |backend| {
            backend.lease(name.as_str(), life, Deadline::NEVER)
        });
        lease.await.map(Lookup::Granted)
    } else {
        let lookup = ask(request, "lease", |backend| {
            backend.get_or_lease(name.as_str(), life, Deadline::NEVER)
        });
        lookup.await
    }
}

/// As [`sync::store`](super::sync).
async fn store(request: &Request, mut right: Right<'_>, fill: Fill) {
    let bytes = Bytes::from(fill.bytes);
    right.land(bytes.clone());
    let Some(lease) = right.lease_to_fill() else {
        request.observer().outdated();
        return;
    };
    let name = right.name;
    let filled = ask(request, "fill", |backend| {
        backend.fill(name.as_str(), lease, bytes, fill.life, Deadline::NEVER)
    });
    match filled.await {
        Some(true) => request.observer().stored(),
        Some(false) => request.observer().outdated(),
        None => {}
    }
    if right.must_take_back(lease) {
        let deleted = ask(request, "delete", |backend| {
            backend.delete(name.as_str(), Deadline::NEVER)
        });
        deleted.await;
    }
}

/// As [`sync::peek`](super::sync::peek).
pub(crate) async fn peek<R>(request: &Request, outcome: &Outcome<R>) -> Option<R> {
    if !request.has_key() {
        return None;
    }
    match look_up(request, &request.name(), outcome).await {
        Found::Value(value) => Some(value),
        Found::Nothing | Found::Rejected(_) | Found::Fault => None,
    }
}

/// As [`sync::prime`](super::sync::prime).
pub(crate) async fn prime<R>(request: &Request, outcome: &Outcome<R>, value: R) -> bool {
    let observer = request.observer();
    if !request.has_key() {
        observer.bypassed();
        return false;
    }
    if !(outcome.is_value)(&value) {
        observer.declined();
        return false;
    }
    let filled = request
        .policy()
        .fill(&value, outcome, Duration::ZERO, request.runtime.now_ms());
    drop(value);
    match filled {
        Ok(fill) => {
            let name = request.name();
            // A computation that began before must not overwrite it.
            request.runtime.flights().void(name.as_str());
            let bytes = Bytes::from(fill.bytes);
            let written = ask(request, "set", |backend| {
                backend.set(name.as_str(), bytes, fill.life, Deadline::NEVER)
            });
            let is_written = written.await.is_some();
            if is_written {
                observer.stored();
            }
            is_written
        }
        Err(unstored) => {
            observer.unstorable(unstored.name());
            false
        }
    }
}

/// As [`sync::invalidate`](super::sync::invalidate).
pub(crate) async fn invalidate(request: &Request) -> bool {
    if !request.has_key() {
        // Such a call never stores anything.
        return true;
    }
    request.observer().invalidated();
    let name = request.name();
    request.runtime.flights().void(name.as_str());
    let deleted = ask(request, "delete", |backend| {
        backend.delete(name.as_str(), Deadline::NEVER)
    });
    deleted.await.is_some()
}

async fn look_up<R>(request: &Request, name: &CacheKey, outcome: &Outcome<R>) -> Found<R> {
    let found = ask(request, "get", |backend| {
        backend.get(name.as_str(), Deadline::NEVER)
    });
    found
        .await
        .map_or(Found::Fault, |found| judge(request, outcome, found))
}

/// Asks the backend, whose errors and panics end here.
async fn ask<'r, T>(
    request: &'r Request,
    operation: &'static str,
    question: impl FnOnce(&'r dyn AsyncBackend) -> Answer<'r, T>,
) -> Option<T> {
    let backend = request.runtime.async_backend();
    let panicked = || BackendError::new("it panicked");
    let answer = match guard(|| question(backend)) {
        Some(mut answer) => {
            poll_fn(|context| {
                guard(|| answer.as_mut().poll(context))
                    .unwrap_or_else(|| Poll::Ready(Err(panicked())))
            })
            .await
        }
        None => Err(panicked()),
    };
    answer
        .inspect_err(|error| request.observer().fault(operation, error))
        .ok()
}
