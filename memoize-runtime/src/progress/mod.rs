//! The streams that are being written in this process, for those who come meanwhile and follow.
//!
//! A follower reads the chunks that are stored already, from the backend as everyone does, and from memory only what is not
//! stored yet: a chunk and an item at most. So both stay within bounds however far apart they are, and the writer waits for
//! nobody. Who has read everything waits to be woken, by a waker: threads and tasks alike.

use std::future::Future;
use std::pin::Pin;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::backend::{Bytes, Lease};
use crate::call::Caller;
use crate::entry::chunk::Origin;
use crate::hidden::Hidden;
use crate::locks::lock;
use crate::shards::{Shard, Shards};
use crate::shim::{Mutex, thread_local};
use crate::sleepers::{Sleepers, Ticket};

/// How long a writer may take for its next item before those who follow it go on by themselves.
const STALLED: Duration = Duration::from_secs(1);

/// The streams that are followed, by the names of their entries: of each name the first.
#[derive(Clone)]
pub(crate) struct Writers(Arc<Shards<Progress>>);

/// How far a stream is written.
pub(crate) struct Progress {
    name: Box<str>,
    pub(crate) origin: Origin,
    /// The process that writes: a forked child knows of its parent's writers, but has none of their threads.
    process: u32,
    writer: Caller,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many full chunks are stored.
    stored: u32,
    /// What comes after those.
    tail: Vec<u8>,
    items: u64,
    end: Option<End>,
    is_left: bool,
    /// The right to store it, for as long as the writer has it.
    lease: Weak<Lease>,
    /// The thread that wrote or was polled last, and the task, where it is one that writes.
    thread: u64,
    task: Option<Waker>,
    /// How many items there were when a follower found nothing new, and when that was seen first.
    idle: Option<(u64, Instant)>,
    sleepers: Sleepers,
}

#[derive(Clone, Copy)]
enum End {
    Whole,
    /// It was dropped, panicked, or can't be stored.
    Broken,
}

/// What there is for a follower.
#[derive(Debug, PartialEq)]
pub(crate) enum View {
    /// Chunks, of so many that are stored.
    Stored(u32),
    /// The bytes that come next.
    Unstored(Hidden<Bytes>),
    /// Nothing more: so long is the whole, and of so many items.
    Whole { raw_len: u64, items: u64 },
    /// Nothing more will come, or nothing can come as long as this caller waits: it is the one that writes. Or the writer was left
    /// behind by a fork.
    Broken,
}

/// What became of a call that is to write a stream.
pub(crate) enum Joined {
    /// Nobody follows it where another writes a stream of another type.
    Writes(Option<Publisher>),
    Follows(Arc<Progress>),
}

/// Tells followers of the progress. Dropped before the end, it tells them that there will be none.
pub(crate) struct Publisher {
    writers: Writers,
    pub(crate) progress: Arc<Progress>,
    /// The task that was told of last, and the thread that polled it.
    task: Option<Waker>,
    thread: u64,
}

