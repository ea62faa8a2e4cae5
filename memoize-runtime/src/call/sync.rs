//! The driver of functions that block: it asks the engine, and does what that says, on the caller's thread.

use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use super::ask::{NoAnswer, ask};
use super::chunks;
use super::elsewhere::Elsewhere;
use super::landed::Landed;
use super::lookup::{fetch, find, look_up, open, open_landed};
use super::outcome::Outcome;
use super::patience::Patience;
use super::place::Place;
use super::recorder::Chunk;
use super::request::Request;
use super::rotation::{self, Whether};
use super::turn::{Answered, Caller, Right, Turn, Verdict, verdict};
use crate::backend::{self, Deadline, Lease};
use crate::engine::{Chunked, Fill, Filling, Unstored};
use crate::flight::{Joined, Part, Waiter, block_on};
use crate::key::CacheKey;
use crate::local::Kept;
use crate::observe::Abandoned;
use crate::progress::this_thread;

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

    // Bypass: there is nothing to find, and nothing to store.
    let Some(place) = request.place_or_bypass(&observer) else {
        let value = compute();
        observer.computed();
        return value;
    };

    // Look up.
    let mut right = Right::new(request, place.name(), Caller::Thread);
    if request.overwrite {
        observer.forced();
    } else {
        match look_up(request, &place, outcome, &mut right) {
            Ok(value) => {
                observer.hit();
                return value;
            }
            Err(missed) => right.missed(&missed),
        }
    }

    // Join: of those that miss at one time, one computes.
    if let Turn::Value(value) = take_turn(request, &place, outcome, &mut right) {
        observer.shared();
        return value;
    }
    right.settle();

    // Compute: the user's code, with nothing of ours locked. Its panic is the caller's, and ends the turn.
    let started = Instant::now();
    // Until the value is stored: to copy and serialize it is the user's code as well.
    let _running = right.run();
    let value = compute();
    let cost = started.elapsed();
    right.computed();

    // Store.
    match verdict(request, outcome, accept, &value) {
        Verdict::Store if !right.is_of_use() => right.tell_unstored(),
        Verdict::Store => {
            let deadline = right.budget.deadline();
            store(request, &place, outcome, &value, cost, deadline, |entry| {
                let ticket = request.own_ticket(&place, outcome);
                let kept = entry.kept.clone();
                let filled = fill(request, &place, &mut right, entry, deadline);
                let kept = filled.then_some(kept);
                request.keep_own(&place, outcome, ticket, kept, &value);
                filled
            });
        }
        Verdict::Leave => right.land_failure(outcome, &value),
        Verdict::Remove => {
            remove(request, &place, right.budget.deadline());
        }
    }
    value
}

/// Waits for the value, or for the turn to compute it.
///
/// It isn't inlined, nor are [`look_up`] and [`store`]: what is done before and after the body is not to be on the stack while a body
/// calls the function again.
#[inline(never)]
fn take_turn<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    right: &mut Right<'_>,
) -> Turn<R> {
    if request.policy(place).life_ms == 0 {
        return Turn::Compute;
    }
    let mut patience = Patience::new(request);
    let part = match request.join(right.process(), place.name()) {
        Joined::Plays(part) => part,
        Joined::Waits(waiter) => {
            right.offer_to(&waiter);
            wait(waiter, &mut patience)
        }
    };
    let stores_nothing = matches!(part, Part::Inside | Part::Beside);
    if let Some(landed) = right.play(part)
        && let Ok(value) = open_landed(request, place, outcome, landed, request.deadline())
    {
        return Turn::Value(value);
    }
    let mut elsewhere = Elsewhere::default();
    let mut deadline = right.budget.deadline();
    while right.lease.is_none() && !right.failed && !stores_nothing {
        let answer = ask_for_lease(request, place.name(), right.replaces, deadline);
        match right.answered(answer, &mut patience) {
            Answered::Settled => break,
            Answered::Found(bytes) => match open(request, place, outcome, &bytes, deadline) {
                Ok(value) => {
                    right.land(Kept::Bytes(bytes));
                    return Turn::Value(value);
                }
                Err(_) => right.replaces = true,
            },
            Answered::Busy(until) => {
                elsewhere.waits(request);
                if let Some(leader) = &right.leader {
                    right.lease = block_on(pin!(leader.offered()), Some(until));
                }
                // Waiting has its own bound, so that what is asked meanwhile is not on the call's budget.
                if !right.may_be_in_its_own_way() {
                    deadline = request.deadline();
                }
            }
        }
    }
    Turn::Compute
}

/// Waits for what a flight lands, or until this call is to compute.
fn wait(waiter: Waiter<Landed, Lease>, patience: &mut Patience) -> Part<Landed, Lease> {
    let mut joined = waiter.block(this_thread());
    loop {
        let mut waiter = match joined {
            Joined::Plays(part) => return part,
            Joined::Waits(waiter) => waiter,
        };
        if let Some(part) = block_on(Pin::new(&mut waiter), patience.until()) {
            return part;
        }
        joined = waiter.relieve();
        patience.renew();
    }
}

fn ask_for_lease(
    request: &Request,
    name: &CacheKey,
    replaces: bool,
    deadline: Deadline,
) -> Result<backend::Lookup, NoAnswer> {
    let life = request.runtime.longest_wait();
    ask(request, "lease", deadline, |backend| {
        if replaces {
            backend
                .lease(name.as_str(), life, deadline)
                .map(backend::Lookup::Granted)
        } else {
            backend.get_or_lease(name.as_str(), life, deadline)
        }
    })
}

