//! What reading a value back shows before it is stored: its order, where that is part of it, and which parts of its type it had.
//!
//! What is found out about a type is kept for the whole process, so tests that mind have types of their own, by a number.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/forward.rs"]
mod forward;

macro_rules! types {
    ($($item:item)*) => {
        $(#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)] $item)*
    };
}

mod chance;
mod counts;
mod order;
mod parts;
mod readers;
mod through;
mod writers;

use cache_memoize::{Memo, Stats};
use common::{Stored, runtime};

/// Asks for each of the values more often than once: each time it has to be the one that was computed.
fn asked_for<T: Stored>(memo: impl Fn(usize) -> Memo, values: &[T]) -> Stats {
    let runtime = runtime();
    runtime.scope(|| {
        for _ in 0..4 {
            for (key, value) in values.iter().enumerate() {
                let found = memo(key).get_or_compute(|| value.clone());
                assert_eq!(found, *value, "with key {key}");
            }
        }
    });
    runtime.stats()
}

fn postcard(key: usize) -> Memo {
    Memo::new(("value", key))
}

#[cfg(feature = "msgpack")]
fn msgpack(key: usize) -> Memo {
    postcard(key).msgpack()
}

fn in_each_codec<T: Stored>(values: &[T], check: impl Fn(Stats)) {
    check(asked_for(postcard, values));
    #[cfg(feature = "msgpack")]
    check(asked_for(msgpack, values));
}

fn always(stats: Stats) {
    assert_eq!(stats.unstorable, 0, "{stats:?}");
    assert_eq!(stats.hits, 3 * stats.stores, "{stats:?}");
}

fn never(stats: Stats) {
    assert_eq!((stats.hits, stats.stores), (0, 0), "{stats:?}");
}
