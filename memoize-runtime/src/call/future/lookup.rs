//! Looking up, awaited; as [`lookup`](crate::call::lookup) for the drivers that block.

use std::future::ready;
use std::sync::Arc;

use super::ask::ask;
use super::{chunks, resealing, rotation};
use crate::backend::{Bytes, Deadline};
use crate::call::ask::NoAnswer;
use crate::call::landed::Landed;
use crate::call::lookup::{Found, usable};
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::call::request::Request;
use crate::call::resealing::Resealing;
use crate::call::turn::{Gathered, Missed, Right, gather_some};
use crate::engine::Opened;
use crate::entry::Reject;
use crate::entry::chunk::Reader;
use crate::guard::Own;
use crate::local::Kept;

/// As [`lookup::look_up`](crate::call::lookup::look_up).
pub(super) async fn look_up<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    right: &mut Right<'_>,
) -> Result<R, Missed> {
    if let Some(copy) = request.copy(place, outcome) {
        right.replaces = copy.is_err();
        return copy.map_err(Missed::Rejected);
    }
    right.is_under_way = request.is_led(place);
    let ticket = request.ticket(place, outcome);
    let found = fetch_or_lease(request, place, right).await?;
    let deadline = right.budget.deadline();
    let value = read(request, place, outcome, &found, Some(right), deadline).await?;
    request.keep_found(place, outcome, ticket, &found, &value);
    Ok(value)
}

/// As [`lookup::find`](crate::call::lookup::find).
pub(super) async fn find<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    deadline: Deadline,
) -> Result<R, Missed> {
    if let Some(copy) = request.copy(place, outcome) {
        return copy.map_err(Missed::Rejected);
    }
    let found = fetch(request, place, deadline).await?;
    read(request, place, outcome, &found, None, deadline).await
}

/// As [`lookup::open`](crate::call::lookup::open).
pub(super) async fn open<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    entry: &Bytes,
    deadline: Deadline,
) -> Result<R, Missed> {
    let found = [Some(entry.clone())];
    read(request, place, outcome, &found, None, deadline).await
}

/// As [`lookup::open_landed`](crate::call::lookup::open_landed).
pub(super) async fn open_landed<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    landed: Landed,
    deadline: Deadline,
) -> Result<R, Missed> {
    let kept = match landed {
        Landed::Entry(kept) => kept,
        Landed::Failure(failure) => {
            let failures = outcome.failures.as_ref();
            let taken = failures.and_then(|failures| (failures.take)(&*failure));
            return taken.ok_or(Missed::Absent);
        }
    };
    if let Kept::Value(value) = &kept
        && let Some(copy) = request.read(place, outcome, Arc::clone(value))
    {
        return copy.map_err(Missed::Rejected);
    }
    let bytes = kept.into_bytes().ok_or(Missed::Absent)?;
    open(request, place, outcome, &bytes, deadline).await
}

/// As [`lookup::fetch_or_lease`](crate::call::lookup::fetch_or_lease).
pub(in crate::call) async fn fetch_or_lease(
    request: &Request,
    place: &Place<'_>,
    right: &mut Right<'_>,
) -> Result<Found, NoAnswer> {
    let deadline = right.budget.deadline();
    if request.policy(place).life_ms == 0 || right.is_under_way {
        return fetch(request, place, deadline).await;
    }
    let life = request.runtime.longest_wait();
    let name = place.name().as_str();
    let Some(names) = place.several_names() else {
        let process = right.process();
        let lookup = ask(request, "get", deadline, |backend| {
            match request.runtime.tier().memory() {
                Some(memory) => Box::pin(ready(Ok(memory.get_or_lease_in(process, name, life)))),
                None => backend.get_or_lease(name, life, deadline),
            }
        });
        let lookup = lookup.await.map_err(|why| right.refused(why))?;
        return Ok(Found::One([right.looked_up(lookup)]));
    };
    let answer = ask(request, "get", deadline, |backend| {
        backend.get_many_or_lease(name, &names[1..], life, deadline)
    });
    let (lookup, mut found) = answer.await?;
    found.insert(0, right.looked_up(lookup));
    Ok(Found::Many(found))
}

/// As [`lookup::fetch`](crate::call::lookup::fetch).
pub(super) async fn fetch(
    request: &Request,
    place: &Place<'_>,
    deadline: Deadline,
) -> Result<Found, NoAnswer> {
    let Some(names) = place.several_names() else {
        let found = ask(request, "get", deadline, |backend| {
            backend.get(place.name().as_str(), deadline)
        });
        return Ok(Found::One([found.await?]));
    };
    let found = ask(request, "get", deadline, |backend| {
        backend.get_many(&names, deadline)
    });
    Ok(Found::Many(found.await?))
}

async fn read<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    found: &[Option<Bytes>],
    right: Option<&mut Right<'_>>,
    deadline: Deadline,
) -> Result<R, Missed> {
    let now_ms = request.runtime.now_ms();
    let mut passed_over = Vec::new();
    let policy = request.policy(place);
    let lookup = policy.look(found, outcome, now_ms, &mut passed_over);
    // Who has no right to anything only looks, which is not counted.
    if right.is_some() {
        request.observer().passed_over(&passed_over);
    }
    let (opened, renewal) = usable(lookup)?;
    let renewal = renewal.zip(right);
    let mut reader = match opened {
        Opened::Value(value) => {
            if let Some((renewal, right)) = renewal
                && let Some(lease) = right.lease
            {
                let renewed =
                    rotation::renew(request, place, &renewal, None, lease, deadline).await;
                // One that there was no time to fill by is given up with the right.
                if renewed || !deadline.has_passed() {
                    right.lease = None;
                }
            }
            return Ok(value);
        }
        Opened::Chunks(reader) => reader,
    };
    let Some((renewal, right)) = renewal else {
        return gather(request, &mut reader, outcome, &mut None, deadline).await;
    };
    // The rest of the budget is for reading.
    let until = Some(deadline.halfway());
    let mut resealing = Resealing::begin(request, place, renewal, right, until);
    let value = gather(request, &mut reader, outcome, &mut resealing, deadline).await;
    if let Some(resealing) = resealing {
        if value.is_ok() {
            resealing::finish(*resealing, place, deadline).await;
        } else {
            right.lease = resealing.give_back();
        }
    }
    value
}

/// Reads a value that is in chunks.
async fn gather<R>(
    request: &Request,
    reader: &mut Reader,
    outcome: &Outcome<R>,
    resealing: &mut Option<Box<Resealing>>,
    deadline: Deadline,
) -> Result<R, Missed> {
    let mut value = Own(None);
    while let Gathered::Starved = gather_some(request, reader, outcome, &mut value.0)? {
        chunks::supply(request, reader, resealing, deadline).await?;
    }
    value.0.take().ok_or(Missed::Rejected(Reject::Damaged))
}