impl Writers {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shards::new()))
    }

    /// The stream of this name and type that is being written, to be followed. One that has expired meanwhile is not handed to those
    /// who come now. Waits for nobody where nothing is written.
    pub(crate) fn find(&self, name: &str, fingerprint: u64, now_ms: u64) -> Option<Arc<Progress>> {
        let found = self.0.find(name);
        found.filter(|found| found.is_for(fingerprint, now_ms))
    }

    /// Follows the stream of this name and type that is being written meanwhile, or makes known this one, which is begun.
    /// As `lease` is the right to store it, who follows may share that.
    pub(crate) fn join(
        &self,
        name: &str,
        origin: Origin,
        now_ms: u64,
        caller: Caller,
        lease: Option<&Arc<Lease>>,
    ) -> Joined {
        let mut writers = self.0.lock(name);
        if let Some(progress) = writers.get(name) {
            if progress.is_for(origin.header.fingerprint, now_ms) {
                return Joined::Follows(Arc::clone(progress));
            }
            if progress.has_expired(now_ms) {
                // Not the last reference, which its writer has.
                let _expired = writers.remove(name);
            }
        }
        Joined::Writes(self.enter_locked(&mut writers, name, origin, caller, lease))
    }

    /// Makes known a stream that is begun, if it is the first.
    pub(crate) fn enter(
        &self,
        name: &str,
        origin: Origin,
        caller: Caller,
        lease: Option<&Arc<Lease>>,
    ) -> Option<Publisher> {
        self.enter_locked(&mut self.0.lock(name), name, origin, caller, lease)
    }

    fn enter_locked(
        &self,
        writers: &mut Shard<'_, Progress>,
        name: &str,
        origin: Origin,
        caller: Caller,
        lease: Option<&Arc<Lease>>,
    ) -> Option<Publisher> {
        if writers.get(name).is_some() {
            return None;
        }
        let progress = Arc::new(Progress::new(name, origin, caller, lease));
        let _none = writers.insert(name, Arc::clone(&progress));
        Some(Publisher {
            writers: self.clone(),
            progress,
            task: None,
            thread: 0,
        })
    }

    /// Takes the stream of `name` out of sight: who comes from now on doesn't follow it. Who does already gets the rest, and stores by
    /// a lease of its own if it has to go on by itself.
    pub(crate) fn void(&self, name: &str) {
        let removed = self.0.lock(name).remove(name);
        if let Some(progress) = removed {
            lock(&progress.state).lease = Weak::new();
        }
    }

    /// The same for one writer, which is gone, or for which nobody else should wait in vain.
    pub(crate) fn leave(&self, progress: &Arc<Progress>) {
        let name = &progress.name;
        self.0.lock(name).remove_same(name, progress);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Progress {
    fn new(name: &str, origin: Origin, writer: Caller, lease: Option<&Arc<Lease>>) -> Self {
        let state = State {
            lease: lease.map_or_else(Weak::new, Arc::downgrade),
            thread: this_thread(),
            ..State::default()
        };
        Self {
            name: name.into(),
            origin,
            process: process::id(),
            writer,
            state: Mutex::new(state),
        }
    }

    /// Whether newcomers who want this type may follow.
    fn is_for(&self, fingerprint: u64, now_ms: u64) -> bool {
        self.origin.header.fingerprint == fingerprint && !self.has_expired(now_ms)
    }

    fn has_expired(&self, now_ms: u64) -> bool {
        now_ms >= self.origin.header.expires_ms
    }

    /// What there is for one that was given so much; waits until there is something.
    pub(crate) fn view(&self, supplied: u64, caller: Caller) -> Viewing<'_> {
        Viewing {
            progress: self,
            supplied,
            caller,
            ticket: None,
        }
    }

    /// The thread that an iterator is written by, as far as is known; of a stream it may be any.
    pub(crate) fn thread(&self) -> Option<u64> {
        match self.writer {
            Caller::Thread => Some(lock(&self.state).thread),
            Caller::Task => None,
        }
    }

    /// Until when to wait for the next item, at `now`; none where the clock can't tell it. For the first item, before which there may
    /// be a slow query, that is `longest_wait` as for a value.
    ///
    /// It counts from when the first of all followers saw that there is nothing new, not from when this one came: who can't
    /// wait that long is spared it by those who came before. To note the time of each item would cost a writer more than
    /// most items do.
    pub(crate) fn stalls_at(&self, now: Instant, longest_wait: Duration) -> Option<Instant> {
        let mut state = lock(&self.state);
        let items = state.items;
        let since = match state.idle {
            Some((seen, since)) if seen == items => since,
            _ => {
                state.idle = Some((items, now));
                now
            }
        };
        since.checked_add(if items == 0 { longest_wait } else { STALLED })
    }

    /// Whether its writer is gone, which may have removed its chunks then.
    pub(crate) fn is_left(&self) -> bool {
        lock(&self.state).is_left
    }

    /// The right to store that its writer has, for who goes on by itself where that one is slow or stuck, which can't be told apart: to
    /// take it from the one would leave nothing stored where the other is dropped. It computes since before the other began to. None
    /// where the writer is gone.
    pub(crate) fn lease(&self) -> Option<Arc<Lease>> {
        lock(&self.state).lease.upgrade()
    }

    fn poll_view(
        &self,
        supplied: u64,
        caller: Caller,
        ticket: &mut Ticket,
        context: &Context<'_>,
    ) -> Poll<View> {
        // Cloned and dropped without the lock: a waker is its executor's code.
        let waker = context.waker().clone();
        let mut state = lock(&self.state);
        if let Some(view) = state.view(supplied, self.origin.chunk_len) {
            drop(state);
            return Poll::Ready(view);
        }
        if self.is_written_by(caller, &waker, &state) || self.process != process::id() {
            drop(state);
            return Poll::Ready(View::Broken);
        }
        let replaced = state.sleepers.sleep(ticket, waker);
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// Whether the caller, which this wakes, is the one that writes, or would keep it from going on.
    fn is_written_by(&self, caller: Caller, waker: &Waker, state: &State) -> bool {
        match (caller, self.writer) {
            (Caller::Task, Caller::Task) => {
                let task = state.task.as_ref();
                task.is_some_and(|task| task.will_wake(waker))
            }
            // Which task has an iterator isn't known. If it is another one of this thread, that costs a computation.
            (Caller::Thread, _) | (_, Caller::Thread) => state.thread == this_thread(),
        }
    }
}

/// Waits for what comes next; a future that may be dropped at any time.
pub(crate) struct Viewing<'a> {
    progress: &'a Progress,
    supplied: u64,
    caller: Caller,
    ticket: Ticket,
}

