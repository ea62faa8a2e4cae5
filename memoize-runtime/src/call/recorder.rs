//! Building the entry of a stream beside the one who consumes it. There is no I/O in here but that of giving up.

use std::task::Waker;
use std::time::{Duration, Instant};

use super::ask::NoAnswer;
use super::chunks;
use super::outcome::Outcome;
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
    /// is known, it is given up with the rest.
    lease: Option<Lease>,
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

/// What a call that missed comes to.
pub(super) enum Begun {
    Records(Recorder),
    /// Another writes the stream already, or did.
    Follows(Reading),
}

impl Recorder {
    /// Begins an entry, or follows the one who writes it already.
    pub(super) fn join(request: Request, caller: Caller, claim: &Claim) -> Begun {
        if let Claim::None = claim {
            return Begun::Records(Self::idle(request, caller));
        }
        let lease = match claim {
            Claim::Granted(lease) => Some(*lease),
            _ => None,
        };
        let is_taken = matches!(claim, Claim::Taken);
        let joined = request.place().and_then(|place| {
            let policy = request.policy(&place);
            let now_ms = request.runtime.now_ms();
            let begin = || {
                if is_taken {
                    return Err(None);
                }
                let chunked = policy.begin_stream(now_ms).map_err(Some)?;
                Ok((chunked.origin(), chunked))
            };
            let writers = request.runtime.writers();
            let name = place.name().as_str();
            let joined = writers.join(name, request.fingerprint, now_ms, caller, begin);
            if let Err(Some(unstored)) = &joined {
                request.unstorable(unstored);
            }
            if !matches!(joined, Ok(Joined::Writes(..)))
                && let Some(lease) = lease
            {
                let budget = &mut request.budget();
                release(&request, place.name(), lease, caller, budget);
            }
            Some(match joined.ok()? {
                Joined::Writes(publisher, chunked) => Ok((publisher, chunked)),
                Joined::Follows(progress) => Err(Following::new(&request, &place, progress)),
            })
        });
        match joined {
            None => {
                let mut recorder = Self::idle(request, caller);
                recorder.is_taken = is_taken;
                Begun::Records(recorder)
            }
            Some(Ok((publisher, chunked))) => {
                Begun::Records(Self::begun(request, caller, publisher, chunked, lease))
            }
            Some(Err(following)) => {
                request.observer().shared();
                Begun::Follows(Reading::new(request, Source::Writer(following)))
            }
        }
    }

    /// Begins an entry, beside whoever else writes one. Where there can't be one the reason is counted, and nothing will be stored.
    pub(super) fn new(request: Request, caller: Caller) -> Self {
        let begun = request.place().and_then(|place| {
            let begun = request
                .policy(&place)
                .begin_stream(request.runtime.now_ms());
            let chunked = begun
                .inspect_err(|unstored| request.unstorable(unstored))
                .ok()?;
            let writers = request.runtime.writers();
            let publisher = writers.enter(place.name().as_str(), chunked.origin(), caller);
            Some((publisher, chunked))
        });
        match begun {
            None => Self::idle(request, caller),
            Some((publisher, chunked)) => Self::begun(request, caller, publisher, chunked, None),
        }
    }

    /// Begins an entry in place of one that couldn't be read to its end. Of those who were left by one writer only the first does,
    /// as the others would store the same beside it.
    pub(super) fn resume(request: Request, caller: Caller, missed: &Missed) -> Self {
        let mut recorder = Self::new(request, caller);
        if matches!(missed, Missed::Deserted) {
            let unfollowed = |recording: &mut Recording| recording.publisher.is_none();
            recorder.is_taken = recorder.recording.take_if(unfollowed).is_some();
        }
        recorder
    }

    fn begun(
        request: Request,
        caller: Caller,
        publisher: Option<Publisher>,
        chunked: Chunked,
        lease: Option<Lease>,
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
            (Some(recording), Ok(lease)) => recording.lease = Some(lease),
            (_, Ok(_) | Err(NoAnswer::Skipped)) => self.recording = None,
            (_, Err(NoAnswer::Failed)) => self.abandon(Abandoned::Unwritten),
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
        let stored = self.request.stored;
        let before = writer.raw_len();
        if let Err(why) =
            writer.push(|buffer| (outcome.encode)(item, stored, buffer, Deadline::NEVER))
        {
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
                lease: recording.lease?,
                fill,
            }),
            Err(unstored) => {
                self.request.unstorable(&unstored);
                self.remove();
                None
            }
        }
    }

    /// Takes notice of whether the entry is stored; nothing is known where the backend could not be asked.
    pub(super) fn published(&mut self, filled: Result<bool, NoAnswer>) {
        if let Some(recording) = &mut self.recording {
            recording.lease = None;
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
            if let (Some(lease), Some(place)) = (recording.lease, request.place()) {
                release(request, place.name(), lease, caller, &mut budget);
            }
            let names = recording.chunked.writer.names();
            chunks::discard(request, names, caller, budget.deadline());
        }
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
