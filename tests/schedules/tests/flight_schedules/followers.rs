//! Streams and those who follow them: drivers as short as they can be, around the code as it is.

use std::collections::HashMap;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use shuttle::sync::{Mutex, MutexGuard};
use shuttle::{future, thread};

use super::backend::Lease;
use super::call::Caller;
use super::check;
use super::entry::chunk::Origin;
use super::flight::block_on;
use super::hidden::Hidden;
use super::progress::{Joined, Progress, Publisher, View, Viewing, Writers};

/// Items are a byte each: the version that was current when their computation began, and which one it is.
const ITEMS: u8 = 5;
const CHUNK: usize = 2;
const VERSION: u8 = 0x10;

fn items(version: u8) -> Vec<u8> {
    (0..ITEMS).map(|n| version * VERSION + n).collect()
}

/// What a caller's body and its consumer do.
#[derive(Clone, Copy, PartialEq)]
enum Body {
    Returns,
    /// It panics or yields an `Err` after so many items, or is dropped there: for who follows all the same.
    Ends(usize),
}

/// What is stored of one key.
#[derive(Default)]
struct Store {
    entry: Option<Vec<u8>>,
    chunks: HashMap<(usize, u32), Vec<u8>>,
    lease: Option<u64>,
    granted: u64,
    stores: usize,
}

impl Store {
    fn grant(&mut self) -> Lease {
        self.granted += 1;
        self.lease = Some(self.granted);
        Lease(self.granted)
    }

    fn fill(&mut self, lease: Lease, entry: Vec<u8>) -> bool {
        let stands = self.lease == Some(lease.0);
        if stands {
            self.lease = None;
            self.entry = Some(entry);
            self.stores += 1;
        }
        stands
    }

    fn release(&mut self, lease: Lease) {
        if self.lease == Some(lease.0) {
            self.lease = None;
        }
    }

    fn remove(&mut self, generation: usize) {
        self.chunks.retain(|(of, _), _| *of != generation);
    }
}

struct World {
    writers: Writers,
    store: Mutex<Store>,
    /// The number of the latest invalidation.
    version: AtomicUsize,
    generations: AtomicUsize,
    runs: AtomicUsize,
    failures: AtomicUsize,
    /// How many found nobody to follow because the entry was stored after they had looked for it.
    overtaken: AtomicUsize,
}

/// How a caller waits.
#[derive(Clone, Copy)]
enum Waits {
    OnThread,
    InTask,
    /// It has waited for long enough whenever it has looked once.
    Never,
}

/// A caller, and what it was given.
struct Call {
    world: Arc<World>,
    waits: Waits,
    read: Vec<u8>,
    /// The writer that left it.
    left: Option<Arc<Progress>>,
}

/// The part of a caller, as its lookup found it.
enum Part {
    Found(Vec<u8>),
    Follows(Arc<Progress>),
    Writes(Publisher, Arc<Lease>),
    /// It stores nothing.
    Computes,
}

/// The writer is gone, or too slow.
struct Deserted;

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            writers: Writers::new(),
            store: Mutex::new(Store::default()),
            version: AtomicUsize::new(0),
            generations: AtomicUsize::new(0),
            runs: AtomicUsize::new(0),
            failures: AtomicUsize::new(0),
            overtaken: AtomicUsize::new(0),
        })
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().expect("nobody panics in here")
    }

    fn origin(&self) -> Origin {
        Origin {
            generation: self.generations.fetch_add(1, Ordering::SeqCst),
            ..Origin::of(0, 1, CHUNK)
        }
    }

    fn version(&self) -> u8 {
        u8::try_from(self.version.load(Ordering::SeqCst)).expect("few")
    }

    fn invalidate(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
        let mut store = self.store();
        store.entry = None;
        store.lease = None;
        drop(store);
        self.writers.void("key");
    }

    /// Nothing is left, who computed had a reason to, and nothing is stored but the latest version.
    fn is_settled(&self) {
        assert_eq!(self.writers.len(), 0, "writers left");
        let store = self.store();
        assert_eq!(store.lease, None, "a lease left");
        let latest = items(self.version());
        assert!(store.entry.as_ref().is_none_or(|entry| *entry == latest));
    }

    fn counts(&self) -> [usize; 3] {
        [&self.runs, &self.failures, &self.overtaken].map(|count| count.load(Ordering::SeqCst))
    }
}

