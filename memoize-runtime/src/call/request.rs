//! What one call asks of the cache, whatever the type of its value.

use std::sync::Arc;
use std::time::Duration;

use twox_hash::XxHash3_64;

use crate::backend::{Bytes, Deadline, Lease, Memory, MemoryStore};
use crate::call::ask::Lateness;
use crate::call::budget::Budget;
use crate::call::landed::Landed;
use crate::call::origin::Origin;
use crate::call::outcome::Outcome;
use crate::call::place::{self, Place, Protection};
use crate::config::{Current, Runtime};
use crate::engine::{Fill, Filling, Policy, Unstored};
use crate::entry::{Flags, Header, Reject, StoredType};
use crate::flight::Joined;
use crate::key::{CacheKey, FullKey};
use crate::local::{Facts, Kept, Local, Names, Reading, Shelved, Ticket, Trust};
use crate::observe::{Counters, Function, Observer};
use crate::process;
use crate::progress::Progress;
use crate::site::Site;

/// A key and a policy, on the runtime that was current when the call began.
#[derive(Clone)]
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
    /// The call of an annotated function; none of a `Memo`.
    pub(crate) origin: Option<Origin>,
    pub(crate) lateness: Lateness,
}

impl Request {
    /// Whether each part of the key could be written.
    pub(crate) fn has_key(&self) -> bool {
        self.key.is_usable()
    }

