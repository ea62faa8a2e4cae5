//! Building the entry of a stream beside the one who consumes it. There is no I/O in here but that of giving up.

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::ask::NoAnswer;
use super::budget::Budget;
use super::chunks;
use super::outcome::Outcome;
use super::place::Place;
use super::reading::{Claim, Following, Reading, Source};
use super::request::Request;
use super::turn::{Caller, Missed, release};
use crate::backend::{Bytes, Deadline, Lease};
use crate::engine::{Chunked, Fill, Unstored};
use crate::key::CacheKey;
use crate::observe::Abandoned;
use crate::progress::{Joined, Publisher};

/// Makes the chunks and the entry of one run of a function's body.
///
/// A driver asks for the lease, stores what there is after each item and at the end, and [acknowledges](Self::acknowledge)
/// that. Unless the entry was [`published`](Self::published), nothing is: when this is dropped, which is when the iterator or
/// stream is, the chunks are removed.
pub(super) struct Recorder {
    request: Request,
    caller: Caller,
    /// None where there is nothing to be stored, or not any more.
    recording: Option<Recording>,
    /// Whether nothing is to be stored because another has the right to.
    is_taken: bool,
    /// Whether the user's code was entered and did not come back.
    in_user_code: bool,
}

struct Recording {
    chunked: Chunked,
    /// Tells those who follow, if it is this stream that they do.
    publisher: Option<Publisher>,
    /// Whether the last item was written.
    is_ended: bool,
    started: Instant,
    /// So that an invalidation wins over a stream that began before it. None before it is granted, and once it was used: until that
    /// is known, it is given up with the rest, by the last of those who share it.
    lease: Option<Arc<Lease>>,
}

/// A chunk that is to be stored.
pub(super) struct Chunk {
    pub(super) name: CacheKey,
    pub(super) bytes: Bytes,
    pub(super) life: Duration,
}

/// An entry that is to be written by the lease.
pub(super) struct Publication {
    pub(super) lease: Lease,
    pub(super) fill: Fill,
}

/// Who else writes the stream.
enum Met {
    /// Nobody does: this one is to.
    Writes(Option<Publisher>, Chunked),
    Follows(Following),
}

/// What a call that missed comes to.
pub(super) enum Begun {
    Records(Recorder),
    /// Another writes the stream already, or did.
    Follows(Reading),
}

impl Recorder {
    /// Begins an entry, or follows the one who writes it already.
    pub(super) fn join(request: Request, caller: Caller, claim: &Claim) -> Begun {
        let is_taken = matches!(claim, Claim::Taken);
        let lease = claim.granted();
        let met = match claim {
            Claim::None => None,
            Claim::Written(progress) => request
                .place()
                .map(|place| Met::Follows(Following::new(&request, &place, Arc::clone(progress)))),
            _ => Met::at(&request, caller, !is_taken, lease.as_ref()),
        };
        match met {
            Some(Met::Writes(publisher, chunked)) => {
                Begun::Records(Self::begun(request, caller, publisher, chunked, lease))
            }
            Some(Met::Follows(following)) => {
                give_up(&request, lease, caller, &mut request.budget());
                request.observer().shared();
                Begun::Follows(Reading::new(request, Source::Writer(following)))
            }
            None => {
                give_up(&request, lease, caller, &mut request.budget());
                let mut recorder = Self::idle(request, caller);
                recorder.is_taken = is_taken;
                Begun::Records(recorder)
            }
        }
    }

    /// Begins an entry, beside whoever else writes one. Where there can't be one the reason is counted, and nothing will be stored.
    pub(super) fn new(request: Request, caller: Caller) -> Self {
        match Met::beside(&request, caller, None) {
            Some(Met::Writes(publisher, chunked)) => {
                Self::begun(request, caller, publisher, chunked, None)
            }
            _ => Self::idle(request, caller),
        }
    }

    /// Goes on where a stream can't be read to its end: begins an entry in place of it, as the whole stream comes by.
    ///
    /// Of those who meet one loss, or were left by one writer, one does so and the others follow it. Who is left once more goes on by
    /// itself, and stores nothing where another does.
    pub(super) fn resume(
        reading: Reading,
        caller: Caller,
        missed: &Missed,
        claim: &Claim,
    ) -> Begun {
        let request = &reading.request;
        let lease = claim.granted().or_else(|| reading.writers_lease());
        let met = if reading.may_follow(missed) {
            Met::at(request, caller, true, lease.as_ref())
        } else {
            Met::beside(request, caller, lease.as_ref())
        };
        if let Some(Met::Follows(following)) = met {
            give_up(request, lease, caller, &mut request.budget());
            return Begun::Follows(reading.resumed(Source::Writer(following)));
        }
        match missed {
            Missed::Deserted => request.observer().deserted(),
            _ => request.observer().interrupted(missed.name()),
        }
        let Some(Met::Writes(publisher, chunked)) = met else {
            give_up(request, lease, caller, &mut request.budget());
            return Begun::Records(Self::idle(reading.request, caller));
        };
        let is_taken = publisher.is_none() && matches!(missed, Missed::Deserted);
        let mut recorder = Self::begun(reading.request, caller, publisher, chunked, lease);
        if is_taken {
            recorder.remove();
            recorder.is_taken = true;
        }
        Begun::Records(recorder)
    }

