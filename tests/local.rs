//! Values that are kept as they are: what a hit does, and what ends it.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use cache_memoize::{Memo, Memory, Runtime, cache_memoize};
use memoize_runtime::testing::ManualClock;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

fn runtime() -> Runtime {
    Runtime::builder().build().expect("the defaults are valid")
}

thread_local! {
    static CLONED: Cell<u32> = const { Cell::new(0) };
    static DECODED: Cell<u32> = const { Cell::new(0) };
    static ENCODED: Cell<u32> = const { Cell::new(0) };
}

fn count(counter: &'static thread::LocalKey<Cell<u32>>) {
    counter.set(counter.get() + 1);
}

/// A value that counts what is done with it.
#[derive(Debug, PartialEq)]
struct Watched(u64);

impl Clone for Watched {
    fn clone(&self) -> Self {
        count(&CLONED);
        Self(self.0)
    }
}

impl Serialize for Watched {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        count(&ENCODED);
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Watched {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        count(&DECODED);
        u64::deserialize(deserializer).map(Self)
    }
}

#[cache_memoize(key = "watched:<id>")]
fn watched(id: u64) -> Watched {
    Watched(id * 10)
}

#[cache_memoize(key = "watched:<id>")]
fn watched_too(id: u64) -> Result<Watched, String> {
    Err(format!("{id} is there already"))
}

/// Clones, decodings and encodings of `work`.
fn done_by(work: impl FnOnce()) -> (u32, u32, u32) {
    let counters = [&CLONED, &DECODED, &ENCODED];
    let before = counters.map(thread::LocalKey::get);
    work();
    let after = counters.map(thread::LocalKey::get);
    (
        after[0] - before[0],
        after[1] - before[1],
        after[2] - before[2],
    )
}

#[test]
fn a_hit_is_a_clone_and_nothing_else() {
    runtime().scope(|| {
        watched(1);
        let hits = || (0..10).for_each(|_| assert_eq!(watched(1), Watched(10)));
        assert_eq!(done_by(hits), (10, 0, 0));
        let stats = Runtime::current().stats();
        assert_eq!((stats.hits, stats.absent, stats.stores), (10, 1, 1));
    });
}

/// What looks for no value clones none, whatever the arguments are.
#[test]
fn companions_look_for_nothing() {
    #[cache_memoize(key = "named:<name>:<id>")]
    fn named(name: &str, id: u64) -> Watched {
        black_box(name);
        Watched(id)
    }
    named("a", 1);
    let look = || {
        named::key("a", 1);
        assert_eq!(named::stats().hits, 0);
        assert!(named::invalidate("a", 1));
    };
    assert_eq!(done_by(look).0, 0);
    assert_eq!(named("a", 1), Watched(1));
    assert_eq!(done_by(|| assert_eq!(named("a", 1), Watched(1))), (1, 0, 0));
    assert_eq!(named::refresh("a", 1), Watched(1));
    let stats = named::stats();
    assert_eq!((stats.hits, stats.computations), (1, 3));
}

/// What a function returns may be neither: a future that asks for it is sent all the same.
#[test]
fn what_an_async_companion_returns_can_be_sent_whatever_the_error_is() {
    #[cache_memoize(key = "fallible:<id>")]
    async fn fallible(id: u64) -> Result<u64, std::rc::Rc<str>> {
        Ok(id)
    }
    fn is_send<T: Send>(future: T) -> T {
        future
    }
    let gone = futures::executor::block_on(is_send(fallible::invalidate(1)));
    assert!(gone);
    assert_eq!(futures::executor::block_on(fallible(1)), Ok(1));
}

#[test]
fn on_the_runtime_of_the_process_too() {
    #[cache_memoize(key = "process:<name>")]
    fn process(name: &str) -> String {
        name.to_uppercase()
    }
    for _ in 0..10 {
        assert_eq!(process("a"), "A");
        assert_eq!(process("b"), "B");
    }
    let stats = process::stats();
    assert_eq!((stats.hits, stats.computations), (18, 2));
    assert!(process::invalidate("a"));
    assert_eq!(process::peek("a"), None);
    assert_eq!(process::peek("b").as_deref(), Some("B"));
    // Another runtime has its own values.
    runtime().scope(|| assert_eq!(process::peek("b"), None));
}

