//! The driver of functions that are awaited: as [`sync`](super::sync), with waits that leave the thread to others.
//!
//! A future of these is `Send` where the body's future and the value are. It may be dropped at any moment: whoever waits for it is
//! told, and what was begun is given up.

mod chunks;
mod rotation;

use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::backend::{self, Answer, AsyncBackend, BackendError, Bytes, Deadline};
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::call::request::Request;
use crate::call::sync::{Found, usable};
use crate::call::turn::{
    Caller, Gathered, Missed, Patience, Right, Turn, Verdict, gather_some, verdict,
};
use crate::engine::{Fill, Filling, Opened, Renewal, Unstored};
use crate::entry::Reject;
use crate::flight::{Joined, Part};
use crate::guard::guard;
use crate::key::CacheKey;
use crate::local::Kept;
use crate::timer::{sleep_until, timeout};

/// As [`sync::get_or_compute`](super::sync::get_or_compute).
pub(crate) async fn get_or_compute<R, F: Future<Output = R>>(
    request: &Request,
    outcome: &Outcome<R>,
    accept: impl FnOnce(&R) -> bool,
    compute: impl FnOnce() -> F,
) -> R {
    let observer = request.observer();

    // Bypass: without a key there is nothing to ask for, and without a secret nowhere to store what must not be in the clear.
    let Some(place) = request.place_or_bypass(&observer) else {
        let value = compute().await;
        observer.computed();
        return value;
    };

    // Refused: the codec can't hold the type, so there is nothing to find and nothing to store.
    if let Some(refusal) = request.stored.refusal() {
        let value = compute().await;
        observer.computed();
        observer.refused(refusal, request.stored.tells_refusal());
        return value;
    }

    // Look up.
    let mut replaces = request.overwrite;
    if request.overwrite {
        observer.forced();
    } else {
        match look_up(request, &place, outcome).await {
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
    let mut right = match take_turn(request, &place, outcome, replaces).await {
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
    match verdict(request, outcome, accept, &value) {
        Verdict::Store if right.is_none() => observer.outdated(),
        Verdict::Store => {
            let filling = {
                let _running = right.run();
                request.filling(&place, outcome, &value, cost)
            };
            let kept = match &filling {
                Ok(Filling::Whole(fill)) => Some(fill.kept.clone()),
                Ok(Filling::Chunks(_)) | Err(_) => None,
            };
            if store(request, &place, filling, cost, Some(&mut right)).await
                && let Some(kept) = kept
            {
                request.settle(outcome, &kept);
            }
        }
        Verdict::Leave => {}
        Verdict::Remove => {
            remove(request, &place).await;
        }
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
        Part::Landed(kept) => {
            if let Ok(value) = open_kept(request, place, outcome, kept).await {
                return Turn::Value(value);
            }
        }
        Part::Leads(leader) => right.leader = Some(leader),
        Part::Alone => {}
        Part::Inside => return Turn::Compute(right),
    }
    loop {
        match ask_for_lease(request, place.name(), replaces).await {
            Some(backend::Lookup::Granted(lease)) => {
                right.lease = Some(lease);
                return Turn::Compute(right);
            }
            Some(backend::Lookup::Found(bytes)) => {
                match open(request, place, outcome, &bytes).await {
                    Ok(value) => {
                        right.land(Kept::Bytes(bytes));
                        return Turn::Value(value);
                    }
                    Err(_) => replaces = true,
                }
            }
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
    name: &CacheKey,
    replaces: bool,
) -> Option<backend::Lookup> {
    let life = request.runtime.longest_wait();
    if replaces {
        let lease = ask(request, "lease", |backend| {
            backend.lease(name.as_str(), life, Deadline::NEVER)
        });
        lease.await.map(backend::Lookup::Granted)
    } else {
        let lookup = ask(request, "lease", |backend| {
            backend.get_or_lease(name.as_str(), life, Deadline::NEVER)
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
    right: Option<&mut Right<'_>>,
) -> bool {
    let (entry, chunked) = match filling {
        Ok(Filling::Whole(fill)) => (fill, None),
        Ok(Filling::Chunks(mut chunked)) => {
            let Some(fill) = chunks::store(request, place, &mut chunked, cost).await else {
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
        Some(right) => fill(request, place, right, entry).await,
        None => write(request, place, entry).await,
    };
    if let Some(chunked) = chunked.filter(|_| !written) {
        chunks::abandon(request, &chunked).await;
    }
    written
}

/// As [`sync::fill`](super::sync).
async fn fill(request: &Request, place: &Place<'_>, right: &mut Right<'_>, fill: Fill) -> bool {
    let Fill { kept, life } = fill;
    right.land(kept.clone());
    let Some(lease) = right.lease_to_fill() else {
        request.observer().outdated();
        return false;
    };
    let name = right.name;
    let filled = ask(request, "fill", |backend| {
        match (kept, request.shelf(place)) {
            (Kept::Bytes(bytes), _) => {
                backend.fill(name.as_str(), lease, bytes, life, Deadline::NEVER)
            }
            (kept, Some(shelf)) => {
                let filled = shelf.fill_kept(name.as_str(), lease, kept, life);
                Box::pin(ready(Ok(filled)))
            }
            (Kept::Value(_), None) => Box::pin(ready(Ok(false))),
        }
    });
    let filled = filled.await;
    match filled {
        Some(true) => request.observer().stored(),
        Some(false) => request.observer().outdated(),
        None => {}
    }
    if filled == Some(true) {
        rotation::forget_previous(request, place).await;
    }
    if right.must_take_back(lease) {
        let deleted = ask(request, "delete", |backend| {
            backend.delete(name.as_str(), Deadline::NEVER)
        });
        deleted.await;
        return false;
    }
    filled == Some(true)
}

/// Writes an entry whatever there is, and whoever computes one.
async fn write(request: &Request, place: &Place<'_>, fill: Fill) -> bool {
    // A computation that began before must not overwrite it.
    request.runtime.flights().void(place.name().as_str());
    let written = set(request, place, fill).await;
    if written {
        request.observer().stored();
        rotation::forget_previous(request, place).await;
    }
    written
}

async fn set(request: &Request, place: &Place<'_>, fill: Fill) -> bool {
    let Fill { kept, life } = fill;
    let name = place.name().as_str();
    let written = ask(request, "set", |backend| {
        match (kept, request.shelf(place)) {
            (Kept::Bytes(bytes), _) => backend.set(name, bytes, life, Deadline::NEVER),
            (kept, Some(shelf)) => {
                shelf.keep(name, kept, life);
                Box::pin(ready(Ok(())))
            }
            (Kept::Value(_), None) => Box::pin(ready(Ok(()))),
        }
    });
    written.await.is_some()
}

/// As [`sync::peek`](super::sync::peek).
pub(crate) async fn peek<R>(request: &Request, outcome: &Outcome<R>) -> Option<R> {
    if !request.has_key() || request.stored.refusal().is_some() {
        return None;
    }
    // Nothing is written on the way: who only looks is not the one to seal it anew.
    let (value, _) = find(request, &request.place()?, outcome).await.ok()?;
    Some(value)
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
    if let Some(refusal) = request.stored.refusal() {
        observer.refused(refusal, request.stored.tells_refusal());
        return false;
    }
    let filling = request.filling(&place, outcome, &value, Duration::ZERO);
    drop(value);
    store(request, &place, filling, Duration::ZERO, None).await
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
    let removed = remove(request, &place).await;
    if removed {
        observer.invalidated();
    }
    removed
}

/// As [`sync::remove`](super::sync).
async fn remove(request: &Request, place: &Place<'_>) -> bool {
    let found = fetch(request, place).await.unwrap_or_default();
    request.runtime.flights().void(place.name().as_str());
    let names = place.several_names();
    let removed = ask(request, "delete", |backend| match &names {
        None => backend.delete(place.name().as_str(), Deadline::NEVER),
        Some(names) => backend.delete_many(names, Deadline::NEVER),
    });
    let removed = removed.await;
    request.runtime.flights().void(place.name().as_str());
    let readers: Vec<_> = request.policy(place).chunks_of(&found).collect();
    for reader in readers {
        chunks::remove(request, reader.names()).await;
    }
    removed.is_some()
}

async fn look_up<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
) -> Result<R, Missed> {
    let (value, renewal) = find(request, place, outcome).await?;
    if let Some(renewal) = renewal {
        rotation::renew(request, place, renewal).await;
    }
    Ok(value)
}

async fn find<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
) -> Result<(R, Option<Renewal>), Missed> {
    if let Some(copy) = request.copy(place, outcome) {
        return copy.map(|value| (value, None)).map_err(Missed::Rejected);
    }
    let found = fetch(request, place).await.ok_or(Missed::Unanswered)?;
    read(request, place, outcome, &found).await
}

/// As [`sync::open_kept`](super::sync).
async fn open_kept<R>(
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
    open(request, place, outcome, &bytes).await
}

/// What the backend has under the names of the place; `None` where it could not be asked.
async fn fetch(request: &Request, place: &Place<'_>) -> Option<Found> {
    if let Some(names) = place.several_names() {
        let found = ask(request, "get", |backend| {
            backend.get_many(&names, Deadline::NEVER)
        });
        return found.await.map(Found::Many);
    }
    let found = ask(request, "get", |backend| {
        backend.get(place.name().as_str(), Deadline::NEVER)
    });
    found.await.map(|found| Found::One([found]))
}

/// The value of an entry that stands under the current name, if it may be used and all of it is there.
async fn open<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    entry: &Bytes,
) -> Result<R, Missed> {
    let found = [Some(entry.clone())];
    let (value, _) = read(request, place, outcome, &found).await?;
    Ok(value)
}

async fn read<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    found: &[Option<Bytes>],
) -> Result<(R, Option<Renewal>), Missed> {
    let now_ms = request.runtime.now_ms();
    let lookup = request.policy(place).look(found, outcome, now_ms);
    let (opened, renewal) = usable(lookup)?;
    let mut reader = match opened {
        Opened::Value(value) => return Ok((value, renewal)),
        Opened::Chunks(reader) => reader,
    };
    let mut value = None;
    while let Gathered::Starved = gather_some(request, &mut reader, outcome, &mut value)? {
        chunks::supply(request, &mut reader).await?;
    }
    let value = value.ok_or(Missed::Rejected(Reject::Damaged))?;
    Ok((value, renewal))
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
