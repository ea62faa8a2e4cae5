//! What reading a value back shows before it is stored: its order, where that is part of it, and which parts of its type it had.
//!
//! What is found out about a type is kept for the whole process, so tests that mind have types of their own, by a number.

mod common;
#[path = "common/forward.rs"]
mod forward;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use cache_memoize::{Backend, Limits, Memo, Memory, Runtime, Stats};
use common::{Stored, runtime};
use forward::forward;
use serde::ser::SerializeTupleStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

macro_rules! types {
    ($($item:item)*) => {
        $(#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)] $item)*
    };
}

/// A list of pairs that is written as a map, and read through one.
mod pairs {
    use super::{BTreeMap, HashMap, Serializer};

    pub(super) type Pairs = Vec<(String, u8)>;

    pub(super) fn write<S: Serializer>(pairs: &Pairs, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
    }

    macro_rules! through {
        ($($map:ident $name:ident)*) => {$(
            pub(super) mod $name {
                pub(in super::super) use super::write as serialize;

                pub(in super::super) fn deserialize<'de, D: serde::Deserializer<'de>>(
                    deserializer: D,
                ) -> Result<super::Pairs, D::Error> {
                    let read: super::$map<String, u8> = serde::Deserialize::deserialize(deserializer)?;
                    Ok(read.into_iter().collect())
                }
            }
        )*};
    }
    through! { BTreeMap sorted HashMap hashed }
}

/// A map that is written as a list of pairs, and read through one.
mod map_of_pairs {
    use super::{Deserialize, Deserializer, HashMap, Serializer};

    pub(super) fn serialize<S: Serializer>(
        map: &HashMap<String, u8>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<HashMap<String, u8>, D::Error> {
        let read: Vec<(String, u8)> = Deserialize::deserialize(deserializer)?;
        Ok(read.into_iter().collect())
    }
}

fn without_doubles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let set: HashSet<u8> = Deserialize::deserialize(deserializer)?;
    Ok(set.into_iter().collect())
}

fn without_doubles_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<u8>>, D::Error> {
    let set: Option<HashSet<u8>> = Deserialize::deserialize(deserializer)?;
    Ok(set.map(|set| set.into_iter().collect()))
}

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    Deserialize::deserialize(deserializer)
}

fn shuffled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let list: Vec<u8> = Deserialize::deserialize(deserializer)?;
    Ok(list
        .into_iter()
        .collect::<HashSet<u8>>()
        .into_iter()
        .collect())
}

fn or_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashSet<u8>, D::Error> {
    let set: Option<HashSet<u8>> = Deserialize::deserialize(deserializer)?;
    Ok(set.unwrap_or_default())
}

fn in_some<S: Serializer>(set: &HashSet<u8>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_some(set)
}

