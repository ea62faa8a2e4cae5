//! The streams that are being written in this process, for those who come meanwhile and follow.
//!
//! A follower reads the chunks that are stored already, from the backend as everyone does, and from memory only what is not
//! stored yet: a chunk and an item at most. So both stay within bounds however far apart they are, and the writer waits for
//! nobody. Who has read everything waits to be woken, by a waker: threads and tasks alike.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::backend::Bytes;
use crate::call::Caller;
use crate::entry::chunk::Origin;
use crate::guard::wake_all;
use crate::hidden::Hidden;

/// How long a writer may take for its next item before those who follow it go on by themselves.
const STALLED: Duration = Duration::from_secs(1);

/// The streams that are followed, by the names of their entries: of each name the first.
#[derive(Clone, Default)]
pub(crate) struct Writers(Arc<Mutex<Table>>);

type Table = HashMap<Box<str>, Arc<Progress>>;

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
    /// The thread that wrote or was polled last, and the task, where it is one that writes.
    thread: u64,
    task: Option<Waker>,
    /// How many items there were when a follower found nothing new, and when that was seen first.
    idle: Option<(u64, Instant)>,
    sleeping: BTreeMap<u64, Waker>,
    next_ticket: u64,
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
pub(crate) enum Joined<T> {
    /// Nobody follows it where another writes a stream of another type.
    Writes(Option<Publisher>, T),
    Follows(Arc<Progress>),
}

/// Tells followers of the progress. Dropped before the end, it tells them that there will be none.
pub(crate) struct Publisher {
    writers: Writers,
    progress: Arc<Progress>,
    /// The task that was told of last, and the thread that polled it.
    task: Option<Waker>,
    thread: u64,
}

impl Writers {
    /// Follows the stream of this name and type that is being written, or begins to write it; an error of `begin` is handed on.
    /// One that has expired meanwhile is not handed to those who come now.
    ///
    /// `begin` runs under the lock, so that of those who come at one time one writes; there is none of the user's code in it.
    pub(crate) fn join<T, E>(
        &self,
        name: &str,
        fingerprint: u64,
        now_ms: u64,
        caller: Caller,
        begin: impl FnOnce() -> Result<(Origin, T), E>,
    ) -> Result<Joined<T>, E> {
        let mut writers = self.lock();
        if let Some(progress) = writers.get(name) {
            if progress.is_for(fingerprint, now_ms) {
                return Ok(Joined::Follows(Arc::clone(progress)));
            }
            if progress.has_expired(now_ms) {
                // Not the last reference, which its writer has.
                writers.remove(name);
            }
        }
        let (origin, stream) = begin()?;
        Ok(Joined::Writes(
            self.enter_locked(&mut writers, name, origin, caller),
            stream,
        ))
    }

    /// Whether who joins now would follow.
    pub(crate) fn contains(&self, name: &str, fingerprint: u64, now_ms: u64) -> bool {
        let writers = self.lock();
        writers
            .get(name)
            .is_some_and(|progress| progress.is_for(fingerprint, now_ms))
    }

    /// Makes known a stream that is begun, if it is the first.
    pub(crate) fn enter(&self, name: &str, origin: Origin, caller: Caller) -> Option<Publisher> {
        self.enter_locked(&mut self.lock(), name, origin, caller)
    }

    fn enter_locked(
        &self,
        writers: &mut Table,
        name: &str,
        origin: Origin,
        caller: Caller,
    ) -> Option<Publisher> {
        let Entry::Vacant(vacant) = writers.entry(name.into()) else {
            return None;
        };
        let progress = Arc::new(Progress::new(name, origin, caller));
        vacant.insert(Arc::clone(&progress));
        Some(Publisher {
            writers: self.clone(),
            progress,
            task: None,
            thread: 0,
        })
    }

    /// Takes the stream of `name` out of sight: who comes from now on doesn't follow it. Who does already gets the rest.
    pub(crate) fn void(&self, name: &str) {
        let removed = self.lock().remove(name);
        drop(removed);
    }

