//! Types whose `Serialize` doesn't write what their `Deserialize` reads: never a wrong value.
//!
//! `CACHE_MEMOIZE_TEST_VALUES=100000 cargo test --release --test symmetry` tries as many random values of each.

#![expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "`skip_serializing_if` and `serialize_with` give references"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use cache_memoize::{Memo, Stats};
use common::{Random, Stored, runtime, values};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Stores random values and asks for them again; each time the value has to be the one that was computed.
fn never_wrong<T: Stored>(
    memo: impl Fn(u64) -> Memo,
    mut random: impl FnMut(&mut Random) -> T,
) -> Stats {
    let runtime = runtime();
    runtime.scope(|| {
        let mut source = Random::seeded();
        for key in 0..values() {
            let value = random(&mut source);
            for _ in 0..2 {
                let found = memo(key).get_or_compute(|| value.clone());
                assert_eq!(found, value, "with key {key}");
            }
        }
    });
    runtime.stats()
}

fn postcard(key: u64) -> Memo {
    Memo::new(("value", key))
}

#[cfg(feature = "msgpack")]
fn msgpack(key: u64) -> Memo {
    postcard(key).msgpack()
}

/// Each codec that there is.
fn in_each_codec<T: Stored>(random: impl Fn(&mut Random) -> T, check: impl Fn(Stats)) {
    check(never_wrong(postcard, &random));
    #[cfg(feature = "msgpack")]
    check(never_wrong(msgpack, &random));
}

/// Some values can be stored, and others can't.
fn sometimes(stats: Stats) {
    assert!(stats.hits > 0, "{stats:?}");
    assert!(stats.unstorable > 0, "{stats:?}");
    assert_eq!(stats.stores + stats.unstorable, stats.computations);
    assert_eq!(stats.undecodable, 0);
}

/// It was seen that not all come back, so hardly any is tried.
fn seen(stats: Stats) {
    assert!(stats.unstorable > 0, "{stats:?}");
    assert_eq!(stats.stores + stats.unstorable, stats.computations);
}

/// No value can be stored.
fn never(stats: Stats) {
    assert_eq!((stats.hits, stats.stores), (0, 0), "{stats:?}");
    assert_eq!(stats.unstorable, stats.computations);
}

fn is_zero(value: &u8) -> bool {
    *value == 0
}

fn is_small(value: &u8) -> bool {
    *value < 2
}