types! {
    struct Sorted {
        #[serde(with = "pairs::sorted")]
        ranking: pairs::Pairs,
    }

    struct ThroughHashMap {
        #[serde(with = "pairs::hashed")]
        ranking: pairs::Pairs,
    }

    struct WithoutDoubles {
        #[serde(deserialize_with = "without_doubles")]
        ranking: Vec<u8>,
        tags: HashSet<u8>,
    }

    struct WithoutDoublesIfAny {
        #[serde(deserialize_with = "without_doubles_if_any")]
        ranking: Option<Vec<u8>>,
        tags: Option<HashSet<u8>>,
    }

    struct Newtype(#[serde(deserialize_with = "without_doubles")] Vec<u8>);

    #[serde(transparent)]
    struct Transparent(#[serde(deserialize_with = "without_doubles")] Vec<u8>);

    struct Shuffled {
        #[serde(deserialize_with = "shuffled")]
        ranking: Vec<u8>,
    }

    struct ShortThroughHashMap {
        #[serde(with = "pairs::hashed")]
        ranking: pairs::Pairs,
    }

    struct ShortWithoutDoubles<const TEST: u8> {
        #[serde(deserialize_with = "without_doubles")]
        ranking: Vec<u8>,
    }

    struct ShortShuffled<const TEST: u8> {
        #[serde(deserialize_with = "shuffled")]
        ranking: Vec<u8>,
    }

    struct ShortNewtype(#[serde(deserialize_with = "shuffled")] Vec<u8>);

    #[serde(from = "Vec<u8>", into = "Vec<u8>")]
    struct ShortConverted(Vec<u8>);

    struct BesideList {
        #[serde(deserialize_with = "list")]
        list: Vec<u8>,
        #[serde(deserialize_with = "shuffled")]
        ranking: Vec<u8>,
    }

    struct SortedFirst {
        #[serde(with = "pairs::sorted")]
        ranking: pairs::Pairs,
    }

    #[serde(untagged)]
    enum ShortUntagged {
        Text(String),
        Ranking(#[serde(deserialize_with = "shuffled")] Vec<u8>),
    }

    struct Beside {
        #[serde(with = "pairs::sorted")]
        ranking: pairs::Pairs,
        #[serde(with = "map_of_pairs")]
        extra: HashMap<String, u8>,
    }

    #[serde(untagged)]
    enum Untagged {
        Map(HashMap<String, u8>),
        Text(String),
    }

    struct BesideUntagged<const TEST: u8> {
        #[serde(with = "pairs::sorted")]
        ranking: pairs::Pairs,
        extra: Untagged,
    }

    struct BesideFlattened<const TEST: u8> {
        #[serde(with = "pairs::sorted")]
        ranking: pairs::Pairs,
        #[serde(flatten)]
        extra: HashMap<String, u8>,
    }

    struct Tags(HashSet<u8>);

    #[serde(transparent)]
    struct Labels {
        labels: HashMap<u8, Tags>,
    }

    #[serde(from = "HashSet<u8>", into = "Tags")]
    struct Converted(HashSet<u8>);

    struct Hashes {
        plain: HashSet<u8>,
        newtype: Tags,
        transparent: Labels,
        converted: Converted,
        optional: Option<HashSet<u8>>,
        optional_newtype: Option<Tags>,
        behind_pointer: Cow<'static, HashSet<u8>>,
        boxed_transparent: Box<Labels>,
        in_lists: Vec<BTreeMap<u8, (Tags, HashSet<u8>)>>,
        #[serde(with = "map_of_pairs")]
        pairs: HashMap<String, u8>,
        #[serde(serialize_with = "in_some", deserialize_with = "or_default")]
        defaulted: HashSet<u8>,
    }
}

impl From<HashSet<u8>> for Converted {
    fn from(set: HashSet<u8>) -> Self {
        Self(set)
    }
}

impl From<Converted> for Tags {
    fn from(set: Converted) -> Self {
        Self(set.0)
    }
}

fn set() -> HashSet<u8> {
    (0..20).collect()
}

fn map() -> HashMap<String, u8> {
    (0..20)
        .map(|value| (format!("key {value}"), value))
        .collect()
}

/// Long enough to be in another order each time that it is hashed.
fn ranking() -> pairs::Pairs {
    let names = ('a'..='z').rev();
    names.map(String::from).zip(0..).collect()
}

fn short_ranking() -> pairs::Pairs {
    let mut ranking = ranking();
    ranking.truncate(2);
    ranking
}

#[test]
fn what_is_hashed_has_no_order() {
    let labels = || Labels {
        labels: (0..20).map(|key| (key, Tags(set()))).collect(),
    };
    in_each_codec(
        &[Hashes {
            plain: set(),
            newtype: Tags(set()),
            transparent: labels(),
            converted: Converted(set()),
            optional: Some(set()),
            optional_newtype: Some(Tags(set())),
            behind_pointer: Cow::Owned(set()),
            boxed_transparent: Box::new(labels()),
            in_lists: vec![BTreeMap::from([(1, (Tags(set()), set()))])],
            pairs: map(),
            defaulted: set(),
        }],
        always,
    );
}

#[test]
fn another_order_is_another_value() {
    in_each_codec(&[Sorted { ranking: ranking() }], never);
}

/// It is in another order each time that it is read, like what is hashed, and it is not.
#[test]
fn a_list_that_is_read_through_what_is_hashed_is_another_value() {
    let list: Vec<u8> = (0..20).collect();
    in_each_codec(&[ThroughHashMap { ranking: ranking() }], never);
    let ranking = list.clone();
    in_each_codec(
        &[WithoutDoubles {
            ranking,
            tags: set(),
        }],
        never,
    );
    let (ranking, tags) = (Some(list.clone()), Some(set()));
    in_each_codec(&[WithoutDoublesIfAny { ranking, tags }], never);
    in_each_codec(&[Newtype(list.clone())], never);
    in_each_codec(&[Transparent(list.clone())], never);
    in_each_codec(&[Shuffled { ranking: list }], never);
}

impl From<Vec<u8>> for ShortConverted {
    fn from(list: Vec<u8>) -> Self {
        Self(
            list.into_iter()
                .collect::<HashSet<u8>>()
                .into_iter()
                .collect(),
        )
    }
}

impl From<ShortConverted> for Vec<u8> {
    fn from(list: ShortConverted) -> Self {
        list.0
    }
}

/// Two elements that are hashed come back in their order every other time, which must not count.
#[test]
fn that_a_short_list_comes_back_is_no_proof() {
    let pairs = |_| ShortThroughHashMap {
        ranking: short_ranking(),
    };
    in_each_codec(&[0; 50].map(pairs), never);
    for len in 2..6 {
        let list = || (0..len).collect::<Vec<u8>>();
        let of_set = |_| ShortWithoutDoubles::<1> { ranking: list() };
        in_each_codec(&[0; 50].map(of_set), never);
        let of_list = |_| ShortShuffled::<1> { ranking: list() };
        in_each_codec(&[0; 50].map(of_list), never);
        in_each_codec(&[0; 50].map(|_| ShortNewtype(list())), never);
        in_each_codec(&[0; 50].map(|_| ShortConverted(list())), never);
        #[cfg(feature = "msgpack")]
        never(asked_for(
            msgpack,
            &[0; 50].map(|_| ShortUntagged::Ranking(list())),
        ));
    }
}

#[test]
fn a_list_that_comes_late_is_proved_all_the_same() {
    let without_order = [vec![], vec![1]].map(|ranking| ShortShuffled::<2> { ranking });
    for _ in 0..20 {
        in_each_codec(&without_order, always);
    }
    in_each_codec(
        &[1, 2].map(|first| ShortShuffled::<2> {
            ranking: vec![first, 3],
        }),
        never,
    );
}

#[test]
fn a_list_is_not_proved_by_another_that_looks_like_it() {
    let value = |ranking| BesideList {
        list: (0..60).collect(),
        ranking,
    };
    in_each_codec(&[value(vec![]), value(vec![1])], always);
    in_each_codec(&[value(vec![1, 2]), value(vec![2, 1])], never);
}

#[test]
fn a_list_that_was_sorted_is_no_proof_for_one_that_is_not() {
    let sorted = |len| SortedFirst {
        ranking: ranking().into_iter().rev().take(len).collect(),
    };
    in_each_codec(&[1, 2, 3, 26].map(sorted), always);
    let unsorted = SortedFirst {
        ranking: short_ranking(),
    };
    in_each_codec(&[unsorted], never);
}

types! {
    /// As large as the set that it is read through, and none.
    #[serde(from = "BTreeSet<u8>", into = "Vec<u8>")]
    struct SortedByFrom(Vec<u8>);

    /// Is such a set.
    struct OwnSet(BTreeSet<u8>);
}

impl From<BTreeSet<u8>> for SortedByFrom {
    fn from(set: BTreeSet<u8>) -> Self {
        Self(set.into_iter().collect())
    }
}

impl From<SortedByFrom> for Vec<u8> {
    fn from(list: SortedByFrom) -> Self {
        list.0
    }
}

#[test]
fn what_sorts_is_no_proof_however_often_it_comes_back() {
    let sorted: Vec<_> = (2..20)
        .map(|len| SortedByFrom((0..len).collect()))
        .collect();
    in_each_codec(&sorted, always);
    in_each_codec(&[SortedByFrom(vec![2, 1]), SortedByFrom(vec![1, 1])], never);
    in_each_codec(
        &[OwnSet((0..20).collect()), OwnSet((1..3).collect())],
        always,
    );
}

/// The two are written in each other's place.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Swapped(u8, u8);

impl Serialize for Swapped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut written = serializer.serialize_tuple_struct("Swapped", 2)?;
        written.serialize_field(&self.1)?;
        written.serialize_field(&self.0)?;
        written.end()
    }
}

/// Neither before nor after it is known.
#[test]
fn two_of_the_same_do_not_show_that_they_are_swapped() {
    let of_same = || (0..40).map(|n| Swapped(n, n));
    let different = || std::iter::once(Swapped(1, 2));
    in_each_codec(
        &of_same().take(1).chain(different()).collect::<Vec<_>>(),
        |_| {},
    );
    let all: Vec<_> = different().chain(of_same()).chain(different()).collect();
    in_each_codec(&all, |stats| assert!(stats.hits > 0, "{stats:?}"));
}

/// One part without an order says nothing of another.
#[test]
fn the_order_of_each_part_counts_by_itself() {
    let (ranking, extra) = (ranking(), map());
    let beside = Beside {
        ranking: ranking.clone(),
        extra: extra.clone(),
    };
    in_each_codec(&[beside], never);
    #[cfg(feature = "msgpack")]
    {
        let untagged = BesideUntagged::<1> {
            ranking: ranking.clone(),
            extra: Untagged::Map(extra.clone()),
        };
        never(asked_for(msgpack, &[untagged]));
        let flattened = BesideFlattened::<1> { ranking, extra };
        never(asked_for(msgpack, &[flattened]));
    }
}

#[cfg(feature = "msgpack")]
#[test]
fn where_nothing_is_known_another_order_each_time_is_none() {
    let sorted: pairs::Pairs = map()
        .into_iter()
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .collect();
    for few in [1, 2, 3, 20] {
        let extra: HashMap<String, u8> = map().into_iter().take(few).collect();
        let ranking = sorted.clone();
        let untagged = BesideUntagged::<2> {
            ranking: ranking.clone(),
            extra: Untagged::Map(extra.clone()),
        };
        always(asked_for(msgpack, &[untagged]));
        always(asked_for(
            msgpack,
            &[BesideFlattened::<2> { ranking, extra }],
        ));
    }
}

/// Written in reverse, which neither none nor one of them shows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Reversed<const TEST: u8>(Vec<u8>);

impl<const TEST: u8> Serialize for Reversed<TEST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct List<'a>(&'a [u8]);

        impl Serialize for List<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.iter().rev())
            }
        }
        serializer.serialize_newtype_struct("Reversed", &List(&self.0))
    }
}

