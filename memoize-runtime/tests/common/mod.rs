//! What several tests need.

#![allow(dead_code, reason = "each test is a program, and none uses all of it")]

use std::cell::RefCell;
use std::fmt::Debug;
use std::io;
use std::sync::Once;

use cache_memoize::{Cacheable, Memo, Runtime, Stats};

/// A value that can be stored and compared.
pub(crate) trait Stored: Cacheable + Clone + PartialEq + Debug {}

impl<T: Cacheable + Clone + PartialEq + Debug> Stored for T {}

pub(crate) fn runtime() -> Runtime {
    Runtime::builder().build().expect("the defaults are valid")
}

pub(crate) fn postcard(key: u64) -> Memo {
    Memo::new(("value", key))
}

#[cfg(feature = "msgpack")]
pub(crate) fn msgpack(key: u64) -> Memo {
    postcard(key).msgpack()
}

/// Asks twice for each of `values`, which have to come back all times.
pub(crate) fn asked_twice<T: Stored>(memo: impl Fn(u64) -> Memo, values: &[T]) -> Stats {
    let runtime = runtime();
    runtime.scope(|| {
        for (key, value) in (0..).zip(values) {
            for _ in 0..2 {
                let found = memo(key).get_or_compute(|| value.clone());
                assert!(found == *value, "another value with key {key}");
            }
        }
    });
    runtime.stats()
}

pub(crate) fn is_held<T: Stored>(memo: impl Fn(u64) -> Memo, value: &T) {
    let stats = asked_twice(memo, std::slice::from_ref(value));
    assert_eq!((stats.stores, stats.hits), (1, 1), "{value:?}");
}

pub(crate) fn is_refused<T: Stored>(memo: impl Fn(u64) -> Memo, value: &T) {
    let stats = asked_twice(memo, std::slice::from_ref(value));
    assert_eq!(
        (stats.stores, stats.computations, stats.unstorable),
        (0, 2, 2),
        "{value:?}"
    );
}

/// What is logged by `work`, on this thread.
///
/// One subscriber is there for all tests: where each has its own, an event that is first met by a thread without one may be taken for
/// of no interest to anybody.
pub(crate) fn logged(work: impl FnOnce()) -> String {
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
            .with_writer(|| ThreadLog)
            .init();
    });
    LOG.set(Some(Vec::new()));
    work();
    let text = LOG.take().expect("it was begun");
    String::from_utf8(text).expect("logs are text")
}

thread_local! {
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Writes to the log of the thread, if it keeps one.
struct ThreadLog;

impl io::Write for ThreadLog {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| {
            if let Some(log) = log {
                log.extend(text);
            }
        });
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
