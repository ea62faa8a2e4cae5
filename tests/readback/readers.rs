//! What a function of the user's reads is proved by each value for itself.

use std::any::type_name;
use std::fmt;

use cache_memoize::Stats;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

use super::common::Stored;
use super::in_each_codec;

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

fn texts() -> Vec<String> {
    (0..50).map(|n| n.to_string()).collect()
}

/// However many came back, the next may be one that the function makes something else of.
#[test]
fn what_a_function_reads_is_proved_by_each_value() {
    let nickname = |name: Option<&str>| Nickname {
        name: name.map(str::to_owned),
    };
    let mut nicknames: Vec<_> = texts().iter().map(|name| nickname(Some(name))).collect();
    nicknames.extend([nickname(None), nickname(Some(""))]);
    let mut padded: Vec<_> = texts().into_iter().map(|text| Padded { text }).collect();
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

struct AtMost100;

impl Visitor<'_> for AtMost100 {
    type Value = Percent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a percentage")
    }

    fn visit_u8<E>(self, percent: u8) -> Result<Percent, E> {
        Ok(Percent(percent.min(100)))
    }

    fn visit_u64<E>(self, percent: u64) -> Result<Percent, E> {
        Ok(Percent(percent.try_into().unwrap_or(100).min(100)))
    }
}

/// Read by a visitor of its own.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Percent(u8);

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u8(AtMost100)
    }
}

/// Read by the visitor of what it is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Even(u8);

impl<'de> Deserialize<'de> for Even {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u8::deserialize(deserializer).map(|number| Self(number & !1))
    }
}

/// Read by derived code, and then changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Smallest(u8, u8);

const _: () = {
    impl<'de> Deserialize<'de> for Smallest {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            #[derive(Deserialize)]
            #[serde(remote = "Smallest")]
            struct Read(u8, u8);
            Read::deserialize(deserializer).map(|read| Self(read.0.min(read.1), read.1))
        }
    }
};

impl From<Vec<u8>> for Ranks {
    fn from(mut list: Vec<u8>) -> Self {
        list.sort_unstable();
        Self(list)
    }
}

types! {
    struct Progress { percent: Percent }
    struct Parts { first: Option<Even>, rest: Box<[Even]> }
    #[serde(from = "Vec<u8>")]
    struct Ranks(Vec<u8>);
    struct Ranking { ranks: Ranks }
    struct Wrapped(Even);
    struct InOrder(#[serde(deserialize_with = "in_order")] Vec<u8>);
    #[serde(transparent)]
    struct Clear { ranks: Ranks }
    enum Either { One(Even), Other { percent: Percent } }
}

/// Fifty of these are stored, and the last one is not.
fn check<T: Stored>(last: T, values: impl Fn(u8) -> T) {
    let mut values: Vec<T> = (0..50).map(values).collect();
    values.push(last);
    in_each_codec(&values, |stats| {
        assert_eq!(stats.stores, 50, "{}: {stats:?}", type_name::<T>());
    });
}

/// The same of types that say themselves how they are read.
#[test]
fn what_a_type_reads_by_itself_is_proved_by_each_value() {
    let even = |n: u8| Even(n * 2);
    let upwards = |n: u8| vec![n, n + 1, n + 2];
    check(Percent(150), Percent);
    check(
        Progress {
            percent: Percent(150),
        },
        |n| Progress {
            percent: Percent(n),
        },
    );
    let parts = |first, rest| Parts {
        first: Some(first),
        rest: Box::new([rest]),
    };
    check(parts(Even(2), Even(3)), |n| parts(even(n), even(n)));
    check(parts(Even(3), Even(2)), |n| parts(even(n), even(n)));
    check(Ranks(vec![9, 0]), |n| Ranks(upwards(n)));
    check(
        Ranking {
            ranks: Ranks(vec![9, 0]),
        },
        |n| Ranking {
            ranks: Ranks(upwards(n)),
        },
    );
    check(Smallest(2, 1), |n| Smallest(n, n + 1));
    check(Wrapped(Even(3)), |n| Wrapped(even(n)));
    check(InOrder(vec![9, 0]), |n| InOrder(upwards(n)));
    check(
        Clear {
            ranks: Ranks(vec![9, 0]),
        },
        |n| Clear {
            ranks: Ranks(upwards(n)),
        },
    );
    check(Either::One(Even(3)), |n| Either::One(even(n)));
    check(
        Either::Other {
            percent: Percent(150),
        },
        |percent| Either::Other {
            percent: Percent(percent),
        },
    );
}
