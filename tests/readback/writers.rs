//! What is written by other code than what is derived for the type that is read is proved by each value for itself.

use std::any::type_name;

use serde::{Deserialize, Serialize, Serializer};

use super::common::Stored;
use super::in_each_codec;

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
}

fn escaped<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&escape(text))
}

types! {
    struct Field { #[serde(serialize_with = "escaped")] text: String }
    struct Element(u8, #[serde(serialize_with = "escaped")] String);
    struct Newtype(#[serde(serialize_with = "escaped")] String);
    struct Generic<T> { #[serde(serialize_with = "escaped")] text: String, other: T }
    enum Part {
        None,
        Struct { #[serde(serialize_with = "escaped")] text: String },
        Newtype(#[serde(serialize_with = "escaped")] String),
        #[serde(serialize_with = "escaped")]
        Whole(String),
    }
    #[serde(into = "Page")]
    struct Struct { text: String }
    #[serde(into = "Pair")]
    struct Tuple(u8, String);
    #[serde(into = "Kind")]
    enum Enum { Text(String) }
}

/// Derived to be read only.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Bare(String);

impl Serialize for Bare {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        escaped(&self.0, serializer)
    }
}

#[derive(Serialize)]
struct Page {
    text: String,
}

impl From<Struct> for Page {
    fn from(from: Struct) -> Self {
        let text = escape(&from.text);
        Self { text }
    }
}

#[derive(Serialize)]
struct Pair(u8, String);

impl From<Tuple> for Pair {
    fn from(from: Tuple) -> Self {
        Self(from.0, escape(&from.1))
    }
}

#[derive(Serialize)]
enum Kind {
    Text(String),
}

impl From<Enum> for Kind {
    fn from(Enum::Text(text): Enum) -> Self {
        Self::Text(escape(&text))
    }
}

/// However many came back, the next may be written as another value.
#[test]
fn what_is_written_otherwise_is_proved_by_each_value() {
    fn check<T: Stored>(value: impl Fn(String) -> T) {
        let texts = (0..50).map(|n| n.to_string()).chain(["&".to_owned()]);
        let values: Vec<T> = texts.map(value).collect();
        in_each_codec(&values, |stats| {
            assert_eq!(stats.stores, 50, "{}: {stats:?}", type_name::<T>());
        });
    }
    check(|text| Field { text });
    check(|text| Element(1, text));
    check(Newtype);
    check(|text| Generic { text, other: 1_u8 });
    check(|text| (Part::None, Some(Part::Struct { text })));
    check(|text| vec![Part::Newtype(text)]);
    check(|text| (1, Part::Whole(text)));
    check(|text| Struct { text });
    check(|text| Tuple(1, text));
    check(Enum::Text);
    check(Bare);
}
