//! What the awaited drivers do with chunks; as [`chunks`](crate::call::chunks) for those that block.

use std::time::Duration;

use super::ask::ask;
use super::resealing;
use crate::backend::{Bytes, Deadline};
use crate::call::ask::NoAnswer;
use crate::call::chunks::{BATCH, MOST_REMOVED, by_text, discard, hand_over};
use crate::call::place::Place;
use crate::call::recorder::Chunk;
use crate::call::request::Request;
use crate::call::resealing::Resealing;
use crate::call::turn::{Caller, Missed};
use crate::engine::{Chunked, Fill};
use crate::entry::chunk::Reader;
use crate::key::CacheKey;
use crate::observe::Abandoned;

/// As [`chunks::supply`](crate::call::chunks::supply).
pub(in crate::call) async fn supply(
    request: &Request,
    reader: &mut Reader,
    resealing: &mut Option<Box<Resealing>>,
    deadline: Deadline,
) -> Result<(), Missed> {
    let names = reader.wants();
    if names.is_empty() {
        return Ok(());
    }
    let chunks = fetch(request, &names, deadline).await;
    hand_over(reader, resealing.as_deref_mut(), chunks)?;
    if let Some(begun) = resealing {
        let deadline = begun.store_by(reader, deadline);
        if !resealing::store(begun, deadline).await {
            *resealing = None;
        }
    }
    Ok(())
}

/// As [`chunks::fetch`](crate::call::chunks::fetch).
pub(in crate::call) async fn fetch(
    request: &Request,
    names: &[CacheKey],
    deadline: Deadline,
) -> Result<Vec<Option<Bytes>>, NoAnswer> {
    let names: Vec<&str> = names.iter().map(CacheKey::as_str).collect();
    let chunks = ask(request, "get chunks", deadline, |backend| {
        backend.get_many(&names, deadline)
    });
    chunks.await
}

/// As [`chunks::store`](crate::call::chunks::store).
pub(in crate::call) async fn store_one(
    request: &Request,
    Chunk { name, bytes, life }: Chunk,
    deadline: Deadline,
) -> bool {
    let stored = ask(request, "set chunk", deadline, |backend| {
        backend.set(name.as_str(), bytes, life, deadline)
    });
    stored.await.is_ok()
}

/// As [`chunks::store_all`](crate::call::chunks::store_all).
pub(in crate::call) async fn store_all(
    request: &Request,
    chunks: &[(CacheKey, Bytes)],
    life: Duration,
    deadline: Deadline,
) -> bool {
    let entries = by_text(chunks);
    if entries.is_empty() {
        return true;
    }
    let stored = ask(request, "set chunks", deadline, |backend| {
        backend.set_many(&entries, life, deadline)
    });
    stored.await.is_ok()
}

/// Stores the chunks of a value; the entry that lists them is still to be written. Without one, nothing is left of them.
pub(super) async fn store(
    request: &Request,
    place: &Place<'_>,
    chunked: &mut Chunked,
    cost: Duration,
    deadline: Deadline,
) -> Option<Fill> {
    loop {
        let writer = &mut chunked.writer;
        let Some((name, bytes)) = writer.chunk_of_value() else {
            break;
        };
        let life = chunked.chunk_life(request.runtime.now_ms());
        if !store_one(request, Chunk { name, bytes, life }, deadline).await {
            abandon(request, chunked, deadline).await;
            return None;
        }
    }
    let now_ms = request.runtime.now_ms();
    match request.policy(place).publish(chunked, cost, now_ms) {
        Ok(fill) => Some(fill),
        Err(unstored) => {
            request.unstorable(&unstored);
            remove(request, chunked.writer.names(), deadline).await;
            None
        }
    }
}

/// Removes the chunks of a value whose entry wasn't written.
pub(super) async fn abandon(request: &Request, chunked: &Chunked, deadline: Deadline) {
    request.observer().abandoned(Abandoned::Unwritten);
    remove(request, chunked.writer.names(), deadline).await;
}

/// As [`chunks::remove`](crate::call::chunks::remove).
pub(super) async fn remove(
    request: &Request,
    names: impl Iterator<Item = CacheKey>,
    deadline: Deadline,
) {
    if deadline.has_passed() {
        return discard(request, names, Caller::Task, deadline);
    }
    let mut names = names.take(MOST_REMOVED);
    loop {
        let batch: Vec<CacheKey> = names.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return;
        }
        let batch: Vec<&str> = batch.iter().map(CacheKey::as_str).collect();
        let removed = ask(request, "delete chunks", deadline, |backend| {
            backend.delete_many(&batch, deadline)
        });
        if removed.await.is_err() {
            return;
        }
    }
}
