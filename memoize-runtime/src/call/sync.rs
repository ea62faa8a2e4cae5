//! The driver of functions that block: it asks the engine, and does what that says, on the caller's thread.

use std::pin::pin;
use std::thread;
use std::time::{Duration, Instant};

use crate::backend::{self, Backend, BackendError, Bytes, Deadline};
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::call::request::Request;
use crate::call::turn::{Caller, Patience, Right, Turn, is_wanted, open};
use crate::engine::{Fill, Lookup};
use crate::flight::{Joined, Part, block_on};
use crate::guard::guard;

/// Returns the value from the cache, or computes and stores it.
///
/// Nothing but `compute` can make it fail: what goes wrong with the cache is counted and logged, and the value is computed,
/// or returned without being stored.
pub(crate) fn get_or_compute<R>(
    request: &Request,
    outcome: &Outcome<R>,
    accept: impl FnOnce(&R) -> bool,
    compute: impl FnOnce() -> R,
) -> R {
    let observer = request.observer();

    // Bypass: without a key there is nothing to ask for.
    if !request.has_key() {
        observer.bypassed();
        return compute();
    }
    // Without a secret there is nowhere to store what must not be stored in the clear.
    let Some(place) = request.place() else {
        observer.unsealed();
        return compute();
    };

    // Look up.
    let mut replaces = request.overwrite;
    if request.overwrite {
        observer.forced();
    } else {
        match look_up(request, &place, outcome) {
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
    let right = match take_turn(request, &place, outcome, replaces) {
        Turn::Value(value) => {
            observer.shared();
            return value;
        }
        Turn::Compute(right) => right,
    };

    // Compute: the user's code, with nothing of ours locked. Its panic is the caller's, and ends the turn.
    let started = Instant::now();
    let running = right.run();
    let value = compute();
    drop(running);
    let cost = started.elapsed();
    observer.computed();

    // Store.
    if is_wanted(&value, outcome, accept) {
        match request
            .policy(&place)
            .fill(&value, outcome, cost, request.runtime.now_ms())
        {
            Ok(fill) => fill_by(request, right, fill),
            Err(unstored) => observer.unstorable(unstored.name()),
        }
    } else {
        observer.declined();
    }
    value
}

/// Waits for the value, or for the turn to compute it.
fn take_turn<'r, R>(
    request: &'r Request,
    place: &'r Place<'r>,
    outcome: &Outcome<R>,
    mut replaces: bool,
) -> Turn<'r, R> {
    let mut right = Right::new(request, place.name(), Caller::Thread);
    if request.policy(place).life_ms == 0 {
        return Turn::Compute(right);
    }
    let mut patience = Patience::new(request);
    let part = match request.join(place.name()) {
        Joined::Plays(part) => part,
        // Who has waited long enough computes for itself.
        Joined::Waits(waiter) => block_on(pin!(waiter), patience.until()).unwrap_or(Part::Alone),
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
        match ask_for_lease(request, place, replaces) {
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
                Some(pause) if right.leader.is_some() => thread::sleep(pause),
                _ => return Turn::Compute(right),
            },
            None => return Turn::Compute(right),
        }
    }
}

fn ask_for_lease(request: &Request, place: &Place<'_>, replaces: bool) -> Option<backend::Lookup> {
    let name = place.name().as_str();
    let life = request.runtime.longest_wait();
    ask(request, "lease", |backend| {
        if replaces {
            backend
                .lease(name, life, Deadline::NEVER)
                .map(backend::Lookup::Granted)
        } else {
            backend.get_or_lease(name, life, Deadline::NEVER)
        }
    })
}

/// Gives the entry to those who wait for it, then to the backend, as far as there is the right to.
fn fill_by(request: &Request, mut right: Right<'_>, fill: Fill) {
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
    match filled {
        Some(true) => request.observer().stored(),
        Some(false) => request.observer().outdated(),
        None => {}
    }
    if right.must_take_back(lease) {
        ask(request, "delete", |backend| {
            backend.delete(name.as_str(), Deadline::NEVER)
        });
    }
}

/// The value that is in the cache, computing nothing. It counts as neither hit nor miss.
pub(crate) fn peek<R>(request: &Request, outcome: &Outcome<R>) -> Option<R> {
    if !request.has_key() {
        return None;
    }
    match look_up(request, &request.place()?, outcome)? {
        Lookup::Hit(value, _) => Some(value),
        Lookup::Absent | Lookup::Rejected(_) => None,
    }
}

/// Stores a value that was not computed here; says whether it is stored.
pub(crate) fn prime<R>(request: &Request, outcome: &Outcome<R>, value: &R) -> bool {
    let observer = request.observer();
    if !request.has_key() {
        observer.bypassed();
        return false;
    }
    let Some(place) = request.place() else {
        observer.unsealed();
        return false;
    };
    if !(outcome.is_value)(value) {
        observer.declined();
        return false;
    }
    match request
        .policy(&place)
        .fill(value, outcome, Duration::ZERO, request.runtime.now_ms())
    {
        Ok(fill) => {
            // A computation that began before must not overwrite it.
            request.runtime.flights().void(place.name().as_str());
            store(request, &place, fill)
        }
        Err(unstored) => {
            observer.unstorable(unstored.name());
            false
        }
    }
}

/// Removes the entry; says whether it is certain to be gone.
pub(crate) fn invalidate(request: &Request) -> bool {
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
    ask(request, "delete", |backend| match place.several_names() {
        None => backend.delete(place.name().as_str(), Deadline::NEVER),
        Some(names) => backend.delete_many(&names, Deadline::NEVER),
    })
    .is_some()
}

/// What the backend has under the names of the place; `None` where it could not be asked.
///
/// What was sealed with a previous secret is written anew on the way.
fn look_up<R>(request: &Request, place: &Place<'_>, outcome: &Outcome<R>) -> Option<Lookup<R>> {
    let (one, many);
    let found: &[Option<Bytes>] = match place.several_names() {
        None => {
            one = [ask(request, "get", |backend| {
                backend.get(place.name().as_str(), Deadline::NEVER)
            })?];
            &one
        }
        Some(names) => {
            many = ask(request, "get", |backend| {
                backend.get_many(&names, Deadline::NEVER)
            })?;
            &many
        }
    };
    let now_ms = request.runtime.now_ms();
    let mut lookup = request.policy(place).look(found, outcome, now_ms);
    if let Lookup::Hit(_, renewed) = &mut lookup
        && let Some(fill) = renewed.take()
        && write(request, place, fill)
    {
        request.observer().resealed();
    }
    Some(lookup)
}

fn store(request: &Request, place: &Place<'_>, fill: Fill) -> bool {
    let written = write(request, place, fill);
    if written {
        request.observer().stored();
    }
    written
}

fn write(request: &Request, place: &Place<'_>, fill: Fill) -> bool {
    let bytes = Bytes::from(fill.bytes);
    ask(request, "set", |backend| {
        backend.set(place.name().as_str(), bytes, fill.life, Deadline::NEVER)
    })
    .is_some()
}

/// Asks the backend, whose errors and panics end here.
fn ask<T>(
    request: &Request,
    operation: &'static str,
    question: impl FnOnce(&dyn Backend) -> Result<T, BackendError>,
) -> Option<T> {
    let backend = request.runtime.backend();
    let answer =
        guard(|| question(backend)).unwrap_or_else(|| Err(BackendError::new("it panicked")));
    answer
        .inspect_err(|error| request.observer().fault(operation, error))
        .ok()
}
