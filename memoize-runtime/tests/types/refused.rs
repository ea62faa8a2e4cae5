//! What would come back as another value, or not at all: it is not stored, and the log says which field it was and what to write.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, DefaultHasher};

use crate::common::{Stored, is_held, is_refused, logged, postcard, runtime};
use cache_memoize::{Memo, cache_memoize};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Calls the function that returns it whenever it is read, as one may that is looked up by a number.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Looping(u8);

impl<'de> Deserialize<'de> for Looping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(looping(u8::deserialize(deserializer)?))
    }
}

/// Calls it whenever it is written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct LoopingOut(u8);

impl Serialize for LoopingOut {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let same = looping_out(self.0);
        serializer.serialize_newtype_struct("LoopingOut", &same.0)
    }
}

#[cache_memoize(key = "looping:<n>")]
fn looping(n: u8) -> Looping {
    Looping(n)
}

#[cache_memoize(key = "looping-out:<n>")]
fn looping_out(n: u8) -> LoopingOut {
    LoopingOut(n)
}

/// Without a bound the stack would overflow, which ends the process.
#[test]
fn a_type_that_calls_the_function_that_returns_it_ends() {
    runtime().scope(|| {
        for n in [1, 1, 2] {
            assert_eq!(looping(n), Looping(n));
            assert_eq!(looping_out(n), LoopingOut(n));
        }
    });
}

/// Reads its elements backwards.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Backwards(Vec<u8>);

impl<'de> Deserialize<'de> for Backwards {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Backwards")]
        struct Inner(Vec<u8>);
        let Inner(elements) = Inner::deserialize(deserializer)?;
        Ok(Self(elements.into_iter().rev().collect()))
    }
}

#[test]
fn a_list_in_another_order_is_another_value() {
    is_refused(postcard, &Backwards(vec![1, 2, 3]));
}

/// The same, as another type, of which nothing was told yet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
struct Reversed(Vec<u8>);

impl<'de> Deserialize<'de> for Reversed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let elements = Vec::<u8>::deserialize(deserializer)?;
        Ok(Self(elements.into_iter().rev().collect()))
    }
}

