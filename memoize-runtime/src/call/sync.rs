//! The driver of functions that block: it asks the engine, and does what that says, on the caller's thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::backend::{Backend, BackendError, Bytes, Deadline};
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::call::request::Request;
use crate::engine::{Fill, Lookup};

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

    // Refused: the codec can't hold the type, so there is nothing to find and nothing to store.
    if let Some(refusal) = request.stored.refusal() {
        let value = compute();
        observer.computed();
        observer.refused(refusal, request.stored.tells_refusal());
        return value;
    }

    // Look up.
    if request.overwrite {
        observer.forced();
    } else {
        match look_up(request, &place, outcome) {
            Some(Lookup::Hit(value, _)) => {
                observer.hit();
                return value;
            }
            Some(Lookup::Absent) => observer.absent(),
            Some(Lookup::Rejected(reject)) => observer.rejected(reject),
            None => observer.unanswered(),
        }
    }

    // Compute: the user's code, with nothing of ours held. Its panic is the caller's.
    let started = Instant::now();
    let value = compute();
    let cost = started.elapsed();
    observer.computed();

    // Store.
    if is_wanted(&value, outcome, accept) {
        match request
            .policy(&place)
            .fill(&value, outcome, cost, request.runtime.now_ms())
        {
            Ok(fill) => {
                store(request, &place, fill);
            }
            Err(unstored) => request.unstorable(&unstored),
        }
    } else {
        observer.declined();
    }
    value
}

/// The value that is in the cache, computing nothing. It counts as neither hit nor miss.
pub(crate) fn peek<R>(request: &Request, outcome: &Outcome<R>) -> Option<R> {
    if !request.has_key() || request.stored.refusal().is_some() {
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
    if let Some(refusal) = request.stored.refusal() {
        observer.refused(refusal, request.stored.tells_refusal());
        return false;
    }
    match request
        .policy(&place)
        .fill(value, outcome, Duration::ZERO, request.runtime.now_ms())
    {
        Ok(fill) => store(request, &place, fill),
        Err(unstored) => {
            request.unstorable(&unstored);
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
    let answer = catch_unwind(AssertUnwindSafe(|| question(backend)))
        .unwrap_or_else(|_| Err(BackendError::new("it panicked")));
    answer
        .inspect_err(|error| request.observer().fault(operation, error))
        .ok()
}

/// Whether the value is one, and one that the function's `cache_if` lets through; where that panics, it is not.
fn is_wanted<R>(value: &R, outcome: &Outcome<R>, accept: impl FnOnce(&R) -> bool) -> bool {
    (outcome.is_value)(value) && catch_unwind(AssertUnwindSafe(|| accept(value))).unwrap_or(false)
}
