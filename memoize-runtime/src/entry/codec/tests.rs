use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use serde::{Deserialize, Deserializer, Serializer};

use super::*;

fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    Codec::Postcard.encode(value, out)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reject> {
    Codec::Postcard.decode(bytes)
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(Option<u16>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair(String, ());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    Newtype(Box<Kind>),
    Tuple(i64, Option<Box<Kind>>),
    Struct {
        many: Vec<Kind>,
        by_name: BTreeMap<String, Kind>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    integers: (u8, u16, u32, u64, u128, i8, i16, i32, i64, i128),
    floats: (f32, f64),
    text: (char, String, Box<str>),
    flag: bool,
    unit: Unit,
    newtype: Newtype,
    pair: Pair,
    kind: Kind,
    nested: Option<Vec<Option<Vec<u32>>>>,
    map: HashMap<(u8, bool), Vec<String>>,
    set: HashSet<i16>,
    array: [u8; 16],
    result: Result<u8, String>,
    time: Duration,
}

fn few<S: Strategy>(element: S) -> impl Strategy<Value = Vec<S::Value>> {
    prop::collection::vec(element, 0..4)
}

fn kind() -> impl Strategy<Value = Kind> {
    let leaf = Just(Kind::Unit);
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|kind| Kind::Newtype(Box::new(kind))),
            (any::<i64>(), prop::option::of(inner.clone()))
                .prop_map(|(number, kind)| Kind::Tuple(number, kind.map(Box::new))),
            (
                few(inner.clone()),
                prop::collection::btree_map(any::<String>(), inner, 0..3)
            )
                .prop_map(|(many, by_name)| Kind::Struct { many, by_name }),
        ]
    })
}

fn everything() -> impl Strategy<Value = Everything> {
    (
        any::<(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128)>(),
        any::<((f32, f64), (char, String, Box<str>))>(),
        any::<(bool, Option<u16>, String)>(),
        kind(),
        prop::option::of(few(prop::option::of(few(any::<u32>())))),
        (
            prop::collection::hash_map(any::<(u8, bool)>(), few(any::<String>()), 0..4),
            any::<HashSet<i16>>(),
        ),
        any::<[u8; 16]>(),
        any::<(Result<u8, String>, Duration)>(),
    )
        .prop_map(
            |(
                integers,
                (floats, text),
                (flag, inner, name),
                kind,
                nested,
                (map, set),
                array,
                (result, time),
            )| {
                Everything {
                    integers,
                    floats,
                    text,
                    flag,
                    unit: Unit,
                    newtype: Newtype(inner),
                    pair: Pair(name, ()),
                    kind,
                    nested,
                    map,
                    set,
                    array,
                    result,
                    time,
                }
            },
        )
}

fn encoded<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes).expect("the value is one that postcard holds");
    bytes
}

fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    assert_eq!(decode(&encoded(&value)), Ok(value));
}

/// What no hostile bytes may do is panic here or not come back; a value is as good as a refusal.
fn withstands<T: DeserializeOwned>(bytes: &[u8]) {
    let _ = decode::<T>(bytes);
}

#[test]
fn the_bytes_are_postcards() {
    let mut out = b"before".to_vec();
    encode(&("alice", 42_u8), &mut out).expect("a tuple can be encoded");
    assert_eq!(out, b"before\x05alice\x2a");
}

#[test]
fn single_values_survive() {
    survives(());
    survives(true);
    survives(u128::MAX);
    survives(i128::MIN);
    survives('ß');
    survives(f64::NEG_INFINITY);
    survives(String::from("text"));
    survives(Some(None::<u8>));
    survives(vec![(); 1000]);
    survives([[(); 30]; 30]);
    // Binary formats get four bytes of an address, others its text.
    assert_eq!(encoded(&IpAddr::from([1, 2, 3, 4])), [0, 1, 2, 3, 4]);
    survives(IpAddr::from([1, 2, 3, 4]));
}

