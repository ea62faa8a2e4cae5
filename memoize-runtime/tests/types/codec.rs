//! What a codec can't hold: the function runs as if it were not memoized, and says why, once.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use crate::common::{is_refused, logged, postcard, runtime};
use cache_memoize::{Memo, cache_memoize};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Amount {
    Number(u64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    amount: Amount,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u64,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t")]
enum Tagged {
    A { a: u8 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    A(u8),
    B,
}

fn order(id: u64) -> Order {
    let amount = Amount::Text("a secret".into());
    Order {
        id,
        lines: vec![Line { amount }],
    }
}

#[cache_memoize(key = "load:<id>")]
fn load(id: u64) -> Order {
    order(id)
}

#[test]
fn what_postcard_refuses_runs_uncached_and_is_told_once() {
    let log = logged(|| {
        runtime().scope(|| {
            for _ in 0..3 {
                assert_eq!(load(7), order(7));
            }
            assert_eq!(load::peek(7), None);
            assert!(!load::prime(7, order(7)));
            assert!(load::invalidate(7));
        });
    });
    let stats = load::stats();
    assert_eq!(
        (stats.computations, stats.unstorable, stats.stores),
        (3, 4, 0)
    );
    assert_eq!(
        stats.hits + stats.misses(),
        0,
        "there is nothing to look for"
    );
    assert_eq!(log.lines().count(), 1, "{log}");
    for part in [
        "function=types::codec::load",
        "field=\"lines[].amount\"",
        "codec = \\\"msgpack\\\"",
    ] {
        let plain = part.replace('\\', "");
        assert!(log.contains(part) || log.contains(&plain), "{part}: {log}");
    }
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn each_of_serdes_other_forms_is_refused() {
    is_refused(postcard, &Amount::Number(1));
    is_refused(postcard, &Some(vec![Tagged::A { a: 1 }]));
    is_refused(postcard, &(1_u8, Adjacent::A(1)));
    is_refused(postcard, &Adjacent::B);
    is_refused(
        postcard,
        &Flat {
            id: 1,
            rest: BTreeMap::new(),
        },
    );
}

/// Leaves a field out now and then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sparse {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[cache_memoize(key = "sparse:<id>:<noted>")]
fn sparse(id: u64, noted: bool) -> Vec<Sparse> {
    let note = noted.then(|| "a note".to_owned());
    vec![Sparse { id, note }]
}

#[test]
fn a_field_that_is_left_out_is_named_once_and_other_values_are_stored() {
    let log = logged(|| {
        runtime().scope(|| {
            for id in 0..3 {
                assert_eq!(sparse(id, false)[0].note, None);
                assert_eq!(sparse(id, false)[0].note, None);
                assert!(sparse(id, true)[0].note.is_some());
                assert!(sparse(id, true)[0].note.is_some());
            }
        });
    });
    let stats = sparse::stats();
    assert_eq!((stats.unstorable, stats.stores, stats.hits), (6, 3, 3));
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("field=\"[].note\""), "{log}");
    assert!(log.contains("skip_serializing_if"), "{log}");
}

#[cache_memoize(key = "orders:<ids>")]
fn orders(ids: u64) -> impl Iterator<Item = Order> {
    (0..ids).map(order)
}

#[cache_memoize(key = "sparse:<ids>:<noted>")]
fn sparse_ones(ids: u64, noted: bool) -> impl Iterator<Item = Sparse> {
    (0..ids).map(move |id| Sparse {
        id,
        note: (noted || id % 2 == 0).then(|| "a note".to_owned()),
    })
}

/// A stream is stored as a whole or not at all, so that one item which can't be stored is enough.
#[test]
fn streams_of_what_cannot_be_stored_run_uncached() {
    runtime().scope(|| {
        for _ in 0..2 {
            assert!(orders(3).eq((0..3).map(order)));
            assert_eq!(sparse_ones(4, false).count(), 4);
            assert_eq!(sparse_ones(4, true).count(), 4);
        }
    });
    let stats = orders::stats();
    assert_eq!((stats.stores, stats.unstorable), (0, 2));
    let stats = sparse_ones::stats();
    assert_eq!((stats.hits, stats.stores, stats.unstorable), (1, 1, 2));
}

#[cfg(feature = "msgpack")]
mod msgpack {
    use super::*;
    use crate::common::{is_held, msgpack};

    #[test]
    fn it_holds_what_postcard_refuses() {
        is_held(msgpack, &order(7));
    }

    #[test]
    fn it_holds_serdes_other_forms() {
        is_held(msgpack, &Amount::Number(1));
        is_held(msgpack, &Some(vec![Tagged::A { a: 1 }]));
        is_held(msgpack, &[Adjacent::A(1), Adjacent::B]);
        is_held(
            msgpack,
            &Flat {
                id: 1,
                rest: BTreeMap::from([("a".into(), 1)]),
            },
        );
    }

    /// Both are read from a number, the first that is tried wins: what comes back would not be what was stored.
    #[test]
    fn an_ambiguous_value_is_not_stored_by_any_write() {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(untagged)]
        enum Ambiguous {
            Float(f64),
            Integer(i64),
        }
        let runtime = runtime();
        runtime.scope(|| {
            for (key, value) in [Ambiguous::Float(0.5), Ambiguous::Integer(5)]
                .into_iter()
                .enumerate()
            {
                for _ in 0..2 {
                    let memo = Memo::new(("key", key as u64)).msgpack();
                    assert_eq!(memo.get_or_compute(|| value.clone()), value);
                }
            }
        });
        let stats = runtime.stats();
        assert_eq!((stats.stores, stats.hits, stats.unstorable), (1, 1, 2));
    }

    #[test]
    fn the_codec_is_part_of_the_type() {
        let runtime = runtime();
        runtime.scope(|| {
            Memo::new("key").get_or_compute(|| 1_u8);
            assert_eq!(Memo::new("key").msgpack().get_or_compute(|| 2_u8), 2);
            assert_eq!(Memo::new("key").get_or_compute(|| 3_u8), 3);
        });
        assert_eq!(runtime.stats().hits, 0);
    }

    /// `Some(None)` and `None` are the same bytes.
    #[test]
    fn a_value_that_msgpack_would_change_is_not_stored() {
        let runtime = runtime();
        runtime.scope(|| {
            for _ in 0..2 {
                let memo = Memo::new("key").msgpack();
                assert_eq!(memo.get_or_compute(|| Some(None::<u8>)), Some(None));
            }
        });
        assert_eq!(runtime.stats().unstorable, 2);
    }
}

/// What is read as a pair of a tag and what the tag says, by hand, as derived code does with `tag` and `content`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum ByTag<Number> {
    Number(u8, Number),
    Text(u8, String),
}

impl<'de, Number: Deserialize<'de>> Deserialize<'de> for ByTag<Number> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair<Number>(PhantomData<Number>);

        impl<'de, Number: Deserialize<'de>> Visitor<'de> for Pair<Number> {
            type Value = ByTag<Number>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tag and its content")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let tag = seq.next_element()?;
                let tag: u8 = tag.ok_or_else(|| A::Error::invalid_length(0, &self))?;
                let read = if tag % 2 == 1 {
                    let number = seq.next_element()?;
                    number.map(|number| ByTag::Number(tag, number))
                } else {
                    seq.next_element()?.map(|text| ByTag::Text(tag, text))
                };
                read.ok_or_else(|| A::Error::invalid_length(1, &self))
            }
        }

        deserializer.deserialize_tuple(2, Pair(PhantomData))
    }
}

