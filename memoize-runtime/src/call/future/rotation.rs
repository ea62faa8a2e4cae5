//! As [`rotation`](crate::call::rotation), awaited.

use std::future::ready;

use super::ask::ask;
use super::chunks;
use crate::backend::{Bytes, Deadline, Lease};
use crate::call::place::Place;
use crate::call::request::Request;
use crate::call::rotation::Write;
use crate::engine::Renewal;
use crate::entry::chunk::Resealer;

/// As [`rotation::renew`](crate::call::rotation::renew).
pub(super) async fn renew(
    request: &Request,
    place: &Place<'_>,
    renewal: &Renewal,
    chunks: Option<&Resealer>,
    lease: Lease,
    deadline: Deadline,
) -> bool {
    let Some(previous) = place.guards().nth(renewal.nth) else {
        return false;
    };
    let name = place.name().as_str();
    let (policy, now_ms) = (request.policy(place), request.runtime.now_ms());
    let mut write = Write::new(request, place, chunks, lease);
    let filled = ask(request, "fill", deadline, |backend| {
        match policy.renew(renewal, chunks, now_ms) {
            Some((bytes, life)) => {
                write.is_open = true;
                backend.fill(name, lease, bytes, life, deadline)
            }
            None => Box::pin(ready(Ok(false))),
        }
    });
    match filled.await {
        Ok(true) => {}
        Ok(false) => {
            write.settle();
            return false;
        }
        Err(_) => return false,
    }
    if lease == Lease::UNCONDITIONAL {
        let still_there = ask(request, "get", deadline, |backend| {
            backend.get(previous.name().as_str(), deadline)
        });
        if still_there.await.ok().flatten().as_ref() != Some(&renewal.found) {
            let deleted = ask(request, "delete", deadline, |backend| {
                backend.delete(name, deadline)
            });
            if deleted.await.is_ok() {
                write.settle();
            }
            return false;
        }
    }
    write.settle();
    request.observer().resealed();
    true
}

/// As [`rotation::forget_previous`](crate::call::rotation::forget_previous).
pub(super) async fn forget_previous(request: &Request, place: &Place<'_>, deadline: Deadline) {
    let Some(names) = place.several_names() else {
        return;
    };
    let previous = &names[1..];
    let found = ask(request, "get", deadline, |backend| {
        backend.get_many(previous, deadline)
    });
    let found = found.await.ok();
    if let Some(found) = found.filter(|found| found.iter().any(Option::is_some)) {
        remove_previous(request, place, found, deadline).await;
    }
}

/// As [`rotation::void_previous`](crate::call::rotation::void_previous).
pub(super) async fn void_previous(request: &Request, place: &Place<'_>, deadline: Deadline) {
    let Some(names) = place.several_names() else {
        return;
    };
    let found = ask(request, "get", deadline, |backend| {
        backend.get_many(&names[1..], deadline)
    });
    let found = found.await.unwrap_or_default();
    remove_previous(request, place, found, deadline).await;
}

async fn remove_previous(
    request: &Request,
    place: &Place<'_>,
    mut found: Vec<Option<Bytes>>,
    deadline: Deadline,
) {
    let names = place.several_names().unwrap_or_default();
    let previous = names.get(1..).unwrap_or_default();
    let deleted = ask(request, "delete", deadline, |backend| {
        backend.delete_many(previous, deadline)
    });
    let _ = deleted.await;
    // The current name was not asked for.
    found.insert(0, None);
    let readers: Vec<_> = request.policy(place).chunks_of(&found).collect();
    for reader in readers {
        chunks::remove(request, reader.names(), deadline).await;
    }
}
