//! The driver of functions that block: it asks the engine, and does what that says, on the caller's thread.

use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::backend::{self, Backend, BackendError, Bytes, Deadline, Lease};
use crate::call::chunks;
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::call::request::Request;
use crate::call::rotation;
use crate::call::turn::{
    Caller, Gathered, Missed, Patience, Right, Turn, Verdict, gather_some, verdict,
};
use crate::engine::{Chunked, Fill, Filling, Lookup, Opened, Renewal, Unstored};
use crate::entry::Reject;
use crate::entry::chunk::Reader;
use crate::flight::{Joined, Part, block_on};
use crate::guard::guard;
use crate::key::CacheKey;
use crate::local::Kept;
use crate::observe::Abandoned;

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
    let mut replaces = request.overwrite;
    if request.overwrite {
        observer.forced();
    } else {
        match look_up(request, &place, outcome) {
            Ok(value) => {
                observer.hit();
                return value;
            }
            Err(missed) => {
                missed.tell(&observer);
                replaces = missed.is_rejected();
            }
        }
    }

    // Join: of those that miss at one time, one computes.
    let mut right = match take_turn(request, &place, outcome, replaces) {
        Turn::Value(value) => {
            observer.shared();
            return value;
        }
        Turn::Compute(right) => right,
    };

    // Compute: the user's code, with nothing of ours locked. Its panic is the caller's, and ends the turn.
    let started = Instant::now();
    // Until the value is stored: to copy and serialize it is the user's code as well.
    let _running = right.run();
    let value = compute();
    let cost = started.elapsed();
    observer.computed();

    // Store.
    match verdict(request, outcome, accept, &value) {
        Verdict::Store if right.is_none() => observer.outdated(),
        Verdict::Store => {
            store(request, &place, outcome, &value, cost, |entry| {
                let kept = entry.kept.clone();
                let filled = fill(request, &place, &mut right, entry);
                if filled {
                    request.settle(outcome, &kept);
                }
                filled
            });
        }
        Verdict::Leave => {}
        Verdict::Remove => {
            remove(request, &place);
        }
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
        Part::Landed(kept) => {
            if let Ok(value) = open_kept(request, place, outcome, kept) {
                return Turn::Value(value);
            }
        }
        Part::Leads(leader) => right.leader = Some(leader),
        Part::Alone => {}
        Part::Inside => return Turn::Compute(right),
    }
    loop {
        match ask_for_lease(request, place.name(), replaces) {
            Some(backend::Lookup::Granted(lease)) => {
                right.lease = Some(lease);
                return Turn::Compute(right);
            }
            Some(backend::Lookup::Found(bytes)) => match open(request, place, outcome, &bytes) {
                Ok(value) => {
                    right.land(Kept::Bytes(bytes));
                    return Turn::Value(value);
                }
                Err(_) => replaces = true,
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

fn ask_for_lease(request: &Request, name: &CacheKey, replaces: bool) -> Option<backend::Lookup> {
    let life = request.runtime.longest_wait();
    ask(request, "lease", |backend| {
        if replaces {
            backend
                .lease(name.as_str(), life, Deadline::NEVER)
                .map(backend::Lookup::Granted)
        } else {
            backend.get_or_lease(name.as_str(), life, Deadline::NEVER)
        }
    })
}

/// Gives the entry to those who wait for it, then to the backend, as far as there is the right to; says whether it is stored.
fn fill(request: &Request, place: &Place<'_>, right: &mut Right<'_>, fill: Fill) -> bool {
    right.land(fill.kept.clone());
    let Some(lease) = right.lease_to_fill() else {
        request.observer().outdated();
        return false;
    };
    let name = right.name;
    let filled = fill_by(request, place, lease, fill);
    if right.must_take_back(lease) {
        ask(request, "delete", |backend| {
            backend.delete(name.as_str(), Deadline::NEVER)
        });
        return false;
    }
    filled == Some(true)
}

/// Has the backend store an entry if the lease stands; nothing is known where it could not be asked.
pub(super) fn fill_by(
    request: &Request,
    place: &Place<'_>,
    lease: Lease,
    Fill { kept, life }: Fill,
) -> Option<bool> {
    let name = place.name().as_str();
    let filled = ask(request, "fill", |backend| {
        match (kept, request.shelf(place)) {
            (Kept::Bytes(bytes), _) => backend.fill(name, lease, bytes, life, Deadline::NEVER),
            (kept, Some(shelf)) => Ok(shelf.fill_kept(name, lease, kept, life)),
            (Kept::Value(_), None) => Ok(false),
        }
    });
    match filled {
        Some(true) => {
            request.observer().stored();
            rotation::forget_previous(request, place);
        }
        Some(false) => request.observer().outdated(),
        None => {}
    }
    filled
}

/// The value that is in the cache, computing nothing. It counts as neither hit nor miss.
pub(crate) fn peek<R>(request: &Request, outcome: &Outcome<R>) -> Option<R> {
    if !request.has_key() || request.stored.refusal().is_some() {
        return None;
    }
    // Nothing is written on the way: who only looks is not the one to seal it anew.
    let (value, _) = find(request, &request.place()?, outcome).ok()?;
    Some(value)
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
    store(request, &place, outcome, value, Duration::ZERO, |entry| {
        // A computation that began before must not overwrite it.
        request.runtime.flights().void(place.name().as_str());
        write(request, &place, entry)
    })
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
    request.runtime.flights().void(place.name().as_str());
    let removed = ask(request, "delete", |backend| match place.several_names() {
        None => backend.delete(place.name().as_str(), Deadline::NEVER),
        Some(names) => backend.delete_many(&names, Deadline::NEVER),
    });
    // Again: a flight that began meanwhile may have landed what it still found.
    request.runtime.flights().void(place.name().as_str());
    for reader in request.policy(place).chunks_of(&found.unwrap_or_default()) {
        chunks::remove(request, reader.names());
    }
    removed.is_some()
}

/// The value that is found; what was sealed with a previous secret is written anew on the way.
fn look_up<R>(request: &Request, place: &Place<'_>, outcome: &Outcome<R>) -> Result<R, Missed> {
    let (value, renewal) = find(request, place, outcome)?;
    if let Some(renewal) = renewal {
        rotation::renew(request, place, renewal);
    }
    Ok(value)
}

fn find<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
) -> Result<(R, Option<Renewal>), Missed> {
    if let Some(copy) = request.copy(place, outcome) {
        return copy.map(|value| (value, None)).map_err(Missed::Rejected);
    }
    let found = fetch(request, place).ok_or(Missed::Unanswered)?;
    read(request, place, outcome, &found)
}

/// The value that another call had computed meanwhile.
fn open_kept<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    kept: Kept,
) -> Result<R, Missed> {
    if let Kept::Value(value) = &kept
        && let Some(copy) = request.read(place, outcome, Arc::clone(value))
    {
        return copy.map_err(Missed::Rejected);
    }
    let bytes = kept.into_bytes().ok_or(Missed::Absent)?;
    open(request, place, outcome, &bytes)
}

/// The value of an entry that stands under the current name, if it may be used and all of it is there.
fn open<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    entry: &Bytes,
) -> Result<R, Missed> {
    read(request, place, outcome, &[Some(entry.clone())]).map(|(value, _)| value)
}