/// Their order is no part of them, and doesn't change from one to the next where the hasher is always the same.
#[test]
fn a_set_in_another_order_is_the_same() {
    type Fixed = HashSet<u64, BuildHasherDefault<DefaultHasher>>;
    let elements = (0..20).map(|n| n * 7919);
    let mut roomy = Fixed::with_capacity_and_hasher(1000, BuildHasherDefault::default());
    roomy.extend(elements.clone());
    is_held(postcard, &roomy);
    is_held(postcard, &HashSet::<u64>::from_iter([1, 2]));
    is_held(postcard, &elements.collect::<HashSet<u64>>());
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unsized {
    before: u8,
    #[serde(serialize_with = "of_unknown_length")]
    evens: Vec<u8>,
}

fn of_unknown_length<S: Serializer>(elements: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(elements.iter().filter(|n| **n % 2 == 0))
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
struct Labelled {
    a: u8,
    b: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Optional {
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b: Option<u8>,
}

fn told<T: Stored>(value: &T, memo: impl Fn(u64) -> Memo) -> String {
    logged(|| is_refused(memo, value))
}

#[test]
fn what_only_postcard_refuses_says_so() {
    let unsized_ = Unsized {
        before: 1,
        evens: vec![2, 4],
    };
    let log = told(&unsized_, postcard);
    assert!(
        log.contains("field=\"evens\"") && log.contains("length is not known"),
        "{log}"
    );
    let labelled = Labelled {
        a: 1,
        b: "b".into(),
    };
    let log = told(&labelled, postcard);
    assert!(
        log.contains("field=\"type\"") && log.contains("msgpack"),
        "{log}"
    );
}

#[cache_memoize(key = "optional:<a:?>:<b:?>")]
fn optional(a: Option<u8>, b: Option<u8>) -> Optional {
    Optional { a, b }
}

#[test]
fn each_field_is_told_of_once() {
    let log = logged(|| {
        runtime().scope(|| {
            for n in 0..4 {
                optional(None, Some(n));
                optional(Some(n), None);
            }
        });
    });
    assert_eq!(log.matches("field=\"a\"").count(), 1, "{log}");
    assert_eq!(log.matches("field=\"b\"").count(), 1, "{log}");
    assert!(log.contains("function=types::refused::optional"), "{log}");
}

/// The value as a whole is at fault, and a field where there is none would be an empty name.
#[test]
fn a_whole_value_has_a_name_in_the_log() {
    let log = told(&Reversed(vec![1, 2]), postcard);
    assert!(log.contains("(the value itself)"), "{log}");
}

/// 32 KiB, with more of the kind inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wide<T> {
    inside: Option<Box<T>>,
    numbers: [[[u64; 32]; 32]; 4],
}

type Four<T> = Wide<Wide<Wide<Wide<T>>>>;
type Sixteen<T> = Four<Four<Four<Four<T>>>>;
/// A megabyte, of which unoptimized code needs several at once: already a look at it would overflow the stack.
type Deep = Sixteen<Sixteen<u8>>;

// Whether it is `Send` takes a longer look than the compiler's limit allows.
#[cache_memoize(key = "deep:<n>", local = false)]
fn deep(n: u8) -> (u8, Option<Box<Deep>>) {
    (n, None)
}

#[cfg(feature = "msgpack")]
#[test]
fn each_field_that_cannot_be_seen_is_named() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Loose {
        a: serde_json::Value,
        b: Vec<serde_json::Value>,
        c: u8,
    }
    let value = Loose {
        a: 1.into(),
        b: vec![],
        c: 1,
    };
    let log = logged(|| is_held(crate::common::msgpack, &value));
    assert_eq!(log.matches("may not be seen").count(), 2, "{log}");
    assert!(log.contains("field=\"a\""), "{log}");
    assert!(log.contains("field=\"b[]\""), "{log}");
    assert!(
        log.contains("Loose\""),
        "no function tells whose fields they are: {log}"
    );
}

#[test]
fn what_a_memo_cannot_store_is_told_with_its_type() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u8),
        Text(String),
    }
    let log = told(&Either::Text("a".into()), postcard) + &told(&Either::Number(1), postcard);
    assert_eq!(log.matches("::Either\"").count(), 1, "{log}");
}

/// A type of one test's own, as each is told of once in a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OfAnyKind(serde_json::Value);

/// The attribute has an option for it, and a `Memo` a method.
#[test]
fn what_a_memo_is_to_be_told_is_a_method() {
    let log = told(&OfAnyKind(serde_json::Value::Null), postcard);
    assert!(
        log.contains("call `msgpack()`") && !log.contains("codec ="),
        "{log}"
    );
    let log = logged(|| {
        runtime().scope(|| assert_eq!(anything(), serde_json::Value::Null));
    });
    assert!(log.contains("write `codec = \\\"msgpack\\\"`"), "{log}");
}

#[cache_memoize(key = "anything")]
fn anything() -> serde_json::Value {
    serde_json::Value::Null
}

/// As `serde_json` has it: written as a struct of this name, and read as a newtype.
#[derive(Clone, Debug, PartialEq)]
struct RawValue(String);

const RAW_VALUE: &str = "$serde_json::private::RawValue";

impl Serialize for RawValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct(RAW_VALUE, 1)?;
        fields.serialize_field(RAW_VALUE, &self.0)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FromMap;

        impl<'de> Visitor<'de> for FromMap {
            type Value = RawValue;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("any valid JSON value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawValue, A::Error> {
                let entry: Option<(String, String)> = map.next_entry()?;
                entry
                    .map(|(_, raw)| RawValue(raw))
                    .ok_or_else(|| serde::de::Error::custom("empty"))
            }
        }

        deserializer.deserialize_newtype_struct(RAW_VALUE, FromMap)
    }
}