/// Written as one more than it is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct OneMore(u8);

impl Serialize for OneMore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct("OneMore", &self.0.wrapping_add(1))
    }
}

types! {
    enum Kind {
        Plain(u8),
        More(OneMore),
    }
}

/// The first values lack what is wrong with a later one.
#[test]
fn a_part_is_proved_by_a_value_that_has_it() {
    let first_is_stored = |stats: Stats| assert_eq!(stats.hits, 3, "{stats:?}");
    in_each_codec(&[vec![], vec![OneMore(1)]], first_is_stored);
    in_each_codec(&[None, Some(OneMore(1))], first_is_stored);
    in_each_codec(
        &[BTreeMap::new(), BTreeMap::from([(1_u8, OneMore(1))])],
        first_is_stored,
    );
    in_each_codec(&[Kind::Plain(1), Kind::More(OneMore(1))], first_is_stored);
    let short_ones_are_stored = |stats: Stats| assert_eq!(stats.hits, 6, "{stats:?}");
    in_each_codec(
        &[vec![], vec![1], vec![1, 2]].map(Reversed::<1>),
        short_ones_are_stored,
    );
}

#[test]
fn items_of_an_iterator_are_proved_likewise() {
    let runtime = runtime();
    runtime.scope(|| {
        let items = || [vec![], vec![1], vec![1, 2]].map(Reversed::<2>);
        for _ in 0..3 {
            let found: Vec<_> = Memo::new("items").iter(|| items().into_iter()).collect();
            assert_eq!(found, items());
        }
    });
    assert_eq!((runtime.stats().hits, runtime.stats().stores), (0, 0));
}

