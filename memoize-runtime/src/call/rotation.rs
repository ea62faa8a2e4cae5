//! What the blocking drivers do under the names of previous secrets.

use super::ask::ask;
use super::chunks;
use super::place::Place;
use super::request::Request;
use crate::backend::{Bytes, Deadline, Lease};
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
    if let Some(found) = found.ok().filter(|found| found.iter().any(Option::is_some)) {
        remove_previous(request, place, found, deadline);
    }
}

/// The same for an entry that nobody computed, whether something is under those names or not: who computes with another secret
/// has a lease for one of them, which must not outlast what was written here.
pub(super) fn void_previous(request: &Request, place: &Place<'_>, deadline: Deadline) {
    let Some(names) = place.several_names() else {
        return;
    };
    let found = ask(request, "get", deadline, |backend| {
        backend.get_many(&names[1..], deadline)
    });
    remove_previous(request, place, found.unwrap_or_default(), deadline);
}

fn remove_previous(
    request: &Request,
    place: &Place<'_>,
    mut found: Vec<Option<Bytes>>,
    deadline: Deadline,
) {
    let names = place.several_names().unwrap_or_default();
    let previous = names.get(1..).unwrap_or_default();
    let _ = ask(request, "delete", deadline, |backend| {
        backend.delete_many(previous, deadline)
    });
    // The current name was not asked for.
    found.insert(0, None);
    for reader in request.policy(place).chunks_of(&found) {
        chunks::remove(request, reader.names(), deadline);
    }
}
