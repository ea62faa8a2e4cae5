//! Whatever goes wrong with the cache, the caller gets what the plain function gives.

#[path = "common/forward.rs"]
mod forward;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cache_memoize::{
    Backend, BackendError, Bytes, Deadline, Limits, Memo, Memory, Runtime, cache_memoize,
};
use forward::forward;
use serde::{Deserialize, Serialize};

fn runtime(backend: impl Backend) -> Runtime {
    Runtime::builder()
        .backend(backend)
        .build()
        .expect("valid settings")
}

fn fresh() -> Runtime {
    runtime(Memory::new(1 << 20))
}

#[cache_memoize(key = "double:<x>")]
fn double(x: u64) -> u64 {
    x * 2
}

/// Fails or panics, whatever it is asked.
struct Broken {
    panics: bool,
}

impl Broken {
    fn answer<T>(&self) -> Result<T, BackendError> {
        assert!(!self.panics, "a bug in a backend");
        Err(BackendError::new("connection refused").with_source("key and value are in here"))
    }
}

impl Backend for Broken {
    fn get(&self, _: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        self.answer()
    }
    fn set(&self, _: &str, _: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        self.answer()
    }
    fn delete(&self, _: &str, _: Deadline) -> Result<(), BackendError> {
        self.answer()
    }
    fn limits(&self) -> Limits {
        Limits::new().blocking(false)
    }
}

#[test]
fn a_backend_that_fails_or_panics_is_not_noticed() {
    for panics in [false, true] {
        let runtime = runtime(Broken { panics });
        runtime.scope(|| {
            assert_eq!((double(4), double(4)), (8, 8));
            assert_eq!(double::peek(4), None);
            assert_eq!(double::refresh(4), 8);
            assert!(!double::prime(4, 8), "it says that it could not");
            assert!(!double::invalidate(4), "it says that it could not");
        });
        let stats = runtime.stats();
        assert_eq!(
            (
                stats.hits,
                stats.unanswered,
                stats.computations,
                stats.stores
            ),
            (0, 2, 3, 0)
        );
        assert_eq!(
            stats.faults, 9,
            "lookup and lease of two calls, peek, fill of refresh, prime, get and delete of invalidate"
        );
    }
}

/// Gives back what it was told to, whatever is asked for.
#[derive(Clone)]
struct Liar {
    inner: Memory,
    change: Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>,
}

impl Backend for Liar {
    forward!(inner => set, delete, limits);

    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        let found = self.inner.get(key, deadline)?;
        Ok(found.map(|bytes| (self.change)(bytes.to_vec()).into()))
    }
}

#[test]
fn each_changed_bit_and_each_cut_is_a_miss() {
    let length = 32 + 12 + 1 + 8;
    for bit in 0..length * 8 {
        let runtime = runtime(Liar {
            inner: Memory::new(1 << 20),
            change: Arc::new(move |mut bytes| {
                assert_eq!(bytes.len(), length);
                bytes[bit / 8] ^= 1 << (bit % 8);
                bytes
            }),
        });
        runtime.scope(|| {
            double::prime(4, 99);
            assert_eq!(double(4), 8, "bit {bit}");
        });
        assert_eq!(
            (runtime.stats().hits, runtime.stats().misses()),
            (0, 1),
            "bit {bit}"
        );
    }
    for cut in 0..length {
        let runtime = runtime(Liar {
            inner: Memory::new(1 << 20),
            change: Arc::new(move |bytes| bytes[..cut].to_vec()),
        });
        runtime.scope(|| {
            double::prime(4, 99);
            assert_eq!(double(4), 8, "cut to {cut}");
        });
    }
}

#[test]
fn a_reply_for_another_key_is_a_miss() {
    /// Answers every `get` with the one entry it holds.
    struct Swapped(Memory);
    impl Backend for Swapped {
        fn get(&self, _: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
            self.0.get("the one", deadline)
        }
        fn set(
            &self,
            _: &str,
            value: Bytes,
            life: Duration,
            deadline: Deadline,
        ) -> Result<(), BackendError> {
            self.0.set("the one", value, life, deadline)
        }
        fn delete(&self, _: &str, _: Deadline) -> Result<(), BackendError> {
            Ok(())
        }
        fn limits(&self) -> Limits {
            Limits::new().blocking(false)
        }
    }
    let runtime = runtime(Swapped(Memory::new(1 << 20)));
    runtime.scope(|| {
        assert_eq!((double(1), double(2), double(2)), (2, 4, 4));
    });
    let stats = runtime.stats();
    assert_eq!((stats.absent, stats.damaged, stats.hits), (1, 1, 1));
}