thread_local! {
    static READ: Cell<u32> = const { Cell::new(0) };
}

/// Counts how often it is read.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Counted(u8);

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Counted")]
        struct Inner(u8);
        let inner = Inner::deserialize(deserializer)?;
        READ.set(READ.get() + 1);
        Ok(Self(inner.0))
    }
}

/// How often a value is read back that is stored so many times.
fn reads<T: Stored>(times: u32, value: &T) -> u32 {
    reads_of((0..times).map(|_| value.clone()))
}

/// How often values are read back that are stored one after the other.
fn reads_of<T: Stored>(values: impl Iterator<Item = T>) -> u32 {
    READ.set(0);
    runtime().scope(|| {
        for (key, value) in values.enumerate() {
            Memo::new(("counted", key)).get_or_compute(|| value.clone());
        }
    });
    READ.get()
}

/// Takes more than half of [`BUDGET`] each time that it is read.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Slow(Vec<u8>);

const BUDGET: Duration = Duration::from_secs(1);

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Slow")]
        struct Inner(Vec<u8>);
        let inner = Inner::deserialize(deserializer)?;
        READ.set(READ.get() + 1);
        thread::sleep(BUDGET * 3 / 4);
        Ok(Self(inner.0))
    }
}

/// In the memory of this process, which might take long, for all that it says.
struct Slowly(Memory);

