//! What the blocking drivers do under the names of previous secrets.

use super::chunks;
use super::place::Place;
use super::request::Request;
use super::sync::{ask, set};
use crate::backend::Deadline;
use crate::engine::Renewal;

/// Writes what was found under a previous name under the current one.
///
/// A lookup takes nobody's turn, so that the entry may be invalidated or replaced between its reading and this writing. The
/// previous name is asked again afterwards for that, and what no longer stands there is taken back.
pub(super) fn renew(request: &Request, place: &Place<'_>, renewal: Renewal) {
    // What is in chunks stays where it is.
    let (Some(previous), None) = (place.guards().nth(renewal.nth), &renewal.resealer) else {
        return;
    };
    if !set(request, place, renewal.fill) {
        return;
    }
    let still_there = ask(request, "get", |backend| {
        backend.get(previous.name().as_str(), Deadline::NEVER)
    })
    .flatten();
    if still_there == Some(renewal.found) {
        request.observer().resealed();
    } else {
        ask(request, "delete", |backend| {
            backend.delete(place.name().as_str(), Deadline::NEVER)
        });
    }
}

/// Removes what is under the previous names, with its chunks, since an entry was written that replaces it.
///
/// Left there it would come back when the new entry is evicted. Where it can't be removed it is at least the older one.
pub(super) fn forget_previous(request: &Request, place: &Place<'_>) {
    let Some(names) = place.several_names() else {
        return;
    };
    let previous = &names[1..];
    let found = ask(request, "get", |backend| {
        backend.get_many(previous, Deadline::NEVER)
    });
    let Some(mut found) = found.filter(|found| found.iter().any(Option::is_some)) else {
        return;
    };
    ask(request, "delete", |backend| {
        backend.delete_many(previous, Deadline::NEVER)
    });
    // The current name was not asked for.
    found.insert(0, None);
    for reader in request.policy(place).chunks_of(&found) {
        chunks::remove(request, reader.names());
    }
}
