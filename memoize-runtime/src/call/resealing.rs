//! Sealing what is in chunks anew, while it is read under the name of a previous secret.

use super::chunks;
use super::place::Place;
use super::request::Request;
use super::rotation;
use super::turn::{Caller, Right, release};
use crate::backend::{Deadline, Lease};
use crate::engine::Renewal;
use crate::entry::chunk::{Reader, Resealer};

/// An entry in chunks that was found under a previous name, on its way to the current one.
///
/// What a reader opens becomes chunks of a new generation; when all of them are stored, the entry that lists them is. Where
/// anything fails, or the reader stops, the old entry stays where it is: when this is dropped, what was stored is removed, which
/// nobody waits for, as the call's budget may be used up by then.
pub(super) struct Resealing {
    pub(super) request: Request,
    pub(super) renewal: Renewal,
    /// What seals the chunks that are opened.
    pub(super) resealer: Resealer,
    /// That for the current name; none where it was given back.
    pub(super) lease: Option<Lease>,
    /// By when chunks are to be stored as long as there is more to read, where that is on the same budget.
    pub(super) until: Option<Deadline>,
    /// Whether there is nothing to be undone.
    pub(super) is_settled: bool,
}

impl Resealing {
    /// Takes the lease for the current name, where the caller has it.
    pub(super) fn begin(
        request: &Request,
        place: &Place<'_>,
        renewal: Renewal,
        right: &mut Right<'_>,
        until: Option<Deadline>,
    ) -> Option<Box<Self>> {
        let lease = right.lease?;
        let resealer = request.policy(place).resealer(&renewal)?;
        right.lease = None;
        Some(Box::new(Self {
            request: request.clone(),
            renewal,
            resealer,
            lease: Some(lease),
            until,
            is_settled: false,
        }))
    }

    /// When to store by what `reader` was supplied with: no hit is to become a miss because it is sealed anew.
    pub(super) fn store_by(&self, reader: &Reader, deadline: Deadline) -> Deadline {
        match self.until {
            Some(until) if !reader.has_all() => until,
            _ => deadline,
        }
    }

    /// Stores the chunks that were sealed; says whether that was acknowledged.
    pub(super) fn store(&mut self, deadline: Deadline) -> bool {
        let sealed = self.resealer.take();
        let life = self.renewal.chunk_life(self.request.runtime.now_ms());
        !deadline.has_passed() && chunks::store_all(&self.request, &sealed, life, deadline)
    }

    /// Stores the entry that lists the chunks, all of which are stored.
    pub(super) fn finish(mut self, place: &Place<'_>, deadline: Deadline) {
        let Self {
            request,
            renewal,
            resealer,
            lease,
            ..
        } = &self;
        self.is_settled = lease.is_some_and(|lease| {
            rotation::renew(request, place, renewal, Some(resealer), lease, deadline)
        });
    }

    /// The lease, where what is in chunks turned out not to be whole.
    pub(super) fn give_back(mut self) -> Option<Lease> {
        self.lease.take()
    }
}

impl Drop for Resealing {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        let mut budget = self.request.budget();
        if let Some(place) = self.request.place()
            && let Some(lease) = self.lease
        {
            release(
                &self.request,
                place.name(),
                lease,
                Caller::Task,
                &mut budget,
            );
        }
        let names = self.resealer.names();
        chunks::discard(&self.request, names, Caller::Task, budget.deadline());
    }
}
