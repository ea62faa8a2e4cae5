//! The turn of a call that missed: whether it gets the value of another, or computes, and with what right to store.
//!
//! What both drivers share; the waiting itself is theirs.

use std::time::Instant;

use crate::backend::{Bytes, Deadline, Lease, Lookup};
use crate::breaker::Breaker;
use crate::call::ask::{self, NoAnswer};
use crate::call::budget::Budget;
use crate::call::landed::Landed;
use crate::call::outcome::Outcome;
use crate::call::patience::Patience;
use crate::call::request::Request;
use crate::entry::Reject;
use crate::entry::chunk::{Next, Reader};
use crate::flight::{Leader, Offer, Part, Running, Waiter};
use crate::guard::guard;
use crate::key::CacheKey;
use crate::local::Kept;
use crate::observe::Observer;
use crate::process;
use crate::unleased::Begun;

/// Why a lookup gave nothing.
pub(super) enum Missed {
    Absent,
    Rejected(Reject),
    /// The backend failed.
    Unanswered,
    /// It was not asked.
    Skipped,
    /// Who wrote the stream that was followed is gone, or stalls.
    Deserted,
}

impl From<NoAnswer> for Missed {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Failed | NoAnswer::Refused => Self::Unanswered,
            NoAnswer::Skipped => Self::Skipped,
        }
    }
}

impl Missed {
    pub(super) fn tell(&self, observer: &Observer<'_>) {
        match self {
            Self::Absent => observer.absent(),
            Self::Rejected(reject) => observer.rejected(*reject),
            Self::Unanswered => observer.unanswered(),
            // It was counted as a question; and a lookup finds no writer.
            Self::Skipped | Self::Deserted => {}
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Rejected(reject) => reject.name(),
            Self::Unanswered => "unanswered",
            Self::Skipped => "skipped",
            Self::Deserted => "deserted by its writer",
        }
    }
}

/// How far a value that is in chunks was read.
pub(super) enum Gathered {
    /// More chunks are needed.
    Starved,
    All,
}

/// Reads as much as there is of a value that is in chunks: the only item of its stream.
pub(super) fn gather_some<R>(
    request: &Request,
    reader: &mut Reader,
    outcome: &Outcome<R>,
    value: &mut Option<R>,
) -> Result<Gathered, Missed> {
    if request.stored.is_bytes() {
        reader.expect_bytes();
    }
    loop {
        match reader.next_item().map_err(Missed::Rejected)? {
            Next::Item(_) if value.is_some() => return Err(Missed::Rejected(Reject::Damaged)),
            Next::Item(item) => {
                let stored = request.stored;
                let read = match reader.buffer_of(&item) {
                    Some(buffer) => outcome.take(&buffer, stored),
                    None => outcome.decode(reader.bytes_of(&item), stored),
                };
                *value = Some(read.map_err(Missed::Rejected)?);
            }
            Next::Starved => return Ok(Gathered::Starved),
            Next::End => return Ok(Gathered::All),
        }
    }
}

/// What is to become of a computed value's entry.
pub(super) enum Verdict {
    Store,
    Leave,
    /// The old entry was to be replaced, by what is not to be kept: then neither is it.
    Remove,
}

/// Whether the value is one, and one that the function's `cache_if` lets through; where that panics, it is not.
pub(super) fn verdict<R>(
    request: &Request,
    outcome: &Outcome<R>,
    accept: impl FnOnce(&R) -> bool,
    value: &R,
) -> Verdict {
    let observer = request.observer();
    if !(outcome.is_value)(value) {
        observer.declined();
        Verdict::Leave
    } else if guard(|| accept(value)).unwrap_or_else(|| observer.cache_if_panicked()) {
        Verdict::Store
    } else {
        observer.declined();
        if request.overwrite {
            Verdict::Remove
        } else {
            Verdict::Leave
        }
    }
}

/// What a call that missed comes to.
pub(super) enum Turn<R> {
    /// Another computed it.
    Value(R),
    Compute,
}

/// What follows from the answer to the question for a lease.
pub(super) enum Answered {
    /// There is nothing more to ask.
    Settled,
    /// The value was stored meanwhile, or what can't be read and is to be replaced.
    Found(Bytes),
    /// Ask again after this moment, unless a lease is offered before.
    Busy(Instant),
}

/// Who makes the call, and how the backend is to be asked on its behalf.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Caller {
    Thread,
    Task,
}

/// What was heard of the answer to the lookup.
enum Heard {
    All,
    /// The backend failed. It may have granted a lease before.
    Lost,
}

