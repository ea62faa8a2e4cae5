//! The driver of functions that return an iterator, on the thread of whoever consumes it.

use std::fmt;
use std::iter::FusedIterator;
use std::mem;

use super::chunks;
use super::lookup::{fetch_or_lease, usable};
use super::outcome::Outcome;
use super::place::Place;
use super::recorder::{Claim, Recorder};
use super::request::Request;
use super::turn::{Caller, Missed, Right};
use crate::config::Runtime;
use crate::entry::chunk::{Item, Next, Reader, fingerprint_of_stream};

/// The items of a memoized function: from the cache, or from the function's own iterator.
///
/// # Contract
///
/// - The lookup is made when the function is called, and so is the body on a miss. Each item is then handed on as it is
///   produced, and the entry is built beside it; it is published when the iterator has come to its end. One that is dropped
///   before, panics, or yields an `Err` publishes nothing; `take` and `zip` with a shorter one drop it before.
/// - On a hit the entry is read a few chunks at a time, item by item.
/// - If chunks are lost while they are read, the body runs, and as many items as were handed out are skipped: the sequence is
///   the function's, as far as it yields the same ones again. An `Err` that is met while skipping is handed on.
///   That is why the closure with the function's arguments is in here for as long as items come from the cache. It
///   runs at most once.
/// - Memory is bounded by a few chunks, of 256 KiB, and the longest item, whatever the number of items.
/// - After the first `None` it yields no more items, whatever the function's iterator does.
///
/// It is `Send` where the function's iterator and arguments are. Dropping it may ask the backend to remove chunks.
#[must_use = "what the iterator yields is stored when it was consumed to its end"]
pub struct Memoized<R, F, I> {
    outcome: Outcome<R>,
    state: State<F, I>,
}

enum State<F, I> {
    Reading(Reading, F),
    Running(Running<I>),
    Ended,
}

/// A stream that comes from the cache.
struct Reading {
    request: Request,
    reader: Reader,
    handed_out: u64,
}

/// A stream that comes from the function.
struct Running<I> {
    items: I,
    /// How many items are still to be skipped, because they were handed out from the cache.
    skip: u64,
    recorder: Recorder,
}

impl<R, F, I> Memoized<R, F, I>
where
    F: FnOnce() -> I,
    I: Iterator<Item = R>,
{
    pub(crate) fn new(mut request: Request, outcome: Outcome<R>, compute: F) -> Self {
        request.fingerprint = fingerprint_of_stream(request.fingerprint);
        let observer = request.observer();
        let recorder = if request.place_or_bypass(&observer).is_none() {
            Recorder::idle(request)
        } else if let Some(refusal) = request.stored.refusal() {
            observer.refused(refusal, request.stored.tells_refusal());
            Recorder::idle(request)
        } else if request.overwrite {
            observer.forced();
            Recorder::new(request, &Claim::Open)
        } else {
            let (found, claim) = look_up(&request);
            match found {
                Ok(reader) => {
                    observer.hit();
                    let reading = Reading {
                        request,
                        reader,
                        handed_out: 0,
                    };
                    return Self {
                        outcome,
                        state: State::Reading(reading, compute),
                    };
                }
                Err(missed) => missed.tell(&observer),
            }
            Recorder::new(request, &claim)
        };
        let state = State::Running(Running::new(recorder, compute, 0));
        Self { outcome, state }
    }

    /// Goes over from the cache to the function.
    #[cold]
    fn run_for_the_rest(&mut self, missed: &Missed) {
        // Ended for as long as the body runs: there it stays if that panics.
        if let State::Reading(reading, compute) = mem::replace(&mut self.state, State::Ended) {
            reading.request.observer().interrupted(missed.name());
            // The body sees the runtime that it would have seen at the call, wherever the iterator is by now.
            let runtime = Runtime::clone(&reading.request.runtime);
            let compute = || runtime.scope(compute);
            // The whole stream comes by, so that the entry can be healed.
            let recorder = Recorder::new(reading.request, &Claim::Open);
            self.state = State::Running(Running::new(recorder, compute, reading.handed_out));
        }
    }
}