impl Future for Viewing<'_> {
    type Output = View;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<View> {
        let this = self.get_mut();
        this.progress
            .poll_view(this.supplied, this.caller, &mut this.ticket, context)
    }
}

impl Drop for Viewing<'_> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            let forgotten = lock(&self.progress.state).sleepers.forget(self.ticket);
            drop(forgotten);
        }
    }
}

impl State {
    fn view(&self, supplied: u64, chunk_len: u32) -> Option<View> {
        let stored = u64::from(self.stored) * u64::from(chunk_len);
        let raw_len = stored + self.tail.len() as u64;
        match self.end {
            Some(End::Broken) => return Some(View::Broken),
            Some(End::Whole) if supplied >= raw_len => {
                let items = self.items;
                return Some(View::Whole { raw_len, items });
            }
            _ => {}
        }
        if supplied < stored {
            return Some(View::Stored(self.stored));
        }
        let known = usize::try_from(supplied - stored).ok()?;
        let rest = self.tail.get(known..).filter(|rest| !rest.is_empty())?;
        Some(View::Unstored(Hidden(Bytes::copy_from_slice(rest))))
    }
}

impl Publisher {
    /// It is stored by this lease.
    pub(crate) fn holds(&self, lease: &Arc<Lease>) {
        lock(&self.progress.state).lease = Arc::downgrade(lease);
    }

    /// An item was written, whose bytes these are.
    #[inline]
    pub(crate) fn wrote(&self, bytes: &[u8]) {
        self.tell(|state| {
            state.thread = this_thread();
            state.tail.extend_from_slice(bytes);
            state.items += 1;
        });
    }

    /// A full chunk was stored.
    pub(crate) fn stored(&self) {
        let chunk_len = self.progress.origin.chunk_len as usize;
        self.tell(|state| {
            state.tail.drain(..chunk_len);
            state.tail.shrink_to(4 * chunk_len);
            state.stored += 1;
        });
    }

    /// The last item was written.
    pub(crate) fn ended(&self) {
        self.tell(|state| state.end = Some(End::Whole));
    }

    /// The task that writes is polled: it can't wait for itself.
    #[inline]
    pub(crate) fn polled_by(&mut self, waker: &Waker) {
        let thread = this_thread();
        let task = self.task.as_ref();
        if thread != self.thread || !task.is_some_and(|task| task.will_wake(waker)) {
            self.thread = thread;
            let forgotten = self.task.replace(waker.clone());
            let noted = waker.clone();
            let mut state = lock(&self.progress.state);
            state.thread = thread;
            let replaced = state.task.replace(noted);
            drop(state);
            drop((forgotten, replaced));
        }
    }

    #[inline]
    fn tell(&self, news: impl FnOnce(&mut State)) {
        let mut state = lock(&self.progress.state);
        news(&mut state);
        if state.sleepers.is_empty() {
            return;
        }
        let woken = state.sleepers.take();
        drop(state);
        woken.wake();
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.writers.leave(&self.progress);
        let mut task = None;
        self.tell(|state| {
            state.end.get_or_insert(End::Broken);
            state.is_left = true;
            task = state.task.take();
        });
    }
}

/// A number that no other thread has; 0 where the thread's locals are torn down.
pub(crate) fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.try_with(|number| *number).unwrap_or(0)
}

#[cfg(test)]
mod tests;