/// What a call holds: the backend's lease, which its lookup is answered with, the lead of those who wait in this process, and
/// what is left of its time.
///
/// Lease and lead may be missing. Without a lease it stores nothing; without a leader nobody waits for it. Both are given up when this
/// is dropped: after storing, or where the computation came to nothing.
pub(super) struct Right<'r> {
    request: &'r Request,
    name: &'r CacheKey,
    pub(super) caller: Caller,
    pub(super) budget: Budget,
    /// Which process this is, once that was asked.
    process: Option<u32>,
    pub(super) lease: Option<Lease>,
    pub(super) leader: Option<Leader<Landed, Lease>>,
    /// The lease, where it was offered to who leads.
    offer: Option<Offer<Landed, Lease>>,
    /// Whether there is an entry to be replaced, so that the lease is to be had all the same.
    pub(super) replaces: bool,
    /// Whether another call of this process computes it, which this one will wait for or follow. Then it asks for no lease: where the
    /// other takes longer than a lease stands, it would lose it to one that won't use it.
    pub(super) is_under_way: bool,
    /// Whether there is no lease because the backend failed or wasn't asked, which was told.
    pub(super) failed: bool,
    answer: Heard,
    /// By what an invalidation, and who began later, find it where the backend has no lease to void.
    unleased: Option<Begun<'r>>,
}

impl<'r> Right<'r> {
    pub(super) fn new(request: &'r Request, name: &'r CacheKey, caller: Caller) -> Self {
        Self {
            request,
            name,
            caller,
            budget: request.budget(),
            process: None,
            lease: None,
            leader: None,
            offer: None,
            replaces: request.overwrite,
            is_under_way: false,
            failed: false,
            answer: Heard::All,
            unleased: None,
        }
    }

    /// Which process this is. The system is asked once, and not by what hits before.
    pub(super) fn process(&mut self) -> u32 {
        *self.process.get_or_insert_with(process::current)
    }

    /// Keeps what the backend said about the key; returns what it found there.
    pub(super) fn looked_up(&mut self, lookup: Lookup) -> Option<Bytes> {
        match lookup {
            Lookup::Found(found) => {
                self.replaces = true;
                return Some(found);
            }
            Lookup::Granted(lease) => self.lease = Some(lease),
            Lookup::Busy => {}
        }
        None
    }

    /// Takes notice of a refusal of the key's only name: whoever asks for the lease asks for the entry as well, in vain again.
    pub(super) fn refused(&mut self, why: NoAnswer) -> NoAnswer {
        self.failed = why == NoAnswer::Refused;
        why
    }

    /// Takes notice of why the lookup gave nothing.
    pub(super) fn missed(&mut self, missed: &Missed) {
        missed.tell(&self.request.observer());
        self.failed |= matches!(missed, Missed::Skipped);
        if matches!(missed, Missed::Unanswered) {
            self.answer = Heard::Lost;
        }
    }

    /// Whether a lease that stands may be this call's own, which it never heard of.
    pub(super) fn may_be_in_its_own_way(&self) -> bool {
        matches!(self.answer, Heard::Lost)
    }

    /// Takes the answer to the question for a lease.
    pub(super) fn answered(
        &mut self,
        answer: Result<Lookup, NoAnswer>,
        patience: &mut Patience,
    ) -> Answered {
        match answer {
            Ok(Lookup::Granted(lease)) => self.lease = Some(lease),
            Ok(Lookup::Found(entry)) => return Answered::Found(entry),
            // Another process computes it. Only the one that leads here waits for that; the others wait for that one.
            Ok(Lookup::Busy) if self.may_be_in_its_own_way() => {
                // To wait for that is on its budget, and ends with it.
                let end = self.budget.deadline().moment();
                let is_soon = |until: &Instant| end.is_none_or(|end| *until < end);
                if let (Some(until), Some(_)) =
                    (patience.next_pause().filter(is_soon), &self.leader)
                {
                    return Answered::Busy(until);
                }
                self.failed = true;
            }
            Ok(Lookup::Busy) => {
                if let (Some(until), Some(_)) = (patience.next_pause(), &self.leader) {
                    self.budget.stop();
                    return Answered::Busy(until);
                }
            }
            Err(_) => self.failed = true,
        }
        Answered::Settled
    }

    /// Before it waits: who leads gets the lease if it has none, and begins; else others are not to wait for this one.
    pub(super) fn offer_to(&mut self, waiter: &Waiter<Landed, Lease>) {
        if let Some(lease) = self.lease.take() {
            match waiter.offer(lease) {
                Ok(offer) => self.offer = Some(offer),
                Err(lease) => release(
                    self.request,
                    self.name,
                    lease,
                    self.caller,
                    &mut self.budget,
                ),
            }
        }
        self.budget.stop();
    }

    /// Takes the part that it got in the flight; returns what has landed.
    pub(super) fn play(&mut self, part: Part<Landed, Lease>) -> Option<Landed> {
        let mut landed = None;
        match part {
            Part::Landed(bytes) => landed = Some(bytes),
            Part::Leads(leader) => {
                self.lease = self.lease.or_else(|| leader.inherited());
                self.leader = Some(leader);
            }
            Part::Alone => {}
            // Whoever waits for this call will store, or is at it, unless its lease has gone over to this one.
            Part::Inside | Part::Beside => {
                self.lease = self.lease.filter(|lease| *lease != Lease::UNCONDITIONAL);
            }
        }
        if let Some(offer) = self.offer.take()
            && let Some(lease) = offer.take_back()
        {
            self.lease = Some(lease);
        }
        landed
    }

