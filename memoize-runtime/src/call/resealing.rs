//! Sealing what is in chunks anew, while it is read under the name of a previous secret.

use super::chunks;
use super::place::Place;
use super::recorder::Chunk;
use super::request::Request;
use super::rotation;
use super::turn::{Caller, release};
use crate::backend::{Deadline, Lease};
use crate::engine::Renewal;
use crate::entry::chunk::Resealer;

/// An entry in chunks that was found under a previous name, on its way to the current one.
///
/// What a reader opens becomes chunks of a new generation; when all of them are stored, the entry that lists them is. Where
/// anything fails, or the reader stops, the old entry stays where it is: when this is dropped, what was stored is removed, which
/// a task doesn't wait for.
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
        let mut sealed = self.take().into_iter();
        sealed.all(|chunk| chunks::store(&self.request, chunk, deadline))
    }

    /// Stores the chunks that are left, and the entry that lists all of them.
    pub(super) fn finish(mut self, place: &Place<'_>, deadline: Deadline) {
        self.is_settled = self.store(deadline)
            && rotation::renew(&self.request, place, &self.renewal, self.lease, deadline);
    }

    /// The chunks that were sealed and not taken before.
    pub(super) fn take(&mut self) -> Vec<Chunk> {
        let life = self.renewal.chunk_life();
        let sealed = self.resealer().map(Resealer::take).unwrap_or_default();
        let chunk = |(name, bytes)| Chunk { name, bytes, life };
        sealed.into_iter().map(chunk).collect()
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
        if let Some(resealer) = &self.renewal.resealer {
            let names = resealer.names();
            chunks::discard(&self.request, names, self.caller, budget.deadline());
        }
    }
}