impl Call {
    fn new(world: &Arc<World>, waits: Waits) -> Self {
        Self {
            world: Arc::clone(world),
            waits,
            read: Vec::new(),
            left: None,
        }
    }

    /// Looks up, and joins.
    fn begin(&self) -> Part {
        let world = &self.world;
        let written = world.writers.find("key", 0, 0);
        let mut store = world.store();
        if let Some(entry) = &store.entry {
            return Part::Found(entry.clone());
        }
        let is_free = written.is_none() && store.lease.is_none();
        let granted = is_free.then(|| store.grant());
        let stores = store.stores;
        drop(store);
        if let (Some(progress), None) = (written, &self.left) {
            return Part::Follows(progress);
        }
        let lease = granted.map(Arc::new).or_else(|| self.shared());
        let joined = match world.writers.find("key", 0, 0) {
            Some(progress) => Joined::Follows(progress),
            // It may be that none is to be had.
            None if lease.is_none() && self.left.is_none() => return Part::Computes,
            None => {
                let (origin, caller) = (world.origin(), Caller::Task);
                let joined = world.writers.join("key", origin, 0, caller, lease.as_ref());
                if world.store().stores > stores {
                    world.overtaken.fetch_add(1, Ordering::SeqCst);
                }
                joined
            }
        };
        match joined {
            Joined::Follows(progress) => {
                if let Some(lease) = lease.and_then(Arc::into_inner) {
                    world.store().release(lease);
                }
                Part::Follows(progress)
            }
            Joined::Writes(publisher) => self.begun(publisher, lease),
        }
    }

    /// The lease of the writer that left it, where that one is there still.
    fn shared(&self) -> Option<Arc<Lease>> {
        self.left.as_ref()?.lease()
    }

    fn begun(&self, publisher: Option<Publisher>, lease: Option<Arc<Lease>>) -> Part {
        let Some(publisher) = publisher else {
            if let Some(lease) = lease.and_then(Arc::into_inner) {
                self.world.store().release(lease);
            }
            return Part::Computes;
        };
        let lease = lease.unwrap_or_else(|| {
            let lease = Arc::new(self.world.store().grant());
            publisher.holds(&lease);
            lease
        });
        Part::Writes(publisher, lease)
    }

    /// One whole call; none where its own body failed.
    fn call(mut self, body: Body) -> Option<Vec<u8>> {
        let part = self.begin();
        self.finish(part, body)
    }

    /// Goes on from the part that it has.
    fn finish(&mut self, mut part: Part, body: Body) -> Option<Vec<u8>> {
        loop {
            match part {
                Part::Found(entry) => {
                    self.hand_out(&entry);
                    break;
                }
                Part::Writes(publisher, lease) => {
                    self.write(Some((publisher, lease)), body)?;
                    break;
                }
                Part::Computes => {
                    self.write(None, body)?;
                    break;
                }
                Part::Follows(progress) => match self.follow(&progress) {
                    Ok(()) => break,
                    Err(Deserted) => part = self.go_on(progress),
                },
            }
        }
        assert_eq!(self.read.len(), usize::from(ITEMS));
        Some(mem::take(&mut self.read))
    }

    fn go_on(&mut self, left: Arc<Progress>) -> Part {
        let world = Arc::clone(&self.world);
        world.writers.leave(&left);
        if self.left.replace(left).is_none() {
            self.begin()
        } else {
            let (origin, lease) = (world.origin(), self.shared());
            let publisher = world
                .writers
                .enter("key", origin, Caller::Task, lease.as_ref());
            self.begun(publisher, lease)
        }
    }

    /// What comes after what it was given.
    fn hand_out(&mut self, all: &[u8]) {
        if let Some(rest) = all.get(self.read.len()..) {
            self.read.extend_from_slice(rest);
        }
    }