/// The trace saw what stands behind one tag, the first that it tried. What stands behind the other isn't stored, as a change of it
/// would not be seen.
#[test]
fn of_what_depends_on_a_tag_only_what_was_seen_is_stored() {
    fn holds_one_kind(codec: fn(Memo) -> Memo) {
        let runtime = runtime();
        runtime.scope(|| {
            let number = |n: u8| ByTag::Number(2 * n + 1, u32::from(n));
            let text = |n: u8| ByTag::Text(2 * n, "text".to_owned());
            for value in (0..20).flat_map(|n| [number(n), text(n)]) {
                let tag = match value {
                    ByTag::Number(tag, _) | ByTag::Text(tag, _) => tag,
                };
                let memo = || codec(Memo::new(("tag", u64::from(tag))));
                assert_eq!(memo().get_or_compute(|| value.clone()), value);
                assert_eq!(memo().get_or_compute(|| value.clone()), value);
            }
        });
        let stats = runtime.stats();
        assert_eq!(
            (stats.hits, stats.stores, stats.unstorable),
            (20, 20, 40),
            "{stats:?}"
        );
    }
    holds_one_kind(|memo| memo);
    #[cfg(feature = "msgpack")]
    holds_one_kind(Memo::msgpack);
}

/// After a deployment what the tag stands for is another type.
#[test]
fn a_change_of_what_stands_behind_a_tag_is_a_miss() {
    fn is_seen(codec: fn(Memo) -> Memo) {
        let runtime = runtime();
        runtime.scope(|| {
            let memo = || codec(Memo::new("key"));
            for _ in 0..2 {
                let old = || ByTag::Number(1, 300_u32);
                let new = || ByTag::Number(1, 300_u64);
                assert_eq!(memo().get_or_compute(old), old());
                assert_eq!(memo().get_or_compute(new), new());
            }
        });
        let stats = runtime.stats();
        assert_eq!((stats.hits, stats.wrong_type), (0, 3), "{stats:?}");
    }
    is_seen(|memo| memo);
    #[cfg(feature = "msgpack")]
    is_seen(Memo::msgpack);
}

/// Comes back to the function that returns it, as soon as it is looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Recursive(u8);

impl<'de> Deserialize<'de> for Recursive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Recursive")]
        struct Inner(u8);
        if !CALLED.replace(true) {
            assert_eq!(recursive(0), Self(0));
        }
        Inner::deserialize(deserializer).map(|inner| Self(inner.0))
    }
}

thread_local! {
    static CALLED: Cell<bool> = const { Cell::new(false) };
}

#[cache_memoize(key = "recursive:<n>")]
fn recursive(n: u8) -> Recursive {
    Recursive(n)
}

#[test]
fn a_type_that_calls_its_own_function_is_traced_once() {
    runtime().scope(|| {
        assert_eq!(recursive(7), Recursive(7));
        assert_eq!(recursive(7), Recursive(7));
    });
    // The call from within ran without the cache.
    let stats = recursive::stats();
    assert_eq!((stats.hits, stats.stores, stats.unstorable), (1, 1, 1));
}