    /// Begins to compute: what is found out from now on is not taken into account, and the time doesn't count.
    pub(super) fn settle(&mut self) {
        self.budget.stop();
        if let Some(leader) = &self.leader {
            self.lease = leader.settle(self.lease.take());
        }
        if self.lease == Some(Lease::UNCONDITIONAL) {
            let unleased = self.request.runtime.unleased();
            self.unleased = Some(unleased.begin(self.name.as_str()));
        }
    }

    /// Makes known that the computation runs on this thread, as long as what is returned lives.
    pub(super) fn run(&self) -> Option<Running> {
        self.leader.as_ref().map(Leader::run)
    }

    /// The body came to its end.
    pub(super) fn computed(&self) {
        self.request.observer().computed();
        if let Some(leader) = &self.leader {
            leader.computed();
        }
    }

    /// Whether anything can be done with a value.
    pub(super) fn is_of_use(&self) -> bool {
        self.lease.is_some() || self.leader.as_ref().is_some_and(Leader::is_awaited)
    }

    /// Counts a value that isn't stored for want of a lease.
    pub(super) fn tell_unstored(&self) {
        if !self.failed || self.is_void() {
            self.request.observer().outdated();
        }
    }

    /// Gives the entry to those who wait.
    pub(super) fn land(&self, entry: Kept) {
        if let Some(leader) = &self.leader {
            leader.land(Landed::Entry(entry));
        }
    }

    /// The same with the error that the computation came to, where the function shares its errors.
    pub(super) fn land_failure<R>(&self, outcome: &Outcome<R>, result: &R) {
        if let (Some(leader), Some(failures)) = (&self.leader, &outcome.failures)
            && leader.is_awaited()
            && let Some(failure) = (failures.share)(result)
        {
            leader.land(Landed::Failure(failure));
        }
    }

    /// The lease, to store by it; none where the key was invalidated meanwhile, or filled by one that began later.
    ///
    /// It stays here until [`filled`](Self::filled), so that a call that is dropped before gives it up.
    pub(super) fn lease_to_fill(&self) -> Option<Lease> {
        let lease = self.lease.filter(|_| !self.is_void())?;
        if let Some(begun) = &self.unleased {
            begun.stores();
        }
        Some(lease)
    }

    /// Takes notice of what became of the lease. One that the backend was not asked to fill by is still given up; where it failed it
    /// would only fail again.
    pub(super) fn filled(&mut self, filled: Result<bool, NoAnswer>, deadline: Deadline) {
        let was_asked = filled != Err(NoAnswer::Skipped) && !deadline.has_passed();
        if filled.is_ok() || was_asked {
            self.lease = None;
        }
    }

    /// Whether what was stored must go again: a backend without leases can't tell that it was too late.
    pub(super) fn must_take_back(&self, lease: Lease) -> bool {
        lease == Lease::UNCONDITIONAL && self.is_void()
    }

    fn is_void(&self) -> bool {
        self.leader.as_ref().is_some_and(Leader::is_void)
            || self.unleased.as_ref().is_some_and(Begun::is_void)
    }
}

impl Drop for Right<'_> {
    /// The lease goes first, so that who takes over the lead is granted one.
    fn drop(&mut self) {
        if self.leader.as_ref().is_some_and(Leader::is_relieved) {
            // Who relieved it stores by the same.
            self.lease = None;
        }
        let offered = self.offer.take().and_then(|offer| offer.take_back());
        for lease in [self.lease.take(), offered].into_iter().flatten() {
            release(
                self.request,
                self.name,
                lease,
                self.caller,
                &mut self.budget,
            );
        }
    }
}

/// Gives a lease up. One that can't be costs others a wait for it to run out; there is nobody to tell but the counters.
pub(super) fn release(
    request: &Request,
    name: &CacheKey,
    lease: Lease,
    caller: Caller,
    budget: &mut Budget,
) {
    if lease == Lease::UNCONDITIONAL {
        return;
    }
    let name = name.as_str();
    let is_open = request.runtime.breaker().is_some_and(Breaker::is_open);
    match caller {
        Caller::Thread if !budget.deadline().has_passed() && !is_open => {
            let deadline = budget.deadline();
            let _ = ask::ask(request, "release", deadline, |backend| {
                backend.release(name, lease, deadline)
            });
        }
        // It doesn't wait, so that there is always time for it: for a thread too that has used up its own. Nor is it left out where the
        // backend is left alone: it can tell best how the lease ends, and there are as few as there are computations that began before.
        Caller::Thread | Caller::Task => {
            let backend = request.runtime.async_backend();
            if guard(|| backend.release(name, lease)).is_none() {
                request.observer().panicked("release");
            }
        }
    }
}