/// Gives the entry to those who wait for it, then to the backend, as far as there is the right to; says whether it is stored.
fn fill(
    request: &Request,
    place: &Place<'_>,
    right: &mut Right<'_>,
    fill: Fill,
    deadline: Deadline,
) -> bool {
    right.land(fill.kept.clone());
    let Some(lease) = right.lease_to_fill() else {
        right.tell_unstored();
        return false;
    };
    let filled = fill_by(request, place, lease, fill, Whether::Found, deadline);
    right.filled(filled, deadline);
    if right.must_take_back(lease) {
        let _ = ask(request, "delete", deadline, |backend| {
            backend.delete(place.name().as_str(), deadline)
        });
        return false;
    }
    filled.unwrap_or(false)
}

/// Has the backend store an entry if the lease stands; nothing is known where it could not be asked.
pub(super) fn fill_by(
    request: &Request,
    place: &Place<'_>,
    lease: Lease,
    Fill { kept, life }: Fill,
    removes: Whether,
    deadline: Deadline,
) -> Result<bool, NoAnswer> {
    let name = place.name().as_str();
    let filled = ask(request, "fill", deadline, |backend| {
        match (kept, request.shelf_to_fill(place)) {
            (Kept::Bytes(bytes), _) => backend.fill(name, lease, bytes, life, deadline),
            (kept, Some(shelf)) => Ok(shelf.fill(name, lease, kept, life)),
            (Kept::Value(_), None) => Ok(false),
        }
    });
    match filled {
        Ok(true) => {
            request.observer().stored();
            rotation::remove_previous(request, place, removes, deadline);
        }
        Ok(false) => request.observer().outdated(),
        Err(_) => {}
    }
    filled
}

/// The value that is in the cache, computing nothing. It counts as neither hit nor miss.
pub(crate) fn peek<R>(request: &Request, outcome: &Outcome<R>) -> Option<R> {
    if !request.may_be_stored() {
        return None;
    }
    // Nothing is written on the way: who only looks is not the one to seal it anew.
    find(request, &request.place()?, outcome, request.deadline()).ok()
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
    let (deadline, cost) = (request.deadline(), Duration::ZERO);
    store(request, &place, outcome, value, cost, deadline, |entry| {
        write(request, &place, entry, deadline)
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
    let removed = remove(request, &place, request.deadline());
    if removed {
        observer.invalidated();
    }
    removed
}

/// Removes what is under the names of a place, with its chunks; says whether that was acknowledged.
fn remove(request: &Request, place: &Place<'_>, deadline: Deadline) -> bool {
    // Only what is in chunks has to be read. What takes long to read leaves time to remove it.
    let found = fetch(request, place, deadline.halfway()).unwrap_or_default();
    request.runtime.void(place.name().as_str());
    let removed = match place.several_names() {
        Some(names) => rotation::remove_all(request, &names, deadline),
        None => ask(request, "delete", deadline, |backend| {
            backend.delete(place.name().as_str(), deadline)
        }),
    };
    // Again: a flight that began meanwhile may have landed what it still found.
    request.runtime.void(place.name().as_str());
    for reader in request.policy(place).chunks_of(&found) {
        chunks::remove(request, reader.names(), deadline);
    }
    removed.is_ok()
}

/// Has the entry of a value written, after its chunks if it is too large for one; says whether it is stored.
#[inline(never)]
fn store<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    value: &R,
    cost: Duration,
    deadline: Deadline,
    write: impl FnOnce(Fill) -> bool,
) -> bool {
    let filling = request.filling(place, outcome, value, cost, deadline);
    let stored = match filling {
        Ok(Filling::Whole(fill)) => Ok(write(fill)),
        Ok(Filling::Chunks(chunked)) => {
            store_in_chunks(request, place, *chunked, cost, deadline, write)
        }
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
    deadline: Deadline,
    write: impl FnOnce(Fill) -> bool,
) -> Result<bool, Unstored> {
    let mut stored = true;
    while stored {
        let writer = &mut chunked.writer;
        let Some(chunk) = writer.chunk_of_value() else {
            break;
        };
        if writer.is_full() {
            chunks::remove(request, writer.names(), deadline);
            return Err(Unstored::TooLarge);
        }
        let (name, bytes) = chunk;
        let life = chunked.chunk_life(request.runtime.now_ms());
        stored = chunks::store(request, Chunk { name, bytes, life }, deadline);
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
        chunks::remove(request, chunked.writer.names(), deadline);
    }
    published
}

/// Writes an entry whatever there is; says whether it is stored. It does so by a lease of its own: where the server comes to it late, it
/// overwrites nothing that has come since.
fn write(request: &Request, place: &Place<'_>, fill: Fill, deadline: Deadline) -> bool {
    // A computation that began before must not overwrite it.
    request.runtime.void(place.name().as_str());
    // As if it were a task's: where it isn't used, the lease is given up without waiting for the answer.
    let mut right = Right::new(request, place.name(), Caller::Task);
    if let Ok(lookup) = ask_for_lease(request, place.name(), true, deadline) {
        right.looked_up(lookup);
    }
    let Some(lease) = right.lease else {
        return false;
    };
    let filled = fill_by(request, place, lease, fill, Whether::Always, deadline);
    right.filled(filled, deadline);
    // What was asked meanwhile may have been answered with the old one.
    request.runtime.forget_copy(place.name().as_str());
    filled.unwrap_or(false)
}
