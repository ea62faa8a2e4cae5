//! The driver of functions that are awaited: as [`sync`](super::sync), with waits that leave the thread to others.
//!
//! A future of these is `Send` where the body's future and the value are. It may be dropped at any moment: whoever waits for it is
//! told, and what was begun is given up.

mod apart;
mod ask;
pub(super) mod chunks;
mod lookup;
pub(super) mod resealing;
mod rotation;

use std::future::{Future, poll_fn, ready};
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use super::ask::NoAnswer;
use super::elsewhere::Elsewhere;
use super::landed::Landed;
use super::outcome::Outcome;
use super::patience::Patience;
use super::place::Place;
use super::request::Request;
use super::rotation::Whether;
use super::turn::{Answered, Caller, Right, Turn, Verdict, verdict};
use crate::backend::{self, Deadline, Lease};
use crate::engine::{Fill, Filling, Unstored};
use crate::flight::{Joined, Part, Waiter};
use crate::key::CacheKey;
use crate::local::Kept;
use crate::timer::timeout;
use apart::Apart;
pub(super) use ask::ask;
pub(super) use lookup::fetch_or_lease;
use lookup::{fetch, find, look_up, open, open_landed};

/// As [`sync::get_or_compute`](super::sync::get_or_compute).
///
/// In a box, and what comes before the body and after it in others, so that little of it is on the stack of a body that calls the
/// function again; not inlined for the same reason.
pub(crate) fn get_or_compute<R, F: Future<Output = R>>(
    request: Request,
    outcome: Outcome<R>,
    accept: impl FnOnce(&R) -> bool,
    compute: impl FnOnce() -> F,
) -> Pin<Box<impl Future<Output = R>>> {
    Box::pin(async move {
        let (request, outcome) = (&request, &outcome);

        // Bypass: there is nothing to find, and nothing to store.
        let place = request.place_or_bypass(&request.observer());
        let name = place.as_ref().map(Place::name);
        let mut right = name.map(|name| Right::new(request, name, Caller::Task));

        // Look up, and join: of those that miss at one time, one computes.
        if let (Some(place), Some(right)) = (&place, &mut right)
            && let Some(value) = look_up_or_join(request, place, outcome, right).await
        {
            return value;
        }

        // Compute: the user's code, with nothing of ours locked. Its panic is the caller's, and ends the turn. Whenever it is polled,
        // the polling thread knows what is computed there.
        let started = Instant::now();
        let run = || right.as_ref().map(Right::run);
        let value = {
            let mut body = pin!({
                let _running = run();
                compute()
            });
            poll_fn(|context| {
                let _running = run();
                body.as_mut().poll(context)
            })
            .await
        };
        let cost = started.elapsed();

        // Store.
        match (&place, &mut right) {
            (Some(place), Some(right)) => {
                right.computed();
                let fate = fate(request, place, outcome, accept, &value, cost, right);
                if let Some(fate) = fate {
                    let ticket = request.own_ticket(place, outcome);
                    let kept = carry_out(request, place, fate, cost, right).await;
                    request.keep_own(place, outcome, ticket, kept, &value);
                }
            }
            _ => request.observer().computed(),
        }
        value
    })
}

/// The value that is found, or that another computes; none where this call is to compute.
#[inline(never)]
fn look_up_or_join<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    right: &mut Right<'_>,
) -> Apart<impl Future<Output = Option<R>>> {
    Apart::new(async move {
        let observer = request.observer();
        if request.overwrite {
            observer.forced();
        } else {
            match look_up(request, place, outcome, right).await {
                Ok(value) => {
                    observer.hit();
                    return Some(value);
                }
                Err(missed) => right.missed(&missed),
            }
        }
        if let Turn::Value(value) = take_turn(request, place, outcome, right).await {
            observer.shared();
            return Some(value);
        }
        right.settle();
        None
    })
}

/// What the backend is to be asked for a computed value.
enum Fate {
    Store(Result<Filling, Unstored>),
    Remove,
}