    fn follow(&mut self, progress: &Progress) -> Result<(), Deserted> {
        let mut got = Vec::new();
        loop {
            let view = progress.view(got.len() as u64, Caller::Task);
            match self.wait(view).ok_or(Deserted)? {
                View::Stored(stored) => {
                    let index = u32::try_from(got.len() / CHUNK).expect("few");
                    assert!(index < stored, "it was given all of those");
                    let name = (progress.origin.generation, index);
                    let Some(chunk) = self.world.store().chunks.get(&name).cloned() else {
                        assert!(progress.is_left(), "nobody else removes them");
                        return Err(Deserted);
                    };
                    got.extend_from_slice(&chunk[got.len() % CHUNK..]);
                }
                View::Unstored(Hidden(bytes)) => got.extend_from_slice(&bytes),
                View::Whole { raw_len, items } => {
                    assert_eq!((raw_len, items), (got.len() as u64, u64::from(ITEMS)));
                    return Ok(());
                }
                View::Broken => return Err(Deserted),
            }
            self.hand_out(&got);
        }
    }

    fn wait(&self, mut view: Viewing<'_>) -> Option<View> {
        match self.waits {
            Waits::OnThread => block_on(Pin::new(&mut view), None),
            Waits::InTask => Some(future::block_on(view)),
            Waits::Never => {
                let mut context = Context::from_waker(Waker::noop());
                match Pin::new(&mut view).poll(&mut context) {
                    Poll::Ready(view) => Some(view),
                    Poll::Pending => {
                        thread::yield_now();
                        None
                    }
                }
            }
        }
    }

    /// Runs the body, and passes over what was handed out; none where it fails.
    fn write(&mut self, stored: Option<(Publisher, Arc<Lease>)>, body: Body) -> Option<()> {
        let world = Arc::clone(&self.world);
        world.runs.fetch_add(1, Ordering::SeqCst);
        let all = items(world.version());
        for (n, item) in all.iter().enumerate() {
            if body == Body::Ends(n) {
                world.failures.fetch_add(1, Ordering::SeqCst);
                if let Some((publisher, lease)) = stored {
                    world.give_up(publisher, lease);
                }
                return None;
            }
            if let Some((publisher, _)) = &stored {
                publisher.wrote(&[*item]);
                if (n + 1) % CHUNK == 0 {
                    let index = u32::try_from(n / CHUNK).expect("few");
                    let name = (publisher.progress.origin.generation, index);
                    let chunk = all[n + 1 - CHUNK..=n].to_vec();
                    world.store().chunks.insert(name, chunk);
                    publisher.stored();
                }
            }
            self.hand_out(&all[..=n]);
        }
        if let Some((publisher, lease)) = stored {
            publisher.ended();
            let is_stored = world.store().fill(*lease, all);
            drop(lease);
            if !is_stored {
                let generation = publisher.progress.origin.generation;
                drop(publisher);
                world.store().remove(generation);
            }
        }
        Some(())
    }
}

impl World {
    fn give_up(&self, publisher: Publisher, lease: Arc<Lease>) {
        if let Some(lease) = Arc::into_inner(lease) {
            self.store().release(lease);
        }
        let generation = publisher.progress.origin.generation;
        drop(publisher);
        self.store().remove(generation);
    }
}

/// Callers that all join before the writer begins, and what they were given.
fn follow_all(world: &Arc<World>, writer: Body, callers: &[(Waits, Body)]) -> Vec<Option<Vec<u8>>> {
    let mut writing = Call::new(world, Waits::OnThread);
    let begun = writing.begin();
    assert!(matches!(begun, Part::Writes(..)), "it is the first");
    let callers: Vec<_> = callers
        .iter()
        .map(|&(waits, body)| {
            let call = Call::new(world, waits);
            let part = call.begin();
            assert!(matches!(part, Part::Follows(_)), "one writes already");
            (call, part, body)
        })
        .collect();
    let callers: Vec<_> = callers
        .into_iter()
        .map(|(mut call, part, body)| thread::spawn(move || call.finish(part, body)))
        .collect();
    let written = writing.finish(begun, writer);
    let mut all = vec![written];
    all.extend(
        callers
            .into_iter()
            .map(|call| call.join().expect("no panic")),
    );
    all
}

