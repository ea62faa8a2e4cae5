//! The driver of functions that are awaited: as [`sync`](super::sync), with waits that leave the thread to others.
//!
//! A future of these is `Send` where the body's future and the value are. It may be dropped at any moment: whoever waits for it is
//! told, and what was begun is given up.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::backend::{self, Answer, AsyncBackend, BackendError, Bytes, Deadline};
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::call::request::Request;
use crate::call::turn::{Caller, Patience, Right, Turn, is_wanted, open};
use crate::engine::{Fill, Lookup};
use crate::flight::{Joined, Part};
use crate::guard::guard;
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
    // Without a secret there is nowhere to store what must not be stored in the clear.
    let Some(place) = request.place() else {
        observer.unsealed();
        return compute().await;
    };

    // Look up.
    let mut replaces = request.overwrite;
    if request.overwrite {
        observer.forced();
    } else {
        match look_up(request, &place, outcome).await {
            Some(Lookup::Hit(value, _)) => {
                observer.hit();
                return value;
            }
            Some(Lookup::Absent) => observer.absent(),
            Some(Lookup::Rejected(reject)) => {
                observer.rejected(reject);
                replaces = true;
            }
            None => observer.unanswered(),
        }
    }

    // Join: of those that miss at one time, one computes.
    let right = match take_turn(request, &place, outcome, replaces).await {
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
            .policy(&place)
            .fill(&value, outcome, cost, request.runtime.now_ms());
        match filled {
            Ok(fill) => fill_by(request, right, fill).await,
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
    place: &'r Place<'r>,
    outcome: &Outcome<R>,
    mut replaces: bool,
) -> Turn<'r, R> {
    let mut right = Right::new(request, place.name(), Caller::Task);
    if request.policy(place).life_ms == 0 {
        return Turn::Compute(right);
    }
    let mut patience = Patience::new(request);
    let part = match request.join(place.name()) {
        Joined::Plays(part) => part,
        // Who has waited long enough computes for itself.
        Joined::Waits(waiter) => timeout(patience.until(), waiter)
            .await
            .unwrap_or(Part::Alone),
    };
    match part {
        Part::Landed(bytes) => {
            if let Some(value) = open(request, place, outcome, &bytes) {
                return Turn::Value(value);
            }
        }
        Part::Leads(leader) => right.leader = Some(leader),
        Part::Alone => {}
        Part::Inside => return Turn::Compute(right),
    }
    loop {
        match ask_for_lease(request, place, replaces).await {
            Some(backend::Lookup::Granted(lease)) => {
                right.lease = Some(lease);
                return Turn::Compute(right);
            }
            Some(backend::Lookup::Found(bytes)) => match open(request, place, outcome, &bytes) {
                Some(value) => {
                    right.land(bytes);
                    return Turn::Value(value);
                }
                None => replaces = true,
            },
            // Another process computes it. Only the one that leads here waits for that; the others wait for that one.
            Some(backend::Lookup::Busy) => match patience.next_pause() {
                Some(pause) if right.leader.is_some() => {
                    sleep_until(Instant::now() + pause).await;
                }
                _ => return Turn::Compute(right),
            },
            None => return Turn::Compute(right),
        }
    }
}

async fn ask_for_lease(
    request: &Request,
    place: &Place<'_>,
    replaces: bool,
) -> Option<backend::Lookup> {
    let name = place.name().as_str();
    let life = request.runtime.longest_wait();
    if replaces {
        let lease = ask(request, "lease", |backend| {
            backend.lease(name, life, Deadline::NEVER)
        });
        lease.await.map(backend::Lookup::Granted)
    } else {
        let lookup = ask(request, "lease", |backend| {
            backend.get_or_lease(name, life, Deadline::NEVER)
        });
        lookup.await
    }
}

/// As [`sync::fill_by`](super::sync).
async fn fill_by(request: &Request, mut right: Right<'_>, fill: Fill) {
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
    match look_up(request, &request.place()?, outcome).await? {
        Lookup::Hit(value, _) => Some(value),
        Lookup::Absent | Lookup::Rejected(_) => None,
    }
}

/// As [`sync::prime`](super::sync::prime).
pub(crate) async fn prime<R>(request: &Request, outcome: &Outcome<R>, value: R) -> bool {
    let observer = request.observer();
    if !request.has_key() {
        observer.bypassed();
        return false;
    }
    let Some(place) = request.place() else {
        observer.unsealed();
        return false;
    };
    if !(outcome.is_value)(&value) {
        observer.declined();
        return false;
    }
    let filled =
        request
            .policy(&place)
            .fill(&value, outcome, Duration::ZERO, request.runtime.now_ms());
    drop(value);
    match filled {
        Ok(fill) => {
            // A computation that began before must not overwrite it.
            request.runtime.flights().void(place.name().as_str());
            let written = write(request, &place, fill).await;
            if written {
                observer.stored();
            }
            written
        }
        Err(unstored) => {
            observer.unstorable(unstored.name());
            false
        }
    }
}

/// As [`sync::invalidate`](super::sync::invalidate).
pub(crate) async fn invalidate(request: &Request) -> bool {
    let observer = request.observer();
    if !request.has_key() {
        // Such a call never stores anything.
        return true;
    }
    let Some(place) = request.place() else {
        // Another process may have a secret, and an entry whose name can't be known here.
        observer.unsealed();
        return false;
    };
    observer.invalidated();
    request.runtime.flights().void(place.name().as_str());
    let names = place.several_names();
    let deleted = ask(request, "delete", |backend| match &names {
        None => backend.delete(place.name().as_str(), Deadline::NEVER),
        Some(names) => backend.delete_many(names, Deadline::NEVER),
    });
    deleted.await.is_some()
}

/// As [`sync::look_up`](super::sync).
async fn look_up<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
) -> Option<Lookup<R>> {
    let found = match place.several_names() {
        None => {
            let found = ask(request, "get", |backend| {
                backend.get(place.name().as_str(), Deadline::NEVER)
            });
            vec![found.await?]
        }
        Some(names) => {
            let found = ask(request, "get", |backend| {
                backend.get_many(&names, Deadline::NEVER)
            });
            found.await?
        }
    };
    let now_ms = request.runtime.now_ms();
    let mut lookup = request.policy(place).look(&found, outcome, now_ms);
    let renewed = match &mut lookup {
        Lookup::Hit(_, renewed) => renewed.take(),
        Lookup::Absent | Lookup::Rejected(_) => None,
    };
    if let Some(fill) = renewed
        && write(request, place, fill).await
    {
        request.observer().resealed();
    }
    Some(lookup)
}

async fn write(request: &Request, place: &Place<'_>, fill: Fill) -> bool {
    let bytes = Bytes::from(fill.bytes);
    let written = ask(request, "set", |backend| {
        backend.set(place.name().as_str(), bytes, fill.life, Deadline::NEVER)
    });
    written.await.is_some()
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
