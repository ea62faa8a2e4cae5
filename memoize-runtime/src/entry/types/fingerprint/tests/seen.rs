//! What is seen and what isn't, beyond what the golden values show.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::shape::{Node, Unseen, Why};
use super::*;

fn unseen<T: DeserializeOwned>() -> Option<(String, Why)> {
    trace::<T>().find(|node| match node {
        Node::Unseen(Unseen { why, .. }) => Some(*why),
        _ => None,
    })
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code)]
enum Untagged {
    A(u8),
    B(String),
}

#[derive(Deserialize)]
#[serde(tag = "t")]
#[expect(dead_code)]
enum Tagged {
    A { a: u8 },
    B,
}

#[derive(Deserialize)]
#[serde(tag = "t", content = "c")]
#[expect(dead_code)]
enum Adjacent {
    A(u8),
    B,
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Flat {
    a: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Around<T> {
    before: u8,
    inside: Vec<Option<T>>,
    after: u8,
}

#[test]
fn what_describes_itself_is_not_seen_and_its_neighbours_are() {
    let at = |why| Some(("inside[]".to_owned(), why));
    assert_eq!(unseen::<Around<Untagged>>(), at(Why::Any));
    assert_eq!(unseen::<Around<Tagged>>(), at(Why::Any));
    assert_eq!(unseen::<Around<serde_json::Value>>(), at(Why::Any));
    assert_eq!(unseen::<Around<IgnoredAny>>(), at(Why::Ignored));
    assert_eq!(
        unseen::<Around<Adjacent>>(),
        Some(("inside[].c".to_owned(), Why::Buffered))
    );
    assert_eq!(
        unseen::<Around<Flat>>(),
        Some(("inside[]{key}".to_owned(), Why::Identifier))
    );
    assert_eq!(unseen::<Around<u8>>(), None);
    let text = text::<Around<Untagged>>();
    assert!(
        text.starts_with(r#"struct "Around" {"before": u8, "inside": [option any "#),
        "{text}"
    );
    assert!(text.ends_with(r#", "after": u8}"#), "{text}");
}

/// There, what Rust says of the type is all there is.
#[test]
fn the_type_around_counts_where_nothing_is_seen() {
    mod other {
        use serde::Deserialize;

        #[derive(Deserialize)]
        #[serde(tag = "t", content = "c")]
        #[expect(dead_code)]
        pub(super) enum Adjacent {
            A(u32),
            B,
        }
    }
    assert_ne!(text::<Adjacent>(), text::<other::Adjacent>());
}

/// Reads one key and drops the value of it, as a struct that doesn't know the name.
struct Dropping;

impl<'de> Deserialize<'de> for Dropping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Drops;

        impl<'de> Visitor<'de> for Drops {
            type Value = Dropping;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Dropping, A::Error> {
                while map.next_key::<String>()?.is_some() {
                    map.next_value::<IgnoredAny>()?;
                }
                Ok(Dropping)
            }
        }

        deserializer.deserialize_map(Drops)
    }
}

#[test]
fn what_is_dropped_below_a_made_up_key_is_no_reason_to_refuse() {
    assert_eq!(
        unseen::<Dropping>(),
        Some(("{}".to_owned(), Why::Unreached))
    );
}

/// Takes nothing but the one text.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Picky(#[expect(dead_code)] String);

impl TryFrom<String> for Picky {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text == "the one" {
            Ok(Self(text))
        } else {
            Err("not the one")
        }
    }
}

/// It hides what is behind it in a tuple, which is said, and nothing in a struct, a list, a map or another variant.
#[test]
fn a_type_that_refuses_all_samples_spoils_little() {
    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Fields {
        picky: Picky,
        after: u8,
    }
    #[derive(Deserialize)]
    #[expect(dead_code)]
    enum Kind {
        Picky(Picky),
        Named { picky: Picky, after: u8 },
        After(u8),
    }

    assert_eq!(
        text::<Fields>(),
        r#"struct "Fields" {"picky": str, "after": u8}"#
    );
    assert_eq!(
        text::<Kind>(),
        r#"enum "Kind" {"Picky": newtype str, "Named": struct {"picky": str, "after": u8}, "After": newtype u8}"#
    );
    assert_eq!(text::<Vec<Picky>>(), "[str]");
    assert_eq!(
        text::<std::collections::HashMap<Option<u8>, Picky>>(),
        "map {option u8: str}"
    );
    assert_eq!(unseen::<(u8, Picky)>(), None);
    assert_eq!(
        unseen::<(Picky, u8, u8)>(),
        Some(("1".to_owned(), Why::Unreached))
    );
    // A neighbour of the tuple is not hidden.
    let text = text::<Around<(Picky, u8)>>();
    assert!(text.ends_with(r#", "after": u8}"#), "{text}");
}

/// Samples are made for recursive types too: by the variant in which the recursion ends.
#[test]
fn recursion_before_another_element_ends() {
    #[derive(Deserialize)]
    #[expect(dead_code)]
    enum Expr {
        Add(Box<Expr>, Box<Expr>),
        Not(Box<Expr>),
        Call { arguments: Vec<Expr> },
        Number(i64),
    }
    assert_eq!(
        text::<(Expr, u8)>(),
        r#"tuple (enum "Expr" {"Add": tuple (#1 * 2), "Not": newtype #1, "Call": struct {"arguments": [#1]}, "Number": newtype i64}, u8)"#
    );
}

#[test]
fn numbers_of_variants_without_the_skipped_one() {
    #[derive(Deserialize)]
    #[expect(dead_code)]
    enum Kind {
        #[serde(skip)]
        A,
        #[serde(alias = "b2", alias = "b1")]
        B,
        #[serde(other)]
        C,
    }
    assert_eq!(text::<Kind>(), r#"enum "Kind" {"B"|"b1"|"b2", "C"}"#);
}

/// A key that holds which name it was: its variant is the same for all.
enum Numbered {
    Known(usize),
    Other,
}

const NAMES: &[&str] = &["a", "b", "c"];

impl<'de> Deserialize<'de> for Numbered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Numbered;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Numbered, E> {
                let known = NAMES.iter().position(|known| *known == name);
                Ok(known.map_or(Numbered::Other, Numbered::Known))
            }
        }

        deserializer.deserialize_identifier(Name)
    }
}

struct ByHand;

impl<'de> Deserialize<'de> for ByHand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = ByHand;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("three fields")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<ByHand, A::Error> {
                seq.next_element::<(u8, u16, u32)>().map(|_| ByHand)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ByHand, A::Error> {
                while let Some(key) = map.next_key()? {
                    match key {
                        Numbered::Known(0) => drop(map.next_value::<u8>()?),
                        Numbered::Known(1) => drop(map.next_value::<u16>()?),
                        Numbered::Known(_) => drop(map.next_value::<u32>()?),
                        Numbered::Other => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(ByHand)
            }
        }

        deserializer.deserialize_struct("ByHand", NAMES, Fields)
    }
}

#[test]
fn names_whose_keys_hold_which_they_are_are_no_aliases() {
    let text = text::<ByHand>();
    for field in ["u8", "u16", "u32"] {
        assert!(text.contains(field), "{text}");
    }
}
