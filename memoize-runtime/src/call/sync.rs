//! The driver of functions that block: it asks the engine, and does what that says, on the caller's thread.

use std::ops::Deref;
use std::time::{Duration, Instant};

use crate::backend::{Backend, BackendError, Bytes, Deadline};
use crate::call::chunks;
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::call::request::Request;
use crate::engine::{Chunked, Fill, Filling, Lookup, Opened, Unstored};
use crate::entry::Reject;
use crate::entry::chunk::{Next, Reader};
use crate::guard::guard;
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

    // Bypass: without a key there is nothing to ask for, and without a secret nowhere to store what must not be in the clear.
    let Some(place) = request.place_or_bypass(&observer) else {
        let value = compute();
        observer.computed();
        return value;
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
    if !(outcome.is_value)(&value) {
        observer.declined();
    } else if guard(|| accept(&value)).unwrap_or_else(|| observer.cache_if_panicked()) {
        store(request, &place, outcome, &value, cost);
    } else {
        observer.declined();
        // The old entry was to be replaced, by what is not to be kept: then neither is it.
        if request.overwrite {
            remove(request, &place);
        }
    }
    value
}

/// The value that is in the cache, computing nothing. It counts as neither hit nor miss.
pub(crate) fn peek<R>(request: &Request, outcome: &Outcome<R>) -> Option<R> {
    if !request.has_key() || request.stored.refusal().is_some() {
        return None;
    }
    look_up(request, &request.place()?, outcome).ok()
}

/// Stores a value that was not computed here; says whether it is stored.
pub(crate) fn prime<R>(request: &Request, outcome: &Outcome<R>, value: &R) -> bool {
    let observer = request.observer();
    let Some(place) = request.place_or_bypass(&observer) else {
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
    store(request, &place, outcome, value, Duration::ZERO)
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
    let removed = remove(request, &place);
    if removed {
        observer.invalidated();
    }
    removed
}

/// Removes what is under the names of a place, with its chunks; says whether that was acknowledged.
fn remove(request: &Request, place: &Place<'_>) -> bool {
    let found = fetch(request, place);
    let removed = ask(request, "delete", |backend| match place.several_names() {
        None => backend.delete(place.name().as_str(), Deadline::NEVER),
        Some(names) => backend.delete_many(&names, Deadline::NEVER),
    });
    for reader in request.policy(place).chunks_of(&found.unwrap_or_default()) {
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

fn look_up<R>(request: &Request, place: &Place<'_>, outcome: &Outcome<R>) -> Result<R, Missed> {
    let found = fetch(request, place).ok_or(Missed::Unanswered)?;
    let now_ms = request.runtime.now_ms();
    let lookup = request.policy(place).look(&found, outcome, now_ms);
    match hit(request, place, lookup)? {
        Opened::Value(value) => Ok(value),
        Opened::Chunks(mut reader) => gather(request, &mut reader, outcome),
    }
}

/// What the backend has under the names of the place; `None` where it could not be asked.
pub(super) fn fetch(request: &Request, place: &Place<'_>) -> Option<Found> {
    match place.several_names() {
        None => ask(request, "get", |backend| {
            backend.get(place.name().as_str(), Deadline::NEVER)
        })
        .map(|found| Found::One([found])),
        Some(names) => ask(request, "get", |backend| {
            backend.get_many(&names, Deadline::NEVER)
        })
        .map(Found::Many),
    }
}

/// What was found under each name.
pub(super) enum Found {
    One([Option<Bytes>; 1]),
    Many(Vec<Option<Bytes>>),
}

impl Default for Found {
    fn default() -> Self {
        Self::One([None])
    }
}

impl Deref for Found {
    type Target = [Option<Bytes>];

    fn deref(&self) -> &[Option<Bytes>] {
        match self {
            Self::One(found) => found,
            Self::Many(found) => found,
        }
    }
}

/// What was looked for; what was sealed with a previous secret is written anew on the way.
pub(super) fn hit<T>(request: &Request, place: &Place<'_>, lookup: Lookup<T>) -> Result<T, Missed> {
    match lookup {
        Lookup::Hit(found, renewed) => {
            if renewed.is_some_and(|fill| set(request, place, fill)) {
                request.observer().resealed();
            }
            Ok(found)
        }
        Lookup::Absent => Err(Missed::Absent),
        Lookup::Rejected(reject) => Err(Missed::Rejected(reject)),
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
                value = Some((outcome.decode)(bytes, request.stored).map_err(Missed::Rejected)?);
            }
            Next::Starved => chunks::supply(request, reader)?,
            Next::End => return value.ok_or(Missed::Rejected(Reject::Damaged)),
        }
    }
}

/// Writes the entry of a value, in chunks if it is too large for one; says whether it is stored.
fn store<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    value: &R,
    cost: Duration,
) -> bool {
    let filling = request
        .policy(place)
        .fill(value, outcome, cost, request.runtime.now_ms());
    let stored = match filling {
        Ok(Filling::Whole(fill)) => Ok(write(request, place, fill)),
        Ok(Filling::Chunks(chunked)) => store_in_chunks(request, place, chunked, cost),
        Err(unstored) => Err(unstored),
    };
    stored.unwrap_or_else(|unstored| {
        request.unstorable(&unstored);
        false
    })
}

fn store_in_chunks(
    request: &Request,
    place: &Place<'_>,
    mut chunked: Chunked,
    cost: Duration,
) -> Result<bool, Unstored> {
    let mut stored = true;
    while stored {
        let writer = &mut chunked.writer;
        let Some(chunk) = writer.full_chunk().or_else(|| writer.last_chunk()) else {
            break;
        };
        if writer.is_full() {
            chunks::remove(request, writer.names());
            return Err(Unstored::TooLarge);
        }
        stored = chunks::store(request, &chunked, chunk);
    }
    let published = if stored {
        let now_ms = request.runtime.now_ms();
        request
            .policy(place)
            .publish(&chunked, cost, now_ms)
            .map(|fill| write(request, place, fill))
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
pub(super) fn write(request: &Request, place: &Place<'_>, fill: Fill) -> bool {
    let written = set(request, place, fill);
    if written {
        request.observer().stored();
    }
    written
}

fn set(request: &Request, place: &Place<'_>, fill: Fill) -> bool {
    // Without the room that the buffer had to grow: the entry may be kept as it is for long.
    let bytes = Bytes::from(fill.bytes.into_boxed_slice());
    ask(request, "set", |backend| {
        backend.set(place.name().as_str(), bytes, fill.life, Deadline::NEVER)
    })
    .is_some()
}

/// Asks the backend, whose errors and panics end here.
pub(super) fn ask<T>(
    request: &Request,
    operation: &'static str,
    question: impl FnOnce(&dyn Backend) -> Result<T, BackendError>,
) -> Option<T> {
    let backend = request.runtime.backend();
    let answer =
        guard(|| question(backend)).unwrap_or_else(|| Err(BackendError::new("it panicked")));
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            request.observer().fault(operation, &error);
            // Its source is anybody's code, which may panic when it is dropped.
            guard(|| drop(error));
            None
        }
    }
}