#[test]
fn what_only_json_holds_is_refused_with_what_to_write() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Answer {
        id: u8,
        body: RawValue,
    }
    let answer = Answer {
        id: 1,
        body: RawValue("{}".into()),
    };
    let logs = [
        told(&answer, postcard),
        #[cfg(feature = "msgpack")]
        told(&answer, crate::common::msgpack),
    ];
    for log in logs {
        assert!(
            log.contains("field=\"body\"") && log.contains("use a `String`"),
            "{log}"
        );
    }
}

/// Takes none of what is tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Mail(String);

impl<'de> Deserialize<'de> for Mail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mail = String::deserialize(deserializer)?;
        if mail.ends_with("@mail.test") {
            Ok(Self(mail))
        } else {
            Err(serde::de::Error::custom("no mail"))
        }
    }
}

#[test]
fn what_hides_an_element_is_named_beside_it() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Sent {
        to: (u8, Mail, u32),
    }
    let sent = Sent {
        to: (1, Mail("a@mail.test".into()), 2),
    };
    let log = told(&sent, postcard);
    assert!(log.contains("field=\"to.2\""), "{log}");
    assert!(
        log.contains("field `to.1`, which stands before it"),
        "{log}"
    );
}

#[test]
fn what_the_stack_has_no_room_for_is_not_read() {
    let log = logged(|| {
        runtime().scope(|| {
            for _ in 0..2 {
                assert_eq!(deep(1), (1, None));
            }
        });
    });
    assert_eq!(deep::stats().unstorable, 2);
    assert!(log.contains("field=\"1.inside\""), "{log}");
    assert!(log.contains("use a `Vec`"), "{log}");
}

#[cfg(feature = "msgpack")]
mod msgpack {
    use std::collections::BTreeMap;
    use std::net::{IpAddr, Ipv4Addr};

    use serde_json::{Value, json};

