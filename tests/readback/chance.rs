//! That a list came back in its order may have been chance, or because it was sorted.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Deserializer, Serialize};

use super::through::{pairs, ranking, short_ranking, shuffled, without_doubles};
use super::{always, in_each_codec, never};
#[cfg(feature = "msgpack")]
use super::{asked_for, msgpack};

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    Deserialize::deserialize(deserializer)
}

types! {
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
