//! Building the entry of a stream beside the one who consumes it. There is no I/O in here but that of giving up.

use std::task::Waker;
use std::time::{Duration, Instant};

use super::chunks;
use super::outcome::Outcome;
use super::reading::{Following, Reading, Source};
use super::request::Request;
use super::turn::{Caller, release};
use crate::backend::{Bytes, Lease};
use crate::engine::{Chunked, Unstored};
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
    /// So that an invalidation wins over a stream that began before it.
    lease: Option<Lease>,
}

/// A chunk that is to be stored.
pub(super) struct Chunk {
    pub(super) name: CacheKey,
    pub(super) bytes: Bytes,
    pub(super) life: Duration,
}

/// An entry that is to be written by the lease, where there is one.
pub(super) struct Publication {
    pub(super) lease: Option<Lease>,
    pub(super) bytes: Bytes,
    pub(super) life: Duration,
}

/// What a call that missed comes to.
pub(super) enum Begun {
    Records(Recorder),
    /// Another writes the stream already, or did.
    Follows(Reading),
}

impl Recorder {
    /// Begins an entry, or follows the one who writes it already.
    pub(super) fn join(request: Request, caller: Caller) -> Begun {
        let joined = request.place().and_then(|place| {
            let policy = request.policy(&place);
            let now_ms = request.runtime.now_ms();
            let begin = || {
                let chunked = policy.begin_stream(now_ms)?;
                Ok((chunked.origin(), chunked))
            };
            let writers = request.runtime.writers();
            let joined = writers.join(place.name().as_str(), request.fingerprint, begin);
            let joined = joined.inspect_err(|unstored| request.unstorable(unstored));
            Some(match joined.ok()? {
                Joined::Writes(publisher, chunked) => Ok((publisher, chunked)),
                Joined::Follows(progress) => Err(Following::new(&request, &place, progress)),
            })
        });
        match joined {
            None => Begun::Records(Self::idle(request, caller)),
            Some(Ok((publisher, chunked))) => {
                Begun::Records(Self::begun(request, caller, publisher, chunked))
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
            let publisher = writers.enter(place.name().as_str(), chunked.origin());
            Some((publisher, chunked))
        });
        match begun {
            None => Self::idle(request, caller),
            Some((publisher, chunked)) => Self::begun(request, caller, publisher, chunked),
        }
    }

    fn begun(
        request: Request,
        caller: Caller,
        publisher: Option<Publisher>,
        chunked: Chunked,
    ) -> Self {
        let mut recorder = Self::idle(request, caller);
        recorder.recording = Some(Recording {
            chunked,
            publisher,
            is_ended: false,
            started: Instant::now(),
            lease: None,
        });
        recorder
    }

    /// Stores nothing.
    pub(super) fn idle(request: Request, caller: Caller) -> Self {
        Self {
            request,
            caller,
            recording: None,
            in_user_code: false,
        }
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// Whether there will be an entry to publish, as far as is known.
    pub(super) fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Takes the right to publish in place of whatever is there, or comes before this stream's end.
    pub(super) fn hold(&mut self, lease: Option<Lease>) {
        if let Some(recording) = &mut self.recording {
            recording.lease = lease;
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
        if let Err(why) = writer.push(|buffer| (outcome.encode)(item, stored, buffer)) {
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

    /// The chunk for what is left at the end of the stream, if anything is.
    pub(super) fn last_chunk(&mut self) -> Option<Chunk> {
        let recording = self.recording.as_mut()?;
        recording.is_ended = true;
        if let Some(publisher) = &recording.publisher {
            publisher.ended();
        }
        let (name, bytes) = recording.chunked.writer.last_chunk()?;
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
                lease: recording.lease.take(),
                life: fill.life,
                bytes: fill.into_bytes(),
            }),
            Err(unstored) => {
                self.request.unstorable(&unstored);
                self.remove();
                None
            }
        }
    }

    /// Takes notice of whether the entry is stored; nothing is known where the backend could not be asked.
    pub(super) fn published(&mut self, filled: Option<bool>) {
        match filled {
            Some(true) => self.recording = None,
            Some(false) => self.remove(),
            // It may be written all the same: a reader then finds chunks missing, and runs the function.
            None => self.abandon(Abandoned::Unwritten),
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
            if let (Some(lease), Some(place)) = (recording.lease, self.request.place()) {
                release(&self.request, place.name(), lease, self.caller);
            }
            chunks::discard(&self.request, recording.chunked.writer.names(), self.caller);
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
