//! What a function of the user's reads is proved by each value for itself.

use cache_memoize::Stats;
use serde::{Deserialize, Deserializer, Serialize};

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
