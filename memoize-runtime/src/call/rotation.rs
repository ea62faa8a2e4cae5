//! What the blocking drivers do under the names of previous secrets.

use super::ask::ask;
use super::chunks;
use super::place::Place;
use super::request::Request;
use crate::backend::{Deadline, Lease};
use crate::engine::Renewal;

/// Has what was found under a previous name stored under the current one, by the lease that its lookup was granted; says whether it is.
///
/// So what is invalidated or replaced meanwhile is not overwritten. A backend without leases can't tell: there the previous name is
/// asked again afterwards, and what no longer stands there is taken back.
pub(super) fn renew(
    request: &Request,
    place: &Place<'_>,
    renewal: &Renewal,
    lease: Lease,
    deadline: Deadline,
) -> bool {
    let Some(previous) = place.guards().nth(renewal.nth) else {
        return false;
    };
    let name = place.name().as_str();
    let filled = ask(request, "fill", deadline, |backend| {
        backend.fill(name, lease, renewal.bytes.clone(), renewal.life, deadline)
    });
    if !filled.unwrap_or(false) {
        return false;
    }
    if lease == Lease::UNCONDITIONAL {
        let still_there = ask(request, "get", deadline, |backend| {
            backend.get(previous.name().as_str(), deadline)
        });
        if still_there.ok().flatten().as_ref() != Some(&renewal.found) {
            let _ = ask(request, "delete", deadline, |backend| {
                backend.delete(name, deadline)
            });
            return false;
        }
    }
    request.observer().resealed();
    true
}

/// Removes what is under the previous names, with its chunks, since an entry was written that replaces it.
///
/// Left there it would come back when the new entry is evicted. Where it can't be removed it is at least the older one.
pub(super) fn forget_previous(request: &Request, place: &Place<'_>, deadline: Deadline) {
    let Some(names) = place.several_names() else {
        return;
    };
    let previous = &names[1..];
    let found = ask(request, "get", deadline, |backend| {
        backend.get_many(previous, deadline)
    });
    let Some(mut found) = found.ok().filter(|found| found.iter().any(Option::is_some)) else {
        return;
    };
    let _ = ask(request, "delete", deadline, |backend| {
        backend.delete_many(previous, deadline)
    });
    // The current name was not asked for.
    found.insert(0, None);
    for reader in request.policy(place).chunks_of(&found) {
        chunks::remove(request, reader.names(), deadline);
    }
}
