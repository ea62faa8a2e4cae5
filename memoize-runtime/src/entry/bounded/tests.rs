//! What decoding may take, by bytes that ask for more.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Debug};

use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::*;
use crate::entry::header::Codec;
use crate::entry::reject::Reject;

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reject> {
    Codec::Postcard.decode(bytes)
}

fn encoded<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    Codec::Postcard
        .encode(value, &mut bytes)
        .expect("the value is one that postcard holds");
    bytes
}

fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    assert_eq!(decode(&encoded(value)).as_ref(), Ok(value));
}

fn is_refused<T: DeserializeOwned>(bytes: &[u8]) {
    assert!(matches!(decode::<T>(bytes), Err(Reject::Undecodable)));
}

/// The length of a sequence or map, and nothing after it.
fn claim(elements: u64) -> Vec<u8> {
    encoded(&elements)
}

#[derive(Deserialize)]
struct NoBytes {
    #[serde(skip)]
    _derived: u64,
}

#[test]
fn elements_without_bytes_are_bounded() {
    survives(&vec![(); EMPTY_ELEMENTS]);
    // The length takes two bytes, which would allow for two elements with bytes.
    let most = EMPTY_ELEMENTS as u64 + 2;
    assert!(decode::<Vec<()>>(&claim(most)).is_ok());
    is_refused::<Vec<()>>(&claim(most + 1));
}

#[test]
fn a_huge_claim_does_not_loop() {
    is_refused::<Vec<()>>(&claim(1 << 60));
    is_refused::<Vec<[(); 3]>>(&claim(u64::MAX));
    is_refused::<Option<Box<[()]>>>(&[&[1], &claim(u64::MAX)[..]].concat());
    is_refused::<HashSet<()>>(&claim(u64::MAX));
    is_refused::<HashMap<(), NoBytes>>(&claim(u64::MAX));
}

#[test]
fn one_budget_is_for_the_whole_value() {
    let half = vec![(); EMPTY_ELEMENTS / 2 + 10];
    survives(&half);
    is_refused::<(Vec<()>, Vec<()>)>(&encoded(&(&half, &half)));
}

#[test]
fn what_takes_bytes_is_never_refused() {
    // Many more fields without bytes than the budget: their number is the type's.
    survives(&vec![(1_u8, (), [(); 3]); 100_000]);
    survives(&vec![Vec::<u8>::new(); 100_000]);
    survives(&vec![vec![vec![1_u8]]; 100_000]);
    survives(
        &(0..100_000)
            .map(|key| (key, true))
            .collect::<HashMap<u32, _>>(),
    );
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct List {
    next: Option<Box<List>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Rose(Vec<Rose>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Keyed(BTreeMap<u8, Keyed>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Newtype(Box<Tree>),
    Tuple(Box<Tree>, ()),
    Struct { inner: Box<Tree> },
}

#[test]
fn nesting_is_bounded_exactly() {
    let list = |len| {
        (0..len).fold(List { next: None }, |list, _| List {
            next: Some(Box::new(list)),
        })
    };
    survives(&list(MAX_DEPTH - 1));
    is_refused::<List>(&encoded(&list(MAX_DEPTH)));

    let tree = |len| (0..len).fold(Tree::Leaf, |tree, _| Tree::Tuple(Box::new(tree), ()));
    survives(&tree(MAX_DEPTH - 1));
    is_refused::<Tree>(&encoded(&tree(MAX_DEPTH)));
}

#[test]
fn every_way_to_recurse_is_bounded() {
    for byte in 1..4 {
        let deep = vec![byte; 1_000_000];
        is_refused::<List>(&deep);
        is_refused::<Rose>(&deep);
        is_refused::<Keyed>(&deep);
        is_refused::<Tree>(&deep);
        is_refused::<Vec<Option<Tree>>>(&deep);
    }
}

#[test]
fn nesting_side_by_side_costs_nothing() {
    survives(&vec![Some(Some(vec![Some(1_u8)])); 1_000]);
}

/// The size hint that a map is given, its elements unread.
struct Hint(Option<usize>);

impl<'de> Deserialize<'de> for Hint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Hinted;

        impl<'de> Visitor<'de> for Hinted {
            type Value = Hint;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Hint, A::Error> {
                Ok(Hint(map.size_hint()))
            }
        }

        deserializer.deserialize_map(Hinted)
    }
}

#[test]
fn what_is_reserved_is_bounded() {
    let most = claim(EMPTY_ELEMENTS as u64 + 2);
    let Hint(hint) = decode(&most).expect("a hint needs no elements");
    assert_eq!(hint, Some(EMPTY_ELEMENTS + 2));
    // A collection may reserve without a limit of its own: a claim beyond ours must not reach it, not in parts either.
    is_refused::<Hint>(&claim(1 << 60));
    is_refused::<(Hint, Hint)>(&[&most[..], &most[..]].concat());
}

/// Eight kilobytes a level.
#[derive(Deserialize, Serialize)]
struct Fat {
    weight: [[u64; 32]; 32],
    next: Option<Box<Fat>>,
}

#[test]
fn a_fat_recursive_type_does_not_overflow_the_stack() {
    let bytes = [vec![0; 32 * 32], vec![1]].concat().repeat(MAX_DEPTH - 1);
    let decoded = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || decode::<Fat>(&bytes).is_ok())
        .expect("a thread can be started")
        .join();
    assert!(
        !decoded.expect("it returns"),
        "the bytes end too early in any case"
    );
}
