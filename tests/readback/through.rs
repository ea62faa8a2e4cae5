//! What reads one collection through another one.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Deserializer, Serializer};

/// A list of pairs that is written as a map, and read through one.
pub(crate) mod pairs {
    use std::collections::{BTreeMap, HashMap};

    use serde::Serializer;

    pub(crate) type Pairs = Vec<(String, u8)>;

    pub(crate) fn write<S: Serializer>(pairs: &Pairs, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
    }

    macro_rules! through {
        ($($map:ident $name:ident)*) => {$(
            pub(crate) mod $name {
                pub(crate) use super::write as serialize;

                pub(crate) fn deserialize<'de, D: serde::Deserializer<'de>>(
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
pub(crate) mod map_of_pairs {
    use super::{Deserialize, Deserializer, HashMap, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        map: &HashMap<String, u8>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<HashMap<String, u8>, D::Error> {
        let read: Vec<(String, u8)> = Deserialize::deserialize(deserializer)?;
        Ok(read.into_iter().collect())
    }
}

pub(crate) fn without_doubles<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<u8>, D::Error> {
    let set: HashSet<u8> = Deserialize::deserialize(deserializer)?;
    Ok(set.into_iter().collect())
}

pub(crate) fn without_doubles_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<u8>>, D::Error> {
    let set: Option<HashSet<u8>> = Deserialize::deserialize(deserializer)?;
    Ok(set.map(|set| set.into_iter().collect()))
}

pub(crate) fn shuffled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let list: Vec<u8> = Deserialize::deserialize(deserializer)?;
    Ok(list
        .into_iter()
        .collect::<HashSet<u8>>()
        .into_iter()
        .collect())
}

pub(crate) fn set() -> HashSet<u8> {
    (0..20).collect()
}

pub(crate) fn map() -> HashMap<String, u8> {
    (0..20)
        .map(|value| (format!("key {value}"), value))
        .collect()
}

/// Long enough to be in another order each time that it is hashed.
pub(crate) fn ranking() -> pairs::Pairs {
    let names = ('a'..='z').rev();
    names.map(String::from).zip(0..).collect()
}

pub(crate) fn short_ranking() -> pairs::Pairs {
    let mut ranking = ranking();
    ranking.truncate(2);
    ranking
}
