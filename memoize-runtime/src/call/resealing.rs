//! Sealing what is in chunks anew, while it is read under the name of a previous secret.

use std::time::Duration;

use super::ask::ask;
use super::chunks;
use super::place::Place;
use super::request::Request;
use super::rotation;
use super::turn::{Caller, release};
use crate::backend::{Bytes, Deadline, Lease};
use crate::engine::Renewal;
use crate::entry::chunk::Resealer;
use crate::key::CacheKey;

/// An entry in chunks that was found under a previous name, on its way to the current one.
///
/// What a reader opens becomes chunks of a new generation; when all of them are stored, the entry that lists them is. Where
/// anything fails, or the reader stops, the old entry stays where it is: when this is dropped, what was stored is removed.
/// A task can't wait for that; there it dies by its expiration.
pub(super) struct Resealing {
    pub(super) request: Request,
    caller: Caller,
    pub(super) renewal: Renewal,
    pub(super) lease: Lease,
    /// Whether there is nothing to be undone.
    pub(super) is_settled: bool,
}

impl Resealing {
    /// The lease is that for the current name.
    pub(super) fn new(request: &Request, caller: Caller, renewal: Renewal, lease: Lease) -> Self {
        Self {
            request: request.clone(),
            caller,
            renewal,
            lease,
            is_settled: false,
        }
    }

    /// What seals the chunks that are opened.
    pub(super) fn resealer(&mut self) -> Option<&mut Resealer> {
        self.renewal.resealer.as_deref_mut()
    }

    /// The lease, where nothing was stored and the stream turned out not to be whole.
    pub(super) fn give_back(mut self) -> Lease {
        self.is_settled = true;
        self.lease
    }

    /// Stores the chunks that were sealed; says whether that was acknowledged.
    pub(super) fn store(&mut self, deadline: Deadline) -> bool {
        let (chunks, life) = self.take();
        chunks.into_iter().all(|(name, bytes)| {
            ask(&self.request, "set chunk", deadline, |backend| {
                backend.set(name.as_str(), bytes, life, deadline)
            })
            .is_ok()
        })
    }

    /// Stores the chunks that are left, and the entry that lists all of them.
    pub(super) fn finish(mut self, place: &Place<'_>, deadline: Deadline) {
        self.is_settled = self.store(deadline)
            && rotation::renew(&self.request, place, &self.renewal, self.lease, deadline);
    }

    /// The chunks that were sealed and not taken before, and how long they are to live.
    pub(super) fn take(&mut self) -> (Vec<(CacheKey, Bytes)>, Duration) {
        let life = self.renewal.chunk_life();
        let chunks = self.resealer().map(Resealer::take);
        (chunks.unwrap_or_default(), life)
    }
}

impl Drop for Resealing {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        let mut budget = self.request.budget();
        if let Some(place) = self.request.place() {
            release(
                &self.request,
                place.name(),
                self.lease,
                self.caller,
                &mut budget,
            );
        }
        if let (Caller::Thread, Some(resealer)) = (self.caller, &self.renewal.resealer) {
            chunks::remove(&self.request, resealer.names(), budget.deadline());
        }
    }
}
