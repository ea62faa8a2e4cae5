//! Looking up, for the drivers that block.

use std::ops::Deref;
use std::sync::Arc;

use super::ask::{NoAnswer, ask};
use super::chunks;
use super::landed::Landed;
use super::outcome::Outcome;
use super::place::Place;
use super::request::Request;
use super::resealing::Resealing;
use super::rotation;
use super::turn::{Gathered, Missed, Right, gather_some};
use crate::backend::{Bytes, Deadline};
use crate::engine::{Lookup, Opened, Renewal};
use crate::entry::Reject;
use crate::entry::chunk::Reader;
use crate::guard::Own;
use crate::local::Kept;

/// The value that is found, or the right to store one; what was sealed with a previous secret is stored anew on the way.
#[inline(never)]
pub(super) fn look_up<R>(
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
    let found = fetch_or_lease(request, place, right)?;
    let deadline = right.budget.deadline();
    let value = read(request, place, outcome, &found, Some(right), deadline)?;
    request.keep_found(place, outcome, ticket, &found, &value);
    Ok(value)
}

/// The value that is found, without a right to anything.
pub(super) fn find<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    deadline: Deadline,
) -> Result<R, Missed> {
    if let Some(copy) = request.copy(place, outcome) {
        return copy.map_err(Missed::Rejected);
    }
    let found = fetch(request, place, deadline)?;
    read(request, place, outcome, &found, None, deadline)
}

/// The value of an entry that stands under the current name, if it may be used and all of it is there.
pub(super) fn open<R>(
    request: &Request,
    place: &Place<'_>,
    outcome: &Outcome<R>,
    entry: &Bytes,
    deadline: Deadline,
) -> Result<R, Missed> {
    let found = [Some(entry.clone())];
    read(request, place, outcome, &found, None, deadline)
}

/// The value that another call had computed meanwhile, or its error.
pub(super) fn open_landed<R>(
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
    open(request, place, outcome, &bytes, deadline)
}

/// What the backend has under the names of the place; where there is nothing under the current one, `right` gets the lease, in the
/// same round trip, unless another has it.
pub(super) fn fetch_or_lease(
    request: &Request,
    place: &Place<'_>,
    right: &mut Right<'_>,
) -> Result<Found, NoAnswer> {
    let deadline = right.budget.deadline();
    if request.policy(place).life_ms == 0 || right.is_under_way {
        return fetch(request, place, deadline);
    }
    let life = request.runtime.longest_wait();
    let name = place.name().as_str();
    match place.several_names() {
        None => {
            let process = right.process();
            let lookup = ask(request, "get", deadline, |backend| {
                match request.runtime.tier().memory() {
                    Some(memory) => Ok(memory.get_or_lease_in(process, name, life)),
                    None => backend.get_or_lease(name, life, deadline),
                }
            });
            let lookup = lookup.map_err(|why| right.refused(why))?;
            Ok(Found::One([right.looked_up(lookup)]))
        }
        Some(names) => {
            let answer = ask(request, "get", deadline, |backend| {
                backend.get_many_or_lease(name, &names[1..], life, deadline)
            });
            let (lookup, mut found) = answer?;
            found.insert(0, right.looked_up(lookup));
            Ok(Found::Many(found))
        }
    }
}

/// What the backend has under the names of the place.
pub(super) fn fetch(
    request: &Request,
    place: &Place<'_>,
    deadline: Deadline,
) -> Result<Found, NoAnswer> {
    match place.several_names() {
        None => ask(request, "get", deadline, |backend| {
            backend.get(place.name().as_str(), deadline)
        })
        .map(|found| Found::One([found])),
        Some(names) => ask(request, "get", deadline, |backend| {
            backend.get_many(&names, deadline)
        })
        .map(Found::Many),
    }
}

/// The value in what was found. Who has the right to stores what was sealed with a previous secret anew.
fn read<R>(
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
                let renewed = rotation::renew(request, place, &renewal, None, lease, deadline);
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
        return gather(request, &mut reader, outcome, &mut None, deadline);
    };
    // The rest of the budget is for reading.
    let until = Some(deadline.halfway());
    let mut resealing = Resealing::begin(request, place, renewal, right, until);
    let value = gather(request, &mut reader, outcome, &mut resealing, deadline);
    if let Some(resealing) = resealing {
        if value.is_ok() {
            resealing.finish(place, deadline);
        } else {
            right.lease = resealing.give_back();
        }
    }
    value
}

/// Reads a value that is in chunks.
fn gather<R>(
    request: &Request,
    reader: &mut Reader,
    outcome: &Outcome<R>,
    resealing: &mut Option<Box<Resealing>>,
    deadline: Deadline,
) -> Result<R, Missed> {
    let mut value = Own(None);
    while let Gathered::Starved = gather_some(request, reader, outcome, &mut value.0)? {
        chunks::supply(request, reader, resealing, deadline)?;
    }
    value.0.take().ok_or(Missed::Rejected(Reject::Damaged))
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
