//! As [`rotation`](crate::call::rotation), awaited. All that is decided is decided there.

use std::future::ready;

use super::ask::ask;
use super::chunks;
use crate::backend::{Deadline, Lease};
use crate::call::ask::NoAnswer;
use crate::call::place::Place;
use crate::call::request::Request;
use crate::call::rotation::{HELD, Previous, Whether, Write};
use crate::call::turn::{Caller, release};
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
    let Some(mut write) = Write::new(request, place, renewal, chunks, lease) else {
        return false;
    };
    let (name, previous) = (place.name().as_str(), write.previous);
    let filled = ask(request, "fill", deadline, |backend| match write.seal() {
        Some((bytes, life)) => backend.fill(name, lease, bytes, life, deadline),
        None => Box::pin(ready(Ok(false))),
    });
    if let Some(stands) = write.filled(filled.await) {
        return stands;
    }
    let found = ask(request, "get", deadline, |backend| {
        backend.get(previous, deadline)
    });
    if write.may_stay(found.await) {
        return true;
    }
    let deleted = ask(request, "delete", deadline, |backend| {
        backend.delete(name, deadline)
    });
    write.taken_back(deleted.await)
}

/// As [`rotation::remove_all`](crate::call::rotation::remove_all).
pub(super) async fn remove_all(
    request: &Request,
    place: &Place<'_>,
    names: &[&str],
    deadline: Deadline,
) -> Result<(), NoAnswer> {
    loop {
        let deleted = ask(request, "delete", deadline, |backend| {
            backend.delete_many(names, deadline)
        });
        deleted.await?;
        let mut leases = Vec::with_capacity(names.len());
        for name in names {
            let lease = ask(request, "lease", deadline, |backend| {
                backend.lease(name, HELD, deadline)
            });
            leases.push(lease.await?);
        }
        let found = ask(request, "get", deadline, |backend| {
            backend.get_many(names, deadline)
        });
        let found = found.await;
        for (guard, lease) in place.guards().zip(leases) {
            let budget = &mut request.budget();
            release(request, guard.name(), lease, Caller::Task, budget);
        }
        if found?.iter().all(Option::is_none) {
            return Ok(());
        }
    }
}

/// As [`rotation::remove_previous`](crate::call::rotation::remove_previous).
pub(super) async fn remove_previous(
    request: &Request,
    place: &Place<'_>,
    whether: Whether,
    deadline: Deadline,
) {
    let Some(previous) = Previous::of(place, whether) else {
        return;
    };
    let found = ask(request, "get", deadline, |backend| {
        backend.get_many(&previous.names, deadline)
    });
    let Some(found) = previous.to_remove(found.await) else {
        return;
    };
    let deleted = ask(request, "delete", deadline, |backend| {
        backend.delete_many(&previous.names, deadline)
    });
    let _ = deleted.await;
    for reader in previous.streams(request, found) {
        chunks::remove(request, reader.names(), deadline).await;
    }
}