macro_rules! types {
    ($($item:item)*) => {
        $(#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)] $item)*
    };
}

types! {
    struct Named {
        #[serde(skip_serializing_if = "is_zero", default)]
        a: u8,
        b: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        c: Option<u8>,
        d: u8,
    }

    /// What is left out is not what is read in its place.
    struct Lossy {
        #[serde(skip_serializing_if = "is_small", default)]
        a: u8,
    }

    struct Tuple(
        #[serde(skip_serializing_if = "is_zero", default)] u8,
        #[serde(default)] u8,
        #[serde(skip_serializing_if = "is_zero", default)] u8,
    );

    enum Variants {
        Named {
            #[serde(skip_serializing_if = "is_zero", default)]
            a: u8,
            b: u8,
        },
        Tuple(
            #[serde(skip_serializing_if = "is_zero", default)] u8,
            #[serde(default)] u8,
        ),
        Other(u8),
    }

    struct NotWritten {
        #[serde(skip_serializing)]
        #[serde(default)]
        a: u8,
        b: u8,
    }

    struct NotRead {
        #[serde(skip_deserializing)]
        a: u8,
        b: u8,
    }

    /// As many are written as are read, of the same kinds.
    struct Crossed {
        #[serde(skip_serializing)]
        #[serde(default)]
        a: u8,
        #[serde(skip_deserializing)]
        b: u8,
    }

    struct RenamedOnce {
        #[serde(rename(serialize = "b"), default)]
        a: u8,
        #[serde(rename(serialize = "a"), default)]
        b: u8,
    }

    enum FirstSkipped {
        #[serde(skip)]
        A(u8),
        B(u8),
        C(u8),
    }

    enum SecondSkipped {
        A(u8),
        #[serde(skip)]
        B(u8),
        C(u8),
    }

    enum LastSkipped {
        A(u8),
        B(u8),
        #[serde(skip)]
        C(u8),
    }

    enum FirstUnread {
        #[serde(skip_deserializing)]
        A(u8),
        B(u8),
        C(u8),
    }

    enum SecondUnwritten {
        A(u8),
        #[serde(skip_serializing)]
        B(u8),
        C(u8),
    }

    struct WrittenAsText {
        #[serde(serialize_with = "as_text")]
        a: u8,
        b: u8,
    }

    struct WrittenOneMore {
        #[serde(serialize_with = "one_more")]
        a: u8,
        b: u8,
    }
}

fn as_text<S: Serializer>(value: &u8, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn one_more<S: Serializer>(value: &u8, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(value.wrapping_add(1))
}

#[test]
fn skip_serializing_if_in_a_struct() {
    let random = |random: &mut Random| Named {
        a: random.byte(),
        b: random.byte(),
        c: (random.byte() > 1).then(|| random.byte()),
        d: random.byte(),
    };
    in_each_codec(random, sometimes);
    in_each_codec(|random| Lossy { a: random.byte() }, sometimes);
}

#[test]
fn skip_serializing_if_in_a_tuple_struct() {
    in_each_codec(
        |random| Tuple(random.byte(), random.byte(), random.byte()),
        sometimes,
    );
}

#[test]
fn skip_serializing_if_in_variants() {
    let random = |random: &mut Random| match random.below(3) {
        0 => Variants::Named {
            a: random.byte(),
            b: random.byte(),
        },
        1 => Variants::Tuple(random.byte(), random.byte()),
        _ => Variants::Other(random.byte()),
    };
    in_each_codec(random, sometimes);
}

#[test]
fn skip_serializing_alone() {
    let random = |random: &mut Random| NotWritten {
        a: random.byte(),
        b: random.byte(),
    };
    in_each_codec(random, never);
}

#[test]
fn skip_deserializing_alone() {
    let random = |random: &mut Random| NotRead {
        a: random.byte(),
        b: random.byte(),
    };
    in_each_codec(random, never);
}

#[test]
fn one_field_is_written_and_another_read() {
    let random = |random: &mut Random| Crossed {
        a: random.byte(),
        b: random.byte(),
    };
    in_each_codec(random, never);
    let random = |random: &mut Random| RenamedOnce {
        a: random.byte(),
        b: random.byte(),
    };
    in_each_codec(random, never);
}

/// The numbers of variants behind a skipped one differ, so only names help.
#[test]
fn skip_on_the_first_variant() {
    let random = |random: &mut Random| {
        let value = random.byte();
        [
            FirstSkipped::A(value),
            FirstSkipped::B(value),
            FirstSkipped::C(value),
        ][random.choice(3)]
        .clone()
    };
    never(never_wrong(postcard, random));
    #[cfg(feature = "msgpack")]
    sometimes(never_wrong(msgpack, random));
}

#[test]
fn skip_on_the_second_variant() {
    let random = |random: &mut Random| {
        let value = random.byte();
        [
            SecondSkipped::A(value),
            SecondSkipped::B(value),
            SecondSkipped::C(value),
        ][random.choice(3)]
        .clone()
    };
    in_each_codec(random, sometimes);
}

#[test]
fn skip_on_the_last_variant() {
    let random = |random: &mut Random| {
        let value = random.byte();
        [
            LastSkipped::A(value),
            LastSkipped::B(value),
            LastSkipped::C(value),
        ][random.choice(3)]
        .clone()
    };
    in_each_codec(random, sometimes);
}

#[test]
fn one_sided_skips_on_variants() {
    let random = |random: &mut Random| {
        let value = random.byte();
        [
            FirstUnread::A(value),
            FirstUnread::B(value),
            FirstUnread::C(value),
        ][random.choice(3)]
        .clone()
    };
    never(never_wrong(postcard, random));
    let random = |random: &mut Random| {
        let value = random.byte();
        [
            SecondUnwritten::A(value),
            SecondUnwritten::B(value),
            SecondUnwritten::C(value),
        ][random.choice(3)]
        .clone()
    };
    in_each_codec(random, sometimes);
}

#[test]
fn a_one_sided_serialize_with() {
    let random = |random: &mut Random| WrittenAsText {
        a: random.byte(),
        b: random.byte(),
    };
    in_each_codec(random, never);
    // Of the same kind, so only reading it back gives it away.
    let random = |random: &mut Random| WrittenOneMore {
        a: random.byte(),
        b: random.byte(),
    };
    in_each_codec(random, never);
}

/// Passes over items that can't be written, as their `skip_serializing_if` or their own `Serialize` has it.
fn as_far_as_it_goes<S: Serializer, T: Serialize>(
    list: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(Some(list.len()))?;
    for item in list {
        let _ = seq.serialize_element(item);
    }
    seq.end()
}

types! {
    struct Lenient {
        #[serde(serialize_with = "as_far_as_it_goes")]
        list: Vec<Lossy>,
        behind: Vec<u8>,
    }

    struct Pair(u8, #[serde(serialize_with = "not_zero")] u8);

    struct LenientWithPairs {
        #[serde(serialize_with = "as_far_as_it_goes")]
        list: Vec<Pair>,
        behind: Vec<u8>,
    }
}

fn not_zero<S: Serializer>(value: &u8, serializer: S) -> Result<S::Ok, S::Error> {
    if *value == 0 {
        return Err(serde::ser::Error::custom("it is zero"));
    }
    serializer.serialize_u8(*value)
}

/// The bytes would lack some, and those behind them be read in their place.
#[test]
fn errors_that_are_passed_over() {
    let random = |random: &mut Random| Lenient {
        list: (0..2).map(|_| Lossy { a: random.byte() }).collect(),
        behind: vec![4, 1, 9],
    };
    in_each_codec(random, sometimes);
    let random = |random: &mut Random| LenientWithPairs {
        list: (0..2).map(|_| Pair(1, random.byte())).collect(),
        behind: vec![4, 1, 9],
    };
    in_each_codec(random, sometimes);
}

/// Written by hand, and not the inverse of each other.
#[derive(Clone, Debug, PartialEq)]
struct Asymmetric(u32);

static WRITTEN: AtomicU64 = AtomicU64::new(0);

impl Serialize for Asymmetric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WRITTEN.fetch_add(1, Ordering::Relaxed);
        serializer.serialize_u32(self.0)
    }
}

impl<'de> Deserialize<'de> for Asymmetric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(u32::deserialize(deserializer)? ^ 1))
    }
}

