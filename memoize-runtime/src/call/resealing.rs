//! Sealing what is in chunks anew, while it is read under the name of a previous secret.

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
/// anything fails, or the reader stops, the old entry stays where it is: when this is dropped, what was stored is removed, which
/// nobody waits for, as the call's budget may be used up by then.
pub(super) struct Resealing {
    pub(super) request: Request,
    pub(super) renewal: Renewal,
    pub(super) lease: Lease,
    /// Whether there is nothing to be undone.
    pub(super) is_settled: bool,
}

impl Resealing {
    /// The lease is that for the current name.
    pub(super) fn new(request: &Request, renewal: Renewal, lease: Lease) -> Self {
        Self {
            request: request.clone(),
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
        let sealed = self.take();
        chunks::store_all(&self.request, &sealed, self.renewal.chunk_life(), deadline)
    }

    /// Stores the chunks that are left, and the entry that lists all of them.
    pub(super) fn finish(mut self, place: &Place<'_>, deadline: Deadline) {
        self.is_settled = self.store(deadline)
            && rotation::renew(&self.request, place, &self.renewal, self.lease, deadline);
    }

    /// The chunks that were sealed and not taken before, by their names.
    pub(super) fn take(&mut self) -> Vec<(CacheKey, Bytes)> {
        self.resealer().map(Resealer::take).unwrap_or_default()
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
                Caller::Task,
                &mut budget,
            );
        }
        if let Some(resealer) = &self.renewal.resealer {
            let names = resealer.names();
            chunks::discard(&self.request, names, Caller::Task, budget.deadline());
        }
    }
}
