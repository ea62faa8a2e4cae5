//! The driver of functions that return a stream: as [`iter`](super::iter), with waits that leave the thread to others.
//!
//! Between two polls there may be a question to the backend under way. It owns what it is about, and ends in the state that
//! follows; so it is a box, one for each few chunks.

use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::budget::Budget;
use super::future::{ask, chunks, fetch_or_lease, fill_by, resealing};
use super::outcome::Outcome;
use super::place::Place;
use super::reading::{Claim, Following, Opening, Reading, Source, Stored};
use super::recorder::{Begun, Chunk, Publication, Recorder};
use super::request::Request;
use super::rotation::Whether;
use super::turn::{Caller, Missed, Right};
use crate::backend::Deadline;
use crate::config::Runtime;
use crate::entry::chunk::{Next, fingerprint_of_stream};
use crate::guard::discard;
use crate::timer::timeout;

pin_project! {
    /// The items of a memoized function: from the cache, or from the function's own stream.
    ///
    /// # Contract
    ///
    /// As that of [`Memoized`](super::Memoized), with these differences:
    ///
    /// - The lookup is made when it is polled first, and the body runs then on a miss. Where the function is awaited that returns
    ///   it, both happen there.
    /// - No thread is blocked: the backend is awaited between two items.
    /// - It is `Send` where the function's stream, its future and its arguments are. It may be dropped at any time. The removal of
    ///   chunks is then left to the backend, and not waited for.
    ///
    /// An iterator may read what a stream wrote, and a stream what an iterator did.
    #[must_use = "a stream does nothing unless it is polled, and is stored when it was consumed to its end"]
    pub struct MemoizedStream<R, F, B, S> {
        outcome: Outcome<R>,
        state: State,
        // Until it is called: on a miss, or where chunks are lost.
        compute: Option<F>,
        // What it returned, until that gave the items.
        #[pin]
        body: Option<B>,
        #[pin]
        items: Option<S>,
    }
}

enum State {
    Unpolled(Request),
    Reading(Reading),
    Running(Running),
    /// The backend is asked, and what follows from its answer comes out.
    Asking(Pin<Box<dyn Future<Output = State> + Send>>),
    Ended,
}

/// Items that come from the function.
struct Running {
    recorder: Recorder,
    /// How many are still to be skipped, because they were handed out from the cache.
    skip: u64,
}

impl<R, F, B, S> MemoizedStream<R, F, B, S>
where
    F: FnOnce() -> B,
    B: Future<Output = S>,
{
    /// A stream that is looked up when it is polled first.
    pub(crate) fn new(mut request: Request, outcome: Outcome<R>, compute: F) -> Self {
        request.fingerprint = fingerprint_of_stream(request.fingerprint);
        Self {
            outcome,
            state: State::Unpolled(request),
            compute: Some(compute),
            body: None,
            items: None,
        }
    }
}

/// A stream that was looked up, and whose body gave the items where they are to come from there.
///
/// Where they may have to come later, its future is in a box then: an async function's stream needn't be pinned unless its items have to be.
pub(crate) async fn begun<R, F, B, S>(
    mut request: Request,
    outcome: Outcome<R>,
    compute: F,
) -> MemoizedStream<R, impl FnOnce() -> Pin<Box<B>>, Pin<Box<B>>, S>
where
    F: FnOnce() -> B,
    B: Future<Output = S>,
{
    request.fingerprint = fingerprint_of_stream(request.fingerprint);
    let mut state = look_up(request).await;
    let mut compute = Some(compute);
    let items = if let State::Running(Running { recorder, .. }) = &mut state
        && let Some(compute) = compute.take()
    {
        let mut body = pin!(recorder.watch(compute));
        let run = poll_fn(|context| {
            recorder.polled_by(context.waker());
            recorder.watch(|| body.as_mut().poll(context))
        });
        Some(run.await)
    } else {
        None
    };
    MemoizedStream {
        outcome,
        state,
        compute: compute.map(|compute| move || Box::pin(compute())),
        body: None,
        items,
    }
}