#[test]
fn functions_of_one_key_and_type_share_the_value_itself() {
    runtime().scope(|| {
        // The first call of a function looks at the type.
        assert!(watched_too(9).is_err());
        watched(2);
        let other = || assert_eq!(watched_too(2), Ok(Watched(20)));
        assert_eq!(done_by(other), (1, 0, 0));
        assert!(watched_too::prime(2, Watched(7)));
        assert_eq!(watched(2), Watched(7));
        assert!(watched_too::invalidate(2));
        assert_eq!(watched::peek(2), None);
        assert_eq!(watched(2), Watched(20));
    });
}

#[test]
fn who_can_not_use_the_value_gets_its_bytes() {
    /// To serde it is what a `Watched` is.
    #[cache_memoize(key = "watched:<id>")]
    fn number(id: u64) -> u64 {
        id
    }
    runtime().scope(|| {
        watched(3);
        assert_eq!((number(3), number(3)), (30, 30));
        assert!(number::invalidate(3));
        assert_eq!(watched::peek(3), None);
        assert_eq!((number(3), watched(3)), (3, Watched(3)));
        assert!(Memo::new(("watched", 3)).invalidate());
        assert_eq!((number::peek(3), watched::peek(3)), (None, None));
        assert_eq!(Runtime::current().stats().computations, 2);
    });
}

#[test]
fn bytes_are_kept_where_that_is_asked_for() {
    #[cache_memoize(key = "bytes:<id>", local = false)]
    fn value(id: u64) -> Watched {
        Watched(id)
    }
    #[cache_memoize(key = "bytes:<id>", local = false)]
    fn result(id: u64) -> Result<Watched, String> {
        Err(id.to_string())
    }
    // The `'static` that a kept value needs, the type parameter needn't have.
    #[cache_memoize(key = "bytes", local = false)]
    fn generic<T: Clone + Send + Sync + Serialize + for<'de> Deserialize<'de> + Default>() -> T {
        T::default()
    }
    runtime().scope(|| {
        assert!(result(0).is_err());
        value(1);
        let hits = || assert_eq!((value(1), result(1)), (Watched(1), Ok(Watched(1))));
        assert_eq!(done_by(hits), (0, 2, 0));
        assert_eq!(generic::<u8>(), 0);
    });
}

#[cfg(feature = "encrypt")]
#[test]
fn what_is_sealed_is_kept_as_it_is_where_that_is_asked_for() {
    #[cache_memoize(key = "sealed:<id>", encrypt)]
    fn sealed(id: u64) -> Watched {
        Watched(id)
    }
    #[cache_memoize(key = "sealed:<id>", encrypt, local = true)]
    fn kept(id: u64) -> Watched {
        Watched(id)
    }
    runtime().scope(|| {
        kept(1);
        assert_eq!(done_by(|| assert_eq!(kept(1), Watched(1))), (1, 0, 0));
        // No bytes are made of it, so it is computed for who wants them.
        sealed(1);
        assert_eq!(done_by(|| assert_eq!(sealed(1), Watched(1))), (0, 1, 0));
        assert_eq!(done_by(|| assert_eq!(kept(1), Watched(1))), (0, 1, 0));
        assert!(kept::invalidate(1));
        assert_eq!((kept::peek(1), sealed::peek(1)), (None, None));
    });
}

#[test]
fn a_value_ends_with_its_life() {
    #[cache_memoize(key = "mortal", expiration = "1m")]
    fn mortal() -> u64 {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        RUNS.fetch_add(1, Ordering::Relaxed)
    }
    let clock = ManualClock::new();
    let runtime = Runtime::builder().clock(clock.clone()).build();
    runtime.expect("valid settings").scope(|| {
        assert_eq!((mortal(), mortal()), (0, 0));
        clock.advance(Duration::from_millis(59_999));
        assert_eq!(mortal(), 0);
        clock.advance(Duration::from_millis(1));
        assert_eq!((mortal(), mortal()), (1, 1));
        // Dated more than a minute from now, it is not believed.
        clock.turn_back(Duration::from_secs(61));
        assert_eq!((mortal(), mortal()), (2, 2));
        let stats = Runtime::current().stats();
        assert_eq!((stats.hits, stats.absent, stats.expired), (4, 1, 2));
    });
}

