//! The driver of functions that block: it asks the engine, and does what that says, on the caller's thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::backend::{Backend, BackendError, Bytes, Deadline};
use crate::call::chunks;
use crate::call::outcome::Outcome;
use crate::call::request::Request;
use crate::engine::{Chunked, Fill, Filling, Opened, Unstored};
use crate::entry::Reject;
use crate::entry::chunk::{Next, Reader};
use crate::key::CacheKey;
use crate::observe::{Abandoned, Observer};

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

    // Look up.
    let name = request.name();
    if request.overwrite {
        observer.forced();
    } else {
        match look_up(request, &name, outcome) {
            Ok(value) => {
                observer.hit();
                return value;
            }
            Err(missed) => missed.tell(&observer),
        }
    }

    // Compute: the user's code, with nothing of ours held. Its panic is the caller's.
    let started = Instant::now();
    let value = compute();
    let cost = started.elapsed();
    observer.computed();

    // Store.
    if is_wanted(&value, outcome, accept) {
        store(request, &name, outcome, &value, cost);
    } else {
        observer.declined();
    }
    value
}

/// The value that is in the cache, computing nothing. It counts as neither hit nor miss.
pub(crate) fn peek<R>(request: &Request, outcome: &Outcome<R>) -> Option<R> {
    if !request.has_key() {
        return None;
    }
    look_up(request, &request.name(), outcome).ok()
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
    store(request, &request.name(), outcome, value, Duration::ZERO)
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
    let found = ask(request, "get", |backend| {
        backend.get(name.as_str(), Deadline::NEVER)
    });
    let removed = ask(request, "delete", |backend| {
        backend.delete(name.as_str(), Deadline::NEVER)
    });
    if let Some(reader) = found
        .flatten()
        .and_then(|found| request.policy(&name).chunks_of(&found))
    {
        chunks::remove(request, reader.names());
    }
    removed.is_some()
}

/// Why a lookup gave nothing.
pub(super) enum Missed {
    Absent,
    Rejected(Reject),
    /// The backend failed.
    Unanswered,
}

impl Missed {
    pub(super) fn tell(&self, observer: &Observer<'_>) {
        match self {
            Self::Absent => observer.absent(),
            Self::Rejected(reject) => observer.rejected(*reject),
            Self::Unanswered => observer.unanswered(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Rejected(reject) => reject.name(),
            Self::Unanswered => "unanswered",
        }
    }
}

fn look_up<R>(request: &Request, name: &CacheKey, outcome: &Outcome<R>) -> Result<R, Missed> {
    let found = ask(request, "get", |backend| {
        backend.get(name.as_str(), Deadline::NEVER)
    });
    let found = found.ok_or(Missed::Unanswered)?.ok_or(Missed::Absent)?;
    let opened = request
        .policy(name)
        .open(&found, outcome, request.runtime.now_ms());
    match opened.map_err(Missed::Rejected)? {
        Opened::Value(value) => Ok(value),
        Opened::Chunks(mut reader) => gather(request, &mut reader, outcome),
    }
}

/// Reads a value that is in chunks: the only item of its stream.
fn gather<R>(request: &Request, reader: &mut Reader, outcome: &Outcome<R>) -> Result<R, Missed> {
    let mut value = None;
    loop {
        match reader.next_item().map_err(Missed::Rejected)? {
            Next::Item(_) if value.is_some() => return Err(Missed::Rejected(Reject::Damaged)),
            Next::Item(item) => {
                let bytes = reader.bytes_of(&item);
                value = Some((outcome.decode)(bytes).map_err(Missed::Rejected)?);
            }
            Next::Starved => chunks::supply(request, reader)?,
            Next::End => return value.ok_or(Missed::Rejected(Reject::Damaged)),
        }
    }
}

/// Writes the entry of a value, in chunks if it is too large for one; says whether it is stored.
fn store<R>(
    request: &Request,
    name: &CacheKey,
    outcome: &Outcome<R>,
    value: &R,
    cost: Duration,
) -> bool {
    let filling = request
        .policy(name)
        .fill(value, outcome, cost, request.runtime.now_ms());
    let stored = match filling {
        Ok(Filling::Whole(fill)) => Ok(write(request, name, fill)),
        Ok(Filling::Chunks(chunked)) => store_in_chunks(request, name, chunked, cost),
        Err(unstored) => Err(unstored),
    };
    stored.unwrap_or_else(|unstored| {
        request.observer().unstorable(unstored.name());
        false
    })
}

fn store_in_chunks(
    request: &Request,
    name: &CacheKey,
    mut chunked: Chunked,
    cost: Duration,
) -> Result<bool, Unstored> {
    let mut stored = true;
    while stored {
        let writer = &mut chunked.writer;
        let Some(chunk) = writer.full_chunk().or_else(|| writer.last_chunk()) else {
            break;
        };
        stored = chunks::store(request, &chunked, chunk);
    }
    let published = if stored {
        let now_ms = request.runtime.now_ms();
        request
            .policy(name)
            .publish(&chunked, cost, now_ms)
            .map(|fill| write(request, name, fill))
    } else {
        Ok(false)
    };
    if published == Ok(false) {
        request.observer().abandoned(Abandoned::Unwritten);
    }
    if published != Ok(true) {
        chunks::remove(request, chunked.writer.names());
    }
    published
}

/// Writes an entry; says whether that was acknowledged.
pub(super) fn write(request: &Request, name: &CacheKey, fill: Fill) -> bool {
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
pub(super) fn ask<T>(
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