    /// Where the entry is; `None`, and told, where the call has to run as if it were not memoized: there is no key to ask for, no
    /// secret to store by what must not be in the clear, or the codec can't hold the type.
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
        } else if let Some(refusal) = self.stored.refusal() {
            observer.refused(refusal, self.stored);
            return None;
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

    /// The value that is kept for the entry as it is; none where there is none, or it is not one for this call.
    pub(crate) fn copy<R>(
        &self,
        place: &Place<'_>,
        outcome: &Outcome<R>,
    ) -> Option<Result<R, Reject>> {
        if !self.may_be_copied(place) {
            return None;
        }
        let name = place.name().as_str();
        let kept = match self.shelf(place) {
            Some(memory) => memory.kept(name)?,
            None => Kept::Value(self.runtime.tier().beside()?.copy(name, self.local())?),
        };
        let Kept::Value(kept) = kept else {
            return None;
        };
        self.read(place, outcome, kept)
    }

    /// Before the backend is asked: the right to keep a copy of what it answers, where that can be.
    pub(crate) fn ticket<'a, R>(
        &'a self,
        place: &'a Place<'_>,
        outcome: &Outcome<R>,
    ) -> Option<Ticket<'a>> {
        if outcome.copies.is_none() || !self.may_be_copied(place) {
            return None;
        }
        let (beside, local) = (self.runtime.beside()?, self.local());
        if !matches!(local, Local::Within(_)) {
            let is_sealed = place.is_sealed();
            let names = if is_sealed {
                Names::Sealed
            } else {
                Names::Plain
            };
            beside.watch(names, self.runtime.backend());
        }
        beside.ask(place.name().as_str(), local)
    }

    /// The same before an entry is stored. One that the backend vouches for it soon tells of, as it doesn't know whose change it was.
    pub(crate) fn own_ticket<'a, R>(
        &'a self,
        place: &'a Place<'_>,
        outcome: &Outcome<R>,
    ) -> Option<Ticket<'a>> {
        let is_bounded = matches!(self.local(), Local::Within(_));
        is_bounded.then(|| self.ticket(place, outcome)).flatten()
    }

    /// Keeps a copy of the value that was found, where there is the right to.
    pub(crate) fn keep_found<R>(
        &self,
        place: &Place<'_>,
        outcome: &Outcome<R>,
        ticket: Option<Ticket<'_>>,
        found: &[Option<Bytes>],
        value: &R,
    ) {
        if ticket.is_none() {
            self.runtime.pass_copy(place.name().as_str());
        } else if let [Some(entry)] = found {
            self.keep_copy(place, outcome, ticket, entry, value);
        }
    }

    /// After what `kept` is of the entry was stored; none where it was not, as far as is known.
    pub(crate) fn keep_own<R>(
        &self,
        place: &Place<'_>,
        outcome: &Outcome<R>,
        ticket: Option<Ticket<'_>>,
        kept: Option<Kept>,
        value: &R,
    ) {
        let is_kept = match kept {
            Some(Kept::Bytes(entry)) => self.keep_copy(place, outcome, ticket, &entry, value),
            Some(kept) => {
                self.settle(outcome, &kept);
                true
            }
            None => false,
        };
        if !is_kept {
            // What was asked meanwhile may have been answered with the old one.
            self.runtime.forget_copy(place.name().as_str());
        }
    }

    /// Keeps a copy of the value in `entry`; says whether it did.
    fn keep_copy<R>(
        &self,
        place: &Place<'_>,
        outcome: &Outcome<R>,
        ticket: Option<Ticket<'_>>,
        entry: &Bytes,
        value: &R,
    ) -> bool {
        let (Some(ticket), Some(copies)) = (ticket, &outcome.copies) else {
            return false;
        };
        // One in chunks is as large as a copy of it would be, and all copies of a process share a small store.
        let header = Header::parse(entry).ok();
        let Some(header) = header.filter(|header| !header.flags.contains(Flags::CHUNKED)) else {
            return false;
        };
        let facts = Facts {
            name: place.name().clone(),
            full_key: place.shared_full_key(),
            stored: self.stored,
            created_ms: header.created_ms,
            expires_ms: header.expires_ms,
            cost: Duration::ZERO,
            compress: false,
            asked_ms: ticket.asked_ms,
            trust: ticket.trust,
            bytes: self.policy(place).expanded_len(&header, entry),
            behind_arguments: self.behind_arguments(),
        };
        let Some(copy) = (copies.keep)(value, facts, u64::MAX) else {
            return false;
        };
        let is_kept = ticket.keep(Arc::clone(&copy), XxHash3_64::oneshot(entry));
        if is_kept {
            self.settle(outcome, &Kept::Value(copy));
        }
        is_kept
    }

    /// Whether values may be kept as they are. Of what is sealed, where that is said; and not while it is sealed anew, as changes
    /// under the other names would not be seen.
    fn may_be_copied(&self, place: &Place<'_>) -> bool {
        !place.is_sealed() || (self.local() != Local::Unsaid && place.has_one_name())
    }

    fn local(&self) -> Local {
        self.site.map_or(Local::default(), Site::copies)
    }

    /// What was kept, as this call returns it; none where its bytes have to tell.
    pub(crate) fn read<R>(
        &self,
        place: &Place<'_>,
        outcome: &Outcome<R>,
        kept: Arc<dyn Shelved>,
    ) -> Option<Result<R, Reject>> {
        let facts = kept.facts();
        if *place.name() != facts.name || place.full_key() != facts.full_key.as_deref() {
            return None;
        }
        let now_ms = self.runtime.now_ms();
        if let Err(reject) = facts.admit(self.stored, self.runtime.longest_ms(), now_ms) {
            return Some(Err(reject));
        }
        let copies = outcome.copies.as_ref()?;
        let may_settle = self.local().serves(facts);
        match (copies.read)(Arc::clone(&kept)) {
            Reading::Value(value) => {
                if let Some(origin) = &self.origin
                    && may_settle
                {
                    (copies.settle)(origin, kept);
                }
                Some(Ok(value))
            }
            Reading::Panicked => Some(Err(Reject::Undecodable)),
            Reading::OtherType => None,
        }
    }

    /// How a value is to be written whose computation took `cost`.
    pub(crate) fn filling<R>(
        &self,
        place: &Place<'_>,
        outcome: &Outcome<R>,
        value: &R,
        cost: Duration,
        deadline: Deadline,
    ) -> Result<Filling, Unstored> {
        let policy = self.policy(place);
        let now_ms = self.runtime.now_ms();
        if let Some(kept) = self.keep(&policy, outcome, value, cost, now_ms, deadline)? {
            let life = Duration::from_millis(policy.life_ms);
            return Ok(Filling::Whole(Fill { kept, life }));
        }
        policy.fill(value, outcome, cost, now_ms, deadline)
    }

    /// A copy of the value to be kept in place of its entry, where that can be.
    fn keep<R>(
        &self,
        policy: &Policy<'_>,
        outcome: &Outcome<R>,
        value: &R,
        cost: Duration,
        now_ms: u64,
        deadline: Deadline,
    ) -> Result<Option<Kept>, Unstored> {
        let place = policy.place;
        let (Some(_), Some(copies)) = (self.shelf(place), &outcome.copies) else {
            return Ok(None);
        };
        if policy.life_ms == 0 {
            return Ok(None);
        }
        // Most values are short, and a buffer that grows is slower to get than one that has room.
        let mut bytes = Vec::with_capacity(64);
        (outcome.encode)(value, self.stored, &mut bytes, &|| deadline)
            .map_err(Unstored::Unencodable)?;
        // A larger one is written in chunks.
        if bytes.len() > policy.largest / 2 {
            return Ok(None);
        }
        let facts = Facts {
            name: place.name().clone(),
            full_key: place.shared_full_key(),
            stored: self.stored,
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(policy.life_ms),
            cost,
            compress: policy.compress,
            asked_ms: now_ms,
            trust: Trust::Own,
            bytes: bytes.len(),
            behind_arguments: self.behind_arguments(),
        };
        // Its entry may have room where the value as it is has none.
        let kept = (copies.keep)(value, facts, policy.largest as u64);
        Ok(kept.map(Kept::Value))
    }

    fn behind_arguments(&self) -> usize {
        let origin = self.origin.as_ref();
        origin.map_or(0, |origin| origin.arguments.behind())
    }

    /// Where values are kept in place of entries.
    fn shelf(&self, place: &Place<'_>) -> Option<&Memory> {
        let memory = self.runtime.tier().memory();
        memory.filter(|_| self.may_be_copied(place))
    }

    /// The same for a value that was computed, for which it was asked already which process this is.
    pub(crate) fn shelf_to_fill(&self, place: &Place<'_>) -> Option<&Arc<MemoryStore>> {
        Some(self.shelf(place)?.store_of(process::recent()))
    }

    /// Has later calls with the same arguments find what is kept.
    pub(crate) fn settle<R>(&self, outcome: &Outcome<R>, kept: &Kept) {
        if let (Some(copies), Some(origin), Kept::Value(kept)) =
            (&outcome.copies, &self.origin, kept)
        {
            (copies.settle)(origin, Arc::clone(kept));
        }
    }

    /// Whether this process is computing the value, so that it would be waited for.
    pub(super) fn is_led(&self, place: &Place<'_>) -> bool {
        let is_led = || {
            let flights = self.runtime.flights();
            flights.contains(place.name().as_str(), self.fingerprint)
        };
        !self.runtime.is_idle() && is_led()
    }

    /// The stream as this process is writing it, to be followed.
    pub(super) fn written(&self, place: &Place<'_>) -> Option<Arc<Progress>> {
        let (name, now_ms) = (place.name().as_str(), self.runtime.now_ms());
        if self.runtime.is_idle() {
            return None;
        }
        let writers = self.runtime.writers();
        writers.find(name, self.fingerprint, now_ms)
    }

    /// Joins the others that compute this entry now.
    pub(crate) fn join(&self, process: u32, name: &CacheKey) -> Joined<Landed, Lease> {
        let flights = self.runtime.flights_in(process);
        flights.join(process, name.as_str(), self.fingerprint, self.overwrite)
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
            function: Function(self.origin.as_ref().map(|origin| origin.instance)),
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
        self.observer()
            .unstorable(self.stored, why.why(), why.path(), tell);
    }
}