    fn begun(
        request: Request,
        caller: Caller,
        publisher: Option<Publisher>,
        chunked: Chunked,
        lease: Option<Arc<Lease>>,
    ) -> Self {
        let mut recorder = Self::idle(request, caller);
        recorder.recording = Some(Recording {
            chunked,
            publisher,
            is_ended: false,
            started: Instant::now(),
            lease,
        });
        recorder
    }

    /// Stores nothing.
    pub(super) fn idle(request: Request, caller: Caller) -> Self {
        Self {
            request,
            caller,
            recording: None,
            is_taken: false,
            in_user_code: false,
        }
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// Whether there is an entry that it has no right to publish yet.
    pub(super) fn needs_lease(&self) -> bool {
        let recording = self.recording.as_ref();
        recording.is_some_and(|recording| recording.lease.is_none())
    }

    /// Takes the right to publish in place of whatever is there, or comes before this stream's end. Without it nothing is stored.
    pub(super) fn hold(&mut self, lease: Result<Lease, NoAnswer>) {
        match (&mut self.recording, lease) {
            (Some(recording), Ok(lease)) => {
                let lease = recording.lease.insert(Arc::new(lease));
                if let Some(publisher) = &recording.publisher {
                    publisher.holds(lease);
                }
            }
            (_, Ok(_) | Err(NoAnswer::Skipped)) => self.recording = None,
            (_, Err(NoAnswer::Failed | NoAnswer::Refused)) => self.abandon(Abandoned::Unwritten),
        }
    }

    /// Takes notice of the task that consumes the stream.
    #[inline]
    pub(super) fn polled_by(&mut self, waker: &Waker) {
        if let Some(Recording {
            publisher: Some(publisher),
            ..
        }) = &mut self.recording
        {
            publisher.polled_by(waker);
        }
    }

    /// Runs the user's code, so that a panic in it is known for one.
    #[inline]
    pub(super) fn watch<T>(&mut self, code: impl FnOnce() -> T) -> T {
        if self.in_user_code {
            // It panicked and was called again: what it yields now is not what a run yields.
            self.abandon(Abandoned::Panicked);
        }
        self.in_user_code = true;
        let result = code();
        self.in_user_code = false;
        result
    }

    /// Adds an item to the entry.
    #[inline]
    pub(super) fn record<R>(&mut self, item: &R, outcome: &Outcome<R>) {
        let Some(recording) = &mut self.recording else {
            return;
        };
        if !(outcome.is_value)(item) {
            self.request.observer().declined();
            return self.remove();
        }
        let writer = &mut recording.chunked.writer;
        let (stored, before) = (self.request.stored, writer.raw_len());
        let deadline = || self.request.deadline();
        if let Err(why) = writer.push(|buffer| (outcome.encode)(item, stored, buffer, &deadline)) {
            self.request.unstorable(&Unstored::Unencodable(why));
            self.remove();
        } else if let Some(publisher) = &recording.publisher {
            publisher.wrote(writer.pushed_since(before));
        }
    }

    /// The next chunk to be stored, if there is enough of the stream for one.
    #[inline]
    pub(super) fn full_chunk(&mut self) -> Option<Chunk> {
        let (name, bytes) = self.recording.as_mut()?.chunked.writer.full_chunk()?;
        self.chunk(name, bytes)
    }

    /// Takes notice of the end of the stream.
    pub(super) fn ended(&mut self) {
        self.request.observer().computed();
        match &mut self.recording {
            Some(recording) => {
                recording.is_ended = true;
                if let Some(publisher) = &recording.publisher {
                    publisher.ended();
                }
            }
            None if self.is_taken => self.request.observer().outdated(),
            None => {}
        }
    }

    /// The chunk for what is left at the end of the stream, if anything is.
    pub(super) fn last_chunk(&mut self) -> Option<Chunk> {
        let (name, bytes) = self.recording.as_mut()?.chunked.writer.last_chunk()?;
        self.chunk(name, bytes)
    }

    fn chunk(&mut self, name: CacheKey, bytes: Bytes) -> Option<Chunk> {
        let chunked = &self.recording.as_ref()?.chunked;
        if chunked.writer.is_full() {
            self.request.unstorable(&Unstored::TooLarge);
            self.remove();
            return None;
        }
        let life = chunked.chunk_life(self.request.runtime.now_ms());
        Some(Chunk { name, bytes, life })
    }

    /// Takes notice of whether a chunk is stored.
    pub(super) fn acknowledge(&mut self, stored: bool) {
        match &self.recording {
            _ if !stored => self.abandon(Abandoned::Unwritten),
            Some(Recording {
                publisher: Some(publisher),
                is_ended: false,
                ..
            }) => publisher.stored(),
            _ => {}
        }
    }

    /// The entry of a stream that has come to its end, when all its chunks are stored.
    pub(super) fn publication(&mut self) -> Option<Publication> {
        let recording = self.recording.as_mut()?;
        // The time includes the consumer's: asking the clock twice an item would cost more than most items.
        let cost = recording.started.elapsed();
        let now_ms = self.request.runtime.now_ms();
        let place = self.request.place()?;
        match self
            .request
            .policy(&place)
            .publish(&recording.chunked, cost, now_ms)
        {
            Ok(fill) => Some(Publication {
                lease: *recording.lease.as_deref()?,
                fill,
            }),
            Err(unstored) => {
                self.request.unstorable(&unstored);
                self.remove();
                None
            }
        }
    }

    /// Takes notice of whether the entry is stored; nothing is known where the backend could not be asked. A lease that there was no
    /// time to fill by is still given up; where the backend failed it would only fail again.
    pub(super) fn published(&mut self, filled: Result<bool, NoAnswer>, deadline: Deadline) {
        let lease = self.recording.as_mut().and_then(|it| it.lease.take());
        if filled.is_err() && deadline.has_passed() {
            let mut budget = self.request.budget();
            // Without waiting.
            give_up(&self.request, lease, Caller::Task, &mut budget);
        }
        match filled {
            Ok(true) => self.recording = None,
            Ok(false) => self.remove(),
            // It may be written all the same: a reader then finds chunks missing, and runs the function.
            Err(_) => self.abandon(Abandoned::Unwritten),
        }
    }

    fn abandon(&mut self, why: Abandoned) {
        if self.recording.is_some() {
            self.request.observer().abandoned(why);
            self.remove();
        }
    }

    /// Gives the entry up, with the chunks that were written.
    fn remove(&mut self) {
        if let Some(recording) = self.recording.take() {
            let (request, caller) = (&self.request, self.caller);
            let mut budget = request.budget();
            // The lease goes first, so that who writes in place of this one is granted one; and the chunks last, so that who misses one
            // can tell why.
            give_up(request, recording.lease, caller, &mut budget);
            drop(recording.publisher);
            let names = recording.chunked.writer.names();
            chunks::discard(request, names, caller, budget.deadline());
        }
    }
}

impl Met {
    /// None where there is nobody to follow, and nothing can be written either, which was told then.
    fn at(
        request: &Request,
        caller: Caller,
        may_write: bool,
        lease: Option<&Arc<Lease>>,
    ) -> Option<Self> {
        let place = request.place()?;
        let (name, now_ms) = (place.name().as_str(), request.runtime.now_ms());
        let writers = request.runtime.writers();
        if let Some(progress) = writers.find(name, request.fingerprint, now_ms) {
            return Some(Self::Follows(Following::new(request, &place, progress)));
        }
        if !may_write {
            return None;
        }
        let chunked = Self::begin(request, &place)?;
        let joined = writers.join(name, chunked.origin(), now_ms, caller, lease);
        Some(match joined {
            Joined::Writes(publisher) => Self::Writes(publisher, chunked),
            Joined::Follows(progress) => Self::Follows(Following::new(request, &place, progress)),
        })
    }

    /// The same without following anybody.
    fn beside(request: &Request, caller: Caller, lease: Option<&Arc<Lease>>) -> Option<Self> {
        let place = request.place()?;
        let chunked = Self::begin(request, &place)?;
        let writers = request.runtime.writers();
        let name = place.name().as_str();
        let publisher = writers.enter(name, chunked.origin(), caller, lease);
        Some(Self::Writes(publisher, chunked))
    }

    fn begin(request: &Request, place: &Place<'_>) -> Option<Chunked> {
        let begun = request.policy(place).begin_stream(request.runtime.now_ms());
        begun
            .inspect_err(|unstored| request.unstorable(unstored))
            .ok()
    }
}

/// Releases a lease, unless others share it, of whom the last one does.
fn give_up(request: &Request, lease: Option<Arc<Lease>>, caller: Caller, budget: &mut Budget) {
    if let Some(lease) = lease.and_then(Arc::into_inner)
        && let Some(place) = request.place()
    {
        release(request, place.name(), lease, caller, budget);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let why = if self.in_user_code {
            Abandoned::Panicked
        } else {
            Abandoned::Dropped
        };
        self.abandon(why);
    }
}