#[test]
fn impls_that_are_no_inverses_are_found_at_the_first_write() {
    in_each_codec(|random| Asymmetric(u32::from(random.byte())), never);
    assert!(WRITTEN.load(Ordering::Relaxed) > 0);
}

#[test]
fn only_the_first_writes_are_read_back() {
    static READ: AtomicU64 = AtomicU64::new(0);

    fn count() {
        READ.fetch_add(1, Ordering::Relaxed);
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Counted {
        key: u8,
        #[serde(skip, default = "count")]
        read: (),
    }

    runtime().scope(|| {
        for key in 0..10 {
            Memo::new(("counted", key)).get_or_compute(|| Counted { key, read: () });
        }
    });
    assert_eq!(READ.load(Ordering::Relaxed), 4);
}

/// Written by the one and read by the other, which has the same shape.
macro_rules! converted {
    ($($name:ident($content:ty) $written:expr;)*) => {$(
        #[derive(Clone, Debug, PartialEq)]
        struct $name($content);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let written: fn($content) -> $content = $written;
                written(self.0.clone()).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self(Deserialize::deserialize(deserializer)?))
            }
        }
    )*};
}

types! {
    struct Corner { x: u8, y: u8 }

    enum Turn { Left(u8), Right(u8), Back }

    struct Framed<T> { before: Option<u8>, value: T, after: Vec<u8> }

    #[serde(into = "Vec<u8>", from = "BTreeSet<u8>")]
    struct Sorting(Vec<u8>);
}