/// The stream that is found, and what is known of the right to store one.
fn look_up(request: &Request) -> (Result<Reader, Missed>, Claim) {
    let Some(place) = request.place() else {
        return (Err(Missed::Absent), Claim::Open);
    };
    let mut right = Right::new(request, place.name(), Caller::Thread);
    let found = open(request, &place, &mut right);
    let claim = match &found {
        // What the lookup of a hit was granted is given up with `right`.
        Ok(_) | Err(Missed::Unanswered) => Claim::Open,
        Err(Missed::Skipped) => Claim::None,
        Err(_) => match right.lease.take() {
            Some(lease) => Claim::Granted(lease),
            // With no life to live, nothing was asked for.
            None if right.replaces || request.policy(&place).life_ms == 0 => Claim::Open,
            None => Claim::Taken,
        },
    };
    (found, claim)
}

fn open(request: &Request, place: &Place<'_>, right: &mut Right<'_>) -> Result<Reader, Missed> {
    let found = fetch_or_lease(request, place, right)?;
    let now_ms = request.runtime.now_ms();
    let lookup = request.policy(place).look_for_stream(&found, now_ms);
    // What is in chunks stays where it is.
    let (mut reader, _) = usable(lookup)?;
    // The first chunks are part of the lookup: where they are lost it is a miss like any other.
    chunks::supply(request, &mut reader, right.budget.deadline())?;
    Ok(reader)
}

impl Reading {
    /// Finds the next item, none at the end, and fetches chunks for it where that takes some.
    #[inline]
    fn find(&mut self) -> Result<Option<Item>, Missed> {
        loop {
            match self.reader.next_item().map_err(Missed::Rejected)? {
                Next::Item(item) => return Ok(Some(item)),
                Next::Starved => {
                    let deadline = self.request.deadline();
                    chunks::supply(&self.request, &mut self.reader, deadline)?;
                }
                Next::End => return Ok(None),
            }
        }
    }
}

impl<I: Iterator> Running<I> {
    fn new(mut recorder: Recorder, compute: impl FnOnce() -> I, skip: u64) -> Self {
        let items = recorder.watch(compute);
        Self {
            items,
            skip,
            recorder,
        }
    }

    /// The upper bound stays that of all items: each that is to be skipped may be an `Err`, which is handed on.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.items.size_hint();
        let skip = usize::try_from(self.skip).unwrap_or(usize::MAX);
        (least.saturating_sub(skip), most)
    }

    #[inline]
    fn next(&mut self, outcome: &Outcome<I::Item>) -> Option<I::Item> {
        loop {
            let Some(item) = self.recorder.watch(|| self.items.next()) else {
                self.recorder.finish();
                return None;
            };
            self.recorder.record(&item, outcome);
            if self.skip == 0 {
                return Some(item);
            }
            self.skip -= 1;
            if !(outcome.is_value)(&item) {
                return Some(item);
            }
        }
    }
}

impl<R, F, I> Iterator for Memoized<R, F, I>
where
    F: FnOnce() -> I,
    I: Iterator<Item = R>,
{
    type Item = R;

    #[inline]
    fn next(&mut self) -> Option<R> {
        if let State::Reading(reading, _) = &mut self.state {
            let missed = match reading.find() {
                // The item goes from the codec to the caller: each function in between would copy it.
                Ok(Some(item)) => match (self.outcome.decode)(
                    reading.reader.bytes_of(&item),
                    reading.request.stored,
                ) {
                    Ok(item) => {
                        reading.handed_out += 1;
                        return Some(item);
                    }
                    Err(reject) => Missed::Rejected(reject),
                },
                Ok(None) => {
                    self.state = State::Ended;
                    return None;
                }
                Err(missed) => missed,
            };
            self.run_for_the_rest(&missed);
        }
        let State::Running(running) = &mut self.state else {
            return None;
        };
        let item = running.next(&self.outcome);
        if item.is_none() {
            self.state = State::Ended;
        }
        item
    }

    /// From the cache nothing is promised: the rest may be lost on the way, and a claim of who else may have written the entry
    /// is nothing to reserve memory for.
    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.state {
            State::Reading(..) => (0, None),
            State::Running(running) => running.size_hint(),
            State::Ended => (0, Some(0)),
        }
    }
}

impl<R, F, I> FusedIterator for Memoized<R, F, I>
where
    F: FnOnce() -> I,
    I: Iterator<Item = R>,
{
}

impl<R, F, I> fmt::Debug for Memoized<R, F, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Reading(..) => "Memoized(from the cache)",
            State::Running(_) => "Memoized(from the function)",
            State::Ended => "Memoized(at its end)",
        })
    }
}