#[test]
fn instantiations_have_values_of_their_own() {
    #[cache_memoize(key = "size")]
    fn size<T: 'static>() -> usize {
        size_of::<T>()
    }
    runtime().scope(|| {
        for _ in 0..3 {
            // They have one key, and evict each other.
            assert_eq!(size::<u16>(), 2);
            assert_eq!(size::<u64>(), 8);
        }
    });
}

#[test]
fn arguments_are_told_apart_whatever_they_are() {
    #[cache_memoize]
    fn shown(a: i8, b: Option<bool>, c: char, d: &str, e: String, f: u128) -> String {
        format!("{a} {b:?} {c} {d} {e} {f}")
    }
    runtime().scope(|| {
        let texts = ["", "a", "b", "aaaaaaaa", "aaaaaaab", &"long ".repeat(100)];
        for _ in 0..2 {
            for a in [-1, 0, 1] {
                for (d, e) in texts.iter().flat_map(|d| texts.iter().map(move |e| (d, e))) {
                    for f in [0, 1, u128::MAX, u128::from(u64::MAX), 1 << 64] {
                        let (b, c) = (Some(a == 0), if a == 1 { 'x' } else { 'ß' });
                        let expected = format!("{a} {b:?} {c} {d} {e} {f}");
                        assert_eq!(shown(a, b, c, d, (*e).to_owned(), f), expected);
                    }
                }
            }
        }
        let stats = Runtime::current().stats();
        assert_eq!(stats.computations, 3 * 36 * 5);
        assert_eq!(stats.hits, stats.computations);
    });
}

#[test]
fn a_clone_that_panics_is_a_miss() {
    #[derive(Serialize, Deserialize)]
    struct Fragile(u64);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            assert!(self.0 != 1, "not this one");
            Self(self.0)
        }
    }
    #[cache_memoize(key = "fragile:<id>")]
    fn fragile(id: u64) -> Fragile {
        Fragile(id)
    }
    runtime().scope(|| {
        for _ in 0..3 {
            assert_eq!((fragile(1).0, fragile(2).0), (1, 2));
        }
        // The one whose clone panics is kept as bytes.
        let stats = Runtime::current().stats();
        assert_eq!((stats.hits, stats.computations), (4, 2));
    });
}

#[test]
fn a_clone_that_calls_memoized_functions_waits_for_nobody() {
    #[derive(Serialize, Deserialize)]
    struct Nested(u64);
    impl Clone for Nested {
        fn clone(&self) -> Self {
            // The very call whose value this is, and others.
            if self.0 > 0 {
                nested(0);
                watched(self.0);
                nested(self.0 - 1);
            }
            Self(self.0)
        }
    }
    #[cache_memoize(key = "nested:<id>")]
    fn nested(id: u64) -> Nested {
        Nested(id)
    }
    runtime().scope(|| {
        for _ in 0..3 {
            assert_eq!(nested(4).0, 4);
        }
        assert_eq!(memoize_runtime::testing::flights(&Runtime::current()), 0);
    });
}

#[test]
fn what_is_evicted_is_gone_and_what_is_used_stays() {
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Counted(#[serde(deserialize_with = "counted_bytes")] Vec<u8>);
    // The first values are read back before they are stored.
    fn counted_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let bytes = Vec::deserialize(deserializer)?;
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Ok(bytes)
    }
    impl Counted {
        fn new(bytes: usize) -> Self {
            ALIVE.fetch_add(1, Ordering::Relaxed);
            Self((0..=u8::MAX).cycle().take(bytes).collect())
        }
    }
    impl Clone for Counted {
        fn clone(&self) -> Self {
            Self::new(self.0.len())
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            ALIVE.fetch_sub(1, Ordering::Relaxed);
        }
    }
    #[cache_memoize(key = "counted:<id>")]
    fn counted(id: u64) -> Counted {
        black_box(id);
        Counted::new(1000)
    }
    let memory = Memory::new(1 << 20);
    let runtime = Runtime::builder().backend(memory.clone()).build();
    runtime.expect("valid settings").scope(|| {
        counted(0);
        for id in 0..5000 {
            counted(id);
            counted(0);
            assert!(memory.bytes() <= memory.capacity());
        }
        assert!(memory.len() > 300, "{}", memory.len());
        // Of what left the tables, a batch waits until nobody can be reading it.
        let alive = ALIVE.load(Ordering::Relaxed);
        assert!(alive < memory.len() + 100, "{alive} of {}", memory.len());
        let computations = Runtime::current().stats().computations;
        assert!(computations < 5000 + 100, "{computations}");
        memory.clear();
        assert_eq!((memory.len(), memory.bytes()), (0, 0));
        assert!(counted::peek(0).is_none() && counted::peek(4999).is_none());
    });
}