converted! {
    Negated(i8) |value| value.wrapping_neg();
    Swapped((u8, u8)) |(a, b)| (b, a);
    SwappedPairs(((u8, u8), (u8, u8))) |(a, b)| (b, a);
    Crosswise(Corner) |corner| Corner { x: corner.y, y: corner.x };
    Mirrored(Turn) |turn| match turn {
        Turn::Left(by) => Turn::Right(by),
        Turn::Right(by) => Turn::Left(by),
        Turn::Back => Turn::Back,
    };
    Shifted([u8; 3]) |[a, b, c]| [c, a, b];
    SwappedTexts((String, String)) |(a, b)| (b, a);
    SwappedOptions((Option<u8>, Option<u8>)) |(a, b)| (b, a);
    Inverted(Vec<u8>) |mut list| { list.reverse(); list };
    SwappedLists((Vec<u8>, Vec<u8>)) |(a, b)| (b, a);
    Opposite(bool) |value| !value;
    Turned(BTreeMap<u8, u8>) |map| map.into_iter().map(|(key, value)| (value, key)).collect();
    TurnedHash(HashMap<u8, u8>) |map| map.into_iter().map(|(key, value)| (value, key)).collect();
    Complement(HashSet<u8>) |set| set.into_iter().map(|value| 3 - value).collect();
}

impl From<BTreeSet<u8>> for Sorting {
    fn from(set: BTreeSet<u8>) -> Self {
        Self(set.into_iter().collect())
    }
}

impl From<Sorting> for Vec<u8> {
    fn from(sorting: Sorting) -> Self {
        sorting.0
    }
}

/// By itself, and beside what other values are needed to prove.
fn alone_and_framed<T: Stored>(random: fn(&mut Random) -> T, check: fn(Stats)) {
    in_each_codec(random, check);
    in_each_codec(
        |source| Framed {
            before: (source.byte() > 1).then_some(1),
            value: random(source),
            after: list(source),
        },
        check,
    );
}

fn list(random: &mut Random) -> Vec<u8> {
    (0..random.below(4)).map(|_| random.byte()).collect()
}

/// No value is there twice.
fn pairs(random: &mut Random) -> [(u8, u8); 2] {
    let value = random.byte();
    [(random.byte(), value), (random.byte(), value ^ 1)]
}

fn option(random: &mut Random) -> Option<u8> {
    (random.byte() > 1).then(|| random.byte())
}

/// Some values are read as they were written, zero and pairs of equals among them: they prove nothing for the others.
#[test]
fn what_is_written_as_another_value_of_the_same_shape() {
    alone_and_framed(
        |random| Negated(2_i8.wrapping_sub_unsigned(random.byte())),
        seen,
    );
    alone_and_framed(|random| Swapped((random.byte(), random.byte())), seen);
    alone_and_framed(
        |random| {
            SwappedPairs((
                (random.byte(), random.byte()),
                (random.byte(), random.byte()),
            ))
        },
        seen,
    );
    alone_and_framed(
        |random| {
            Crosswise(Corner {
                x: random.byte(),
                y: random.byte(),
            })
        },
        seen,
    );
    alone_and_framed(
        |random| {
            let by = random.byte();
            Mirrored([Turn::Left(by), Turn::Right(by), Turn::Back][random.choice(3)].clone())
        },
        seen,
    );
    alone_and_framed(
        |random| Shifted([random.byte(), random.byte(), random.byte()]),
        seen,
    );
    alone_and_framed(
        |random| SwappedTexts((random.byte().to_string(), random.byte().to_string())),
        seen,
    );
    alone_and_framed(
        |random| SwappedOptions((option(random), option(random))),
        seen,
    );
    alone_and_framed(|random| Inverted(list(random)), seen);
    alone_and_framed(|random| SwappedLists((list(random), list(random))), seen);
    alone_and_framed(|random| Opposite(random.byte() > 1), seen);
    alone_and_framed(|random| Sorting(list(random)), seen);
    alone_and_framed(|random| Turned(pairs(random).into()), seen);
    alone_and_framed(|random| TurnedHash(pairs(random).into()), seen);
    alone_and_framed(
        |random| Complement(list(random).into_iter().collect()),
        seen,
    );
}

/// A set is in another order each time: that is not another value.
#[test]
fn sets_and_maps_come_back() {
    let stats = never_wrong(postcard, |random| {
        let set: HashSet<u64> = (0..20).map(|_| random.next()).collect();
        let map: HashMap<u64, HashSet<u8>> = (0..20)
            .map(|_| (random.next(), (0..4).map(|_| random.byte()).collect()))
            .collect();
        (set, map)
    });
    assert_eq!(stats.hits, values());
    assert_eq!(stats.unstorable, 0);
}