#[test]
fn a_panic_of_the_function_is_the_callers_and_leaves_nothing() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    #[cache_memoize(key = "panics")]
    fn panics_once() -> u64 {
        assert!(
            RUNS.fetch_add(1, Ordering::Relaxed) > 0,
            "the user's own panic"
        );
        7
    }
    fresh().scope(|| {
        let panic = catch_unwind(panics_once).expect_err("the panic comes through");
        assert_eq!(panic.downcast_ref(), Some(&"the user's own panic"));
        assert_eq!((panics_once(), panics_once()), (7, 7));
        assert_eq!(RUNS.load(Ordering::Relaxed), 2);
    });
}

/// Shows itself, or doesn't.
struct Shy(&'static str);

impl fmt::Display for Shy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "fails" => Err(fmt::Error),
            "panics" => panic!("a bug in a Display"),
            text => f.write_str(text),
        }
    }
}

#[cache_memoize(key = "shy:<shy>")]
fn shy(shy: Shy) -> usize {
    shy.0.len()
}

#[test]
fn an_argument_that_cannot_be_written_runs_uncached() {
    let runtime = fresh();
    runtime.scope(|| {
        for text in ["fails", "panics"] {
            assert_eq!((shy(Shy(text)), shy(Shy(text))), (text.len(), text.len()));
            assert_eq!(shy::peek(Shy(text)), None);
            assert!(!shy::prime(Shy(text), 0));
            assert!(
                shy::invalidate(Shy(text)),
                "nothing is ever stored under it"
            );
        }
        assert_eq!((shy(Shy("fine")), shy(Shy("fine"))), (4, 4));
    });
    let stats = runtime.stats();
    assert_eq!((stats.bypassed, stats.hits, stats.stores), (6, 1, 1));
    assert_eq!(
        stats.computations, 5,
        "each run of the body counts, without the cache too"
    );
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Unwritable(u8);

impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => Err(serde::ser::Error::custom("a secret value")),
            1 => panic!("a bug in a Serialize"),
            other => serializer.serialize_newtype_struct("Unwritable", &other),
        }
    }
}

#[cache_memoize(key = "unwritable:<x>")]
fn unwritable(x: u8) -> Unwritable {
    Unwritable(x)
}

#[test]
fn a_value_that_cannot_be_written_is_returned() {
    let runtime = fresh();
    runtime.scope(|| {
        for x in [0, 1, 2, 2] {
            assert_eq!(unwritable(x), Unwritable(x));
        }
    });
    let stats = runtime.stats();
    assert_eq!((stats.unstorable, stats.stores, stats.hits), (2, 1, 1));
}

#[derive(Debug, PartialEq, Serialize)]
struct Unreadable(u8);

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Err(serde::de::Error::custom("not to my taste")),
            1 => panic!("a bug in a Deserialize"),
            other => Ok(Self(other)),
        }
    }
}

#[cache_memoize(key = "unreadable:<x>")]
fn unreadable(x: u8) -> Unreadable {
    Unreadable(x)
}

#[test]
fn an_entry_that_cannot_be_read_is_a_miss() {
    fresh().scope(|| {
        for x in [0, 0, 1, 1, 2, 2] {
            assert_eq!(unreadable(x), Unreadable(x));
        }
        assert_eq!(unreadable::stats().hits, 1);
        assert_eq!(unreadable::stats().computations, 5);
    });
}

#[test]
fn a_cache_if_that_panics_stores_nothing() {
    #[cache_memoize(key = "picky:<x>", cache_if = |value| { assert!(*value < 10, "a bug"); true })]
    fn picky(x: u64) -> u64 {
        x
    }
    fresh().scope(|| {
        assert_eq!((picky(20), picky(20), picky(5), picky(5)), (20, 20, 5, 5));
        assert_eq!((picky::stats().declined, picky::stats().hits), (2, 1));
    });
}

#[test]
fn a_value_too_large_for_the_backend_is_returned_whether_or_not_its_chunks_fit() {
    #[cache_memoize(key = "large:<n>")]
    fn large(n: usize) -> Vec<u8> {
        vec![1; n]
    }
    let calls = |bytes, compress| {
        let runtime = Runtime::builder()
            .backend(Memory::new(bytes))
            .compress(compress)
            .build()
            .expect("valid settings");
        runtime.scope(|| {
            assert_eq!(large(2 << 20).len(), 2 << 20);
            assert_eq!(large(2 << 20).len(), 2 << 20);
        });
        runtime.stats().hits
    };
    assert_eq!((calls(1 << 20, false), calls(8 << 20, false)), (0, 1));
}