impl<R, F, B, S> Stream for MemoizedStream<R, F, B, S>
where
    F: FnOnce() -> B,
    B: Future<Output = S>,
    S: Stream<Item = R>,
{
    type Item = R;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<R>> {
        let mut this = self.project();
        loop {
            let step = match this.state {
                State::Unpolled(_) => Step::LookUp,
                State::Asking(asking) => {
                    *this.state = ready!(asking.as_mut().poll(context));
                    continue;
                }
                State::Reading(reading) => match reading.find() {
                    // The item goes from the codec to the caller: each function in between would copy it.
                    Ok(Next::Item(item)) => {
                        match this
                            .outcome
                            .decode(reading.bytes_of(&item), reading.request.stored)
                        {
                            Ok(item) => {
                                reading.handed_out += 1;
                                return Poll::Ready(Some(item));
                            }
                            Err(reject) => Step::Run(Missed::Rejected(reject)),
                        }
                    }
                    Ok(Next::Starved) => Step::Supply,
                    Ok(Next::End) if reading.is_resealing() => Step::Reseal,
                    Ok(Next::End) => Step::End,
                    Err(missed) => Step::Run(missed),
                },
                State::Running(Running { recorder, skip }) => {
                    recorder.polled_by(context.waker());
                    // Before the next item, so that no item waits for its chunk.
                    if let Some(chunk) = recorder.full_chunk() {
                        Step::Store(chunk)
                    } else if let Some(item) = ready!(run(
                        recorder,
                        this.compute,
                        this.body.as_mut(),
                        this.items.as_mut(),
                        context
                    )) {
                        recorder.record(&item, this.outcome);
                        if *skip == 0 {
                            return Poll::Ready(Some(item));
                        }
                        *skip -= 1;
                        if !(this.outcome.is_value)(&item) {
                            return Poll::Ready(Some(item));
                        }
                        discard(item);
                        continue;
                    } else if this.items.is_none() {
                        // The body panicked, and it is polled all the same.
                        Step::End
                    } else {
                        this.items.set(None);
                        Step::Finish
                    }
                }
                State::Ended => {
                    *this.compute = None;
                    return Poll::Ready(None);
                }
            };
            *this.state = mem::replace(this.state, State::Ended).after(step);
        }
    }

    /// As that of the iterator: from the cache nothing is promised.
    fn size_hint(&self) -> (usize, Option<usize>) {
        match (&self.state, &self.items) {
            (State::Running(running), Some(items)) => {
                let (least, most) = items.size_hint();
                let skip = usize::try_from(running.skip).unwrap_or(usize::MAX);
                (least.saturating_sub(skip), most)
            }
            (State::Ended, _) => (0, Some(0)),
            _ => (0, None),
        }
    }
}

/// Polls the function for its next item, after what it takes to begin with; none either where its body panicked.
#[inline]
fn run<F, B, S>(
    recorder: &mut Recorder,
    compute: &mut Option<F>,
    mut body: Pin<&mut Option<B>>,
    mut items: Pin<&mut Option<S>>,
    context: &mut Context<'_>,
) -> Poll<Option<S::Item>>
where
    F: FnOnce() -> B,
    B: Future<Output = S>,
    S: Stream,
{
    loop {
        if let Some(items) = items.as_mut().as_pin_mut() {
            return recorder.watch(|| items.poll_next(context));
        }
        // The body sees the runtime that it would have seen at the call, wherever the stream is by now.
        let runtime = Runtime::clone(&recorder.request().runtime);
        if let Some(compute) = compute.take() {
            body.set(Some(recorder.watch(|| runtime.scope(compute))));
        }
        let Some(begun) = body.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let given = ready!(recorder.watch(|| runtime.scope(|| begun.poll(context))));
        body.set(None);
        items.set(Some(given));
    }
}

/// What a state can't do without asking the backend, or at all.
enum Step {
    LookUp,
    Supply,
    /// Store the entry of a stream that was sealed anew.
    Reseal,
    /// Go over from the cache to the function.
    Run(Missed),
    Store(Chunk),
    Finish,
    End,
}

