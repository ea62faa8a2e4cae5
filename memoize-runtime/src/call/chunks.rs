//! What the drivers do with chunks: fetch, store and remove them. Those that block are here.

use std::time::Duration;

use super::ask::{NoAnswer, ask};
use super::recorder::Chunk;
use super::request::Request;
use super::resealing::Resealing;
use super::turn::{Caller, Missed};
use crate::backend::{Bytes, Deadline};
use crate::breaker::Breaker;
use crate::entry::Reject;
use crate::entry::chunk::Reader;
use crate::guard::guard;
use crate::key::CacheKey;

/// How many chunks are removed at once.
pub(super) const BATCH: usize = 64;

/// The most chunks that are removed by name: those of 16 GiB. What a manifest claims beyond is left to its expiration.
pub(super) const MOST_REMOVED: usize = 1 << 16;

/// Gives the reader the chunks that it wants next.
///
/// What is to be sealed anew is stored as it comes, so that no more than these chunks is held twice; where one can't be stored,
/// the rest isn't sealed.
pub(super) fn supply(
    request: &Request,
    reader: &mut Reader,
    resealing: &mut Option<Box<Resealing>>,
    deadline: Deadline,
) -> Result<(), Missed> {
    let names = reader.wants();
    if names.is_empty() {
        return Ok(());
    }
    let chunks = fetch(request, &names, deadline);
    hand_over(reader, resealing.as_deref_mut(), chunks)?;
    if let Some(begun) = resealing {
        let deadline = begun.store_by(reader, deadline);
        if !begun.store(deadline) {
            *resealing = None;
        }
    }
    Ok(())
}

/// The backend's answer for some chunks.
pub(super) fn fetch(
    request: &Request,
    names: &[CacheKey],
    deadline: Deadline,
) -> Result<Vec<Option<Bytes>>, NoAnswer> {
    let names: Vec<&str> = names.iter().map(CacheKey::as_str).collect();
    ask(request, "get chunks", deadline, |backend| {
        backend.get_many(&names, deadline)
    })
}

/// Gives the reader the backend's answer.
pub(super) fn hand_over(
    reader: &mut Reader,
    resealing: Option<&mut Resealing>,
    chunks: Result<Vec<Option<Bytes>>, NoAnswer>,
) -> Result<(), Missed> {
    let chunks = chunks?;
    let resealer = resealing.map(|resealing| &mut resealing.resealer);
    reader.supply(chunks, resealer).map_err(|reject| {
        Missed::Rejected(match reject {
            Reject::Flags | Reject::Tampered => reject,
            // To the one who looks it up it is the same whether a chunk is gone or broken: not all of it is there.
            _ => Reject::Incomplete,
        })
    })
}

/// Stores one chunk; says whether that was acknowledged.
pub(super) fn store(
    request: &Request,
    Chunk { name, bytes, life }: Chunk,
    deadline: Deadline,
) -> bool {
    ask(request, "set chunk", deadline, |backend| {
        backend.set(name.as_str(), bytes, life, deadline)
    })
    .is_ok()
}

/// Stores several chunks, in one round trip where the backend can; says whether that was acknowledged.
pub(super) fn store_all(
    request: &Request,
    chunks: &[(CacheKey, Bytes)],
    life: Duration,
    deadline: Deadline,
) -> bool {
    let entries = by_text(chunks);
    entries.is_empty()
        || ask(request, "set chunks", deadline, |backend| {
            backend.set_many(&entries, life, deadline)
        })
        .is_ok()
}

/// Chunks as a backend takes them.
pub(super) fn by_text(chunks: &[(CacheKey, Bytes)]) -> Vec<(&str, Bytes)> {
    let entries = chunks.iter();
    entries
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect()
}

/// Removes chunks on behalf of one that may be a task, where nothing can be awaited.
pub(super) fn discard(
    request: &Request,
    names: impl Iterator<Item = CacheKey>,
    caller: Caller,
    deadline: Deadline,
) {
    let Caller::Task = caller else {
        return remove(request, names, deadline);
    };
    if request.runtime.breaker().is_some_and(Breaker::is_open) {
        return;
    }
    let mut names = names.take(MOST_REMOVED);
    loop {
        let batch: Vec<CacheKey> = names.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return;
        }
        let batch: Vec<&str> = batch.iter().map(CacheKey::as_str).collect();
        if guard(|| request.runtime.async_backend().discard(&batch)).is_none() {
            return request.observer().panicked("discard chunks");
        }
    }
}

/// Removes chunks that no entry lists any more, as far as the backend lets it: the others die by their expiration.
///
/// Where the time is over, as it is when that kept the rest from being written, nobody waits for it.
pub(super) fn remove(request: &Request, names: impl Iterator<Item = CacheKey>, deadline: Deadline) {
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
        if removed.is_err() {
            return;
        }
    }
}