/// Fails or panics as it says, in either direction.
struct Broken {
    panics: bool,
}

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        assert!(!self.panics, "secret");
        Err(serde::ser::Error::custom("secret"))
    }
}

impl<'de> Deserialize<'de> for Broken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        assert!(!bool::deserialize(deserializer)?, "secret");
        Err(serde::de::Error::custom("secret"))
    }
}

#[test]
fn a_failing_value_leaves_the_output_as_it_was() {
    for panics in [false, true] {
        let mut out = b"before".to_vec();
        assert_eq!(
            encode(&("text", Broken { panics }), &mut out),
            Err(CodecError)
        );
        assert_eq!(out, b"before");
    }
}

#[test]
fn a_failing_deserialize_is_a_reason_like_any_other() {
    assert!(matches!(decode::<Broken>(&[0]), Err(Reject::Undecodable)));
    assert!(matches!(decode::<Broken>(&[1]), Err(Reject::Undecodable)));
}

proptest! {
    #[test]
    fn every_shape_survives(value in everything()) {
        prop_assert_eq!(decode(&encoded(&value)), Ok(value));
    }

    #[test]
    fn a_cut_value_is_refused(value in everything(), len: prop::sample::Index) {
        let bytes = encoded(&value);
        let cut = &bytes[..len.index(bytes.len())];
        prop_assert_eq!(decode::<Everything>(cut), Err(Reject::Undecodable));
    }

    #[test]
    fn a_longer_value_is_refused(value in everything(), more in prop::collection::vec(any::<u8>(), 1..9)) {
        let mut bytes = encoded(&value);
        bytes.extend(more);
        prop_assert_eq!(decode::<Everything>(&bytes), Err(Reject::Undecodable));
    }

    #[test]
    fn changed_bytes_withstand(value in everything(), at: prop::sample::Index, to: u8) {
        let mut bytes = encoded(&value);
        let at = at.index(bytes.len());
        bytes[at] = to;
        withstands::<Everything>(&bytes);
    }

    #[test]
    fn any_bytes_withstand(bytes: Vec<u8>) {
        withstands::<Everything>(&bytes);
        withstands::<Kind>(&bytes);
        withstands::<Vec<Kind>>(&bytes);
        withstands::<HashMap<String, Vec<Kind>>>(&bytes);
        withstands::<BTreeMap<u8, Option<Box<str>>>>(&bytes);
        withstands::<Vec<Vec<Vec<()>>>>(&bytes);
        withstands::<(char, String, f32, f64)>(&bytes);
        withstands::<(u128, i128, bool)>(&bytes);
        withstands::<Result<Duration, IpAddr>>(&bytes);
        withstands::<HashSet<Option<i64>>>(&bytes);
        withstands::<Option<std::path::PathBuf>>(&bytes);
        withstands::<[Option<std::ffi::CString>; 4]>(&bytes);
        withstands::<std::time::SystemTime>(&bytes);
    }
}
#[cfg(feature = "msgpack")]
mod msgpack {
    use serde_json::{Value, json};

    use super::*;

