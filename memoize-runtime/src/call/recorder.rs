//! Building the entry of a stream beside the one who consumes it.

use std::time::Instant;

use super::ask::{NoAnswer, ask};
use super::chunks;
use super::outcome::Outcome;
use super::request::Request;
use super::sync::fill_by;
use super::turn::{Caller, release};
use crate::backend::Lease;
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
    /// Whether nothing is to be stored because another has the right to.
    is_taken: bool,
    /// Whether the user's code was entered and did not come back.
    in_user_code: bool,
}

struct Recording {
    chunked: Chunked,
    started: Instant,
    /// So that an invalidation wins over a stream that began before it. None once it was used.
    lease: Option<Lease>,
}

/// What is known of the right to store a stream.
pub(super) enum Claim {
    Granted(Lease),
    /// Another has it, who began before. Taking it over would be right as well, but where calls come faster than streams end each
    /// would take it from the one before, and nothing would ever be stored. Nor is the other waited for: the consumer wants the
    /// first item.
    Taken,
    /// The backend is left alone.
    None,
    /// It is to be had in place of whoever has it: there is an entry to be replaced, or nothing is known.
    Open,
}

impl Recorder {
    /// Begins an entry. Where there can't be one the reason is counted, and nothing will be stored.
    pub(super) fn new(request: Request, claim: &Claim) -> Self {
        let mut recorder = Self::idle(request);
        recorder.is_taken = matches!(claim, Claim::Taken);
        recorder.recording = recorder.begin(claim);
        recorder
    }

    fn begin(&self, claim: &Claim) -> Option<Recording> {
        let request = &self.request;
        let place = request.place()?;
        let mut budget = request.budget();
        let lease = match claim {
            Claim::Taken | Claim::None => return None,
            Claim::Granted(lease) => Some(*lease),
            Claim::Open => None,
        };
        let now_ms = request.runtime.now_ms();
        let chunked = match request.policy(&place).begin_stream(now_ms) {
            Ok(chunked) => chunked,
            Err(unstored) => {
                request.unstorable(&unstored);
                if let Some(lease) = lease {
                    release(request, place.name(), lease, Caller::Thread, &mut budget);
                }
                return None;
            }
        };
        let lease = lease.or_else(|| {
            let (life, deadline) = (request.runtime.longest_wait(), budget.deadline());
            let lease = ask(request, "lease", deadline, |backend| {
                backend.lease(place.name().as_str(), life, deadline)
            });
            if lease == Err(NoAnswer::Failed) {
                request.observer().abandoned(Abandoned::Unwritten);
            }
            lease.ok()
        });
        Some(Recording {
            chunked,
            started: Instant::now(),
            lease: Some(lease?),
        })
    }

    /// Stores nothing.
    pub(super) fn idle(request: Request) -> Self {
        Self {
            request,
            recording: None,
            is_taken: false,
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
            if self.is_taken {
                self.request.observer().outdated();
            }
            return;
        };
        let deadline = self.request.deadline();
        if let Some(chunk) = recording.chunked.writer.last_chunk()
            && !chunks::store(&self.request, &recording.chunked, chunk, deadline)
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
                let Some(lease) = recording.lease.take() else {
                    return;
                };
                let life = fill.life;
                let bytes = fill.into_bytes();
                match fill_by(&self.request, &place, lease, bytes, life, deadline) {
                    Ok(true) => self.recording = None,
                    Ok(false) => self.remove(),
                    // It may be written all the same: a reader then finds chunks missing, and runs the function.
                    Err(_) => self.abandon(Abandoned::Unwritten),
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
            } else if !chunks::store(
                &self.request,
                &recording.chunked,
                chunk,
                self.request.deadline(),
            ) {
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
            let mut budget = self.request.budget();
            if let (Some(lease), Some(place)) = (recording.lease, self.request.place()) {
                release(
                    &self.request,
                    place.name(),
                    lease,
                    Caller::Thread,
                    &mut budget,
                );
            }
            let names = recording.chunked.writer.names();
            chunks::remove(&self.request, names, budget.deadline());
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
