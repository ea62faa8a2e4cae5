//! The driver of functions that block: it asks the engine, and does what that says, on the caller's thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::backend::{Backend, BackendError, Bytes, Deadline};
use crate::call::outcome::Outcome;
use crate::call::request::Request;
use crate::engine::Fill;
use crate::entry::Reject;
use crate::key::CacheKey;

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

    // Refused: the codec can't hold the type, so there is nothing to find and nothing to store.
    if let Some(refusal) = request.stored.refusal() {
        let value = compute();
        observer.computed();
        observer.refused(refusal, request.stored.tells_refusal());
        return value;
    }

    // Look up.
    let name = request.name();
    if request.overwrite {
        observer.forced();
    } else {
        match look_up(request, &name, outcome) {
            Found::Value(value) => {
                observer.hit();
                return value;
            }
            Found::Nothing => observer.absent(),
            Found::Rejected(reject) => observer.rejected(reject),
            Found::Fault => observer.unanswered(),
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
            .policy()
            .fill(&value, outcome, cost, request.runtime.now_ms())
        {
            Ok(fill) => {
                write(request, &name, fill);
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
    match look_up(request, &request.name(), outcome) {
        Found::Value(value) => Some(value),
        Found::Nothing | Found::Rejected(_) | Found::Fault => None,
    }
}

/// Stores a value that was not computed here; says whether it is stored.
pub(crate) fn prime<R>(request: &Request, outcome: &Outcome<R>, value: &R) -> bool {
    let observer = request.observer();
    if !request.has_key() {
        observer.bypassed();
        return false;
    }
    if !(outcome.is_value)(value) {
        observer.declined();
        return false;
    }
    if let Some(refusal) = request.stored.refusal() {
        observer.refused(refusal, request.stored.tells_refusal());
        return false;
    }
    match request
        .policy()
        .fill(value, outcome, Duration::ZERO, request.runtime.now_ms())
    {
        Ok(fill) => write(request, &request.name(), fill),
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
    observer.invalidated();
    let name = request.name();
    ask(request, "delete", |backend| {
        backend.delete(name.as_str(), Deadline::NEVER)
    })
    .is_some()
}

enum Found<R> {
    Value(R),
    Nothing,
    Rejected(Reject),
    Fault,
}

fn look_up<R>(request: &Request, name: &CacheKey, outcome: &Outcome<R>) -> Found<R> {
    match ask(request, "get", |backend| {
        backend.get(name.as_str(), Deadline::NEVER)
    }) {
        Some(Some(bytes)) => match request
            .policy()
            .open(&bytes, outcome, request.runtime.now_ms())
        {
            Ok(value) => Found::Value(value),
            Err(reject) => Found::Rejected(reject),
        },
        Some(None) => Found::Nothing,
        None => Found::Fault,
    }
}

fn write(request: &Request, name: &CacheKey, fill: Fill) -> bool {
    let bytes = Bytes::from(fill.bytes);
    let written = ask(request, "set", |backend| {
        backend.set(name.as_str(), bytes, fill.life, Deadline::NEVER)
    });
    if written.is_some() {
        request.observer().stored();
    }
    written.is_some()
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