impl Backend for Slowly {
    forward!(0 => get, set, delete);

    fn limits(&self) -> Limits {
        self.0.limits().blocking(true)
    }
}

#[test]
fn items_are_read_back_for_half_of_the_budget_at_most() {
    let backend = Slowly(Memory::new(1 << 20));
    let runtime = Runtime::builder().backend(backend).budget(BUDGET).build();
    let runtime = runtime.expect("it is valid");
    READ.set(0);
    let items = || [Slow(vec![2, 1])];
    let found: Vec<_> = runtime.scope(|| Memo::new("slow").iter(|| items().into_iter()).collect());
    assert_eq!(found, items());
    assert_eq!((READ.get(), runtime.stats().unstorable), (1, 1));
}

#[test]
fn values_are_read_back_until_all_parts_are_proved() {
    assert_eq!(
        reads_of((0..100).map(|n| (Some(n), [n].to_vec(), Counted(n)))),
        16
    );
    // Whether it has an order at all is seen in the first, and that two elements are in theirs by chance is excluded.
    assert_eq!(reads(1, &(vec![1_u8, 2], Counted(1))), 48);
    let list = || Box::new((0..60).collect::<Vec<u8>>());
    assert_eq!(reads_of((0..100).map(|n| (Some(n), list(), Counted(n)))), 4);
    let large = || Box::new((0..40_000).collect::<Vec<u32>>());
    assert_eq!(reads(100, &(Some(1_u8), large(), Counted(1))), 1);
    // What never comes is not waited for, nor are other values.
    assert_eq!(reads(100, &(None::<u8>, Counted(1))), 16);
    assert_eq!(reads(100, &Counted(1)), 16);
}

/// Counts how often it is read, and comes back in another order. By its size it could be hashed.
#[derive(Clone, Debug, PartialEq)]
struct Backwards<const TEST: u8> {
    list: Vec<String>,
    _room: [u64; 3],
}

impl<const TEST: u8> Backwards<TEST> {
    fn new(list: Vec<String>) -> Self {
        assert_eq!(size_of::<Self>(), size_of::<HashSet<u8>>());
        Self {
            list,
            _room: [0; 3],
        }
    }
}