impl State {
    fn after(self, step: Step) -> Self {
        Self::Asking(match (self, step) {
            (Self::Unpolled(request), Step::LookUp) => Box::pin(look_up(request)),
            (Self::Reading(reading), Step::Supply) => Box::pin(go_on_reading(reading)),
            (Self::Reading(reading), Step::Reseal) => Box::pin(reseal(reading)),
            (Self::Reading(reading), Step::Run(missed)) => Box::pin(resume(reading, missed)),
            (Self::Running(running), Step::Store(chunk)) => Box::pin(store(running, chunk)),
            (Self::Running(running), Step::Finish) => Box::pin(finish(running.recorder)),
            _ => return Self::Ended,
        })
    }
}

async fn look_up(request: Request) -> State {
    let begun = match Opening::of(&request) {
        Opening::Pass => Begun::Records(Recorder::idle(request, Caller::Task)),
        Opening::Record => Begun::Records(Recorder::new(request, Caller::Task)),
        Opening::LookUp => match find_stored(&request).await {
            Ok(stored) => {
                request.observer().hit();
                Begun::Follows(Reading::new(request, Source::Entry(stored)))
            }
            Err((missed, claim)) => {
                missed.tell(&request.observer());
                Recorder::join(request, Caller::Task, &claim)
            }
        },
    };
    match begun {
        Begun::Follows(reading) => State::Reading(reading),
        Begun::Records(recorder) => State::Running(Running {
            recorder: leased(recorder).await,
            skip: 0,
        }),
    }
}

async fn find_stored(request: &Request) -> Result<Stored, (Missed, Claim)> {
    let Some(place) = request.place() else {
        return Err((Missed::Absent, Claim::Open));
    };
    // What the lookup of a hit was granted is given up with it.
    let mut right = Right::new(request, place.name(), Caller::Task);
    let written = request.written(&place);
    right.is_under_way = written.is_some();
    let found = read_first(request, &place, &mut right).await;
    found.map_err(|missed| {
        let claim = Claim::of(request, &place, &mut right, &missed, written);
        (missed, claim)
    })
}

async fn read_first(
    request: &Request,
    place: &Place<'_>,
    right: &mut Right<'_>,
) -> Result<Stored, Missed> {
    let found = fetch_or_lease(request, place, right).await?;
    let mut stored = Stored::open(request, place, &found, right)?;
    // The first chunks are part of the lookup: where they are lost it is a miss like any other.
    match supply(request, &mut stored, right.budget.deadline()).await {
        Ok(()) => Ok(stored),
        Err(missed) => {
            stored.close(right);
            Err(missed)
        }
    }
}

/// Fetches the chunks that are wanted next.
async fn supply(request: &Request, stored: &mut Stored, deadline: Deadline) -> Result<(), Missed> {
    let Stored { reader, resealing } = stored;
    chunks::supply(request, reader, resealing, deadline).await
}

/// With the right to publish.
async fn leased(mut recorder: Recorder) -> Recorder {
    if recorder.needs_lease()
        && let Some(place) = recorder.request().place()
    {
        let request = recorder.request();
        let (life, deadline) = (request.runtime.longest_wait(), request.deadline());
        let lease = ask(request, "lease", deadline, |backend| {
            backend.lease(place.name().as_str(), life, deadline)
        });
        let lease = lease.await;
        drop(place);
        recorder.hold(lease);
    }
    recorder
}

async fn go_on_reading(mut reading: Reading) -> State {
    let mut budget = reading.request.budget();
    match fetch(&mut reading, &mut budget).await {
        Ok(()) => State::Reading(reading),
        Err(missed) => resume(reading, missed).await,
    }
}

/// Fetches what comes next.
async fn fetch(reading: &mut Reading, budget: &mut Budget) -> Result<(), Missed> {
    let request = &reading.request;
    let fetched = match &mut reading.source {
        Source::Entry(stored) => supply(request, stored, budget.deadline()).await,
        Source::Writer(following) => follow(request, following, budget).await,
    };
    budget.stop();
    fetched
}

