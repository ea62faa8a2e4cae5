//! What one call asks of the cache, whatever the type of its value.

use crate::backend::{Bytes, Deadline, Lease};
use crate::call::budget::Budget;
use crate::call::place::{self, Place, Protection};
use crate::config::{Current, Runtime};
use crate::engine::{Policy, Unstored};
use crate::entry::StoredType;
use crate::flight::Joined;
use crate::key::{CacheKey, FullKey};
use crate::observe::{Counters, Function, Observer};
use crate::site::Site;

/// A key and a policy, on the runtime that was current when the call began.
pub(crate) struct Request {
    pub(crate) runtime: Current,
    pub(crate) site: Option<&'static Site>,
    pub(crate) key: FullKey,
    pub(crate) stored: &'static StoredType,
    /// Of the type, or of a stream of it.
    pub(crate) fingerprint: u64,
    /// The call's own, where it has one.
    pub(crate) expiration_ms: Option<u64>,
    pub(crate) overwrite: bool,
    pub(crate) protection: Protection,
    /// The call's own, where it has one.
    pub(crate) compress: Option<bool>,
}

impl Request {
    /// Whether each part of the key could be written.
    pub(crate) fn has_key(&self) -> bool {
        self.key.is_usable()
    }

    /// Where the entry is; `None`, and told, where the call has to run as if it were not memoized.
    pub(crate) fn place_or_bypass(&self, observer: &Observer<'_>) -> Option<Place<'_>> {
        if !self.runtime.caches() {
            return None;
        }
        if !self.has_key() {
            observer.bypassed();
            return None;
        }
        let place = self.place();
        if place.is_none() {
            observer.unsealed();
        }
        place
    }

    /// Whether there may be an entry to be found.
    pub(crate) fn may_be_stored(&self) -> bool {
        self.runtime.caches() && self.has_key() && self.stored.refusal().is_none()
    }

    /// Where the entry is; `None` where it is to be sealed and there is no secret.
    pub(crate) fn place(&self) -> Option<Place<'_>> {
        Place::new(&self.runtime, &self.key, &self.protection)
    }

    /// The key as it is shown.
    pub(crate) fn shown_key(&self) -> CacheKey {
        place::shown(&self.runtime, &self.key, &self.protection)
    }

    /// What is to be done for the entry at `place`.
    pub(crate) fn policy<'a>(&self, place: &'a Place<'a>) -> Policy<'a> {
        let expiration = self
            .expiration_ms
            .or_else(|| self.site.and_then(Site::expiration_ms))
            .unwrap_or_else(|| self.runtime.expiration_ms());
        let compress = self
            .compress
            .or_else(|| self.site.and_then(Site::compresses))
            // A compressed length tells about the content, so what is sealed has to ask for it.
            .unwrap_or_else(|| self.runtime.compresses() && !place.is_sealed());
        let limits = self.runtime.limits();
        Policy {
            place,
            padding: self.runtime.sealing().padding(),
            stored: self.stored,
            fingerprint: self.fingerprint,
            life_ms: expiration.min(self.runtime.longest_ms()),
            longest_ms: self.runtime.longest_ms(),
            largest: limits.value_bytes,
            key_bytes: limits.key_bytes,
            compress,
        }
    }

    /// Joins the others that compute this entry now.
    pub(crate) fn join(&self, name: &CacheKey) -> Joined<Bytes, Lease> {
        self.runtime
            .flights()
            .join(name.as_str(), self.fingerprint, self.overwrite)
    }

    /// What one call's cache work may take.
    pub(super) fn budget(&self) -> Budget {
        if self.runtime.limits().blocking {
            Budget::Standing(self.runtime.budget())
        } else {
            Budget::Endless
        }
    }

    /// The same for cache work that stands for itself.
    pub(super) fn deadline(&self) -> Deadline {
        self.budget().deadline()
    }

    pub(crate) fn observer(&self) -> Observer<'_> {
        let runtime: &Runtime = &self.runtime;
        Observer {
            function: self.site.map_or(Function::UNNAMED, Site::function),
            of_function: self
                .site
                .map(Site::counters as fn(&'static Site) -> &'static Counters),
            of_runtime: runtime.counters(),
            journal: runtime.journal(),
        }
    }

    /// Counts a value that is not stored, and says why where that was not said before.
    pub(crate) fn unstorable(&self, why: &Unstored) {
        let tell = match why {
            Unstored::Unencodable(_) => self.stored.tells(why.why(), why.path()),
            Unstored::TooLarge | Unstored::NoLife | Unstored::NoRandom => true,
        };
        self.observer().unstorable(why.why(), why.path(), tell);
    }
}