impl<const TEST: u8> Serialize for Backwards<TEST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

impl<'de, const TEST: u8> Deserialize<'de> for Backwards<TEST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut list = Vec::deserialize(deserializer)?;
        list.reverse();
        READ.set(READ.get() + 1);
        Ok(Self::new(list))
    }
}

fn texts(count: usize, len: usize) -> Vec<String> {
    let text = |nth: usize| nth.to_string().repeat(len);
    (0..count).map(text).collect()
}

#[test]
fn what_never_comes_back_is_hardly_ever_tried() {
    // Between one try and the next are 1, 2, 4 .. 512 calls, so that the eleventh is at call 1034.
    let one_try = 1 + 16;
    assert_eq!(reads(1, &Backwards::<1>::new(texts(2, 1))), one_try);
    assert_eq!(
        reads(1_034, &Backwards::<2>::new(texts(2, 1))),
        11 * one_try
    );
    // A large one is read less often.
    assert_eq!(reads(1, &Backwards::<3>::new(texts(10, 300_000))), 1 + 2);
}

/// One that doesn't come back keeps few others from being stored.
#[test]
fn what_comes_back_is_stored_beside_what_does_not() {
    let runtime = runtime();
    runtime.scope(|| {
        for key in 0..100 {
            let list = texts(if key % 10 == 0 { 2 } else { 1 }, 1);
            Memo::new(("value", key)).get_or_compute(|| Backwards::<4>::new(list.clone()));
        }
    });
    let stats = runtime.stats();
    assert_eq!((stats.stores, stats.unstorable), (80, 20), "{stats:?}");
}

/// What is shared is as it is in itself.
#[test]
fn what_is_in_a_set_has_its_own_order() {
    let lists: BTreeSet<Vec<u8>> = [vec![1, 2], vec![2, 1]].into();
    in_each_codec(&[lists.into_iter().collect::<HashSet<_>>()], always);
    let ranked = Arc::new(Sorted { ranking: ranking() });
    in_each_codec(&[HashMap::from([(1_u8, (*ranked).clone())])], never);
}

fn none_if_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let read: Option<String> = Deserialize::deserialize(deserializer)?;
    Ok(read.filter(|text| !text.is_empty()))
}

fn trimmed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|text| text.trim().to_owned())
}

fn in_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let mut list: Vec<u8> = Deserialize::deserialize(deserializer)?;
    list.sort_unstable();
    Ok(list)
}

types! {
    struct Nickname {
        #[serde(deserialize_with = "none_if_empty")]
        name: Option<String>,
    }
    struct Padded {
        #[serde(deserialize_with = "trimmed")]
        text: String,
    }
    struct Scores(u8, #[serde(deserialize_with = "in_order")] Vec<u8>);
}

/// However many came back, the next may be one that the function makes something else of.
#[test]
fn what_a_function_reads_is_proved_by_each_value() {
    let nickname = |name: Option<&str>| Nickname {
        name: name.map(str::to_owned),
    };
    let mut nicknames: Vec<_> = texts(50, 1)
        .iter()
        .map(|name| nickname(Some(name)))
        .collect();
    nicknames.extend([nickname(None), nickname(Some(""))]);
    let mut padded: Vec<_> = texts(50, 1)
        .into_iter()
        .map(|text| Padded { text })
        .collect();
    padded.push(Padded {
        text: " 1 ".to_owned(),
    });
    let mut scores: Vec<_> = (0..50).map(|n| Scores(n, vec![n, n + 1, n + 2])).collect();
    scores.push(Scores(50, vec![9, 0]));
    let all_but_the_last = |stats: Stats, count: usize| {
        assert_eq!(stats.stores, count as u64 - 1, "{stats:?}");
    };
    in_each_codec(&nicknames, |stats| all_but_the_last(stats, nicknames.len()));
    in_each_codec(&padded, |stats| all_but_the_last(stats, padded.len()));
    in_each_codec(&scores, |stats| all_but_the_last(stats, scores.len()));
}
