//! The driver of functions that return an iterator, on the thread of whoever consumes it.

use std::fmt;
use std::iter::FusedIterator;
use std::mem;

use super::ask::ask;
use super::budget::Budget;
use super::chunks;
use super::lookup::fetch_or_lease;
use super::outcome::Outcome;
use super::place::Place;
use super::reading::{Claim, Following, Opening, Reading, Source, Stored};
use super::recorder::{Begun, Publication, Recorder};
use super::request::Request;
use super::rotation::Whether;
use super::sync::fill_by;
use super::turn::{Caller, Missed, Right};
use crate::backend::Deadline;
use crate::config::Runtime;
use crate::entry::chunk::{Item, Next, fingerprint_of_stream};
use crate::guard::discard;

/// The items of a memoized function: from the cache, or from the function's own iterator.
///
/// # Contract
///
/// - The lookup is made when the function is called, and so is the body on a miss. Each item is then handed on as it is
///   produced, and the entry is built beside it; it is published when the iterator has come to its end. One that is dropped
///   before, panics, or yields an `Err` publishes nothing; `take` and `zip` with a shorter one drop it before.
/// - On a hit the entry is read a few chunks at a time, item by item.
/// - While another iterator or stream of this process writes the entry, it is followed: its items come as it consumes them, read from the
///   cache but for the last few. Where it is dropped, fails or yields nothing for a second (for
///   [`longest_wait`](crate::RuntimeBuilder::longest_wait) before its first item), and where this thread or task is the one that
///   consumes it, the body runs, as for chunks that are lost: of those who are left so, or meet one loss, one runs it and the others follow
///   that one, unless it fails too. A writer waits for nobody.
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

/// Items that come from the function.
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
        let recorder = match Opening::of(&request) {
            Opening::Pass => Recorder::idle(request, Caller::Thread),
            Opening::Record => leased(Recorder::new(request, Caller::Thread)),
            Opening::LookUp => match look_up(request) {
                Begun::Follows(reading) => {
                    return Self {
                        outcome,
                        state: State::Reading(reading, compute),
                    };
                }
                Begun::Records(recorder) => leased(recorder),
            },
        };
        let state = State::Running(Running::new(recorder, compute, 0));
        Self { outcome, state }
    }

    /// Goes over from the cache to the function, or from one writer to the next.
    #[cold]
    fn resume(&mut self, mut missed: Missed) {
        // Ended for as long as the body runs: there it stays if that panics.
        let State::Reading(mut reading, compute) = mem::replace(&mut self.state, State::Ended)
        else {
            return;
        };
        let handed_out = reading.handed_out;
        self.state = loop {
            match go_on(reading, &missed) {
                Begun::Follows(other) => {
                    reading = other;
                    match pass_over(&mut reading) {
                        Ok(()) => break State::Reading(reading, compute),
                        Err(why) => missed = why,
                    }
                }
                Begun::Records(recorder) => {
                    // The body sees the runtime that it would have seen at the call, wherever the iterator is by now.
                    let runtime = Runtime::clone(&recorder.request().runtime);
                    let compute = || runtime.scope(compute);
                    break State::Running(Running::new(leased(recorder), compute, handed_out));
                }
            }
        };
    }
}

/// Finds the stream in the cache, or on its way there; or begins it.
fn look_up(request: Request) -> Begun {
    match find_stored(&request) {
        Ok(stored) => {
            request.observer().hit();
            Begun::Follows(Reading::new(request, Source::Entry(stored)))
        }
        Err((missed, claim)) => {
            missed.tell(&request.observer());
            Recorder::join(request, Caller::Thread, &claim)
        }
    }
}

/// The same where one can't be read to its end.
fn go_on(reading: Reading, missed: &Missed) -> Begun {
    let claim = if reading.may_be_stored(missed) {
        match find_stored(&reading.request) {
            Ok(stored) => return Begun::Follows(reading.resumed(Source::Entry(stored))),
            Err((_, claim)) => claim,
        }
    } else {
        Claim::Open
    };
    Recorder::resume(reading, Caller::Thread, missed, &claim)
}

/// Passes over what was handed out already, within one budget.
fn pass_over(reading: &mut Reading) -> Result<(), Missed> {
    let mut budget = reading.request.budget();
    let mut left = reading.handed_out;
    while left > 0 {
        match reading.find()? {
            Next::Item(_) => left -= 1,
            Next::Starved => fetch(reading, &mut budget)?,
            Next::End => break,
        }
    }
    Ok(())
}

/// The stream that is found; or why there is none, and what is known of the right to store one.
fn find_stored(request: &Request) -> Result<Stored, (Missed, Claim)> {
    let Some(place) = request.place() else {
        return Err((Missed::Absent, Claim::Open));
    };
    // What the lookup of a hit was granted is given up with it.
    let mut right = Right::new(request, place.name(), Caller::Thread);
    let written = request.written(&place);
    right.is_under_way = written.is_some();
    let found = read_first(request, &place, &mut right);
    found.map_err(|missed| {
        let claim = Claim::of(request, &place, &mut right, &missed, written);
        (missed, claim)
    })
}

