//! What is beyond what can be looked at, read back or told apart: it is not stored, and the log says why.

use std::collections::{BTreeMap, HashSet};
use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::thread;

use crate::common::{Stored, asked_twice, is_held, logged, postcard, runtime};
use cache_memoize::Memo;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// All but the last value are held, and the log says why that isn't.
fn last_is_refused<T: Stored>(memo: impl Fn(u64) -> Memo, values: &[T]) -> String {
    logged(|| {
        let stats = asked_twice(memo, values);
        let held = values.len() as u64 - 1;
        assert_eq!((stats.stores, stats.hits), (held, held), "{stats:?}");
        assert_eq!(stats.unstorable, 2);
    })
}

fn assert_says(log: &str, words: &[&str]) {
    for word in words {
        assert!(log.contains(word), "no `{word}` in: {log}");
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct List {
    next: Option<Box<List>>,
}

/// Taken apart one by one, as dropping it at once would take the stack that is to be left.
impl Drop for List {
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut list) = next {
            next = list.next.take();
        }
    }
}

fn list(len: usize) -> List {
    (1..len).fold(List { next: None }, |list, _| List {
        next: Some(Box::new(list)),
    })
}

/// Neither is the stack used up by writing it, nor is it stored again and again.
#[test]
fn what_is_nested_too_deeply_is_not_written() {
    // On threads of their own: the stack of a test is as large, but the bound has to hold on the least of them.
    let refused = |make: fn() -> Vec<List>| {
        let values = make();
        let log = last_is_refused(postcard, &values);
        assert_says(&log, &["nested too deeply"]);
    };
    let whole = || vec![list(1), list(128), list(129)];
    thread::spawn(move || refused(whole))
        .join()
        .expect("no panic");
    let runtime = runtime();
    runtime.scope(|| {
        let work = || Memo::new("long").get_or_compute(|| vec![list(20_000)]);
        // The comparison would take the stack, so the length is enough.
        assert_eq!(work().len(), 1);
        assert_eq!(work().len(), 1);
    });
    let stats = runtime.stats();
    assert_eq!((stats.stores, stats.unstorable), (0, 2), "{stats:?}");
}

#[test]
fn more_elements_without_bytes_than_are_read_are_not_written() {
    let log = last_is_refused(postcard, &[vec![], vec![(); 1_000], vec![(); 10_000]]);
    assert_says(&log, &["that take no bytes"]);
}

/// Takes what none of the samples is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
struct Strict(String);

impl TryFrom<String> for Strict {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.starts_with("strict ") {
            Ok(Self(text))
        } else {
            Err("not strict")
        }
    }
}

fn strict() -> Strict {
    Strict("strict one".to_owned())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Point {
    x: u32,
    y: u32,
}

const POINT: Point = Point { x: 1, y: 2 };

/// Asks for keys and values one after another, as few do: the standard library asks for both at once.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct OneByOne<K: Ord, V>(BTreeMap<K, V>);

impl<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for OneByOne<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);

        impl<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
            type Value = BTreeMap<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut read = BTreeMap::new();
                while let Some(key) = map.next_key()? {
                    read.insert(key, map.next_value()?);
                }
                Ok(read)
            }
        }

        struct Newtype<K, V>(PhantomData<(K, V)>);

        impl<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Newtype<K, V> {
            type Value = BTreeMap<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a newtype")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Self::Value, D::Error> {
                deserializer.deserialize_map(Entries(PhantomData))
            }
        }

        deserializer
            .deserialize_newtype_struct("OneByOne", Newtype(PhantomData))
            .map(Self)
    }
}

/// Two versions of `Point` with the fields in another order would have one fingerprint, and be read one for the other.
#[test]
fn what_stands_behind_something_out_of_reach_is_refused() {
    let log = last_is_refused(postcard, &[(strict(), POINT)]);
    assert_says(&log, &["field=\"1\"", "msgpack", "could not be seen"]);
    let log = last_is_refused(postcard, &[([[[1_u8; 32]; 32]; 8], POINT)]);
    assert_says(&log, &["field=\"1\"", "msgpack"]);
    let map = OneByOne(BTreeMap::from([(strict(), POINT)]));
    let log = last_is_refused(postcard, &[map]);
    assert_says(&log, &["field=\"{}\"", "msgpack"]);
    is_held(postcard, &BTreeMap::from([(strict(), POINT)]));
    is_held(postcard, &OneByOne(BTreeMap::from([(1_u8, POINT)])));
    is_held(postcard, &(POINT, strict()));
}

/// As many bytes.
#[derive(Clone, PartialEq)]
struct Bytes<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Debug for Bytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes")
    }
}

impl<const N: usize> Serialize for Bytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(N)?;
        for byte in self.0.iter() {
            tuple.serialize_element(byte)?;
        }
        tuple.end()
    }
}

impl<'de, const N: usize> Deserialize<'de> for Bytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<const N: usize>;

        impl<'de, const N: usize> Visitor<'de> for Elements<N> {
            type Value = Bytes<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Bytes<N>, A::Error> {
                let mut bytes = Box::new([0; N]);
                for byte in bytes.iter_mut() {
                    let missing = || serde::de::Error::custom("too few");
                    *byte = seq.next_element()?.ok_or_else(missing)?;
                }
                Ok(Bytes(bytes))
            }
        }

        deserializer.deserialize_tuple(N, Elements)
    }
}

