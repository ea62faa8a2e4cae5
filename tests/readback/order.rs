//! The order counts, but for that of what is hashed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::through::{
    map, map_of_pairs, pairs, ranking, set, shuffled, without_doubles, without_doubles_if_any,
};
use super::{always, in_each_codec, never};
#[cfg(feature = "msgpack")]
use super::{asked_for, msgpack};

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

/// What is shared is as it is in itself.
#[test]
fn what_is_in_a_set_has_its_own_order() {
    let lists: BTreeSet<Vec<u8>> = [vec![1, 2], vec![2, 1]].into();
    in_each_codec(&[lists.into_iter().collect::<HashSet<_>>()], always);
    let ranked = Arc::new(Sorted { ranking: ranking() });
    in_each_codec(&[HashMap::from([(1_u8, (*ranked).clone())])], never);
}