    fn encoded<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        let encoded = Codec::Msgpack.encode(value, &mut bytes);
        encoded.expect("the value is one that msgpack holds");
        bytes
    }

    fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
        Codec::Msgpack.decode(bytes).ok()
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        id: u8,
        #[serde(flatten)]
        rest: HashMap<String, u8>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(i64),
        Text(String),
        Nested(Vec<Untagged>),
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Tagged {
        Unit,
        Struct { x: u8 },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type", content = "content")]
    enum Adjacent {
        Unit,
        Newtype(u8),
        Struct { x: u8 },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct List {
        next: Option<Box<List>>,
    }

    #[test]
    fn fields_and_variants_have_their_names() {
        assert_eq!(encoded(&List { next: None }), b"\x81\xa4next\xc0");
        assert_eq!(encoded(&Kind::Unit), b"\xa4Unit");
    }

    #[test]
    fn what_postcard_refuses_survives() {
        let rest = HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
        let value = (
            Flat { id: 7, rest },
            vec![
                Untagged::Number(-5),
                Untagged::Text("text".into()),
                Untagged::Nested(vec![Untagged::Number(1)]),
            ],
            [Tagged::Unit, Tagged::Struct { x: 1 }],
            [
                Adjacent::Unit,
                Adjacent::Newtype(1),
                Adjacent::Struct { x: 2 },
            ],
            json!({ "list": [1, -2, 3.5, null, true, "text"], "map": {} }),
        );
        assert_eq!(decoded(&encoded(&value)), Some(value));
    }

    #[test]
    fn what_is_left_over_is_refused() {
        for more in 0..=u8::MAX {
            let mut bytes = encoded(&("text", 7_u8));
            bytes.push(more);
            assert_eq!(decoded::<(String, u8)>(&bytes), None, "{more:#x}");
        }
        assert_eq!(decoded::<()>(&[]), None);
    }

    #[test]
    fn a_huge_claim_neither_loops_nor_allocates() {
        // Lists, maps, texts, bytes and extensions of 2^32 - 1.
        for marker in [0xdd, 0xdf, 0xdb, 0xc6, 0xc9] {
            let bytes = [marker, 0xff, 0xff, 0xff, 0xff, 0, 0];
            assert_eq!(decoded::<Vec<()>>(&bytes), None, "{marker:#x}");
            assert_eq!(decoded::<Vec<u64>>(&bytes), None);
            assert_eq!(decoded::<HashSet<u8>>(&bytes), None);
            assert_eq!(decoded::<String>(&bytes), None);
            assert_eq!(decoded::<List>(&bytes), None);
            assert_eq!(decoded::<Untagged>(&bytes), None);
            assert_eq!(decoded::<Flat>(&bytes), None);
            assert_eq!(decoded::<Value>(&bytes), None);
            assert_eq!(decoded::<serde::de::IgnoredAny>(&bytes).map(drop), None);
        }
    }

    #[test]
    fn nesting_is_bounded_where_values_are_of_any_kind() {
        // A list in a list, or a map in a map with the key `nil`.
        for level in [
            &[0x91][..],
            &[0x81, 0xc0][..],
            &[0x81, 0xa4, b'n', b'e', b'x', b't'][..],
        ] {
            let bytes = level.repeat(100_000);
            assert_eq!(decoded::<Value>(&bytes), None);
            assert_eq!(decoded::<Untagged>(&bytes), None);
            assert_eq!(decoded::<Flat>(&bytes), None);
            assert_eq!(decoded::<List>(&bytes), None);
            assert_eq!(decoded::<serde::de::IgnoredAny>(&bytes).map(drop), None);
        }
        let deep = |levels: usize| [vec![0x91; levels], vec![0xc0]].concat();
        assert!(decoded::<Value>(&deep(30)).is_some());
        assert!(decoded::<Value>(&deep(128)).is_none());
    }

    proptest! {
        #[test]
        fn every_shape_survives(value in everything()) {
            prop_assert_eq!(decoded(&encoded(&value)), Some(value));
        }

        #[test]
        fn any_bytes_withstand(bytes: Vec<u8>) {
            decoded::<Everything>(&bytes);
            decoded::<Value>(&bytes);
            decoded::<Untagged>(&bytes);
            decoded::<Adjacent>(&bytes);
            decoded::<Flat>(&bytes);
            decoded::<Vec<Kind>>(&bytes);
        }

        #[test]
        fn changed_bytes_withstand(value in everything(), at: prop::sample::Index, to: u8) {
            let mut bytes = encoded(&value);
            let at = at.index(bytes.len());
            bytes[at] = to;
            decoded::<Everything>(&bytes);
            decoded::<Value>(&bytes);
        }
    }
}