#[test]
fn a_tuple_wider_than_is_looked_at_is_refused() {
    is_held(postcard, &Bytes(Box::new([1; 4096])));
    let log = last_is_refused(postcard, &[Bytes(Box::new([1; 4097]))]);
    assert_says(&log, &["field=\"4096\"", "use a `Vec`"]);
}

/// A text of a fixed size, which is made on the stack however it is kept.
#[derive(Clone, PartialEq)]
struct Text<const N: usize>([u8; N]);

impl<const N: usize> Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text of {N} bytes")
    }
}

impl<const N: usize> Serialize for Text<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.0).expect("it is text"))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Text<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes<const N: usize>;

        impl<const N: usize> Visitor<'_> for Bytes<N> {
            type Value = Text<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text<N>, E> {
                let bytes = text.as_bytes().try_into();
                bytes.map(Text).map_err(|_| E::custom("too short"))
            }
        }

        deserializer.deserialize_str(Bytes)
    }
}

#[test]
#[expect(clippy::large_stack_arrays, reason = "it is what this is about")]
fn what_is_large_behind_a_box_is_refused() {
    is_held(postcard, &Box::new(Text([b'a'; 16_000])));
    let log = last_is_refused(postcard, &[Box::new(Text([b'a'; 66_000]))]);
    assert_says(&log, &["too large"]);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct NotWritten {
    before: u8,
    #[serde(skip_serializing, default)]
    lost: u8,
    behind: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LastNotWritten {
    before: u8,
    #[serde(skip_serializing, default)]
    lost: u8,
}

#[test]
fn the_field_that_is_not_written_is_named() {
    let (before, lost, behind) = (1, 2, 3);
    let log = last_is_refused(
        postcard,
        &[NotWritten {
            before,
            lost,
            behind,
        }],
    );
    assert_says(&log, &["field=\"lost\"", "skip_serializing"]);
    let log = last_is_refused(postcard, &[vec![LastNotWritten { before, lost }]]);
    assert_says(&log, &["field=\"[].lost\"", "skip_serializing"]);
}

mod pairs {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        pairs: &[(String, u8)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, u8)>, D::Error> {
        let map = BTreeMap::deserialize(deserializer)?;
        Ok(map.into_iter().collect())
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pairs {
    #[serde(with = "pairs")]
    pairs: Vec<(String, u8)>,
}

mod reversed {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        list: &[String],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().rev())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<String>, D::Error> {
        Vec::deserialize(deserializer)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tagged {
    #[serde(with = "reversed")]
    list: Vec<String>,
    tags: HashSet<String>,
}

fn letters(text: &str) -> impl Iterator<Item = String> {
    text.chars().map(String::from)
}

#[test]
fn the_order_counts_unless_it_is_that_of_a_hash_table() {
    let pairs = |text: &str| Pairs {
        pairs: letters(text).map(|letter| (letter, 1)).collect(),
    };
    let log = last_is_refused(postcard, &[pairs("cab")]);
    assert_says(&log, &["read back it was another value"]);
    is_held(postcard, &pairs("abc"));
    // Of one kind, so that only their names tell the two apart.
    let tagged = |list: &str| Tagged {
        list: letters(list).collect(),
        tags: letters("stuvwxyz").collect(),
    };
    let log = last_is_refused(postcard, &[tagged("abc")]);
    assert_says(&log, &["read back it was another value"]);
    is_held(postcard, &tagged("aba"));
}

#[cfg(feature = "msgpack")]
mod msgpack {
    use std::collections::HashMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::common::msgpack;

    #[test]
    fn what_is_nested_too_deeply_is_not_written() {
        let deep = |levels| (0..levels).fold(json!(1), |value, _| json!([value]));
        let log = last_is_refused(msgpack, &[deep(1), deep(30), deep(200)]);
        assert_says(&log, &["nested too deeply"]);
        let log = last_is_refused(msgpack, &[list(1), list(20), list(200)]);
        assert_says(&log, &["nested too deeply"]);
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct LastOfTwo(Strict, #[serde(skip_serializing, default)] u8);

    #[test]
    fn what_is_not_written_behind_something_out_of_reach_is_refused() {
        is_held(msgpack, &(strict(), POINT));
        last_is_refused(msgpack, &[LastOfTwo(strict(), 7)]);
    }

    /// A type of this test's own, as each is told of once in a process.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct OfAnyKind(Value);

    #[test]
    fn a_memo_says_what_cannot_be_seen() {
        let log = logged(|| is_held(msgpack, &OfAnyKind(json!({"a": [1]}))));
        assert_says(&log, &["function=memo", "raise `version`"]);
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Elements {
        Set(HashSet<u8>),
        List(Vec<u8>),
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Open {
        id: u8,
        #[serde(flatten)]
        rest: HashMap<String, Value>,
    }

    #[test]
    fn a_list_that_is_read_as_a_set_is_not_stored() {
        last_is_refused(msgpack, &[Elements::List(vec![9, 8, 7, 6, 5, 4, 3, 2, 1])]);
        let rest = letters("abcdefgh").map(|letter| (letter, json!(1)));
        is_held(
            msgpack,
            &Open {
                id: 1,
                rest: rest.collect(),
            },
        );
    }
}