/// Decides that, before anything is awaited: the value need not be `Sync`.
#[inline(never)]
fn fate<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    accept: impl FnOnce(&R) -> bool,
    value: &R,
    cost: Duration,
    right: &mut Right<'_>,
) -> Option<Fate> {
    match verdict(request, outcome, accept, value) {
        Verdict::Store if !right.is_of_use() => {
            right.tell_unstored();
            None
        }
        Verdict::Store => {
            let deadline = right.budget.deadline();
            let _running = right.run();
            let filling = request.filling(place, outcome, value, cost, deadline);
            Some(Fate::Store(filling))
        }
        Verdict::Leave => {
            let _running = right.run();
            right.land_failure(outcome, value);
            None
        }
        Verdict::Remove => Some(Fate::Remove),
    }
}

/// Asks it; returns what is stored of the value.
#[inline(never)]
fn carry_out(
    request: &Request,
    place: &Place<'_>,
    fate: Fate,
    cost: Duration,
    right: &mut Right<'_>,
) -> Apart<impl Future<Output = Option<Kept>>> {
    Apart::new(async move {
        let deadline = right.budget.deadline();
        let filling = match fate {
            Fate::Store(filling) => filling,
            Fate::Remove => {
                remove(request, place, deadline).await;
                return None;
            }
        };
        let kept = match &filling {
            Ok(Filling::Whole(fill)) => Some(fill.kept.clone()),
            Ok(Filling::Chunks(_)) | Err(_) => None,
        };
        let filled = store(request, place, filling, cost, deadline, Some(right)).await;
        kept.filter(|_| filled)
    })
}