fn read<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    found: &[Option<Bytes>],
) -> Result<(R, Option<Renewal>), Missed> {
    let now_ms = request.runtime.now_ms();
    let lookup = request.policy(place).look(found, outcome, now_ms);
    let (opened, renewal) = usable(lookup)?;
    let value = match opened {
        Opened::Value(value) => value,
        Opened::Chunks(mut reader) => gather(request, &mut reader, outcome)?,
    };
    Ok((value, renewal))
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

/// What was looked for, and what is to be written anew for it.
pub(super) fn usable<T>(lookup: Lookup<T>) -> Result<(T, Option<Renewal>), Missed> {
    match lookup {
        Lookup::Hit(found, renewal) => Ok((found, renewal)),
        Lookup::Absent => Err(Missed::Absent),
        Lookup::Rejected(reject) => Err(Missed::Rejected(reject)),
    }
}

/// Reads a value that is in chunks.
fn gather<R>(request: &Request, reader: &mut Reader, outcome: &Outcome<R>) -> Result<R, Missed> {
    let mut value = None;
    while let Gathered::Starved = gather_some(request, reader, outcome, &mut value)? {
        chunks::supply(request, reader)?;
    }
    value.ok_or(Missed::Rejected(Reject::Damaged))
}

/// Has the entry of a value written, after its chunks if it is too large for one; says whether it is stored.
fn store<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    value: &R,
    cost: Duration,
    write: impl FnOnce(Fill) -> bool,
) -> bool {
    let filling = request.filling(place, outcome, value, cost);
    let stored = match filling {
        Ok(Filling::Whole(fill)) => Ok(write(fill)),
        Ok(Filling::Chunks(chunked)) => store_in_chunks(request, place, *chunked, cost, write),
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
    write: impl FnOnce(Fill) -> bool,
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
            .map(write)
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
fn write(request: &Request, place: &Place<'_>, fill: Fill) -> bool {
    let written = set(request, place, fill);
    if written {
        request.observer().stored();
        rotation::forget_previous(request, place);
    }
    written
}

pub(super) fn set(request: &Request, place: &Place<'_>, Fill { kept, life }: Fill) -> bool {
    let name = place.name().as_str();
    ask(request, "set", |backend| {
        match (kept, request.shelf(place)) {
            (Kept::Bytes(bytes), _) => backend.set(name, bytes, life, Deadline::NEVER),
            (kept, Some(shelf)) => {
                shelf.keep(name, kept, life);
                Ok(())
            }
            (Kept::Value(_), None) => Ok(()),
        }
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