fn read_first(
    request: &Request,
    place: &Place<'_>,
    right: &mut Right<'_>,
) -> Result<Stored, Missed> {
    let found = fetch_or_lease(request, place, right)?;
    let mut stored = Stored::open(request, place, &found, right)?;
    // The first chunks are part of the lookup: where they are lost it is a miss like any other.
    match supply(request, &mut stored, right.budget.deadline()) {
        Ok(()) => Ok(stored),
        Err(missed) => {
            stored.close(right);
            Err(missed)
        }
    }
}

/// Fetches the chunks that are wanted next.
fn supply(request: &Request, stored: &mut Stored, deadline: Deadline) -> Result<(), Missed> {
    let Stored { reader, resealing } = stored;
    chunks::supply(request, reader, resealing, deadline)
}

/// With the right to publish.
fn leased(mut recorder: Recorder) -> Recorder {
    if recorder.needs_lease()
        && let Some(place) = recorder.request().place()
    {
        let request = recorder.request();
        let (life, deadline) = (request.runtime.longest_wait(), request.deadline());
        let lease = ask(request, "lease", deadline, |backend| {
            backend.lease(place.name().as_str(), life, deadline)
        });
        drop(place);
        recorder.hold(lease);
    }
    recorder
}

/// Reads the next item, none at the end.
#[inline]
fn read<R>(
    reading: &mut Reading,
    outcome: &Outcome<R>,
    item: &mut Option<R>,
) -> Result<(), Missed> {
    let stored = reading.request.stored;
    let bytes = match reading.at_hand() {
        Some(bytes) => bytes,
        None => match find(reading)? {
            Some(found) => reading.bytes_of(&found),
            None => return Ok(()),
        },
    };
    (outcome.decode_into)(bytes, stored, item).map_err(Missed::Rejected)?;
    reading.handed_out += 1;
    Ok(())
}

/// Finds the next item, none at the end, and fetches chunks for it where that takes some.
fn find(reading: &mut Reading) -> Result<Option<Item>, Missed> {
    loop {
        match reading.find()? {
            Next::Item(item) => return Ok(Some(item)),
            Next::Starved => {
                let mut budget = reading.request.budget();
                fetch(reading, &mut budget)?;
            }
            Next::End => {
                finish(reading);
                return Ok(None);
            }
        }
    }
}

/// The stream was whole; what was sealed anew of it is, too.
fn finish(reading: &mut Reading) {
    if let Source::Entry(stored) = &mut reading.source
        && let Some(resealing) = stored.resealing.take()
        && let Some(place) = reading.request.place()
    {
        resealing.finish(&place, reading.request.deadline());
    }
}

/// Fetches what comes next.
fn fetch(reading: &mut Reading, budget: &mut Budget) -> Result<(), Missed> {
    let request = &reading.request;
    let fetched = match &mut reading.source {
        Source::Entry(stored) => supply(request, stored, budget.deadline()),
        Source::Writer(following) => follow(request, following, budget),
    };
    budget.stop();
    fetched
}

/// Waits for what comes next, and fetches it where it is stored.
fn follow(request: &Request, following: &mut Following, budget: &mut Budget) -> Result<(), Missed> {
    let view = following.view_blocking(request);
    let Some((stored, names)) = following.take(request, view)? else {
        return Ok(());
    };
    following.supply(stored, chunks::fetch(request, &names, budget.deadline()))
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
            // It stays where it is: out of its `Some` and into another it would be copied twice.
            let next = self.recorder.watch(|| self.items.next());
            let Some(item) = &next else {
                self.finish();
                return None;
            };
            self.recorder.record(item, outcome);
            while let Some(chunk) = self.recorder.full_chunk() {
                let request = self.recorder.request();
                let stored = chunks::store(request, chunk, request.deadline());
                self.recorder.acknowledge(stored);
            }
            if self.skip == 0 {
                return next;
            }
            self.skip -= 1;
            if !(outcome.is_value)(item) {
                return next;
            }
            discard(next);
        }
    }

    /// Stores what is left of the stream, and then the manifest.
    fn finish(&mut self) {
        let recorder = &mut self.recorder;
        recorder.ended();
        let deadline = recorder.request().deadline();
        if let Some(chunk) = recorder.last_chunk() {
            let stored = chunks::store(recorder.request(), chunk, deadline);
            recorder.acknowledge(stored);
        }
        if let Some(Publication { lease, fill }) = recorder.publication() {
            let request = recorder.request();
            if let Some(place) = request.place() {
                let filled = fill_by(request, &place, lease, fill, Whether::Found, deadline);
                drop(place);
                recorder.published(filled, deadline);
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
        // The codec puts the item where the caller finds it: each function in between would copy it.
        let mut item = None;
        while let State::Reading(reading, _) = &mut self.state {
            match read(reading, &self.outcome, &mut item) {
                Ok(()) if item.is_some() => return item,
                Ok(()) => self.state = State::Ended,
                Err(missed) => self.resume(missed),
            }
        }
        if let State::Running(running) = &mut self.state {
            item = running.next(&self.outcome);
            if item.is_none() {
                self.state = State::Ended;
            }
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