    /// The same for one writer, which is gone, or for which nobody else should wait in vain.
    pub(crate) fn leave(&self, progress: &Arc<Progress>) {
        let mut writers = self.lock();
        let is_known = writers
            .get(&progress.name)
            .is_some_and(|found| Arc::ptr_eq(found, progress));
        if is_known {
            writers.remove(&progress.name);
        }
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        lock(&self.0)
    }
}

impl Progress {
    fn new(name: &str, origin: Origin, writer: Caller) -> Self {
        let state = State {
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

    fn poll_view(
        &self,
        supplied: u64,
        caller: Caller,
        ticket: &mut Option<u64>,
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
        let replaced = state.sleep(ticket, waker);
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
    ticket: Option<u64>,
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
        if let Some(ticket) = self.ticket {
            let forgotten = lock(&self.progress.state).sleeping.remove(&ticket);
            drop(forgotten);
        }
    }
}

impl State {
    /// Has `waker` woken at the next news; returns the one that it replaces.
    fn sleep(&mut self, ticket: &mut Option<u64>, waker: Waker) -> Option<Waker> {
        let ticket = *ticket.get_or_insert_with(|| {
            self.next_ticket += 1;
            self.next_ticket
        });
        self.sleeping.insert(ticket, waker)
    }

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
        if state.sleeping.is_empty() {
            return;
        }
        let woken = mem::take(&mut state.sleeping);
        drop(state);
        wake_all(woken.into_values());
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.writers.leave(&self.progress);
        let mut task = None;
        self.tell(|state| {
            state.end.get_or_insert(End::Broken);
            task = state.task.take();
        });
    }
}

/// Nothing that is locked here can panic halfway, so there is nothing to distrust after a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that no other thread has; 0 where the thread's locals are torn down.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.try_with(|number| *number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::chunk::Generation;
    use crate::entry::{Codec, Flags, Header};
    use crate::flight::block_on;
    use std::pin::pin;

    const CHUNK: usize = 100;
    const EXPIRES_MS: u64 = 3;

    fn publisher(writers: &Writers) -> Publisher {
        let header = Header {
            flags: Flags::CHUNKED,
            codec: Codec::Postcard,
            key_id: 0,
            fingerprint: 1,
            created_ms: 2,
            expires_ms: EXPIRES_MS,
        };
        let origin = Origin {
            header,
            generation: Generation([7; 16]),
            chunk_len: u32::try_from(CHUNK).expect("it is short"),
        };
        writers
            .enter("name", origin, Caller::Task)
            .expect("it is the first")
    }

    /// What is there for a follower on another thread; none where it would wait.
    fn view(progress: &Progress, supplied: u64) -> Option<View> {
        block_on(
            pin!(progress.view(supplied, Caller::Task)),
            Some(Instant::now()),
        )
    }

    #[test]
    fn what_is_kept_is_what_is_not_stored() {
        let publisher = publisher(&Writers::default());
        let progress = &publisher.progress;
        for n in 0..100_000_u32 {
            publisher.wrote(&n.to_le_bytes());
            if lock(&progress.state).tail.len() >= CHUNK {
                publisher.stored();
            }
            let state = lock(&progress.state);
            assert!(state.tail.len() < CHUNK && state.tail.capacity() <= 4 * CHUNK);
        }
        assert_eq!(view(progress, 0), Some(View::Stored(4000)));
        publisher.wrote(&vec![0; 100 * CHUNK]);
        (0..100).for_each(|_| publisher.stored());
        assert!(lock(&progress.state).tail.capacity() <= 4 * CHUNK);
    }

    #[test]
    fn each_position_has_its_view() {
        let writers = Writers::default();
        let publisher = publisher(&writers);
        let progress = Arc::clone(&publisher.progress);
        assert_eq!(view(&progress, 0), None);
        publisher.wrote(&[1; 150]);
        let unstored = |len| Some(View::Unstored(Hidden(vec![1; len].into())));
        assert_eq!(view(&progress, 0), unstored(150));
        publisher.stored();
        assert_eq!(view(&progress, 99), Some(View::Stored(1)));
        assert_eq!(view(&progress, 100), unstored(50));
        assert_eq!(view(&progress, 149), unstored(1));
        assert_eq!(view(&progress, 150), None);
        publisher.ended();
        assert_eq!(view(&progress, 149), unstored(1));
        let whole = View::Whole {
            raw_len: 150,
            items: 1,
        };
        assert_eq!(view(&progress, 150), Some(whole));
        drop(publisher);
        assert_eq!(view(&progress, 149), unstored(1), "it was whole before");
        assert_eq!(writers.len(), 0);
    }

