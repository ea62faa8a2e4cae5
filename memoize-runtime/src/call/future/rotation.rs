//! As [`rotation`](crate::call::rotation), awaited.

use super::{ask, chunks, set};
use crate::backend::Deadline;
use crate::call::place::Place;
use crate::call::request::Request;
use crate::engine::Renewal;

/// As [`rotation::renew`](crate::call::rotation::renew).
pub(super) async fn renew(request: &Request, place: &Place<'_>, renewal: Renewal) {
    // What is in chunks stays where it is.
    let (Some(previous), None) = (place.guards().nth(renewal.nth), &renewal.resealer) else {
        return;
    };
    if !set(request, place, renewal.fill).await {
        return;
    }
    let still_there = ask(request, "get", |backend| {
        backend.get(previous.name().as_str(), Deadline::NEVER)
    });
    if still_there.await.flatten() == Some(renewal.found) {
        request.observer().resealed();
    } else {
        let deleted = ask(request, "delete", |backend| {
            backend.delete(place.name().as_str(), Deadline::NEVER)
        });
        deleted.await;
    }
}

/// As [`rotation::forget_previous`](crate::call::rotation::forget_previous).
pub(super) async fn forget_previous(request: &Request, place: &Place<'_>) {
    let Some(names) = place.several_names() else {
        return;
    };
    let previous = &names[1..];
    let found = ask(request, "get", |backend| {
        backend.get_many(previous, Deadline::NEVER)
    });
    let Some(mut found) = found
        .await
        .filter(|found| found.iter().any(Option::is_some))
    else {
        return;
    };
    let deleted = ask(request, "delete", |backend| {
        backend.delete_many(previous, Deadline::NEVER)
    });
    deleted.await;
    // The current name was not asked for.
    found.insert(0, None);
    let readers: Vec<_> = request.policy(place).chunks_of(&found).collect();
    for reader in readers {
        chunks::remove(request, reader.names()).await;
    }
}
