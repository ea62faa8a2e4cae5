//! What the drivers of iterators and of streams have in common on the way from the cache, or from who writes to it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use super::ask::NoAnswer;
use super::lookup::usable;
use super::place::Place;
use super::request::Request;
use super::resealing::Resealing;
use super::turn::{Caller, Missed, Right};
use crate::backend::{Bytes, Lease};
use crate::entry::chunk::{Follower, Item, Next, Reader};
use crate::flight::{Node, block_on};
use crate::hidden::Hidden;
use crate::key::CacheKey;
use crate::progress::{Progress, View, this_thread};

/// What the call of a function begins with that returns an iterator or a stream.
pub(super) enum Opening {
    LookUp,
    /// The items come from the function, and are recorded.
    Record,
    /// They come from the function, as if it were not memoized.
    Pass,
}

impl Opening {
    /// Decides that, and tells why where nothing is looked up.
    pub(super) fn of(request: &Request) -> Self {
        let observer = request.observer();
        if request.place_or_bypass(&observer).is_none() {
            Self::Pass
        } else if request.overwrite {
            observer.forced();
            Self::Record
        } else {
            Self::LookUp
        }
    }
}

/// What is known of the right to store a stream.
pub(super) enum Claim {
    Granted(Lease),
    /// Another has it, who began before. Taking it over would be right as well, but where calls come faster than streams end each
    /// would take it from the one before, and nothing would ever be stored. Nor is another process waited for: the consumer
    /// wants the first item.
    Taken,
    /// Nothing was asked for, as this process writes it: to be followed, though its writer may have come to its end since.
    Written(Arc<Progress>),
    /// The backend is left alone.
    None,
    /// It is to be had in place of whoever has it: there is an entry to be replaced, or nothing is known.
    Open,
}

impl Claim {
    pub(super) fn granted(&self) -> Option<Arc<Lease>> {
        match self {
            Self::Granted(lease) => Some(Arc::new(*lease)),
            _ => None,
        }
    }

    /// What a lookup that missed leaves of its right.
    pub(super) fn of(
        request: &Request,
        place: &Place<'_>,
        right: &mut Right<'_>,
        missed: &Missed,
        written: Option<Arc<Progress>>,
    ) -> Self {
        match (missed, written) {
            (Missed::Skipped, _) => Self::None,
            (_, Some(progress)) => Self::Written(progress),
            (Missed::Unanswered, None) => Self::Open,
            (_, None) => match right.lease.take() {
                Some(lease) => Self::Granted(lease),
                // With no life to live, nothing was asked for.
                None if right.replaces || request.policy(place).life_ms == 0 => Self::Open,
                None => Self::Taken,
            },
        }
    }
}

/// Items that come from the cache.
pub(super) struct Reading {
    pub(super) request: Request,
    pub(super) source: Source,
    pub(super) handed_out: u64,
    /// Whether it is not the first source: then it is the last. So one failing body doesn't line up all who read.
    is_resumed: bool,
}

pub(super) enum Source {
    Entry(Stored),
    /// One that is being written in this process.
    Writer(Following),
}

/// A stream that is stored, as far as it was read.
pub(super) struct Stored {
    pub(super) reader: Reader,
    /// What seals it anew on the way, where it was found under a previous name: seldom there, so that it takes no room in each iterator.
    pub(super) resealing: Option<Box<Resealing>>,
}

/// A stream that is being written, as far as it was read.
pub(super) struct Following {
    progress: Arc<Progress>,
    follower: Follower,
}

impl Reading {
    pub(super) fn new(request: Request, source: Source) -> Self {
        Self {
            request,
            source,
            handed_out: 0,
            is_resumed: false,
        }
    }

    /// Goes on from another source, where what was handed out is to be passed over.
    pub(super) fn resumed(self, source: Source) -> Self {
        Self {
            source,
            is_resumed: true,
            ..self
        }
    }

    /// Whether it was left by the writer that it followed, so that another may have stored the stream meanwhile.
    pub(super) fn may_be_stored(&self, missed: &Missed) -> bool {
        matches!(missed, Missed::Deserted) && !self.is_resumed
    }

    /// Whether to follow whoever writes the stream now.
    pub(super) fn may_follow(&self, missed: &Missed) -> bool {
        // Behind a writer, a chunk that was lost is lost for all who follow it.
        let is_lost = matches!(
            (&self.source, missed),
            (Source::Entry(_), Missed::Rejected(_))
        );
        (is_lost || matches!(missed, Missed::Deserted)) && !self.is_resumed
    }

    /// The bytes of the next item, where it is in what is there in one piece, as nearly all are.
    #[inline]
    pub(super) fn at_hand(&mut self) -> Option<&[u8]> {
        match &mut self.source {
            Source::Entry(stored) => stored.reader.at_hand(),
            Source::Writer(_) => None,
        }
    }