#[test]
fn recursion_with_the_same_key_computes() {
    static DEPTH: AtomicU64 = AtomicU64::new(0);
    #[cache_memoize(key = "recursive")]
    fn recursive() -> u64 {
        match DEPTH.fetch_add(1, Ordering::Relaxed) {
            0 => recursive() + 1,
            depth => depth,
        }
    }
    #[cache_memoize]
    fn fibonacci(n: u64) -> u64 {
        if n < 2 {
            n
        } else {
            fibonacci(n - 1) + fibonacci(n - 2)
        }
    }
    fresh().scope(|| {
        assert_eq!(recursive(), 2);
        assert_eq!(fibonacci(90), 2_880_067_194_370_816_120);
        assert_eq!(fibonacci::stats().computations, 91);
    });
}

#[test]
fn an_expiration_of_zero_at_run_time_stores_nothing() {
    fresh().scope(|| {
        let get = |value| {
            Memo::new(("zero",))
                .expiration(Duration::ZERO)
                .get_or_compute(|| value)
        };
        assert_eq!((get(1), get(2)), (1, 2));
    });
}

#[test]
fn a_memo_of_another_type_is_a_miss() {
    let runtime = fresh();
    runtime.scope(|| {
        assert_eq!(Memo::new("k").get_or_compute(|| 1_u8), 1);
        assert_eq!(Memo::new("k").get_or_compute(|| 2_u16), 2);
        assert_eq!(Memo::new("k").get_or_compute(|| 3_u16), 2);
        let failed: Result<u16, &str> = Memo::new("other").try_get_or_compute(|| Err("as it is"));
        assert_eq!(failed, Err("as it is"));
    });
    assert_eq!(runtime.stats().wrong_type, 1);
}

#[test]
fn a_scope_ends_with_a_panic() {
    let outer = Runtime::current().stats();
    let runtime = fresh();
    catch_unwind(AssertUnwindSafe(|| runtime.scope(|| panic!("out")))).expect_err("it panicked");
    #[cache_memoize(key = "after a scope")]
    fn after() -> u8 {
        1
    }
    after();
    assert_eq!(runtime.stats().computations, 0);
    assert!(Runtime::current().stats().computations > outer.computations);
}

/// Panics with something that panics again when it is dropped.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a payload that panics when it is dropped");
    }
}

/// What an error came from.
#[derive(Debug)]
struct Source(#[allow(dead_code, reason = "what matters is its drop")] Bomb);

impl fmt::Display for Source {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Source {}

struct Bombed;

impl Backend for Bombed {
    fn get(&self, _: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        std::panic::panic_any(Bomb)
    }
    fn set(&self, _: &str, _: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        Err(BackendError::new("refused").with_source(Source(Bomb)))
    }
    fn delete(&self, _: &str, _: Deadline) -> Result<(), BackendError> {
        Ok(())
    }
    fn limits(&self) -> Limits {
        Limits::new().blocking(false)
    }
}

#[test]
fn what_panics_when_it_is_dropped_is_not_noticed() {
    #[cache_memoize(key = "bomb:<x>", cache_if = |_| std::panic::panic_any(Bomb))]
    fn bombed(x: u64) -> u64 {
        x
    }
    runtime(Bombed).scope(|| {
        assert_eq!(double(4), 8);
        assert_eq!(bombed(4), 4);
    });
}

#[test]
fn a_forced_run_whose_value_is_not_to_be_kept_leaves_no_old_one() {
    #[cache_memoize(key = "forced:<x>", skip(value), cache_if = |value| *value < 10)]
    fn forced(x: u64, value: u64) -> u64 {
        let _ = x;
        value
    }
    fresh().scope(|| {
        assert_eq!((forced(1, 1), forced(1, 2)), (1, 1));
        assert_eq!(forced::refresh(1, 50), 50);
        assert_eq!(forced::peek(1), None);
        assert_eq!(forced(1, 3), 3);
    });
}

#[test]
fn threads_share_the_runtime_and_its_counters() {
    #[cache_memoize(key = "shared:<x>")]
    fn shared(x: u64) -> u64 {
        x + 1
    }
    let runtime = fresh();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                runtime.scope(|| {
                    for x in 0..100 {
                        assert_eq!(shared(x), x + 1);
                    }
                });
            });
        }
    });
    let stats = runtime.stats();
    assert_eq!(stats.hits + stats.misses(), 800);
    // Each key is computed once: who misses it meanwhile gets that value.
    assert_eq!(stats.computations, 100);
    assert_eq!(stats.computations + stats.shared, stats.misses());
}
