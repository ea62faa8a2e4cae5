//! Building the entry of a stream beside the one who consumes it.

use std::time::Instant;

use super::chunks;
use super::outcome::Outcome;
use super::request::Request;
use super::sync::{ask, fill_by};
use super::turn::{Caller, release};
use crate::backend::{Deadline, Lease};
use crate::engine::{Chunked, Unstored};
use crate::observe::Abandoned;

/// Stores the items of one run of a function's body, chunk by chunk.
///
/// Unless it is [`finish`](Self::finish)ed, nothing is published: when it is dropped, which is when the iterator is, the
/// chunks are removed.
pub(super) struct Recorder {
    request: Request,
    /// None where there is nothing to be stored, or not any more.
    recording: Option<Recording>,
    /// Whether the user's code was entered and did not come back.
    in_user_code: bool,
}

struct Recording {
    chunked: Chunked,
    started: Instant,
    /// So that an invalidation wins over a stream that began before it.
    lease: Option<Lease>,
}

impl Recorder {
    /// Begins an entry. Where there can't be one the reason is counted, and nothing will be stored.
    pub(super) fn new(request: Request) -> Self {
        let chunked = request.place().and_then(|place| {
            let begun = request
                .policy(&place)
                .begin_stream(request.runtime.now_ms());
            begun
                .inspect_err(|unstored| request.unstorable(unstored))
                .ok()
        });
        let mut recorder = Self::idle(request);
        recorder.recording = chunked.map(|chunked| Recording {
            chunked,
            started: Instant::now(),
            lease: recorder.lease(),
        });
        recorder
    }

    /// The right to publish in place of whatever is there, or comes before this stream's end.
    fn lease(&self) -> Option<Lease> {
        let place = self.request.place()?;
        let life = self.request.runtime.longest_wait();
        ask(&self.request, "lease", |backend| {
            backend.lease(place.name().as_str(), life, Deadline::NEVER)
        })
    }

    /// Stores nothing.
    pub(super) fn idle(request: Request) -> Self {
        Self {
            request,
            recording: None,
            in_user_code: false,
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
        if let Err(why) = writer.push(|buffer| (outcome.encode)(item, stored, buffer)) {
            self.request.unstorable(&Unstored::Unencodable(why));
            return self.remove();
        }
        self.store_full_chunks();
    }

    /// The stream has come to its end: what is left of it is stored, and then the manifest.
    pub(super) fn finish(&mut self) {
        self.request.observer().computed();
        let Some(recording) = &mut self.recording else {
            return;
        };
        if let Some(chunk) = recording.chunked.writer.last_chunk()
            && !chunks::store(&self.request, &recording.chunked, chunk)
        {
            return self.abandon(Abandoned::Unwritten);
        }
        // The time includes the consumer's: asking the clock twice an item would cost more than most items.
        let cost = recording.started.elapsed();
        let now_ms = self.request.runtime.now_ms();
        let Some(place) = self.request.place() else {
            return;
        };
        match self
            .request
            .policy(&place)
            .publish(&recording.chunked, cost, now_ms)
        {
            Ok(fill) => {
                let lease = recording.lease.take();
                match lease.and_then(|lease| fill_by(&self.request, &place, lease, fill)) {
                    Some(true) => self.recording = None,
                    Some(false) => self.remove(),
                    // It may be written all the same: a reader then finds chunks missing, and runs the function.
                    None => self.abandon(Abandoned::Unwritten),
                }
            }
            Err(unstored) => {
                self.request.unstorable(&unstored);
                self.remove();
            }
        }
    }

    #[inline]
    fn store_full_chunks(&mut self) {
        while let Some(recording) = &mut self.recording {
            let Some(chunk) = recording.chunked.writer.full_chunk() else {
                return;
            };
            if recording.chunked.writer.is_full() {
                self.request.unstorable(&Unstored::TooLarge);
                self.remove();
            } else if !chunks::store(&self.request, &recording.chunked, chunk) {
                self.abandon(Abandoned::Unwritten);
            }
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
                release(&self.request, place.name(), lease, Caller::Thread);
            }
            chunks::remove(&self.request, recording.chunked.writer.names());
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