const PATIENT: [(Waits, Body); 3] = [
    (Waits::OnThread, Body::Returns),
    (Waits::InTask, Body::Returns),
    (Waits::OnThread, Body::Returns),
];

#[test]
fn all_who_follow_get_what_one_writes() {
    check(|| {
        let world = World::new();
        let given = follow_all(&world, Body::Returns, &PATIENT);
        assert!(given.iter().flatten().eq([&items(0); 4]));
        assert_eq!(world.counts(), [1, 0, 0]);
        world.is_settled();
    });
}

#[test]
fn of_all_who_are_left_one_writes() {
    for ends in [0, 1, 2, 3, usize::from(ITEMS) - 1] {
        check(move || {
            let world = World::new();
            let given = follow_all(&world, Body::Ends(ends), &PATIENT);
            assert_eq!(given[0], None);
            assert!(given.iter().flatten().eq([&items(0); 3]));
            let [runs, failures, overtaken] = world.counts();
            assert_eq!(failures, 1);
            assert!((2..=2 + overtaken).contains(&runs), "{runs}, {overtaken}");
            assert!(world.store().entry.is_some());
            world.is_settled();
        });
    }
}

#[test]
fn who_comes_as_the_writer_leaves_gets_its_items_or_stores_its_own() {
    for writer in [Body::Returns, Body::Ends(0), Body::Ends(3)] {
        check(move || {
            let world = World::new();
            let mut writing = Call::new(&world, Waits::OnThread);
            let begun = writing.begin();
            let call = Call::new(&world, Waits::OnThread);
            let coming = thread::spawn(move || call.call(Body::Returns));
            writing.finish(begun, writer);
            let given = coming.join().expect("no panic");
            assert_eq!(given, Some(items(0)));
            let [runs, failures, _] = world.counts();
            assert_eq!(runs, 1 + failures);
            assert!(world.store().entry.is_some());
            world.is_settled();
        });
    }
}

#[test]
fn a_body_that_always_fails_leaves_nobody_waiting() {
    check(|| {
        let world = World::new();
        let callers = PATIENT.map(|(waits, _)| (waits, Body::Ends(3)));
        let given = follow_all(&world, Body::Ends(1), &callers);
        assert_eq!(given, [const { None }; 4]);
        assert_eq!(world.counts()[..2], [4, 4]);
        world.is_settled();
    });
}

#[test]
fn who_goes_on_beside_a_writer_takes_nothing_from_it() {
    for (writer, impatient) in [
        (Body::Returns, Body::Returns),
        (Body::Returns, Body::Ends(2)),
        (Body::Ends(2), Body::Returns),
    ] {
        check(move || {
            let world = World::new();
            let callers = [
                (Waits::Never, impatient),
                (Waits::OnThread, Body::Returns),
                (Waits::Never, impatient),
            ];
            let given = follow_all(&world, writer, &callers);
            assert_eq!(given[2], Some(items(0)));
            assert!(given.iter().flatten().all(|given| *given == items(0)));
            let store = world.store();
            assert!(store.entry.is_some(), "whoever came to the end");
            drop(store);
            world.is_settled();
        });
    }
}

/// P10: who comes after an invalidation gets nothing that began before it, and that isn't stored.
#[test]
fn an_invalidation_wins_over_what_is_written() {
    check(|| {
        let world = World::new();
        let callers = [
            (Waits::OnThread, Body::Returns),
            (Waits::Never, Body::Returns),
        ];
        let invalidation = {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                world.invalidate();
                let call = Call::new(&world, Waits::InTask);
                assert_eq!(call.call(Body::Returns), Some(items(1)));
            })
        };
        let mut writing = Call::new(&world, Waits::OnThread);
        let part = writing.begin();
        let callers = callers.map(|(waits, body)| {
            let call = Call::new(&world, waits);
            thread::spawn(move || call.call(body))
        });
        writing.finish(part, Body::Returns).expect("its own items");
        for caller in callers {
            // One that went on by itself may have read both.
            let given = caller.join().expect("no panic").expect("whole");
            assert!(given.iter().map(|item| item % VERSION).eq(0..ITEMS));
        }
        invalidation.join().expect("the newer version");
        world.is_settled();
    });
}