    #[test]
    fn a_forked_child_waits_for_no_writer_of_its_parent() {
        let publisher = publisher(&Writers::default());
        publisher.wrote(&[1; 10]);
        let State { stored, tail, .. } = &*lock(&publisher.progress.state);
        let in_the_child = Progress {
            process: process::id() ^ 1,
            state: Mutex::new(State {
                stored: *stored,
                tail: tail.clone(),
                ..State::default()
            }),
            ..Progress::new("name", publisher.progress.origin.clone(), Caller::Task)
        };
        let unstored = Some(View::Unstored(Hidden(vec![1; 10].into())));
        assert_eq!(view(&in_the_child, 0), unstored, "what there is is read");
        assert_eq!(view(&in_the_child, 10), Some(View::Broken));
    }

    #[test]
    fn who_waits_is_woken_when_the_writer_goes() {
        let writers = Writers::default();
        let publisher = publisher(&writers);
        let progress = Arc::clone(&publisher.progress);
        let mut waits = pin!(progress.view(0, Caller::Task));
        assert_eq!(block_on(waits.as_mut(), Some(Instant::now())), None);
        assert_eq!(lock(&progress.state).sleeping.len(), 1);
        drop(publisher);
        assert!(lock(&progress.state).sleeping.is_empty());
        assert_eq!(block_on(waits, None), Some(View::Broken));
    }

    #[test]
    fn who_gives_up_leaves_no_waker_behind() {
        let publisher = publisher(&Writers::default());
        let progress = &publisher.progress;
        for _ in 0..100 {
            assert_eq!(view(progress, 0), None);
        }
        assert!(lock(&progress.state).sleeping.is_empty());
        // One that is polled with another waker each time has the last one woken.
        let mut waits = pin!(progress.view(0, Caller::Task));
        for _ in 0..100 {
            assert_eq!(block_on(waits.as_mut(), Some(Instant::now())), None);
        }
        assert_eq!(lock(&progress.state).sleeping.len(), 1);
    }

    #[test]
    fn a_stall_counts_from_the_first_who_saw_it() {
        let publisher = publisher(&Writers::default());
        let progress = &publisher.progress;
        let (began, longest) = (Instant::now(), Duration::from_secs(30));
        let at = |ms| began + Duration::from_millis(ms);
        let stalls_at = |ms| progress.stalls_at(at(ms), longest).expect("a moment");
        assert_eq!(stalls_at(0), at(30_000), "a query may be slow");
        assert_eq!(stalls_at(5_000), at(30_000));
        publisher.wrote(&[1]);
        assert_eq!(stalls_at(6_000), at(7_000));
        assert_eq!(stalls_at(6_900), at(7_000), "not from when this one came");
        publisher.wrote(&[1]);
        assert_eq!(stalls_at(8_000), at(9_000));
    }

    #[test]
    fn what_has_expired_is_not_handed_to_those_who_come() {
        let writers = Writers::default();
        let publisher = publisher(&writers);
        let join = |now_ms| {
            let begin = || Ok::<_, ()>((publisher.progress.origin.clone(), ()));
            writers
                .join("name", 1, now_ms, Caller::Task, begin)
                .expect("it begins")
        };
        assert!(matches!(join(EXPIRES_MS - 1), Joined::Follows(_)));
        let Joined::Writes(Some(newer), ()) = join(EXPIRES_MS) else {
            panic!("it writes, and may be followed");
        };
        assert!(matches!(join(EXPIRES_MS - 1), Joined::Follows(_)));
        drop(newer);
        assert_eq!(writers.len(), 0);
    }
}