/// Waits for what comes next, and fetches it where it is stored.
async fn follow(
    request: &Request,
    following: &mut Following,
    budget: &mut Budget,
) -> Result<(), Missed> {
    let until = following.stalls_at(request);
    let view = timeout(until, following.view(Caller::Task)).await;
    let Some((stored, names)) = following.take(request, view)? else {
        return Ok(());
    };
    let chunks = chunks::fetch(request, &names, budget.deadline()).await;
    following.supply(stored, chunks)
}

/// The stream was whole; what was sealed anew of it is, too.
async fn reseal(reading: Reading) -> State {
    if let Source::Entry(Stored {
        resealing: Some(resealing),
        ..
    }) = reading.source
        && let Some(place) = reading.request.place()
    {
        resealing::finish(*resealing, &place, reading.request.deadline()).await;
    }
    State::Ended
}

/// Goes over from the cache to the function, or from one writer to the next.
async fn resume(mut reading: Reading, mut missed: Missed) -> State {
    let handed_out = reading.handed_out;
    loop {
        match go_on(reading, &missed).await {
            Begun::Follows(other) => {
                reading = other;
                match pass_over(&mut reading).await {
                    Ok(()) => return State::Reading(reading),
                    Err(why) => missed = why,
                }
            }
            Begun::Records(recorder) => {
                return State::Running(Running {
                    recorder: leased(recorder).await,
                    skip: handed_out,
                });
            }
        }
    }
}

/// As [`look_up`], where a stream can't be read to its end.
async fn go_on(reading: Reading, missed: &Missed) -> Begun {
    let claim = if reading.may_be_stored(missed) {
        match find_stored(&reading.request).await {
            Ok(stored) => return Begun::Follows(reading.resumed(Source::Entry(stored))),
            Err((_, claim)) => claim,
        }
    } else {
        Claim::Open
    };
    Recorder::resume(reading, Caller::Task, missed, &claim)
}

/// Passes over what was handed out already, within one budget.
async fn pass_over(reading: &mut Reading) -> Result<(), Missed> {
    let mut budget = reading.request.budget();
    let mut left = reading.handed_out;
    while left > 0 {
        match reading.find()? {
            Next::Item(_) => left -= 1,
            Next::Starved => fetch(reading, &mut budget).await?,
            Next::End => break,
        }
    }
    Ok(())
}

/// Stores all the chunks that there are, of which one was taken.
async fn store(mut running: Running, chunk: Chunk) -> State {
    let recorder = &mut running.recorder;
    let mut next = Some(chunk);
    while let Some(chunk) = next {
        let request = recorder.request();
        let stored = chunks::store_one(request, chunk, request.deadline()).await;
        recorder.acknowledge(stored);
        next = recorder.full_chunk();
    }
    State::Running(running)
}

/// Stores what is left of the stream, and then the manifest.
async fn finish(mut recorder: Recorder) -> State {
    recorder.ended();
    let deadline = recorder.request().deadline();
    if let Some(chunk) = recorder.last_chunk() {
        let stored = chunks::store_one(recorder.request(), chunk, deadline).await;
        recorder.acknowledge(stored);
    }
    if let Some(Publication { lease, fill }) = recorder.publication() {
        let request = recorder.request();
        if let Some(place) = request.place() {
            let filled = fill_by(request, &place, lease, fill, Whether::Found, deadline).await;
            drop(place);
            recorder.published(filled, deadline);
        }
    }
    State::Ended
}

impl<R, F, B, S> fmt::Debug for MemoizedStream<R, F, B, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Unpolled(_) => "MemoizedStream(not polled yet)",
            State::Reading(_) => "MemoizedStream(from the cache)",
            State::Running(_) => "MemoizedStream(from the function)",
            State::Asking(_) => "MemoizedStream(asking the backend)",
            State::Ended => "MemoizedStream(at its end)",
        })
    }
}