    use super::*;
    use crate::common::msgpack;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "`skip_serializing_if` gives a reference"
    )]
    fn is_one(n: &u8) -> bool {
        *n == 1
    }

    /// What is left out, a 1, is read as the default, a 0.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Lossy {
        #[serde(default, skip_serializing_if = "is_one")]
        a: u8,
        b: u8,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "t")]
    enum Tagged {
        Named {
            #[serde(default, skip_serializing_if = "is_one")]
            a: u8,
            b: u8,
        },
        Newtype(Lossy),
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "t", content = "c")]
    enum Adjacent {
        Named {
            #[serde(default, skip_serializing_if = "is_one")]
            a: u8,
            b: u8,
        },
        Newtype(Lossy),
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Newtype(Lossy),
    }

    #[test]
    fn a_field_left_out_of_what_describes_itself_is_not_stored() {
        let lossy = |a| Lossy { a, b: 2 };
        is_refused(msgpack, &Tagged::Named { a: 1, b: 2 });
        is_refused(msgpack, &Tagged::Newtype(lossy(1)));
        is_refused(msgpack, &Adjacent::Named { a: 1, b: 2 });
        is_refused(msgpack, &Adjacent::Newtype(lossy(1)));
        is_refused(msgpack, &Untagged::Newtype(lossy(1)));
        is_held(msgpack, &Tagged::Named { a: 3, b: 2 });
        is_held(msgpack, &Adjacent::Newtype(lossy(3)));
        is_held(msgpack, &Untagged::Newtype(lossy(3)));
        let log = told(&vec![Tagged::Newtype(lossy(1))], msgpack);
        assert!(log.contains("field=\"[].a\""), "{log}");
    }

    /// Both variants have the same bytes, and the first is read back.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Width {
        Narrow(u8),
        Wide(u32),
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Cat {
        name: String,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Dog {
        name: String,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Pet {
        Cat(Cat),
        Dog(Dog),
    }

    #[test]
    fn a_value_that_is_read_as_another_variant_is_not_stored() {
        is_held(msgpack, &Width::Narrow(5));
        is_held(msgpack, &Width::Wide(500));
        is_refused(msgpack, &Width::Wide(5));
        let name = || "Tom".to_owned();
        is_held(msgpack, &Pet::Cat(Cat { name: name() }));
        is_refused(msgpack, &Pet::Dog(Dog { name: name() }));
    }

    /// A field by the name of the text that is made up for keys.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        a: u8,
        b: String,
        at: IpAddr,
        #[serde(flatten)]
        rest: BTreeMap<String, IpAddr>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "t")]
    enum Address {
        At { ip: IpAddr },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "t")]
    enum Large {
        Number { n: u128 },
    }

    /// Some types have one form for people and one for machines, and what keeps a value for later asks for the first.
    #[test]
    fn what_has_two_forms_is_held_in_what_describes_itself() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        is_held(msgpack, &ip);
        is_held(msgpack, &Address::At { ip });
        is_held(
            msgpack,
            &Flat {
                a: 1,
                b: "b".into(),
                at: ip,
                rest: BTreeMap::from([("c".to_owned(), ip)]),
            },
        );
    }

    #[test]
    fn numbers_of_128_bits_in_what_describes_itself_are_named() {
        let log = told(&Large::Number { n: 1 }, msgpack);
        assert!(log.contains("128 bits"), "{log}");
    }

    #[test]
    fn the_tag_of_a_struct_is_left_out_of_the_check() {
        let labelled = Labelled {
            a: 1,
            b: "b".into(),
        };
        is_held(msgpack, &labelled);
        is_held(msgpack, &vec![labelled.clone(), labelled]);
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct NotRead {
        #[serde(skip_deserializing)]
        first: String,
        b: u8,
    }

    /// Writes a text, and reads it not.
    #[derive(Clone, Debug, PartialEq, Deserialize)]
    struct ByHand {
        b: u8,
    }

    impl Serialize for ByHand {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeStruct;
            let mut fields = serializer.serialize_struct("ByHand", 2)?;
            fields.serialize_field("first", "some text")?;
            fields.serialize_field("b", &self.b)?;
            fields.end()
        }
    }

    /// A field that is written and not read is no tag, though it stands in its place.
    #[test]
    fn what_only_looks_like_a_tag_is_not_stored() {
        for first in ["", "NotRead", "text"] {
            let first = first.to_owned();
            is_refused(msgpack, &NotRead { first, b: 1 });
        }
        is_refused(msgpack, &ByHand { b: 1 });
    }

    #[test]
    fn some_of_nothing_is_named() {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct Answer {
            value: Option<Value>,
            flag: Option<()>,
        }
        let answer = |value, flag| Answer { value, flag };
        is_held(msgpack, &answer(Some(json!({"a": [1, null]})), None));
        let log = told(&answer(Some(Value::Null), None), msgpack);
        assert!(
            log.contains("field=\"value\"") && log.contains("Some(Null)"),
            "{log}"
        );
        let log = told(&answer(None, Some(())), msgpack);
        assert!(log.contains("field=\"flag\""), "{log}");
    }

    #[test]
    fn a_list_of_unknown_length_is_held() {
        let unsized_ = Unsized {
            before: 1,
            evens: vec![2, 4],
        };
        is_held(msgpack, &unsized_);
    }

    #[test]
    fn a_refusal_names_the_struct_and_not_its_keys() {
        let flat = Flat {
            a: 1,
            b: String::new(),
            at: Ipv4Addr::LOCALHOST.into(),
            rest: BTreeMap::new(),
        };
        let log = told(&vec![flat], postcard);
        assert!(log.contains("field=\"[]\""), "{log}");
    }
}