/// As [`sync::take_turn`](super::sync).
async fn take_turn<R>(
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
            wait(waiter, &mut patience).await
        }
    };
    let stores_nothing = matches!(part, Part::Inside | Part::Beside);
    if let Some(landed) = right.play(part)
        && let Ok(value) = open_landed(request, place, outcome, landed, request.deadline()).await
    {
        return Turn::Value(value);
    }
    let mut elsewhere = Elsewhere::default();
    let mut deadline = right.budget.deadline();
    while right.lease.is_none() && !right.failed && !stores_nothing {
        let answer = ask_for_lease(request, place.name(), right.replaces, deadline).await;
        match right.answered(answer, &mut patience) {
            Answered::Settled => break,
            Answered::Found(bytes) => match open(request, place, outcome, &bytes, deadline).await {
                Ok(value) => {
                    right.land(Kept::Bytes(bytes));
                    return Turn::Value(value);
                }
                Err(_) => right.replaces = true,
            },
            Answered::Busy(until) => {
                elsewhere.waits(request);
                if let Some(leader) = &right.leader {
                    right.lease = timeout(Some(until), leader.offered()).await;
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
async fn wait(mut waiter: Waiter<Landed, Lease>, patience: &mut Patience) -> Part<Landed, Lease> {
    loop {
        if let Some(part) = timeout(patience.until(), &mut waiter).await {
            return part;
        }
        match waiter.relieve() {
            Joined::Plays(part) => return part,
            Joined::Waits(again) => waiter = again,
        }
        patience.renew();
    }
}

async fn ask_for_lease(
    request: &Request,
    name: &CacheKey,
    replaces: bool,
    deadline: Deadline,
) -> Result<backend::Lookup, NoAnswer> {
    let life = request.runtime.longest_wait();
    if replaces {
        let lease = ask(request, "lease", deadline, |backend| {
            backend.lease(name.as_str(), life, deadline)
        });
        lease.await.map(backend::Lookup::Granted)
    } else {
        let lookup = ask(request, "lease", deadline, |backend| {
            backend.get_or_lease(name.as_str(), life, deadline)
        });
        lookup.await
    }
}

/// Writes the entry of a value, after its chunks if it is too large for one; says whether it is stored. Without a right it is
/// written whatever there is.
async fn store(
    request: &Request,
    place: &Place<'_>,
    filling: Result<Filling, Unstored>,
    cost: Duration,
    deadline: Deadline,
    right: Option<&mut Right<'_>>,
) -> bool {
    let (entry, chunked) = match filling {
        Ok(Filling::Whole(fill)) => (fill, None),
        Ok(Filling::Chunks(mut chunked)) => {
            let Some(fill) = chunks::store(request, place, &mut chunked, cost, deadline).await
            else {
                return false;
            };
            (fill, Some(chunked))
        }
        Err(unstored) => {
            request.unstorable(&unstored);
            return false;
        }
    };
    let written = match right {
        Some(right) => fill(request, place, right, entry, deadline).await,
        None => write(request, place, entry, deadline).await,
    };
    if let Some(chunked) = chunked.filter(|_| !written) {
        chunks::abandon(request, &chunked, deadline).await;
    }
    written
}

/// As [`sync::fill`](super::sync).
async fn fill(
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
    let name = place.name().as_str();
    let filled = fill_by(request, place, lease, fill, Whether::Found, deadline).await;
    right.filled(filled, deadline);
    if right.must_take_back(lease) {
        let deleted = ask(request, "delete", deadline, |backend| {
            backend.delete(name, deadline)
        });
        let _ = deleted.await;
        return false;
    }
    filled.unwrap_or(false)
}

/// As [`sync::fill_by`](super::sync::fill_by).
pub(super) async fn fill_by(
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
            (kept, Some(shelf)) => {
                let filled = shelf.fill(name, lease, kept, life);
                Box::pin(ready(Ok(filled)))
            }
            (Kept::Value(_), None) => Box::pin(ready(Ok(false))),
        }
    });
    let filled = filled.await;
    match filled {
        Ok(true) => {
            request.observer().stored();
            rotation::remove_previous(request, place, removes, deadline).await;
        }
        Ok(false) => request.observer().outdated(),
        Err(_) => {}
    }
    filled
}

/// As [`sync::write`](super::sync).
async fn write(request: &Request, place: &Place<'_>, fill: Fill, deadline: Deadline) -> bool {
    // A computation that began before must not overwrite it.
    request.runtime.void(place.name().as_str());
    let mut right = Right::new(request, place.name(), Caller::Task);
    if let Ok(lookup) = ask_for_lease(request, place.name(), true, deadline).await {
        right.looked_up(lookup);
    }
    let Some(lease) = right.lease else {
        return false;
    };
    let filled = fill_by(request, place, lease, fill, Whether::Always, deadline).await;
    right.filled(filled, deadline);
    // What was asked meanwhile may have been answered with the old one.
    request.runtime.forget_copy(place.name().as_str());
    filled.unwrap_or(false)
}

/// As [`sync::peek`](super::sync::peek).
pub(crate) async fn peek<R>(request: &Request, outcome: &Outcome<R>) -> Option<R> {
    if !request.may_be_stored() {
        return None;
    }
    // Nothing is written on the way: who only looks is not the one to seal it anew.
    let found = find(request, &request.place()?, outcome, request.deadline()).await;
    found.ok()
}

/// As [`sync::prime`](super::sync::prime).
pub(crate) async fn prime<R>(request: &Request, outcome: &Outcome<R>, value: R) -> bool {
    let observer = request.observer();
    let Some(place) = request.place_or_bypass(&observer) else {
        return false;
    };
    if !(outcome.is_value)(&value) {
        observer.declined();
        return false;
    }
    let (deadline, cost) = (request.deadline(), Duration::ZERO);
    let filling = request.filling(&place, outcome, &value, cost, deadline);
    drop(value);
    store(request, &place, filling, cost, deadline, None).await
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
    let removed = remove(request, &place, request.deadline()).await;
    if removed {
        observer.invalidated();
    }
    removed
}

/// As [`sync::remove`](super::sync).
async fn remove(request: &Request, place: &Place<'_>, deadline: Deadline) -> bool {
    let found = fetch(request, place, deadline.halfway());
    let found = found.await.unwrap_or_default();
    request.runtime.void(place.name().as_str());
    let removed = match place.several_names() {
        Some(names) => rotation::remove_all(request, place, &names, deadline).await,
        None => {
            ask(request, "delete", deadline, |backend| {
                backend.delete(place.name().as_str(), deadline)
            })
            .await
        }
    };
    request.runtime.void(place.name().as_str());
    let readers: Vec<_> = request.policy(place).chunks_of(&found).collect();
    for reader in readers {
        chunks::remove(request, reader.names(), deadline).await;
    }
    removed.is_ok()
}