    /// The right to store of the writer that is followed, unless that one is gone.
    pub(super) fn writers_lease(&self) -> Option<Arc<Lease>> {
        match &self.source {
            Source::Entry(_) => None,
            Source::Writer(following) => following.progress.lease(),
        }
    }

    /// Finds the next item in what is there.
    pub(super) fn find(&mut self) -> Result<Next, Missed> {
        let next = match &mut self.source {
            Source::Entry(stored) => stored.reader.next_item(),
            Source::Writer(following) => following.follower.next_item(),
        };
        next.map_err(Missed::Rejected)
    }

    /// Whether what was read is being sealed anew.
    pub(super) fn is_resealing(&self) -> bool {
        matches!(&self.source, Source::Entry(stored) if stored.resealing.is_some())
    }

    /// The bytes of the item that was found last.
    #[inline]
    pub(super) fn bytes_of(&self, item: &Item) -> &[u8] {
        match &self.source {
            Source::Entry(stored) => stored.reader.bytes_of(item),
            Source::Writer(following) => following.follower.bytes_of(item),
        }
    }
}

impl Stored {
    /// The stream in what was found under the names of a place. What is to be sealed anew takes the lease.
    pub(super) fn open(
        request: &Request,
        place: &Place<'_>,
        found: &[Option<Bytes>],
        right: &mut Right<'_>,
    ) -> Result<Self, Missed> {
        let now_ms = request.runtime.now_ms();
        let mut passed_over = Vec::new();
        let policy = request.policy(place);
        let lookup = policy.look_for_stream(found, now_ms, &mut passed_over);
        request.observer().passed_over(&passed_over);
        let (reader, renewal) = usable(lookup)?;
        let resealing =
            renewal.and_then(|renewal| Resealing::begin(request, place, renewal, right, None));
        Ok(Self { reader, resealing })
    }

    /// It turned out not to be whole before anything was read: the lease goes back.
    pub(super) fn close(self, right: &mut Right<'_>) {
        if let Some(resealing) = self.resealing {
            right.lease = resealing.give_back();
        }
    }
}

impl Following {
    pub(super) fn new(request: &Request, place: &Place<'_>, progress: Arc<Progress>) -> Self {
        Self {
            follower: request.policy(place).follow(&progress.origin),
            progress,
        }
    }

    /// Until when to wait for what comes next.
    pub(super) fn stalls_at(&self, request: &Request) -> Option<Instant> {
        let longest_wait = request.runtime.longest_wait();
        self.progress.stalls_at(Instant::now(), longest_wait)
    }

    /// What comes next; waits until there is something.
    pub(super) async fn view(&self, caller: Caller) -> View {
        self.progress.view(self.follower.supplied(), caller).await
    }

    /// The same on this thread, which isn't blocked for longer than a writer may stall; none where it did, or where it waits for this
    /// thread in turn.
    pub(super) fn view_blocking(&self, request: &Request) -> Option<View> {
        let mut view = pin!(self.view(Caller::Thread));
        let at_once = block_on(view.as_mut(), Some(Instant::now()));
        if at_once.is_some() {
            return at_once;
        }
        let flights = request.runtime.flights();
        let _blocked = match self.progress.thread() {
            Some(thread) => Some(flights.block(this_thread(), Node::Thread(thread))?),
            None => None,
        };
        block_on(view, self.stalls_at(request))
    }

    /// Takes what was seen in time. What is stored already is left to be fetched: the names, and of how many chunks they are.
    pub(super) fn take(
        &mut self,
        request: &Request,
        view: Option<View>,
    ) -> Result<Option<(u32, Vec<CacheKey>)>, Missed> {
        match view {
            Some(View::Stored(stored)) => Ok(Some((stored, self.follower.wants(stored)))),
            Some(View::Unstored(Hidden(bytes))) => {
                self.follower.supply_unstored(bytes);
                Ok(None)
            }
            Some(View::Whole { raw_len, items }) => {
                let ended = self.follower.end(raw_len, items);
                ended.map_err(Missed::Rejected)?;
                Ok(None)
            }
            Some(View::Broken) | None => {
                // Who comes next is not to wait for it as long.
                request.runtime.writers().leave(&self.progress);
                Err(Missed::Deserted)
            }
        }
    }

    /// Takes the backend's answer.
    pub(super) fn supply(
        &mut self,
        stored: u32,
        chunks: Result<Vec<Option<Bytes>>, NoAnswer>,
    ) -> Result<(), Missed> {
        let supplied = self.follower.supply(stored, chunks?);
        supplied.map_err(|reject| {
            if self.progress.is_left() {
                Missed::Deserted
            } else {
                Missed::Rejected(reject)
            }
        })
    }
}