#[test]
fn what_expired_leaves_without_being_asked_for() {
    #[cache_memoize(key = "leaves:<id>", expiration = "1s")]
    fn leaves(id: u64) -> u64 {
        id
    }
    let clock = ManualClock::new();
    let memory = Memory::with_clock(1 << 20, clock.clone());
    let runtime = Runtime::builder()
        .backend(memory.clone())
        .clock(clock.clone())
        .build();
    runtime.expect("valid settings").scope(|| {
        (0..100).for_each(|id| assert_eq!(leaves(id), id));
        assert_eq!(memory.len(), 100);
        clock.advance(Duration::from_secs(1));
        memory.sweep();
        assert_eq!((memory.len(), memory.bytes()), (0, 0));
    });
}

/// As it is it would be put out again at once, and be computed at each call.
#[test]
fn a_value_that_has_no_room_as_it_is_is_kept_as_bytes() {
    #[cache_memoize(key = "spacious:<id>")]
    fn spacious(id: u64) -> Vec<String> {
        black_box(id);
        vec![String::new(); 300_000]
    }
    let memory = Memory::default();
    let runtime = Runtime::builder()
        .backend(memory.clone())
        .budget(Duration::from_secs(600));
    runtime.build().expect("valid settings").scope(|| {
        assert_eq!(spacious(1), spacious(1));
        assert_eq!(
            (spacious::stats().computations, spacious::stats().hits),
            (1, 1)
        );
        assert!(memory.bytes() < 1 << 20, "{}", memory.bytes());
    });
}

/// The value is the truth when it was computed: what comes back after an invalidation must not be older than that.
#[test]
fn no_value_is_seen_after_its_invalidation() {
    static TRUTH: AtomicU64 = AtomicU64::new(0);
    #[cache_memoize(key = "truth:<id>")]
    fn truth(id: u64) -> u64 {
        black_box(id);
        let truth = TRUTH.load(Ordering::SeqCst);
        thread::yield_now();
        truth
    }
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 2000;
    let runtime = runtime();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let runtime = &runtime;
            scope.spawn(move || {
                runtime.scope(|| {
                    for round in 0..ROUNDS {
                        let id = (thread + round) % 2;
                        let now = TRUTH.fetch_add(1, Ordering::SeqCst) + 1;
                        assert!(truth::invalidate(id));
                        for _ in 0..3 {
                            assert!(truth(id) >= now);
                        }
                    }
                });
            });
        }
    });
    assert!(runtime.stats().hits > 0);
}

/// What tables of values keep for each thread may be gone then, so that the value stays in its table.
#[test]
fn an_invalidation_while_a_thread_ends_is_seen_by_all() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    #[cache_memoize(key = "ending:<id>")]
    fn ending(id: u64) -> u64 {
        black_box(id);
        RUNS.fetch_add(1, Ordering::SeqCst) + 1
    }
    struct Invalidates;
    impl Drop for Invalidates {
        fn drop(&mut self) {
            assert!(ending::invalidate(1));
        }
    }
    thread_local! {
        static LAST: Invalidates = const { Invalidates };
    }
    assert_eq!((ending(1), ending(1)), (1, 1));
    // The first local to be made is the last to be torn down.
    let ends = thread::spawn(|| {
        LAST.with(|_| ());
        ending(1)
    });
    assert_eq!(ends.join().expect("it ends"), 1);
    assert_eq!(ending(1), 2);
}

#[test]
fn hits_of_many_threads_are_counted_exactly() {
    #[cache_memoize(key = "many:<id>")]
    fn many(id: u64) -> u64 {
        id
    }
    let runtime = runtime();
    runtime.scope(|| many(1));
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| runtime.scope(|| (0..1000).for_each(|_| assert_eq!(many(1), 1))));
        }
    });
    assert_eq!((many::stats().hits, runtime.stats().hits), (40_000, 40_000));
}
